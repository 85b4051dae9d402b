//! Admission control (load shedding): refuses a request at once if it could not begin soon.
//!
//! Under more load than a pool can take, a queue without a bound makes every request late: each waits for all before it.
//! Each pool of connections or workers therefore has a gate with as many slots as the pool has members. The gate estimates
//! the wait of a new request by Little's law, from the number that wait and the mean time that a slot is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The mean moves by this part of the difference to each new value.
const WEIGHT: u64 = 16;

/// Waiting for so many mean times of a slot is never too long: where each takes long, a short wait is none.
const TURNS: u32 = 4;

/// The reason why a caller gets no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The expected wait is too long; about so long.
    Overloaded(Duration),
    /// An admitted caller has waited for longer than the time-out.
    TimedOut,
}

/// The policy of a caller that finds no free slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// A request: refused at once if the expected wait is too long.
    Request,
    /// A worker or a probe, of which there are few: waits for its turn.
    Background,
}

/// A bounded number of slots, and the queue before them.
pub struct Gate {
    slots: Arc<Semaphore>,
    size: u32,
    waiting: AtomicU32,
    /// Exponentially weighted mean of the time that a slot is held, in microseconds.
    held: AtomicU64,
    /// The expected wait above which a request is refused; `None` admits everything.
    longest: Option<Duration>,
    /// The longest wait of an admitted request.
    timeout: Duration,
}

/// A slot of a gate; free again when dropped.
pub struct Slot {
    gate: Arc<Gate>,
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    /// With so many slots. `longest` of zero admits everything.
    pub fn new(size: u32, longest: Duration, timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(size as usize)),
            size,
            waiting: AtomicU32::new(0),
            held: AtomicU64::new(0),
            longest: (!longest.is_zero()).then_some(longest),
            timeout,
        })
    }

    /// Returns the number of slots that are free.
    pub fn free(&self) -> u32 {
        u32::try_from(self.slots.available_permits()).unwrap_or(self.size)
    }

    /// Returns the number of callers that wait for a slot.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Tests whether a new request would be admitted.
    ///
    /// # Errors
    /// [`Refused::Overloaded`]
    pub fn check(&self) -> Result<(), Refused> {
        if self.free() > 0 { Ok(()) } else { self.admit(self.waiting()) }
    }

    /// Refuses a request that is too far behind in the queue.
    fn admit(&self, before: u32) -> Result<(), Refused> {
        let Some(longest) = self.longest else { return Ok(()) };
        let held = Duration::from_micros(self.held.load(Ordering::Relaxed));
        let expected = held * (before + 1) / self.size;
        if expected > longest.max(held * TURNS) { Err(Refused::Overloaded(expected)) } else { Ok(()) }
    }

    /// A slot, as soon as one is free; they are given in the order of the calls.
    ///
    /// # Errors
    /// [`Refused::Overloaded`] at once, if the wait is expected to be too long; [`Refused::TimedOut`] when an admitted
    /// call has waited for `timeout`.
    pub async fn enter(self: &Arc<Self>, patience: Patience) -> Result<Slot, Refused> {
        let permit = match self.slots.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait(patience).await?,
        };
        Ok(Slot { gate: self.clone(), since: Instant::now(), _permit: permit })
    }

    async fn wait(&self, patience: Patience) -> Result<OwnedSemaphorePermit, Refused> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _place = Place(self);
        if patience == Patience::Request {
            self.admit(before)?;
        }
        let permit = tokio::time::timeout(self.timeout, self.slots.clone().acquire_owned()).await;
        permit.map_err(|_| Refused::TimedOut)?.map_err(|_| Refused::TimedOut)
    }
}

/// A place in the queue of a gate; given up when dropped.
struct Place<'a>(&'a Gate);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let took = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mean = |held: u64| Some(if held == 0 { took } else { held - held / WEIGHT + took / WEIGHT });
        // `Some` in each case, so it cannot fail
        let _ = self.gate.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(100);
    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A gate with one slot, which is taken and was held for this long on average.
    async fn busy(held: Duration) -> (Arc<Gate>, Slot) {
        let gate = Gate::new(1, LONGEST, TIMEOUT);
        let slot = gate.enter(Patience::Request).await.expect("free");
        gate.held.store(held.as_micros() as u64, Ordering::Relaxed);
        (gate, slot)
    }

    async fn join(gate: &Arc<Gate>, patience: Patience) -> tokio::task::JoinHandle<Result<(), Refused>> {
        let (gate, before) = (gate.clone(), gate.waiting());
        let entered = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(patience).await.map(drop) }
        });
        while gate.waiting() == before && !entered.is_finished() {
            tokio::task::yield_now().await;
        }
        entered
    }

    #[tokio::test]
    async fn what_would_wait_too_long_is_refused_at_once() {
        let (gate, slot) = busy(Duration::from_millis(20)).await;
        let mut admitted = vec![];
        for _ in 0..5 {
            admitted.push(join(&gate, Patience::Request).await);
        }
        assert_eq!(gate.waiting(), 5, "5 × 20 ms are 100 ms");
        assert!(matches!(gate.check(), Err(Refused::Overloaded(_))));
        let refused = gate.enter(Patience::Request).await.map(drop);
        assert!(matches!(refused, Err(Refused::Overloaded(wait)) if wait == Duration::from_millis(120)), "{refused:?}");
        let patient = join(&gate, Patience::Background).await;
        assert_eq!(gate.waiting(), 6);
        drop(slot);
        for entered in admitted.into_iter().chain([patient]) {
            entered.await.expect("no panic").expect("admitted");
        }
        assert_eq!(gate.waiting(), 0);
        gate.check().expect("free again");
    }

    #[tokio::test]
    async fn a_short_queue_of_slow_work_is_admitted() {
        let (gate, slot) = busy(Duration::from_secs(1)).await;
        let admitted = join(&gate, Patience::Request).await;
        assert_eq!(gate.waiting(), 1);
        drop(slot);
        admitted.await.expect("no panic").expect("admitted");
    }

    #[tokio::test]
    async fn mean_follows_the_work() {
        let gate = Gate::new(1, LONGEST, TIMEOUT);
        gate.held.store(10_000_000, Ordering::Relaxed);
        for _ in 0..200 {
            drop(gate.enter(Patience::Request).await.expect("free"));
        }
        assert!(gate.held.load(Ordering::Relaxed) < 1_000_000);
    }
}
