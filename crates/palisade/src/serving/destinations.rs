//! Where requests go: services with the profiles that inspect them and their upstreams, as the routes of a snapshot say.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use palisade_config::{ByListener, CertificateFact, Name, Route, RouteBody};
use palisade_dataplane::{
    Answer, BodyMode, Destination, Fact, FingerprintHash, Forward, HeaderChanges, Home, Moved, Outgoing,
    PathChange, Plane, Protected, Rates, Redirect, Site, Upstream, UpstreamLimits, UpstreamProtocol,
    UpstreamTls,
};
use palisade_inspect::{RouteTable, RouteTo, Service};
use sha2::{Digest as _, Sha256};

use crate::authenticating;
use crate::modes::Modes;
use crate::policing::ends;
use crate::sites::changes;
use crate::snapshot::Snapshot;
use crate::watch::Digest;

/// Upstreams in use, by what they were told: a reload keeps their connections.
pub(super) type Upstreams = HashMap<String, Arc<Upstream>>;

/// Equal upstreams have equal keys.
fn key(upstream: &palisade_config::Upstream, tls: Option<&Arc<UpstreamTls>>) -> String {
    let urls: Vec<&str> = upstream.url.iter().map(|url| url.as_str()).collect();
    let palisade_config::Upstream { url: _, protocol, connect, response, resolve, eject, source, tls: _ } =
        upstream;
    // Connections that were greeted otherwise are others.
    let tls = tls.map(Arc::as_ptr);
    format!("{urls:?} {protocol:?} {connect:?} {response:?} {resolve:?} {eject:?} {source:?} {tls:?}")
}

/// Changes of a profile to the headers of answers below some paths.
fn endpoint_headers(profile: &palisade_config::Profile) -> Vec<(Vec<String>, HeaderChanges)> {
    let of = |told: &palisade_config::EndpointHeaders| {
        let paths = told.paths.iter().map(|path| path.as_str().to_owned()).collect();
        (paths, changes(&told.set, &told.add, &told.remove))
    };
    profile.response_headers.iter().map(of).collect()
}

/// What the application of a service is told of a client's certificate.
fn forward_of(service: &palisade_config::Service) -> Forward {
    let told = &service.forward;
    Forward {
        fingerprint_header: told.fingerprint.header.as_str().to_owned(),
        fingerprint_hash: match told.fingerprint.hash {
            palisade_config::FingerprintHash::Sha1 => FingerprintHash::Sha1,
            palisade_config::FingerprintHash::Sha256 => FingerprintHash::Sha256,
        },
        certificate: told.client_certificate,
        xfcc: told.xfcc,
        headers: told.headers.iter().map(|(name, fact)| (name.as_str().to_owned(), fact_of(fact))).collect(),
    }
}

fn fact_of(fact: CertificateFact) -> Fact {
    match fact {
        CertificateFact::Verify => Fact::Verify,
        CertificateFact::SubjectDn => Fact::SubjectDn,
        CertificateFact::IssuerDn => Fact::IssuerDn,
        CertificateFact::SubjectDnLegacy => Fact::SubjectDnLegacy,
        CertificateFact::IssuerDnLegacy => Fact::IssuerDnLegacy,
        CertificateFact::Serial => Fact::Serial,
        CertificateFact::Fingerprint => Fact::Fingerprint(FingerprintHash::Sha1),
        CertificateFact::FingerprintSha256 => Fact::Fingerprint(FingerprintHash::Sha256),
        CertificateFact::NotBefore => Fact::NotBefore,
        CertificateFact::NotAfter => Fact::NotAfter,
        CertificateFact::DaysLeft => Fact::DaysLeft,
        CertificateFact::Certificate => Fact::Certificate,
    }
}

/// What a service answers in place of an upstream.
fn answer_of(told: &palisade_config::Answer) -> Answer {
    let status = told.status.get();
    match (&told.location, &told.https_port) {
        (Some(location), _) => Answer::Elsewhere { status, location: location.as_str().to_owned() },
        (None, Some(port)) => Answer::Https(Redirect { status, port: port.get() }),
        (None, None) => match &told.moved {
            Some(moved) => Answer::Moved { status, to: moved_of(moved) },
            None => Answer::Status(status),
        },
    }
}

fn moved_of(told: &palisade_config::Moved) -> Moved {
    Moved {
        scheme: told.scheme.as_str(),
        host: told.host.as_ref().map(|host| host.as_str().to_owned()),
        port: told.port.map(|port| port.get()),
        path: told.path.as_ref().map(path_change_of),
    }
}

fn path_change_of(told: &palisade_config::PathChange) -> PathChange {
    let mut to = told.to.as_str().to_owned();
    if told.to.ends_in_slash() {
        to.push('/');
    }
    PathChange { prefix: told.prefix.as_ref().map(|prefix| prefix.as_str().to_owned()), to }
}

/// What a service is asked for in place of what clients ask for.
fn outgoing_of(service: &palisade_config::Service) -> Outgoing {
    let headers = &service.request_headers;
    Outgoing {
        headers: changes(&headers.set, &headers.add, &headers.remove),
        host: service.rewrite.host.as_ref().map(|host| host.as_str().to_owned()),
        path: service.rewrite.path.as_ref().map(path_change_of),
    }
}

/// Where requests may go: services with each profile that inspects them.
pub(super) struct Destinations<'s> {
    snapshot: &'s Snapshot,
    modes: &'s Modes,
    plane: &'s Plane,
    services: HashMap<&'s Name, &'s palisade_config::Service>,
    upstreams: HashMap<&'s Name, Arc<Upstream>>,
    made: HashMap<Leads<'s>, Arc<Protected>>,
    /// Those that have an upstream.
    homes: HashMap<Leads<'s>, Arc<Destination>>,
    by_listener: ByListener<'s>,
}

/// What makes two destinations different: service, profile, the route when it says something of its own, and whether it
/// is for the workload's own calls.
type Leads<'s> = (&'s Name, &'s Name, Option<usize>, palisade_inspect::Direction);

impl<'s> Destinations<'s> {
    pub(super) fn of(
        snapshot: &'s Snapshot,
        upstreams: &mut Upstreams,
        modes: &'s Modes,
        plane: &'s Plane,
    ) -> Result<Self> {
        let mut by_service = HashMap::new();
        let mut in_use = Upstreams::new();
        for service in &snapshot.config.services {
            let Some(told) = &service.upstream else { continue };
            let tls = snapshot.upstream_tls.get(&*service.name);
            let key = key(told, tls);
            let upstream = match in_use.get(&key).or_else(|| upstreams.get(&key)) {
                Some(upstream) => upstream.clone(),
                None => {
                    let limits = UpstreamLimits {
                        connect: told.connect.duration(),
                        response: Some(told.response.duration()),
                        resolve_every: told.resolve.duration(),
                        eject: told.eject.duration(),
                        source: told.source.map(|source| source.0),
                        protocol: match told.protocol {
                            palisade_config::UpstreamProtocol::Http1 => UpstreamProtocol::Http1,
                            palisade_config::UpstreamProtocol::Http2 => UpstreamProtocol::Http2,
                            palisade_config::UpstreamProtocol::Auto => UpstreamProtocol::Auto,
                        },
                        ..UpstreamLimits::default()
                    };
                    let urls: Vec<&str> = told.url.iter().map(|url| url.as_str()).collect();
                    Arc::new(match tls {
                        Some(tls) => Upstream::over(tls.clone(), &urls, limits)?,
                        None => Upstream::of(&urls, limits)?,
                    })
                }
            };
            in_use.insert(key, upstream.clone());
            by_service.insert(&*service.name, upstream);
        }
        *upstreams = in_use;
        let services = snapshot.config.services.iter().map(|service| (&*service.name, service)).collect();
        let (made, homes) = (HashMap::new(), HashMap::new());
        let by_listener = ByListener::of(&snapshot.config);
        let upstreams = by_service;
        let mut destinations = Self { snapshot, modes, plane, services, upstreams, made, homes, by_listener };
        for (number, route) in snapshot.config.routes.iter().enumerate() {
            destinations.make(number, route)?;
        }
        Ok(destinations)
    }

    fn leads(&self, number: usize, route: &'s Route) -> Result<Leads<'s>> {
        let service = self.services.get(&*route.service).context("a checked route leads to a service")?;
        let profile = route.profile.as_deref().unwrap_or(&service.profile);
        // A profile that is named says its mode, where a service that says another would come before it.
        let own_mode = route.mode.is_some() || route.profile.is_some();
        let own = !route.exceptions.is_empty()
            || route.body != RouteBody::Hold
            || route.body_max.is_some()
            || own_mode
            || !route.rate_limits.is_empty()
            || route.authentication.is_some();
        let direction = self.snapshot.outbound.direction_of(route);
        Ok((&route.service, profile, own.then_some(number), direction))
    }

    fn make(&mut self, number: usize, route: &'s Route) -> Result<()> {
        let leads = self.leads(number, route)?;
        if self.made.contains_key(&leads) {
            return Ok(());
        }
        let (name, profile, ..) = leads;
        let service = *self.services.get(name).context("a checked route leads to a service")?;
        let rates = self.rates_of(service, route);
        let counts = || self.plane.authentication_counts(service.name.as_str());
        let authentication = authenticating::of_route(&self.snapshot.authenticators, service, route, counts)?;
        authentication.iter().for_each(|authentication| authenticating::begin(authentication));
        let forward = Arc::new(forward_of(service));
        let outgoing = Arc::new(outgoing_of(service));
        let profile_name: Arc<str> = profile.as_str().into();
        let service = inspected(self.snapshot, self.modes, service, route)?;
        let below = self.snapshot.config.profiles.get(profile).map(endpoint_headers).unwrap_or_default();
        let site = self.snapshot.sites.get(name).cloned().flatten();
        let site = match (site, below.is_empty()) {
            (site, true) => site,
            (site, false) => {
                Some(Arc::new(Site { below, ..site.map(Arc::unwrap_or_clone).unwrap_or_default() }))
            }
        };
        let answer = self.services.get(name).and_then(|service| service.answer.as_ref());
        let home = match answer {
            Some(answer) => Some(Home::Answer(answer_of(answer))),
            None => self.upstreams.get(name).cloned().map(Home::At),
        };
        if let Some(home) = home {
            let body = match route.body {
                RouteBody::Hold => BodyMode::Hold,
                RouteBody::Stream => BodyMode::Stream,
                RouteBody::Off => BodyMode::Off,
            };
            let home = Destination {
                service: service.clone(),
                home,
                body_max: route.body_max.map_or(u64::MAX, |size| size.bytes()),
                site: site.clone(),
                forward,
                outgoing,
                body,
                rates: rates.clone(),
                authentication: authentication.clone(),
            };
            self.homes.insert(leads, Arc::new(home));
        }
        self.made.insert(
            leads,
            Arc::new(Protected { service, site, profile: profile_name, rates, authentication }),
        );
        Ok(())
    }

    /// The limits that hold for a route: its service's and its own.
    fn rates_of(&self, service: &palisade_config::Service, route: &Route) -> Rates {
        let named = service.rate_limits.iter().chain(&route.rate_limits);
        let mut names: Vec<&Name> = named.map(|name| &**name).collect();
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(*name));
        let written = &self.snapshot.config.rate_limits;
        let limit = |name: &&Name| written.iter().find(|limit| *limit.name == **name);
        names.iter().filter_map(limit).map(|limit| self.plane.rates().of(limit)).collect()
    }

    /// The routes of one listener.
    pub(super) fn table(&self, listener: &Name) -> Result<RouteTable<Arc<Destination>>> {
        self.routes(listener, &self.homes)
    }

    /// The routes of one place where an Envoy asks.
    pub(super) fn asked(&self, listener: &Name) -> Result<RouteTable<Arc<Protected>>> {
        self.routes(listener, &self.made)
    }

    fn routes<T>(&self, listener: &Name, made: &HashMap<Leads<'s>, Arc<T>>) -> Result<RouteTable<Arc<T>>> {
        let mut routes = Vec::new();
        for (number, route) in self.by_listener.routes(listener) {
            let leads = self.leads(number, route)?;
            let destination = made.get(&leads).context("a checked route leads to what was made")?.clone();
            routes.push(RouteTo::of(route, destination));
        }
        Ok(RouteTable::new(routes))
    }
}

/// A service as a route of a snapshot has it inspected.
///
/// # Errors
/// Never for a route of the snapshot's own configuration, which was checked.
pub(crate) fn inspected(
    snapshot: &Snapshot,
    modes: &Modes,
    service: &palisade_config::Service,
    route: &Route,
) -> Result<Arc<Service>> {
    let (name, direction) = (&*service.name, snapshot.outbound.direction_of(route));
    let profile_name = route.profile.as_deref().unwrap_or(&service.profile);
    let of_route = route.exceptions.iter().map(|exception| &**exception);
    let further: Vec<_> = snapshot.exceptions_of(service).chain(of_route).collect();
    let profile = snapshot.profile(profile_name)?.clone();
    let gate = snapshot.gates.get(&(name.clone(), direction)).cloned();
    let specified = snapshot.specifications.get(name).map(|specified| (&service.openapi, specified.digest));
    let digest = digest(snapshot.digests.get(profile_name), &(&further, specified));
    let inspected = Service::with_exceptions(name.as_str(), profile, &further)
        .behind(gate)
        .between(ends(&snapshot.config, service, direction))
        .specified(snapshot.specifications.get(name).map(|specified| specified.enforcement.clone()))
        .standing(modes.mode(snapshot, service, Some(route)), service.application)
        .known_by(digest);
    Ok(inspected)
}

/// What inspects a service: a profile, and what else is said of it: what it is excepted from beside that, the specification of
/// its API.
fn digest(profile: Option<&Digest>, beside: &impl std::fmt::Debug) -> Arc<str> {
    let mut hash = Sha256::new();
    profile.iter().for_each(|profile| hash.update(profile));
    hash.update(format!("{beside:?}"));
    let hash = hash.finalize();
    let (words, _) = hash.as_chunks::<8>();
    words.iter().take(2).map(|word| format!("{:016x}", u64::from_be_bytes(*word))).collect::<String>().into()
}
