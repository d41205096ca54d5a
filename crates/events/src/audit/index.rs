//! The concurrent log: a file an entry, and a line in the index that names it.

use std::fmt::Write as _;
use std::path::PathBuf;

use palisade_model::{AuditRecord, Calendar, Excerpt};

/// A file that the index names.
#[derive(Clone, Copy, Debug)]
pub struct IndexedFile<'a> {
    /// Its path.
    pub path: &'a str,
    /// What is written to it.
    pub content: &'a str,
}

/// Where an entry's file is below the storage folder: `20261122/20261122-0209/20261122-020903-UNIQUE_ID`.
pub fn entry_path(record: &AuditRecord) -> PathBuf {
    let (day, minute, second) =
        Calendar::new(record.started_unix_millis, record.utc_offset_seconds).compact();
    // Ours are hexadecimal; one that another proxy gave is made a plain name.
    let id: String = record
        .unique_id
        .as_str()
        .chars()
        .take(128)
        .map(|character| if character.is_ascii_alphanumeric() || character == '-' { character } else { '_' })
        .collect();
    [day.clone(), format!("{day}-{minute}"), format!("{day}-{minute}{second}-{id}")].iter().collect()
}

/// The line of an entry, without its end.
///
/// Source: what libmodsecurity 3.0.9 writes, its order of fields included. Differs: the size is a whole number; texts
/// have their quotes and blanks escaped.
pub fn index_line(record: &AuditRecord, file: &IndexedFile<'_>) -> String {
    use md5::Digest as _;
    let request = &record.request;
    let time = Calendar::new(record.started_unix_millis, record.utc_offset_seconds).common_log();
    let word = |excerpt: Option<&Excerpt>| match excerpt {
        Some(text) if !text.is_empty() => escaped(text.as_str(), true),
        _ => "-".to_owned(),
    };
    let (host, referer) = (word(request.header("host")), word(request.header("referer")));
    let agent = request.header("user-agent").filter(|text| !text.is_empty());
    let agent = agent.map_or_else(|| "-".to_owned(), |text| escaped(text.as_str(), false));
    let mut out = String::with_capacity(512);
    let _ = write!(
        out,
        "{host} {} - [{time}] \"{} {} {}\" {} {} {referer} \"{agent}\" {} {referer} {} 0 {} md5:{}",
        record.client.ip(),
        escaped(request.method.as_str(), true),
        escaped(request.target.as_str(), true),
        escaped(request.version.as_str(), true),
        record.response.status.unwrap_or(0),
        record.response.body_bytes,
        record.unique_id,
        file.path,
        file.content.len(),
        super::hex(&md5::Md5::digest(file.content.as_bytes())),
    );
    out
}

fn escaped(text: &str, blanks: bool) -> String {
    let out = text.replace('"', "\\x22");
    if blanks { out.replace(' ', "\\x20") } else { out }
}
