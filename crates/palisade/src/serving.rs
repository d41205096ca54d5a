//! A configuration at work in this process: what `run` and `demo` share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_config::{Direction, Http2, ListenerProtocol, Name, Route, RouteBody, Socket};
use palisade_console::ListenerStatus;
use palisade_dataplane::{
    BodyMode, Bound, BoundEnvoy, Budget, ClientAddresses, Destination, Drain, DrainTrigger, Drained,
    EnvoyAddress, EnvoyListener, FingerprintHash, Forward, ForwardedFor, HeaderChanges, Http2Limits, Journal,
    Limits, Listener, LiveLists, Plane, Protected, Protocol, Rates, Readiness, Redirect, Routes, ServerTls,
    SharedCollections, Site, Upstream, UpstreamLimits, UpstreamProtocol, UpstreamTls, drain, serve,
    serve_envoy,
};
use palisade_inspect::{RouteTable, Service};
use sha2::{Digest as _, Sha256};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::authenticating;
use crate::descriptors;
use crate::modes::Modes;
use crate::policing::{direction_of, ends};
use crate::rules::plural;
use crate::sites::changes;
use crate::snapshot::Snapshot;

/// How long requests may go on after the word to end.
pub(crate) const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// Listeners at work.
pub(crate) struct Serving {
    listening: Vec<Listening>,
    asked: Vec<Asked>,
    upstreams: Upstreams,
    modes: Arc<Modes>,
    plane: Arc<Plane>,
    tasks: JoinSet<Drained>,
    trigger: DrainTrigger,
}

/// A listener at work.
struct Listening {
    name: String,
    address: SocketAddr,
    routes: Arc<Routes>,
    tls: Option<Arc<ServerTls>>,
}

impl Listening {
    fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

/// A place where an Envoy asks.
struct Asked {
    name: String,
    address: EnvoyAddress,
    routes: Arc<Routes<Protected>>,
    tls: Option<Arc<ServerTls>>,
}

impl Asked {
    /// Where an Envoy finds us, as a URL.
    fn url(&self) -> String {
        match (&self.address, &self.tls) {
            (EnvoyAddress::Tcp(address), None) => format!("grpc://{address}"),
            (EnvoyAddress::Tcp(address), Some(_)) => format!("grpcs://{address}"),
            (EnvoyAddress::Unix(_), _) => self.address.to_string(),
        }
    }
}

impl Serving {
    /// Binds every listener and begins. Says where they listen on standard error. Envoys are answered as `readiness` says,
    /// from the first on.
    pub(crate) async fn start(
        snapshot: &Snapshot,
        plane: Arc<Plane>,
        modes: Arc<Modes>,
        readiness: Readiness,
    ) -> Result<Self> {
        let mut upstreams = Upstreams::default();
        let destinations = Destinations::of(snapshot, &mut upstreams, &modes, &plane)?;
        let descriptors = descriptors::raise_limit();
        let listeners = snapshot.config.listeners.len();
        let mut bound = Vec::new();
        let mut listening = Vec::new();
        for configured in &snapshot.config.listeners {
            let (name, address) = (&*configured.name, configured.address.0);
            let routes = Routes::new(destinations.table(name)?);
            let health_path = configured.health_path.as_ref().map(|path| path.as_str().to_owned());
            let redirect = configured.redirect.as_ref();
            let redirect = redirect.map(|to| Redirect { status: to.status.get(), port: to.port.get() });
            let protocol = match configured.protocol {
                ListenerProtocol::Auto => Protocol::Auto,
                ListenerProtocol::Http1 => Protocol::Http1,
                ListenerProtocol::H2c => Protocol::H2c,
            };
            let tls = snapshot.tls.get(name).map(|server| ServerTls::new(server.clone()));
            let client_addresses = configured.client_address.as_ref().map(|told| ClientAddresses {
                from: (*told.from).clone(),
                trusted: told.trusted.iter().map(|network| **network).collect(),
                hops: told.hops.get(),
            });
            let mut listener = Listener {
                health_path,
                redirect,
                protocol,
                tls: tls.clone(),
                client_addresses,
                ..Listener::new(name.as_str(), address, routes.clone())
            };
            if configured.direction == Direction::Outbound {
                listener.forwarded_for = ForwardedFor::Nothing;
            }
            if let Some(tls) = &configured.tls {
                listener.timeouts.handshake = tls.handshake.duration();
            }
            listener.limits.http2 = http2_limits(&configured.http2);
            let wanted = listener.limits.connections_max;
            listener.limits.connections_max = descriptors::connections_max(wanted, listeners, descriptors);
            if listener.limits.connections_max < wanted {
                say!(
                    "palisade: listener {name}: {} connections at a time instead of {wanted}, as the system allows \
                     this process few file descriptors (ulimit -n)",
                    listener.limits.connections_max
                );
            }
            // What is held is the profile's to say, and a reload may change it.
            listener.limits.request_body_held_max = u64::MAX;
            listener.limits.response_body_held_max = u64::MAX;
            let listener = Bound::bind(listener).await.map_err(|error| {
                let context = cannot_listen(name, address, &error);
                anyhow::Error::new(error).context(context)
            })?;
            listening.push(Listening {
                name: name.to_string(),
                address: listener.local_address()?,
                routes,
                tls,
            });
            bound.push(listener);
        }
        let (asked, asked_bound) = bind_envoys(snapshot, &destinations, &readiness).await?;
        // Only now: whoever reads of one may ask the others.
        for listening in &listening {
            say!("listening on {} ({})", listening.url(), listening.name);
        }
        for asked in &asked {
            say!("listening on {} ({})", asked.url(), asked.name);
        }
        let (trigger, drain): (DrainTrigger, Drain) = drain();
        let mut tasks = JoinSet::new();
        for listener in bound {
            tasks.spawn(serve(listener, plane.clone(), drain.clone()));
        }
        for envoy in asked_bound {
            let (plane, drain, name) = (plane.clone(), drain.clone(), envoy.name().to_owned());
            tasks.spawn(async move {
                serve_envoy(envoy, plane, drain).await.unwrap_or_else(|error| {
                    say!("palisade: listener {name} failed: {error}");
                    Drained::default()
                })
            });
        }
        Ok(Self { listening, asked, upstreams, modes, plane, tasks, trigger })
    }

    /// Serves later requests by another snapshot. Listeners that it does not have go on as they are.
    pub(crate) fn replace(&mut self, snapshot: &Snapshot) -> Result<()> {
        let destinations = Destinations::of(snapshot, &mut self.upstreams, &self.modes, &self.plane)?;
        let mut tables = Vec::new();
        for listening in &self.listening {
            let configured = &snapshot.config.listeners;
            let Some(there) = configured.iter().find(|there| there.name.as_str() == listening.name) else {
                continue;
            };
            tables.push((&listening.routes, destinations.table(&there.name)?));
        }
        let mut asked = Vec::new();
        for Asked { name, routes, .. } in &self.asked {
            let mut configured = snapshot.config.envoy.iter();
            let Some(there) = configured.find(|there| there.name.as_str() == name) else { continue };
            asked.push((routes, destinations.asked(&there.name)?));
        }
        // Nothing fails from here on: all of it changes, or none.
        for (routes, table) in asked {
            routes.replace(table);
        }
        for (routes, table) in tables {
            routes.replace(table);
        }
        let listening = self.listening.iter().map(|listening| (&listening.name, &listening.tls));
        let asked = self.asked.iter().map(|asked| (&asked.name, &asked.tls));
        for (name, tls) in listening.chain(asked) {
            let made = snapshot.tls.iter().find(|(made, _)| made.as_str() == name);
            if let (Some(tls), Some((_, server))) = (tls, made) {
                tls.replace(server.clone());
            }
        }
        Ok(())
    }

    /// Where the first listener is.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listening.first().map(|listening| listening.address)
    }

    /// What the admin listener shows.
    pub(crate) fn status(&self) -> Vec<ListenerStatus> {
        let status =
            |listening: &Listening| ListenerStatus { name: listening.name.clone(), url: listening.url() };
        let asked =
            self.asked.iter().map(|asked| ListenerStatus { name: asked.name.clone(), url: asked.url() });
        self.listening.iter().map(status).chain(asked).collect()
    }

    /// Ends: requests that have begun are answered.
    pub(crate) async fn end(mut self, deadline: Duration) -> Result<()> {
        self.trigger.start(deadline);
        let mut cut_connections = 0;
        while let Some(drained) = self.tasks.join_next().await {
            cut_connections += drained.context("a listener failed")?.cut_connections;
        }
        if cut_connections > 0 {
            say!("palisade: {} cut at the deadline", plural(cut_connections, "connection"));
        }
        Ok(())
    }
}

fn http2_limits(told: &Http2) -> Http2Limits {
    Http2Limits {
        streams_max: told.streams.get(),
        stream_window: told.stream_window.bytes(),
        connection_window: told.connection_window.bytes(),
        resets_burst: told.resets.get(),
        resets_per_second: told.resets_per_second.get(),
        control_burst: told.control_frames.get(),
        control_per_second: told.control_frames_per_second.get(),
        window_update_min: told.small_window_update.bytes().into(),
    }
}

/// Binds every place where an Envoy asks.
async fn bind_envoys(
    snapshot: &Snapshot,
    destinations: &Destinations<'_>,
    readiness: &Readiness,
) -> Result<(Vec<Asked>, Vec<BoundEnvoy>)> {
    let (mut asked, mut bound) = (Vec::new(), Vec::new());
    for configured in &snapshot.config.envoy {
        let name = &*configured.name;
        let routes = Routes::new(destinations.asked(name)?);
        let tls = snapshot.tls.get(name).map(|server| ServerTls::new(server.clone()));
        let address = match &*configured.address {
            Socket::Address(address) => EnvoyAddress::Tcp(address.0),
            Socket::Unix(path) => EnvoyAddress::Unix(path.into()),
        };
        let listener = EnvoyListener {
            name: name.as_str().into(),
            address: address.clone(),
            routes: routes.clone(),
            limits: Limits { response_body_held_max: u64::MAX, ..Limits::default() },
            joined: configured.joined,
            deadline: configured.deadline.duration(),
            handshake: configured.tls.as_ref().map_or(Duration::ZERO, |tls| tls.handshake.duration()),
            tls: tls.clone(),
            readiness: readiness.clone(),
        };
        let listener = BoundEnvoy::bind(listener).await.map_err(|error| {
            let context = match &address {
                EnvoyAddress::Tcp(address) => cannot_listen(name, *address, &error),
                EnvoyAddress::Unix(path) => format!(
                    "listener {name}: cannot listen on {}; its folder has to be there and be writable, and nobody \
                     else may listen on it",
                    path.display()
                ),
            };
            anyhow::Error::new(error).context(context)
        })?;
        asked.push(Asked { name: name.to_string(), address: listener.local_address()?, routes, tls });
        bound.push(listener);
    }
    Ok((asked, bound))
}

/// Upstreams in use, by what they were told: a reload keeps their connections.
type Upstreams = HashMap<String, Arc<Upstream>>;

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
    }
}

/// Where requests may go: services with each profile that inspects them.
struct Destinations<'s> {
    snapshot: &'s Snapshot,
    modes: &'s Modes,
    plane: &'s Plane,
    services: HashMap<&'s Name, &'s palisade_config::Service>,
    upstreams: HashMap<&'s Name, Arc<Upstream>>,
    made: HashMap<Leads<'s>, Arc<Protected>>,
    /// Those that have an upstream.
    homes: HashMap<Leads<'s>, Arc<Destination>>,
}

/// What makes two destinations different: service, profile, the route when it says something of its own, and whether it
/// is for the workload's own calls.
type Leads<'s> = (&'s Name, &'s Name, Option<usize>, palisade_inspect::Direction);

impl<'s> Destinations<'s> {
    fn of(
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
        let mut destinations = Self { snapshot, modes, plane, services, upstreams: by_service, made, homes };
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
            || own_mode
            || !route.rate_limits.is_empty()
            || route.authentication.is_some();
        let direction = direction_of(&self.snapshot.config, route);
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
        let authentication =
            authenticating::of_route(&self.snapshot.authenticators, service, route, self.plane)?;
        let forward = Arc::new(forward_of(service));
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
        if let Some(upstream) = self.upstreams.get(name).cloned() {
            let body = match route.body {
                RouteBody::Hold => BodyMode::Hold,
                RouteBody::Stream => BodyMode::Stream,
                RouteBody::Off => BodyMode::Off,
            };
            let home = Destination {
                service: service.clone(),
                upstream,
                site: site.clone(),
                forward,
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
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(*name));
        let written = &self.snapshot.config.rate_limits;
        let limit = |name: &&Name| written.iter().find(|limit| *limit.name == **name);
        names.iter().filter_map(limit).map(|limit| self.plane.rates().of(limit)).collect()
    }

    /// The routes of one listener.
    fn table(&self, listener: &Name) -> Result<RouteTable<Arc<Destination>>> {
        self.routes(listener, &self.homes)
    }

    /// The routes of one place where an Envoy asks.
    fn asked(&self, listener: &Name) -> Result<RouteTable<Arc<Protected>>> {
        self.routes(listener, &self.made)
    }

    fn routes<T>(&self, listener: &Name, made: &HashMap<Leads<'s>, Arc<T>>) -> Result<RouteTable<Arc<T>>> {
        let mut routes = Vec::new();
        for (number, route) in self.snapshot.config.routes.iter().enumerate() {
            if route.listener.as_deref().is_some_and(|only| only != listener) {
                continue;
            }
            let leads = self.leads(number, route)?;
            let destination = made.get(&leads).context("a checked route leads to what was made")?.clone();
            let hosts = route.hosts.iter().map(|host| &**host).collect();
            routes.push((hosts, &*route.path, destination));
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
    let (name, direction) = (&*service.name, direction_of(&snapshot.config, route));
    let profile_name = route.profile.as_deref().unwrap_or(&service.profile);
    let further: Vec<_> =
        service.exceptions.iter().chain(&route.exceptions).map(|exception| &**exception).collect();
    let profile = snapshot.profile(profile_name)?.clone();
    let gate = snapshot.gates.get(&(name.clone(), direction)).cloned();
    let specified = snapshot.specifications.get(name).map(|specified| (&service.openapi, specified.digest));
    let digest = digest(&(snapshot.digests.get(profile_name), &further, specified));
    let inspected = Service::with_exceptions(name.as_str(), profile, &further)
        .behind(gate)
        .between(ends(&snapshot.config, service, direction))
        .specified(snapshot.specifications.get(name).map(|specified| specified.enforcement.clone()))
        .standing(modes.mode(snapshot, service, Some(route)), service.application)
        .known_by(digest);
    Ok(inspected)
}

/// What inspects a service: a profile, what it is excepted from beside that, the specification of its API.
fn digest(parts: &impl std::fmt::Debug) -> Arc<str> {
    let digest = Sha256::digest(format!("{parts:?}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

fn cannot_listen(name: &Name, listen: SocketAddr, error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::PermissionDenied && listen.port() < 1024 {
        return format!(
            "listener {name}: cannot listen on {listen}: ports below 1024 are not for this user; let them be by the \
             sysctl net.ipv4.ip_unprivileged_port_start=0 (of the container or pod), or name a higher port"
        );
    }
    // In use is the usual reason; port 0 is the way out that always works.
    let free = SocketAddr::new(listen.ip(), 0);
    format!(
        "listener {name}: cannot listen on {listen}; name another address (--listen), or {free} for any free port"
    )
}

/// What listeners of this process share: a journal and a folder for bodies that memory does not hold.
pub(crate) fn plane(journal: Arc<dyn Journal>, spill_folder: &Path, lists: Arc<LiveLists>) -> Arc<Plane> {
    plane_among_others(journal, spill_folder, lists, None)
}

/// The same with persistent collections that other processes may have as well.
pub(crate) fn plane_among_others(
    journal: Arc<dyn Journal>,
    spill_folder: &Path,
    lists: Arc<LiveLists>,
    collections: Option<Arc<dyn SharedCollections>>,
) -> Arc<Plane> {
    // TIME_* in UTC: containers run in it, and a rule that means office hours says which zone it means.
    Plane::with_lists(journal, Budget::new(spill_folder), lists, collections, 0)
}

/// A runtime with `PALISADE_WORKERS` threads, or one for each CPU that this process may use.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = std::env::var_os("PALISADE_WORKERS") {
        let workers: usize = workers
            .to_str()
            .and_then(|text| text.parse().ok())
            .filter(|workers| (1..=1024).contains(workers))
            .with_context(|| format!("PALISADE_WORKERS is {workers:?}; write a number from 1 to 1024"))?;
        builder.worker_threads(workers);
    }
    builder.enable_all().build().context("cannot start worker threads")
}

/// Signals that matter.
pub(crate) enum Word {
    /// SIGTERM or SIGINT.
    End,
    /// SIGHUP.
    Reload,
}

/// Waits for signals. Made before the listener, so that none is lost.
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes over the signals of this process. In a runtime.
    pub(crate) fn take() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Word {
        tokio::select! {
            _ = self.terminate.recv() => Word::End,
            _ = self.interrupt.recv() => Word::End,
            _ = self.hang_up.recv() => Word::Reload,
        }
    }
}
