//! A connection that has become something else: bytes both ways until both sides have ended.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::wire::{OUTPUT_BYTES_MAX, Timer, Wire};

/// Moves bytes both ways. Ends when both directions have, when one breaks, or when nothing moves for `idle`.
pub(crate) async fn tunnel<A, B>(a: &mut Wire<A>, b: &mut Wire<B>, timer: &mut Timer, idle: Duration)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    timer.set(idle);
    let (mut to_b, mut to_a) = (Way::Open, Way::Open);
    poll_fn(|cx| {
        let mut moved = false;
        let broken =
            step(cx, a, b, &mut to_b, &mut moved).is_err() || step(cx, b, a, &mut to_a, &mut moved).is_err();
        if broken || to_b == Way::Closed && to_a == Way::Closed {
            return Poll::Ready(());
        }
        if moved {
            timer.set(idle);
        }
        timer.poll(cx)
    })
    .await;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// Nothing more comes; what came is being written.
    Ending,
    Closed,
}

fn step<F, T>(
    cx: &mut Context<'_>,
    from: &mut Wire<F>,
    to: &mut Wire<T>,
    way: &mut Way,
    moved: &mut bool,
) -> io::Result<()>
where
    F: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let mut blocked = false;
        while *way == Way::Open && to.pending() < OUTPUT_BYTES_MAX {
            if from.input().is_empty() {
                match from.poll_fill(cx)? {
                    Poll::Ready(0) => {
                        *way = Way::Ending;
                        break;
                    }
                    Poll::Ready(_) => {}
                    Poll::Pending => {
                        blocked = true;
                        break;
                    }
                }
            }
            let bytes = from.input().len();
            to.output().extend_from_slice(from.input());
            from.consume(bytes);
            *moved = true;
        }
        if to.poll_flush(cx)?.is_pending() || blocked {
            return Ok(());
        }
        if *way == Way::Ending {
            if to.poll_end(cx)?.is_pending() {
                return Ok(());
            }
            *way = Way::Closed;
        }
        if *way == Way::Closed {
            return Ok(());
        }
    }
}
