//! Where lines and records of exchanges go, out of the way of requests.
//!
//! A [`LogWriter`] takes lines in order into a bounded queue and writes them from a thread of its own. What does not
//! fit is dropped and counted.
//!
//! Not here: what a line says. Reports are turned into lines and records by those who know them.

mod log_writer;

pub use log_writer::LogWriter;
