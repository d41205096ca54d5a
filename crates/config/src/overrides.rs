//! Flags: each lies over the value that it means, or is refused where the file has several of them.

use crate::decode::Decoder;
use crate::diagnostic::Severity;
use crate::node::{Key, Node, Origin, Value};

/// What flags say. Texts are read as those of the file are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen`: the address of the only listener.
    pub listen: Option<String>,
    /// `--upstream`: the URL of the only service.
    pub upstream: Option<String>,
    /// `--mode`: of every profile.
    pub mode: Option<String>,
    /// `--crs`: of the only profile.
    pub crs: Option<String>,
    /// `--paranoia`: of the only profile.
    pub paranoia: Option<String>,
    /// `--rules-before`: of the only profile, in place of the file's.
    pub rules_before: Vec<String>,
    /// `--rules`: of the only profile, in place of the file's.
    pub rules: Vec<String>,
    /// `--detect`: of every profile.
    pub detect: Option<bool>,
    /// `--admin`: the admin listener's address, or `off`.
    pub admin: Option<String>,
    /// `--admin-token-file`.
    pub admin_token_file: Option<String>,
    /// `--error-log`.
    pub error_log: Option<String>,
    /// `--audit-log`.
    pub audit_log: Option<String>,
    /// `--audit-format`.
    pub audit_format: Option<String>,
    /// `--dikastes-log`.
    pub dikastes_log: bool,
    /// `--access-log`.
    pub access_log: Option<String>,
    /// `--health-path`: of the only listener.
    pub health_path: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<String>,
}

impl Overrides {
    /// Lays them over a tree.
    pub(crate) fn lay_over(&self, root: &mut Node, decoder: &mut Decoder) {
        let one = |path: &[&str], flag: &'static str, text: &Option<String>, root: &mut Node| {
            if let Some(text) = text {
                let node = Node::text(text, Origin::Flag(flag));
                // Something else stands on the way: decoding says so.
                let _ = set(root, path, node);
            }
        };
        one(&["admin", "address"], "--admin", &self.admin, root);
        one(&["admin", "tokenFile"], "--admin-token-file", &self.admin_token_file, root);
        one(&["dataDir"], "--data-dir", &self.data_dir, root);
        one(&["logs", "error"], "--error-log", &self.error_log, root);
        one(&["logs", "audit"], "--audit-log", &self.audit_log, root);
        one(&["logs", "auditFormat"], "--audit-format", &self.audit_format, root);
        one(&["logs", "access"], "--access-log", &self.access_log, root);
        one(&["logs", "dikastes"], "--dikastes-log", &self.dikastes_log.then(|| "true".to_owned()), root);

        let listener =
            [("--listen", "address", &self.listen), ("--health-path", "healthPath", &self.health_path)];
        for (flag, key, text) in listener {
            if let Some(text) = text {
                only(root, "listeners", flag, "listener", decoder, |listener, flag| {
                    if listener.get("name").is_none() {
                        listener.set("name", Node::text("web", Origin::Default));
                    }
                    if listener.get("address").is_none() {
                        listener.set("address", Node::text(crate::read::LISTEN, Origin::Default));
                    }
                    listener.set(key, Node::text(text, flag));
                });
            }
        }
        if let Some(url) = &self.upstream {
            only(root, "services", "--upstream", "service", decoder, |service, flag| {
                if service.get("name").is_none() {
                    service.set("name", Node::text("web", Origin::Default));
                }
                set(service, &["upstream", "url"], Node::text(url, flag));
            });
        }

        let paths = |paths: &[String], flag| {
            (!paths.is_empty())
                .then(|| Node::list(paths.iter().map(|path| Node::text(path, flag)).collect(), flag))
        };
        let flag = Origin::Flag;
        let rules = [
            ("--crs", "crs", self.crs.as_ref().map(|crs| Node::text(crs, flag("--crs")))),
            (
                "--paranoia",
                "paranoia",
                self.paranoia.as_ref().map(|level| Node::text(level, flag("--paranoia"))),
            ),
            ("--rules-before", "before", paths(&self.rules_before, flag("--rules-before"))),
            ("--rules", "files", paths(&self.rules, flag("--rules"))),
        ];
        for (name, key, node) in rules {
            let Some(node) = node else { continue };
            match profiles(root) {
                Some(profiles) if profiles.len() == 1 => {
                    let _ = set(&mut profiles[0].1, &["rules", key], node);
                }
                Some(profiles) => refuse(name, "profile", profiles.len(), decoder),
                None => {}
            }
        }
        if let Some(mode) = &self.mode {
            for (_, profile) in profiles(root).into_iter().flatten() {
                set(profile, &["mode"], Node::text(mode, flag("--mode")));
            }
        }
        if let Some(detect) = self.detect {
            for (_, profile) in profiles(root).into_iter().flatten() {
                set(profile, &["detect", "enabled"], Node::text(detect.to_string(), flag("--detect")));
            }
        }
    }
}

/// The profiles, of which there is `default` when there are none. `None` when something else stands there.
fn profiles(root: &mut Node) -> Option<&mut Vec<(Key, Node)>> {
    let profiles = root.child("profiles")?;
    if matches!(&profiles.value, Value::Map(entries) if entries.is_empty()) {
        profiles.set("default", Node::empty_map(Origin::Default));
    }
    match &mut profiles.value {
        Value::Map(entries) => Some(entries),
        _ => None,
    }
}

/// Changes the only item of a list, which is made when there is none.
fn only(
    root: &mut Node,
    list: &str,
    flag: &'static str,
    what: &str,
    decoder: &mut Decoder,
    change: impl FnOnce(&mut Node, Origin),
) {
    let absent = match root.get(list) {
        None => true,
        Some(node) => node.value == Value::Null || node.value == Value::List(Vec::new()),
    };
    if absent && !root.set(list, Node::list(vec![Node::empty_map(Origin::Flag(flag))], Origin::Flag(flag))) {
        return;
    }
    let Value::Map(entries) = &mut root.value else { return };
    let items = entries.iter_mut().find(|(key, _)| key.name == list).map(|(_, node)| &mut node.value);
    match items {
        Some(Value::List(items)) if items.len() == 1 => change(&mut items[0], Origin::Flag(flag)),
        Some(Value::List(items)) => refuse(flag, what, items.len(), decoder),
        // Decoding says that this is no list.
        _ => {}
    }
}

fn refuse(flag: &'static str, what: &str, count: usize, decoder: &mut Decoder) {
    let message = format!("the file has {count} {what}s, so it is not clear which one is meant");
    let help = format!("write it in the file, at the {what} that is meant");
    decoder.report(Severity::Error, Origin::Flag(flag), message, Some(help));
}

/// Sets a value at a path of keys. Says whether it could.
fn set(node: &mut Node, path: &[&str], value: Node) -> bool {
    match path {
        [] => false,
        [key] => node.set(key, value),
        [key, rest @ ..] => node.child(key).is_some_and(|child| set(child, rest, value)),
    }
}
