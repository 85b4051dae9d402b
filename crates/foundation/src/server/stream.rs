//! A connection that a slow client cannot hold for ever, and that tells whether it is in the middle of something.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// What a connection is doing.
#[derive(Default)]
pub struct Activity {
    /// Requests being answered.
    pub requests: AtomicUsize,
    /// Requests whose head has arrived, since the connection was opened.
    pub heads: AtomicUsize,
    /// Bytes are waiting for the client to take them.
    pub writing: AtomicBool,
    /// Bytes that were sent.
    pub sent: AtomicUsize,
    /// Notified when the connection must end, because others need its memory.
    pub cut: Notify,
}

impl Activity {
    /// Nothing of a whole request would be lost if it ended now.
    pub fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Acquire) == 0 && !self.writing.load(Ordering::Acquire)
    }
}

/// The time-outs for a client.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To send the head of a request, from its first byte on; that of the first request from the connection on.
    pub head: Duration,
    /// To take a part of an answer.
    pub write: Duration,
}

/// A TCP stream with the limits that hyper lacks: a write fails when the client takes nothing for some time, and a read
/// when a head has begun and does not end. hyper's own limit for heads also ends connections that wait for their next
/// request, which may take much longer.
pub struct Stream {
    inner: TcpStream,
    activity: Arc<Activity>,
    patience: Patience,
    writing: Option<Pin<Box<Sleep>>>,
    head: Option<Head>,
}

/// A head that has begun to arrive.
struct Head {
    /// The number of heads that had arrived before: the head has ended when there are more.
    before: usize,
    began: Instant,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Head {
    fn new(before: usize) -> Self {
        Self { before, began: Instant::now(), deadline: None }
    }
}

impl Stream {
    /// Watches `inner`.
    pub fn new(inner: TcpStream, activity: Arc<Activity>, patience: Patience) -> Self {
        Self { inner, activity, patience, writing: None, head: Some(Head::new(0)) }
    }

    /// Notes whether a head is arriving, and ends the read of one that takes too long.
    fn watch_head(&mut self, context: &mut Context<'_>, bytes: usize) -> Poll<io::Result<()>> {
        let heads = self.activity.heads.load(Ordering::Acquire);
        if self.head.as_ref().is_some_and(|head| head.before != heads) {
            self.head = None;
        }
        if bytes > 0 {
            if self.head.is_none() && self.activity.requests.load(Ordering::Acquire) == 0 {
                self.head = Some(Head::new(heads));
            }
            return Poll::Pending;
        }
        let Some(Head { began, deadline, .. }) = &mut self.head else { return Poll::Pending };
        let end = *began + self.patience.head;
        let deadline = deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Notes whether a write went on, and ends one that has not for too long.
    fn watch(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.writing.store(written.is_pending(), Ordering::Release);
        if let Poll::Ready(Ok(bytes)) = written {
            self.activity.sent.fetch_add(bytes, Ordering::Relaxed);
        }
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let patience = self.patience.write;
        let deadline = self.writing.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        let watched = self.watch_head(context, buffer.filled().len() - before);
        if read.is_ready() { read } else { watched }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const SHORT: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(600);

    /// A client, and its connection to a server with this patience.
    async fn connection(patience: Patience) -> (TcpStream, Stream, Arc<Activity>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let activity = Arc::new(Activity::default());
        let stream = Stream::new(accepted.expect("accepts").0, activity.clone(), patience);
        (client.expect("connects"), stream, activity)
    }

    #[tokio::test]
    async fn a_write_that_nobody_takes_ends() {
        let (_client, mut stream, activity) = connection(Patience { head: LONG, write: SHORT }).await;
        assert!(activity.is_idle());
        // more than any socket buffer holds
        let error = stream.write_all(&vec![0; 64 << 20]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_is_not_waited_for_but_a_next_request_is() {
        let (_client, mut stream, _activity) = connection(Patience { head: SHORT, write: LONG }).await;
        let mut bytes = [0; 10];
        let error = stream.read(&mut bytes).await.expect_err("there is no first request");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let (mut client, mut stream, activity) = connection(Patience { head: SHORT, write: LONG }).await;
        client.write_all(b"a head").await.expect("sends");
        assert_eq!(stream.read(&mut bytes).await.expect("reads"), 6);
        activity.heads.store(1, Ordering::Release);
        let waits = tokio::time::timeout(SHORT * 5, stream.read(&mut bytes)).await;
        assert!(waits.is_err(), "an idle connection ends: {waits:?}");

        client.write_all(b"half").await.expect("sends");
        assert_eq!(stream.read(&mut bytes).await.expect("reads"), 4);
        let error = stream.read(&mut bytes).await.expect_err("the head does not end");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
