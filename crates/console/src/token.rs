//! The token that opens the admin listener: read from a file, compared without telling how far it was right.

use std::fmt;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::hint::black_box;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Fewest characters of a token: 16 random ones cannot be guessed over a network.
const LENGTH_MIN: usize = 16;
/// Most bytes of a token file; a longer one is another file by mistake.
const FILE_BYTES_MAX: u64 = 4096;
/// A file is read again when a token is shown so long after the last time: secrets are replaced while we run.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A file that holds the token which opens the admin listener: one line; white space around it is not part of it.
///
/// The file may be replaced: within a second the new token opens and the old one does not. While the file is away or
/// holds no usable token, the last one opens.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    token: Token,
    read: Instant,
}

/// A secret that a client shows as `Authorization: Bearer ...`. Its `Debug` does not show it.
struct Token(Vec<u8>);

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("the token file cannot be read")]
    Read(#[from] io::Error),
    /// It holds nothing or little.
    #[error(
        "the token has {length} characters and needs {LENGTH_MIN}; `openssl rand -hex 32` makes a good one"
    )]
    Short {
        /// Characters in it, white space around them aside.
        length: usize,
    },
    /// It is larger than any token.
    #[error("the file is larger than {FILE_BYTES_MAX} bytes: it is no token")]
    Large,
    /// It holds what no header can carry.
    #[error("the token holds a space or a byte that is no visible ASCII character; a header cannot carry it")]
    Unprintable,
}

impl TokenFile {
    /// Reads a token file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no usable token.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TokenError> {
        let path = path.into();
        let token = Token::read(&path)?;
        Ok(Self { path, kept: Mutex::new(Kept { token, read: Instant::now() }) })
    }

    /// Whether what a client showed opens.
    pub(crate) fn opens(&self, shown: &[u8]) -> bool {
        self.now(|token| token.is(shown))
    }

    /// What sessions hang on that were begun with it; another once the token is.
    pub(crate) fn stamp(&self) -> u64 {
        self.now(|token| {
            let mut hasher = DefaultHasher::new();
            token.0.hash(&mut hasher);
            hasher.finish()
        })
    }

    fn now<T>(&self, ask: impl FnOnce(&Token) -> T) -> T {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.read.elapsed() >= READ_AGAIN_AFTER {
            kept.read = Instant::now();
            if let Ok(token) = Token::read(&self.path) {
                kept.token = token;
            }
        }
        ask(&kept.token)
    }
}

impl Token {
    fn read(path: &Path) -> Result<Self, TokenError> {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(TokenError::Large);
        }
        Self::new(&bytes)
    }

    fn new(bytes: &[u8]) -> Result<Self, TokenError> {
        let token = bytes.trim_ascii();
        if token.len() < LENGTH_MIN {
            return Err(TokenError::Short { length: token.len() });
        }
        if !token.iter().all(u8::is_ascii_graphic) {
            return Err(TokenError::Unprintable);
        }
        Ok(Self(token.to_vec()))
    }

    /// Whether this is what a client showed. The time taken depends on the length of what was shown alone.
    fn is(&self, shown: &[u8]) -> bool {
        let mut difference = self.0.len() ^ shown.len();
        for (at, byte) in shown.iter().enumerate() {
            let ours = self.0[at % self.0.len()];
            // Kept from being cut short by a compiler that sees where this goes.
            difference = black_box(difference | usize::from(ours ^ byte));
        }
        difference == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_right() {
        let token = Token::new(b" 0123456789abcdef\n").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        let twice = b"0123456789abcdef0123456789abcdef";
        for wrong in [&b""[..], b"0", b"0123456789abcdeF", b"0123456789abcde", b"0123456789abcdef0", twice] {
            assert!(!token.is(wrong), "{wrong:?}");
        }
        assert!(!format!("{token:?}").contains("0123"));
    }

    #[test]
    fn a_file_without_a_usable_token_says_why() {
        let wrong = |bytes: &[u8]| Token::new(bytes).unwrap_err().to_string();
        assert!(wrong(b" \n").contains("0 characters"));
        assert!(wrong(b"short").contains("openssl rand"));
        assert!(wrong(b"0123456789abcdef and more").contains("space"));
        assert!(wrong("0123456789abcdéf".as_bytes()).contains("ASCII"));
        let folder = std::env::temp_dir().join(format!("palisade-token-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("token");
        assert!(matches!(Token::read(&file), Err(TokenError::Read(_))));
        std::fs::write(&file, "x".repeat(4097)).unwrap();
        assert!(matches!(Token::read(&file), Err(TokenError::Large)));
        std::fs::write(&file, "0123456789abcdef\r\n").unwrap();
        assert!(Token::read(&file).unwrap().is(b"0123456789abcdef"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_new_token_in_the_file_takes_the_place_of_the_old_one() {
        let folder = std::env::temp_dir().join(format!("palisade-rotation-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("token");
        let (old, new) = (&b"an-old-token-0123456789"[..], &b"a-new-token-9876543210"[..]);
        std::fs::write(&path, old).unwrap();
        let file = TokenFile::open(&path).unwrap();
        assert!(file.opens(old) && !file.opens(new));
        let later = || file.kept.lock().unwrap().read -= READ_AGAIN_AFTER;
        for unusable in [None, Some("short")] {
            std::fs::remove_file(&path).unwrap();
            if let Some(text) = unusable {
                std::fs::write(&path, text).unwrap();
            }
            later();
            assert!(file.opens(old) && !file.opens(b"short"), "{unusable:?}");
            std::fs::write(&path, old).unwrap();
        }
        std::fs::write(&path, new).unwrap();
        later();
        assert!(file.opens(new) && !file.opens(old));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
