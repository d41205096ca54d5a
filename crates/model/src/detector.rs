//! What the built-in detector is asked to do: how sure it has to be, and what becomes of leaks.

use std::fmt;

/// How sure a finding of the detector must be to stop a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sensitivity {
    /// Only what has hardly an innocent reading.
    Low,
    /// What is more likely an attack than not.
    #[default]
    Medium,
    /// Also what is as likely the one as the other.
    High,
}

impl Sensitivity {
    /// All of them, from the least.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Finds a sensitivity by how it is written.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sensitivity| sensitivity.as_str() == name)
    }
}

impl fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is done about what should not leave in a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Leaks {
    /// Nothing: responses are not looked at.
    Ignore,
    /// It is logged, and passes.
    #[default]
    Log,
    /// It is withheld, where the mode stops anything.
    Block,
}

impl Leaks {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ignore, Self::Log, Self::Block];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Log => "log",
            Self::Block => "block",
        }
    }

    /// Finds it by how it is written.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|leaks| leaks.as_str() == name)
    }
}
