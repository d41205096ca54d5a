//! Objects of alerts as JSON, in the fields that they are written in. What may be a secret is not in it.

use std::time::Duration;

use palisade_model::Calendar;
use serde_json::{Map, Value, json};

use super::alert::{AlertException, Asks, Condition, GlobalAlert};
use super::kinds::AlertObject;
use super::webhook::SecurityEventWebhook;
use crate::query::{Expr, Query};
use crate::sinks::Reference;

impl AlertObject {
    /// The object, with defaults filled in. Reads as what it was, but for values of webhooks, which are left out: URLs of
    /// webhooks are secrets as often as not.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (kind, name) = self.key();
        let spec = match self {
            Self::Alert(alert) | Self::Template(alert) => alert_spec(alert),
            Self::Exception(exception) => exception_spec(exception),
            Self::Webhook(webhook) => webhook_spec(webhook),
        };
        json!({"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": spec})
    }
}

fn alert_spec(alert: &GlobalAlert) -> Value {
    let mut spec = Map::new();
    let mut put = |key: &str, value: Value| drop(spec.insert(key.to_owned(), value));
    put("description", json!(alert.description));
    put("summary", json!(alert.summary.to_string()));
    put("severity", json!(alert.severity));
    put("dataSet", json!(alert.data_set.as_str()));
    put("period", json!(written(alert.period)));
    put("lookback", json!(written(alert.lookback)));
    if alert.query.expr().is_some() {
        put("query", json!(alert.query.to_string()));
    }
    let substitutions = substitutions(&alert.query);
    if !substitutions.is_empty() {
        put("substitutions", Value::Array(substitutions));
    }
    if !alert.asks.by().is_empty() {
        put("aggregateBy", json!(alert.asks.by()));
    }
    if let Asks::Metric { metric, field, condition, threshold, .. } = &alert.asks {
        put("metric", json!(metric.as_str()));
        if !field.is_empty() {
            put("field", json!(field));
        }
        let word = Condition::WORDS.iter().find(|(_, known)| known == condition).map(|(word, _)| *word);
        put("condition", json!(word));
        put("threshold", json!(threshold));
    }
    Value::Object(spec)
}

/// The sets of a query that have names, each once.
fn substitutions(query: &Query) -> Vec<Value> {
    let mut named: Vec<(String, Value)> = Vec::new();
    if let Some(expr) = query.expr() {
        expr.visit(&mut |expr| {
            if let Expr::In { set, .. } = expr
                && let Some(name) = &set.name
                && !named.iter().any(|(there, _)| *there == **name)
            {
                let values: Vec<&str> = set.patterns.iter().map(|pattern| pattern.literal.text()).collect();
                named.push((name.to_string(), json!({"name": name, "values": values})));
            }
        });
    }
    named.into_iter().map(|(_, substitution)| substitution).collect()
}

fn exception_spec(exception: &AlertException) -> Value {
    let mut spec = Map::new();
    spec.insert("description".to_owned(), json!(exception.description));
    spec.insert("selector".to_owned(), json!(exception.selector.to_string()));
    for (key, at) in [("startTime", exception.from_ms), ("endTime", exception.until_ms)] {
        if let Some(at) = at {
            spec.insert(key.to_owned(), json!(Calendar::new(at, 0).rfc3339()));
        }
    }
    Value::Object(spec)
}

fn webhook_spec(webhook: &SecurityEventWebhook) -> Value {
    let config = webhook.config.iter().map(|(name, reference)| match reference {
        Reference::Value(_) => json!({"name": name, "value": null}),
        Reference::File(path) => json!({"name": name, "valueFrom": {"file": path}}),
        Reference::Env(variable) => json!({"name": name, "valueFrom": {"env": variable}}),
        Reference::Mounted(of, key) => {
            json!({"name": name, "valueFrom": {"secretKeyRef": {"name": of, "key": key}}})
        }
    });
    let config: Vec<Value> = config.collect();
    let mut spec = json!({
        "consumer": webhook.consumer.as_str(),
        "state": webhook.state.as_str(),
        "config": config,
    });
    if webhook.query.expr().is_some() {
        spec["query"] = json!(webhook.query.to_string());
    }
    spec
}

/// `1h`, `5m`, `90s`.
fn written(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use crate::alerts::read_alerts;

    #[test]
    fn an_object_that_is_shown_reads_as_what_it_was() {
        let text = r#"
apiVersion: projectcalico.org/v3
kind: GlobalAlert
metadata: {name: many}
spec:
  description: what
  summary: "${max} from ${source.ip}"
  severity: 80
  dataSet: waf
  period: 90s
  lookback: 1h
  query: '"rules.id" IN ${ids} AND status >= 400'
  substitutions: [{name: ids, values: ["942*", "941*"]}]
  aggregateBy: ["source.ip"]
  metric: max
  field: status
  condition: gt
  threshold: 20.5
---
apiVersion: projectcalico.org/v3
kind: AlertException
metadata: {name: ours}
spec: {description: why, selector: origin = many, startTime: 2026-11-22T00:00:00Z}
"#;
        let read = read_alerts(text.as_bytes());
        assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
        for object in &read.objects {
            let shown = object.to_json().to_string();
            let again = read_alerts(shown.as_bytes());
            assert_eq!(again.objects, std::slice::from_ref(object), "{shown} {:?}", again.diagnostics);
        }
        assert_eq!(read.objects.len(), 2);
    }

    #[test]
    fn what_a_webhook_is_told_with_is_not_shown() {
        let text = r#"
apiVersion: projectcalico.org/v3
kind: SecurityEventWebhook
metadata: {name: chat}
spec: {consumer: Slack, query: type = waf, config: [{name: url, value: "https://hooks.example/secret"}]}
"#;
        let shown = read_alerts(text.as_bytes()).objects[0].to_json();
        assert!(!shown.to_string().contains("secret"), "{shown}");
        assert_eq!(shown["spec"]["consumer"], "Slack");
        assert_eq!(shown["spec"]["state"], "Enabled");
    }
}
