//! A connection that has become something else: bytes both ways until both sides have ended.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::sides::Side;
use crate::wire::{OUTPUT_BYTES_MAX, Timer};

/// Moves bytes both ways. Ends when both directions have, when one breaks, or when nothing moves for `idle`.
pub(crate) async fn tunnel<A: Side, B: Side>(a: &mut A, b: &mut B, timer: &mut Timer, idle: Duration) {
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

/// One side broke.
struct Torn;

fn step<F: Side, T: Side>(
    cx: &mut Context<'_>,
    from: &mut F,
    to: &mut T,
    way: &mut Way,
    moved: &mut bool,
) -> Result<(), Torn> {
    loop {
        let mut blocked = false;
        while *way == Way::Open && to.pending() < OUTPUT_BYTES_MAX {
            match from.poll_body(cx, &mut |piece| to.send_piece(piece)) {
                Poll::Ready(Ok(true)) => *moved = true,
                Poll::Ready(Ok(false)) => *way = Way::Ending,
                Poll::Ready(Err(_)) => return Err(Torn),
                Poll::Pending => {
                    blocked = true;
                    break;
                }
            }
        }
        match to.poll_flush(cx) {
            Poll::Ready(Ok(())) if !blocked => {}
            Poll::Ready(Ok(())) | Poll::Pending => return Ok(()),
            Poll::Ready(Err(_)) => return Err(Torn),
        }
        if *way == Way::Ending {
            match to.poll_end(cx) {
                Poll::Ready(Ok(())) => *way = Way::Closed,
                Poll::Ready(Err(_)) => return Err(Torn),
                Poll::Pending => return Ok(()),
            }
        }
        if *way == Way::Closed {
            return Ok(());
        }
    }
}
