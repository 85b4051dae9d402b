//! The accept loop: hyper around the endpoint, with the limits that poem's own server does not have
//! (half-sent headers and unread answers would stay open for ever, and an accept error would spin).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::http::uri::Scheme;
use poem::http::{HeaderValue, header};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::app::App;
use crate::server::connections::{Admitted, Connections};
use crate::server::stream::{Activity, Patience, Stream};
use crate::server::unsent::Unsent;

/// Pause after a failed accept, e.g. when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The interval at which a connection is looked at during the stop; it is closed after two without a request: idle connections
/// and half-sent headers would otherwise use up the whole grace time.
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
///
/// # Errors
/// The thread that accepts connections cannot start, or has ended.
pub async fn serve<E>(listener: TcpListener, endpoint: E, app: &App, stop: impl Future<Output = ()>) -> io::Result<()>
where
    E: Endpoint<Output = Response> + 'static,
{
    let local = LocalAddr(listener.local_addr()?.into());
    let listener = listener.into_std()?;
    let server = Arc::new(Server::new(endpoint, app, local));
    let (stop_accepting, stopped) = oneshot::channel();
    let (closed, mut listener_closed) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let acceptor = Acceptor { listener, server: server.clone(), stopped, closed, ended };
    let accepting = std::thread::Builder::new().name("accept".into()).spawn(|| acceptor.run())?;
    tokio::select! {
        () = stop => {
            drop(stop_accepting);
            let _ = (&mut listener_closed).await;
        }
        _ = &mut listener_closed => {}
    }
    let finished = async {
        let _ = server.closing.send(true);
        server.closing.closed().await;
        // requests whose client has left have no connection any more
        while app.metrics.in_flight() > 0 {
            tokio::time::sleep(IN_FLIGHT_PAUSE).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(app.config.server.grace), finished).await.is_err() {
        tracing::warn!(seconds = app.config.server.grace, "requests were still running at the end of the grace time");
    }
    drop(end);
    accepting.join().unwrap_or_else(|_| Err(io::Error::other("the thread that accepts connections panicked")))
}

/// Accepts connections, and serves those in the reserve, in a thread of its own: while the other threads have more to do
/// than they can, new connections are still accepted, and refused or answered.
struct Acceptor<E> {
    listener: std::net::TcpListener,
    server: Arc<Server<E>>,
    /// Ends when no more connections are to be accepted.
    stopped: oneshot::Receiver<()>,
    /// Dropped when the listener is closed.
    closed: oneshot::Sender<()>,
    /// Ends when the connections that are still open are not to be served any longer.
    ended: oneshot::Receiver<()>,
}

impl<E: Endpoint<Output = Response> + 'static> Acceptor<E> {
    fn run(self) -> io::Result<()> {
        let Self { listener, server, stopped, closed, ended } = self;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            let accepting = async {
                loop {
                    match listener.accept().await {
                        Ok((stream, remote)) => {
                            server.take(stream, remote);
                            // the connections of the reserve first: more of them would only displace each other
                            tokio::task::yield_now().await;
                        }
                        Err(error) => {
                            tracing::warn!(%error, "cannot accept a connection");
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                        }
                    }
                }
            };
            tokio::select! {
                () = accepting => {}
                _ = stopped => {}
            }
            // those that the kernel has accepted already would be reset when the listener closes
            while let Some(Ok((stream, remote))) = listener.accept().now_or_never() {
                server.take(stream, remote);
            }
            drop(listener);
            drop(closed);
            let _ = ended.await;
            Ok(())
        })
    }
}

/// The state that all connections share.
struct Server<E> {
    endpoint: Arc<E>,
    app: App,
    local: LocalAddr,
    connections: Arc<Connections>,
    unsent: Arc<Unsent>,
    http: http1::Builder,
    /// Runs the connections within the limits, and all requests.
    requests: Handle,
    /// `true` when idle connections are to be closed. Each connection holds a receiver until it ends.
    closing: watch::Sender<bool>,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    fn new(endpoint: E, app: &App, local: LocalAddr) -> Self {
        let config = &app.config;
        let mut http = http1::Builder::new();
        // from the end of an answer to the end of the next head; `Stream` has the limit for heads alone
        let next_request = config.server.idle_timeout.max(config.server.header_timeout);
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(next_request))
            .max_headers(HEADERS)
            .max_buf_size(HEAD_BYTES);
        Self {
            endpoint: Arc::new(endpoint),
            app: app.clone(),
            local,
            connections: Connections::new(config, app.metrics.clone()),
            unsent: Unsent::new(config.server.max_unsent, app.metrics.clone()),
            http,
            requests: Handle::current(),
            closing: watch::Sender::new(false),
        }
    }

    /// Serves a new connection in a task of its own.
    fn take(&self, stream: TcpStream, remote: SocketAddr) {
        // small answers are not held back to be sent with later ones
        let _ = stream.set_nodelay(true);
        // it is polled by the runtime that serves it
        let Ok(stream) = stream.into_std() else { return };
        let Admitted { place, displaced } = self.connections.admit(remote.ip());
        let mut http = self.http.clone();
        let mut patience = Patience {
            head: Duration::from_secs(self.app.config.server.header_timeout),
            write: Duration::from_secs(self.app.config.server.write_timeout),
        };
        if place.is_reserve() {
            http.keep_alive(false);
            patience.head = patience.head.min(RESERVE_HEADER_TIMEOUT);
        }
        let runtime = if place.is_reserve() { Handle::current() } else { self.requests.clone() };
        let activity = Arc::new(Activity::default());
        let (endpoint, app, local) = (self.endpoint.clone(), self.app.clone(), self.local.clone());
        let (unsent, counted, held) = (self.unsent.clone(), activity.clone(), place.clone());
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            counted.heads.fetch_add(1, Ordering::AcqRel);
            counted.requests.fetch_add(1, Ordering::AcqRel);
            let mut request = Request::from((request, local.clone(), RemoteAddr(remote.into()), Scheme::HTTP));
            if held.is_reserve() {
                match request.uri().path().starts_with("/health/") {
                    true => held.protect(),
                    false => _ = request.extensions_mut().insert(BeyondLimits),
                }
            }
            let (endpoint, app) = (endpoint.clone(), app.clone());
            let (unsent, counted) = (unsent.clone(), counted.clone());
            async move {
                let mut response = endpoint.call(request).await.unwrap_or_else(|error| error.into_response());
                if app.is_stopping() {
                    // the client opens its next connection elsewhere
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                let response = unsent.hold(response.into(), &counted).await;
                counted.requests.fetch_sub(1, Ordering::AcqRel);
                Ok::<_, Infallible>(response)
            }
        });
        let mut closing = self.closing.subscribe();
        runtime.spawn(async move {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            let stream = Stream::new(stream, activity.clone(), patience);
            let connection = http.serve_connection(TokioIo::new(stream), service);
            let idle = async {
                // an error says that the server has ended, which is the same
                let _ = closing.wait_for(|closing| *closing).await;
                // twice, so that a request that is on its way is answered
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
                () = activity.cut.notified() => {}
                () = closed_for_a_newer_one(displaced) => {}
            }
            drop(place);
        });
    }
}

/// Resolves when a connection of the reserve has lost its place.
async fn closed_for_a_newer_one(displaced: Option<oneshot::Receiver<()>>) {
    match displaced {
        Some(displaced) => _ = displaced.await,
        None => std::future::pending().await,
    }
}
