//! Whether sinks are what they say.

use std::collections::HashSet;

use super::Checks;
use crate::node::Origin;
use crate::sections::Config;
use crate::sinks::{HttpAuth, Sink};

/// Each is two threads.
const SINKS_MAX: usize = 16;

impl Checks<'_> {
    pub(super) fn sinks(&mut self, config: &Config) {
        self.need_events(config);
        let mut names = HashSet::new();
        for (number, sink) in config.events.sinks.iter().enumerate() {
            let (key, origin) = (format!("events.sinks[{number}]"), sink.origin());
            if number == SINKS_MAX {
                let help = "have a collector hand them on to others";
                self.error(&key, origin, format!("there are more than {SINKS_MAX} sinks"), help);
                return;
            }
            let kinds = sink.kinds();
            if kinds.len() != 1 {
                let message = match kinds.is_empty() {
                    true => "a sink that leads nowhere".to_owned(),
                    false => format!("a sink is one of {}", kinds.join(" and ")),
                };
                let help = "write one of `elasticsearch`, `file`, `syslog`, `webhook` and `otlp`, and a sink for each";
                self.error(&key, origin, message, help);
                continue;
            }
            let name = sink.name();
            if !names.insert(name.to_owned()) {
                let help = "add `name:` with a name of its own";
                self.error(&key, origin, format!("two sinks have the name {name}"), help);
            }
            if let Some(webhook) = &sink.webhook
                && webhook.url.is_some() == webhook.url_file.is_some()
            {
                let help = "write one of `url` and `urlFile`";
                self.error(&key, origin, "a webhook has one URL".to_owned(), help);
            }
            let auths = [
                sink.elasticsearch.as_ref().map(|sink| &sink.auth),
                sink.webhook.as_ref().map(|sink| &sink.auth),
                sink.otlp.as_ref().map(|sink| &sink.auth),
            ];
            for wrong in auths.into_iter().flatten().filter_map(wrong) {
                self.error(&format!("{key}.auth"), origin, wrong.0.to_owned(), wrong.1);
            }
        }
    }
}

impl Checks<'_> {
    /// Whether who takes traces can be told who we are.
    pub(super) fn tracing(&mut self, config: &Config) {
        let Some(otlp) = &config.tracing.otlp else { return };
        if let Some(wrong) = wrong(&otlp.auth) {
            self.error("tracing.otlp.auth", Origin::Default, wrong.0.to_owned(), wrong.1);
        }
    }

    /// Whether a data plane can say to its collector who it is.
    pub(super) fn collector(&mut self, config: &Config) {
        let Some(collector) = &config.events.collector else { return };
        let (key, origin) = ("events.collector", collector.origin());
        let ways = (collector.cert.is_some(), collector.key.is_some(), collector.token_file.is_some());
        if !matches!(ways, (true, true, false) | (false, false, true)) {
            let message = "a data plane shows a certificate or a token".to_owned();
            self.error(key, origin, message, "write `cert` and `key`, or `tokenFile`");
        }
        if !config.events.enabled {
            let message = "the collector gets nothing: `events.enabled` is false".to_owned();
            self.warning(key, origin, message, "remove `events.enabled: false`, or what needs events");
        }
    }

    /// What lives on events does nothing without them.
    fn need_events(&mut self, config: &Config) {
        if config.events.enabled {
            return;
        }
        let help = "remove `events.enabled: false`, or what needs events";
        if let Some(sink) = config.events.sinks.first() {
            let message = "sinks get nothing: `events.enabled` is false".to_owned();
            self.warning("events.sinks", sink.origin(), message, help);
        }
        let file = config.alerts.as_ref().and_then(|alerts| alerts.files.first());
        if file.is_some() {
            let message = "alerts are never asked: `events.enabled` is false".to_owned();
            self.warning("alerts", Origin::Default, message, help);
        }
    }
}

/// What does not fit in credentials, and what to write.
fn wrong(auth: &HttpAuth) -> Option<(&'static str, &'static str)> {
    let password = usize::from(auth.password_file.is_some()) + usize::from(auth.password_env.is_some());
    let key = usize::from(auth.api_key_file.is_some()) + usize::from(auth.api_key_env.is_some());
    let token = usize::from(auth.token_file.is_some()) + usize::from(auth.token_env.is_some());
    let basic = auth.username.is_some() || password > 0;
    if usize::from(basic) + key + token > 1 {
        return Some((
            "there is more than one way to say who asks",
            "write a password, an API key or a token",
        ));
    }
    if basic && (auth.username.is_none() || password != 1) {
        return Some((
            "a name and its password go together",
            "write `username` and one of `passwordFile` and `passwordEnv`",
        ));
    }
    None
}

impl Sink {
    /// What it says that it is.
    fn kinds(&self) -> Vec<&'static str> {
        let kinds = [
            ("elasticsearch", self.elasticsearch.is_some()),
            ("file", self.file.is_some()),
            ("syslog", self.syslog.is_some()),
            ("webhook", self.webhook.is_some()),
            ("otlp", self.otlp.is_some()),
        ];
        kinds.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match &self.name {
            Some(name) => name.as_str(),
            None => self.kinds().first().copied().unwrap_or("sink"),
        }
    }
}
