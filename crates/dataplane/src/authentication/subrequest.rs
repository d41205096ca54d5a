//! Requests of our own, to servers that we are told to ask: an authentication server, a publisher of keys. GET, bounded in
//! time and size, over connections that are used again.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use palisade_http::{HeadLimits, RequestHead, ResponseHead};
use tokio::time::timeout;

use crate::body::write_field;
use crate::request::RequestPlan;
use crate::sides::Side;
use crate::tls::UpstreamTls;
use crate::upload::Upload;
use crate::upstream::{HeadLost, ServerSide, Upstream, UpstreamLimits, UpstreamUrlError};

/// A server that we ask, and what for.
#[derive(Debug)]
pub struct Server {
    upstream: Upstream,
    target: String,
    timeout: Duration,
}

/// What it answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: ResponseHead,
    /// As far as it was asked for.
    pub(super) body: Vec<u8>,
    /// There was no more of it.
    pub(super) is_whole: bool,
}

/// Interim answers before the answer.
const INTERIM_MAX: usize = 8;
/// Heads of answers: these are nobody's pages.
const HEAD_LIMITS: HeadLimits =
    HeadLimits { head_bytes_max: 32 * 1024, line_bytes_max: 8 * 1024, headers_max: 100 };

impl Server {
    /// A server by the URL that is asked for; `tls` where that begins with `https`.
    ///
    /// # Errors
    /// When its authority is none.
    pub fn new(
        url: &str,
        tls: Option<Arc<UpstreamTls>>,
        timeout: Duration,
    ) -> Result<Self, UpstreamUrlError> {
        let scheme_end = url.find("://").map_or(0, |at| at + 3);
        let path_start = url[scheme_end..].find(['/', '?', '#']).map_or(url.len(), |at| scheme_end + at);
        let (place, target) = url.split_at(path_start);
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let limits = UpstreamLimits { connect: timeout, ..UpstreamLimits::default() };
        let upstream = match tls {
            Some(tls) => Upstream::over(tls, &[place], limits)?,
            None => Upstream::of(&[place], limits)?,
        };
        Ok(Self { upstream, target, timeout })
    }

    /// Who it is and for what path, to be read; what a URL has behind that may be a secret.
    pub(super) fn place(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        format!("{}{path}", self.upstream.authority())
    }

    /// Asks. Of the body up to so many bytes are kept; where there is more, the connection is left.
    ///
    /// # Errors
    /// Why there is no answer, in words.
    pub(super) async fn get(&self, fields: &[(&str, &[u8])], body_max: usize) -> Result<Answer, String> {
        let asked = timeout(self.timeout, self.try_get(fields, body_max)).await;
        asked.unwrap_or_else(|_| Err("does not answer in time".to_owned()))
    }

    async fn try_get(&self, fields: &[(&str, &[u8])], body_max: usize) -> Result<Answer, String> {
        let mut head = format!("GET {} HTTP/1.1\r\n", self.target).into_bytes();
        write_field(b"Host", self.upstream.authority().as_bytes(), &mut head);
        write_field(b"User-Agent", b"palisade", &mut head);
        fields.iter().for_each(|(name, value)| write_field(name.as_bytes(), value, &mut head));
        let plan = RequestPlan::of(&RequestHead {
            method: b"GET".to_vec(),
            target: self.target.clone().into(),
            version: b"HTTP/1.1".to_vec(),
            ..RequestHead::default()
        });
        let mut idle = self.upstream.take_idle(false);
        loop {
            let server = match idle.take() {
                Some(server) => server,
                None => self.upstream.connect().await.server.map_err(|error| error.to_string())?,
            };
            let reused = server.reused;
            match self.ask(server, &head, &plan, body_max).await {
                // It was closed while nobody used it; a new one is asked once.
                Err(HeadLost::Closed(_)) if reused => {}
                Err(HeadLost::Closed(why) | HeadLost::Unprocessed(why) | HeadLost::Refused(why)) => {
                    return Err(why);
                }
                Ok(answer) => return Ok(answer),
            }
        }
    }

    async fn ask(
        &self,
        server: crate::upstream::Server,
        head: &[u8],
        plan: &RequestPlan,
        body_max: usize,
    ) -> Result<Answer, HeadLost> {
        let nothing = Upload::new(None, false, false, Arc::default());
        let mut side = ServerSide::begin(&self.upstream, server, head, plan, &nothing).await?;
        let mut interims = 0;
        let answer = loop {
            let came = poll_fn(|cx| {
                if side.pending() > 0
                    && let Poll::Ready(Err(error)) = side.poll_flush(cx)
                {
                    return Poll::Ready(Err(HeadLost::Closed(format!("takes no request: {error}"))));
                }
                side.poll_head(cx, &HEAD_LIMITS)
            });
            match came.await? {
                Some(head) if matches!(head.status, 100 | 102..=199) && interims < INTERIM_MAX => {
                    interims += 1
                }
                Some(head) => break head,
                None => {}
            }
        };
        side.framing(&answer, b"GET")
            .map_err(|why| HeadLost::Refused(format!("answers ambiguously ({why})")))?;
        let mut body = Vec::new();
        while !side.body_is_done() && body.len() <= body_max {
            let mut take = |piece: &[u8]| {
                let room = (body_max + 1).saturating_sub(body.len());
                body.extend_from_slice(&piece[..piece.len().min(room)]);
            };
            match poll_fn(|cx| side.poll_body(cx, &mut take)).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(lost) => return Err(HeadLost::Refused(format!("breaks off its answer: {lost:?}"))),
            }
        }
        let is_whole = side.body_is_done() && body.len() <= body_max;
        if is_whole {
            side.put_idle(&self.upstream);
        }
        Ok(Answer { head: answer, body, is_whole })
    }
}
