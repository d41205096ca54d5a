//! API keys: a file of names and hashes.
//!
//! ```text
//!  # who      what
//!  partner-a  sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! ```
//!
//! A key is random and long, so that one SHA-256 of it is enough: what makes hashing of passwords slow is for secrets that can
//! be guessed, and would let anybody who sends wrong keys keep us busy.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use ring::digest;

use crate::claims::Claims;
use crate::identity::{Identity, Method};

/// Bytes of a file of keys.
pub const API_KEYS_BYTES_MAX: usize = 4 << 20;
/// Keys of a file.
pub const API_KEYS_MAX: usize = 20_000;
/// Bytes of a key that somebody sends. Longer ones are nobody's.
const KEY_BYTES_MAX: usize = 512;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 128;

/// Keys by the beginning of their hashes.
pub struct ApiKeys {
    by_start: HashMap<[u8; 8], Vec<Known>>,
    count: usize,
}

/// A key's hash, and whose it is.
type Known = ([u8; 32], Arc<Identity>);

/// Why a file is not one of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeysError {
    /// It is larger than any.
    #[error("it has more than {API_KEYS_BYTES_MAX} bytes, or {API_KEYS_MAX} keys")]
    TooLarge,
    /// A line that is none.
    #[error("line {0} is not `NAME sha256:HEX`, with 64 hexadecimal digits")]
    Line(usize),
    /// A key twice: it could be nobody's in particular.
    #[error("line {0} has the key of a line before it")]
    Twice(usize),
}

impl ApiKeys {
    /// Reads a file, for an authenticator of a name. Names may stand on several lines: keys are changed one after the other.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(authenticator: &Arc<str>, text: &[u8]) -> Result<Self, ApiKeysError> {
        if text.len() > API_KEYS_BYTES_MAX {
            return Err(ApiKeysError::TooLarge);
        }
        let mut keys = Self { by_start: HashMap::new(), count: 0 };
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (name, digest) = read_line(line).ok_or(ApiKeysError::Line(number))?;
            if keys.find(&digest).is_some() {
                return Err(ApiKeysError::Twice(number));
            }
            keys.count += 1;
            if keys.count > API_KEYS_MAX {
                return Err(ApiKeysError::TooLarge);
            }
            let identity = Identity {
                authenticator: authenticator.clone(),
                method: Method::ApiKey,
                issuer: None,
                subject: Some(name.to_owned()),
                key_id: None,
                claims: Claims::default(),
            };
            keys.by_start.entry(start(&digest)).or_default().push((digest, Arc::new(identity)));
        }
        Ok(keys)
    }

    /// Whose key it is.
    #[must_use]
    pub fn judge(&self, key: &[u8]) -> Option<&Arc<Identity>> {
        if key.len() > KEY_BYTES_MAX {
            return None;
        }
        let digest = digest::digest(&digest::SHA256, key);
        self.find(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none: then nobody gets in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The beginning of a hash finds who it may be, and says nothing of a key; the rest is compared without a word on where it
    /// differs.
    fn find(&self, digest: &[u8; 32]) -> Option<&Arc<Identity>> {
        let candidates = self.by_start.get(&start(digest))?;
        candidates.iter().find(|(known, _)| are_equal(known, digest)).map(|(_, identity)| identity)
    }
}

/// Shows no hashes.
impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeys").field("count", &self.count).finish_non_exhaustive()
    }
}

fn start(digest: &[u8; 32]) -> [u8; 8] {
    std::array::from_fn(|at| digest[at])
}

/// In time that does not depend on what they are.
fn are_equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let differs = a.iter().zip(b).fold(0, |differs, (a, b)| black_box(differs | (a ^ b)));
    black_box(differs) == 0
}

fn read_line(line: &[u8]) -> Option<(&str, [u8; 32])> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let (name, hash, None) = (words.next()?, words.next()?, words.next()) else { return None };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    if name.len() > NAME_BYTES_MAX || !name.bytes().all(fits) {
        return None;
    }
    let hex = hash.strip_prefix("sha256:")?;
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some((name, digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `test`, as `printf %s test | sha256sum` says it.
    const TEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn parse(text: &str) -> Result<ApiKeys, ApiKeysError> {
        ApiKeys::parse(&"partners".into(), text.as_bytes())
    }

    #[test]
    fn a_key_is_its_name_and_anything_else_is_nobodys() {
        let other = TEST.replace('9', "8");
        let keys = parse(&format!(
            "# keys\n\na sha256:{TEST}\r\n  b\tsha256:{} \na sha256:{:064x}\n",
            other.to_uppercase(),
            1
        ))
        .unwrap();
        assert_eq!(keys.len(), 3);
        let identity = keys.judge(b"test").unwrap();
        assert_eq!((identity.subject.as_deref(), &*identity.authenticator), (Some("a"), "partners"));
        assert_eq!(identity.claim("sub").as_deref(), Some("a"));
        for key in [&b""[..], b"Test", b"test ", b"tes", TEST.as_bytes(), &[b't'; 100_000]] {
            assert!(keys.judge(key).is_none());
        }
    }

    #[test]
    fn a_line_that_is_none_says_so() {
        for (text, error) in [
            (format!("a sha256:{}", &TEST[1..]), ApiKeysError::Line(1)),
            (format!("\na md5:{TEST}"), ApiKeysError::Line(2)),
            (format!("a b sha256:{TEST}"), ApiKeysError::Line(1)),
            (format!("a\"b sha256:{TEST}"), ApiKeysError::Line(1)),
            ("test".to_owned(), ApiKeysError::Line(1)),
            (format!("a sha256:{TEST}\nb sha256:{TEST}"), ApiKeysError::Twice(2)),
        ] {
            assert_eq!(parse(&text).unwrap_err(), error, "{text}");
        }
        assert!(parse("").unwrap().is_empty());
    }
}
