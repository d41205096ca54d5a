//! A body that is judged on its way: the whole of it, only its end held back, or message by message, each held until it is
//! judged.

use std::task::{Context, Poll, ready};

use palisade_inspect::Action;

use super::UploadError;
use crate::exchange::{Exchange, Failed, Stand};
use crate::hold::Reserved;
use crate::sides::{BodyLost, ClientSide};

/// How a body is judged on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judging {
    /// As a whole: its beginning passes before the verdict.
    Whole,
    /// Each message of gRPC by itself. `bytes_max`: of one.
    Messages { bytes_max: usize },
}

/// Where a body comes from.
pub(crate) trait Source {
    /// Whether all of it was taken.
    fn is_done(&self) -> bool;

    /// Hands some more of it to `take`. `false`: it is over.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyLost>>;
}

impl<C: ClientSide> Source for C {
    fn is_done(&self) -> bool {
        self.body_is_done()
    }

    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyLost>> {
        self.poll_body(cx, take)
    }
}

/// A body that is judged on its way.
#[derive(Debug)]
pub(crate) struct Judged {
    judging: Judging,
    state: State,
    /// What came and may not go yet.
    withheld: Vec<u8>,
    reserved: Reserved,
}

/// Where the part is that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is none yet.
    Between,
    /// Its inspection begins.
    Beginning,
    /// It takes pieces.
    Open,
    /// It was fed what is withheld, and more comes.
    Fed,
    /// It is whole; so many bytes of what is withheld wait for the verdict.
    Judging(usize),
    /// It was judged as a whole, and the rest passes.
    Passing,
}

/// What a poll came to.
pub(crate) enum Came {
    /// These may go; perhaps none.
    Bytes(Vec<u8>),
    /// The body is over.
    End,
}

/// Before a message of gRPC: a flag and the length of the message.
const FRAME_HEAD_BYTES: usize = 5;

impl Judged {
    pub(crate) fn new(judging: Judging, reserved: Reserved) -> Self {
        Self { judging, state: State::Between, withheld: Vec::new(), reserved }
    }

    /// Whether it is a verdict that is waited for, not the client.
    pub(crate) fn is_at_work(&self) -> bool {
        matches!(self.state, State::Beginning | State::Fed | State::Judging(_))
    }

    /// Moves on. `streamed` counts what came from the client.
    pub(crate) fn poll<S: Source>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut S,
        exchange: &mut Exchange,
        streamed: &mut u64,
    ) -> Poll<Result<Came, UploadError>> {
        loop {
            let done = client.is_done();
            match self.state {
                State::Between => match self.next_part(done)? {
                    Some(_) => {
                        exchange.begin_part()?;
                        self.state = State::Beginning;
                    }
                    None if done => return Poll::Ready(Ok(Came::End)),
                    None => ready!(self.fill(cx, client, streamed))?,
                },
                State::Beginning => match ready!(exchange.poll_part(cx))? {
                    Stand::More => self.state = State::Open,
                    Stand::Decided(action) => return Poll::Ready(self.decided(action, done)),
                },
                State::Open => match (self.judging, self.next_part(done)?) {
                    (Judging::Messages { .. }, part) => {
                        let bytes = part.unwrap_or(self.withheld.len());
                        exchange.feed_part(&self.withheld[..bytes])?;
                        exchange.end_part()?;
                        self.state = State::Judging(bytes);
                    }
                    (Judging::Whole, None) if !done => ready!(self.fill(cx, client, streamed))?,
                    (Judging::Whole, _) => {
                        if !self.withheld.is_empty() {
                            exchange.feed_part(&self.withheld)?;
                        }
                        self.state = State::Fed;
                        if done {
                            exchange.end_part()?;
                            self.state = State::Judging(self.withheld.len());
                        }
                    }
                },
                State::Fed => match ready!(exchange.poll_part(cx))? {
                    Stand::More => {
                        self.state = State::Open;
                        return Poll::Ready(Ok(Came::Bytes(std::mem::take(&mut self.withheld))));
                    }
                    Stand::Decided(action) => return Poll::Ready(self.decided(action, done)),
                },
                State::Judging(_) => match ready!(exchange.poll_part(cx))? {
                    Stand::Decided(action) => return Poll::Ready(self.decided(action, done)),
                    // It has its end, so this cannot be; were it, nothing should pass.
                    Stand::More => return Poll::Ready(Err(UploadError::Failed)),
                },
                State::Passing if !self.withheld.is_empty() => {
                    return Poll::Ready(Ok(Came::Bytes(std::mem::take(&mut self.withheld))));
                }
                State::Passing if done => return Poll::Ready(Ok(Came::End)),
                State::Passing => ready!(self.fill(cx, client, streamed))?,
            }
        }
    }

    /// The part was decided: what of it may go, where it may.
    fn decided(&mut self, action: Action, done: bool) -> Result<Came, UploadError> {
        if action != Action::Forward {
            return Err(UploadError::Blocked(action));
        }
        let bytes = match (self.judging, self.state) {
            (Judging::Whole, _) => {
                self.state = State::Passing;
                self.withheld.len()
            }
            (Judging::Messages { .. }, state) => {
                let bytes = match state {
                    State::Judging(bytes) => bytes,
                    _ => self.next_part(done)?.unwrap_or(self.withheld.len()),
                };
                self.state = State::Between;
                bytes
            }
        };
        let rest = self.withheld.split_off(bytes);
        self.reserved.keep(rest.len() as u64);
        Ok(Came::Bytes(std::mem::replace(&mut self.withheld, rest)))
    }

    /// How long the part is that can begin, if one can.
    fn next_part(&self, done: bool) -> Result<Option<usize>, UploadError> {
        let held = self.withheld.len();
        let Judging::Messages { bytes_max } = self.judging else { return Ok((held > 0).then_some(held)) };
        let whole = match self.withheld.first_chunk::<FRAME_HEAD_BYTES>() {
            Some([_, length @ ..]) => {
                let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
                if length > bytes_max {
                    return Err(UploadError::TooLarge(bytes_max));
                }
                Some(FRAME_HEAD_BYTES + length).filter(|whole| held >= *whole)
            }
            None => None,
        };
        // What is cut short is judged as far as it goes.
        Ok(whole.or((done && held > 0).then_some(held)))
    }

    fn fill<S: Source>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut S,
        streamed: &mut u64,
    ) -> Poll<Result<(), UploadError>> {
        let withheld = &mut self.withheld;
        let came = client.poll_more(cx, &mut |piece| {
            *streamed += piece.len() as u64;
            withheld.extend_from_slice(piece);
        });
        ready!(came).map_err(UploadError::Client)?;
        match self.reserved.reach(self.withheld.len() as u64) {
            true => Poll::Ready(Ok(())),
            false => Poll::Ready(Err(UploadError::OverBudget)),
        }
    }
}

impl From<Failed> for UploadError {
    fn from(Failed: Failed) -> Self {
        UploadError::Failed
    }
}
