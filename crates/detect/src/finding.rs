//! What a detector says about a value.

use std::fmt;

use palisade_model::{Part, Point, Root};

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
    /// Where.
    pub point: FindingPoint,
    /// How the value was decoded below the point, outermost first.
    pub decode_path: Vec<Step>,
    /// The text as the detector read it, cut around what it found to 240 bytes.
    pub excerpt: Vec<u8>,
    /// The detector's reading, a sentence without full stop: `closes the string, then UNION SELECT of 2 columns`.
    pub why: String,
}

impl Finding {
    /// The decode path as one text: `base64, json:/cmd`.
    pub fn decoded(&self) -> String {
        let steps: Vec<String> = self.decode_path.iter().map(ToString::to_string).collect();
        steps.join(", ")
    }
}

/// Bytes of a finding's excerpt. Enough to recognise a payload, little enough for a log line.
pub(crate) const EXCERPT_BYTES_MAX: usize = 240;

/// A [`Point`] that a finding keeps. Its path is cut at 1,100 bytes: what is longer is somebody's padding, and no exception
/// names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingPoint {
    root: Root,
    part: Part,
    path: Box<[u8]>,
}

impl FindingPoint {
    /// The point.
    pub fn as_point(&self) -> Point<'_> {
        Point { root: self.root, part: self.part, path: &self.path }
    }
}

impl From<Point<'_>> for FindingPoint {
    fn from(point: Point<'_>) -> Self {
        let path = &point.path[..point.path.len().min(PATH_BYTES_MAX)];
        Self { root: point.root, part: point.part, path: path.into() }
    }
}

impl fmt::Display for FindingPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_point().fmt(f)
    }
}

/// More than a wildcard is ever compared with, so that a cut path matches none.
const PATH_BYTES_MAX: usize = 1100;
