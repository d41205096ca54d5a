//! The seam between who makes bundles and the data plane that takes them over, within one process.

use tokio::sync::{mpsc, oneshot};

use crate::{Bundle, Revision};

/// A bundle for a data plane, which answers once it is in force or refused.
#[derive(Debug)]
pub struct Offer {
    /// What is to be in force.
    pub bundle: Bundle,
    /// Whom to tell. Nobody may be listening.
    pub answer: oneshot::Sender<Applied>,
}

/// What a data plane made of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Of the bundle.
    pub revision: Revision,
    /// Objects that stay as they were although the bundle is in force; or why none of it is.
    pub outcome: Result<Vec<Stale>, Refused>,
}

/// An object that cannot be used as the bundle has it, and stays as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// `profile`, `service`, `listener`, `authenticator`, `policies`, `alerts`.
    pub kind: String,
    /// Its name in the configuration.
    pub name: String,
    /// Why, with place and remedy where they are known.
    pub error: String,
}

/// Why nothing of a bundle is in force. What was before it still is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Makes offers to one data plane.
#[derive(Clone, Debug)]
pub struct Offers(mpsc::Sender<Offer>);

/// A way to offer bundles, and the data plane's end of it. An offer waits until the one before it was taken.
pub fn channel() -> (Offers, mpsc::Receiver<Offer>) {
    let (sender, receiver) = mpsc::channel(1);
    (Offers(sender), receiver)
}

impl Offers {
    /// Offers a bundle and waits for what becomes of it. `None`: the data plane has ended.
    pub async fn offer(&self, bundle: Bundle) -> Option<Applied> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Offer { bundle, answer }).await.ok()?;
        answered.await.ok()
    }
}
