//! Failures on request.

use crate::request::Request;

/// A failure that the next requests meet, `times` of them.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `GET`, `PATCH`; any when absent.
    pub method: Option<String>,
    /// What the path has to contain: `/leases/`, `/services`. Empty: any.
    pub path: String,
    /// How many requests meet it.
    pub times: usize,
    /// What they get.
    pub answer: Answer,
}

/// What a request gets instead of its answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A `Status` of this code, reason and message.
    Status(u16, &'static str, &'static str),
    /// The connection ends without an answer; what was asked is not done.
    Dropped,
    /// The same, but what was asked is done: the client cannot know.
    DroppedAfter,
}

impl Fault {
    pub(crate) fn is_of(&self, request: &Request) -> bool {
        self.times > 0
            && self.method.as_ref().is_none_or(|method| method == request.method.as_str())
            && request.path.contains(&self.path)
    }
}
