//! The queue between the server and its log: a reader of stderr that stalls must not stop any request.
//!
//! tracing-appender has such a queue, but counts lines, not bytes, and prints to stdout when it cannot end: where stderr
//! and stdout are one full pipe, the process would never end.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Bytes that wait to be written at most; as many again are being written.
const CAPACITY: usize = 4 << 20;

/// The longest wait for the last lines at the end of the process.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// Lines that no queue of this process could take or write.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Returns the number of log lines that were dropped since the start of the process.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// A writer that never blocks: lines are queued for a thread, and dropped when the queue is full.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

/// Writes the last lines when dropped, within [`FLUSH_TIME`].
#[must_use = "the last lines are lost without it"]
pub struct Flush(Arc<Shared>);

struct Shared {
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines dropped since the last one that reports them.
    dropped: u64,
    /// The thread that writes; its own lines are always taken.
    writer: Option<ThreadId>,
    is_closed: bool,
    is_ended: bool,
}

impl Queue {
    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn to(output: impl Write + Send + 'static) -> std::io::Result<(Self, Flush)> {
        Self::with_capacity(output, CAPACITY)
    }

    fn with_capacity(output: impl Write + Send + 'static, capacity: usize) -> std::io::Result<(Self, Flush)> {
        let shared = Arc::new(Shared { capacity, state: Mutex::default(), changed: Condvar::new() });
        let writer = shared.clone();
        thread::Builder::new().name("log".into()).spawn(move || writer.write(output))?;
        Ok((Self(shared.clone()), Flush(shared)))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is queued until the queue is closed and empty.
    fn write(&self, mut output: impl Write) {
        self.state().writer = Some(thread::current().id());
        let mut lines = vec![];
        loop {
            let mut state = self.state();
            while state.waiting.is_empty() && !state.is_closed {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.waiting.is_empty() {
                state.is_ended = true;
                self.changed.notify_all();
                return;
            }
            lines.clear();
            std::mem::swap(&mut lines, &mut state.waiting);
            drop(state);
            if output.write_all(&lines).and_then(|()| output.flush()).is_err() {
                let lost = lines.iter().filter(|byte| **byte == b'\n').count();
                DROPPED.fetch_add(lost as u64, Ordering::Relaxed);
                continue;
            }
            // the output takes lines again: the next one reports what is missing here
            let dropped = std::mem::take(&mut self.state().dropped);
            if dropped > 0 {
                tracing::warn!(
                    dropped,
                    "log lines were dropped because the reader of the log did not take them in time"
                );
            }
        }
    }
}

impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut state = self.0.state();
        let is_own = state.writer == Some(thread::current().id());
        if state.waiting.len() + line.len() > self.0.capacity && !is_own {
            state.dropped += 1;
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return Ok(line.len());
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.0.changed.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let until = Instant::now() + FLUSH_TIME;
        let mut state = self.0.state();
        state.is_closed = true;
        self.0.changed.notify_all();
        while !state.is_ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes a line only when it is allowed to.
    struct Stalled(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_output_drops_lines_and_reports_how_many() {
        let (go, stop) = mpsc::channel();
        let written = Arc::new(Mutex::new(vec![]));
        let (queue, flush) = Queue::with_capacity(Stalled(stop, written.clone()), 100).expect("starts");
        let before = dropped();
        for _ in 0..100 {
            (&queue).write_all(b"a line of 20 bytes.\n").expect("never fails");
        }
        // 5 lines wait, and up to 5 are being written
        let lost = dropped() - before;
        assert!((90..=95).contains(&lost), "{lost}");
        drop(go);
        drop(flush);
        assert!(queue.0.state().is_ended);
        assert_eq!(written.lock().expect("no panic").len() as u64, (100 - lost) * 20);
    }

    #[test]
    fn the_end_does_not_wait_for_a_stalled_output() {
        let (_go, stop) = mpsc::channel();
        let (queue, flush) = Queue::with_capacity(Stalled(stop, Arc::default()), 100).expect("starts");
        (&queue).write_all(b"a line\n").expect("never fails");
        drop(flush);
        assert!(!queue.0.state().is_ended);
    }
}
