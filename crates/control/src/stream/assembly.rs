//! Words become a bundle, at the data plane. Pure: whatever is said, what is held stays as it was until all of the next
//! one was said and is what it should be.

use std::sync::Arc;

use super::messages::{Begin, Put, Word, revision_of};
use crate::{BUNDLE_BYTES_MAX, Bundle, BundleError, Revision};

/// What is held, and what is being put together beside it.
#[derive(Debug, Default)]
pub struct Assembly {
    held: Option<(Revision, Bundle)>,
    building: Option<Building>,
}

/// What does not fit. What was being put together is void.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Something is said of no bundle, or of no file.
    #[error("`{0}` stands where it says nothing")]
    Place(&'static str),
    /// A revision is not 32 bytes long.
    #[error("a revision is 32 bytes long")]
    Revision,
    /// It is told from a bundle that is not held.
    #[error("it is told from a bundle that is not held here")]
    Base,
    /// A file has another length than was said.
    #[error("`{0}` is not as long as was said")]
    Length(String),
    /// A file has the content of one that is not there.
    #[error("`{0}` has the content of a file that is not held here")]
    Same(String),
    /// All of it is not what it should be.
    #[error("what was told is revision {found}, and not {wanted}")]
    Other {
        /// What was said at the beginning.
        wanted: Revision,
        /// What it came to.
        found: Revision,
    },
    /// A bound of bundles was met.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

#[derive(Debug)]
struct Building {
    revision: Revision,
    bundle: Bundle,
    open: Option<Open>,
}

/// A file whose content has not come whole.
#[derive(Debug)]
struct Open {
    name: String,
    content: Vec<u8>,
    bytes: usize,
}

impl Assembly {
    /// Begins with what is held already.
    pub fn holding(held: Option<Bundle>) -> Self {
        Self { held: held.map(|bundle| (bundle.revision(), bundle)), building: None }
    }

    /// The revision that is held.
    pub fn held(&self) -> Option<Revision> {
        self.held.as_ref().map(|(revision, _)| *revision)
    }

    /// Forgets what had begun: what comes next comes on another stream.
    pub fn begin_anew(&mut self) {
        self.building = None;
    }

    /// Takes a word. A bundle that is whole with it is held from now on, and returned.
    ///
    /// # Errors
    /// When it does not fit; what had begun is void, what is held stays.
    pub fn take(&mut self, word: Word) -> Result<Option<Bundle>, Misfit> {
        let Some(building) = self.building.take() else {
            let Word::Begin(begin) = word else { return Err(Misfit::Place(kind(&word))) };
            self.building = Some(self.begun(&begin)?);
            return Ok(None);
        };
        let building = match word {
            Word::Welcome(_) => return Err(Misfit::Place("welcome")),
            Word::Begin(begin) => self.begun(&begin)?,
            Word::Remove(remove) => building.without(&remove.names)?,
            Word::Put(put) => building.with(put, self.held.as_ref().map(|(_, held)| held))?,
            Word::More(more) => building.with_more(&more.content)?,
            Word::End(_) => {
                let (revision, bundle) = building.ended()?;
                self.held = Some((revision, bundle.clone()));
                return Ok(Some(bundle));
            }
        };
        self.building = Some(building);
        Ok(None)
    }

    fn begun(&self, begin: &Begin) -> Result<Building, Misfit> {
        let revision = revision_of(&begin.revision).ok_or(Misfit::Revision)?;
        let bundle = match (&self.held, begin.base.is_empty()) {
            (_, true) => Bundle::new(),
            (held, false) => {
                let base = revision_of(&begin.base).ok_or(Misfit::Revision)?;
                let held = held.as_ref().filter(|(held, _)| *held == base).ok_or(Misfit::Base)?;
                held.1.clone()
            }
        };
        Ok(Building { revision, bundle, open: None })
    }
}

impl Building {
    fn without(mut self, names: &[String]) -> Result<Self, Misfit> {
        if self.open.is_some() {
            return Err(Misfit::Place("remove"));
        }
        names.iter().for_each(|name| {
            self.bundle.remove(name);
        });
        Ok(self)
    }

    fn with(mut self, put: Put, held: Option<&Bundle>) -> Result<Self, Misfit> {
        if self.open.is_some() {
            return Err(Misfit::Place("put"));
        }
        if let Some(same) = &put.same_as {
            let content =
                held.and_then(|held| held.get(same)).ok_or_else(|| Misfit::Same(put.name.clone()))?;
            self.bundle.put(&put.name, content.clone())?;
            return Ok(self);
        }
        // What stands there is replaced, and counts no more.
        self.bundle.remove(&put.name);
        let bytes = usize::try_from(put.bytes).unwrap_or(usize::MAX);
        if bytes > BUNDLE_BYTES_MAX - self.bundle.bytes() {
            return Err(BundleError::Bytes.into());
        }
        // Nothing is made ready for what is only promised.
        self.open = Some(Open { name: put.name, content: Vec::new(), bytes });
        self.with_more(&put.content)
    }

    fn with_more(mut self, content: &[u8]) -> Result<Self, Misfit> {
        let mut open = self.open.take().ok_or(Misfit::Place("more"))?;
        if content.len() > open.bytes - open.content.len() {
            return Err(Misfit::Length(open.name));
        }
        open.content.extend_from_slice(content);
        if open.content.len() == open.bytes {
            self.bundle.put(&open.name, Arc::<[u8]>::from(open.content))?;
        } else {
            self.open = Some(open);
        }
        Ok(self)
    }

    fn ended(self) -> Result<(Revision, Bundle), Misfit> {
        if let Some(open) = self.open {
            return Err(Misfit::Length(open.name));
        }
        let found = self.bundle.revision();
        if found != self.revision {
            return Err(Misfit::Other { wanted: self.revision, found });
        }
        Ok((found, self.bundle))
    }
}

fn kind(word: &Word) -> &'static str {
    match word {
        Word::Begin(_) => "begin",
        Word::Remove(_) => "remove",
        Word::Put(_) => "put",
        Word::More(_) => "more",
        Word::End(_) => "end",
        Word::Welcome(_) => "welcome",
    }
}
