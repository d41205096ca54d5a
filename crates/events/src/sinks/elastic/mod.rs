//! Elasticsearch and OpenSearch, by the bulk API.
//!
//! Documents are created, not indexed: one that is there already is a conflict, and a conflict is well. So what is sent
//! twice is stored once. Each item's answer is judged by itself: there or created, later (429, 5xx), or never.

mod bulk;
pub mod template;
#[cfg(test)]
mod tests;

use palisade_model::Calendar;
use serde_json::Value;

use super::client::{Client, HttpSetting};
use super::document::{Document, Kind};
use super::secret::Secrets;
use super::webhook::post;
use super::worker::{Delivered, Say, Transport};
use bulk::Verdict;

/// Where to, and into which indices.
#[derive(Clone, Debug, PartialEq)]
pub struct ElasticSetting {
    /// The server.
    pub http: HttpSetting,
    /// The begin of the index of decisions: `tigera_secure_ee_waf`.
    pub waf_index: String,
    /// The begin of the index of L7 records.
    pub l7_index: String,
    /// The begin of the index of alerts' events.
    pub events_index: String,
    /// The cluster in index names.
    pub cluster: String,
    /// Whether index templates are put there before the first record.
    pub templates: bool,
    /// Whether bodies are compressed.
    pub gzip: bool,
}

impl ElasticSetting {
    fn prefix(&self, kind: Kind) -> &str {
        match kind {
            Kind::Waf => &self.waf_index,
            Kind::L7 => &self.l7_index,
            Kind::Alerts => &self.events_index,
        }
    }

    /// The index of a record: `PREFIX.CLUSTER.YYYYMMDD`, the day in UTC.
    #[must_use]
    pub fn index(&self, kind: Kind, time_ms: u64) -> String {
        let day: String =
            Calendar::new(time_ms, 0).rfc3339().chars().take(10).filter(|char| *char != '-').collect();
        format!("{}.{}.{day}", self.prefix(kind), self.cluster)
    }
}

#[derive(Debug)]
pub(super) struct Elastic {
    client: Client,
    setting: ElasticSetting,
    templates_are_there: bool,
    name: String,
    say: Say,
}

impl Elastic {
    pub(super) fn new(
        setting: &ElasticSetting,
        secrets: &Secrets,
        name: &str,
        say: &Say,
    ) -> Result<Self, String> {
        Ok(Self {
            client: Client::new(&setting.http, secrets)?,
            setting: setting.clone(),
            templates_are_there: !setting.templates,
            name: name.to_owned(),
            say: say.clone(),
        })
    }

    /// Puts the index templates there. What the server refuses for good is said once: records are worth more.
    fn put_templates(&mut self) -> Result<(), String> {
        let about = self.client.request("GET", "/", &[], None)?;
        if about.is_temporary() && about.status != 403 {
            return Err(format!("answered with {}", about.status));
        }
        let about: Value = serde_json::from_slice(&about.body).unwrap_or_default();
        let engine = match about["version"]["distribution"] == "opensearch" {
            true => template::Engine::OpenSearch,
            false => template::Engine::Elasticsearch,
        };
        for kind in Kind::ALL {
            let prefix = self.setting.prefix(kind);
            let name = format!("{prefix}.palisade");
            let body = template::index_template(kind, &format!("{prefix}.*"), engine).to_string();
            let headers = [("content-type", "application/json")];
            let answer = self.client.request(
                "PUT",
                &format!("/_index_template/{name}"),
                &headers,
                Some(body.as_bytes()),
            )?;
            match answer.status {
                200..300 => {}
                429 | 500.. => {
                    return Err(format!("the index template {name} is answered with {}", answer.status));
                }
                status => {
                    let why = bulk::reason(&answer.body);
                    self.say.say(&format!(
                        "sink {}: the index template {name} is refused with {status}{why}; records go on without it",
                        self.name
                    ));
                }
            }
        }
        self.templates_are_there = true;
        Ok(())
    }

    /// Delivers documents from `first` on; what is too large together goes in halves.
    fn send(&self, documents: &[Document], first: usize, into: &mut Delivered) {
        if documents.is_empty() {
            return;
        }
        let body = bulk::body(documents, &self.setting);
        let all = || first..first + documents.len();
        let headers = [("content-type", "application/x-ndjson"), ("accept", "application/json")];
        let answer = match post(&self.client, "/_bulk", &headers, body, self.setting.gzip) {
            Ok(answer) => answer,
            Err(problem) => {
                into.again.extend(all());
                into.problem = Some(problem);
                return;
            }
        };
        let halves = |into: &mut Delivered| {
            let (one, other) = documents.split_at(documents.len() / 2);
            self.send(one, first, into);
            self.send(other, first + one.len(), into);
        };
        match answer.status {
            200..300 => match bulk::verdicts(&answer.body, documents.len()) {
                Some(verdicts) => {
                    for (place, verdict) in verdicts.into_iter().enumerate() {
                        match verdict {
                            Verdict::Stored => {}
                            Verdict::Again(why) => {
                                into.again.push(first + place);
                                into.problem = Some(why);
                            }
                            Verdict::Never(why) => {
                                into.refused += 1;
                                into.problem.get_or_insert(why);
                            }
                        }
                    }
                }
                None => {
                    into.again.extend(all());
                    into.problem = Some("the answer is none of the bulk API".to_owned());
                }
            },
            // Too large together, or one of them cannot be read.
            400 | 413 if documents.len() > 1 => halves(into),
            _ if answer.is_temporary() => {
                into.again.extend(all());
                into.problem = Some(format!("answered with {}{}", answer.status, bulk::reason(&answer.body)));
                into.wait = into.wait.max(answer.retry_after);
            }
            status => {
                into.refused += documents.len() as u64;
                into.problem = Some(format!("answered with {status}{}", bulk::reason(&answer.body)));
            }
        }
    }
}

impl Transport for Elastic {
    fn deliver(&mut self, documents: &[Document]) -> Delivered {
        if !self.templates_are_there
            && let Err(problem) = self.put_templates()
        {
            return Delivered::none_of(documents.len(), problem);
        }
        let mut delivered = Delivered::default();
        self.send(documents, 0, &mut delivered);
        delivered
    }
}
