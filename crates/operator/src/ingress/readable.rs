//! Whether the data plane's own reader would take a part of a configuration, read alone.

use std::collections::HashMap;

use palisade_config::{File, Overrides, read};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Parts that were read, and what was wrong with them: a change of one object reads its own part alone.
#[derive(Debug, Default)]
pub(crate) struct Readable(HashMap<[u8; 32], Option<String>>);

/// Beyond that many it is forgotten what was read.
const KNOWN_MAX: usize = 100_000;

impl Readable {
    /// What is wrong with services and the routes to them.
    pub(crate) fn wrong_with(&mut self, services: &[Value], routes: &[Value]) -> Option<String> {
        let text = json!({"services": services, "routes": routes}).to_string();
        if self.0.len() >= KNOWN_MAX {
            self.0.clear();
        }
        let known = self.0.entry(Sha256::digest(&text).into()).or_insert_with(|| {
            let read = read(Some(File { text: text.as_bytes(), folder: "" }), &Overrides::default());
            let first = read.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
            first.map(|first| first.message.clone()).or_else(|| read.config.is_none().then(String::new))
        });
        known.clone()
    }
}
