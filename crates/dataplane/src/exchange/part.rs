//! Parts of a request's body that are judged by themselves, each by an inspection of its own that sees the request's head
//! and the part: a body that streams, or a message of one. The exchange's own inspection has seen the head alone.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use palisade_http::RequestHead;
use palisade_inspect::{Action, Detail, End, Input, Inspection, Peer, Report, Service, Standing, decide};
use palisade_model::Verdict;

use super::driving::{self, Waiting};
use super::{Exchange, Failed, Stand, clock, guarded};

/// What is needed to inspect parts.
#[derive(Debug)]
pub(super) struct Parts {
    peer: Peer,
    head: RequestHead,
    service: Arc<Service>,
    standing: Standing,
    now: Option<Part>,
    /// The first part that was not clean.
    flagged: Option<Report>,
}

#[derive(Debug)]
struct Part {
    inspection: Box<Inspection>,
    waiting: Option<Waiting>,
}

impl Parts {
    pub(super) fn new(peer: Peer, head: RequestHead, service: Arc<Service>, standing: Standing) -> Self {
        Self { peer, head, service, standing, now: None, flagged: None }
    }

    /// The report of a part that says more than that of the exchange.
    pub(super) fn take_flagged(&mut self) -> Option<Report> {
        self.flagged.take()
    }
}

impl Exchange {
    /// Begins a part.
    pub(crate) fn begin_part(&mut self) -> Result<(), Failed> {
        let began = Instant::now();
        let clock = clock(began, self.plane.utc_offset_seconds);
        let Some(parts) = &mut self.parts else { return Err(Failed) };
        let begun = guarded(|| {
            let Parts { peer, head, service, standing, .. } = &*parts;
            Inspection::begin(peer.clone(), head.clone(), service, *standing, Detail::Normal, clock)
        });
        self.engine += began.elapsed();
        match begun {
            Ok((inspection, step)) => {
                let inspection = Box::new(inspection);
                parts.now = Some(Part { inspection, waiting: Some(Waiting::Step(step)) });
                Ok(())
            }
            Err(Failed) => Err(self.failed()),
        }
    }

    /// Feeds some of the part. Only where [`poll_part`](Self::poll_part) said so.
    pub(crate) fn feed_part(&mut self, piece: &[u8]) -> Result<(), Failed> {
        self.tally.request_inspected_bytes += piece.len() as u64;
        self.copying.iter_mut().for_each(|copying| copying.take(piece));
        self.step_part(Input::Chunk(piece))
    }

    /// Says that the part is whole.
    pub(crate) fn end_part(&mut self) -> Result<(), Failed> {
        self.copying.iter_mut().for_each(|copying| copying.end());
        self.step_part(Input::End)
    }

    fn step_part(&mut self, input: Input<'_>) -> Result<(), Failed> {
        let began = Instant::now();
        let clock = clock(began, self.plane.utc_offset_seconds);
        let Some(part) = self.parts.as_mut().and_then(|parts| parts.now.as_mut()) else { return Err(Failed) };
        let step = guarded(|| part.inspection.feed(input, clock));
        self.engine += began.elapsed();
        match step {
            Ok(step) => part.waiting = Some(Waiting::Step(step)),
            Err(Failed) => return Err(self.failed()),
        }
        Ok(())
    }

    /// Where the part stands. When it is decided it is over.
    pub(crate) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stand, Failed>> {
        let Some(parts) = self.parts.as_mut() else { return Poll::Ready(Err(Failed)) };
        let Some(Part { inspection, waiting }) = &mut parts.now else { return Poll::Ready(Err(Failed)) };
        let polled = driving::poll(&self.plane, inspection, waiting, &mut self.engine, cx);
        let Ok(outcome) = ready!(polled) else { return Poll::Ready(Err(self.failed())) };
        let Some(outcome) = outcome else { return Poll::Ready(Ok(Stand::More)) };
        let action = decide(&outcome, &self.stance);
        self.finish_part(if action == Action::Forward { End::Complete } else { End::Aborted })?;
        Poll::Ready(Ok(Stand::Decided(action)))
    }

    /// Ends the part that is there, if any.
    pub(super) fn finish_part(&mut self, end: End) -> Result<(), Failed> {
        let began = Instant::now();
        let clock = clock(began, self.plane.utc_offset_seconds);
        let Some(parts) = self.parts.as_mut() else { return Ok(()) };
        let Some(Part { inspection, .. }) = parts.now.take() else { return Ok(()) };
        let finished = guarded(|| inspection.finish(end, clock));
        self.engine += began.elapsed();
        let Ok(mut report) = finished else { return Err(self.failed()) };
        self.plane.lookups.commit(std::mem::take(&mut report.operations));
        let told = |report: &Report| *report.verdict() != Verdict::Pass;
        // One exchange has one record: that of the first part that was not clean.
        if told(&report) && !parts.flagged.as_ref().is_some_and(told) {
            parts.flagged = Some(report);
        }
        Ok(())
    }
}
