//! Secrets and internal details in responses.
//!
//! # What it finds
//! Private keys, credentials of clouds and code hosts, errors of databases, stack traces, listings of directories, card
//! numbers.
//!
//! # Why it matters
//! An error that shows a query tells an attacker that injection works; a key in a response is a key lost.
//!
//! # How it decides
//! Each kind has a form of its own: armour around a key, a prefix and so many characters of its alphabet, the words of a
//! database's own messages, two frames of one language's trace below each other, a page that names itself an index. A word
//! alone, such as "exception", is none.
//!
//! # Example
//! `You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version`.
//!
//! # What it misses
//! Passwords without a form, and whatever an application prints in words of its own.
//!
//! # References
//! CWE-209, CWE-532, CWE-548; documentation of the token formats of AWS, GitHub, Google, Slack and Stripe.

use memchr::memmem;

use super::Findings;
use crate::finding::FindingPoint;
use crate::{Attack, Confidence, Finding};

/// Looks at a response's body, or the beginning of it. What is found is never quoted: a log is no place for a secret.
/// O(n) for each of the forms, of which there are some forty.
pub(crate) fn look(text: &[u8], point: &FindingPoint, findings: &mut Findings) {
    let mut found = |confidence: Confidence, name: &'static str, why: String| {
        findings.add(Finding {
            attack: Attack::Leak,
            detector: name,
            confidence,
            point: point.clone(),
            decode_path: Vec::new(),
            excerpt: Vec::new(),
            why,
        });
    };
    if let Some(kind) = private_key(text) {
        found(Confidence::CERTAIN, "leak-private-key", format!("a private key ({kind})"));
    }
    if let Some(kind) = TOKENS.iter().find(|token| token.is_in(text)) {
        found(Confidence::STRONG, "leak-credential", format!("a credential: {}", kind.name));
    }
    if let Some((words, product)) =
        DATABASE_ERRORS.iter().find(|(words, _)| memmem::find(text, words.as_bytes()).is_some())
    {
        found(Confidence::STRONG, "leak-database-error", format!("an error of {product}: {words}"));
    }
    if let Some(language) = stack_trace(text) {
        found(Confidence::LIKELY, "leak-stack-trace", format!("a stack trace of {language}"));
    }
    if is_listing(text) {
        found(Confidence::LIKELY, "leak-directory-listing", "a listing of a directory".to_owned());
    }
    let cards = card_numbers(text);
    if cards > 0 {
        let confidence = if cards > 3 { Confidence::LIKELY } else { Confidence::POSSIBLE };
        found(confidence, "leak-card-number", format!("{cards} card numbers"));
    }
}

/// Armour of RFC 7468 around a key, with something in it.
fn private_key(text: &[u8]) -> Option<&'static str> {
    const KINDS: [(&str, &str); 6] = [
        ("-----BEGIN PRIVATE KEY-----", "PKCS #8"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "PKCS #8, encrypted"),
        ("-----BEGIN RSA PRIVATE KEY-----", "RSA"),
        ("-----BEGIN EC PRIVATE KEY-----", "elliptic curve"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "OpenSSH"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "OpenPGP"),
    ];
    // All of them begin alike.
    memmem::find(text, b"-----BEGIN ")?;
    KINDS.into_iter().find_map(|(armour, kind)| {
        let at = memmem::find(text, armour.as_bytes())?;
        let inside = &text[at + armour.len()..];
        let key = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=\r\n\\n".contains(*byte);
        (inside.iter().take(200).take_while(key).count() >= 60).then_some(kind)
    })
}

/// A credential that shows what it is.
struct Token {
    name: &'static str,
    prefix: &'static str,
    /// Bytes behind the prefix, at least.
    length: usize,
    alphabet: fn(u8) -> bool,
}

const TOKENS: [Token; 11] = [
    Token { name: "AWS access key", prefix: "AKIA", length: 16, alphabet: is_upper_or_digit },
    Token { name: "AWS temporary access key", prefix: "ASIA", length: 16, alphabet: is_upper_or_digit },
    Token { name: "Google API key", prefix: "AIza", length: 35, alphabet: is_word },
    Token { name: "GitHub token", prefix: "ghp_", length: 36, alphabet: is_word },
    Token { name: "GitHub token of an app", prefix: "ghs_", length: 36, alphabet: is_word },
    Token { name: "GitHub fine-grained token", prefix: "github_pat_", length: 60, alphabet: is_word },
    Token { name: "GitLab token", prefix: "glpat-", length: 20, alphabet: is_word },
    Token { name: "Slack bot token", prefix: "xoxb-", length: 24, alphabet: is_word },
    Token { name: "Slack user token", prefix: "xoxp-", length: 24, alphabet: is_word },
    Token { name: "Stripe live key", prefix: "sk_live_", length: 24, alphabet: is_word },
    Token { name: "Azure storage key", prefix: "AccountKey=", length: 86, alphabet: is_base64 },
];

fn is_upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

impl Token {
    fn is_in(&self, text: &[u8]) -> bool {
        memmem::find_iter(text, self.prefix).any(|at| {
            let apart = at == 0 || !is_word(text[at - 1]);
            let rest = &text[at + self.prefix.len()..];
            let length = rest.iter().take(self.length + 1).take_while(|byte| (self.alphabet)(**byte)).count();
            // Keys of a fixed length are exactly so long.
            let exact = self.prefix.len() + self.length == 20;
            apart && if exact { length == self.length } else { length >= self.length }
        })
    }
}

/// Words that only a database says, and of which one.
const DATABASE_ERRORS: [(&str, &str); 16] = [
    ("You have an error in your SQL syntax", "MySQL"),
    ("supplied argument is not a valid MySQL", "MySQL"),
    ("check the manual that corresponds to your MariaDB server version", "MariaDB"),
    ("Unclosed quotation mark after the character string", "SQL Server"),
    ("Microsoft OLE DB Provider for SQL Server", "SQL Server"),
    ("Incorrect syntax near '", "SQL Server"),
    ("PostgreSQL query failed: ERROR", "PostgreSQL"),
    ("unterminated quoted string at or near", "PostgreSQL"),
    ("syntax error at or near \"", "PostgreSQL"),
    ("ORA-00933: ", "Oracle"),
    ("ORA-01756: ", "Oracle"),
    ("ORA-00936: ", "Oracle"),
    ("SQLite3::SQLException", "SQLite"),
    ("sqlite3.OperationalError: ", "SQLite"),
    ("SQLSTATE[42", "PDO"),
    ("org.hibernate.exception.SQLGrammarException", "Hibernate"),
];

/// The language of a trace, if there is one: its first line, or two frames below each other.
fn stack_trace(text: &[u8]) -> Option<&'static str> {
    let has = |words: &str| memmem::find(text, words.as_bytes()).is_some();
    if has("Traceback (most recent call last)") && has("File \"") {
        return Some("Python");
    }
    if has("goroutine 1 [running]:") || has("panic: runtime error:") {
        return Some("Go");
    }
    if (has("Fatal error: ") || has("Warning: ") || has("Parse error: ")) && has(".php") && has(" on line ") {
        return Some("PHP");
    }
    let mut frames = 0;
    for line in text.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let line = line.trim_ascii();
        let Some(frame) = line.strip_prefix(b"at ") else {
            frames = 0;
            continue;
        };
        frames += 1;
        let (java, net) =
            (frame.ends_with(b")") && memmem::find(frame, b".java:").is_some(), memmem::find(frame, b" in "));
        if frames >= 2 {
            if java {
                return Some("Java");
            }
            if net.is_some() && memmem::find(frame, b":line ").is_some() {
                return Some(".NET");
            }
            if [&b".js:"[..], b".ts:", b"node:internal"].iter().any(|end| memmem::find(frame, end).is_some())
            {
                return Some("Node.js");
            }
        }
    }
    None
}

/// Lines that are searched for frames. A trace is long, and stands near the beginning.
const LINES_MAX: usize = 5000;

/// A page that a web server makes of a folder.
fn is_listing(text: &[u8]) -> bool {
    let has = |words: &str| memmem::find(text, words.as_bytes()).is_some();
    has("<title>Index of /") && has("href=\"../\"")
        || has("<title>Index of /") && has("Parent Directory")
        || has("<title>Directory listing for /")
        || has("[To Parent Directory]")
}

/// Card numbers: 13 to 19 digits, in one piece or in groups of four, that begin as cards do and pass Luhn's check.
fn card_numbers(text: &[u8]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while let Some(offset) = text[at..].iter().position(u8::is_ascii_digit) {
        let start = at + offset;
        let mut digits = Vec::with_capacity(20);
        let mut end = start;
        while end < text.len() && digits.len() <= 19 {
            match text[end] {
                digit @ b'0'..=b'9' => digits.push(digit - b'0'),
                b' ' | b'-' if digits.len() % 4 == 0 && text.get(end + 1).is_some_and(u8::is_ascii_digit) => {
                }
                _ => break,
            }
            end += 1;
        }
        let apart = |byte: Option<&u8>| {
            byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b".-_".contains(byte))
        };
        let alone = apart(start.checked_sub(1).and_then(|before| text.get(before))) && apart(text.get(end));
        if alone && matches!(digits.len(), 13..=19) && matches!(digits[0], 3..=6) && luhn(&digits) {
            count += 1;
        }
        at = end.max(start + 1);
    }
    count
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    // All zeros pass as well.
    sum > 0 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use palisade_model::{Part, Point, Root};

    use super::*;

    fn found(text: &str) -> Vec<&'static str> {
        let point = Point { root: Root::ResponseBody, part: Part::Value, path: b"" };
        let mut findings = Findings::new(10);
        look(text.as_bytes(), &point.into(), &mut findings);
        findings.as_slice().iter().map(|finding| finding.detector).collect()
    }

    #[test]
    fn leaks_are_known_by_their_forms() {
        let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n", "MIIEpAIBAAKCAQEA".repeat(8));
        let cases: &[(&str, &[&str])] = &[
            (&key, &["leak-private-key"]),
            ("{\"key\":\"AKIAIOSFODNN7EXAMPLE\"}", &["leak-credential"]),
            ("<b>You have an error in your SQL syntax; check the manual", &["leak-database-error"]),
            ("Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in f", &["leak-stack-trace"]),
            (
                "java.lang.IllegalStateException\n\tat a.B.c(B.java:10)\n\tat a.D.e(D.java:20)",
                &["leak-stack-trace"],
            ),
            ("<html><title>Index of /backup/</title><a href=\"../\">../</a>", &["leak-directory-listing"]),
            ("{\"card\":\"4111 1111 1111 1111\"}", &["leak-card-number"]),
        ];
        for (text, expected) in cases {
            assert_eq!(found(text), *expected, "{text}");
        }
    }

    #[test]
    fn their_neighbours_are_none() {
        for text in [
            "Begin the private key with -----BEGIN RSA PRIVATE KEY----- and end it likewise",
            "the prefix AKIA is followed by 16 characters",
            "SQL syntax is explained in chapter 2",
            "An exception was thrown. Look at the log.\nat noon\nat night",
            "<title>Index of terms</title>",
            "order 4111111111111112, phone +49 30 1234567, time 1700000000000",
            "0000000000000000",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }
}
