//! The server behind an Envoy that is not ours: `ext_authz` judges a request before it goes on, `ext_proc` sees the
//! exchange whole, its response included. Both are one inspection, the one of the proxy, and leave the same journal.
//!
//! ```text
//!   Envoy ── Check(head, beginning of the body) ──> check   ──┐
//!         ── Process(head, body, trailers, response) ──> process ─┴─> Exchange ── journal
//!                                                    joined: an exchange that both see is one
//! ```
//!
//! Envoy decides what is shown: headers raw or joined, how much of a body, whether responses. What is not shown is
//! said in the log and in the answer's metadata, and a body that is cut counts as one over the profile's limit. Whom
//! Envoy names as the source is who asks, so its trust in `X-Forwarded-For` is ours.
//!
//! Not here: TLS and the sockets themselves come from `serve`; which profile a request goes through is the routes'.

mod answer;
mod attributes;
mod check;
mod gathered;
mod health;
mod incoming;
mod joined;
mod messages;
mod on_the_way;
mod process;
mod readiness;
mod serve;
mod within;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use palisade_http::{FramingFinding, RequestHead, Target};
use palisade_inspect::{Peer, Service};
use palisade_model::PeerIdentity;

use crate::authentication::Authentication;
use crate::block_page::AnswerForm;
use crate::exchange::{About, Exchange, Failed, Stand, own_line};
use crate::identity_headers::is_identity_header;
use crate::journal::Remark;
use crate::passage::told;
use crate::rates::Rates;
use crate::request_id::request_id;
use crate::routes::Routes;
use crate::settings::{Limits, Plane};
use crate::site::Site;
use crate::throttle::Throttle;
use crate::tls::ServerTls;
use joined::Joined;

pub use health::{Health, ask_health};
pub use readiness::Readiness;
pub use serve::{BoundEnvoy, EnvoyAddress, serve_envoy};

/// A listener for an Envoy's questions.
#[derive(Clone, Debug)]
pub struct EnvoyListener {
    /// Its name in logs and metrics.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: EnvoyAddress,
    /// Which service each request belongs to; upstreams are Envoy's.
    pub routes: Arc<Routes<Protected>>,
    /// Bounds of heads and of what is decoded for inspection.
    pub limits: Limits,
    /// Both services are in Envoy's chain of filters, `ext_authz` first: an exchange that was allowed waits for
    /// `ext_proc` to go on with it, and is one in logs and events.
    pub joined: bool,
    /// How long judging what one message shows may take. Then the request does not pass.
    pub deadline: Duration,
    /// TLS, and who may ask; for addresses alone. `None`: it is plain, and whoever reaches it may.
    pub tls: Option<Arc<ServerTls>>,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// Until it says so, nothing passes.
    pub readiness: Readiness,
}

/// A service that an Envoy asks about.
#[derive(Clone, Debug)]
pub struct Protected {
    /// How its traffic is inspected.
    pub service: Arc<Service>,
    /// What our own answers look like.
    pub site: Option<Arc<Site>>,
    /// The profile's name: Envoy may choose one of several.
    pub profile: Arc<str>,
    /// How often it may be asked for.
    pub rates: Rates,
    /// Who has to say who they are; nobody where it is `None`.
    pub authentication: Option<Arc<Authentication>>,
}

/// What both services share.
#[derive(Debug)]
struct Shared {
    listener: EnvoyListener,
    plane: Arc<Plane>,
    joined: Joined,
    /// It was said once that headers come joined and not raw.
    said_joined_headers: AtomicBool,
    /// It was said once that headers of responses stay which are to go.
    said_headers_stay: AtomicBool,
    /// It was said once that a response came without its request.
    said_unseen_request: AtomicBool,
    told_not_ready: Throttle,
}

/// A request that Envoy asks about.
struct Asked {
    head: RequestHead,
    peer: SocketAddr,
    local: SocketAddr,
    /// Whom Envoy has believed the certificate of.
    identity: Option<Arc<PeerIdentity>>,
    request_id: String,
    /// Once it has begun: the finding by which its head can be read in more than one way.
    ambiguity: Option<FramingFinding>,
    wants_json: bool,
    is_head: bool,
    is_grpc: bool,
    /// Fields by which applications are told of certificates, and which a client sent: they do not go on. The one of
    /// Envoy's own is Envoy's to look after (`forward_client_cert_details`).
    forged: Vec<String>,
    /// Fields that the service gets in place of those of their names.
    told: Vec<(String, String)>,
    /// What answers to it look like, once its service is known.
    site: Option<Arc<Site>>,
}

impl Asked {
    fn new(head: RequestHead, peer: SocketAddr, local: SocketAddr) -> Self {
        // Envoy makes one for each request, and keeps a client's only where it is told to.
        let id = head.headers.first(b"x-request-id").and_then(|id| std::str::from_utf8(id).ok());
        let id = id.filter(|id| is_request_id(id)).map(str::to_owned);
        Self {
            wants_json: head.headers.first(b"accept").is_some_and(crate::request::prefers_json),
            is_head: head.method == b"HEAD",
            is_grpc: head.headers.first(b"content-type").is_some_and(is_grpc),
            request_id: id.unwrap_or_else(request_id),
            forged: forged(&head),
            told: Vec::new(),
            site: None,
            ambiguity: None,
            head,
            peer,
            local,
            identity: None,
        }
    }
}

impl Asked {
    /// Takes away what clients do not say themselves, and tokens that stay here.
    fn keep_back(&mut self, authentication: &Authentication) {
        for (name, value) in self.head.headers.iter() {
            let text = || String::from_utf8_lossy(name).into_owned();
            if authentication.keeps_back(name, value) {
                self.forged.push(text());
            } else if name.eq_ignore_ascii_case(b"cookie")
                && let Some(rest) = authentication.cookies(value)
            {
                match rest.is_empty() {
                    true => self.forged.push(text()),
                    false => self.told.push((text(), String::from_utf8_lossy(&rest).into_owned())),
                }
            }
        }
        if let Some(target) = authentication.target(&self.head.target) {
            self.told.push((":path".to_owned(), String::from_utf8_lossy(&target).into_owned()));
        }
    }
}

/// The address of who cannot be known.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

fn forged(head: &RequestHead) -> Vec<String> {
    let names = head.headers.iter().map(|(name, _)| name);
    let forged = names.filter(|name| is_identity_header(name) && !name.eq_ignore_ascii_case(ENVOYS_OWN));
    forged.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

const ENVOYS_OWN: &[u8] = b"x-forwarded-client-cert";

/// Whether an id can stand in logs and headers as it is.
fn is_request_id(id: &str) -> bool {
    (8..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_grpc(content_type: &[u8]) -> bool {
    content_type.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
}

impl Shared {
    /// Begins the exchange of a request that a route takes. `in_parts`: its body is judged on its way.
    async fn begin(
        &self,
        asked: &mut Asked,
        protected: &Protected,
        in_parts: bool,
    ) -> (Box<Exchange>, Result<Stand, Failed>) {
        let service = &protected.service;
        let counts = self.plane.metrics.requests_of(&self.listener.name, &service.name);
        let rates = Some(&protected.rates);
        asked.ambiguity = asked.head.findings.iter().copied().find(|finding| finding.is_ambiguous());
        let authentication = protected.authentication.as_ref();
        if let Some(authentication) = authentication {
            asked.keep_back(authentication);
        }
        let is_https = asked.head.headers.first(b"x-forwarded-proto") == Some(b"https");
        let about = About {
            listener: &self.listener.name,
            counts,
            tls: None,
            rates,
            authentication: authentication.filter(|_| asked.ambiguity.is_none()),
            scheme: if is_https { "https" } else { "http" },
            in_parts,
        };
        let peer = Peer {
            peer_addr: asked.peer,
            client_addr: asked.peer,
            server_addr: asked.local,
            request_id: asked.request_id.clone(),
            identity: asked.identity.clone(),
            authenticated: None,
            refused: Vec::new(),
            admission: None,
            towards: None,
            secured: None,
        };
        let head = std::mem::take(&mut asked.head);
        let (mut exchange, stand) = Exchange::begin(&self.plane, about, peer, head, service).await;
        for (name, value) in exchange.take_told() {
            // Envoy takes away after it has set.
            asked.forged.retain(|forged| !forged.eq_ignore_ascii_case(&name));
            asked.told.push((name, value));
        }
        if let Some(finding) = asked.ambiguity {
            self.plane.metrics.events.framing_refused_total.one();
            let why = format!("the request can be read in more than one way ({})", finding.name());
            exchange.note(&told(400, &why));
        }
        (exchange, stand)
    }

    /// Whether what decides is not in force yet; counts and tells that a request does not pass for it.
    fn is_not_ready(&self, asked: &Asked) -> bool {
        let Some(missing) = self.listener.readiness.missing() else { return false };
        self.plane.metrics.events.not_ready_total.one();
        if let Some(times) = self.told_not_ready.one() {
            let others = if times > 1 {
                format!("; {} others since this was last told", times - 1)
            } else {
                String::new()
            };
            self.remark(asked, &told(503, &format!("not ready: {missing}{others}")));
        }
        true
    }

    /// To which service a request belongs: Envoy's route says so by `service` and `profile` of its context extensions,
    /// else ours do by host and path.
    fn protected(&self, asked: &mut Asked, extensions: &HashMap<String, String>) -> Option<Arc<Protected>> {
        let protected = self.led_to(asked, extensions)?;
        let target = Target::new(&asked.head.target, &asked.head.method);
        asked.site = protected.site.clone().map(|site| site.at(target.path()));
        Some(protected)
    }

    fn led_to(&self, asked: &Asked, extensions: &HashMap<String, String>) -> Option<Arc<Protected>> {
        let (service, profile) = (extensions.get("service"), extensions.get("profile"));
        if service.is_none() && profile.is_none() {
            return self.listener.routes.find(&asked.head);
        }
        let mut targets = self.listener.routes.targets();
        targets.retain(|to| service.is_none_or(|name| to.service.name == *name));
        targets.retain(|to| profile.is_none_or(|name| *to.profile == **name));
        match service {
            // The routes say which of a service's profiles it is, where Envoy does not.
            Some(_) if profile.is_none() => {
                let found = self.listener.routes.find(&asked.head);
                let found = found.filter(|found| targets.iter().any(|to| Arc::ptr_eq(to, found)));
                found.or_else(|| targets.into_iter().next())
            }
            _ => targets.into_iter().next(),
        }
    }

    fn form<'a>(&self, asked: &'a Asked) -> AnswerForm<'a> {
        AnswerForm {
            request_id: &asked.request_id,
            json: asked.wants_json,
            head_only: asked.is_head,
            close: false,
            http10: false,
            site: asked.site.as_deref(),
            retry_after: None,
            fields: &[],
        }
    }

    /// A line about what never became an exchange.
    fn remark(&self, asked: &Asked, text: &str) {
        self.plane.journal.remark(Remark {
            listener: self.listener.name.clone(),
            client_addr: asked.peer,
            line: own_line(asked.peer, asked.local, &asked.head.target, &asked.request_id, text),
        });
    }

    /// Counts and tells a request that no route takes.
    fn no_route(&self, asked: &Asked) {
        self.plane.metrics.events.no_route_total.one();
        self.remark(asked, &told(404, "no route takes this host and path"));
    }

    /// Says once that a response passes whose request was not shown.
    fn request_is_not_shown(&self) {
        if !self.said_unseen_request.swap(true, Ordering::Relaxed) {
            let nobody = Asked::new(RequestHead::default(), NOBODY, NOBODY);
            self.remark(
                &nobody,
                "Envoy shows a response without its request, which passes: an answer of a filter before ours, or \
                 request_header_mode is not SEND (this is said once)",
            );
        }
    }

    /// Says once that headers of responses stay, which ext_authz cannot take away.
    fn headers_stay(&self, asked: &Asked) {
        if !self.said_headers_stay.swap(true, Ordering::Relaxed) {
            self.remark(
                asked,
                "responseHeaders of this service has `remove`, for which Envoy's ext_authz has no word: those headers stay; set \
                 ext_proc after it, with `joined: true` here (this is said once)",
            );
        }
    }

    /// Says once that Envoy does not show headers as they came.
    fn headers_are_joined(&self, asked: &Asked) {
        if !self.said_joined_headers.swap(true, Ordering::Relaxed) {
            self.remark(
                asked,
                "Envoy shows headers joined and only as UTF-8: what rules see is not what the service gets; set \
                 encode_raw_headers: true in its ext_authz filter (this is said once)",
            );
        }
    }
}
