//! A request on its way in: its head and body through their stages, the body held as long as they are not decided.

use std::future::poll_fn;
use std::task::Poll;

use palisade_http::FramingFinding;
use palisade_inspect::Action;
use tokio::time::Instant;

use super::stop::{Stop, told};
use super::{Bodies, Passage};
use crate::exchange::{Exchange, Failed, Stand};
use crate::hold::{Held, HoldError};
use crate::request::RequestPlan;
use crate::sides::{BodyLost, ClientSide};

impl<C: ClientSide> Passage<'_, C> {
    /// Takes the request through its stages. What was held of its body comes back; the client's side then says whether
    /// more of it is to come.
    pub(super) async fn inspect_request(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        stand: Result<Stand, Failed>,
    ) -> Result<Option<Held>, Stop> {
        let mut stand = stand?;
        if let Some(finding) = plan.refusal {
            // The rules see what was read, and then it is refused whatever they and the mode say.
            if stand == Stand::More {
                stand = exchange.request_end().await?;
            }
            self.caller.plane.metrics.events.framing_refused_total.one();
            let over_limit = matches!(
                finding,
                FramingFinding::HeadTooLarge | FramingFinding::LineTooLong | FramingFinding::TooManyHeaders
            );
            let why = match over_limit {
                true => format!("the head is over its limits ({})", finding.name()),
                false => format!("the request can be read in more than one way ({})", finding.name()),
            };
            if let Stand::Decided(action) = stand
                && action != Action::Forward
            {
                exchange.note(&told(400, &why));
                return Err(Stop::Act(action));
            }
            return Err(Stop::answer(400, why));
        }
        let mut held = None;
        if stand == Stand::More {
            let comes = plan.has_body() && !self.client.body_is_done();
            if self.bodies == Bodies::Held && comes && exchange.wants_request_body() {
                self.continue_if_expected(plan).await?;
                let (whole, decided) = self.hold_request(exchange).await?;
                held = Some(whole);
                if let Some(decided) = decided {
                    stand = decided;
                }
            }
            if stand == Stand::More {
                stand = exchange.request_end().await?;
            }
        }
        match stand {
            Stand::Decided(Action::Forward) | Stand::More => {}
            Stand::Decided(action) => return Err(Stop::Act(action)),
        }
        if plan.method == b"CONNECT" {
            return Err(Stop::answer(405, "CONNECT would open a tunnel past every check"));
        }
        if !self.client.body_is_done() && held.is_none() {
            self.continue_if_expected(plan).await?;
        }
        Ok(held)
    }

    /// Holds the body as far as the rules want to see it.
    pub(super) async fn hold_request(
        &mut self,
        exchange: &mut Exchange,
    ) -> Result<(Held, Option<Stand>), Stop> {
        let limits = &self.caller.listener.limits;
        let (held_max, memory_max) =
            (limits.request_body_held_max.min(self.body_max), limits.body_memory_max);
        let timeouts = &self.caller.listener.timeouts;
        let (between, whole) = (timeouts.body, Instant::now() + timeouts.body_whole);
        let mut held = Held::new(self.caller.plane.budget.clone(), memory_max);
        loop {
            if self.client.body_is_done() || !exchange.wants_request_body() {
                // Where the rules look no further the rest streams.
                return Ok((held, None));
            }
            if held.len() > held_max {
                self.caller.plane.metrics.events.bodies_too_large_total.one();
                let why = format!("the request's body is larger than {held_max} bytes");
                return Err(self.refuse_body(exchange, 413, why).await);
            }
            self.timer.set_at(whole.min(Instant::now() + between));
            let mut piece = std::mem::take(&mut self.kept.scratch);
            piece.clear();
            let came =
                poll_fn(|cx| match self.client.poll_body(cx, &mut |run| piece.extend_from_slice(run)) {
                    Poll::Ready(came) => Poll::Ready(Some(came)),
                    Poll::Pending => self.timer.poll(cx).map(|()| None),
                })
                .await;
            if !piece.is_empty() {
                if let Some(facts) = exchange.facts() {
                    facts.request_body_bytes += piece.len() as u64;
                }
                held.push(&piece).await.map_err(|error| self.cannot_hold(&error))?;
                let stand = exchange.request_chunk(&piece).await?;
                if stand != Stand::More {
                    return Ok((held, Some(stand)));
                }
            }
            self.kept.scratch = piece;
            let events = &self.caller.plane.metrics.events;
            let (status, why) = match came {
                Some(Ok(_)) => continue,
                None => {
                    events.body_timeouts_total.one();
                    (408, "the request's body did not come in time".to_owned())
                }
                Some(Err(BodyLost::Broken(_))) => {
                    events.clients_gone_total.one();
                    return Err(Stop::ClientGone);
                }
                Some(Err(lost)) => {
                    events.bodies_incomplete_total.one();
                    (400, broken_body(&lost))
                }
            };
            return Err(self.refuse_body(exchange, status, why).await);
        }
    }

    /// A body that is not read to its end: the rules see what came, and then it is refused.
    pub(super) async fn refuse_body(&mut self, exchange: &mut Exchange, status: u16, why: String) -> Stop {
        match exchange.request_end().await {
            Err(Failed) => Stop::Failed,
            Ok(Stand::Decided(action)) if action != Action::Forward => {
                exchange.note(&told(status, &why));
                Stop::Act(action)
            }
            Ok(_) => Stop::answer(status, why),
        }
    }

    pub(super) fn cannot_hold(&self, error: &HoldError) -> Stop {
        self.caller.plane.metrics.events.budget_refused_total.one();
        Stop::answer(503, error.to_string())
    }

    pub(super) async fn continue_if_expected(&mut self, plan: &RequestPlan) -> Result<(), Stop> {
        if plan.expects_continue {
            self.client.send_continue();
            if self.client.pending() > 0 && !self.flush_client().await {
                return Err(Stop::ClientGone);
            }
        }
        Ok(())
    }
}

/// What is wrong with a request's body, in words.
pub(super) fn broken_body(lost: &BodyLost) -> String {
    match lost {
        BodyLost::Ended => "the request's body ended in the middle".to_owned(),
        BodyLost::Broken(how) => format!("the request's body broke off: {how}"),
        BodyLost::Malformed(finding) => format!("the chunks of the request's body are broken ({finding:?})"),
    }
}
