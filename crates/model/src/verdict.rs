//! What was decided about an exchange, and when.

/// What an inspection wants to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It is answered with this status.
    Deny {
        /// 100 to 599.
        status: u16,
    },
    /// The connection is closed without an answer.
    Drop,
    /// It is sent elsewhere.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Where to.
        location: String,
    },
}

impl Verdict {
    /// The word in answers and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Deny { .. } => "deny",
            Verdict::Drop => "drop",
            Verdict::Redirect { .. } => "redirect",
        }
    }

    /// The status of the answer; a pass has none of ours, a drop has none.
    pub fn status(&self) -> Option<u16> {
        match self {
            Verdict::Deny { status } | Verdict::Redirect { status, .. } => Some(*status),
            Verdict::Pass | Verdict::Drop => None,
        }
    }
}

/// A point in an exchange at which something can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The request's head is known; its body is not.
    RequestHead,
    /// The request is whole.
    Request,
    /// The response's head is known.
    ResponseHead,
    /// The response is whole.
    Response,
}
