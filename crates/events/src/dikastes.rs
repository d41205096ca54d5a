//! The lines that Calico's Dikastes writes of its workload firewall, for whoever searches logs for them.
//!
//! ```text
//! time="2023-03-21T18:25:30Z" level=info msg="WAF Found Rules File[8]('/etc/../RESPONSE-951-..conf')"
//! time="2023-03-21T19:17:42Z" level=warning msg="WAF Process Http Request [eabb..] URL '//test?artist=..' OWASP
//!   Warning'[2] Host:'192.168.60.185' File:'../REQUEST-942-..conf' Line:'45' ID:'942100' Data:'' Severity:'0'
//!   Version:'OWASP_CRS/3.3.2' Message:'Warning. detected SQLi using libinjection.''"
//! ```
//!
//! Source: the log excerpt of Tigera's article on Calico's workload-centric firewall. Differs: Data and Severity are
//! filled in where they are known, and the message is the rule's `msg`.

use std::net::IpAddr;

use palisade_model::{AuditMessage, Calendar, Excerpt};

/// The line that a rule file was found, at start. Files are numbered from 0.
pub fn found_rules_file(now: Calendar, number: usize, file: &str) -> String {
    line(now, "info", &format!("WAF Found Rules File[{number}]('{file}')"))
}

/// The line of one match. Matches of a request are numbered from 1.
pub fn matched(
    now: Calendar,
    request_id: &str,
    target: &Excerpt,
    host: IpAddr,
    number: usize,
    message: &AuditMessage,
) -> String {
    let fields = fields(host, number, message);
    line(
        now,
        "warning",
        &format!("WAF Process Http Request [{request_id}] URL '{target}' OWASP Warning'{fields}'"),
    )
}

/// All matches of a request as one text, `rule_info` of Calico's log of WAF events: `[1] Host:'..' File:'..' Line:'45'
/// ID:'942100' ...`, one after the other. At most `bytes_max`; what does not fit is left out, match by match.
pub fn rule_info(host: IpAddr, messages: &[AuditMessage], bytes_max: usize) -> String {
    let mut out = String::new();
    for (number, message) in messages.iter().enumerate() {
        let fields = fields(host, number + 1, message);
        if out.len() + fields.len() + 1 > bytes_max {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&fields);
    }
    out
}

/// `[2] Host:'192.168.60.185' File:'..' Line:'45' ID:'942100' ... Message:'Warning. ..'`
fn fields(host: IpAddr, number: usize, message: &AuditMessage) -> String {
    let word = if message.intercepted.is_some() { "Access denied." } else { "Warning." };
    format!(
        "[{number}] Host:'{host}' File:'{}' Line:'{}' ID:'{}' Data:'{}' Severity:'{}' Version:'{}' Message:'{word} {}'",
        message.file,
        message.line_number,
        message.rule_id,
        message.data,
        message.severity.map_or(0, |severity| severity.0),
        message.version,
        message.message,
    )
}

/// A line as logrus writes it. The text is printable already; quotes and backslashes are escaped.
fn line(now: Calendar, level: &str, text: &str) -> String {
    let mut out = format!("time=\"{}\" level={level} msg=\"", now.rfc3339_seconds());
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if character.is_control() => out.extend(character.escape_default()),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}
