//! Answers that are ready together go together.
//!
//! Envoy asks for a burst of requests at once, on one connection. Written as each is ready, answers are a system call each,
//! and each wakes Envoy. A flush therefore waits for one turn of the scheduler: tasks that were ready before it run first,
//! and what they answer is written with it. Where nothing else is ready, that turn is over at once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// More is not held back.
const HELD_BYTES_MAX: usize = 64 * 1024;
/// Room that is kept between bursts.
const KEPT_BYTES_MAX: usize = 8 * 1024;

/// A connection whose writes are gathered.
#[derive(Debug)]
pub(super) struct Gathered<S> {
    stream: S,
    held: Vec<u8>,
    /// Of what is held, so much is written.
    written: usize,
    /// A flush has waited for its turn.
    has_waited: bool,
}

impl<S> Gathered<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, held: Vec::new(), written: 0, has_waited: false }
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    /// Writes all that is held.
    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.held.len() {
            let left = &self.held[self.written..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        self.written = 0;
        self.held.clear();
        self.held.shrink_to(KEPT_BYTES_MAX);
        self.has_waited = false;
        Poll::Ready(Ok(()))
    }

    /// Room for more, in bytes; never none.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.held.len() >= HELD_BYTES_MAX {
            ready!(self.poll_write_out(cx))?;
        }
        Poll::Ready(Ok(HELD_BYTES_MAX - self.held.len()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let room = ready!(this.poll_room(cx))?;
        let mut left = room;
        for slice in slices {
            let taken = slice.len().min(left);
            this.held.extend_from_slice(&slice[..taken]);
            left -= taken;
        }
        Poll::Ready(Ok(room - left))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.held.is_empty() {
            if !this.has_waited {
                this.has_waited = true;
                // A task that wakes itself comes after those that are ready.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready!(this.poll_write_out(cx))?;
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_write_out(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl<S> Connected for Gathered<S> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Takes at most so many bytes at a time, and lets every other call wait.
    #[derive(Debug, Default)]
    struct Slow {
        at_most: usize,
        lets_wait: bool,
        calls: usize,
        got: Vec<u8>,
        is_shut: bool,
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.calls += 1;
            if self.lets_wait && self.calls % 2 == 1 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let taken = bytes.len().min(self.at_most);
            self.got.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.is_shut = true;
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_is_written_before_a_flush_has_waited_goes_with_it() {
        let mut gathered = Gathered::new(Slow { at_most: usize::MAX, ..Slow::default() });
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut pinned = Pin::new(&mut gathered);
        assert!(matches!(pinned.as_mut().poll_write(&mut cx, b"one "), Poll::Ready(Ok(4))));
        assert!(pinned.as_mut().poll_flush(&mut cx).is_pending());
        assert!(matches!(pinned.as_mut().poll_write(&mut cx, b"two"), Poll::Ready(Ok(3))));
        assert!(pinned.as_mut().poll_flush(&mut cx).is_ready());
        assert_eq!((pinned.stream.calls, &pinned.stream.got[..]), (1, &b"one two"[..]));
        // Nothing is held: a flush has nothing to wait for.
        assert!(pinned.as_mut().poll_flush(&mut cx).is_ready());
    }

    proptest! {
        #[test]
        fn every_byte_arrives_once_and_in_order(
            pieces in prop::collection::vec((0..100_000usize, any::<bool>()), 0..12),
            at_most in 1..200_000usize,
            lets_wait: bool,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let at_most = at_most.max(500);
            let mut gathered = Gathered::new(Slow { at_most, lets_wait, ..Slow::default() });
            let mut expected = Vec::new();
            runtime.block_on(async {
                for (length, flushes) in pieces {
                    let piece: Vec<u8> = (0..length).map(|at| (at * 31 % 251) as u8).collect();
                    expected.extend_from_slice(&piece);
                    gathered.write_all(&piece).await.unwrap();
                    prop_assert!(gathered.held.len() <= HELD_BYTES_MAX);
                    if flushes {
                        gathered.flush().await.unwrap();
                        prop_assert_eq!(&gathered.stream.got, &expected);
                    }
                }
                gathered.shutdown().await.unwrap();
                Ok(())
            })?;
            prop_assert!(gathered.stream.is_shut);
            prop_assert_eq!(gathered.stream.got, expected);
        }
    }
}
