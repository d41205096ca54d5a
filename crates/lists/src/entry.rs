//! Entries of lists.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use palisade_model::{Listing, Moment};

use crate::subject::Subject;

/// The number of an application.
pub type Application = u32;

/// An entry: who is on which list, for whom, until when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The list.
    pub list: Listing,
    /// Who is on it.
    pub subject: Subject,
    /// For which applications.
    pub scope: Scope,
    /// Who put it there.
    pub origin: Origin,
    /// Why, in words; may be empty.
    pub reason: Arc<str>,
    /// Since when.
    pub created: Moment,
    /// Until when; `None`: for ever.
    pub expires: Option<Moment>,
}

impl Entry {
    /// What tells it from others. One that is added with the id of another takes its place.
    pub fn id(&self) -> EntryId {
        let in_file = self.origin == Origin::File;
        EntryId { list: self.list, subject: self.subject, scope: self.scope.clone(), in_file }
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Moment) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

/// Who put an entry on its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The configuration file: it goes when it is no longer there.
    File,
    /// Somebody by the API.
    Api,
    /// What the source did.
    Automatic,
    /// Somebody at the console of many data planes.
    Console,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::File, Self::Api, Self::Automatic, Self::Console];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Api => "api",
            Self::Automatic => "automatic",
            Self::Console => "console",
        }
    }

    /// Finds one by its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == word)
    }
}

/// The applications that an entry is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Option<Arc<[Application]>>);

/// Too many applications for one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeError;

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an entry is for at most {} applications, or for all", Scope::APPLICATIONS_MAX)
    }
}

impl std::error::Error for ScopeError {}

impl Scope {
    /// Applications that an entry names at most.
    pub const APPLICATIONS_MAX: usize = 64;

    /// Whoever is asked.
    pub const ALL: Self = Self(None);

    /// Some applications; all of them when there is none.
    ///
    /// # Errors
    /// When they are too many.
    pub fn of(mut applications: Vec<Application>) -> Result<Self, ScopeError> {
        applications.sort_unstable();
        applications.dedup();
        match applications.len() {
            0 => Ok(Self::ALL),
            1..=Self::APPLICATIONS_MAX => Ok(Self(Some(applications.into()))),
            _ => Err(ScopeError),
        }
    }

    /// The applications, in order; none: all.
    pub fn applications(&self) -> &[Application] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether an application is among them. A service without a number is of those entries that are for all.
    pub fn holds(&self, application: Option<Application>) -> bool {
        match (&self.0, application) {
            (None, _) => true,
            (Some(named), Some(asked)) => named.binary_search(&asked).is_ok(),
            (Some(_), None) => false,
        }
    }
}

/// What tells an entry from others: its list, its subject, its applications, and whether it stands in the file.
///
/// Its text is what the API calls `id`: `deny:192.0.2.0/24`, `gray:AS64500@1,2`, `deny:NL!file`. Two processes that list
/// the same source give the same id, so lists of several can be joined.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// The list.
    pub list: Listing,
    /// The subject.
    pub subject: Subject,
    /// The applications.
    pub scope: Scope,
    /// Whether it stands in the file, and so is the file's to take away.
    pub in_file: bool,
}

/// A text that is no entry's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryIdError;

impl fmt::Display for EntryIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no entry's id; one looks like deny:192.0.2.0/24")
    }
}

impl std::error::Error for EntryIdError {}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.list, self.subject)?;
        for (number, application) in self.scope.applications().iter().enumerate() {
            write!(f, "{}{application}", if number == 0 { '@' } else { ',' })?;
        }
        f.write_str(if self.in_file { "!file" } else { "" })
    }
}

impl FromStr for EntryId {
    type Err = EntryIdError;

    fn from_str(text: &str) -> Result<Self, EntryIdError> {
        let (text, in_file) = match text.strip_suffix("!file") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (list, rest) = text.split_once(':').ok_or(EntryIdError)?;
        let (subject, applications) = match rest.split_once('@') {
            Some((subject, applications)) => {
                let numbers = applications.split(',').map(str::parse).collect::<Result<Vec<_>, _>>();
                (subject, numbers.map_err(|_| EntryIdError)?)
            }
            None => (rest, Vec::new()),
        };
        Ok(Self {
            list: list.parse().map_err(|_| EntryIdError)?,
            subject: subject.parse().map_err(|_| EntryIdError)?,
            scope: Scope::of(applications).map_err(|ScopeError| EntryIdError)?,
            in_file,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_prints() {
        for text in ["deny:192.0.2.0/24", "gray:AS64500@1,2", "deny:NL!file", "allow:2001:db8::1@7!file"] {
            assert_eq!(text.parse::<EntryId>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "deny",
            "deny:",
            "black:192.0.2.1",
            "deny:192.0.2.1@",
            "deny:192.0.2.1@x",
            "deny:192.0.2.1/24",
        ] {
            assert_eq!(text.parse::<EntryId>(), Err(EntryIdError), "{text}");
        }
    }

    #[test]
    fn a_scope_holds_what_it_names() {
        let two = Scope::of(vec![2, 1, 2]).unwrap();
        assert_eq!(two.applications(), [1, 2]);
        assert!(two.holds(Some(1)) && !two.holds(Some(3)) && !two.holds(None));
        assert!(Scope::ALL.holds(Some(3)) && Scope::ALL.holds(None));
        assert_eq!(Scope::of((0..100).collect()), Err(ScopeError));
    }
}
