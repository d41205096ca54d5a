//! Looks at the frames of a connection as they pass: counts what is reset and why, and notices who floods.
//!
//! Only frame headers and the first bytes of a payload are read; nothing is changed. A client that earns no answers
//! with its frames runs out of tokens. Then nothing more is read of it, and the connection is ended by whoever serves it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::metrics::{Http2Abuse, Http2Counts};
use crate::settings::{Http2Limits, Plane};

/// A stream whose frames are looked at.
pub(super) struct Metered<S> {
    stream: S,
    incoming: Scanner,
    outgoing: Scanner,
    plane: Arc<Plane>,
    signs: Arc<Signs>,
    limits: Http2Limits,
    control: Bucket,
    resets: Bucket,
    small_windows: Bucket,
}

/// What who serves the connection is told of its frames.
#[derive(Debug)]
pub(super) struct Signs {
    began: Instant,
    /// 0: none; else one more than the kind's number.
    abuse: AtomicU8,
    /// Since when, in milliseconds after the beginning plus one, the client takes nothing; 0: it does.
    stuck: AtomicU64,
}

impl Signs {
    fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), abuse: AtomicU8::new(0), stuck: AtomicU64::new(0) })
    }

    /// What the client floods us with.
    pub(super) fn abuse(&self) -> Option<Http2Abuse> {
        let number = usize::from(self.abuse.load(Ordering::Relaxed));
        number.checked_sub(1).and_then(|number| Http2Abuse::ALL.get(number).copied())
    }

    /// Since when the client takes nothing of what we send.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        let millis = self.stuck.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.began + Duration::from_millis(millis))
    }

    fn wrote(&self, ready: bool) {
        let stuck = self.stuck.load(Ordering::Relaxed) > 0;
        if ready && stuck {
            self.stuck.store(0, Ordering::Relaxed);
        } else if !ready && !stuck {
            let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
            self.stuck.store(millis + 1, Ordering::Relaxed);
        }
    }
}

impl<S> Metered<S> {
    /// `server`: the other end is a client, which begins with the preface.
    pub(super) fn new(stream: S, limits: Http2Limits, plane: Arc<Plane>) -> (Self, Arc<Signs>) {
        let signs = Signs::new();
        let metered = Self {
            stream,
            incoming: Scanner::after(PREFACE_BYTES),
            outgoing: Scanner::after(0),
            plane,
            signs: signs.clone(),
            control: Bucket::new(limits.control_burst, limits.control_per_second),
            resets: Bucket::new(limits.resets_burst, limits.resets_per_second),
            small_windows: Bucket::new(limits.control_burst, limits.control_per_second),
            limits,
        };
        (metered, signs)
    }

    fn look(&mut self, bytes: &[u8]) {
        let Self { incoming, plane, signs, control, resets, small_windows, .. } = self;
        let counts = &plane.metrics.http2;
        let limits = &self.limits;
        incoming.scan(bytes, &mut |frame| {
            let abuse = match frame.kind {
                // Work that was asked for pays for a few frames that steer it.
                HEADERS => {
                    control.earn(4);
                    None
                }
                DATA if frame.length > 0 => {
                    control.earn(2);
                    None
                }
                RST_STREAM => {
                    Http2Counts::one(&counts.resets_received, frame.code(0));
                    (!resets.take()).then_some(Http2Abuse::RapidReset)
                }
                WINDOW_UPDATE if u64::from(frame.code(0)) < limits.window_update_min => {
                    (!small_windows.take()).then_some(Http2Abuse::TinyWindows)
                }
                GOAWAY => {
                    Http2Counts::one(&counts.goaways_received, frame.code(4));
                    (!control.take()).then_some(Http2Abuse::ControlFlood)
                }
                _ => (!control.take()).then_some(Http2Abuse::ControlFlood),
            };
            if let Some(abuse) = abuse {
                signs.abuse.store(abuse as u8 + 1, Ordering::Relaxed);
            }
        });
    }

    fn look_outgoing(&mut self, bytes: &[u8]) {
        let Self { outgoing, plane, control, .. } = self;
        let counts = &plane.metrics.http2;
        outgoing.scan(bytes, &mut |frame| match frame.kind {
            // Who takes data says how much more it takes.
            DATA => control.earn(2),
            RST_STREAM => Http2Counts::one(&counts.resets_sent, frame.code(0)),
            GOAWAY => Http2Counts::one(&counts.goaways_sent, frame.code(4)),
            _ => {}
        });
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.signs.abuse().is_some() {
            // Who serves the connection has to see it, and is polled after this.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, into);
        if matches!(read, Poll::Ready(Ok(()))) {
            this.look(&into.filled()[before..]);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.signs.wrote(written.is_ready());
        if let Poll::Ready(Ok(count)) = written {
            this.look_outgoing(&bytes[..count]);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, pieces);
        this.signs.wrote(written.is_ready());
        if let Poll::Ready(Ok(mut count)) = written {
            for piece in pieces {
                let part = piece.len().min(count);
                this.look_outgoing(&piece[..part]);
                count -= part;
            }
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

const PREFACE_BYTES: usize = 24;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// Finds frames in bytes that come in any pieces.
#[derive(Debug)]
struct Scanner {
    /// Bytes that are of no interest.
    skip: usize,
    /// A frame's header and the beginning of its payload.
    seen: [u8; 17],
    have: usize,
}

/// The beginning of a frame.
struct Frame<'s> {
    kind: u8,
    /// Of its payload, in bytes.
    length: usize,
    payload: &'s [u8],
}

impl Frame<'_> {
    /// The number at an offset of the payload; 0 where there is none.
    fn code(&self, at: usize) -> u32 {
        let bytes = self.payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    }
}

impl Scanner {
    fn after(skip: usize) -> Self {
        Self { skip, seen: [0; 17], have: 0 }
    }

    fn scan(&mut self, mut bytes: &[u8], take: &mut dyn FnMut(&Frame<'_>)) {
        const HEAD: usize = 9;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let length = |seen: &[u8; 17]| {
                usize::from(seen[0]) << 16 | usize::from(seen[1]) << 8 | usize::from(seen[2])
            };
            while self.skip == 0 && !bytes.is_empty() {
                let wanted = if self.have < HEAD { HEAD } else { HEAD + length(&self.seen).min(8) };
                let part = (wanted - self.have).min(bytes.len());
                self.seen[self.have..self.have + part].copy_from_slice(&bytes[..part]);
                self.have += part;
                bytes = &bytes[part..];
                if self.have < HEAD {
                    continue;
                }
                let length = length(&self.seen);
                let known = length.min(8);
                if self.have == HEAD + known {
                    take(&Frame { kind: self.seen[3], length, payload: &self.seen[HEAD..HEAD + known] });
                    self.skip = length - known;
                    self.have = 0;
                }
            }
        }
    }
}

/// Tokens that are spent at once and come back in time.
#[derive(Debug)]
struct Bucket {
    left: u32,
    burst: u32,
    per_second: u32,
    filled: Instant,
}

impl Bucket {
    fn new(burst: u32, per_second: u32) -> Self {
        Self { left: burst, burst, per_second, filled: Instant::now() }
    }

    fn earn(&mut self, tokens: u32) {
        self.left = self.left.saturating_add(tokens).min(self.burst);
    }

    /// Whether there was one left.
    fn take(&mut self) -> bool {
        if self.left == 0 {
            // The clock is asked only by who has spent everything.
            let passed = self.filled.elapsed();
            let back = passed.as_millis() * u128::from(self.per_second) / 1000;
            self.left = u32::try_from(back).unwrap_or(u32::MAX).min(self.burst);
            self.filled += passed;
        }
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        out.extend_from_slice(&[kind, 0, 0, 0, 0, 1]);
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let sent = [(4, vec![]), (DATA, vec![7; 300]), (RST_STREAM, vec![0, 0, 0, 8]), (GOAWAY, vec![9; 12])];
        for (kind, payload) in &sent {
            bytes.extend(frame(*kind, payload));
        }
        for step in 1..60 {
            let mut scanner = Scanner::after(PREFACE_BYTES);
            let mut seen = Vec::new();
            for piece in bytes.chunks(step) {
                scanner.scan(piece, &mut |frame| seen.push((frame.kind, frame.length, frame.code(0))));
            }
            let expected =
                [(4, 0, 0), (DATA, 300, 0x0707_0707), (RST_STREAM, 4, 8), (GOAWAY, 12, 0x0909_0909)];
            assert_eq!(seen, expected, "{step}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_its_burst_and_then_what_comes_back() {
        let mut bucket = Bucket::new(3, 2);
        let takes = |bucket: &mut Bucket, count: usize| (0..count).filter(|_| bucket.take()).count();
        assert_eq!(takes(&mut bucket, 5), 3);
        bucket.earn(1);
        assert_eq!(takes(&mut bucket, 5), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(takes(&mut bucket, 5), 2);
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!(takes(&mut bucket, 9), 3);
    }
}
