//! Records for people at a terminal. What a client sent stands in them: nothing of it may move a cursor, change a colour
//! or turn the direction of the text, whoever wrote the record.

use std::borrow::Cow;
use std::fmt::Write as _;

use palisade_events::alerts::ALERT_KIND;
use serde_json::Value;

/// How the text form looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) colours: bool,
}

/// Rules and findings of one event that are shown.
const LINES_MAX: usize = 12;

impl Style {
    /// An event, in some lines with their ends.
    pub(super) fn event(self, json: &str) -> String {
        let event = parsed(json);
        let of = |path: &str| text(&event, path);
        if event["kind"] == ALERT_KIND {
            return self.alert(&event);
        }
        let mut out = String::new();
        let action = of("/action");
        let colour = match &*action {
            "deny" => RED,
            "would_block" => YELLOW,
            _ => GREEN,
        };
        let _ = write!(
            out,
            "{} {}",
            self.paint(DIM, &of("/@timestamp")),
            self.paint(colour, &format!("{action:<11}"))
        );
        let _ = write!(out, " {:<10} {}", of("/kind"), self.paint(BOLD, &of("/service")));
        if let Some(source) = some(&event, "/source/ip") {
            let _ = write!(out, " {source}");
        }
        if let Some(name) = some(&event, "/source/name") {
            let _ = write!(out, " ({}/{name})", of("/source/namespace"));
        }
        if let Some(method) = some(&event, "/method") {
            let _ = write!(out, " {method} {}{}", of("/authority"), of("/path"));
        }
        if let Some(status) = some(&event, "/status") {
            let _ = write!(out, " {status}");
        }
        out.push('\n');
        let _ = write!(out, "    {}", of("/msg"));
        if let Some(cause) = some(&event, "/cause") {
            let _ = write!(out, ", by {cause}");
            let what = ["/rule_id", "/attack", "/framing"].iter().find_map(|path| some(&event, path));
            if let Some(what) = what {
                let _ = write!(out, " {what}");
            }
        }
        if let Some(mode) = some(&event, "/mode") {
            let _ = write!(out, "; mode {mode}");
        }
        out.push('\n');
        for rule in items(&event, "rules") {
            let of = |path: &str| text(rule, path);
            let _ = writeln!(
                out,
                "    rule {} {} {} {}",
                of("/id"),
                of("/message"),
                self.paint(DIM, &of("/target")),
                of("/data")
            );
        }
        for finding in items(&event, "findings") {
            let of = |path: &str| text(finding, path);
            let _ = writeln!(
                out,
                "    {} {} at {}: {} {}",
                of("/attack"),
                self.paint(DIM, &format!("{} %", of("/confidence"))),
                of("/point"),
                of("/why"),
                self.paint(DIM, &of("/excerpt"))
            );
        }
        if let Some(policy) = event.get("policy") {
            let _ = write!(out, "    policy: {}, {}", text(policy, "/verdict"), text(policy, "/reason"));
            if let Some(pending) = some(policy, "/pending_verdict") {
                let _ = write!(out, "; staged: {pending}");
            }
            if let Some(nearest) = some(policy, "/nearest") {
                let _ = write!(out, "; nearest: {nearest}");
            }
            out.push('\n');
        }
        for shortfall in items(&event, "shortfalls") {
            let _ = writeln!(out, "    not looked at: {}", text(shortfall, ""));
        }
        if let Some(dropped) = event.get("dropped") {
            let of = |path: &str| text(dropped, path);
            let _ = writeln!(
                out,
                "    at {}: {} events, {} L7 records",
                of("/at"),
                of("/events"),
                of("/traffic")
            );
        }
        let _ = writeln!(
            out,
            "    {}",
            self.paint(DIM, &format!("id {} request {}", of("/id"), of("/request_id")))
        );
        out
    }

    /// An alert that fired.
    fn alert(self, event: &Value) -> String {
        let of = |path: &str| text(event, path);
        let hidden = some(event, "/exception").map(|by| format!(", hidden by {by}")).unwrap_or_default();
        format!(
            "{} {} {}\n    {}; severity {}{hidden}\n    {}\n",
            self.paint(DIM, &of("/@timestamp")),
            self.paint(YELLOW, "alert      "),
            self.paint(BOLD, &of("/origin")),
            of("/description"),
            of("/severity"),
            self.paint(DIM, &format!("id {}", of("/id"))),
        )
    }

    /// An L7 record, in a line with its end.
    pub(super) fn traffic(self, json: &str) -> String {
        let record = parsed(json);
        let of = |path: &str| text(&record, path);
        let mean = record.get("duration_mean").and_then(Value::as_u64).unwrap_or_default();
        let source = match &*of("/src_namespace") {
            "" | "-" => of("/src_name_aggr").to_string(),
            namespace => format!("{namespace}/{}", of("/src_name_aggr")),
        };
        let mut line = format!(
            "{} {:>6} x {source} -> {} {} {} {} {:.3} ms",
            self.paint(DIM, &of("/@timestamp")),
            of("/count"),
            self.paint(BOLD, &of("/service")),
            of("/method"),
            of("/url"),
            of("/response_code"),
            mean as f64 / 1e6,
        );
        for (name, colour) in [("blocked", RED), ("would_block", YELLOW)] {
            if let Some(count) = some(&record, &format!("/{name}")).filter(|count| count != "0") {
                let _ = write!(line, " {}", self.paint(colour, &format!("{name} {count}")));
            }
        }
        line.push('\n');
        line
    }

    fn paint<'t>(self, colour: &str, text: &'t str) -> Cow<'t, str> {
        if self.colours && !text.is_empty() {
            format!("\x1b[{colour}m{text}\x1b[0m").into()
        } else {
            text.into()
        }
    }
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

fn items<'v>(record: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    record.get(name).and_then(Value::as_array).into_iter().flatten().take(LINES_MAX)
}

fn some(record: &Value, path: &str) -> Option<String> {
    match record.pointer(path)? {
        Value::Null => None,
        Value::String(text) => Some(harmless(text).into_owned()),
        other => Some(harmless(&other.to_string()).into_owned()),
    }
}

fn text(record: &Value, path: &str) -> String {
    some(record, path).unwrap_or_default()
}

/// A text on one line that moves nothing: controls, and what turns or hides text, as `\u{1b}`.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out.into()
}

/// JSON that means the same and moves nothing.
pub(super) fn harmless_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(acts) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if acts(character) {
            // They can stand in texts alone, where this is their other name.
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out.into()
}

fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_client_sent_acts_on_a_terminal() {
        let hostile = "a\u{1b}[31m\u{9b}2J\r\n\t\u{202e}evil\u{200b}\u{e0041}é";
        let json = serde_json::json!({
            "action": hostile, "kind": hostile, "service": hostile, "path": hostile, "method": hostile, "msg": hostile,
            "source": {"ip": hostile, "name": hostile}, "rules": [{"id": hostile, "message": hostile, "data": hostile}],
            "findings": [{"why": hostile}], "policy": {"reason": hostile}, "shortfalls": [hostile], "@timestamp": hostile,
            "url": hostile, "src_name_aggr": hostile, "count": hostile, "blocked": hostile,
        })
        .to_string();
        let plain = Style { colours: false };
        for shown in [plain.event(&json), plain.traffic(&json)] {
            assert!(!shown.chars().any(|character| character != '\n' && acts(character)), "{shown:?}");
            assert!(shown.contains("é") && shown.contains("\\u{1b}[31m"));
        }
        let safe = harmless_json(&json);
        assert!(!safe.chars().any(acts));
        assert_eq!(parsed(&safe), parsed(&json), "and it means the same");
        assert_eq!(plain.event("no json"), plain.event("{}"));
    }
}
