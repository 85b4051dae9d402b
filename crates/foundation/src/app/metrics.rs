//! What operators measure, counted in memory since the start.
//!
//! Must never be: a label that a client can make up, or one that names a user.

use std::time::Duration;

use chrono::{DateTime, Utc};
use poem::http::Method;
use prometheus::core::Collector;
use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, proto,
};

use crate::declared;

/// Seconds by which durations are told apart: from a read to the longest time-out.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Methods that are told apart; a client may send any word.
const METHODS: &[Method] =
    &[Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// How a run of a task has ended.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    /// Well.
    Done,
    /// It will be tried again.
    Failed,
    /// It stays for a person to look at.
    Parked,
    /// The process stops; it is tried again.
    PutBack,
    /// It was cancelled, or another worker has it.
    Lost,
}

impl Outcome {
    const ALL: &[Self] = &[Self::Done, Self::Failed, Self::Parked, Self::PutBack, Self::Lost];

    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Parked => "parked",
            Self::PutBack => "put_back",
            Self::Lost => "lost",
        }
    }
}

/// Why a connection got no regular place, or lost its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// `max_connections` are open.
    Total,
    /// The address has `connections_per_address`.
    Address,
    /// A newer connection took its place in the reserve.
    Reserve,
}

impl Shed {
    const ALL: &[Self] = &[Self::Total, Self::Address, Self::Reserve];

    fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Address => "address",
            Self::Reserve => "reserve",
        }
    }
}

/// The name of a metric: that of the application, and what it counts.
fn metric(name: &str) -> String {
    format!("{}_{name}", declared::name())
}

/// The counters of this process.
pub struct Metrics {
    registry: Registry,
    in_flight: IntGauge,
    /// Open connections within the limits.
    pub connections: IntGauge,
    /// Bytes of answers that wait for their clients.
    pub unsent: IntGauge,
    cut: IntCounter,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    clients_left: IntCounter,
    shed: IntCounterVec,
    runs: IntCounterVec,
    run_seconds: HistogramVec,
}

/// Counts a request as being in work until it is dropped.
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// All at zero.
    pub fn new(started: DateTime<Utc>) -> Self {
        let registry = Registry::new();
        let start = Gauge::new("process_start_time_seconds", "When this process began, as seconds since 1970");
        let start = register(&registry, start);
        start.set(started.timestamp_micros() as f64 / 1e6);
        let requests = Opts::new(metric("http_requests_total"), "Requests that were answered");
        let request_seconds = HistogramOpts::new(metric("http_request_duration_seconds"), "From head to answer");
        let cut = "Connections closed because their clients took large answers too slowly";
        let left = format!(
            "Requests whose client left before the answer; they are counted in {}, too",
            metric("http_requests_total")
        );
        let shed = Opts::new(metric("connections_shed_total"), "Connections beyond a limit, by the limit");
        let shed = register(&registry, IntCounterVec::new(shed, &["limit"]));
        for reason in Shed::ALL {
            shed.with_label_values(&[reason.as_str()]);
        }
        let runs = Opts::new(metric("task_runs_total"), "Runs of tasks in this process, by how they have ended");
        let run_seconds = HistogramOpts::new(metric("task_duration_seconds"), "How long the runs of tasks took");
        Self {
            in_flight: register(&registry, IntGauge::new(metric("http_requests_in_flight"), "Requests in work")),
            connections: register(
                &registry,
                IntGauge::new(metric("connections"), "Open connections within the limits"),
            ),
            requests: register(&registry, IntCounterVec::new(requests, &["operation", "method", "status"])),
            request_seconds: register(
                &registry,
                HistogramVec::new(request_seconds.buckets(SECONDS.into()), &["operation"]),
            ),
            unsent: register(
                &registry,
                IntGauge::new(metric("unsent_bytes"), "Bytes of answers that wait for their clients"),
            ),
            cut: register(&registry, IntCounter::new(metric("connections_cut_total"), cut)),
            clients_left: register(&registry, IntCounter::new(metric("http_clients_left_total"), left)),
            shed,
            runs: register(&registry, IntCounterVec::new(runs, &["task", "outcome"])),
            run_seconds: register(&registry, HistogramVec::new(run_seconds.buckets(SECONDS.into()), &["task"])),
            registry,
        }
    }

    /// A request has come.
    pub fn request(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Requests in work, also those whose client has left.
    pub fn in_flight(&self) -> i64 {
        self.in_flight.get()
    }

    /// The client of a request left before its answer.
    pub fn client_left(&self) {
        self.clients_left.inc();
    }

    /// A request was answered. `operation` is one of those that are served, never what a client has sent.
    pub fn answered(&self, operation: &str, method: &Method, status: u16, took: Duration) {
        let method = if METHODS.contains(method) { method.as_str() } else { "other" };
        self.requests.with_label_values(&[operation, method, &status.to_string()]).inc();
        self.request_seconds.with_label_values(&[operation]).observe(took.as_secs_f64());
    }

    /// A connection was accepted beyond a limit, or closed for a newer one.
    pub fn connection_shed(&self, reason: Shed) {
        self.shed.with_label_values(&[reason.as_str()]).inc();
    }

    /// A connection was closed because others needed its memory.
    pub fn connection_cut(&self) {
        self.cut.inc();
    }

    /// A task may run here: its counters begin at zero, for a rise from nothing to one is no rise to who watches them.
    pub fn expect(&self, task: &str) {
        for outcome in Outcome::ALL {
            self.runs.with_label_values(&[task, outcome.as_str()]);
        }
    }

    /// A run of a task has ended.
    pub fn ran(&self, task: &str, outcome: Outcome, took: Duration) {
        self.runs.with_label_values(&[task, outcome.as_str()]).inc();
        self.run_seconds.with_label_values(&[task]).observe(took.as_secs_f64());
    }

    /// Everything that was counted.
    pub fn gather(&self) -> Vec<proto::MetricFamily> {
        self.registry.gather()
    }
}

/// Numbers that are as they are at this moment, put together for one answer.
#[derive(Default)]
pub struct Moment(Registry);

impl Moment {
    /// A number with labels, whose name follows that of the application: each of `values` has one value for each label.
    pub fn gauges<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        values: impl IntoIterator<Item = ([String; N], i64)>,
    ) {
        let gauges = register(&self.0, IntGaugeVec::new(Opts::new(metric(name), help), &labels));
        for (labels, value) in values {
            gauges.with_label_values(&labels).set(value);
        }
    }

    /// A number that only grows.
    pub fn counter(&self, name: &str, help: &str, value: u64) {
        register(&self.0, IntCounter::new(metric(name), help)).inc_by(value);
    }

    /// All of them.
    pub fn gather(&self) -> Vec<proto::MetricFamily> {
        self.0.gather()
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: prometheus::Result<C>) -> C {
    let collector = collector.expect("names are well formed");
    registry.register(Box::new(collector.clone())).expect("each name is given once");
    collector
}
