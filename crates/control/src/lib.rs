//! Desired state for data planes. Whoever knows what a data plane is to serve (the operator, the gateway's translation)
//! makes a [`Bundle`] of it and offers it; the data plane takes it over as it takes over a changed folder, and answers
//! what it made of it ([`Applied`]).
//!
//! Within one process an offer is a message ([`channel`]); to another it goes over gRPC with certificates on both sides
//! ([`stream`], by way of [`link`]).
//!
//! Nothing here reads a configuration: what a bundle's files mean is known where they are loaded.

mod bundle;
pub mod link;
mod offer;
pub mod stream;

pub use bundle::{BUNDLE_BYTES_MAX, BUNDLE_FILES_MAX, Bundle, BundleError, Difference, ENTRY, Revision};
pub use offer::{Applied, Offer, Offers, Refused, Stale, channel};
pub use stream::{Control, PlaneState, Selector};
