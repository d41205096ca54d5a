//! ModSecurity 3's sections: `---BOUNDARY---A--` to `---BOUNDARY---Z--`.
//!
//! Source: what libmodsecurity 3.0.9 writes. D, G, I, J and K are there when they are asked for, and empty, as there;
//! so are line ends in E, written `\x0a`. Differs: the status in "Access denied with code" is the rule's, where 3.0.9
//! writes the one of the answer it knows about; header names and values are escaped; findings of the detector follow
//! the matches in H.

use std::fmt::Write as _;

use palisade_model::{AuditRecord, Calendar};

use super::{Boundary, push_block, push_left_out, push_line};

/// One entry.
pub fn native(record: &AuditRecord, boundary: &Boundary) -> String {
    let boundary = boundary.letters();
    let mut out = String::with_capacity(4096);
    let begin = |out: &mut String, part: char| {
        let _ = writeln!(out, "---{boundary}---{part}--");
    };
    begin(&mut out, 'A');
    push_a(&mut out, record);
    if record.parts.has('B') {
        begin(&mut out, 'B');
        push_b(&mut out, record);
    }
    if record.parts.has('C')
        && let Some(body) = &record.request.body
    {
        begin(&mut out, 'C');
        push_block(&mut out, body);
        out.push_str("\n\n");
    }
    if record.parts.has('D') {
        begin(&mut out, 'D');
        out.push('\n');
    }
    if record.parts.has('E')
        && let Some(body) = &record.response.body
    {
        begin(&mut out, 'E');
        let one_line = body.as_str().replace('\r', "\\x0d").replace('\n', "\\x0a").replace('\t', "\\x09");
        push_line(&mut out, &one_line);
        push_left_out(&mut out, body);
        out.push_str("\n\n");
    }
    if record.parts.has('F') {
        begin(&mut out, 'F');
        let _ = writeln!(out, "{} {}", record.response.version, record.response.status.unwrap_or(0));
        push_headers(&mut out, &record.response.headers);
        out.push('\n');
    }
    if record.parts.has('G') {
        begin(&mut out, 'G');
        out.push('\n');
    }
    if record.parts.has('H') {
        begin(&mut out, 'H');
        for message in &record.messages {
            let _ = writeln!(out, "{}", message.line);
        }
        for finding in &record.findings {
            let _ = writeln!(out, "{}", finding.line());
        }
        out.push('\n');
    }
    for part in ['I', 'J', 'K'] {
        if record.parts.has(part) {
            begin(&mut out, part);
            out.push('\n');
        }
    }
    begin(&mut out, 'Z');
    out.push('\n');
    out
}

/// The line of part A.
pub(super) fn push_a(out: &mut String, record: &AuditRecord) {
    let time = Calendar::new(record.started_unix_millis, record.utc_offset_seconds).common_log();
    let (client, server) = (record.client, record.server);
    let _ = writeln!(
        out,
        "[{time}] {} {} {} {} {}",
        record.unique_id,
        client.ip(),
        client.port(),
        server.ip(),
        server.port()
    );
}

/// The request's head.
pub(super) fn push_b(out: &mut String, record: &AuditRecord) {
    let request = &record.request;
    push_line(out, &format!("{} {} {}", request.method, request.target, request.version));
    out.push('\n');
    push_headers(out, &request.headers);
    out.push('\n');
}

pub(super) fn push_headers(out: &mut String, headers: &[(palisade_model::Excerpt, palisade_model::Excerpt)]) {
    for (name, value) in headers {
        push_line(out, &format!("{name}: {value}"));
        out.push('\n');
    }
}
