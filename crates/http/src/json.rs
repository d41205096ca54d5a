//! JSON flattened into arguments while it is read.

use crate::{BodyLimits, Fields, LimitHit};

/// A JSON text's leaves.
#[derive(Clone, Debug, Default)]
pub struct JsonOutcome {
    /// Leaves in order: `json.a.b.array_0` and the value as text.
    pub fields: Fields,
    /// Why the text is no JSON, and at which byte.
    pub error: Option<String>,
    /// Names given twice in one object, in this text altogether. Odd, not an error.
    pub duplicate_keys: usize,
    /// Bounds that were met.
    pub limit_hits: Vec<LimitHit>,
}

/// Reads a JSON text that comes in pieces.
#[derive(Clone, Debug)]
pub struct JsonParser {
    out: JsonOutcome,
}

impl JsonParser {
    /// A parser at the start of a text.
    pub fn new(limits: &BodyLimits) -> Self {
        let _ = limits;
        JsonParser { out: JsonOutcome::default() }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, chunk: &[u8]) {
        let _ = chunk;
    }

    /// Ends the text.
    pub fn finish(self) -> JsonOutcome {
        self.out
    }
}
