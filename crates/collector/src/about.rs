//! What a data plane says of itself, for the inventory.

use serde::{Deserialize, Serialize};

/// How a data plane is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// `starting`, `ready` or `draining`.
    pub state: String,
    /// Why requests should go elsewhere, where they should.
    pub problem: Option<String>,
    /// When its process started, in milliseconds since 1970.
    pub started: u64,
    /// The revision of its configuration: 64 hexadecimal digits of what its files hold.
    pub revision: String,
    /// Rules in force.
    pub rules: Vec<RulesAbout>,
    /// Services that it protects.
    pub services: Vec<ServiceAbout>,
    /// Objects that are not as they are configured, in words.
    pub stale: Vec<String>,
    /// Bytes that wait in its spool.
    pub spool_bytes: u64,
    /// Records that were dropped because its spool was full.
    pub spool_dropped: u64,
    /// How far it has done what the console said of exceptions.
    pub excepted: ExceptedAbout,
}

/// What has become of exceptions that were set at the console.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExceptedAbout {
    /// Whether it does what the console says; one of an older version does not say that it would.
    pub follows: bool,
    /// The revision that it has put in force as far as it could.
    pub revision: u64,
    /// Services whose exceptions could not be put in force, and why.
    pub refused: Vec<(String, String)>,
}

/// Rules in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RulesAbout {
    /// Their name: that of a profile.
    pub name: String,
    /// How many there are.
    pub rules: u64,
    /// What they were made of, in hexadecimal digits: the same at two data planes, the same rules.
    pub digest: String,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceAbout {
    /// Its name.
    pub name: String,
    /// The number of its application.
    pub application: Option<u32>,
    /// The mode in force.
    pub mode: String,
    /// Where it comes from: `run-time`, `service` or `profile`.
    pub mode_from: String,
    /// The mode that its configuration says.
    pub mode_written: String,
    /// How far a mode set at run time may go: `on`, `strict` or `off`.
    pub mode_override: String,
    /// The namespace of its workload; `-` where it is not known.
    pub namespace: String,
    /// The workload's name, or the service's.
    pub workload: String,
}

/// Bytes that it is read from at most.
const BYTES_MAX: usize = 1 << 20;
/// Services and rule sets that are told.
pub(crate) const ITEMS_MAX: usize = 2_000;
/// Objects that are not as they are configured, that are told.
const STALE_MAX: usize = 50;
/// Bytes of a text.
const TEXT_MAX: usize = 1024;

impl About {
    /// As it is sent: within the bounds that it is read with.
    pub(crate) fn said(mut self) -> String {
        self.bound();
        let said = serde_json::to_string(&self).unwrap_or_default();
        if said.len() <= BYTES_MAX {
            return said;
        }
        let fewer = Self { rules: Vec::new(), services: Vec::new(), stale: Vec::new(), ..self };
        let excepted = ExceptedAbout { refused: Vec::new(), ..fewer.excepted };
        let fewer = Self { excepted, ..fewer };
        serde_json::to_string(&fewer).unwrap_or_default()
    }

    /// What was said; nothing of what is none.
    pub(crate) fn heard(said: &str) -> Option<Self> {
        let mut about: Self = (said.len() <= BYTES_MAX).then(|| serde_json::from_str(said).ok()).flatten()?;
        about.bound();
        Some(about)
    }

    fn bound(&mut self) {
        self.rules.truncate(ITEMS_MAX);
        self.services.truncate(ITEMS_MAX);
        self.stale.truncate(STALE_MAX);
        self.excepted.refused.truncate(STALE_MAX);
        let refused = self.excepted.refused.iter_mut();
        refused.flat_map(|(service, why)| [service, why]).for_each(cut);
        let texts = [&mut self.state, &mut self.revision].into_iter().chain(&mut self.problem);
        let texts = texts.chain(&mut self.stale);
        let texts = texts.chain(self.rules.iter_mut().flat_map(|rules| [&mut rules.name, &mut rules.digest]));
        let texts = texts.chain(self.services.iter_mut().flat_map(|service| {
            let ServiceAbout {
                name, mode, mode_from, mode_written, mode_override, namespace, workload, ..
            } = service;
            [name, mode, mode_from, mode_written, mode_override, namespace, workload]
        }));
        texts.for_each(cut);
    }
}

/// At most [`TEXT_MAX`] bytes of a text, without what a terminal acts on.
pub(crate) fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(TEXT_MAX));
    if text.contains(char::is_control) {
        *text = text.replace(char::is_control, " ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_heard_within_bounds() {
        let about = About {
            state: "ready".to_owned(),
            services: vec![ServiceAbout { name: "web".to_owned(), ..ServiceAbout::default() }],
            ..About::default()
        };
        assert_eq!(About::heard(&about.clone().said()), Some(about));
        let service = ServiceAbout { name: "x\u{1b}".repeat(10_000), ..ServiceAbout::default() };
        let many = About { services: vec![service; 3 * ITEMS_MAX], ..About::default() };
        let heard = About::heard(&many.said()).unwrap();
        assert!(heard.services.len() <= ITEMS_MAX);
        assert!(heard.services.iter().all(|service| service.name.len() <= TEXT_MAX));
        for none in ["", "7", "{\"services\":7}", &" ".repeat(2 * BYTES_MAX)] {
            assert_eq!(About::heard(none), None);
        }
    }
}
