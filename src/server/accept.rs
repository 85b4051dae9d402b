//! The accept loop: hyper around the endpoint, with the limits that poem's own server does not have
//! (half-sent headers and unread answers would stay open for ever, and an accept error would spin).

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Request, Response};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::app::App;
use crate::server::connections::{Admitted, Connections};
use crate::server::stream::{Activity, Stream};

/// Pause after a failed accept, e.g. when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection without a request in work is watched before it is ended at the stop, twice: half-sent
/// headers would otherwise use up the whole grace time.
const QUIET: Duration = Duration::from_millis(100);

/// Pause between two looks at the requests in flight at the stop.
const IN_FLIGHT_PAUSE: Duration = Duration::from_millis(20);

/// Bytes of a request's line and headers at most.
const HEAD_BYTES: usize = 64 * 1024;

/// Header lines of a request at most.
const HEADERS: usize = 64;

/// Time for the head of a request in the reserve.
const RESERVE_HEADER_TIMEOUT: Duration = Duration::from_secs(2);

/// In the extensions of a request that came by a connection beyond the limits: it is refused.
#[derive(Debug, Clone, Copy)]
pub struct BeyondLimits;

/// Serves until `stop` resolves, then lets the requests in flight finish within the grace time.
pub async fn serve<E>(listener: TcpListener, endpoint: E, app: &App, stop: impl Future<Output = ()>) -> io::Result<()>
where
    E: Endpoint<Output = Response> + 'static,
{
    let config = &app.config;
    let endpoint = Arc::new(endpoint);
    let local = LocalAddr(listener.local_addr()?.into());
    let connections = Connections::new(config, app.metrics.clone());
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(config.header_timeout))
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES);
    let mut http_reserve = http.clone();
    let header_timeout = RESERVE_HEADER_TIMEOUT.min(Duration::from_secs(config.header_timeout));
    http_reserve.header_read_timeout(header_timeout).keep_alive(false);
    let stopping = watch::Sender::new(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Admitted { place, displaced } = connections.admit(remote.ip());
        let http = if place.is_reserve() { &http_reserve } else { &http };
        // small answers are not held back to be sent with later ones
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::default());
        let stream = Stream::new(stream, activity.clone(), Duration::from_secs(config.write_timeout));
        let (endpoint, local, counted, held) = (endpoint.clone(), local.clone(), activity.clone(), place.clone());
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut request = Request::from((request, local.clone(), RemoteAddr(remote.into()), Scheme::HTTP));
            if held.is_reserve() {
                match request.uri().path().starts_with("/health/") {
                    true => held.protect(),
                    false => _ = request.extensions_mut().insert(BeyondLimits),
                }
            }
            let (endpoint, counted) = (endpoint.clone(), counted.clone());
            async move {
                counted.requests.fetch_add(1, Ordering::AcqRel);
                let response = endpoint.call(request).await.unwrap_or_else(|error| error.into_response());
                counted.requests.fetch_sub(1, Ordering::AcqRel);
                Ok::<_, Infallible>(hyper::Response::from(response))
            }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        let mut stopping = stopping.subscribe();
        tokio::spawn(async move {
            let idle = async {
                // an error says that the loop has ended, which is the same
                let _ = stopping.wait_for(|stopping| *stopping).await;
                // twice, so that an answer just given to the connection is on its way
                let mut quiet = 0;
                while quiet < 2 {
                    tokio::time::sleep(QUIET).await;
                    quiet = if activity.is_idle() { quiet + 1 } else { 0 };
                }
            };
            tokio::select! {
                result = connection => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended early");
                    }
                }
                () = idle => {}
                () = closed_for_a_newer_one(displaced) => {}
            }
            drop(place);
        });
    }
    let _ = stopping.send(true);
    drop(listener);
    let grace = Duration::from_secs(config.grace);
    let finished = async {
        graceful.shutdown().await;
        // requests whose client has left have no connection any more
        while app.metrics.in_flight() > 0 {
            tokio::time::sleep(IN_FLIGHT_PAUSE).await;
        }
    };
    if tokio::time::timeout(grace, finished).await.is_err() {
        tracing::warn!(seconds = config.grace, "requests were still running at the end of the grace time");
    }
    Ok(())
}

/// Resolves when a connection of the reserve has lost its place.
async fn closed_for_a_newer_one(displaced: Option<oneshot::Receiver<()>>) {
    match displaced {
        Some(displaced) => _ = displaced.await,
        None => std::future::pending().await,
    }
}
