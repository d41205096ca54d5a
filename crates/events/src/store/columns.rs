//! What filters and words know of a record, read from its JSON: events of other processes come the same way.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::traffic::{aggregated, outside};

/// Of an event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventColumns<'j> {
    #[serde(borrow)]
    pub(crate) kind: Cow<'j, str>,
    #[serde(borrow)]
    pub(crate) action: Cow<'j, str>,
    #[serde(borrow)]
    pub(crate) service: Cow<'j, str>,
    #[serde(borrow)]
    pub(crate) source: Source<'j>,
    #[serde(borrow)]
    pub(crate) attack: Option<Cow<'j, str>>,
    #[serde(borrow)]
    pub(crate) attacks: Vec<Cow<'j, str>>,
    #[serde(borrow)]
    pub(crate) rules: Vec<Rule<'j>>,
    #[serde(borrow)]
    findings: Vec<Finding<'j>>,
    #[serde(borrow)]
    path: Cow<'j, str>,
    #[serde(borrow)]
    msg: Cow<'j, str>,
    #[serde(borrow)]
    authority: Cow<'j, str>,
    #[serde(borrow)]
    user_agent: Cow<'j, str>,
    #[serde(borrow)]
    request_id: Cow<'j, str>,
    #[serde(borrow)]
    client_request_id: Cow<'j, str>,
    #[serde(borrow)]
    trace_id: Cow<'j, str>,
    #[serde(borrow)]
    method: Cow<'j, str>,
    #[serde(borrow)]
    host: Cow<'j, str>,
    #[serde(borrow)]
    pub(crate) dataplane: Cow<'j, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Source<'j> {
    #[serde(borrow)]
    pub(crate) ip: Cow<'j, str>,
    #[serde(borrow)]
    peer_ip: Cow<'j, str>,
    #[serde(borrow)]
    namespace: Cow<'j, str>,
    #[serde(borrow)]
    name: Cow<'j, str>,
    #[serde(borrow)]
    pub(crate) country: Cow<'j, str>,
}

impl Source<'_> {
    /// Who asked, as L7 records of the same requests say it.
    pub(crate) fn workload(&self) -> String {
        if !self.namespace.is_empty() {
            let name = if self.name.is_empty() { "-".into() } else { aggregated(&self.name) };
            return format!("{}/{name}", self.namespace);
        }
        let peer = if self.peer_ip.is_empty() { &self.ip } else { &self.peer_ip };
        peer.parse().map_or("-", outside).to_owned()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Rule<'j> {
    #[serde(borrow)]
    pub(crate) id: Cow<'j, str>,
    #[serde(borrow)]
    message: Cow<'j, str>,
    #[serde(borrow)]
    data: Cow<'j, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Finding<'j> {
    #[serde(borrow)]
    point: Cow<'j, str>,
    #[serde(borrow)]
    excerpt: Cow<'j, str>,
    #[serde(borrow)]
    why: Cow<'j, str>,
}

impl<'j> EventColumns<'j> {
    /// Of a record; nothing of one that has another shape.
    pub(crate) fn of(json: &'j str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// The kind of attack that decided, else the first that was found.
    pub(crate) fn attack(&self) -> &str {
        self.attack.as_deref().or_else(|| self.attacks.first().map(|attack| &**attack)).unwrap_or_default()
    }

    /// Ids of its rules, each once.
    pub(crate) fn rule_ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self.rules.iter().filter_map(|rule| rule.id.parse().ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// All that is searched by words.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(512);
        for part in [
            &self.method,
            &self.path,
            &self.authority,
            &self.user_agent,
            &self.msg,
            &self.request_id,
            &self.client_request_id,
            &self.trace_id,
            &self.host,
            &self.dataplane,
            &self.service,
            &self.source.ip,
            &self.source.namespace,
            &self.source.name,
        ] {
            push(&mut text, part);
        }
        for rule in &self.rules {
            let _ = writeln!(text, "{} {} {}", rule.id, rule.message, rule.data);
        }
        for finding in &self.findings {
            let _ = writeln!(text, "{} {} {}", finding.point, finding.excerpt, finding.why);
        }
        for attack in &self.attacks {
            push(&mut text, attack);
        }
        text
    }
}

fn push(text: &mut String, part: &str) {
    if !part.is_empty() {
        text.push_str(part);
        text.push('\n');
    }
}

/// Of an L7 record.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TrafficColumns<'j> {
    pub(crate) count: u64,
    pub(crate) blocked: u64,
    pub(crate) would_block: u64,
    #[serde(borrow)]
    pub(crate) service: Cow<'j, str>,
    #[serde(borrow)]
    pub(crate) src_name_aggr: Cow<'j, str>,
    #[serde(borrow)]
    pub(crate) src_namespace: Cow<'j, str>,
    #[serde(borrow)]
    pub(crate) response_code: Cow<'j, str>,
    #[serde(borrow)]
    pub(crate) dataplane: Cow<'j, str>,
}

impl<'j> TrafficColumns<'j> {
    /// Of a record; nothing of one that has another shape.
    pub(crate) fn of(json: &'j str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// `5xx`; `none` where there was no answer.
    pub(crate) fn class(&self) -> &'static str {
        match self.response_code.as_bytes().first() {
            Some(b'1') => "1xx",
            Some(b'2') => "2xx",
            Some(b'3') => "3xx",
            Some(b'4') => "4xx",
            Some(b'5') => "5xx",
            _ => "none",
        }
    }

    /// Who asked, as one text: `namespace/name`, or the name of those outside.
    pub(crate) fn source(&self) -> String {
        match &*self.src_namespace {
            "" | "-" => self.src_name_aggr.to_string(),
            namespace => format!("{namespace}/{}", self.src_name_aggr),
        }
    }
}
