//! Recordings: copies of requests, kept for a while on this machine, so that a change can be tried on them before it is
//! enforced.
//!
//! ```text
//!  request -> copy -> Recorder: bounded queue -> thread: masks, frames, file -> folder/TIME-NUMBER.rec
//!                                                                               |
//!                                          palisade replay <- RecordingFile <---+
//! ```
//!
//! A recording is opt-in, bounded in bytes and in age, readable by its owner alone and encrypted where there is a key. What
//! is secret by its name is replaced by a stand-in (`palisade_model::StandIn`) before it is written; the record says so.
//! No request waits for it: what finds no room is dropped and counted.
//!
//! Here: what a record holds ([`Recorded`]), the file's form ([`mod@file`]), its encryption ([`seal`]) and who writes it
//! ([`Recorder`]); and requests out of an HTTP archive ([`Har`]), which are records of which less is known. Not here: what is copied and when (`palisade`, `palisade-dataplane`), and what a replay makes of it.

pub mod file;
mod har;
mod record;
mod recorder;
pub mod seal;

pub use file::{Broken, Ended, RecordingFile, recordings};
pub use har::Har;
pub use record::{BodyCopy, Decided, Identity, OnList, Outcome, Recorded, Text, Tls};
pub use recorder::{RecordBounds, Recorder, RecorderCounts, ToRecord};
pub use seal::{Key, KeyError};

#[cfg(test)]
mod tests;
