//! Values that are written elsewhere: a configuration says where a secret is, never what it is.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

/// A value, or where it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Reference {
    /// The value itself.
    Value(String),
    /// A file that holds it.
    File(PathBuf),
    /// A key of a Secret or ConfigMap, by name and key: a file `NAME/KEY` below the folder of [`Secrets`], as Kubernetes
    /// mounts them.
    Mounted(String, String),
    /// A variable of the environment that holds it.
    Env(String),
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // URLs of webhooks are secrets as often as not.
            Self::Value(_) => f.write_str("Value(..)"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Mounted(name, key) => write!(f, "Mounted({name}/{key})"),
            Self::Env(name) => write!(f, "Env({name})"),
        }
    }
}

/// Where mounted secrets are.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The folder that has one folder for each Secret or ConfigMap.
    pub folder: Option<PathBuf>,
}

impl Secrets {
    /// The value, read anew each time: secrets are replaced while programs run. A line end at its end does not count.
    ///
    /// # Errors
    /// Why it cannot be had, without its value.
    pub fn read(&self, reference: &Reference) -> Result<String, String> {
        let path = match reference {
            Reference::Value(value) => return Ok(value.clone()),
            Reference::Env(name) => {
                let value = std::env::var(name);
                return value.map_err(|_| format!("the environment has no text {name}"));
            }
            Reference::File(path) => path.clone(),
            Reference::Mounted(name, key) => {
                let folder = self.folder.as_ref();
                let folder = folder.ok_or("`alerts.secrets` names no folder where Secrets are mounted")?;
                folder.join(name).join(key)
            }
        };
        let mut text = String::new();
        let read =
            File::open(&path).and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text));
        read.map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
        if text.len() as u64 > SECRET_BYTES_MAX {
            return Err(format!("`{}` is larger than {SECRET_BYTES_MAX} bytes", path.display()));
        }
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

const SECRET_BYTES_MAX: u64 = 64 * 1024;
