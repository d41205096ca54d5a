//! Security schemes and what operations ask of them.

use palisade_yaml::{Node, Value, nearest, quoted};

use super::{Compiler, text_of};
use crate::operation::{Requirement, Scheme};

impl<'n> Compiler<'n> {
    /// Reads `components.securitySchemes`.
    pub(super) fn security_schemes(&mut self) {
        let Some(schemes) = self.root.get("components").and_then(|node| node.get("securitySchemes")) else {
            return;
        };
        for (name, node) in self.members(schemes) {
            self.path = format!("components.securitySchemes.{name}");
            if let Some(scheme) = self.resolve(node).and_then(|node| self.scheme(node)) {
                self.schemes.insert(name, scheme);
            }
        }
        self.path.clear();
    }

    fn scheme(&mut self, node: &'n Node) -> Option<Scheme> {
        let text = |key: &str| node.get(key).and_then(text_of);
        match text("type") {
            Some("apiKey") => {
                let Some(name) = text("name") else {
                    self.error(node, "a key needs a `name`", "add `name: X-API-Key`");
                    return None;
                };
                match text("in") {
                    Some("header") => Some(Scheme::Header(name.to_ascii_lowercase().into_bytes().into())),
                    Some("query") => Some(Scheme::Query(name.as_bytes().into())),
                    Some("cookie") => Some(Scheme::Cookie(name.as_bytes().into())),
                    _ => {
                        self.error(
                            node,
                            "it is not said where the key is",
                            "write `in: header`, `query` or `cookie`",
                        );
                        None
                    }
                }
            }
            Some("http") => {
                let scheme = text("scheme").unwrap_or("bearer").to_ascii_lowercase();
                Some(Scheme::Http(scheme.into_bytes().into()))
            }
            // Both end in a token of access.
            Some("oauth2" | "openIdConnect") => Some(Scheme::Http(b"bearer"[..].into())),
            Some("mutualTLS") => Some(Scheme::Certificate),
            other => {
                let message = format!("{} is no type of security scheme", quoted(other.unwrap_or_default()));
                self.error(node, message, "write apiKey, http, oauth2, openIdConnect or mutualTLS");
                None
            }
        }
    }

    /// What an operation asks for: the alternatives. None where one of them asks for nothing.
    pub(super) fn security(&mut self, node: Option<&'n Node>) -> Vec<Requirement> {
        let Some(node) = node else { return Vec::new() };
        let mut alternatives = Vec::new();
        let mut open = false;
        for alternative in self.items(node) {
            let mut requirement = Requirement::new();
            if !matches!(alternative.value, Value::Map(_)) {
                self.error(alternative, "a requirement names schemes", "write one such as `{apiKey: []}`");
                continue;
            }
            for (name, node) in self.members(alternative) {
                match self.schemes.get(name) {
                    Some(scheme) => requirement.push(scheme.clone()),
                    None => {
                        let near = nearest(name, self.schemes.keys().copied());
                        let help = match near {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => "declare it in components.securitySchemes".to_owned(),
                        };
                        self.error(
                            node,
                            format!("there is no security scheme {}", quoted(name)),
                            help.as_str(),
                        );
                    }
                }
            }
            open |= requirement.is_empty();
            alternatives.push(requirement);
        }
        if open { Vec::new() } else { alternatives }
    }
}
