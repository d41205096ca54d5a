//! Which fields records have, by data set: what queries may name, and what index templates are made from.
//!
//! One table a data set, so that a query that `palisade check` accepts is one that the index can answer as well. Fields
//! of ours stand beside Calico's.

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

/// A field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; dots lead into objects.
    pub name: &'static str,
    /// What is in it.
    pub kind: FieldKind,
}

/// What is in a field, as Elasticsearch knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// A time.
    Date,
    /// An address.
    Ip,
    /// A whole number.
    Long,
    /// A number.
    Double,
    /// A word.
    Keyword,
    /// `true` or `false`.
    Boolean,
    /// An object whose keys are not known beforehand.
    Flattened,
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
            Self::Waf => Some(WAF),
            Self::L7 => Some(L7),
            Self::Events => Some(EVENTS),
            Self::Flows | Self::Dns | Self::Audit | Self::Vulnerability => None,
        }
    }
}

/// Whether a key names a field of these, something in one, or an object of some. Where not, the nearest that is one.
///
/// # Errors
/// The nearest name, where there is one.
pub fn known_field(fields: &[Field], key: &str) -> Result<(), Option<String>> {
    let inside =
        |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
    let is_it = |field: &Field| {
        field.name == key
            || inside(key, field.name)
            || (field.kind == FieldKind::Flattened && inside(field.name, key))
    };
    if fields.iter().any(is_it) {
        return Ok(());
    }
    Err(palisade_yaml::nearest(key, fields.iter().map(|field| field.name)).map(str::to_owned))
}

const fn field(name: &'static str, kind: FieldKind) -> Field {
    Field { name, kind }
}

use FieldKind::{Boolean, Date, Double, Flattened, Ip, Keyword, Long};

const WAF: &[Field] = &[
    // Calico's.
    field("@timestamp", Date),
    field("source.ip", Ip),
    field("source.port_num", Long),
    field("source.hostname", Keyword),
    field("destination.ip", Ip),
    field("destination.port_num", Long),
    field("destination.hostname", Keyword),
    field("method", Keyword),
    field("path", Keyword),
    field("protocol", Keyword),
    field("host", Keyword),
    field("msg", Keyword),
    field("rule_info", Keyword),
    field("rules.id", Keyword),
    field("rules.message", Keyword),
    field("rules.severity", Keyword),
    field("rules.file", Keyword),
    field("rules.line", Keyword),
    field("rules.disruptive", Boolean),
    field("request_id", Keyword),
    field("action", Keyword),
    field("gateway_name", Keyword),
    field("gateway_namespace", Keyword),
    // Ours.
    field("service", Keyword),
    field("status", Long),
    field("duration_us", Long),
];

const L7: &[Field] = &[
    field("host", Keyword),
    field("start_time", Date),
    field("end_time", Date),
    field("bytes_in", Long),
    field("bytes_out", Long),
    field("duration_mean", Long),
    field("duration_max", Long),
    field("count", Long),
    field("src_name_aggr", Keyword),
    field("src_namespace", Keyword),
    field("src_type", Keyword),
    field("dest_name_aggr", Keyword),
    field("dest_namespace", Keyword),
    field("dest_type", Keyword),
    field("dest_service_name", Keyword),
    field("dest_service_namespace", Keyword),
    field("dest_service_port", Long),
    field("url", Keyword),
    field("response_code", Keyword),
    field("method", Keyword),
    field("user_agent", Keyword),
    field("type", Keyword),
    field("protocol", Keyword),
    field("protocol_version", Keyword),
    field("collector_type", Keyword),
    field("collector_name", Keyword),
    field("tls_sni", Keyword),
    field("tls_version", Keyword),
    field("tls_cipher_suite", Keyword),
];

const EVENTS: &[Field] = &[
    field("id", Keyword),
    field("time", Date),
    field("type", Keyword),
    field("name", Keyword),
    field("origin", Keyword),
    field("severity", Long),
    field("description", Keyword),
    field("host", Keyword),
    field("source_ip", Ip),
    field("source_port", Long),
    field("source_name", Keyword),
    field("source_name_aggr", Keyword),
    field("source_namespace", Keyword),
    field("dest_ip", Ip),
    field("dest_port", Long),
    field("dest_name", Keyword),
    field("dest_name_aggr", Keyword),
    field("dest_namespace", Keyword),
    field("attack_vector", Keyword),
    field("mitre_tactic", Keyword),
    field("mitre_ids", Keyword),
    field("mitigations", Keyword),
    field("dismissed", Boolean),
    field("value", Double),
    field("record", Flattened),
];
