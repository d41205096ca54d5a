//! Targets for `palisade-events`: queries over records, and files of alerts, as anybody may write them.

use std::sync::Arc;

use palisade_events::alerts::state::WatchState;
use palisade_events::alerts::{AlertObject, Watch, alert_event, read_alerts, security_event};
use palisade_events::query::parse;

/// A query, a line feed, a record of JSON.
pub fn alert_query(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (query, record) = text.split_once('\n').unwrap_or((text, "{}"));
    let query = match parse(query) {
        Ok(query) => query,
        Err(error) => {
            assert!(error.at <= query.chars().count() && !error.help.is_empty(), "{error}");
            return;
        }
    };
    let printed = query.to_string();
    let again = parse(&printed).unwrap_or_else(|error| panic!("{printed} is printed, and {error}"));
    assert_eq!(again, query, "{printed} reads as what it was");
    let Ok(record) = serde_json::from_str(record) else { return };
    assert_eq!(again.matches(&record), query.matches(&record));
    let event = security_event(&record);
    assert!(event.is_object());
    if !printed.is_empty() {
        let negated = parse(&format!("NOT ({printed})"));
        // It nests one deeper, and is longer.
        assert!(
            negated.is_err()
                || negated.is_ok_and(|negated| negated.matches(&record) != query.matches(&record))
        );
    }
}

/// A file of alerts: what can be read is asked of two records.
pub fn alert_yaml(input: &[u8]) {
    let read = read_alerts(input);
    for diagnostic in &read.diagnostics {
        let shown = diagnostic.render(Some(("f.yaml", input)), palisade_config::Style::Plain);
        assert!(shown.contains(&diagnostic.message) && shown.len() < 20_000, "{shown}");
    }
    if read.unreadable || !read.refused.is_empty() {
        assert!(read.diagnostics.iter().any(palisade_config::Diagnostic::is_error), "there is a reason");
    }
    let records = [
        serde_json::json!({"rule_info": "ID:'942100'", "rules": [{"id": "942100"}], "count": 3, "status": 403}),
        serde_json::json!({"method": "GET", "path": "/\u{1b}", "source": {"ip": "192.0.2.1"}}),
    ];
    for object in read.objects {
        let AlertObject::Alert(alert) = object else { continue };
        let alert = Arc::new(alert);
        let mut watch = Watch::new(alert.clone(), WatchState::default());
        for (number, record) in (1..).zip(&records) {
            watch.take(1000 << 80 | number, 1000, record);
        }
        let fired = watch.evaluate(1000);
        assert!(fired.len() <= records.len());
        for fired in &fired {
            let event = alert_event(&alert, fired, "node");
            let description = event["description"].as_str().expect("it has one");
            assert!(description.len() <= 8192 * 4 + 256 * 4 * 1366, "{} bytes", description.len());
        }
        let repeats = watch.evaluate(1001);
        assert!(repeats.is_empty(), "nothing came, and it fires again: {repeats:?}");
    }
}
