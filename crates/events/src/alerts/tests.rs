use std::sync::Arc;

use palisade_yaml::Style;
use serde_json::{Value, json};

use super::state::{self, WatchState};
use super::*;

/// The first article's alert, its indentation put right.
const ARTICLE: &str = "\
apiVersion: projectcalico.org/v3
kind: GlobalAlert
metadata:
  name: waf-new-alert-rule-info
spec:
  summary: 'WAF new waf-alert-942100'
  description: 'Test WAF Global Alert'
  severity: 1
  dataSet: waf
  period: 1m
  lookback: 1h
  query: '\"rule_info\" IN {\"*942100*\"}'
  threshold: 0
  condition: gt
";

const MINUTE: u64 = 60_000;
/// A full minute of 2026.
const NOON: u64 = 1_795_348_800_000;

fn read_one(text: &str) -> GlobalAlert {
    let mut read = read_alerts(text.as_bytes());
    let shown: Vec<String> =
        read.diagnostics.iter().filter(|it| it.is_error()).map(|it| it.render(None, Style::Plain)).collect();
    assert_eq!(shown, [""; 0], "{text}");
    match read.objects.remove(0) {
        AlertObject::Alert(alert) => alert,
        other => panic!("{other:?}"),
    }
}

fn alert(spec: &str) -> GlobalAlert {
    let spec: String = spec.lines().map(|line| format!("  {}\n", line.trim())).collect();
    read_one(&format!(
        "apiVersion: projectcalico.org/v3\nkind: GlobalAlert\nmetadata: {{name: a}}\nspec:\n  description: d\n  \
         severity: 50\n{spec}"
    ))
}

fn id(time_ms: u64, number: u64) -> u128 {
    u128::from(time_ms) << 80 | u128::from(number)
}

fn hit(rule: &str) -> Value {
    json!({"rule_info": format!("[1] ID:'{rule}' Data:''"), "source": {"ip": "192.0.2.7"}})
}

#[test]
fn the_articles_alert_fires_once_for_each_event_whatever_its_condition_says() {
    let read = read_alerts(ARTICLE.as_bytes());
    assert_eq!(read.diagnostics.len(), 1, "{:?}", read.diagnostics);
    assert!(!read.diagnostics[0].is_error());
    let alert = Arc::new(read_one(ARTICLE));
    assert_eq!(alert.asks, Asks::EachRecord);
    let mut watch = Watch::new(alert.clone(), WatchState { evaluated_ms: NOON, ..WatchState::default() });
    assert_eq!(watch.due_ms(), NOON + MINUTE);
    watch.take(id(NOON + 1, 1), NOON + 1, &hit("942100"));
    watch.take(id(NOON + 2, 2), NOON + 2, &hit("942190"));
    let fired = watch.evaluate(NOON + MINUTE);
    assert_eq!(fired.len(), 1);
    let event = alert_event(&alert, &fired[0], "node");
    assert_eq!(event["description"], "WAF new waf-alert-942100");
    assert_eq!(
        (&event["type"], &event["origin"]),
        (&json!("global_alert"), &json!("waf-new-alert-rule-info"))
    );
    assert_eq!((&event["severity"], &event["source_ip"]), (&json!(1), &json!("192.0.2.7")));
    assert_eq!(event["record"], hit("942100"));
    // The next fifty-nine windows hold the same event.
    for minute in 2..=60 {
        assert_eq!(watch.evaluate(NOON + minute * MINUTE), [], "minute {minute}");
    }
    // Nor does it fire again after a restart, with the records of the last hour read anew.
    let state = watch.state().clone();
    let mut again = Watch::new(alert, state);
    again.take(id(NOON + 1, 1), NOON + 1, &hit("942100"));
    assert_eq!(again.evaluate(NOON + 61 * MINUTE), []);
    again.take(id(NOON + 61 * MINUTE, 3), NOON + 61 * MINUTE, &hit("942100"));
    assert_eq!(again.evaluate(NOON + 62 * MINUTE).len(), 1);
}

/// Records of one window, an alert, and what it makes of them: the records of its events.
#[test]
fn metrics_and_conditions_do_what_their_line_says() {
    let records = [
        json!({"service": "a", "duration_us": 10, "method": "GET"}),
        json!({"service": "a", "duration_us": 30, "method": "GET"}),
        json!({"service": "b", "duration_us": 5, "method": "POST"}),
        json!({"service": "b", "method": "GET"}),
        json!({"method": "GET"}),
    ];
    let table: &[(&str, Value)] = &[
        ("metric: count\ncondition: gt\nthreshold: 4", json!([{"count": 5}])),
        ("metric: count\ncondition: gt\nthreshold: 5", json!([])),
        ("metric: count\ncondition: gte\nthreshold: 5", json!([{"count": 5}])),
        ("metric: count\ncondition: eq\nthreshold: 5", json!([{"count": 5}])),
        ("metric: count\ncondition: not_eq\nthreshold: 5", json!([])),
        ("metric: count\ncondition: not_eq\nthreshold: 4", json!([{"count": 5}])),
        ("metric: count\ncondition: lt\nthreshold: 5", json!([])),
        ("metric: count\ncondition: lte\nthreshold: 5", json!([{"count": 5}])),
        ("metric: min\nfield: duration_us\ncondition: lt\nthreshold: 5.5", json!([{"min": 5}])),
        ("metric: max\nfield: duration_us\ncondition: gt\nthreshold: 29", json!([{"max": 30}])),
        ("metric: sum\nfield: duration_us\ncondition: eq\nthreshold: 45", json!([{"sum": 45}])),
        ("metric: avg\nfield: duration_us\ncondition: eq\nthreshold: 15", json!([{"avg": 15}])),
        ("metric: avg\nfield: status\ncondition: gt\nthreshold: 0", json!([])),
        (
            "metric: count\ncondition: gte\nthreshold: 1\naggregateBy: [service]",
            json!([{"service": "a", "count": 2}, {"service": "b", "count": 2}]),
        ),
        (
            "metric: avg\nfield: duration_us\ncondition: gt\nthreshold: 5\naggregateBy: [service]",
            json!([{"service": "a", "avg": 20}]),
        ),
        ("aggregateBy: [service]", json!([{"service": "a"}, {"service": "b"}])),
        (
            "aggregateBy: [service, method]",
            json!([
                {"service": "a", "method": "GET"}, {"service": "b", "method": "POST"}, {"service": "b", "method": "GET"}
            ]),
        ),
        ("query: method = POST", json!([records[2]])),
        ("query: method = PUT", json!([])),
        ("query: method = GET\nmetric: count\ncondition: gt\nthreshold: 3", json!([{"count": 4}])),
        ("query: method = PUT\nmetric: count\ncondition: lt\nthreshold: 1", json!([{"count": 0}])),
    ];
    for (spec, expected) in table {
        let alert = Arc::new(alert(&format!("dataSet: waf\nperiod: 1m\nlookback: 5m\n{spec}")));
        let mut watch = Watch::new(alert, WatchState { evaluated_ms: NOON, ..WatchState::default() });
        for (number, record) in records.iter().enumerate() {
            watch.take(id(NOON + 1, number as u64), NOON + 1, record);
        }
        let fired: Vec<Value> = watch.evaluate(NOON + MINUTE).into_iter().map(|fired| fired.record).collect();
        assert_eq!(json!(fired), *expected, "{spec}");
        assert_eq!(watch.evaluate(NOON + 2 * MINUTE), [], "again: {spec}");
    }
    println!("{} alerts over one window", table.len());
}

/// When a count above two fires again: only when those that are new are above two by themselves.
#[test]
fn a_metric_fires_again_when_what_is_new_satisfies_it_by_itself() {
    let alert = Arc::new(alert(
        "dataSet: waf\nperiod: 1m\nlookback: 10m\nmetric: count\ncondition: gt\nthreshold: 2\naggregateBy: [\"source.ip\"]\nsummary: ${count} from ${source.ip}",
    ));
    let mut watch = Watch::new(alert.clone(), WatchState { evaluated_ms: NOON, ..WatchState::default() });
    let mut number = 0;
    let mut minute = |records: u64, watch: Watch| -> (Vec<String>, Watch) {
        // It goes on from its state as after a restart, its rows read anew.
        let mut watch = watch;
        number += 1;
        for record in 0..records {
            let at = NOON + (number - 1) * MINUTE + record + 1;
            watch.take(id(at, record), at, &json!({"source": {"ip": "192.0.2.1\n"}}));
        }
        let fired = watch.evaluate(NOON + number * MINUTE);
        let said = fired.iter().map(|fired| {
            let event = alert_event(&alert, fired, "node");
            event["description"].as_str().unwrap().to_owned()
        });
        (said.collect(), watch)
    };
    let expected: &[(u64, &[&str])] = &[
        (2, &[]),
        (1, &["3 from 192.0.2.1 "]),
        (2, &[]),
        (0, &[]),
        (1, &["6 from 192.0.2.1 "]),
        (3, &["9 from 192.0.2.1 "]),
        (0, &[]),
        (0, &[]),
        (0, &[]),
        (0, &[]),
        (0, &[]),
        (0, &[]),
        (0, &[]),
        (0, &[]),
        (0, &[]),
        (0, &[]),
        (2, &[]),
        (1, &["3 from 192.0.2.1 "]),
    ];
    for (at, (records, said)) in expected.iter().enumerate() {
        let found;
        (found, watch) = minute(*records, watch);
        assert_eq!(found, *said, "minute {}", at + 1);
    }
    assert!(watch.state().covered.len() <= 1);
}

#[test]
fn silence_is_told_once_a_lookback() {
    let alert =
        Arc::new(alert("dataSet: l7\nperiod: 1m\nlookback: 5m\nmetric: count\ncondition: lt\nthreshold: 1"));
    let mut watch = Watch::new(alert, WatchState { evaluated_ms: NOON, ..WatchState::default() });
    let fired: Vec<usize> = (1..=12).map(|minute| watch.evaluate(NOON + minute * MINUTE).len()).collect();
    assert_eq!(fired, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn the_same_firing_has_the_same_id_after_a_crash_and_others_have_others() {
    let alert = Arc::new(read_one(ARTICLE));
    let fire = |number, after: u64| {
        let state = WatchState { evaluated_ms: NOON, ..WatchState::default() };
        let mut watch = Watch::new(alert.clone(), state);
        watch.take(id(NOON, number), NOON, &hit("942100"));
        let due = watch.due_ms();
        (watch.evaluate(due + after).remove(0).id, due)
    };
    // Asked again after a crash, a little later.
    assert_eq!(fire(1, 0), fire(1, 2500));
    assert_ne!(fire(1, 0), fire(2, 0));
    // It stands among events at the time when it was to be asked.
    let (id, due) = fire(1, 700);
    assert_eq!((id >> 80) as u64, due);
}

#[test]
fn a_flood_is_bounded_and_says_how_much_more_there_was() {
    let each = Arc::new(read_one(ARTICLE));
    let mut watch = Watch::new(each, WatchState::default());
    for number in 0..(FIRINGS_MAX as u64 + 7) {
        watch.take(id(NOON, number), NOON, &hit("942100"));
    }
    let fired = watch.evaluate(NOON + MINUTE);
    assert_eq!(fired.len(), FIRINGS_MAX + 1);
    assert_eq!(fired[FIRINGS_MAX].record, json!({"more_records": 7}));
    assert_eq!(watch.evaluate(NOON + 2 * MINUTE), []);

    let rows =
        Arc::new(alert("dataSet: waf\nmetric: count\ncondition: gt\nthreshold: 0\naggregateBy: [path]"));
    let mut watch = Watch::new(rows, WatchState::default());
    for number in 0..(ROWS_MAX as u64 + 5) {
        watch.take(id(NOON, number), NOON, &json!({"path": format!("/{number}")}));
    }
    assert_eq!(watch.forgotten(), 5);
    let fired = watch.evaluate(NOON + MINUTE);
    assert_eq!(fired.len(), FIRINGS_MAX + 1);
    assert_eq!(fired[FIRINGS_MAX].record["more_combinations"], json!(ROWS_MAX - FIRINGS_MAX));
}

#[test]
fn an_alert_that_asks_something_else_begins_anew_and_one_that_says_something_else_does_not() {
    let mut watch = Watch::new(Arc::new(read_one(ARTICLE)), WatchState::default());
    watch.take(id(NOON, 1), NOON, &hit("942100"));
    let other_words = ARTICLE.replace("Test WAF", "Other");
    let mut watch = watch.replaced(Arc::new(read_one(&other_words)));
    assert_eq!(watch.evaluate(NOON + MINUTE).len(), 1, "what waited is still there");
    let other_query = ARTICLE.replace("942100", "942190");
    let mut watch = watch.replaced(Arc::new(read_one(&other_query)));
    watch.take(id(NOON + 2 * MINUTE, 2), NOON + 2 * MINUTE, &hit("942190"));
    assert_eq!(watch.evaluate(NOON + 3 * MINUTE).len(), 1);
}

#[test]
fn lists_make_a_combination_of_each_item() {
    let alert = Arc::new(alert("dataSet: waf\naggregateBy: [\"rules.id\"]"));
    let mut watch = Watch::new(alert, WatchState::default());
    watch.take(id(NOON, 1), NOON, &json!({"rules": [{"id": "1"}, {"id": "2"}, {"id": "1"}]}));
    let fired: Vec<Value> = watch.evaluate(NOON + MINUTE).into_iter().map(|fired| fired.record).collect();
    assert_eq!(json!(fired), json!([{"rules.id": "1"}, {"rules.id": "2"}]));
}

#[test]
fn the_state_is_written_as_a_whole_and_read_again() {
    let folder = std::env::temp_dir().join(format!("palisade-alert-state-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("alerts.json");
    assert_eq!(state::load(&path).unwrap(), state::State::new());
    let mut watch = Watch::new(Arc::new(alert("dataSet: waf\naggregateBy: [path]")), WatchState::default());
    watch.take(id(NOON, 1), NOON, &json!({"path": "/"}));
    watch.evaluate(NOON + MINUTE);
    let all = state::State::from([("a".to_owned(), watch.state().clone())]);
    state::save(&path, &all).unwrap();
    assert_eq!(state::load(&path).unwrap(), all);
    std::fs::write(&path, "{\"version\":2,\"alerts\":{}}").unwrap();
    let error = state::load(&path).unwrap_err();
    assert_eq!(error.to_string(), "it is of version 2, and this program knows 1");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_exception_hides_while_it_lasts() {
    let read = read_alerts(
        b"apiVersion: projectcalico.org/v3\nkind: AlertException\nmetadata: {name: scanner}\nspec:\n  description: ours\n  \
          selector: origin = \"a\" AND source_ip = \"192.0.2.0/24\"\n  startTime: 2026-11-22T12:00:00Z\n  endTime: \
          2026-11-22T13:00:00Z\n",
    );
    assert_eq!(read.diagnostics, []);
    let [AlertObject::Exception(exception)] = &read.objects[..] else { panic!("{read:?}") };
    let event = json!({"origin": "a", "source_ip": "192.0.2.9"});
    let at = |minutes: i64| (NOON as i64 + minutes * MINUTE as i64) as u64;
    let hidden = [-1, 0, 59, 60].map(|minutes| exception.hides(&event, at(minutes)));
    assert_eq!(hidden, [false, true, true, false]);
    assert!(!exception.hides(&json!({"origin": "a", "source_ip": "198.51.100.1"}), at(1)));
}

#[test]
fn what_is_wrong_is_shown_at_its_place_with_a_remedy() {
    let head = "apiVersion: projectcalico.org/v3\nkind: GlobalAlert\nmetadata: {name: a}\nspec:\n";
    let good = "  description: d\n  severity: 1\n  dataSet: waf\n";
    let table: &[(String, &str)] = &[
        (format!("{head}  severity: 101\n  dataSet: wat\n"), "\
error: spec: `description` is missing
 --> a.yaml:5:3
  |
5 |   severity: 101
  |   ^
  = help: add `description: what it means`
error: spec.severity: `101` is not a whole number from 1 to 100
 --> a.yaml:5:13
  |
5 |   severity: 101
  |             ^^^
error: spec.dataSet: `wat` is no data set
 --> a.yaml:6:12
  |
6 |   dataSet: wat
  |            ^^^
  = help: did you mean `waf`?
"),
        (format!("{head}{good}  query: 'method == GET'\n"), "\
error: spec.query: `==` is no comparison at column 8 of the query
 --> a.yaml:8:18
  |
8 |   query: 'method == GET'
  |                  ^
  = help: write =
"),
        (format!("{head}{good}  query: rule_inf IN {{\"*\"}}\n"), "\
error: spec.query: records of waf have no field `rule_inf` (column 1 of the query)
 --> a.yaml:8:10
  |
8 |   query: rule_inf IN {\"*\"}
  |          ^
  = help: did you mean `rule_info`?
"),
        (format!("{head}{good}  query: path = \"/a*\"\n"), "\
warning: spec.query: `*` in \"/a*\" is no wildcard: wildcards are in sets only
 --> a.yaml:8:10
  |
8 |   query: path = \"/a*\"
  |          ^^^^^^^^^^^^
  = help: write path IN {\"/a*\"}
"),
        (format!("{head}{good}  metric: max\n  period: 30s\n"), "\
error: spec.period: `30s` is less than a minute
 --> a.yaml:9:11
  |
9 |   period: 30s
  |           ^^^
  = help: write 1m or more
error: spec: the metric max needs a field
"),
        (format!("{head}{good}  field: path\n"), "\
error: spec: a field without a metric
 --> a.yaml:8:10
"),
        (format!("{head}{good}  metric: count\n  field: path\n  condition: gt\n  threshold: 1\n"), "\
error: spec: records are counted without a field
"),
        (format!("{head}{good}  metric: count\n"), "\
error: spec: a metric needs `condition`
 --> a.yaml:8:11
  |
8 |   metric: count
  |           ^^^^^
  = help: add `condition: gt`
error: spec: a metric needs `threshold`
"),
        (format!("{head}{good}  aggregateBy: [sourc]\n  querry: a\n"), "\
error: spec.aggregateBy[0]: records of waf have no field `sourc`
"),
        (format!("{head}  description: d\n  severity: 1\n  dataSet: flows\n  query: anything = 1\n"), "\
warning: spec.dataSet: nothing here records the data set flows: the alert stays silent
"),
        (format!("{head}{good}  summary: ${{count}} of ${{path}}\n  aggregateBy: [path]\n"), "\
warning: spec: `${count}` has no value here and stays as it is
"),
        (format!("{head}{good}  substitutions: [{{name: x, values: [a]}}, {{name: x, values: [b]}}]\n  query: path IN ${{y}}\n"), "\
error: spec.substitutions[1]: two substitutions have the name `x`
"),
        ("apiVersion: projectcalico.org/v3\nkind: GlobalAlert\nmetadata:\nname: lost\nspec:\nsummary: 'x'\n".to_owned(), "\
error: an object without a name
 --> a.yaml:1:1
  |
1 | apiVersion: projectcalico.org/v3
  | ^
  = help: indent `name` below `metadata:` and the fields of `spec:` below it, by two blanks each
"),
        ("kind: SecurityEventWebhook\napiVersion: projectcalico.org/v3\nmetadata: {name: w}\nspec:\n  consumer: Jira\n  config:\n  - {name: apiToken, value: abc}\n".to_owned(), "\
error: spec: the config has no `url`
"),
    ];
    for (text, expected) in table {
        let read = read_alerts(text.as_bytes());
        let shown: String = read
            .diagnostics
            .iter()
            .map(|it| it.render(Some(("a.yaml", text.as_bytes())), Style::Plain))
            .collect();
        let whole = expected.lines().all(|line| shown.lines().any(|there| there.trim() == line.trim()));
        assert!(whole, "{text}\nshows\n{shown}\nand not\n{expected}");
    }
}

#[test]
fn a_secret_is_not_written_down_and_does_not_show() {
    let text = b"kind: SecurityEventWebhook\napiVersion: projectcalico.org/v3\nmetadata: {name: w}\nspec:\n  consumer: \
        Generic\n  config:\n  - {name: url, value: 'https://hooks.example/T0/SECRET'}\n  - {name: bearerToken, valueFrom: \
        {secretKeyRef: {name: hook, key: token}}}\n";
    let read = read_alerts(text);
    assert_eq!(read.diagnostics, []);
    let shown = format!("{:?}", read.objects);
    assert!(!shown.contains("SECRET") && shown.contains("Mounted(hook/token)"), "{shown}");
    let plain = String::from_utf8_lossy(text)
        .replace("valueFrom: {secretKeyRef: {name: hook, key: token}}", "value: t");
    let plain = plain.replace("valueFrom:         {secretKeyRef: {name: hook, key: token}}", "value: t");
    let read = read_alerts(plain.as_bytes());
    assert!(read.objects.is_empty() && read.diagnostics[0].message.contains("is a secret"), "{read:?}");
    let climbs = String::from_utf8_lossy(text).replace("name: hook", "name: ../hook");
    assert!(read_alerts(climbs.as_bytes()).objects.is_empty());
}

#[test]
fn hostile_text_is_harmless_in_what_consumers_are_told() {
    let hostile = "x\r\nBcc: all@example.com\u{1b}[2J <!channel> <http://evil|click> & {noformat} =cmd()";
    let event =
        json!({"origin": "a", "severity": 5, "description": hostile, "source_ip": "192.0.2.1", "time": "t"});
    let told = |consumer: webhook::Consumer| consumer.payload(&event, &Default::default());
    let slack = told(webhook::Consumer::Slack)["text"].as_str().unwrap().to_owned();
    assert!(!slack.contains(['<', '>', '\u{1b}', '\n']), "{slack}");
    assert!(slack.contains("&lt;!channel&gt;"));
    let subject = told(webhook::Consumer::Email)["subject"].as_str().unwrap().to_owned();
    assert!(!subject.chars().any(char::is_control), "{subject}");
    let manager = told(webhook::Consumer::AlertManager);
    assert_eq!(manager[0]["labels"]["alertname"], "a");
    assert!(!manager[0]["annotations"]["summary"].as_str().unwrap().chars().any(char::is_control));
    let jira = told(webhook::Consumer::Jira)["fields"]["description"].as_str().unwrap().to_owned();
    assert_eq!(jira.matches("{noformat}").count(), 2, "{jira}");
}
