//! Where records go beside the store: Elasticsearch and OpenSearch, files, syslog, webhooks, OTLP.
//!
//! ```text
//! Bus ──lane──> feeder ──push──> Backlog: memory, then files ──take──> sender ──deliver──> Transport
//!               thread           bounded, oldest dropped              thread   <──again, refused──┘
//! ```
//!
//! A sink has two threads: one takes what the Bus has, so that a slow server costs no records, the other delivers and waits
//! for answers. What could not be delivered lies in files at once and is tried again after a while; a restart goes on with
//! it. Delivery is at least once: documents carry ids, so that a server that knows them has none twice.
//!
//! Not here: what records are (`palisade-model`), and whose they are to be told ([`crate::alerts`]).

mod backlog;
mod backoff;
pub mod client;
mod document;
pub mod elastic;
mod file;
mod otlp;
mod secret;
mod syslog;
#[cfg(test)]
mod tests;
mod traces;
mod webhook;
mod worker;

pub use backlog::{Backlog, BacklogLimits, Place, Segment};
pub use backoff::Backoff;
pub use client::{Auth, HttpSetting};
pub use document::{Document, Kind};
pub use elastic::ElasticSetting;
pub use file::FileSetting;
pub use otlp::OtlpSetting;
pub use secret::{Reference, Secrets};
pub use syslog::{SyslogSetting, SyslogTransport};
pub use traces::{AttributeValue, Attributes, RequestTrace, Tracer, TracerCounts, UpstreamSpan};
pub use webhook::WebhookSetting;
pub use worker::{Delivered, Outlet, Say, SinkCounts, Transport};

/// A sink as it is configured.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkSetting {
    /// Its name in messages, metrics and its folder.
    pub name: String,
    /// Which records it takes.
    pub kinds: Vec<Kind>,
    /// Where they go.
    pub to: To,
    /// Bytes that may wait on the disk. At the bound the oldest are dropped.
    pub spill_bytes_max: u64,
}

/// Where records go.
#[derive(Clone, Debug, PartialEq)]
pub enum To {
    /// Elasticsearch or OpenSearch.
    Elastic(ElasticSetting),
    /// A file of JSON lines.
    File(FileSetting),
    /// A syslog server.
    Syslog(SyslogSetting),
    /// Anybody who takes JSON by POST.
    Webhook(WebhookSetting),
    /// A collector of OpenTelemetry.
    Otlp(OtlpSetting),
}

impl SinkSetting {
    /// The transport that it asks for.
    ///
    /// # Errors
    /// What cannot be used, in words: a file of authorities that is not there.
    pub fn transport(&self, secrets: &Secrets, say: &Say) -> Result<Box<dyn Transport>, String> {
        Ok(match &self.to {
            To::Elastic(setting) => Box::new(elastic::Elastic::new(setting, secrets, &self.name, say)?),
            To::File(setting) => Box::new(file::JsonFile::new(setting)),
            To::Syslog(setting) => Box::new(syslog::Syslog::new(setting)?),
            To::Webhook(setting) => Box::new(webhook::Webhook::new(setting, secrets)?),
            To::Otlp(setting) => Box::new(otlp::Otlp::new(setting, secrets)?),
        })
    }
}
