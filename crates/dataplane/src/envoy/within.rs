//! A judgement and its time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::time::{Instant, timeout_at};

/// It was not over in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late;

/// Runs a judgement until it is over, or until its time is. A verdict that is there counts; one that lets others run is
/// asked for the time whenever it goes on, because a timer may be heard of late where somebody is always at work.
pub(super) async fn within<F: Future>(due: Instant, judgement: F) -> Result<F::Output, Late> {
    let mut judgement = pin!(timeout_at(due, judgement));
    let mut has_begun = false;
    poll_fn(|cx| {
        if has_begun && Instant::now() >= due {
            return Poll::Ready(Err(Late));
        }
        has_begun = true;
        judgement.as_mut().poll(cx).map_err(|_| Late)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn what_never_ends_ends_in_time_whether_it_sleeps_or_works() {
        let due = || Instant::now() + Duration::from_millis(20);
        assert_eq!(within(due(), async { 1 }).await, Ok(1));
        assert_eq!(within(due(), std::future::pending::<()>()).await, Err(Late));
        let works = poll_fn(|cx| {
            cx.waker().wake_by_ref();
            std::thread::sleep(Duration::from_millis(1));
            Poll::<()>::Pending
        });
        assert_eq!(within(due(), works).await, Err(Late));
        // Nobody is late with what is there.
        assert_eq!(within(Instant::now(), async { 1 }).await, Ok(1));
    }
}
