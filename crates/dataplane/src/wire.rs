//! One side of a connection: a stream, what was read of it and not yet used, and what is to be written to it.
//!
//! Reading and writing are separate polls over one value, so that both sides of a proxied exchange can move within
//! one task without splitting a stream.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep};

/// Room for the first read of a message: most heads fit.
const READ_BYTES: usize = 8 * 1024;
/// Room for reads of a peer that fills the first.
const READ_BYTES_BULK: usize = 64 * 1024;
/// No more is put into the output than this before some of it is gone.
pub(crate) const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// A stream with its buffers.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    input: Vec<u8>,
    start: usize,
    output: Vec<u8>,
    written: usize,
    /// Bytes written since the connection was made.
    sent: u64,
    read_bytes: usize,
}

/// Why nothing more comes or goes.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The time is over.
    Timeout,
    /// The other end has said that nothing more comes.
    Ended,
    /// The connection broke.
    Broken,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            input: Vec::new(),
            start: 0,
            output: Vec::new(),
            written: 0,
            sent: 0,
            read_bytes: READ_BYTES,
        }
    }

    /// The stream, and what was read of it and not used.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        let rest = self.input()[..].to_vec();
        (self.stream, rest)
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    /// What was read and not used.
    pub(crate) fn input(&self) -> &[u8] {
        &self.input[self.start..]
    }

    /// Uses up some of the input.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        debug_assert!(self.start <= self.input.len());
        if self.start == self.input.len() {
            self.input.clear();
            self.start = 0;
        }
    }

    /// Where to append what is to be written.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        if self.output.capacity() == 0 {
            self.output = spare::take();
        }
        &mut self.output
    }

    /// Bytes that are not yet written.
    pub(crate) fn pending(&self) -> usize {
        self.output.len() - self.written
    }

    /// Bytes written since the connection was made.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Reads some more. 0: nothing more will come.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.start > 0 {
            self.input.drain(..self.start);
            self.start = 0;
        }
        if self.input.capacity() == 0 {
            self.input = spare::take();
        }
        if self.input.capacity() - self.input.len() < self.read_bytes / 2 {
            self.input.reserve(self.read_bytes);
        }
        let room = self.input.capacity() - self.input.len();
        let read = pin!(self.stream.read_buf(&mut self.input)).poll(cx);
        if let Poll::Ready(Ok(bytes)) = read
            && bytes == room
        {
            self.read_bytes = READ_BYTES_BULK;
        }
        read
    }

    /// Writes all of the output.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.output.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.output[self.written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => {
                    self.written += bytes;
                    self.sent += bytes as u64;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    // Make room while waiting, so that appending does not grow it for ever.
                    if self.written > OUTPUT_BYTES_MAX {
                        self.output.drain(..self.written);
                        self.written = 0;
                    }
                    return Poll::Pending;
                }
            }
        }
        self.output.clear();
        self.written = 0;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Says that we write no more.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Reads some more before the timer is due.
    pub(crate) async fn fill(&mut self, timer: &mut Timer) -> Result<(), Lost> {
        poll_fn(|cx| match self.poll_fill(cx) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Lost::Ended)),
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(_)) => Poll::Ready(Err(Lost::Broken)),
            Poll::Pending => timer.poll(cx).map(|()| Err(Lost::Timeout)),
        })
        .await
    }

    /// Writes all of the output before the timer is due.
    pub(crate) async fn flush(&mut self, timer: &mut Timer) -> Result<(), Lost> {
        poll_fn(|cx| match self.poll_flush(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(_)) => Poll::Ready(Err(Lost::Broken)),
            Poll::Pending => timer.poll(cx).map(|()| Err(Lost::Timeout)),
        })
        .await
    }

    /// Whether nothing has come, as far as the runtime has heard; costs no system call.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.input().is_empty() && self.poll_fill(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Gives unused memory back while nothing moves.
    pub(crate) fn rest(&mut self) {
        if self.input.is_empty() {
            spare::give_back(std::mem::take(&mut self.input));
            self.read_bytes = READ_BYTES;
        }
        if self.output.is_empty() {
            spare::give_back(std::mem::take(&mut self.output));
        }
    }
}

/// Buffers of wires at rest, for those that wake: each request on a kept connection takes four.
mod spare {
    use std::cell::RefCell;

    use super::READ_BYTES;

    /// Half a mebibyte a thread.
    const KEPT_MAX: usize = 64;

    thread_local! {
        static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn take() -> Vec<u8> {
        KEPT.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(READ_BYTES))
    }

    pub(super) fn give_back(buffer: Vec<u8>) {
        debug_assert!(buffer.is_empty(), "a buffer at rest holds nothing");
        if buffer.capacity() == READ_BYTES {
            KEPT.with_borrow_mut(|kept| {
                if kept.len() < KEPT_MAX {
                    kept.push(buffer);
                }
            });
        }
    }
}

/// A time that moves with the exchange. One timer serves a whole connection, because what it waits for changes
/// several times in each request: a later time costs nothing until the earlier one has passed.
#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    due: Instant,
    armed: Instant,
}

impl Timer {
    pub(crate) fn new(after: Duration) -> Self {
        let due = Instant::now() + after;
        Self { sleep: Box::pin(tokio::time::sleep_until(due)), due, armed: due }
    }

    /// Sets it anew, from now.
    pub(crate) fn set(&mut self, after: Duration) {
        self.due = Instant::now() + after;
    }

    /// Sets it anew.
    pub(crate) fn set_at(&mut self, due: Instant) {
        self.due = due;
    }

    /// Ready once the time has come.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.armed > self.due {
            self.sleep.as_mut().reset(self.due);
            self.armed = self.due;
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= self.due {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.due);
            self.armed = self.due;
        }
        Poll::Pending
    }
}
