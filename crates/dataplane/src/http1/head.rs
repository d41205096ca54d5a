//! The next head of a connection: read within its time and its bounds, or what came instead.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use palisade_http::{HeadParse, HeadScanner, RequestHead, parse_request_head};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::connection::Connection;
use crate::block_page::{AnswerForm, OwnAnswer};
use crate::passage::{After, told};
use crate::request_id::request_id;
use crate::wire::Lost;

/// How long somebody who has just connected may take to ask once we are ending: we took the connection, and a client that
/// never got an answer does not know that it may ask again.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// The next head, or none when the connection is to be closed without a word.
    pub(super) async fn read_head(&mut self) -> Option<Read> {
        let mut scanner = HeadScanner::new();
        if self.client.input().is_empty() {
            self.client.rest();
            let timeouts = &self.caller.listener.timeouts;
            self.timer.set(if self.requests == 0 { timeouts.head } else { timeouts.idle });
            let is_new = self.requests == 0;
            let mut ends = false;
            let Self { client, timer, drain, caller, .. } = self;
            poll_fn(|cx| match client.poll_fill(cx) {
                Poll::Ready(Ok(bytes)) => Poll::Ready((bytes > 0).then_some(())),
                Poll::Ready(Err(_)) => Poll::Ready(None),
                Poll::Pending => {
                    if !ends && drain.poll(cx).is_ready() {
                        if !is_new {
                            return Poll::Ready(None);
                        }
                        ends = true;
                        timer.set(FIRST_REQUEST);
                    }
                    timer.poll(cx).map(|()| {
                        if !ends {
                            caller.plane.metrics.events.idle_timeouts_total.one();
                        }
                        None
                    })
                }
            })
            .await?;
        }
        let limits = &self.caller.listener.limits.request_head;
        let due = Instant::now() + self.caller.listener.timeouts.head;
        loop {
            let input = self.client.input();
            if scanner.find(input).is_some() || input.len() > limits.head_bytes_max {
                match parse_request_head(input, limits) {
                    HeadParse::Complete { head, consumed } => {
                        self.client.consume(consumed);
                        return Some(Read::Head(head));
                    }
                    HeadParse::Refused { head, consumed } => {
                        self.client.consume(consumed);
                        return Some(Read::Refused(head));
                    }
                    HeadParse::Incomplete => {}
                }
            }
            self.timer.set_at(due);
            match self.client.fill(&mut self.timer).await {
                Ok(()) => {}
                Err(Lost::Timeout) => return Some(Read::Late),
                // Line ends after a request are no beginning of another; old clients send them.
                Err(Lost::Ended) if self.client.input().iter().all(|byte| b"\r\n".contains(byte)) => {
                    return None;
                }
                Err(Lost::Ended) => return Some(Read::Ended),
                Err(Lost::Broken) => return None,
            }
        }
    }

    /// Answers a head that did not come in time.
    pub(super) async fn late_head(&mut self) -> After {
        self.caller.plane.metrics.events.head_timeouts_total.one();
        self.refuse_unread(408, "the head of the request did not come in time").await
    }

    /// Answers a head that ended in the middle: who ends only its own half still listens.
    pub(super) async fn ended_head(&mut self) -> After {
        self.caller.plane.metrics.events.heads_incomplete_total.one();
        self.refuse_unread(400, "the head of the request ended in the middle").await
    }

    /// There is nothing yet that rules could look at.
    async fn refuse_unread(&mut self, status: u16, why: &str) -> After {
        let id = request_id();
        self.caller.remark(&told(status, why), &id);
        let form = AnswerForm {
            request_id: &id,
            json: false,
            head_only: false,
            close: true,
            http10: false,
            site: None,
            retry_after: None,
            fields: &[],
        };
        OwnAnswer::status(status).write(&form, self.client.output());
        self.flush_client().await;
        After::Linger
    }
}

/// What came where a head was due.
pub(super) enum Read {
    Head(RequestHead),
    /// No head of HTTP/1, as far as it was read.
    Refused(RequestHead),
    /// Not all of it, and the time is over.
    Late,
    /// Not all of it, and no more comes.
    Ended,
}
