//! Calico's kinds of alerts from YAML, with the API's limits: GlobalAlert, GlobalAlertTemplate, AlertException and
//! SecurityEventWebhook.
//!
//! Other kinds may stand in the same files and are counted. Not here: files (texts come in).

use std::time::Duration;

use palisade_yaml::objects::{Form, each_object};
use palisade_yaml::reader::{Fields, Reader};
use palisade_yaml::{Diagnostic, Node, YamlLimits, quoted};

use super::alert::{AlertException, Asks, Condition, GlobalAlert, Metric};
use super::template::Template;
use super::webhook::{self, SecurityEventWebhook};
use crate::query::{DataSet, Expr, Query, known_field, nanoseconds, parse_with};

/// A file of alerts may be this large.
pub const ALERT_FILE_BYTES_MAX: usize = 8 << 20;

const FORM: Form = Form {
    limits: YamlLimits { bytes_max: ALERT_FILE_BYTES_MAX, depth_max: 100, weight_max: 256 << 20 },
    help: "begin an object with `apiVersion: projectcalico.org/v3` and `kind: GlobalAlert`",
    typed_lists: false,
};

/// An object that can be used.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertObject {
    /// An alert.
    Alert(GlobalAlert),
    /// A form that new alerts begin from.
    Template(GlobalAlert),
    /// What hides events.
    Exception(AlertException),
    /// Who is told.
    Webhook(SecurityEventWebhook),
}

impl AlertObject {
    /// The kind and the name: no two objects have both in common.
    #[must_use]
    pub fn key(&self) -> (&'static str, &str) {
        match self {
            Self::Alert(alert) => ("GlobalAlert", &alert.name),
            Self::Template(alert) => ("GlobalAlertTemplate", &alert.name),
            Self::Exception(exception) => ("AlertException", &exception.name),
            Self::Webhook(webhook) => ("SecurityEventWebhook", &webhook.name),
        }
    }
}

/// What a text holds.
#[derive(Clone, Debug, Default)]
pub struct AlertsRead {
    /// The objects that can be used, in order.
    pub objects: Vec<AlertObject>,
    /// Those that cannot, as far as their names can be read: kind and name.
    pub refused: Vec<(&'static str, String)>,
    /// The text is not YAML: what it holds is not known.
    pub unreadable: bool,
    /// How many objects of kinds that have no meaning here.
    pub ignored: usize,
    /// All that is to be said about it, in order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads objects: documents of YAML, lists (`kind: List`) among them. Any bytes give objects or diagnostics.
#[must_use]
pub fn read_alerts(text: &[u8]) -> AlertsRead {
    let mut read = AlertsRead::default();
    let of_text =
        each_object(text, &FORM, |reader, node, api, kind| read_object(reader, node, api, kind, &mut read));
    AlertsRead { unreadable: of_text.unreadable, diagnostics: of_text.diagnostics, ..read }
}

fn read_object(reader: &mut Reader, document: &Node, api: &str, kind: &str, read: &mut AlertsRead) {
    let known = KINDS.iter().find(|(name, _)| *name == kind);
    let Some((kind, reads)) =
        known.filter(|_| matches!(api, "projectcalico.org/v3" | "crd.projectcalico.org/v1"))
    else {
        read.ignored += 1;
        return;
    };
    let errors = reader.sink.errors();
    let Some(fields) = reader.any_fields(document) else { return };
    let Some(name) = name(reader, document, &fields) else { return };
    reader.fields(document, &["apiVersion", "kind", "metadata", "spec", "status"]);
    let object = match fields.get("spec") {
        Some(_) => reader.at(&fields, "spec", |reader, spec| reads(reader, spec, &name)),
        None => {
            reader.error(document, "an object without `spec`", "add `spec:` with its fields");
            None
        }
    };
    match object {
        Some(object) if reader.sink.errors() == errors => read.objects.push(object),
        _ => read.refused.push((kind, name)),
    }
}

type Reads = fn(&mut Reader, &Node, &str) -> Option<AlertObject>;

const KINDS: [(&str, Reads); 4] = [
    ("GlobalAlert", |reader, spec, name| alert(reader, spec, name).map(AlertObject::Alert)),
    ("GlobalAlertTemplate", |reader, spec, name| alert(reader, spec, name).map(AlertObject::Template)),
    ("AlertException", exception),
    ("SecurityEventWebhook", |reader, spec, name| {
        webhook::read(reader, spec, name).map(AlertObject::Webhook)
    }),
];

fn name(reader: &mut Reader, document: &Node, fields: &Fields<'_>) -> Option<String> {
    let name = reader.at(fields, "metadata", |reader, node| {
        let fields = reader.any_fields(node)?;
        reader.at(&fields, "name", |reader, node| {
            let name = reader.text(node)?;
            let known =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
            if name.is_empty() || name.len() > 253 || !name.bytes().all(known) {
                let help = "names have up to 253 lower-case letters, digits, `-` and `.`";
                reader.error(node, format!("{} is not a name", quoted(name)), help);
                return None;
            }
            Some(name.to_owned())
        })
    });
    if name.is_none() && fields.get("metadata").and_then(|meta| meta.get("name")).is_none() {
        // Pages on the web lose the blanks at the begin of lines.
        let lost = fields.get("name").is_some() || fields.get("summary").is_some();
        let help = match lost {
            true => "indent `name` below `metadata:` and the fields of `spec:` below it, by two blanks each",
            false => "add `metadata: {name: NAME}`",
        };
        reader.error(document, "an object without a name", help);
    }
    name
}

fn alert(reader: &mut Reader, spec: &Node, name: &str) -> Option<GlobalAlert> {
    let fields = reader.fields(
        spec,
        &[
            "type",
            "summary",
            "description",
            "severity",
            "dataSet",
            "period",
            "lookback",
            "query",
            "aggregateBy",
            "metric",
            "field",
            "condition",
            "threshold",
            "substitutions",
        ],
    )?;
    reader.at(&fields, "type", |reader, node| reader.word(node, "type of alert here", &[("RuleBased", ())]));
    let description = required(reader, spec, &fields, ("description", "what it means"), short_text);
    let summary = reader.at(&fields, "summary", short_text);
    let severity =
        required(reader, spec, &fields, ("severity", "80"), |reader, node| reader.number(node, 1, 100));
    let words: Vec<(&str, DataSet)> = DataSet::OF_ALERTS.iter().map(|set| (set.as_str(), *set)).collect();
    let data_set = required(reader, spec, &fields, ("dataSet", "waf"), |reader, node| {
        let data_set = reader.word(node, "data set", &words)?;
        if data_set.fields().is_none() {
            let message =
                format!("nothing here records the data set {}: the alert stays silent", data_set.as_str());
            reader.warn(node, message, "records are of waf and l7");
        }
        Some(data_set)
    });
    let period = duration_of(reader, &fields, "period", Duration::from_secs(300));
    let lookback = duration_of(reader, &fields, "lookback", Duration::from_secs(600));
    if let (Some(period), Some(lookback)) = (period, lookback)
        && lookback < period
    {
        let node = fields.get("lookback").or_else(|| fields.get("period")).unwrap_or(spec);
        let message = "looks back less far than its period: records between are never looked at";
        reader.warn(node, message, "make `lookback` longer than `period`");
    }
    let asks = asks(reader, spec, &fields, data_set);
    let query = query(reader, &fields, data_set);
    let summary = Template::new(summary.or(description).unwrap_or_default());
    if let (Some(asks), Some(data_set), Some(node)) =
        (&asks, data_set, fields.get("summary").or(fields.get("description")))
    {
        for unknown in summary.names().filter(|name| !is_known(name, asks, data_set)) {
            let message =
                format!("{} has no value here and stays as it is", quoted(&format!("${{{unknown}}}")));
            let help = "name a field of `aggregateBy`, or the metric, such as ${count}";
            reader.warn(node, message, help);
        }
    }
    Some(GlobalAlert {
        name: name.into(),
        summary,
        description: description?.into(),
        severity: severity? as u8,
        data_set: data_set?,
        period: period?,
        lookback: lookback?,
        query: query?,
        asks: asks?,
    })
}

fn is_known(name: &str, asks: &Asks, data_set: DataSet) -> bool {
    match asks {
        Asks::EachRecord => known(data_set, name).is_ok(),
        Asks::EachCombination(by) => by.iter().any(|field| **field == *name),
        Asks::Metric { by, metric, .. } => metric.as_str() == name || by.iter().any(|field| **field == *name),
    }
}

fn asks(reader: &mut Reader, spec: &Node, fields: &Fields<'_>, data_set: Option<DataSet>) -> Option<Asks> {
    let errors = reader.sink.errors();
    reader.at_most(fields, "aggregateBy", AGGREGATE_BY_MAX, "aggregate by fewer fields");
    let by: Vec<Box<str>> = reader.each(fields, "aggregateBy", |reader, node| {
        let field = reader.text(node)?;
        must_be_known(reader, node, field, data_set);
        Some(field.into())
    });
    let metrics = [Metric::Count, Metric::Min, Metric::Max, Metric::Sum, Metric::Avg];
    let words = metrics.map(|metric| (metric.as_str(), metric));
    let metric = reader.at(fields, "metric", |reader, node| reader.word(node, "metric", &words));
    let field = reader.at(fields, "field", |reader, node| {
        let field = reader.text(node)?;
        must_be_known(reader, node, field, data_set);
        Some((node, field))
    });
    let condition =
        reader.at(fields, "condition", |reader, node| reader.word(node, "condition", &Condition::WORDS));
    let threshold = reader.at(fields, "threshold", Reader::float);
    let Some(metric) = metric else {
        if let Some((node, _)) = field {
            reader.error(
                node,
                "a field without a metric",
                "add `metric: max`, or the like, or remove the field",
            );
        }
        // The article's alert is written like this.
        if let (None, Some(node)) =
            (fields.get("metric"), fields.get("condition").or(fields.get("threshold")))
        {
            let message = "without `metric` no condition is asked: it fires for all that its query finds";
            reader.warn(node, message, "add `metric: count`, or remove `condition` and `threshold`");
        }
        let asks = if by.is_empty() { Asks::EachRecord } else { Asks::EachCombination(by) };
        return (reader.sink.errors() == errors).then_some(asks);
    };
    match (metric, field) {
        (Metric::Count, Some((node, _))) => {
            reader.error(
                node,
                "records are counted without a field",
                "remove `field`, or write another metric",
            );
        }
        (Metric::Count, None) | (_, Some(_)) => {}
        (_, None) => {
            let message = format!("the metric {} needs a field", metric.as_str());
            reader.error(
                fields.get("metric").unwrap_or(spec),
                message,
                "add `field:` with a field of numbers",
            );
        }
    }
    for (name, example) in [("condition", "condition: gt"), ("threshold", "threshold: 100")] {
        if fields.get(name).is_none() {
            let (message, help) = (format!("a metric needs `{name}`"), format!("add `{example}`"));
            reader.error(fields.get("metric").unwrap_or(spec), message, help.as_str());
        }
    }
    let field = field.map_or_else(Box::default, |(_, field)| field.into());
    let asks = Asks::Metric { by, metric, field, condition: condition?, threshold: threshold? };
    (reader.sink.errors() == errors).then_some(asks)
}

fn query(reader: &mut Reader, fields: &Fields<'_>, data_set: Option<DataSet>) -> Option<Query> {
    let errors = reader.sink.errors();
    reader.at_most(fields, "substitutions", SUBSTITUTIONS_MAX, "use fewer sets");
    let mut named: Vec<(&str, Vec<String>)> = Vec::new();
    reader.each(fields, "substitutions", |reader, node| {
        let fields = reader.fields(node, &["name", "values"])?;
        let name = required(reader, node, &fields, ("name", "inside"), Reader::text)?;
        if named.iter().any(|(there, _)| *there == name) {
            reader.error(
                node,
                format!("two substitutions have the name {}", quoted(name)),
                "rename one of them",
            );
        }
        let values = reader.texts(&fields, "values").into_iter().map(|(_, value)| value.to_owned()).collect();
        named.push((name, values));
        Some(())
    });
    let Some(node) = fields.get("query") else {
        return (reader.sink.errors() == errors).then(Query::all);
    };
    let substitutions: Vec<(&str, &[String])> =
        named.iter().map(|(name, values)| (*name, values.as_slice())).collect();
    reader.at(fields, "query", |reader, _| {
        let text = reader.text(node)?;
        let query = match parse_with(text, &substitutions) {
            Ok(query) => query,
            Err(error) => {
                let message = format!("{} at column {} of the query", error.message, error.at + 1);
                reader.error_within(node, error.at, message, error.help.as_str());
                return None;
            }
        };
        check_query(reader, node, &query, data_set);
        (reader.sink.errors() == errors).then_some(query)
    })
}

/// What a query may say beyond its syntax: fields that are known, wildcards where they are ones.
pub(super) fn check_query(reader: &mut Reader, node: &Node, query: &Query, data_set: Option<DataSet>) {
    for key in query.keys() {
        if let Some(Err(near)) = data_set.map(|data_set| known(data_set, &key.name)) {
            let (message, help) = unknown(&key.name, data_set, near);
            reader.error_within(
                node,
                key.at,
                format!("{message} (column {} of the query)", key.at + 1),
                help.as_str(),
            );
        }
    }
    if let Some(expr) = query.expr() {
        expr.visit(&mut |expr| {
            if let Expr::Compare { key, value, .. } = expr
                && value.text().contains('*')
            {
                let message = format!("`*` in {value} is no wildcard: wildcards are in sets only");
                let help = format!("write {key} IN {{{value}}}");
                reader.warn(node, message, &help);
            }
        });
    }
}

fn must_be_known(reader: &mut Reader, node: &Node, field: &str, data_set: Option<DataSet>) {
    if let Some(data_set) = data_set
        && let Err(near) = known(data_set, field)
    {
        let (message, help) = unknown(field, Some(data_set), near);
        reader.error(node, message, help.as_str());
    }
}

fn known(data_set: DataSet, field: &str) -> Result<(), Option<String>> {
    data_set.fields().map_or(Ok(()), |fields| known_field(fields, field))
}

fn unknown(field: &str, data_set: Option<DataSet>, near: Option<String>) -> (String, String) {
    let of = data_set.map_or("events", DataSet::as_str);
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "docs/reference/events.md lists the fields".to_owned(),
    };
    (format!("records of {of} have no field {}", quoted(field)), help)
}

fn exception(reader: &mut Reader, spec: &Node, name: &str) -> Option<AlertObject> {
    let fields = reader.fields(spec, &["description", "selector", "startTime", "endTime"])?;
    let description = required(reader, spec, &fields, ("description", "why it is hidden"), short_text);
    let selector = required(reader, spec, &fields, ("selector", "origin = \"NAME\""), event_query);
    let mut time = |name| {
        reader.at(&fields, name, |reader, node| {
            let text = reader.text(node)?;
            let time = nanoseconds(text).and_then(|nanoseconds| u64::try_from(nanoseconds / 1_000_000).ok());
            if time.is_none() {
                reader.error(
                    node,
                    format!("{} is no time", quoted(text)),
                    "write it like 2026-11-22T10:00:00Z",
                );
            }
            time
        })
    };
    let (from_ms, until_ms) = (time("startTime"), time("endTime"));
    if let (Some(from), Some(until), Some(node)) = (from_ms, until_ms, fields.get("endTime"))
        && until <= from
    {
        reader.error(node, "the end comes before the start", "write a later `endTime`");
    }
    let (description, selector) = (description?.into(), selector?);
    Some(AlertObject::Exception(AlertException {
        name: name.into(),
        description,
        selector,
        from_ms,
        until_ms,
    }))
}

/// A query over events: what exceptions and webhooks choose by.
pub(super) fn event_query(reader: &mut Reader, node: &Node) -> Option<Query> {
    let text = reader.text(node)?;
    match parse_with(text, &[]) {
        Ok(query) => {
            check_query(reader, node, &query, Some(DataSet::Events));
            Some(query)
        }
        Err(error) => {
            let message = format!("{} at column {} of the query", error.message, error.at + 1);
            reader.error_within(node, error.at, message, error.help.as_str());
            None
        }
    }
}

/// The value of a field that has to be there.
pub(super) fn required<'n, T>(
    reader: &mut Reader,
    spec: &Node,
    fields: &Fields<'n>,
    (name, example): (&str, &str),
    read: impl FnOnce(&mut Reader, &'n Node) -> Option<T>,
) -> Option<T> {
    if fields.get(name).is_none() {
        let help = format!("add `{name}: {example}`");
        reader.error(spec, format!("`{name}` is missing"), help.as_str());
    }
    reader.at(fields, name, read)
}

fn short_text<'n>(reader: &mut Reader, node: &'n Node) -> Option<&'n str> {
    let text = reader.text(node)?;
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the text has {} bytes and may have {TEXT_BYTES_MAX}", text.len());
        reader.error(node, message, "shorten it");
        return None;
    }
    Some(text)
}

/// A time as Go writes them, at least a minute.
fn duration_of(reader: &mut Reader, fields: &Fields<'_>, name: &str, default: Duration) -> Option<Duration> {
    if fields.get(name).is_none() {
        return Some(default);
    }
    reader.at(fields, name, |reader, node| {
        let text = reader.text(node)?;
        let found = go_duration(text);
        match found {
            None => reader.error(node, format!("{} is no time", quoted(text)), "write it like 5m or 1h30m"),
            Some(found) if found < MINUTE => {
                reader.error(node, format!("{} is less than a minute", quoted(text)), "write 1m or more");
            }
            Some(found) if found > DURATION_MAX => {
                reader.error(node, format!("{} is more than 30 days", quoted(text)), "write 720h or less");
            }
            Some(_) => {}
        }
        found.filter(|found| (MINUTE..=DURATION_MAX).contains(found))
    })
}

/// `1h30m`, `5m0s`, `1.5h`
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !(char.is_ascii_digit() || char == '.'))?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, of) = [("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)]
            .into_iter()
            .find(|(unit, _)| rest.starts_with(unit))?;
        seconds += number * of;
        rest = &rest[unit.len()..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

const MINUTE: Duration = Duration::from_secs(60);
const DURATION_MAX: Duration = Duration::from_secs(30 * 86_400);
const TEXT_BYTES_MAX: usize = 4096;
const AGGREGATE_BY_MAX: usize = 16;
const SUBSTITUTIONS_MAX: usize = 64;
