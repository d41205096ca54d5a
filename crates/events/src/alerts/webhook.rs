//! SecurityEventWebhook: who is told of events, and in which form. Pure: calls are made by `deliver`.

use std::collections::BTreeMap;

use palisade_yaml::reader::Reader;
use palisade_yaml::{Node, quoted};
use serde_json::{Value, json};

use super::event::first_text;
use super::kinds::{event_query, required};
use crate::query::Query;
use crate::sinks::Reference;

/// Somebody who is told of events.
#[derive(Clone, Debug, PartialEq)]
pub struct SecurityEventWebhook {
    /// Its name.
    pub name: Box<str>,
    /// Which form they are told in.
    pub consumer: Consumer,
    /// Whether they are told.
    pub state: WebhookState,
    /// Of which events.
    pub query: Query,
    /// What the consumer has to be told for it, by name: those of [`Consumer::keys`].
    pub config: BTreeMap<Box<str>, Reference>,
}

/// A form in which somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consumer {
    /// The event as it is, by POST.
    Generic,
    /// A message by Slack's incoming webhooks.
    Slack,
    /// An alert of Prometheus's Alertmanager, by its API v2.
    AlertManager,
    /// An issue.
    Jira,
    /// An e-mail. Ours.
    Email,
}

/// Whether somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WebhookState {
    /// They are.
    Enabled,
    /// They are not.
    Disabled,
    /// Only by `palisade alerts test`.
    Test,
    /// They are, and each call is logged.
    Debug,
}

impl WebhookState {
    const WORDS: [(&'static str, Self); 4] = [
        ("Enabled", Self::Enabled),
        ("Disabled", Self::Disabled),
        ("Test", Self::Test),
        ("Debug", Self::Debug),
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }

    /// Whether events go out by themselves.
    #[must_use]
    pub const fn delivers(self) -> bool {
        matches!(self, Self::Enabled | Self::Debug)
    }
}

/// Something that a consumer has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigKey {
    /// Its name.
    pub name: &'static str,
    /// It has to be there.
    pub required: bool,
    /// It is not to be written down.
    pub secret: bool,
}

const fn key(name: &'static str, required: bool, secret: bool) -> ConfigKey {
    ConfigKey { name, required, secret }
}

impl Consumer {
    const WORDS: [(&'static str, Self); 5] = [
        ("Slack", Self::Slack),
        ("Jira", Self::Jira),
        ("Generic", Self::Generic),
        ("AlertManager", Self::AlertManager),
        ("Email", Self::Email),
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }

    /// What it has to be told.
    #[must_use]
    pub const fn keys(self) -> &'static [ConfigKey] {
        match self {
            Self::Generic | Self::AlertManager => {
                const {
                    &[
                        key("url", true, false),
                        key("username", false, false),
                        key("password", false, true),
                        key("bearerToken", false, true),
                        key("ca", false, false),
                    ]
                }
            }
            Self::Slack => const { &[key("url", true, false), key("ca", false, false)] },
            Self::Jira => {
                const {
                    &[
                        key("url", true, false),
                        key("project", true, false),
                        key("issueType", true, false),
                        key("username", true, false),
                        key("apiToken", true, true),
                        key("ca", false, false),
                    ]
                }
            }
            Self::Email => {
                const {
                    &[
                        key("server", true, false),
                        key("from", true, false),
                        key("to", true, false),
                        key("tls", false, false),
                        key("username", false, false),
                        key("password", false, true),
                        key("ca", false, false),
                    ]
                }
            }
        }
    }

    /// The path below a URL that calls go to; empty where the URL is the whole.
    #[must_use]
    pub fn path(self, url: &str) -> &'static str {
        let path = match self {
            Self::Generic | Self::Slack | Self::Email => "",
            Self::AlertManager => "/api/v2/alerts",
            Self::Jira => "/rest/api/2/issue",
        };
        if url.trim_end_matches('/').ends_with(path) { "" } else { path }
    }

    /// What it is told of an event.
    #[must_use]
    pub fn payload(self, event: &Value, config: &BTreeMap<&str, String>) -> Value {
        let text = |key: &str| first_text(event, key).unwrap_or_default();
        match self {
            Self::Generic => event.clone(),
            Self::Slack => json!({ "text": slack(event) }),
            Self::AlertManager => {
                let mut labels = BTreeMap::new();
                for (label, key) in [
                    ("type", "type"),
                    ("severity", "severity"),
                    ("fingerprint", "fingerprint"),
                    ("source_ip", "source_ip"),
                    ("dest_name", "dest_name"),
                    ("dest_namespace", "dest_namespace"),
                    ("instance", "host"),
                ] {
                    labels.insert(label, clip(&text(key), 256));
                }
                labels.retain(|_, value| !value.is_empty());
                labels.insert("alertname", clip(&text("origin"), 256));
                let annotations = json!({
                    "summary": clip(&text("description"), 1024),
                    "event": clip(&text("id"), 64),
                });
                json!([{ "labels": labels, "annotations": annotations, "startsAt": text("time") }])
            }
            Self::Jira => {
                let config = |key: &str| config.get(key).cloned().unwrap_or_default();
                json!({"fields": {
                    "project": {"key": config("project")},
                    "issuetype": {"name": config("issueType")},
                    "summary": subject(event),
                    // What stands between the braces is no markup.
                    "description": format!("{{noformat}}{}{{noformat}}", body(event).replace("{noformat}", "")),
                }})
            }
            Self::Email => json!({ "subject": subject(event), "text": body(event) }),
        }
    }
}

/// One line that says what happened.
fn subject(event: &Value) -> String {
    let text = |key: &str| first_text(event, key).unwrap_or_default();
    clip(&format!("[palisade] {}: {}", text("origin"), text("description")), 200)
}

/// All that is known, for people.
fn body(event: &Value) -> String {
    let text = |key: &str| first_text(event, key).unwrap_or_default();
    let whole = serde_json::to_string_pretty(event).unwrap_or_default();
    let whole: String = whole.chars().take(BODY_CHARS_MAX).collect();
    format!("{}\n\n{}\n", clip(&text("description"), 1024), whole)
}

/// A message in Slack's form: `&`, `<` and `>` escaped, so that nothing in it is a link or calls anybody.
fn slack(event: &Value) -> String {
    let text = |key: &str| {
        let text = clip(&first_text(event, key).unwrap_or_default(), 1024);
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    };
    let mut message =
        format!("*{}* (severity {}): {}", text("origin"), text("severity"), text("description"));
    let ends =
        [("source_ip", "from"), ("source_name", "that is"), ("dest_name", "to"), ("dest_namespace", "in")];
    for (key, word) in ends {
        let value = text(key);
        if !value.is_empty() {
            message.push_str(&format!(" {word} {value}"));
        }
    }
    message
}

/// A text on one line, of at most so many characters.
fn clip(text: &str, chars_max: usize) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(chars_max).collect()
}

const BODY_CHARS_MAX: usize = 20_000;

pub(super) fn read(reader: &mut Reader, spec: &Node, name: &str) -> Option<SecurityEventWebhook> {
    let fields = reader.fields(spec, &["consumer", "state", "query", "config"])?;
    let consumer = required(reader, spec, &fields, ("consumer", "Slack"), |reader, node| {
        reader.word(node, "consumer", &Consumer::WORDS)
    });
    let state = reader.at(&fields, "state", |reader, node| reader.word(node, "state", &WebhookState::WORDS));
    let query = match fields.get("query") {
        Some(_) => reader.at(&fields, "query", event_query),
        None => Some(Query::all()),
    };
    let mut config = BTreeMap::new();
    let consumer = consumer?;
    reader.each(&fields, "config", |reader, node| {
        let (key, value) = entry(reader, node, consumer)?;
        if config.insert(key.into(), value).is_some() {
            reader.error(node, format!("{} stands twice", quoted(key)), "remove one of them");
        }
        Some(())
    });
    for key in consumer.keys() {
        if key.required && !config.contains_key(key.name) {
            let message = format!("the config has no {}", quoted(key.name));
            let help = match key.secret {
                true => format!(
                    "add `- {{name: {}, valueFrom: {{secretKeyRef: {{name: NAME, key: KEY}}}}}}`",
                    key.name
                ),
                false => format!("add `- {{name: {}, value: VALUE}}`", key.name),
            };
            reader.error(fields.get("config").unwrap_or(spec), message, help.as_str());
        }
    }
    let state = state.unwrap_or(WebhookState::Enabled);
    Some(SecurityEventWebhook { name: name.into(), consumer, state, query: query?, config })
}

fn entry(reader: &mut Reader, node: &Node, consumer: Consumer) -> Option<(&'static str, Reference)> {
    let fields = reader.fields(node, &["name", "value", "valueFrom"])?;
    let words: Vec<(&str, ConfigKey)> = consumer.keys().iter().map(|key| (key.name, *key)).collect();
    let key = required(reader, node, &fields, ("name", "url"), |reader, node| {
        reader.word(node, "part of this consumer's config", &words)
    })?;
    reader.not_both(&fields, "value", "valueFrom");
    if let Some(value) = fields.get("value") {
        if key.secret {
            let help = "write valueFrom: {secretKeyRef: {name, key}}, {file: PATH} or {env: NAME}";
            reader.error(value, format!("`{}` is a secret and is not written down", key.name), help);
            return None;
        }
        return Some((key.name, Reference::Value(reader.text(value)?.to_owned())));
    }
    let reference = required(reader, node, &fields, ("valueFrom", "{file: PATH}"), |reader, from| {
        let fields = reader.fields(from, &["secretKeyRef", "configMapKeyRef", "file", "env"])?;
        if let Some(path) = reader.at(&fields, "file", Reader::text) {
            return Some(Reference::File(path.into()));
        }
        if let Some(name) = reader.at(&fields, "env", Reader::text) {
            return Some(Reference::Env(name.to_owned()));
        }
        for kind in ["secretKeyRef", "configMapKeyRef"] {
            if fields.get(kind).is_none() {
                continue;
            }
            return reader.at(&fields, kind, |reader, node| {
                let fields = reader.fields(node, &["name", "key", "optional"])?;
                let mut part = |part| {
                    required(reader, node, &fields, (part, "NAME"), |reader, node| {
                        let text = reader.text(node)?;
                        // They become a path.
                        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                        if text.is_empty() || text.starts_with("..") || !text.bytes().all(fits) {
                            let help = "names have letters, digits, `-`, `_` and `.`";
                            reader.error(node, format!("{} is not a name", quoted(text)), help);
                            return None;
                        }
                        Some(text.to_owned())
                    })
                };
                let (name, key) = (part("name"), part("key"));
                Some(Reference::Mounted(name?, key?))
            });
        }
        let help =
            "write {secretKeyRef: {name, key}}, {configMapKeyRef: {name, key}}, {file: PATH} or {env: NAME}";
        reader.error(from, "a value from nowhere", help);
        None
    })?;
    Some((key.name, reference))
}
