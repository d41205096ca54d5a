//! What can be changed while the program runs, as the program that has it implements it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use palisade_lists::{Change, Entry, EntryId, Page, Query};
use palisade_model::{EventId, Mode};
use serde::Serialize;
use serde_json::Value;

use crate::replays::Replays;
use crate::status::Timestamp;
use crate::suggestions::PolicyLearner;

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

    /// The same at data planes of a name alone, where there are several.
    ///
    /// # Errors
    /// As [`Self::set_mode`], and where this is one data plane.
    fn set_mode_at(
        &self,
        dataplane: &str,
        service: &str,
        mode: Option<Mode>,
        by: Author,
    ) -> Result<ServiceInForce, ControlError> {
        let _ = (service, mode, by);
        Err(ControlError::NotFound(format!("there is no data plane `{dataplane}` here: this is one itself")))
    }

    /// Changes of the modes of a service, the latest first.
    fn mode_changes(&self, service: &str) -> Vec<ModeChange>;

    /// What a service is excepted from: by its profile, itself and its routes, and by what was set at run time, which comes last.
    ///
    /// # Errors
    /// When there is no such service.
    fn exceptions(&self, service: &str) -> Result<Vec<ExceptionInForce>, ControlError> {
        Err(no_exceptions(service))
    }

    /// Excepts a service from more: all of it, or nothing. Comes back when the next request is decided by it.
    ///
    /// # Errors
    /// When there is no such service, when it may not be, when one cannot be used, when there are too many, or when they
    /// cannot be kept.
    fn add_exceptions(
        &self,
        service: &str,
        add: AddExceptions,
        by: Author,
    ) -> Result<Vec<ExceptionInForce>, ControlError> {
        let _ = (add, by);
        Err(no_exceptions(service))
    }

    /// Takes back an exception that was set at run time.
    ///
    /// # Errors
    /// When there is none, or when the change cannot be kept.
    fn remove_exception(&self, service: &str, id: u64, by: Author) -> Result<(), ControlError> {
        let _ = (id, by);
        Err(no_exceptions(service))
    }

    /// Replays of recorded requests, where there are any.
    fn replays(&self) -> Option<Arc<dyn Replays>> {
        None
    }

    /// Fired alerts that were put aside, by the ids of their events.
    fn dismissals(&self) -> BTreeMap<String, Dismissal> {
        BTreeMap::new()
    }

    /// Puts fired alerts aside, or shows them again. Gives how many were not so before.
    ///
    /// # Errors
    /// When the change cannot be kept.
    fn dismiss(&self, ids: &[EventId], dismissed: bool, by: &Author) -> Result<usize, ControlError> {
        let _ = (ids, dismissed, by);
        Err(ControlError::NotFound("alerts are not dismissed here".to_owned()))
    }

    /// Changes of what a service is excepted from, the latest first.
    fn exception_changes(&self, service: &str) -> Vec<ExceptionChange> {
        let _ = service;
        Vec::new()
    }

    /// How far what a service is excepted from at run time has come, where data planes are told of it; none where this is one.
    fn exceptions_at(&self, service: &str) -> Vec<ExceptionsAt> {
        let _ = service;
        Vec::new()
    }

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

    /// What makes policies of L7 records: staged ones, or such as are in force at once.
    fn policy_learner(&self, staged: bool) -> Box<dyn PolicyLearner>;

    /// Where each service stands, in the order of the configuration.
    fn places(&self) -> Vec<Place>;

    /// Alerts, forms for them, exceptions and webhooks, by kind and name.
    ///
    /// # Errors
    /// When there are no events for them.
    fn alerts(&self) -> Result<Vec<AlertInForce>, ControlError>;

    /// Writes one object, YAML or JSON, in the place of the one that has its kind and its name.
    ///
    /// # Errors
    /// When it is none that can be used or has another name, when that one stands in a file, when there are too many, or when it
    /// cannot be kept.
    fn put_alert(&self, name: &str, text: &[u8], by: &Author) -> Result<AlertPut, ControlError>;

    /// Takes an object away that was written by [`Self::put_alert`].
    ///
    /// # Errors
    /// When it is not there, stands in a file, or when the change cannot be kept.
    fn delete_alert(&self, kind: &'static str, name: &str, by: &Author) -> Result<(), ControlError>;
}

/// That a fired alert was put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dismissal {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

fn no_exceptions(service: &str) -> ControlError {
    ControlError::NotFound(format!("exceptions of {service} are not kept here"))
}

/// Exceptions to be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddExceptions {
    /// Each as JSON, in the words of the configuration.
    pub exceptions: Vec<String>,
    /// The event that they were made of.
    pub event: Option<String>,
}

/// Something that a service is excepted from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExceptionInForce {
    /// Its number, where it was set at run time.
    pub id: Option<u64>,
    /// Where it stands: `run-time`, `service`, `profile NAME` or `route PATH`.
    pub of: String,
    /// The exception, in the words of the configuration.
    pub exception: Value,
    /// When it was set.
    pub at: Option<Timestamp>,
    /// By whom.
    pub by: Option<String>,
    /// Why, as they said.
    pub reason: Option<String>,
    /// The event that it was made of.
    pub event: Option<String>,
}

/// A change of what a service is excepted from, kept for who asks later.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExceptionChange {
    /// When.
    pub at: Timestamp,
    /// `added` or `removed`.
    pub what: &'static str,
    /// Who.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
    /// The exception.
    pub exception: Value,
}

/// How far exceptions that were set at a console have come, at one data plane that has the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExceptionsAt {
    /// Its name.
    pub dataplane: String,
    /// Which of those that are called so.
    pub instance: String,
    /// `in_force`, `waiting`, `away` (told when it comes back) or `refused`.
    pub state: &'static str,
    /// Why they are refused.
    pub why: Option<String>,
}

/// Where a service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name in the configuration.
    pub service: String,
    /// The namespace of its workload; `-` when it is not known.
    pub namespace: String,
    /// The workload's name, or the service's where it has none.
    pub name: String,
    /// The mode in force.
    pub mode: &'static str,
}

/// An object of alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertInForce {
    /// `GlobalAlert`, `GlobalAlertTemplate`, `AlertException` or `SecurityEventWebhook`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The file that it stands in; `None` where it was written by the API.
    pub file: Option<String>,
    /// The object as it is written, without what may be a secret.
    pub object: Value,
    /// How an alert stands.
    pub status: Option<AlertStatus>,
}

/// How an alert stands: the `status` of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertStatus {
    /// When it was last asked.
    pub last_executed: Timestamp,
    /// When it last fired.
    pub last_event: Option<Timestamp>,
    /// How often it has fired.
    pub events: u64,
}

/// An object that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPut {
    /// What is in force now.
    pub alert: AlertInForce,
    /// What is likely not meant, a line each.
    pub warnings: Vec<String>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AddedCounts {
    /// Entries that are new.
    pub added: usize,
    /// Entries that took the place of others.
    pub replaced: usize,
    /// What whoever added them should know.
    pub notes: Vec<String>,
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
    /// It cannot be used as it is written.
    #[error("{0}")]
    Invalid(String),
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
