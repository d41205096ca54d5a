//! Options of one pod: its annotations, over those of its namespace, over the settings. What cannot be meant is denied
//! with what can be.

use palisade_model::Mode;
use serde_json::{Map, Value, json};

use super::names::{
    APP_PORT, APP_PORT_ENV, CONFIG, EXEMPT_PORTS, KNOWN, LISTEN_PORT, MODE, POD_LABEL, PREFIX, PROBES_PORT,
    PROFILE, RESOURCES, STRATEGY,
};
use super::plan::Strategy;
use super::settings::{Namespace, Settings};
use super::{No, deny, texts, view};

/// What a pod wants.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The ConfigMap that is mounted.
    pub(crate) config: Option<String>,
    pub(crate) mode: Option<Mode>,
    pub(crate) app_port: Option<PortRef>,
    pub(crate) listen_port: Option<u16>,
    pub(crate) probes_port: u16,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) resources: Resources,
    pub(crate) app_port_env: String,
    /// Whether the pod itself asks by its label, so that doing nothing is no answer.
    pub(crate) insists: bool,
    pub(crate) warnings: Vec<String>,
}

/// A port as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortRef {
    Number(u16),
    Name(String),
}

impl Options {
    pub(crate) fn read(pod: &Value, namespace: &Namespace, settings: &Settings) -> Result<Self, No> {
        let label = view::text(pod, &["metadata", "labels", POD_LABEL]);
        if let Some(other) = label.filter(|label| *label != "true") {
            return deny(format!("label {POD_LABEL} is {}; write \"true\" or \"false\"", shown(other)));
        }
        let said = |name: &str| {
            let of_pod = view::text(pod, &["metadata", "annotations", name]);
            of_pod.or_else(|| namespace.annotations.get(name).map(String::as_str)).map(str::trim)
        };
        let annotations = view::map(pod, &["metadata", "annotations"]);
        let unknown =
            texts(annotations).filter(|(name, _)| name.starts_with(PREFIX) && !KNOWN.contains(name));
        let warnings = unknown.take(WARNINGS_MAX).map(|(name, _)| unknown_annotation(name)).collect();
        let config = match (said(PROFILE), said(CONFIG)) {
            (Some(_), Some(_)) => {
                return deny(format!("annotations {PROFILE} and {CONFIG}: write one of them"));
            }
            (Some(profile), None) => Some(format!("palisade-profile-{}", name_of_object(PROFILE, profile)?)),
            (None, Some(config)) => Some(name_of_object(CONFIG, config)?.to_owned()),
            (None, None) => None,
        };
        let mode = said(MODE).map(|mode| match mode.parse() {
            Ok(mode) => Ok(mode),
            Err(_) => deny(format!(
                "annotation {MODE} is {}; write off, monitoring, safe_blocking or block",
                shown(mode)
            )),
        });
        let app_port = said(APP_PORT).map(|port| match port.parse::<u16>() {
            Ok(number) if number > 0 => Ok(PortRef::Number(number)),
            Err(_) if is_port_name(port) => Ok(PortRef::Name(port.to_owned())),
            _ => deny(format!(
                "annotation {APP_PORT} is {}; write the number of the application's port, or its name",
                shown(port)
            )),
        });
        let strategy = said(STRATEGY).map(Strategy::parse);
        let listen_port = said(LISTEN_PORT).map(|port| unprivileged(LISTEN_PORT, port));
        let probes_port = said(PROBES_PORT).map(|port| unprivileged(PROBES_PORT, port));
        let resources = match said(RESOURCES) {
            Some(text) => settings.resources.with(text).map_err(|wrong| {
                No::Deny(format!(
                    "annotation {RESOURCES}: {wrong}; write cpu=REQUEST/LIMIT,memory=REQUEST/LIMIT, such as \
                     cpu=50m/1,memory=96Mi/512Mi"
                ))
            })?,
            None => settings.resources.clone(),
        };
        let app_port_env = said(APP_PORT_ENV).unwrap_or("PORT");
        if !is_variable(app_port_env) {
            return deny(format!(
                "annotation {APP_PORT_ENV} is {}; write a variable's name",
                shown(app_port_env)
            ));
        }
        if let Some(ports) = said(EXEMPT_PORTS) {
            exempt_ports(ports)?;
        }
        Ok(Self {
            config,
            mode: mode.transpose()?,
            app_port: app_port.transpose()?,
            listen_port: listen_port.transpose()?,
            probes_port: probes_port.transpose()?.unwrap_or(settings.probes_port),
            strategy: strategy.transpose()?,
            resources,
            app_port_env: app_port_env.to_owned(),
            insists: label.is_some(),
            warnings,
        })
    }
}

/// The ports of [`EXEMPT_PORTS`].
pub(crate) fn exempt_ports(text: &str) -> Result<Vec<u16>, No> {
    let numbers =
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(|word| match word.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => deny(format!("annotation {EXEMPT_PORTS} has {}; write numbers with commas", shown(word))),
        });
    numbers.collect()
}

/// How many annotations are warned of.
const WARNINGS_MAX: usize = 8;

fn unknown_annotation(name: &str) -> String {
    match palisade_yaml::nearest(name, KNOWN.iter().copied()) {
        Some(near) => format!("annotation {} means nothing here; is {near} meant?", shown(name)),
        None => format!("annotation {} means nothing here", shown(name)),
    }
}

fn unprivileged(annotation: &str, text: &str) -> Result<u16, No> {
    match text.parse() {
        Ok(port) if port >= 1024 => Ok(port),
        Ok(_) => deny(format!(
            "annotation {annotation} is {}: the sidecar does not run as root; write a port from 1024 on",
            shown(text)
        )),
        Err(_) => {
            deny(format!("annotation {annotation} is {}; write a port from 1024 to 65535", shown(text)))
        }
    }
}

/// A name that an object can have, short enough for a prefix of ours.
fn name_of_object<'t>(annotation: &str, text: &'t str) -> Result<&'t str, No> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let bytes = text.as_bytes();
    match bytes.iter().all(|byte| fits(*byte))
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.len() <= 230
    {
        true => Ok(text),
        false => deny(format!("annotation {annotation} is {}, which no object can be called", shown(text))),
    }
}

/// A name that Kubernetes lets a port have.
fn is_port_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=15).contains(&text.len())
        && text.bytes().all(fits)
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

fn is_variable(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().all(fits)
        && !text.starts_with(|first: char| first.is_ascii_digit())
}

/// A text of somebody else's, for a message.
pub(crate) fn shown(text: &str) -> String {
    palisade_yaml::quoted(text)
}

/// An amount of something: what is asked for, and what may be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// What the scheduler keeps free.
    pub request: Option<String>,
    /// What may be taken at most.
    pub limit: Option<String>,
}

/// What a sidecar asks for. The default has no limit of CPU: under one, a sidecar stands still while its node idles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Processor time.
    pub cpu: Amount,
    /// Memory.
    pub memory: Amount,
}

impl Default for Resources {
    fn default() -> Self {
        let some = |text: &str| Some(text.to_owned());
        Self {
            cpu: Amount { request: some("50m"), limit: None },
            memory: Amount { request: some("96Mi"), limit: some("512Mi") },
        }
    }
}

impl Resources {
    /// The same with what a text says: `cpu=50m/1,memory=96Mi/512Mi`, request before limit; either may be left out.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn with(&self, text: &str) -> Result<Self, String> {
        let mut made = self.clone();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, amounts) =
                part.split_once('=').ok_or_else(|| format!("{} is no NAME=REQUEST/LIMIT", shown(part)))?;
            let amount = match name.trim() {
                "cpu" => &mut made.cpu,
                "memory" => &mut made.memory,
                other => return Err(format!("{} is neither cpu nor memory", shown(other))),
            };
            let (request, limit) = match amounts.split_once('/') {
                Some((request, limit)) => (request.trim(), Some(limit.trim())),
                None => (amounts.trim(), None),
            };
            let quantity = |text: &str| match (text.is_empty(), is_quantity(text)) {
                (true, _) => Ok(None),
                (false, true) => Ok(Some(text.to_owned())),
                (false, false) => Err(format!("{} is no quantity", shown(text))),
            };
            if let Some(request) = quantity(request)? {
                amount.request = Some(request);
            }
            if let Some(limit) = limit {
                amount.limit = quantity(limit)?;
            }
        }
        Ok(made)
    }

    /// As a container has it.
    pub(crate) fn to_json(&self) -> Value {
        let of = |what: fn(&Amount) -> &Option<String>| {
            let named = [("cpu", what(&self.cpu)), ("memory", what(&self.memory))];
            let said =
                named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?))));
            said.collect::<Map<_, _>>()
        };
        let both = [("requests", of(|amount| &amount.request)), ("limits", of(|amount| &amount.limit))];
        both.into_iter()
            .filter(|(_, map)| !map.is_empty())
            .map(|(name, map)| (name.to_owned(), json!(map)))
            .collect()
    }
}

/// A number with one of Kubernetes's suffixes, above nothing.
fn is_quantity(text: &str) -> bool {
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let known = ["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"].contains(&suffix);
    known && number.len() <= 12 && number.parse::<f64>().is_ok_and(|number| number > 0.0)
}
