//! The audit log's forms: an entry for each exchange.
//!
//! - `native`: ModSecurity 3's sections, in its words;
//! - `native2`: ModSecurity 2's sections, in its words;
//! - `json`: ModSecurity 3's JSON, one object a line;
//! - `index`: the line that a concurrent log writes for each entry's file.
//!
//! Sections stand between lines with a boundary that is drawn for each entry. Content cannot fake one: who sends it
//! does not know the boundary, and a line of content that looks like any boundary has its first hyphen written
//! `\x2d`.

mod index;
mod json;
mod native;
mod native2;
mod words;

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use palisade_model::{AuditRecord, Excerpt};

pub use index::{IndexedFile, entry_path, index_line};
pub use json::json;
pub use native::native;
pub use native2::native2;

/// How entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AuditFormat {
    /// ModSecurity 3's sections.
    #[default]
    Native,
    /// ModSecurity 2's sections and words.
    Native2,
    /// ModSecurity 3's JSON.
    Json,
}

/// Who writes the log, as entries say it.
#[derive(Clone, Debug)]
pub struct Producer {
    /// The version of this program.
    pub version: String,
    /// Stands for this machine: 40 hexadecimal digits.
    pub server_id: String,
}

impl Producer {
    /// This program on a machine of this name.
    pub fn new(version: &str, host_name: &str) -> Self {
        use sha1::Digest as _;
        let digest = sha1::Sha1::digest(host_name.as_bytes());
        Self { version: version.to_owned(), server_id: hex(&digest) }
    }
}

/// One entry, with the line end that ends it.
pub fn entry(format: AuditFormat, record: &AuditRecord, producer: &Producer, boundary: &Boundary) -> String {
    match format {
        AuditFormat::Native => native(record, boundary),
        AuditFormat::Native2 => native2(record, producer, boundary),
        AuditFormat::Json => json(record, producer),
    }
}

/// What frames the sections of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(u64);

impl Boundary {
    /// A boundary that nobody can foretell.
    pub fn draw() -> Self {
        // A keyed hash of a counter; its key comes from the operating system.
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        static DRAWN: AtomicU64 = AtomicU64::new(0);
        Self(KEY.hash_one(DRAWN.fetch_add(1, Ordering::Relaxed)))
    }

    /// A boundary of a number, for tests.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Eight letters and digits, as ModSecurity 3 draws them.
    fn letters(&self) -> String {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut rest = self.0;
        let letter = |rest: &mut u64| {
            let letter = LETTERS[(*rest % 62) as usize];
            *rest /= 62;
            char::from(letter)
        };
        (0..8).map(|_| letter(&mut rest)).collect()
    }

    /// Eight hexadecimal digits, as ModSecurity 2 draws them.
    fn digits(&self) -> String {
        format!("{:08x}", self.0 as u32)
    }
}

/// Appends a text of several lines, with the hyphen of lines that look like boundaries escaped, and what was left out.
fn push_block(out: &mut String, block: &Excerpt) {
    for (number, line) in block.as_str().split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        push_line(out, line);
    }
    push_left_out(out, block);
}

fn push_left_out(out: &mut String, block: &Excerpt) {
    if block.left_out_bytes() > 0 {
        out.push_str(&format!(" [{} bytes left out]", block.left_out_bytes()));
    }
}

/// Appends a line of content.
fn push_line(out: &mut String, line: &str) {
    match line.strip_prefix('-') {
        Some(rest) if looks_like_boundary(line) => {
            out.push_str("\\x2d");
            out.push_str(rest);
        }
        _ => out.push_str(line),
    }
}

/// `--1a2b3c4d-A--` or `---1a2b3c4d---A--`, whatever follows.
fn looks_like_boundary(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("--") else { return false };
    let word = rest.trim_start_matches('-');
    let after = word.trim_start_matches(|character: char| character.is_ascii_alphanumeric());
    let mut tail = after.trim_start_matches('-').bytes();
    after.len() < word.len()
        && after.starts_with('-')
        && tail.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && tail.next() == Some(b'-')
        && tail.next() == Some(b'-')
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
