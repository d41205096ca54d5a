//! Who a request is from, where a route asks: tokens and keys that it carries, or an authentication server.
//!
//! ```text
//!  head ── by: each in turn ── token by its keys, key by its hash ──┬── known: Identity, and what the service is told
//!                     │ unknown key, no keys: wait, bounded         ├── nobody said anything: 401 where it is required
//!                     └ servers last                                └── refused: 401, 403, or 503 where nobody can tell
//! ```
//!
//! What a client says of itself under the names by which the service is told never goes on, whether it is known or not.
//!
//! Not here: tokens and keys themselves (`palisade-authn`), and when in a request's life somebody asks (`exchange`).

mod counts;
mod forward;
mod keys;
mod subrequest;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use palisade_authn::{ApiKeys, Found, Identity, Place, TokenError, Tokens};
use palisade_http::RequestHead;
use palisade_inspect::Unauthenticated;

pub use self::counts::AuthenticationCounts;
pub(crate) use self::counts::AuthenticationFamilies;
pub use self::forward::ForwardAuth;
pub use self::keys::{FetchTimes, KeySource, KeysNews};
pub use self::subrequest::Server as AuthServer;
use crate::identity_headers::same;

/// What a route asks.
#[derive(Debug)]
pub struct Authentication {
    by: Vec<Arc<Authenticator>>,
    is_required: bool,
    is_monitored: bool,
    counts: Arc<AuthenticationCounts>,
}

/// A way to know who a request is from.
#[derive(Debug)]
pub struct Authenticator {
    /// Its name in logs and metrics.
    pub name: Arc<str>,
    /// The way.
    pub way: Way,
    /// By which headers the service is told which claims.
    pub headers: Vec<(String, String)>,
    /// What was good does not go on.
    pub removes: bool,
}

/// How somebody is known.
#[derive(Debug)]
pub enum Way {
    /// By a signed token.
    Jwt {
        /// What is asked of it.
        tokens: Box<Tokens>,
        /// The keys.
        keys: Arc<KeySource>,
        /// Where it stands.
        from: Vec<Place>,
    },
    /// By an API key.
    ApiKeys {
        /// The keys.
        keys: ApiKeys,
        /// Where it stands.
        from: Vec<Place>,
    },
    /// A server is asked.
    Forward(Box<ForwardAuth>),
}

/// A request that is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) head: &'a RequestHead,
    pub(crate) client: IpAddr,
    /// `http` or `https`, as the client has it.
    pub(crate) scheme: &'a str,
    pub(crate) request_id: &'a str,
}

/// What came of asking.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Who it is.
    pub(crate) identity: Option<Arc<Identity>>,
    /// What the service is told.
    pub(crate) told: Vec<(String, String)>,
    /// Why it is refused.
    pub(crate) refusal: Option<Refusal>,
    /// Places of credentials that are bad, whether or not another one is good.
    pub(crate) refused: Vec<Place>,
    /// That is only said.
    pub(crate) is_monitored: bool,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// In one word.
    pub(crate) reason: &'static str,
    /// Which authenticator says so; none where nothing was there to be judged.
    pub(crate) by: Option<Arc<str>>,
    /// In a few words, for the log.
    pub(crate) why: String,
    /// Fields of the answer.
    pub(crate) fields: Vec<(String, String)>,
}

/// What can be said of a request without asking anybody.
#[derive(Debug, Default)]
pub struct JudgedAlone {
    /// Who it is.
    pub identity: Option<Arc<Identity>>,
    /// It is refused, or would be.
    pub refused: Option<Unauthenticated>,
    /// Places of credentials that are bad, whether or not another one is good.
    pub refused_at: Vec<Place>,
    /// Why, in a few words.
    pub why: String,
    /// Names of authenticators that would have asked somebody. Where there are some, nothing is refused.
    pub unasked: Vec<Arc<str>>,
}

/// What authenticators say that need not ask anybody.
#[derive(Default)]
struct Looked<'a> {
    known: Option<Known>,
    worst: Option<Refusal>,
    /// Places of credentials that are bad.
    refused: Vec<Place>,
    /// Those whose keys may come yet.
    waiting: Vec<(&'a Arc<Authenticator>, &'a Arc<KeySource>)>,
}

/// Who it is, and what the service is told.
type Known = (Arc<Identity>, Vec<(String, String)>);

/// What one authenticator says.
#[derive(Debug)]
enum Said {
    Known(Arc<Identity>, Vec<(String, String)>),
    /// It was told nothing.
    Nothing,
    Refused(Refusal),
}

impl Authentication {
    /// Asks authenticators in turn.
    pub fn new(
        by: Vec<Arc<Authenticator>>,
        is_required: bool,
        is_monitored: bool,
        counts: Arc<AuthenticationCounts>,
    ) -> Self {
        Self { by, is_required, is_monitored, counts }
    }

    /// Whether a client may not say this: a header by which the service is told who it is, or a token that stays here.
    pub(crate) fn keeps_back(&self, name: &[u8], value: &[u8]) -> bool {
        self.by.iter().any(|authenticator| {
            let told = authenticator.headers.iter().map(|(header, _)| header);
            let handed_on = match &authenticator.way {
                Way::Forward(forward) => &forward.response_headers[..],
                _ => &[],
            };
            told.chain(handed_on).any(|header| same(name, header.as_bytes()))
                || authenticator.removed().any(|place| place.is_header(name, value))
        })
    }

    /// A target without tokens that stay here; `None` where it holds none.
    pub(crate) fn target(&self, target: &[u8]) -> Option<Vec<u8>> {
        self.without(target, Place::without)
    }

    /// The value of a `Cookie` header without tokens that stay here; `None` where it holds none.
    pub(crate) fn cookies(&self, value: &[u8]) -> Option<Vec<u8>> {
        self.without(value, Place::without_cookie)
    }

    fn without(&self, text: &[u8], without: impl Fn(&Place, &[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let mut left: Option<Vec<u8>> = None;
        for place in self.by.iter().flat_map(|authenticator| authenticator.removed()) {
            left = without(place, left.as_deref().unwrap_or(text)).or(left);
        }
        left
    }

    /// Who a request is from.
    pub(crate) async fn judge(&self, asking: Asking<'_>) -> Judged {
        let judged = self.ask(asking).await;
        self.counts.one(judged.refusal.as_ref(), judged.identity.is_some(), self.is_monitored);
        Judged { is_monitored: self.is_monitored, ..judged }
    }

    /// What can be said of a request without asking anybody. Nothing is counted.
    pub fn judge_alone(&self, head: &RequestHead, client: IpAddr) -> JudgedAlone {
        let Looked { known, worst, refused: refused_at, waiting } =
            self.look(Asking { head, client, scheme: "http", request_id: "" });
        if let Some((identity, _)) = known {
            return JudgedAlone { identity: Some(identity), refused_at, ..JudgedAlone::default() };
        }
        let servers = self.by.iter().filter(|authenticator| matches!(authenticator.way, Way::Forward(_)));
        let waiting = waiting.into_iter().filter(|(_, keys)| keys.is_published());
        let unasked: Vec<_> = waiting
            .map(|(authenticator, _)| authenticator)
            .chain(servers)
            .map(|by| by.name.clone())
            .collect();
        let refused_at = if unasked.is_empty() { refused_at } else { Vec::new() };
        let refused = self.unknown(worst).filter(|_| unasked.is_empty());
        let why = refused.as_ref().map(|refusal| refusal.why.clone()).unwrap_or_default();
        let refused = refused.map(|Refusal { status, reason, .. }| Unauthenticated {
            status,
            reason,
            is_monitored: self.is_monitored,
        });
        JudgedAlone { identity: None, refused, refused_at, why, unasked }
    }

    /// What those say that need not ask anybody, up to the first that knows.
    fn look(&self, asking: Asking<'_>) -> Looked<'_> {
        let mut looked = Looked::default();
        for authenticator in &self.by {
            match authenticator.look(asking) {
                Some(Said::Known(identity, told)) => {
                    looked.known = Some((identity, told));
                    without(&mut looked.refused, authenticator, asking);
                    break;
                }
                Some(Said::Refused(refusal)) => {
                    // A token that is good and lacks something is no bad one, nor is one that nobody can judge.
                    if refusal.status == 401 {
                        looked.refused.extend(authenticator.shown(asking).map(|(place, _)| place.clone()));
                    }
                    if let (Way::Jwt { keys, .. }, "unknown_key" | "no_keys") =
                        (&authenticator.way, refusal.reason)
                    {
                        looked.waiting.push((authenticator, keys));
                    }
                    looked.worst = worse(looked.worst, refusal);
                }
                Some(Said::Nothing) | None => {}
            }
        }
        looked
    }

    async fn ask(&self, asking: Asking<'_>) -> Judged {
        let Looked { known: found, mut worst, mut refused, waiting } = self.look(asking);
        if let Some((identity, told)) = found {
            return Judged { refused, ..known(identity, told) };
        }
        for (authenticator, keys) in waiting {
            // Keys may have come meanwhile, or come by being asked for.
            if keys.are_new().await
                && let Some(Said::Known(identity, told)) = authenticator.look(asking)
            {
                without(&mut refused, authenticator, asking);
                return Judged { refused, ..known(identity, told) };
            }
        }
        for authenticator in &self.by {
            let Way::Forward(forward) = &authenticator.way else { continue };
            match forward.ask(&authenticator.name, asking).await {
                Said::Known(identity, mut told) => {
                    told.extend(authenticator.told(&identity));
                    let shown = forward.places(asking.head);
                    refused.retain(|place| !shown.contains(place));
                    return Judged { refused, ..known(identity, told) };
                }
                Said::Refused(refusal) => {
                    // Whom it knows and does not let in showed it nothing bad, and neither did whom it cannot judge.
                    if matches!(refusal.status, 401 | 302) {
                        refused.extend(forward.places(asking.head));
                    }
                    worst = worse(worst, refusal);
                }
                Said::Nothing => {}
            }
        }
        Judged { refusal: self.unknown(worst), refused, ..Judged::default() }
    }

    /// Why a request is refused that nobody knows who it is from, if it is.
    fn unknown(&self, worst: Option<Refusal>) -> Option<Refusal> {
        let missing = || Refusal {
            status: 401,
            reason: "missing",
            by: None,
            why: "it does not say who it is from".to_owned(),
            fields: Vec::new(),
        };
        let refusal = worst.or_else(|| self.is_required.then(missing))?;
        Some(self.challenged(refusal))
    }

    /// With a word on how somebody may say who they are, which an answer of 401 has (RFC 9110 section 15.5.2).
    fn challenged(&self, mut refusal: Refusal) -> Refusal {
        if !matches!(refusal.status, 401 | 403) || !refusal.fields.is_empty() {
            return refusal;
        }
        let error = match refusal.reason {
            "missing" => "",
            "requirement" => ", error=\"insufficient_scope\"",
            _ => ", error=\"invalid_token\"",
        };
        for authenticator in &self.by {
            let scheme = match &authenticator.way {
                Way::Jwt { .. } => "Bearer",
                Way::ApiKeys { .. } => "ApiKey",
                Way::Forward(_) => continue,
            };
            // RFC 6750 section 3.1: what was wrong is said to who showed something.
            let error = if refusal.by.as_ref() == Some(&authenticator.name) { error } else { "" };
            let value = format!("{scheme} realm=\"{}\"{error}", authenticator.name);
            refusal.fields.push(("WWW-Authenticate".to_owned(), value));
        }
        refusal
    }

    /// The authenticators that it asks.
    pub fn by(&self) -> &[Arc<Authenticator>] {
        &self.by
    }
}

impl Authenticator {
    /// What it says of a request without asking anybody; `None` where it asks a server.
    fn look(&self, asking: Asking<'_>) -> Option<Said> {
        if matches!(self.way, Way::Forward(_)) {
            return None;
        }
        let judged = match self.shown(asking) {
            None | Some((_, Found::Nothing)) => return Some(Said::Nothing),
            Some((_, Found::Several)) => {
                Err((401, "several", "it carries more than one token or key".to_owned()))
            }
            Some((_, Found::One(credential))) => self.judge(&credential),
        };
        Some(match judged {
            Ok(identity) => {
                let told = self.told(&identity).collect();
                Said::Known(identity, told)
            }
            Err((status, reason, why)) => Said::Refused(Refusal {
                status,
                reason,
                by: Some(self.name.clone()),
                why,
                fields: Vec::new(),
            }),
        })
    }

    /// The first of its places at which something stands, and what.
    fn shown<'a>(&'a self, asking: Asking<'a>) -> Option<(&'a Place, Found<'a>)> {
        let (Way::Jwt { from, .. } | Way::ApiKeys { from, .. }) = &self.way else { return None };
        let head = asking.head;
        let found = from.iter().map(|place| (place, place.find(head.headers.iter(), &head.target)));
        found.into_iter().find(|(_, found)| *found != Found::Nothing)
    }

    fn judge(&self, credential: &[u8]) -> Result<Arc<Identity>, (u16, &'static str, String)> {
        match &self.way {
            Way::Jwt { tokens, keys, .. } => {
                let Some(set) = keys.load() else {
                    return Err((503, "no_keys", "there are no keys yet to judge its token by".to_owned()));
                };
                tokens.judge(credential, &set, now_seconds()).map_err(|error| {
                    let status = if error == TokenError::Requirement { 403 } else { 401 };
                    (status, error.word(), format!("of its token: {error}"))
                })
            }
            Way::ApiKeys { keys, .. } => match keys.judge(credential) {
                Some(identity) => Ok(identity.clone()),
                None => Err((401, "api_key", "its API key is nobody's".to_owned())),
            },
            Way::Forward(_) => Err((503, "no_keys", "a server decides".to_owned())),
        }
    }

    /// What the service is told of somebody.
    fn told<'s>(&'s self, identity: &'s Identity) -> impl Iterator<Item = (String, String)> + 's {
        self.headers.iter().filter_map(|(header, claim)| {
            let text = identity.claim(claim)?;
            // More would not fit into anybody's head.
            (text.len() <= TOLD_BYTES_MAX).then(|| (header.to_ascii_lowercase(), plain(&text)))
        })
    }

    /// Places of what does not go on.
    fn removed(&self) -> impl Iterator<Item = &Place> {
        let from = match &self.way {
            Way::Jwt { from, .. } | Way::ApiKeys { from, .. } if self.removes => &from[..],
            _ => &[],
        };
        from.iter()
    }
}

/// What one authenticator knows somebody by is not bad because another one does not know it.
fn without(refused: &mut Vec<Place>, authenticator: &Authenticator, asking: Asking<'_>) {
    if !refused.is_empty()
        && let Some((known, _)) = authenticator.shown(asking)
    {
        refused.retain(|place| place != known);
    }
}

fn known(identity: Arc<Identity>, told: Vec<(String, String)>) -> Judged {
    Judged { identity: Some(identity), told, ..Judged::default() }
}

/// Of two refusals the one that says more: where somebody could not tell, nobody knows; a token that is good and lacks
/// something comes before one that is not.
fn worse(one: Option<Refusal>, other: Refusal) -> Option<Refusal> {
    let rank = |refusal: &Refusal| match refusal.status {
        503 => 3,
        403 => 2,
        _ => 1,
    };
    match one {
        Some(one) if rank(&one) >= rank(&other) => Some(one),
        _ => Some(other),
    }
}

/// A claim as a header may hold it: what is not printable ASCII, and `%`, as `%HH`. Claims may hold what users call
/// themselves, line ends included.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => out.push_str("%25"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Bytes of one claim that a service is told.
const TOLD_BYTES_MAX: usize = 4096;

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_cannot_end_a_header() {
        assert_eq!(plain("ann@example.com"), "ann@example.com");
        assert_eq!(plain("a\r\nx-admin: 1\u{e9}%0a"), "a%0D%0Ax-admin: 1%C3%A9%250a");
    }

    #[test]
    fn who_cannot_tell_comes_before_who_refuses() {
        let refusal =
            |status| Refusal { status, reason: "", by: None, why: String::new(), fields: Vec::new() };
        for (all, worst) in [([401, 503, 403], 503), ([401, 403, 401], 403), ([503, 401, 401], 503)] {
            let found = all.into_iter().fold(None, |one, status| worse(one, refusal(status)));
            assert_eq!(found.map(|found| found.status), Some(worst));
        }
    }
}
