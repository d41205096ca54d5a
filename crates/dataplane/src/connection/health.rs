//! Probes, answered here and not inspected.

use palisade_http::{Framing, RequestHead};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{After, Connection};
use crate::request::RequestPlan;
use crate::request_id::request_id;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn is_health_check(&self, head: &RequestHead, plan: &RequestPlan) -> bool {
        let Some(path) = &self.listener.health_path else { return false };
        let asked = head.target.split(|byte| *byte == b'?').next().unwrap_or_default();
        plan.refusal.is_none()
            && plan.framing == Framing::None
            && matches!(&head.method[..], b"GET" | b"HEAD")
            && asked == path.as_bytes()
    }

    pub(super) async fn answer_health_check(&mut self, plan: &RequestPlan) -> After {
        self.plane.metrics.events.health_checks_total.one();
        let stays = plan.keep_alive && !self.is_last_request();
        let connection = match (stays, plan.http10) {
            (false, _) => "Connection: close\r\n",
            (true, true) => "Connection: keep-alive\r\n",
            (true, false) => "",
        };
        let body = if plan.is_head() { "" } else { "OK\n" };
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nX-Request-Id: {}\r\n{connection}\r\n{body}",
            request_id()
        );
        self.client.output().extend_from_slice(text.as_bytes());
        match self.flush_client().await && stays {
            true => After::Next,
            false => After::Close,
        }
    }
}
