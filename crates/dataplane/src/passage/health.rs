//! Probes, answered here and not inspected.

use palisade_http::{Fields, Framing, RequestHead};

use super::{After, Passage};
use crate::block_page::OwnPage;
use crate::request::RequestPlan;
use crate::request_id::request_id;
use crate::settings::Listener;
use crate::sides::ClientSide;

/// Whether somebody asks how we are.
pub(super) fn is_check(listener: &Listener, head: &RequestHead, plan: &RequestPlan) -> bool {
    let Some(path) = &listener.health_path else { return false };
    let asked = head.target.split(|byte| *byte == b'?').next().unwrap_or_default();
    plan.refusal.is_none()
        && plan.framing == Framing::None
        && matches!(&head.method[..], b"GET" | b"HEAD")
        && asked == path.as_bytes()
}

impl<C: ClientSide> Passage<'_, C> {
    pub(super) async fn answer_health_check(&mut self, plan: &RequestPlan) -> After {
        self.caller.plane.metrics.events.health_checks_total.one();
        let mut fields = Fields::new();
        fields.push(b"Content-Type", b"text/plain");
        fields.push(b"Content-Length", b"3");
        fields.push(b"X-Request-Id", request_id().as_bytes());
        let body = if plan.is_head() { Vec::new() } else { b"OK\n".to_vec() };
        self.client.send_own(OwnPage { status: 200, fields, body }, true);
        match self.flush_client().await && self.client.stays() {
            true => After::Next,
            false => After::Close,
        }
    }
}
