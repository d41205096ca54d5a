//! What follows from a client's certificate for its request: whether it is answered, and what the answer says if not.
//!
//! The order is nginx's: the connection must have been made for the host, then the certificate must do, then its subject
//! must be one that is let in. All of it comes before routing, and is no verdict of rules: it holds in every mode.

use palisade_identity::Admission;
use palisade_model::PeerIdentity;

use crate::arrival::Arrival;
use crate::tls::CertificatePage;

/// A request that its client's certificate, or the lack of one, keeps from being answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The page's words, those of nginx and ingress-nginx: people search for them.
    pub(crate) said: &'static str,
    /// The log's words.
    pub(crate) why: String,
    /// What the client gets instead.
    pub(crate) page: Option<CertificatePage>,
    /// Another certificate may do: it takes another connection.
    pub(crate) closes: bool,
}

/// Whether the request of this client for this host is answered. Who the client is comes back where the host asks for
/// certificates: that is what the application is told.
pub(crate) fn judge<'a>(
    arrival: &'a Arrival,
    host: Option<&[u8]>,
) -> Result<Option<&'a PeerIdentity>, Refusal> {
    let Some(tls) = &arrival.tls else { return Ok(None) };
    let peer = tls.identity.as_deref();
    let Ok(rule) = tls.rule_for(host) else {
        return Err(Refusal {
            status: 421,
            said: "Misdirected Request",
            why: "the connection was made for another host, and this one asks for a certificate".to_owned(),
            page: None,
            closes: false,
        });
    };
    let refused = |said, why| Refusal { status: 400, said, why, page: rule.error_page.clone(), closes: true };
    match rule.mode.admit(peer) {
        Admission::Missing => {
            return Err(refused(
                "No required SSL certificate was sent",
                "the client sent no certificate".to_owned(),
            ));
        }
        Admission::Invalid => {
            let verify = peer.map_or_else(|| "NONE".to_owned(), |peer| peer.verify().to_string());
            return Err(refused(
                "The SSL certificate error",
                format!("the client's certificate is {verify}"),
            ));
        }
        Admission::Pass => {}
    }
    let somebody_else = |why| Refusal {
        status: 403,
        said: "client certificate unauthorized",
        why,
        page: None,
        closes: false,
    };
    if rule.subject.as_ref().is_some_and(|subject| !subject.matches(peer)) {
        let subject = peer.and_then(PeerIdentity::certificate).map_or("", |facts| &facts.subject_dn);
        let shown: String = subject.chars().take(SUBJECT_SHOWN_CHARS_MAX).collect();
        return Err(somebody_else(format!("the client's subject `{shown}` is not one that is let in")));
    }
    if !rule.spiffe_ids.is_empty() {
        let id = peer.and_then(PeerIdentity::spiffe_id);
        if !id.is_some_and(|id| rule.spiffe_ids.contains(id)) {
            let shown = id.map_or_else(|| "none".to_owned(), ToString::to_string);
            return Err(somebody_else(format!(
                "the client's SPIFFE id, `{shown}`, is not one that is let in"
            )));
        }
    }
    Ok(rule.mode.asks().then(|| peer.unwrap_or(&PeerIdentity::NONE)))
}

/// A subject in the log; a certificate has room for tens of thousands.
const SUBJECT_SHOWN_CHARS_MAX: usize = 200;
