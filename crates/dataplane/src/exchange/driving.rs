//! An inspection moved to the end of its stage: lookups answered, others let run in between. A poll, because a body may be
//! judged while it and its answer are on their way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use palisade_inspect::{Answer, Answered, Inspection, Outcome, Step};

use super::{Failed, clock, guarded};
use crate::settings::Plane;

/// What an inspection waits for.
pub(super) enum Waiting {
    Step(Step),
    Answer(Pin<Box<dyn Future<Output = Answer> + Send>>),
    /// News of a peer that policies do not know yet.
    News(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// Others run first.
    Turn,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting")
    }
}

/// Moves an inspection as far as it goes. Ready with the outcome of a stage, or with none when it is to be fed on.
pub(super) fn poll(
    plane: &Arc<Plane>,
    inspection: &mut Inspection,
    waiting: &mut Option<Waiting>,
    engine: &mut Duration,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Outcome>, Failed>> {
    loop {
        let answered = match waiting.take() {
            // How much may go before the decision; nothing, as what may go early is judged by itself.
            None | Some(Waiting::Step(Step::More(_))) => return Poll::Ready(Ok(None)),
            Some(Waiting::Step(Step::Outcome(outcome))) => return Poll::Ready(Ok(Some(outcome))),
            Some(Waiting::Step(Step::Need(lookup))) => {
                let now = clock(Instant::now(), plane.utc_offset_seconds).now;
                let plane = plane.clone();
                *waiting =
                    Some(Waiting::Answer(Box::pin(async move { plane.lookups.answer(lookup, now).await })));
                continue;
            }
            Some(Waiting::Step(Step::Yield)) => {
                *waiting = Some(Waiting::Turn);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Waiting::Step(Step::Await { at_most })) => {
                let news = inspection.take_news();
                *waiting = Some(Waiting::News(Box::pin(async move {
                    if let Some(news) = news {
                        let _ = tokio::time::timeout(at_most, news).await;
                    }
                })));
                continue;
            }
            Some(Waiting::News(mut news)) => match news.as_mut().poll(cx) {
                Poll::Ready(()) => Answered::Continue,
                Poll::Pending => {
                    *waiting = Some(Waiting::News(news));
                    return Poll::Pending;
                }
            },
            Some(Waiting::Turn) => Answered::Continue,
            Some(Waiting::Answer(mut answer)) => match answer.as_mut().poll(cx) {
                Poll::Ready(answer) => Answered::Answer(answer),
                Poll::Pending => {
                    *waiting = Some(Waiting::Answer(answer));
                    return Poll::Pending;
                }
            },
        };
        let now = Instant::now();
        let clock = clock(now, plane.utc_offset_seconds);
        let resumed = guarded(|| inspection.resume(answered, clock));
        *engine += now.elapsed();
        *waiting = Some(Waiting::Step(ready!(Poll::Ready(resumed))?));
    }
}
