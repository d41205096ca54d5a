//! Bounds from outside of the rules: the profile's. What the rules say acts as well, and the stricter wins.

use palisade_seclang::ast::LimitAction;

/// Outer bounds of a transaction. Sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// A request body that rules see.
    pub request_body_bytes_max: u64,
    /// What a larger one means. Reject: denied with 413.
    pub on_request_body: LimitAction,
    /// A response body that rules see.
    pub response_body_bytes_max: u64,
    /// What a larger one means. Reject: denied with 502.
    pub on_response_body: LimitAction,
    /// Containers inside one another in JSON.
    pub json_depth_max: usize,
    /// Arguments of a request.
    pub arguments_max: usize,
}

impl Caps {
    /// None: what the rules say is all.
    pub const NONE: Self = Self {
        request_body_bytes_max: u64::MAX,
        on_request_body: LimitAction::ProcessPartial,
        response_body_bytes_max: u64::MAX,
        on_response_body: LimitAction::ProcessPartial,
        json_depth_max: usize::MAX,
        arguments_max: usize::MAX,
    };
}

/// A bound on a body, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyBound {
    pub(crate) bytes_max: u64,
    pub(crate) action: LimitAction,
    /// What names it in a log line.
    pub(crate) whose: &'static str,
    /// Of a denial.
    pub(crate) status: u16,
}

impl BodyBound {
    /// The stricter of two; the rules' own where they agree.
    pub(crate) fn stricter(rules: Self, cap: Self) -> Self {
        if cap.bytes_max < rules.bytes_max { cap } else { rules }
    }
}
