//! What can be changed while the program runs, as the program that has it implements it.

use std::fmt::Debug;

use palisade_lists::{Change, Entry, EntryId, Page, Query};
use palisade_model::Mode;
use serde::Serialize;

use crate::status::Timestamp;

/// What the API changes. Called on a thread of its own, since a change waits for the disk; one change at a time.
pub trait Control: Debug + Send + Sync {
    /// Services, in the order of the configuration.
    fn services(&self) -> Vec<ServiceInForce>;

    /// Sets the mode of a service, or gives it back to the file (`None`).
    ///
    /// # Errors
    /// When there is no such service, or when the change cannot be kept.
    fn set_mode(&self, service: &str, mode: Option<Mode>, by: Author)
    -> Result<ServiceInForce, ControlError>;

    /// Changes of the modes of a service, the latest first.
    fn mode_changes(&self, service: &str) -> Vec<ModeChange>;

    /// Entries of a list.
    fn page(&self, query: &Query<'_>) -> Page;

    /// Changes of lists, the latest first.
    fn list_changes(&self, limit: usize) -> Vec<Change>;

    /// Adds entries: all of them, or none where there is no room.
    ///
    /// # Errors
    /// When there is no room, or when they cannot be kept.
    fn add(&self, entries: Vec<Entry>, by: &Author) -> Result<AddedCounts, ControlError>;

    /// Takes entries away. Gives how many were there.
    ///
    /// # Errors
    /// When the change cannot be kept.
    fn remove(&self, ids: Vec<EntryId>, by: &Author) -> Result<usize, ControlError>;
}

/// Who asks for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Where the request came from, and who it says that it is.
    pub name: String,
    /// Why, as it says.
    pub reason: String,
}

/// What became of entries that were added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AddedCounts {
    /// Entries that are new.
    pub added: usize,
    /// Entries that took the place of others.
    pub replaced: usize,
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// What is to be changed is not there.
    #[error("{0}")]
    NotFound(String),
    /// It is there and stays as it is.
    #[error("{0}")]
    Refused(String),
    /// There is no room.
    #[error("{0}")]
    Full(String),
    /// The disk did not take it.
    #[error("{0}")]
    NotKept(String),
}

/// A service and the modes of its traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceInForce {
    /// Its name.
    pub name: String,
    /// The number of its application.
    pub application: Option<u32>,
    /// The mode in force, where none of its routes says otherwise.
    pub mode: &'static str,
    /// Where it comes from: `run-time`, `service` or `profile`.
    pub mode_from: &'static str,
    /// The mode that the configuration says.
    pub mode_written: &'static str,
    /// The mode set at run time, whether or not it counts.
    pub mode_set: Option<&'static str>,
    /// How far that may go: `on`, `strict` or `off`.
    pub mode_override: &'static str,
    /// Routes with a mode of their own.
    pub routes: Vec<RouteInForce>,
}

/// A route with a mode or a profile of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteInForce {
    /// Its hosts; any when there is none.
    pub hosts: Vec<String>,
    /// Its path.
    pub path: String,
    /// The mode in force.
    pub mode: &'static str,
    /// Where it comes from: `run-time`, `route` or `profile`.
    pub mode_from: &'static str,
}

/// A change of a mode, kept for who asks later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModeChange {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
    /// The mode that was in force.
    pub from: String,
    /// The mode that is in force since.
    pub to: String,
    /// What was asked for: a mode, or `null` for what the file says.
    pub set: Option<String>,
}
