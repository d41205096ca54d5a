//! Which fields records have, by data set: what queries may name, and what index templates are made from.
//!
//! Those of decisions and of L7 records come from the records' own tables, so that a query that `palisade check` accepts is
//! one that the store and an index can answer as well.

use palisade_model::{Event, Traffic};
use palisade_model::{Field, FieldKind, paths};

/// What alerts look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataSet {
    /// Decisions of the firewall and of policy.
    Waf,
    /// All requests, aggregated.
    L7,
    /// What alerts said themselves, and what webhooks choose from.
    Events,
    /// Connections. Accepted; nothing here writes them.
    Flows,
    /// Accepted; nothing here writes them.
    Dns,
    /// Changes to objects of Kubernetes. Accepted; nothing here writes them.
    Audit,
    /// Findings in images. Accepted; nothing here writes them.
    Vulnerability,
}

impl DataSet {
    /// Those that a GlobalAlert may name.
    pub const OF_ALERTS: [Self; 6] =
        [Self::Flows, Self::Dns, Self::Audit, Self::L7, Self::Waf, Self::Vulnerability];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waf => "waf",
            Self::L7 => "l7",
            Self::Events => "events",
            Self::Flows => "flows",
            Self::Dns => "dns",
            Self::Audit => "audit",
            Self::Vulnerability => "vulnerability",
        }
    }

    /// Its fields; `None` where nothing here writes such records.
    #[must_use]
    pub const fn fields(self) -> Option<&'static [Field]> {
        match self {
            Self::Waf => Some(Event::FIELDS),
            Self::L7 => Some(Traffic::FIELDS),
            Self::Events => Some(EVENTS),
            Self::Flows | Self::Dns | Self::Audit | Self::Vulnerability => None,
        }
    }
}

/// Whether a key names a field of these, something in one, or an object of some.
///
/// # Errors
/// The nearest name, where there is one.
pub fn known_field(fields: &'static [Field], key: &str) -> Result<(), Option<String>> {
    let all = paths(fields);
    let is_it = |(path, field): &(String, &'static Field)| {
        path == key
            // Which names there are depends on rules, or on alerts.
            || matches!(field.kind, FieldKind::Numbers)
                && key.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'))
    };
    if all.iter().any(is_it) {
        return Ok(());
    }
    Err(palisade_yaml::nearest(key, all.iter().map(|(path, _)| path.as_str())).map(str::to_owned))
}

const fn field(name: &'static str, kind: FieldKind, doc: &'static [&'static str]) -> Field {
    Field { name, kind, doc }
}

use FieldKind::{Address, Flag, List, Number, Numbers, Text, Time, Word};

/// Events of alerts, as Calico's `tigera_secure_ee_events` has them.
const EVENTS: &[Field] = &[
    field("id", Text, &["Its own id, the same whenever the same fires again."]),
    field("time", Time, &["When it fired."]),
    field("type", Word, &["`global_alert`, or `waf` where a webhook is told of a decision."]),
    field("name", Text, &["The alert's name, or `WAF Event`."]),
    field("origin", Text, &["The alert's name, or the service."]),
    field("severity", Number, &["1 to 100."]),
    field("description", Text, &["The alert's summary with its values."]),
    field("host", Text, &["The node."]),
    field("fingerprint", Text, &["The same for all that one alert says of the same combination."]),
    field("dismissed", Flag, &["An AlertException hides it."]),
    field("exception", Text, &["Which."]),
    field("source_ip", Address, &["Who asked."]),
    field("source_port", Number, &["Their port."]),
    field("source_name", Text, &["Their workload."]),
    field("source_name_aggr", Text, &["Their workloads, aggregated."]),
    field("source_namespace", Text, &["Their namespace."]),
    field("dest_ip", Address, &["Where they asked."]),
    field("dest_port", Number, &["The port there."]),
    field("dest_name", Text, &["The workload or service there."]),
    field("dest_name_aggr", Text, &["The workloads there, aggregated."]),
    field("dest_namespace", Text, &["Its namespace."]),
    field("attack_vector", Text, &["`Network`, of decisions."]),
    field("mitre_tactic", Text, &["`Initial Access`, of decisions."]),
    field("mitre_ids", List(&Word), &["`T1190`, of decisions."]),
    field("mitigations", List(&Text), &["What to do."]),
    field("record", Numbers, &["The record, or the fields of the combination and the metric."]),
];
