//! What a request does that its specification does not allow.

use palisade_model::{Attack, Part, Point, Root};

/// A kind of breach. The first six are Wallarm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Violation {
    /// The path, or the method on it, is not in the specification.
    UndefinedEndpoint,
    /// A parameter, a field or a member that the endpoint does not have.
    UndefinedParameter,
    /// A parameter, a field, a member or a body that the endpoint requires is not there.
    MissingParameter,
    /// A value that its schema does not allow.
    InvalidValue,
    /// None of the ways to authenticate that the endpoint asks for, or none that is good.
    NoAuthentication,
    /// A body that is not JSON where JSON is asked for, or of a type that the endpoint does not take.
    InvalidBody,
    /// Not everything was held against the specification, since a bound was met.
    OverLimit,
}

impl Violation {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::UndefinedEndpoint,
        Self::UndefinedParameter,
        Self::MissingParameter,
        Self::InvalidValue,
        Self::NoAuthentication,
        Self::InvalidBody,
        Self::OverLimit,
    ];

    /// The kind of attack that logs, events and exceptions know it by.
    pub const fn attack(self) -> Attack {
        match self {
            Self::UndefinedEndpoint => Attack::UndefinedEndpoint,
            Self::UndefinedParameter => Attack::UndefinedParameter,
            Self::MissingParameter => Attack::MissingParameter,
            Self::InvalidValue => Attack::InvalidValue,
            Self::NoAuthentication => Attack::NoAuthentication,
            Self::InvalidBody => Attack::InvalidBody,
            Self::OverLimit => Attack::InspectionLimit,
        }
    }
}

/// One breach: where, and what the specification says there. It never quotes the value: who mistypes a password is no
/// attacker, and logs need not know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which kind.
    pub violation: Violation,
    /// The part of the request.
    pub root: Root,
    /// A name or a value.
    pub part: Part,
    /// Where in that part, as [`Point::path`].
    pub path: Vec<u8>,
    /// In words, without full stop.
    pub why: String,
}

impl Breach {
    /// Where it is.
    pub fn point(&self) -> Point<'_> {
        Point { root: self.root, part: self.part, path: &self.path }
    }
}

/// Breaches of one kind that are kept; the first tell enough.
const OF_A_KIND_MAX: usize = 4;

/// Breaches of one request.
#[derive(Debug, Default)]
pub(crate) struct Breaches(pub(crate) Vec<Breach>);

impl Breaches {
    pub(crate) fn add(
        &mut self,
        violation: Violation,
        root: Root,
        path: impl Into<Vec<u8>>,
        why: impl Into<String>,
    ) {
        let same = self.0.iter().filter(|breach| breach.violation == violation).count();
        if same < OF_A_KIND_MAX {
            let part = Part::Value;
            self.0.push(Breach { violation, root, part, path: path.into(), why: why.into() });
        }
    }
}
