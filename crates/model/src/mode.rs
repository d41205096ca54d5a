//! How far protection goes.

use std::fmt;
use std::str::FromStr;

/// What a profile does with what it finds. The words are those of Wallarm's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Nothing is inspected.
    Off,
    /// Everything is inspected and recorded, nothing is stopped.
    #[default]
    Monitoring,
    /// Attacks are stopped when their source is on the gray list.
    SafeBlocking,
    /// Attacks are stopped.
    Block,
}

impl Mode {
    /// All of them, from least to most.
    pub const ALL: [Mode; 4] = [Mode::Off, Mode::Monitoring, Mode::SafeBlocking, Mode::Block];

    /// The word in configuration, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Off => "off",
            Mode::Monitoring => "monitoring",
            Mode::SafeBlocking => "safe_blocking",
            Mode::Block => "block",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMode(pub String);

impl fmt::Display for UnknownMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a mode; use off, monitoring, safe_blocking or block", self.0)
    }
}

impl std::error::Error for UnknownMode {}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        Mode::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or_else(|| UnknownMode(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Mode;

    #[test]
    fn every_mode_reads_its_own_word() {
        for mode in Mode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        assert_eq!(
            "blocking".parse::<Mode>().unwrap_err().to_string(),
            "`blocking` is not a mode; use off, monitoring, safe_blocking or block"
        );
    }
}
