//! ModSecurity 2's sections, in its words: what the sidecars of the CRS images have written for years.
//!
//! ```text
//! --a05a312e-H--
//! Message: Warning. Pattern match "..." at ARGS:password. [file ".."] [line "190"] [id "942190"] ...
//! Message: Access denied with code 403 (phase 2). Operator GE matched 5 at TX:anomaly_score. ...
//! Action: Intercepted (phase 2)
//! Stopwatch: 1578613306195000 3522 (- - -)
//! Producer: Palisade/0.1.0; OWASP_CRS/3.2.0.
//! Server: Palisade
//! Engine-Mode: "ENABLED"
//! ```
//!
//! Source: the log excerpt of the article on the sidecar pattern, and the reference manual for what parts hold.
//! Differs: no `Apache-Error`, `Apache-Handler`, `Response-Body-Transformed` (there is no Apache) and no `Stopwatch2`;
//! part K names matched rules by id and place instead of repeating their text.

use std::fmt::Write as _;

use palisade_model::{AuditRecord, EngineMode};

use super::native::{push_a, push_b, push_headers};
use super::words;
use super::{Boundary, Producer, push_block};

/// One entry.
pub fn native2(record: &AuditRecord, producer: &Producer, boundary: &Boundary) -> String {
    let boundary = boundary.digits();
    let mut out = String::with_capacity(4096);
    let begin = |out: &mut String, part: char| {
        let _ = writeln!(out, "--{boundary}-{part}--");
    };
    begin(&mut out, 'A');
    push_a(&mut out, record);
    if record.parts.has('B') {
        begin(&mut out, 'B');
        push_b(&mut out, record);
    }
    // I is C without files; it has no section of its own.
    if (record.parts.has('C') || record.parts.has('I'))
        && let Some(body) = &record.request.body
    {
        begin(&mut out, 'C');
        push_block(&mut out, body);
        out.push('\n');
    }
    if record.parts.has('F') {
        begin(&mut out, 'F');
        if let Some(status) = record.response.status {
            let _ = writeln!(
                out,
                "{} {status} {}",
                record.response.version,
                palisade_model::reason_phrase(status)
            );
        }
        push_headers(&mut out, &record.response.headers);
        out.push('\n');
    }
    if record.parts.has('E')
        && let Some(body) = &record.response.body
    {
        begin(&mut out, 'E');
        push_block(&mut out, body);
        out.push_str("\n\n");
    }
    if record.parts.has('H') {
        begin(&mut out, 'H');
        push_h(&mut out, record, producer);
        out.push('\n');
    }
    if record.parts.has('J') && !record.files.is_empty() {
        begin(&mut out, 'J');
        for (number, file) in record.files.iter().enumerate() {
            let name = words::quoted(file.name.as_str());
            let _ = writeln!(out, "{},{},\"{name}\",\"<Unknown ContentType>\"", number + 1, file.bytes);
        }
        let _ = writeln!(out, "Total,{}\n", record.files.iter().map(|file| file.bytes).sum::<u64>());
    }
    if record.parts.has('K') {
        begin(&mut out, 'K');
        for message in &record.messages {
            let _ = writeln!(out, "# rule {} of {}:{}", message.rule_id, message.file, message.line_number);
        }
        out.push('\n');
    }
    begin(&mut out, 'Z');
    out.push('\n');
    out
}

fn push_h(out: &mut String, record: &AuditRecord, producer: &Producer) {
    for message in &record.messages {
        let _ = writeln!(out, "Message: {}", words::message(message));
    }
    for finding in &record.findings {
        let line = finding.line();
        let _ = writeln!(out, "Message: {}", line.strip_prefix("Palisade: ").unwrap_or(&line));
    }
    if let Some(intercepted) = &record.intercepted {
        let _ = writeln!(out, "Action: Intercepted (phase {})", intercepted.phase);
    }
    let _ =
        writeln!(out, "Stopwatch: {} {} (- - -)", record.started_unix_millis * 1000, record.duration_micros);
    let _ = write!(out, "Producer: Palisade/{}", producer.version);
    for component in &record.components {
        let _ = write!(out, "; {component}");
    }
    out.push_str(".\nServer: Palisade\n");
    let mode = match record.engine {
        EngineMode::On => "ENABLED",
        EngineMode::DetectionOnly => "DETECTION_ONLY",
        EngineMode::Off => "DISABLED",
    };
    let _ = writeln!(out, "Engine-Mode: \"{mode}\"");
}
