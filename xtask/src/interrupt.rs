//! Ctrl-C: the programs we started end by it; we stay to stop the database and remove its files.

use std::sync::atomic::{AtomicBool, Ordering};

static HELD: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl-C reaches only the running program. It fails, and that failure ends the task in order.
pub fn hold() {
    if HELD.swap(true, Ordering::Relaxed) {
        return;
    }
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                eprintln!("interrupted: cleaning up");
            }
        });
    });
}
