//! A response's body that is judged on its way to the client: only its end waits for the verdict.

use std::task::{Context, Poll, ready};

use palisade_inspect::Action;

use crate::content_coding::ContentDecoder;
use crate::exchange::{Exchange, Failed, Stand};
use crate::sides::{BodyLost, Side};
use crate::upstream::ServerSide;

/// A response that is judged on its way.
pub(super) struct OnTheWay {
    /// What it is in, where that can be read; it is shown as it is else.
    decoder: Option<ContentDecoder>,
    decoded: Vec<u8>,
    /// What came and may not go yet.
    withheld: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Rules were shown what is withheld.
    Fed,
    /// They were told that it is whole.
    Judging,
    /// They have no more to say.
    Passing,
}

/// Why it does not go on.
pub(super) enum Held {
    Lost(BodyLost),
    Blocked(Action),
    Failed,
}

impl From<Failed> for Held {
    fn from(Failed: Failed) -> Self {
        Held::Failed
    }
}

impl OnTheWay {
    pub(super) fn new(decoder: Option<ContentDecoder>) -> Self {
        Self { decoder, decoded: Vec::new(), withheld: Vec::new(), state: State::Open }
    }

    /// Hands on what may go. `false`: the body is over.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        server: &mut ServerSide,
        exchange: &mut Exchange,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, Held>> {
        loop {
            match self.state {
                State::Open | State::Passing => {
                    if self.state == State::Passing && !self.withheld.is_empty() {
                        take(&self.withheld);
                        self.withheld.clear();
                        return Poll::Ready(Ok(true));
                    }
                    let withheld = &mut self.withheld;
                    let more = ready!(server.poll_body(cx, &mut |piece| withheld.extend_from_slice(piece)))
                        .map_err(Held::Lost)?;
                    if self.state == State::Passing {
                        match more || !self.withheld.is_empty() {
                            true => continue,
                            false => return Poll::Ready(Ok(false)),
                        }
                    }
                    self.show(exchange)?;
                    self.state = State::Fed;
                    if !more || server.body_is_done() {
                        exchange.end_response()?;
                        self.state = State::Judging;
                    }
                }
                State::Fed | State::Judging => {
                    let stand = ready!(exchange.poll_response(cx))?;
                    self.state = match stand {
                        Stand::More => State::Open,
                        Stand::Decided(Action::Forward) => State::Passing,
                        Stand::Decided(action) => return Poll::Ready(Err(Held::Blocked(action))),
                    };
                    take(&self.withheld);
                    self.withheld.clear();
                    return Poll::Ready(Ok(true));
                }
            }
        }
    }

    fn show(&mut self, exchange: &mut Exchange) -> Result<(), Failed> {
        self.decoded.clear();
        match &mut self.decoder {
            // What came out before an error counts.
            Some(decoder) => drop(decoder.feed(&self.withheld, &mut self.decoded)),
            None => self.decoded.extend_from_slice(&self.withheld),
        }
        if self.decoded.is_empty() {
            return Ok(());
        }
        exchange.feed_response(&self.decoded, self.withheld.len())
    }
}
