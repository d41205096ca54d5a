//! Encryption of recordings: AES-256-GCM by ring, with a key of its own for each file.
//!
//! The key file holds one key for all files. Each file has a random salt in its head, from which and from that key its own
//! key is derived (HKDF with SHA-256), so the number of a frame is nonce enough: it never comes twice under one key, whoever
//! crashed when. What stands in the head is authenticated with every frame, and so is the frame's place. That a file was cut
//! off at a frame's end cannot be told from a process that ended there.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a file's salt.
pub const SALT_BYTES: usize = 32;
/// Bytes that encryption adds to a frame.
pub const TAG_BYTES: usize = 16;
/// What keys are derived for.
const PURPOSE: &[u8] = b"palisade recording v1";

/// The key of a key file.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

/// Why a key file is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 32 random bytes, or 64 hexadecimal digits: write one by `openssl rand -hex 32`")]
pub struct KeyError;

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// From what a key file holds: 32 bytes as they are, or 64 hexadecimal digits and perhaps a line end.
    ///
    /// # Errors
    /// When it is neither.
    pub fn from_file(content: &[u8]) -> Result<Self, KeyError> {
        if let Ok(bytes) = <[u8; KEY_BYTES]>::try_from(content) {
            return Ok(Self(bytes));
        }
        let text = content.trim_ascii();
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let mut key = [0; KEY_BYTES];
        if text.len() != 2 * KEY_BYTES {
            return Err(KeyError);
        }
        for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0]).zip(digit(pair[1])).map(|(high, low)| high << 4 | low).ok_or(KeyError)?;
        }
        Ok(Self(key))
    }
}

/// A salt for a new file. `None`: the system has no randomness.
pub(super) fn salt() -> Option<[u8; SALT_BYTES]> {
    let mut salt = [0; SALT_BYTES];
    SystemRandom::new().fill(&mut salt).ok()?;
    Some(salt)
}

/// Seals and opens the frames of one file.
pub(super) struct FileKey(LessSafeKey);

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(..)")
    }
}

struct KeyBytes;

impl KeyType for KeyBytes {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

impl FileKey {
    pub(super) fn of(key: &Key, salt: &[u8; SALT_BYTES]) -> Self {
        let mut bytes = [0; KEY_BYTES];
        Salt::new(HKDF_SHA256, salt)
            .extract(&key.0)
            .expand(&[PURPOSE], KeyBytes)
            .and_then(|derived| derived.fill(&mut bytes))
            .expect("32 bytes are less than HKDF gives");
        let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("the key has the length of AES-256");
        Self(LessSafeKey::new(key))
    }

    /// Encrypts in place; the tag comes after it.
    pub(super) fn seal(&self, frame: u64, head: &[u8], bytes: &mut Vec<u8>) {
        let sealed = self.0.seal_in_place_append_tag(nonce(frame), Aad::from(head), bytes);
        sealed.expect("a frame is shorter than AES-GCM's bound");
    }

    /// Decrypts; `None` where it was not sealed by this key as this frame.
    pub(super) fn open(&self, frame: u64, head: &[u8], mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        let length = self.0.open_in_place(nonce(frame), Aad::from(head), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

fn nonce(frame: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&frame.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}
