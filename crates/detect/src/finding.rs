//! What a detector says about a value.

use crate::{Attack, Step};

/// How sure a finding is: of a hundred values that read like this, found at an ordinary place where people type text
/// and programs send data, how many are attacks. A detector takes the level whose meaning fits; `inspect` compares the
/// number with what the profile's sensitivity asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Confidence(u8);

impl Confidence {
    /// Nobody writes this by accident: it is complete code, shaped to run where it landed.
    pub const CERTAIN: Self = Self(98);
    /// Complete code; who writes about such code might quote it alone.
    pub const STRONG: Self = Self(90);
    /// A fragment that does something; ordinary text comes near it now and then.
    pub const LIKELY: Self = Self(75);
    /// Odd, and as often innocent.
    pub const POSSIBLE: Self = Self(50);
    /// Worth a line beside something stronger.
    pub const HINT: Self = Self(25);

    /// A number of its own; more than 100 is 100.
    pub const fn percent(percent: u8) -> Self {
        Self(if percent > 100 { 100 } else { percent })
    }

    /// The number, 0 to 100.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Two pieces of evidence of different kinds for one attack: the chance that not both mislead.
    pub const fn and(self, other: Self) -> Self {
        Self(100 - ((100 - self.0 as u16) * (100 - other.0 as u16) / 100) as u8)
    }
}

/// An attack seen in a value. Raw: it quotes what the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of attack.
    pub attack: Attack,
    /// Which detector saw it, by its name in the table.
    pub detector: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
    /// Where, as a [`palisade_model::Point`] is written, cut at 512 bytes.
    pub point: String,
    /// How the value was decoded below the point, outermost first.
    pub decode_path: Vec<Step>,
    /// The text as the detector read it, cut around what it found to 240 bytes.
    pub excerpt: Vec<u8>,
    /// The detector's reading, a sentence without full stop: `closes the string, then UNION SELECT of 2 columns`.
    pub why: String,
}

/// Bytes of a finding's excerpt. Enough to recognise a payload, little enough for a log line.
pub(crate) const EXCERPT_BYTES_MAX: usize = 240;

/// Bytes of a point's text: a path that is longer is somebody's padding.
pub(crate) const POINT_BYTES_MAX: usize = 512;
