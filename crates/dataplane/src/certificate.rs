//! What follows from a client's certificate for its request: whether it is answered.
//!
//! The order is nginx's: the connection must have been made for the host, then the certificate must do, then its subject
//! must be one that is let in.

use palisade_identity::Admission;

use crate::arrival::Arrival;

/// Why a request is not answered: a status, and words for the log.
pub(crate) fn refusal(arrival: &Arrival, host: Option<&[u8]>) -> Option<(u16, &'static str)> {
    let tls = arrival.tls.as_ref()?;
    let identity = tls.identity.as_deref();
    let Ok(rule) = tls.rule_for(host) else {
        return Some((421, "the connection was made for another host, and this one asks for a certificate"));
    };
    match rule.mode.admit(identity) {
        Admission::Missing => return Some((400, "no certificate of the client was sent")),
        Admission::Invalid => return Some((400, "the certificate of the client will not do")),
        Admission::Pass => {}
    }
    let let_in = rule.subject.as_ref().is_none_or(|subject| subject.matches(identity));
    (!let_in).then_some((403, "the subject of the client's certificate is not one that is let in"))
}
