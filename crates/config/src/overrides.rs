//! What is said beside the file. Flags and our own variables lie over the value that they mean, or are refused where the
//! file has several of them; what another image's variables say lies under the file, and counts where it is silent.

use crate::decode::Decoder;
use crate::diagnostic::Severity;
use crate::environment::Environment;
use crate::node::{Key, Node, Origin, Value};

/// What is said beside the file: by flags, and by the environment. Texts are read as those of the file are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The environment; flags win over it.
    pub environment: Environment,
    /// `--listen`: the address of the only listener.
    pub listen: Option<String>,
    /// `--upstream`: the URL of the only service.
    pub upstream: Option<String>,
    /// `--ext-authz`: where an Envoy asks.
    pub ext_authz: Option<String>,
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
    /// `--policies`: in place of the file's.
    pub policies: Vec<String>,
    /// `--dial`: the socket that policies come from, in place of the file's.
    pub policy_sync_socket: Option<String>,
    /// `DIKASTES_SUBSCRIPTION_TYPE`: `per-pod` or `per-host`, with or without `-policies` after it, in place of the
    /// file's.
    pub policy_sync_mode: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<String>,
    /// It is for a console: nothing is protected by it.
    pub is_for_console: bool,
}

/// Where in the tree something belongs that was said without naming one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A key from the top.
    Top(&'static [&'static str]),
    /// A key of the only listener; one for TLS that the environment adds is passed over.
    Listener(&'static str),
    /// A key of the only place where an Envoy asks.
    Envoy(&'static str),
    /// A listener of its own, for TLS.
    TlsListener,
    /// A key of the only service.
    Service(&'static [&'static str]),
    /// A key of the only profile.
    OnlyProfile(&'static [&'static str]),
    /// A key of every profile.
    EveryProfile(&'static [&'static str]),
}

impl Place {
    /// The key, for people.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Top(path) => path.join("."),
            Self::Listener(key) => format!("listeners[0].{key}"),
            Self::Envoy(key) => format!("envoy[0].{key}"),
            Self::TlsListener => "listeners[1]".to_owned(),
            Self::Service(path) => format!("services[0].{}", path.join(".")),
            Self::OnlyProfile(path) | Self::EveryProfile(path) => format!("profiles.*.{}", path.join(".")),
        }
    }
}

/// A value and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) place: Place,
    pub(crate) value: Node,
}

impl Overrides {
    /// Lays the environment under and over a tree, and flags over it all.
    pub(crate) fn lay_over(&self, root: &mut Node, decoder: &mut Decoder) {
        let environment = &self.environment;
        let mut under = Node::empty_map(Origin::Default);
        environment.under.iter().for_each(|said| said.lay_over(&mut under, decoder));
        fill_in(root, under);
        environment.over.iter().for_each(|said| said.lay_over(root, decoder));
        self.flags().iter().for_each(|said| said.lay_over(root, decoder));
        environment.diagnostics.iter().for_each(|diagnostic| decoder.sink.push(diagnostic.clone()));
    }

    fn flags(&self) -> Vec<Said> {
        let text = |flag, value: &Option<String>, place| {
            let value = Node::text(value.as_ref()?, Origin::Flag(flag));
            Some(Said { place, value })
        };
        let list = |flag, paths: &[String], place| {
            let origin = Origin::Flag(flag);
            let value = Node::list(paths.iter().map(|path| Node::text(path, origin)).collect(), origin);
            (!paths.is_empty()).then_some(Said { place, value })
        };
        let switch = |on: Option<bool>| on.map(|on| on.to_string());
        let rules = |key: &'static [&'static str]| Place::OnlyProfile(key);
        let mode = self.policy_sync_mode.as_ref();
        let mode = mode.map(|mode| mode.strip_suffix("-policies").unwrap_or(mode).to_owned());
        [
            text("--admin", &self.admin, Place::Top(&["admin", "address"])),
            text("--admin-token-file", &self.admin_token_file, Place::Top(&["admin", "tokenFile"])),
            text("--data-dir", &self.data_dir, Place::Top(&["dataDir"])),
            text("--error-log", &self.error_log, Place::Top(&["logs", "error"])),
            text("--audit-log", &self.audit_log, Place::Top(&["logs", "audit"])),
            text("--audit-format", &self.audit_format, Place::Top(&["logs", "auditFormat"])),
            text("--access-log", &self.access_log, Place::Top(&["logs", "access"])),
            text(
                "--dikastes-log",
                &switch(self.dikastes_log.then_some(true)),
                Place::Top(&["logs", "dikastes"]),
            ),
            text("--listen", &self.listen, Place::Listener("address")),
            text("--health-path", &self.health_path, Place::Listener("healthPath")),
            text("--upstream", &self.upstream, Place::Service(&["upstream", "url"])),
            text("--ext-authz", &self.ext_authz, Place::Envoy("address")),
            text("--crs", &self.crs, rules(&["rules", "crs"])),
            text("--paranoia", &self.paranoia, rules(&["rules", "paranoia"])),
            list("--rules-before", &self.rules_before, rules(&["rules", "before"])),
            list("--rules", &self.rules, rules(&["rules", "files"])),
            list("--policies", &self.policies, Place::Top(&["policies", "files"])),
            text("--dial", &self.policy_sync_socket, Place::Top(&["policies", "sync", "socket"])),
            text("DIKASTES_SUBSCRIPTION_TYPE", &mode, Place::Top(&["policies", "sync", "mode"])),
            text("--mode", &self.mode, Place::EveryProfile(&["mode"])),
            text("--detect", &switch(self.detect), Place::EveryProfile(&["detect", "enabled"])),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Said {
    /// Puts the value in its place. Where something else stands on the way, decoding says so.
    fn lay_over(&self, root: &mut Node, decoder: &mut Decoder) {
        let (value, by) = (&self.value, self.value.origin);
        match self.place {
            Place::Top(path) => {
                set(root, path, value.clone());
            }
            Place::Listener(key) => only(root, "listeners", by, "listener", decoder, |listener| {
                if listener.get("name").is_none() {
                    listener.set("name", Node::text("web", Origin::Default));
                }
                if listener.get("address").is_none() {
                    listener.set("address", Node::text(crate::read::LISTEN, Origin::Default));
                }
                listener.set(key, value.clone());
            }),
            Place::Envoy(key) => only(root, "envoy", by, "place for an Envoy", decoder, |envoy| {
                if envoy.get("name").is_none() {
                    envoy.set("name", Node::text("envoy", Origin::Default));
                }
                envoy.set(key, value.clone());
            }),
            Place::TlsListener => {
                if let Some(Node { value: Value::List(listeners), .. }) = child_list(root, "listeners") {
                    listeners.push(value.clone());
                }
            }
            Place::Service(path) => only(root, "services", by, "service", decoder, |service| {
                if service.get("name").is_none() {
                    service.set("name", Node::text("web", Origin::Default));
                }
                set(service, path, value.clone());
            }),
            Place::OnlyProfile(path) => match profiles(root) {
                Some(profiles) if profiles.len() == 1 => {
                    set(&mut profiles[0].1, path, value.clone());
                }
                Some(profiles) => refuse(by, "profile", profiles.len(), decoder),
                None => {}
            },
            Place::EveryProfile(path) => {
                for (_, profile) in profiles(root).into_iter().flatten() {
                    set(profile, path, value.clone());
                }
                // A mode is not only profiles' to say.
                for list in ["services", "routes"].into_iter().filter(|_| path == ["mode"]) {
                    let is_list = root.get(list).is_some_and(|node| matches!(node.value, Value::List(_)));
                    let items = if is_list { root.child(list) } else { None };
                    let Some(Node { value: Value::List(items), .. }) = items else { continue };
                    items.iter_mut().filter(|item| item.get("mode").is_some()).for_each(|item| {
                        item.set("mode", value.clone());
                    });
                }
            }
        }
    }
}

/// Fills in from another tree what a file does not say. Lists and values stand as they are; mappings are filled in key
/// by key, and each of the file's profiles from the only one of the other.
fn fill_in(file: &mut Node, mut under: Node) {
    let theirs = match file.get("profiles").map(|profiles| &profiles.value) {
        Some(Value::Map(profiles)) => !profiles.is_empty(),
        _ => false,
    };
    if theirs && let Some(from) = profiles(&mut under).and_then(|profiles| profiles.pop()) {
        profiles(file).into_iter().flatten().for_each(|(_, profile)| fill(profile, &from.1));
    }
    fill(file, &under);
}

fn fill(there: &mut Node, under: &Node) {
    match (&mut there.value, &under.value) {
        (Value::Null, _) => *there = under.clone(),
        (Value::Map(here), Value::Map(entries)) => {
            for (key, value) in entries {
                match here.iter_mut().find(|(name, _)| name.name == key.name) {
                    Some((_, node)) => fill(node, value),
                    None => here.push((key.clone(), value.clone())),
                }
            }
        }
        _ => {}
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
    by: Origin,
    what: &str,
    decoder: &mut Decoder,
    change: impl FnMut(&mut Node),
) {
    let absent = match root.get(list) {
        None => true,
        Some(node) => node.value == Value::Null || node.value == Value::List(Vec::new()),
    };
    if absent && !root.set(list, Node::list(vec![Node::empty_map(by)], by)) {
        return;
    }
    let Value::Map(entries) = &mut root.value else { return };
    let items = entries.iter_mut().find(|(key, _)| key.name == list).map(|(_, node)| &mut node.value);
    match items {
        Some(Value::List(items)) if items.iter().filter(|item| !is_added(item)).count() == 1 => {
            items.iter_mut().filter(|item| !is_added(item)).for_each(change);
        }
        Some(Value::List(items)) => refuse(by, what, items.len(), decoder),
        // Decoding says that this is no list.
        _ => {}
    }
}

/// Whether an item is the listener for TLS that the environment adds.
fn is_added(item: &Node) -> bool {
    item.get("name").is_some_and(|name| name.origin == Origin::Flag("SSL_PORT"))
}

/// A list under a key, made when there is none.
fn child_list<'n>(root: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    if root.get(key).is_none() {
        root.set(key, Node::list(Vec::new(), Origin::Default));
    }
    let Value::Map(entries) = &mut root.value else { return None };
    entries.iter_mut().find(|(name, _)| name.name == key).map(|(_, node)| node)
}

fn refuse(by: Origin, what: &str, count: usize, decoder: &mut Decoder) {
    let message = format!("the file has {count} {what}s, so it is not clear which one is meant");
    let help = format!("write it in the file, at the {what} that is meant");
    decoder.report(Severity::Error, by, message, Some(help));
}

/// Sets a value at a path of keys. Says whether it could.
fn set(node: &mut Node, path: &[&str], value: Node) -> bool {
    match path {
        [] => false,
        [key] => node.set(key, value),
        [key, rest @ ..] => node.child(key).is_some_and(|child| set(child, rest, value)),
    }
}
