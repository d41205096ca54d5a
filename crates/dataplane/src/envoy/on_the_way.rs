//! A request's body that Envoy shows piece by piece and that is judged on its way: calls of gRPC message by message, what
//! is streamed as a whole. The judging is the proxy's own; here pieces come by messages instead of by a connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::exchange::Exchange;
use crate::hold::{Budget, Reserved};
use crate::sides::BodyLost;
use crate::upload::{Came, Judged, Judging, Source, UploadError};

/// A body on its way.
pub(super) struct OnTheWay {
    judged: Judged,
    shown: Shown,
}

/// What Envoy has shown and nobody has taken yet.
#[derive(Default)]
struct Shown {
    piece: Vec<u8>,
    is_last: bool,
}

impl Source for Shown {
    fn is_done(&self) -> bool {
        self.is_last && self.piece.is_empty()
    }

    fn poll_more(
        &mut self,
        _: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyLost>> {
        if !self.piece.is_empty() {
            take(&std::mem::take(&mut self.piece));
            return Poll::Ready(Ok(true));
        }
        // Nobody is woken: the next piece comes by the next call.
        if self.is_last { Poll::Ready(Ok(false)) } else { Poll::Pending }
    }
}

impl OnTheWay {
    pub(super) fn new(judging: Judging, budget: Arc<Budget>) -> Self {
        Self { judged: Judged::new(judging, Reserved::new(budget)), shown: Shown::default() }
    }

    /// Shows a piece to the checks. What of the body may pass comes back: of a call, the messages that are whole.
    pub(super) async fn show(
        &mut self,
        exchange: &mut Exchange,
        piece: Vec<u8>,
        is_last: bool,
    ) -> Result<Vec<u8>, UploadError> {
        self.shown = Shown { piece, is_last };
        let mut passes = Vec::new();
        let mut streamed = 0;
        loop {
            let came = poll_fn(|cx| {
                let polled = self.judged.poll(cx, &mut self.shown, exchange, &mut streamed);
                match polled {
                    Poll::Pending if !self.judged.is_at_work() => Poll::Ready(None),
                    polled => polled.map(Some),
                }
            })
            .await;
            exchange.streamed(std::mem::take(&mut streamed));
            match came {
                Some(Ok(Came::Bytes(bytes))) => passes.extend(bytes),
                Some(Ok(Came::End)) | None => return Ok(passes),
                Some(Err(error)) => return Err(error),
            }
        }
    }
}
