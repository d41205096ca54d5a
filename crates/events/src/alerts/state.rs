//! What alerts remember beyond a restart: one small file, replaced as a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::replace_file;

/// What one alert has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WatchState {
    /// When it was last asked, in milliseconds since 1970.
    pub evaluated_ms: u64,
    /// When it last fired.
    pub last_event_ms: Option<u64>,
    /// How often it has fired.
    pub events: u64,
    /// The newest record that it has fired for, where it fires for each.
    #[serde(with = "hexadecimal")]
    pub seen: u128,
    /// What it has fired for, by fingerprint, where it fires for combinations.
    pub covered: BTreeMap<String, Covered>,
}

impl WatchState {
    /// What it remembers of a future that has not come: a clock that was ahead would silence it until then. An alert that has
    /// never been asked begins now.
    pub fn settle(&mut self, now_ms: u64) {
        let newest = (u128::from(now_ms) + 1) << 80;
        self.seen = self.seen.min(newest);
        self.covered.values_mut().for_each(|covered| {
            covered.id = covered.id.min(newest);
            covered.at_ms = covered.at_ms.min(now_ms);
        });
        if self.evaluated_ms == 0 || self.evaluated_ms > now_ms {
            self.evaluated_ms = now_ms;
        }
    }
}

/// What a combination has been fired for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Covered {
    /// The newest record.
    #[serde(with = "hexadecimal")]
    pub id: u128,
    /// When.
    pub at_ms: u64,
}

/// What all alerts have done, by name.
pub type State = BTreeMap<String, WatchState>;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    alerts: State,
}

/// Reads the file; nothing where there is none.
///
/// # Errors
/// When it cannot be read, or is none of ours.
pub fn load(path: &Path) -> io::Result<State> {
    let mut text = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(STATE_BYTES_MAX).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::new()),
        Err(error) => return Err(error),
    };
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let document: Document = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
    match document.version {
        VERSION => Ok(document.alerts),
        other => Err(invalid(format!("it is of version {other}, and this program knows {VERSION}"))),
    }
}

/// Replaces the file: whoever reads it, after a crash as well, finds the old or the new one.
///
/// # Errors
/// Those of the disk.
pub fn save(path: &Path, state: &State) -> io::Result<()> {
    let document = Document { version: VERSION, alerts: state.clone() };
    replace_file(path, |out| Ok(serde_json::to_writer(out, &document)?))
}

const VERSION: u32 = 1;
/// 100,000 combinations are 10 MB.
const STATE_BYTES_MAX: u64 = 256 << 20;

/// Ids as events write them.
mod hexadecimal {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(id: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{id:032x}"))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}
