//! The token that opens the admin listener: read from a file, compared without telling how far it was right.

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::path::Path;

/// Fewest characters of a token: 16 random ones cannot be guessed over a network.
const LENGTH_MIN: usize = 16;
/// Most bytes of a token file; a longer one is another file by mistake.
const FILE_BYTES_MAX: u64 = 4096;

/// A secret that a client shows as `Authorization: Bearer ...`. Its `Debug` does not show it.
#[derive(Clone)]
pub struct Token(Vec<u8>);

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

impl Token {
    /// Reads a token file: one line; white space around it is not part of it.
    ///
    /// # Errors
    /// When the file cannot be read or holds no usable token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(TokenError::Large);
        }
        Self::new(&bytes)
    }

    /// A token of these bytes, white space around them aside.
    ///
    /// # Errors
    /// When it is too short, or holds what no header can carry.
    pub fn new(bytes: &[u8]) -> Result<Self, TokenError> {
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
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
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
}
