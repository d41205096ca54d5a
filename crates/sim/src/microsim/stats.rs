//! Statistics on a port of their own: JSON for everything, `/metrics` for Prometheus.

use std::sync::Arc;
use std::time::Instant;

use hyper::{Method, StatusCode};

use super::Counters;
use super::clock::Moment;
use super::shown::Shown;
use crate::{Answer, Ends, Request, Service};

/// The statistics of a server or a client.
pub(super) struct Stats {
    pub(super) began: Instant,
    pub(super) hostname: String,
    pub(super) counters: Arc<Counters>,
    pub(super) config: Shown,
}

impl Service for Stats {
    async fn answer(&self, request: Request, ends: Ends) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Answer::text(StatusCode::NOT_IMPLEMENTED, "only GET\n");
        }
        if request.uri().path() == "/metrics" {
            let text = self.counters.exposition().into_bytes();
            return Answer::new(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text);
        }
        let shown = Shown::object([
            ("time", Shown::Text(Moment::now().asctime())),
            ("runtime", Shown::Number(self.began.elapsed().as_secs())),
            ("hostname", Shown::text(&self.hostname)),
            ("ip", Shown::Text(ends.local.ip().to_string())),
            ("stats", self.counters.totals()),
            ("config", self.config.clone()),
        ]);
        Answer::new(StatusCode::OK, "application/json", (shown.indented() + "\n").into_bytes())
    }
}
