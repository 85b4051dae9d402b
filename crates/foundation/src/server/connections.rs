//! Which connections are served: so many in all, so many of one client address, and a reserve beyond both limits that
//! answers health probes and tells everybody else to come back later.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::oneshot;

use crate::app::metrics::{Metrics, Shed};
use crate::config::Config;
use crate::http::client::ClientAddress;

/// Connections beyond the limits that are open at once. A newer one closes the oldest, so silent clients cannot fill the
/// reserve: a probe needs its place for as long as its request takes to arrive.
pub const RESERVE: usize = 256;

/// Health probes in work in the reserve that a newer connection does not close.
const PROBES: usize = 64;

/// Pause between two warnings about the same limit.
const WARNING_PAUSE: Duration = Duration::from_secs(60);

/// Counts open connections and decides about new ones.
pub struct Connections {
    limit: usize,
    /// 0 is no limit.
    per_address: usize,
    proxies: Vec<IpNet>,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: usize,
    by_address: HashMap<IpAddr, usize>,
    next_id: u64,
    /// Connections of the reserve that a newer one may close, the oldest first. Dropping a sender closes its connection.
    reserve: BTreeMap<u64, oneshot::Sender<()>>,
    probes: usize,
    warned: [Option<Instant>; 2],
}

/// The place of an open connection, free again when dropped.
pub struct Place {
    connections: Arc<Connections>,
    kind: Kind,
}

enum Kind {
    /// Within the limits; the address that it counts for, if it counts for one.
    Regular(Option<IpAddr>),
    /// In the reserve; of a probe in work, what keeps its connection open.
    Reserve { id: u64, probe: Mutex<Option<oneshot::Sender<()>>> },
}

/// The admission of a new connection.
pub struct Admitted {
    /// Its place.
    pub place: Arc<Place>,
    /// In the reserve: resolves when a newer connection needs the place.
    pub displaced: Option<oneshot::Receiver<()>>,
}

impl Connections {
    /// With the limits of the settings.
    pub fn new(config: &Config, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            limit: config.server.max_connections,
            per_address: config.server.connections_per_address,
            proxies: config.server.trusted_proxies(),
            metrics,
            state: Mutex::default(),
        })
    }

    /// Gives a new connection a regular place if the limits allow it, otherwise one in the reserve.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Admitted {
        let peer = peer.to_canonical();
        let is_counted = self.per_address > 0 && !self.proxies.iter().any(|proxy| proxy.contains(&peer));
        let address = is_counted.then(|| ClientAddress(peer).network());
        let mut state = self.state();
        let of_address = address.map_or(0, |address| state.by_address.get(&address).copied().unwrap_or(0));
        let exceeded = if state.open >= self.limit {
            Some(Shed::Total)
        } else {
            (is_counted && of_address >= self.per_address).then_some(Shed::Address)
        };
        let Some(reason) = exceeded else {
            state.open += 1;
            self.metrics.connections.inc();
            if let Some(address) = address {
                *state.by_address.entry(address).or_default() += 1;
            }
            return Admitted { place: self.place(Kind::Regular(address)), displaced: None };
        };
        self.metrics.connection_shed(reason);
        state.warn(reason, peer, self);
        if state.reserve.len() >= RESERVE {
            self.metrics.connection_shed(Shed::Reserve);
            state.reserve.pop_first();
        }
        let (id, (keep, displaced)) = (state.next_id, oneshot::channel());
        state.next_id += 1;
        state.reserve.insert(id, keep);
        let kind = Kind::Reserve { id, probe: Mutex::default() };
        Admitted { place: self.place(kind), displaced: Some(displaced) }
    }

    fn place(self: &Arc<Self>, kind: Kind) -> Arc<Place> {
        Arc::new(Place { connections: self.clone(), kind })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn warn(&mut self, reason: Shed, peer: IpAddr, limits: &Connections) {
        let warned = &mut self.warned[usize::from(reason == Shed::Address)];
        if warned.is_some_and(|at| at.elapsed() < WARNING_PAUSE) {
            return;
        }
        *warned = Some(Instant::now());
        match reason {
            Shed::Address => tracing::warn!(
                client = %peer,
                connections_per_address = limits.per_address,
                "an address has as many connections as it may; its further requests get 503. If it is a proxy, add it to \
                 trusted_proxies"
            ),
            Shed::Total | Shed::Reserve => tracing::warn!(
                max_connections = limits.limit,
                "all connections are in use; further requests get 503, except health probes"
            ),
        }
    }
}

impl Place {
    /// Returns whether the connection is beyond the limits, so that only health probes are answered.
    pub fn is_reserve(&self) -> bool {
        matches!(self.kind, Kind::Reserve { .. })
    }

    /// A health probe has arrived in the reserve: newer connections no longer close this one, unless too many probes are
    /// in work.
    pub fn protect(&self) {
        let Kind::Reserve { id, probe } = &self.kind else { return };
        let mut state = self.connections.state();
        if state.probes >= PROBES {
            return;
        }
        let Some(keep) = state.reserve.remove(id) else { return };
        state.probes += 1;
        *probe.lock().unwrap_or_else(PoisonError::into_inner) = Some(keep);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        match &mut self.kind {
            Kind::Regular(address) => {
                state.open -= 1;
                self.connections.metrics.connections.dec();
                let Some(address) = address else { return };
                if let Some(open) = state.by_address.get_mut(address) {
                    *open -= 1;
                    if *open == 0 {
                        state.by_address.remove(address);
                    }
                }
            }
            Kind::Reserve { id, probe } => {
                state.reserve.remove(id);
                if probe.get_mut().unwrap_or_else(PoisonError::into_inner).is_some() {
                    state.probes -= 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(limit: usize, per_address: usize) -> Arc<Connections> {
        Arc::new(Connections {
            limit,
            per_address,
            proxies: vec!["10.0.0.0/8".parse().expect("a network")],
            metrics: Arc::new(Metrics::new(crate::app::now())),
            state: Mutex::default(),
        })
    }

    fn admit(connections: &Arc<Connections>, address: &str) -> Admitted {
        connections.admit(address.parse().expect("an address"))
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let connections = connections(3, 2);
        let [first, _second] = ["2001:db8::1", "2001:db8::2"].map(|address| admit(&connections, address));
        assert!(admit(&connections, "2001:db8::3").place.is_reserve(), "a network of 64 bits is one address");
        let _other = admit(&connections, "::ffff:192.0.2.1");
        assert_eq!(connections.state().open, 3);
        assert!(admit(&connections, "192.0.2.2").place.is_reserve());
        drop(first);
        assert!(!admit(&connections, "2001:db8::3").place.is_reserve());
        assert_eq!(connections.state().open, 2);
        assert_eq!(connections.state().by_address.len(), 2, "addresses without connections are forgotten");
    }

    #[test]
    fn trusted_proxies_count_only_towards_the_total() {
        let connections = connections(5, 1);
        let admitted: Vec<_> = (0..6).map(|_| admit(&connections, "10.0.0.7")).collect();
        assert_eq!(admitted.iter().filter(|admitted| admitted.place.is_reserve()).count(), 1);
    }

    #[test]
    fn a_full_reserve_closes_its_oldest_connection_but_no_probe() {
        let connections = connections(0, 0);
        let mut reserve: Vec<_> = (0..RESERVE).map(|_| admit(&connections, "192.0.2.1")).collect();
        reserve[0].place.protect();
        let mut is_closed = |index: usize| {
            let displaced = reserve[index].displaced.as_mut().expect("it is in the reserve");
            displaced.try_recv() == Err(oneshot::error::TryRecvError::Closed)
        };
        // the probe has left one place
        let _newer = [(); 2].map(|()| admit(&connections, "192.0.2.2"));
        assert!(!is_closed(0) && is_closed(1) && !is_closed(2));
        drop(reserve);
        let state = connections.state();
        assert_eq!((state.reserve.len(), state.probes), (2, 0));
    }
}
