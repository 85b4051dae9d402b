//! Bytes of answers that wait for their clients to take them: bounded over all connections, at the expense of the
//! slowest.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::Response;
use hyper::body::Body;

use crate::app::metrics::Metrics;
use crate::server::stream::Activity;

/// Smaller answers are not counted: `max_connections` of them are not much.
const SMALL: u64 = 16 * 1024;

/// A connection that takes its answer within this time is never closed for others.
const FAIR: Duration = Duration::from_millis(250);

/// The longest wait of a response for other connections to be drained or closed, and the interval between two checks.
/// Longer than [`FAIR`], so that slow connections are closed meanwhile.
const WAIT: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(25);

/// Counts the bytes of all connections.
pub struct Unsent {
    limit: usize,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In all, without those of connections that are being closed.
    bytes: usize,
    /// By the address of their activity, which each of them holds.
    connections: HashMap<usize, Waiting>,
}

/// The bytes of one connection.
struct Waiting {
    activity: Arc<Activity>,
    bytes: usize,
    since: Instant,
    /// The bytes that the connection had sent before.
    sent: usize,
    is_cut: bool,
}

/// A counted answer; hyper drops it when its last byte is sent, or with the connection.
struct Held {
    bytes: Bytes,
    activity: Arc<Activity>,
    unsent: Arc<Unsent>,
}

impl Unsent {
    /// With this many bytes at most.
    pub fn new(limit: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { limit, metrics, state: Mutex::default() })
    }

    /// Counts an answer until it is sent. While there are too many bytes, closes the slowest connections, and lets the
    /// answer wait for a moment.
    pub async fn hold(self: &Arc<Self>, response: Response<BoxBody>, activity: &Arc<Activity>) -> Response<BoxBody> {
        let size = response.body().size_hint().exact();
        if size.is_none_or(|size| size < SMALL) {
            return response;
        }
        let (head, body) = response.into_parts();
        let bytes = match body.collect().await {
            Ok(body) => body.to_bytes(),
            // a body of known size is in memory already
            Err(error) => return Response::from_parts(head, failing(error)),
        };
        let bytes = self.hold_bytes(bytes, activity).await;
        Response::from_parts(head, BoxBody::new(Full::new(bytes).map_err(|never| match never {})))
    }

    async fn hold_bytes(self: &Arc<Self>, bytes: Bytes, activity: &Arc<Activity>) -> Bytes {
        // static pages have other owners: they take no memory of their own
        if !bytes.is_unique() {
            return bytes;
        }
        self.add(bytes.len(), activity);
        let held = Held { bytes, activity: activity.clone(), unsent: self.clone() };
        let began = Instant::now();
        while !self.make_room(activity, Instant::now()) && began.elapsed() < WAIT {
            tokio::time::sleep(PAUSE).await;
        }
        Bytes::from_owner(held)
    }

    fn add(&self, bytes: usize, activity: &Arc<Activity>) {
        let mut state = self.state();
        state.bytes += bytes;
        let waiting = state.connections.entry(key(activity)).or_insert_with(|| Waiting {
            activity: activity.clone(),
            bytes: 0,
            since: Instant::now(),
            sent: activity.sent.load(Ordering::Relaxed),
            is_cut: false,
        });
        waiting.bytes += bytes;
        self.metrics.unsent.set(i64::try_from(state.bytes).unwrap_or(i64::MAX));
    }

    /// Closes connections, the slowest first, until the bytes fit. Returns whether they do, or nobody else has any.
    fn make_room(&self, own: &Arc<Activity>, now: Instant) -> bool {
        let mut state = self.state();
        let own = key(own);
        while state.bytes > self.limit {
            let slowest = state.connections.iter().filter(|(key, waiting)| **key != own && waiting.may_be_cut(now));
            let slowest = slowest.min_by(|(_, a), (_, b)| a.speed(now).total_cmp(&b.speed(now)));
            let Some(key) = slowest.map(|(key, _)| *key) else {
                return state.connections.get(&own).is_some_and(|own| own.bytes == state.bytes);
            };
            let Some(waiting) = state.connections.get_mut(&key) else { return true };
            waiting.is_cut = true;
            waiting.activity.cut.notify_one();
            state.bytes -= waiting.bytes;
            self.metrics.connection_cut();
        }
        true
    }

    fn remove(&self, bytes: usize, activity: &Arc<Activity>) {
        let mut state = self.state();
        let Some(waiting) = state.connections.get_mut(&key(activity)) else { return };
        waiting.bytes -= bytes;
        let (is_cut, is_empty) = (waiting.is_cut, waiting.bytes == 0);
        if !is_cut {
            state.bytes -= bytes;
        }
        if is_empty {
            state.connections.remove(&key(activity));
        }
        self.metrics.unsent.set(i64::try_from(state.bytes).unwrap_or(i64::MAX));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer.
type BoxBody = http_body_util::combinators::BoxBody<Bytes, io::Error>;

/// A body that ends the connection.
fn failing(error: io::Error) -> BoxBody {
    BoxBody::new(Empty::new().map_err(|never| match never {}).with_trailers(std::future::ready(Some(Err(error)))))
}

fn key(activity: &Arc<Activity>) -> usize {
    Arc::as_ptr(activity).addr()
}

impl Waiting {
    /// The client has had its time, and does not take what is there for it.
    fn may_be_cut(&self, now: Instant) -> bool {
        !self.is_cut && self.activity.writing.load(Ordering::Acquire) && now.duration_since(self.since) >= FAIR
    }

    /// Bytes a second that the client has taken.
    fn speed(&self, now: Instant) -> f64 {
        let sent = self.activity.sent.load(Ordering::Relaxed) - self.sent;
        sent as f64 / now.duration_since(self.since).as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.unsent.remove(self.bytes.len(), &self.activity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unsent(limit: usize) -> Arc<Unsent> {
        Unsent::new(limit, Arc::new(Metrics::new(crate::app::now())))
    }

    /// A connection whose client has taken this much of its answer, and takes no more for now.
    async fn waiting(unsent: &Arc<Unsent>, bytes: usize, sent: usize) -> (Arc<Activity>, Bytes) {
        let activity = Arc::new(Activity::default());
        let held = unsent.hold_bytes(vec![0; bytes].into(), &activity).await;
        activity.sent.store(sent, Ordering::Relaxed);
        activity.writing.store(true, Ordering::Release);
        (activity, held)
    }

    fn is_cut(unsent: &Unsent, activity: &Arc<Activity>) -> bool {
        unsent.state().connections[&key(activity)].is_cut
    }

    #[tokio::test]
    async fn beyond_the_limit_the_slowest_are_cut_until_the_rest_fits() {
        let unsent = unsent(400_000);
        let began = Instant::now();
        let slow = waiting(&unsent, 100_000, 10).await;
        let slowest = waiting(&unsent, 100_000, 1).await;
        let fast = waiting(&unsent, 100_000, 50_000).await;
        let takes_all = waiting(&unsent, 50_000, 0).await;
        takes_all.0.writing.store(false, Ordering::Release);
        let own = Arc::new(Activity::default());
        unsent.add(150_001, &own);
        assert!(!unsent.make_room(&own, began), "each client has a fair time");
        assert!(unsent.make_room(&own, Instant::now() + FAIR));
        let cut = [&slow, &slowest, &fast, &takes_all].map(|(activity, _)| is_cut(&unsent, activity));
        assert_eq!(cut, [true, true, false, false]);
        assert_eq!(unsent.state().bytes, 300_001);
        slowest.0.cut.notified().await;
        drop((slow, slowest, fast, takes_all));
        assert_eq!(unsent.state().bytes, 150_001);
    }

    #[tokio::test]
    async fn one_answer_larger_than_the_limit_is_sent() {
        let unsent = unsent(20_000);
        let (activity, held) = waiting(&unsent, 1_000_000, 0).await;
        assert!(unsent.make_room(&activity, Instant::now() + FAIR) && !is_cut(&unsent, &activity));
        drop(held);
        assert!(unsent.state().connections.is_empty());
        // what others own too, and what is small, is not counted
        let page: Bytes = vec![0; 1_000_000].into();
        for bytes in [page.clone(), Bytes::from_static(&[0; 20_000]), vec![0; 10_000].into()] {
            let body = BoxBody::new(Full::new(bytes.clone()).map_err(|never| match never {}));
            let held = unsent.hold(Response::new(body), &activity).await;
            assert_eq!(held.body().size_hint().exact(), Some(bytes.len() as u64));
            assert!(unsent.state().connections.is_empty());
        }
        let body = BoxBody::new(Full::new(vec![0; 20_000].into()).map_err(|never| match never {}));
        let held = unsent.hold(Response::new(body), &activity).await;
        assert_eq!((held.body().size_hint().exact(), unsent.state().bytes), (Some(20_000), 20_000));
        drop(held);
        assert!(unsent.state().connections.is_empty());
    }
}
