//! Calls to webhooks, and e-mails.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::mail::{self, Mail, MailTls, Refused};
use super::webhook::{Consumer, SecurityEventWebhook, WebhookState};
use crate::query::nanoseconds;
use crate::sinks::client::{Client, roots};
use crate::sinks::{Auth, Delivered, Document, HttpSetting, Say, Secrets, Transport};

/// A webhook that can be called.
#[derive(Debug)]
pub struct Hook {
    webhook: SecurityEventWebhook,
    secrets: Secrets,
    client: Option<Client>,
    say: Say,
}

impl Hook {
    /// For a webhook. Secrets are read when it is called.
    ///
    /// # Errors
    /// What cannot be used, in words.
    pub fn new(webhook: &SecurityEventWebhook, secrets: &Secrets, say: &Say) -> Result<Self, String> {
        let config = |name: &str| webhook.config.get(name).cloned();
        let client = match webhook.consumer {
            Consumer::Email => None,
            consumer => {
                let password = if consumer == Consumer::Jira { "apiToken" } else { "password" };
                let auth = match (config("username"), config(password), config("bearerToken")) {
                    (_, _, Some(token)) => Auth::Bearer(token),
                    (Some(user), Some(password), None) => Auth::Basic(user, password),
                    _ => Auth::None,
                };
                let ca = config("ca").map(|ca| secrets.read(&ca)).transpose()?.map(Into::into);
                let url = config("url").ok_or("it has no url")?;
                let http = HttpSetting { url, ca, auth, timeout: TIMEOUT };
                Some(Client::new(&http, secrets)?)
            }
        };
        Ok(Self { webhook: webhook.clone(), secrets: secrets.clone(), client, say: say.clone() })
    }

    /// Tells it of an event.
    ///
    /// # Errors
    /// Why it was not told, and whether it may be told later.
    pub fn tell(&self, event: &Value) -> Result<String, Failure> {
        let config = self.config().map_err(Failure::later)?;
        let payload = self.webhook.consumer.payload(event, &config);
        let Some(client) = &self.client else { return mail(event, &payload, &config) };
        let path = self.webhook.consumer.path(config.get("url").map_or("", String::as_str));
        let body = payload.to_string();
        let headers = [("content-type", "application/json")];
        let answer = client.request("POST", path, &headers, Some(body.as_bytes())).map_err(Failure::later)?;
        let said = format!("answered with {}", answer.status);
        match answer.status {
            200..300 => Ok(said),
            _ => {
                let temporary = answer.is_temporary();
                Err(Failure { problem: said, temporary, wait: answer.retry_after })
            }
        }
    }

    fn config(&self) -> Result<BTreeMap<&str, String>, String> {
        let mut config = BTreeMap::new();
        for (name, reference) in &self.webhook.config {
            config.insert(&**name, self.secrets.read(reference)?);
        }
        Ok(config)
    }
}

/// Why somebody was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In words, without secrets.
    pub problem: String,
    /// It may be otherwise later.
    pub temporary: bool,
    /// How long the other side wants to be left alone.
    pub wait: Option<Duration>,
}

impl Failure {
    fn later(problem: String) -> Self {
        Self { problem, temporary: true, wait: None }
    }

    fn never(problem: String) -> Self {
        Self { problem, temporary: false, wait: None }
    }
}

impl Transport for Hook {
    fn deliver(&mut self, documents: &[Document]) -> Delivered {
        let mut delivered = Delivered::default();
        for (place, document) in documents.iter().enumerate() {
            let event: Value = serde_json::from_str(&document.json).unwrap_or_default();
            match self.tell(&event) {
                Ok(said) if self.webhook.state == WebhookState::Debug => {
                    self.say
                        .say(&format!("webhook {}: event {:032x} {said}", self.webhook.name, document.id));
                }
                Ok(_) => {}
                Err(failure) if failure.temporary => {
                    delivered.again = (place..documents.len()).collect();
                    delivered.problem = Some(failure.problem);
                    delivered.wait = failure.wait;
                    return delivered;
                }
                Err(failure) => {
                    delivered.refused += 1;
                    delivered.problem = Some(failure.problem);
                }
            }
        }
        delivered
    }
}

/// Sends an e-mail.
fn mail(event: &Value, payload: &Value, config: &BTreeMap<&str, String>) -> Result<String, Failure> {
    let text = |key: &str| config.get(key).map_or("", String::as_str);
    let word = |key: &str| payload[key].as_str().unwrap_or_default();
    let tls = MailTls::parse(text("tls")).map_err(Failure::never)?;
    let roots = match tls {
        MailTls::None => Vec::new(),
        _ => roots(config.get("ca").map(std::path::Path::new)).map_err(Failure::later)?,
    };
    let id = event["id"].as_str().unwrap_or_default();
    // It is quoted in a header.
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let mail = Mail {
        server: text("server"),
        tls,
        login: config.get("username").map(|user| (user.as_str(), text("password"))),
        from: text("from").trim(),
        to: text("to").split(',').map(str::trim).filter(|to| !to.is_empty()).collect(),
        subject: word("subject"),
        text: word("text"),
        time_ms: nanoseconds(event["time"].as_str().unwrap_or_default())
            .and_then(|nanoseconds| u64::try_from(nanoseconds / 1_000_000).ok())
            .unwrap_or_default(),
        id: &id,
    };
    match mail::send(&mail, roots) {
        Ok(()) => Ok("taken by the mail server".to_owned()),
        Err(Refused::Later(problem)) => Err(Failure::later(problem)),
        Err(Refused::Never(problem)) => Err(Failure::never(problem)),
    }
}

const TIMEOUT: Duration = Duration::from_secs(30);
