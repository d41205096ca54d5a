//! Who may log in with a password: a file of names, roles and argon2 hashes. No password is kept anywhere.
//!
//! ```text
//! # name role hash, as `palisade password` writes them
//! alice operator $argon2id$v=19$m=19456,t=2,p=1$...
//! bob   viewer   $argon2id$v=19$m=19456,t=2,p=1$...
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

use crate::routes::Role;

/// Most bytes of a file of users: some thousand of them.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most bytes of a name.
const NAME_BYTES_MAX: usize = 64;
/// Fewest characters of a password.
const PASSWORD_CHARS_MIN: usize = 10;
/// A file is read again when somebody asks so long after the last time.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A file of users. It may be replaced: within a second its users are those who may log in, and sessions of others are
/// over. While the file is away or cannot be used, those of before may.
#[derive(Debug)]
pub struct UsersFile {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    users: BTreeMap<String, User>,
    read: Instant,
}

#[derive(Clone)]
struct User {
    role: Role,
    hash: String,
}

/// Why a file of users cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// It cannot be read.
    #[error("the file of users cannot be read")]
    Read(#[from] io::Error),
    /// It is larger than such files are.
    #[error("the file is larger than {FILE_BYTES_MAX} bytes: it is no file of users")]
    Large,
    /// A line says something else.
    #[error("line {line}: {why}; `palisade password --user NAME --role viewer` writes such a line")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Nobody could log in.
    #[error("there is no user in it; `palisade password --user NAME --role operator` writes a line for one")]
    Empty,
}

impl UsersFile {
    /// Reads a file of users.
    ///
    /// # Errors
    /// When the file cannot be read, or has a line that is none of a user.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, UsersError> {
        let path = path.into();
        let users = read(&path)?;
        Ok(Self { path, kept: Mutex::new(Kept { users, read: Instant::now() }) })
    }

    /// The role of a user whose password this is. Takes some ten milliseconds and 19 MiB, also for a name that nobody
    /// has, so that names cannot be told by time.
    pub(crate) fn opens(&self, name: &str, password: &str) -> Option<Role> {
        let user = self.user(name);
        let hash = user.as_ref().map_or(NOBODYS, |user| user.hash.as_str());
        let hash = PasswordHash::new(hash).ok()?;
        let is_right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        user.filter(|_| is_right).map(|user| user.role)
    }

    /// What a user's sessions hang on; another once the role or the password is.
    pub(crate) fn stamp(&self, name: &str) -> Option<u64> {
        let user = self.user(name)?;
        let mut hasher = DefaultHasher::new();
        (name, user.role as u8, &user.hash).hash(&mut hasher);
        Some(hasher.finish())
    }

    fn user(&self, name: &str) -> Option<User> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.read.elapsed() >= READ_AGAIN_AFTER {
            kept.read = Instant::now();
            if let Ok(users) = read(&self.path) {
                kept.users = users;
            }
        }
        kept.users.get(name).cloned()
    }
}

/// A line of a file of users.
///
/// # Errors
/// When the name cannot stand in such a file, or the password is too short.
pub fn user_line(name: &str, operates: bool, password: &str) -> Result<String, String> {
    if !is_name(name) {
        return Err(format!(
            "`{name}` is no name: letters, digits, `.`, `_`, `-` and `@`, at most {NAME_BYTES_MAX}"
        ));
    }
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(format!("a password has at least {PASSWORD_CHARS_MIN} characters"));
    }
    let role = if operates { "operator" } else { "viewer" };
    let hash = Argon2::default().hash_password(password.as_bytes());
    let hash = hash.map_err(|error| format!("the password cannot be hashed: {error}"))?;
    Ok(format!("{name} {role} {hash}"))
}

fn read(path: &Path) -> Result<BTreeMap<String, User>, UsersError> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(UsersError::Large);
    }
    parse(&text)
}

fn parse(text: &str) -> Result<BTreeMap<String, User>, UsersError> {
    let mut users = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why| UsersError::Line { line: number + 1, why };
        let [name, role, hash] = line.split_ascii_whitespace().collect::<Vec<_>>()[..] else {
            return Err(wrong("a line is a name, a role and a hash"));
        };
        if !is_name(name) {
            return Err(wrong("the name has other characters than letters, digits, `.`, `_`, `-` and `@`"));
        }
        let role = match role {
            "viewer" => Role::Viewer,
            "operator" => Role::Operator,
            _ => return Err(wrong("the role is viewer or operator")),
        };
        if !PasswordHash::new(hash).is_ok_and(|hash| hash.algorithm.as_str() == "argon2id") {
            return Err(wrong("the hash is none of argon2id"));
        }
        if users.insert(name.to_owned(), User { role, hash: hash.to_owned() }).is_some() {
            return Err(wrong("the name stands there twice"));
        }
    }
    if users.is_empty() { Err(UsersError::Empty) } else { Ok(users) }
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain)
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("role", &self.role).finish_non_exhaustive()
    }
}

/// A hash of what nobody knows, with argon2's default cost.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cGFsaXNhZGUtbm9ib2R5$Ja3PFdCz4fGEGdHVxZqbz3YHbqPSVMUtsRpL4zLxwcE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_written_opens_with_its_password_alone() {
        let path = std::env::temp_dir().join(format!("palisade-users-{}", std::process::id()));
        let viewer = user_line("bob", false, "correct horse").unwrap();
        let operator = user_line("alice@example.com", true, "battery staple").unwrap();
        std::fs::write(&path, format!("# who may\n\n{viewer}\n{operator}\n")).unwrap();
        let users = UsersFile::open(&path).unwrap();
        assert_eq!(users.opens("bob", "correct horse"), Some(Role::Viewer));
        assert_eq!(users.opens("alice@example.com", "battery staple"), Some(Role::Operator));
        for (name, password) in [("bob", "battery staple"), ("bob", ""), ("eve", "correct horse"), ("", "")] {
            assert_eq!(users.opens(name, password), None, "{name}");
        }
        assert!(!format!("{users:?}").contains("argon2id"));
        // Who is taken out is out, and so are sessions that hang on the line.
        let before = (users.stamp("bob").unwrap(), users.stamp("alice@example.com").unwrap());
        std::fs::write(&path, viewer.replace("viewer", "operator")).unwrap();
        users.kept.lock().unwrap().read -= READ_AGAIN_AFTER;
        assert!(users.stamp("bob").is_some_and(|now| now != before.0));
        assert_eq!(
            (users.stamp("alice@example.com"), users.opens("alice@example.com", "battery staple")),
            (None, None)
        );
        std::fs::remove_file(path).unwrap();
        assert!(PasswordHash::new(NOBODYS).is_ok());
    }

    #[test]
    fn what_is_no_file_of_users_says_where_and_why() {
        let hash = user_line("a", false, "0123456789").unwrap();
        let hash = hash.split(' ').nth(2).unwrap();
        for (text, said) in [
            ("".to_owned(), "no user in it"),
            ("# only words\n".to_owned(), "no user in it"),
            ("alice".to_owned(), "line 1: a line is"),
            (format!("\nalice admin {hash}"), "line 2: the role"),
            (format!("al/ice viewer {hash}"), "line 1: the name has"),
            ("alice viewer secret".to_owned(), "line 1: the hash"),
            (format!("a viewer {hash}\na viewer {hash}"), "line 2: the name stands"),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!(user_line("a b", true, "0123456789").unwrap_err().contains("no name"));
        assert!(user_line("a", true, "short").unwrap_err().contains("at least"));
    }
}
