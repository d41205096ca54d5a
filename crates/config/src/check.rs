//! Whether the parts of a configuration fit: names are unique and lead somewhere, routes do not contradict each other.
//! What a person may leave out because it goes without saying is filled in here.

mod authentication;
mod custom;
mod lists;
mod loops;
mod rates;
mod recording;
mod shared_state;
mod sinks;
mod tls;

use std::collections::{HashMap, HashSet};

use crate::custom::Method;
use crate::decode::{Decode as _, Decoder, Step, nearest};
use crate::diagnostic::Severity;
use crate::http2::Http2;
use crate::node::{Node, Origin, quoted};
use crate::read::LISTEN;
use crate::routing::Wanted;
use crate::sections::{Config, Exception, Listener, Profile, Profiles, Route, Service};
use crate::socket::Socket;
use crate::tls::Direction;
use crate::value::{
    AdminAddress, ForwardedHeaders, HostPattern, ListenerProtocol, Located, Name, RouteBody, RoutePath,
};

/// Each is a socket and a task. A pool has one for every port of every Service that it protects.
const LISTENERS_MAX: usize = 10_000;
const SERVICES_MAX: usize = 10_000;
const PROFILES_MAX: usize = 10_000;
/// Exceptions of one object at most: each is asked of every value that one of its rules looks at.
pub const EXCEPTIONS_MAX: usize = 1000;
/// Hosts of all routes together; a route without hosts counts as one.
const HOSTS_MAX: usize = 20_000;

/// Checks a configuration and fills in what is left out. Reports to the decoder; `None` comes back where what is there
/// is not enough to go on.
pub(crate) fn check(mut config: Config, decoder: &mut Decoder) -> Option<Config> {
    fill_in(&mut config, decoder)?;
    let mut checks = Checks { decoder };
    checks.bounds(&config)?;
    let envoys = config.envoy.iter().map(|envoy| &envoy.name);
    checks.unique("listener", config.listeners.iter().map(|listener| &listener.name).chain(envoys));
    checks.unique("service", config.services.iter().map(|service| &service.name));
    checks.addresses(&config);
    checks.loops(&config);
    checks.profiles(&config);
    checks.exceptions(&config);
    checks.custom_rules(&config);
    checks.lists(&config);
    checks.automatic(&config);
    checks.rates(&config);
    checks.authentication(&config);
    checks.references(&config);
    checks.answers(&config);
    checks.request_headers(&config);
    checks.routes(&config);
    checks.tls(&config);
    checks.client_addresses(&config);
    checks.outbound(&config);
    checks.policies(&config);
    checks.sinks(&config);
    checks.collector(&config);
    checks.shared_state(&config);
    checks.recording(&config);
    checks.tracing(&config);
    Some(config)
}

/// A configuration of a console: what is for traffic has no place in it.
pub(crate) fn check_console(mut config: Config, decoder: &mut Decoder) -> Option<Config> {
    let of_traffic = [
        ("listeners", config.listeners.first().map(|listener| listener.name.origin())),
        ("services", config.services.first().map(|service| service.name.origin())),
        ("envoy", config.envoy.first().map(|envoy| envoy.name.origin())),
        ("events.collector", config.events.collector.as_ref().map(|collector| collector.origin())),
    ];
    for (key, origin) in of_traffic {
        if let Some(origin) = origin {
            let help = format!("remove `{key}`, or run it by `palisade run`");
            decoder.report(Severity::Error, origin, format!("a console has no {key}"), Some(help));
        }
    }
    // Nothing goes by them.
    config.profiles = Profiles(Vec::new());
    let mut checks = Checks { decoder };
    checks.lists(&config);
    checks.sinks(&config);
    checks.shared_state(&config);
    Some(config)
}

fn fill_in(config: &mut Config, decoder: &mut Decoder) -> Option<()> {
    let named = |name: &str| Located::default(Name::new(name).expect("it is a name"));
    if config.services.is_empty() && !config.envoy.is_empty() {
        // Everything that Envoy asks about is one service.
        let mut service = Node::empty_map(Origin::Default);
        service.set("name", Node::text("web", Origin::Default));
        config.services.push(Service::decode(&service, decoder)?);
    }
    // Where only an Envoy asks there is nothing to forward.
    let forwards = config.services.iter().any(|service| service.upstream.is_some());
    if config.listeners.is_empty() && (forwards || config.envoy.is_empty()) {
        let address = Located::decode(&Node::text(LISTEN, Origin::Default), decoder)?;
        let name = named("web");
        config.listeners.push(Listener {
            name,
            address,
            protocol: ListenerProtocol::Auto,
            http2: Http2::absent()?,
            health_path: None,
            redirect: None,
            direction: Direction::Inbound,
            forwarded_headers: ForwardedHeaders::Append,
            client_address: None,
            tls: None,
        });
    }
    if config.profiles.0.is_empty() {
        config.profiles = Profiles(vec![((*named("default")).clone(), Profile::default())]);
    }
    match &config.services[..] {
        [] => {
            let help = "name its URL by --upstream http://HOST:PORT, or in a file under `services`";
            let message = "there is no service to protect".to_owned();
            decoder.report(Severity::Error, Origin::Default, message, Some(help.to_owned()));
            return None;
        }
        [only] if config.routes.is_empty() => {
            let path = RoutePath::decode(&Node::text("/", Origin::Default), decoder)?;
            config.routes.push(Route {
                mode: None,
                rate_limits: Vec::new(),
                authentication: None,
                listener: None,
                hosts: Vec::new(),
                path: Located::default(path),
                exact: false,
                method: None,
                headers: Wanted::default(),
                query: Wanted::default(),
                weight: None,
                body_max: None,
                service: only.name.clone(),
                profile: None,
                exceptions: Vec::new(),
                body: RouteBody::Hold,
            });
        }
        [_, second, ..] if config.routes.is_empty() => {
            let message = "several services need routes that say which requests are whose".to_owned();
            let help = format!("add `routes:` with `- {{path: /, service: {}}}` and others", *second.name);
            decoder.report(Severity::Error, second.name.origin(), message, Some(help));
            return None;
        }
        _ => {}
    }
    Some(())
}

struct Checks<'a> {
    decoder: &'a mut Decoder,
}

impl Checks<'_> {
    /// An error about a value, by the path of its key.
    fn error(&mut self, key: &str, origin: Origin, message: String, help: impl Into<String>) {
        let help = Some(help.into());
        let report = |decoder: &mut Decoder| decoder.report(Severity::Error, origin, message, help);
        self.decoder.within(&Step::Key(key), report);
    }

    fn warning(&mut self, key: &str, origin: Origin, message: String, help: impl Into<String>) {
        let help = Some(help.into());
        let report = |decoder: &mut Decoder| decoder.report(Severity::Warning, origin, message, help);
        self.decoder.within(&Step::Key(key), report);
    }

    fn bounds(&mut self, config: &Config) -> Option<()> {
        let hosts: usize = config.routes.iter().map(|route| route.hosts.len().max(1)).sum();
        for (what, count, max) in [
            ("listeners", config.listeners.len() + config.envoy.len(), LISTENERS_MAX),
            ("services", config.services.len(), SERVICES_MAX),
            ("profiles", config.profiles.0.len(), PROFILES_MAX),
            ("routes", hosts, HOSTS_MAX),
        ] {
            if count > max {
                let what_of = if what == "routes" { "hosts" } else { what };
                let message = format!("{count} {what_of} are more than the {max} that one process takes");
                self.error(what, Origin::Default, message, "share them among several processes");
                return None;
            }
        }
        Some(())
    }

    fn unique<'c>(&mut self, what: &str, names: impl Iterator<Item = &'c Located<Name>>) {
        let mut seen: HashMap<&str, Origin> = HashMap::new();
        for (index, name) in names.enumerate() {
            let key = format!("{what}s[{index}].name");
            if let Some(first) = seen.insert(name.as_str(), name.origin()) {
                let message = format!("a second {what} is called {}{}", quoted(name.as_str()), after(first));
                self.error(
                    &key,
                    name.origin(),
                    message,
                    format!("give one of them another name, such as {}-2", **name),
                );
            }
        }
    }

    /// Nothing listens twice at one place, or at the place that it forwards to.
    fn addresses(&mut self, config: &Config) {
        let mut taken = HashMap::new();
        for address in [
            match config.admin.address {
                Some(AdminAddress::At(address)) if address.0.port() != 0 => {
                    Some(("the admin listener", address))
                }
                _ => None,
            },
            config.admin.probes.map(|address| ("the listener for probes", address)),
        ]
        .into_iter()
        .flatten()
        {
            taken.insert(address.1, address.0);
        }
        let listeners = config.listeners.iter().enumerate();
        let listeners = listeners.map(|(index, listener)| {
            (format!("listeners[{index}]"), *listener.address, listener.address.origin())
        });
        let envoys = config.envoy.iter().enumerate().filter_map(|(index, envoy)| match &*envoy.address {
            Socket::Address(address) => Some((format!("envoy[{index}]"), *address, envoy.address.origin())),
            Socket::Unix(_) => None,
        });
        for (of, address, origin) in listeners.chain(envoys) {
            if address.0.port() == 0 {
                continue;
            }
            if let Some(by) = taken.insert(address, "another listener") {
                let message = format!("{address} is where {by} listens");
                let help = format!("write another port, or {}:0 for any free one", ip(&address.0));
                self.error(&format!("{of}.address"), origin, message, help);
            }
        }
    }

    fn profiles(&mut self, config: &Config) {
        for (name, profile) in config.profiles.iter() {
            if let (Some(level), None) = (&profile.rules.paranoia, &profile.rules.crs) {
                let message = format!("the paranoia level {} means a CRS, and none is named", level.level());
                let key = format!("profiles.{name}.rules.paranoia");
                self.error(&key, level.origin(), message, "name its folder by `crs` (--crs)");
            }
        }
    }

    /// An exception says from what.
    fn exceptions(&mut self, config: &Config) {
        let profiles =
            config.profiles.iter().map(|(name, profile)| (format!("profiles.{name}"), &profile.exceptions));
        let services = config.services.iter().enumerate();
        let services = services.map(|(index, service)| (format!("services[{index}]"), &service.exceptions));
        let routes = config.routes.iter().enumerate();
        let routes = routes.map(|(index, route)| (format!("routes[{index}]"), &route.exceptions));
        for (of, exceptions) in profiles.chain(services).chain(routes) {
            if let Some(first_over) = exceptions.get(EXCEPTIONS_MAX) {
                let message = format!(
                    "{} exceptions are more than the {EXCEPTIONS_MAX} that one object takes",
                    exceptions.len()
                );
                let help = "name several rules in one exception, by a range or by a tag";
                self.error(&format!("{of}.exceptions"), first_over.origin(), message, help);
            }
            for (index, exception) in exceptions.iter().enumerate() {
                let key = format!("{of}.exceptions[{index}]");
                if let Err((message, help)) = excepts_something(exception) {
                    self.error(&key, exception.origin(), message.to_owned(), help);
                }
            }
        }
    }

    /// Names lead somewhere.
    /// Policies have one source.
    fn policies(&mut self, config: &Config) {
        let Some(policies) = &config.policies else { return };
        if let (Some(sync), false) = (&policies.sync, policies.files.is_empty()) {
            let message = "policies come from files here as well".to_owned();
            let help = "remove `policies.files`, or `policies.sync`";
            self.error("policies.sync", sync.socket.origin(), message, help);
        }
    }

    fn references(&mut self, config: &Config) {
        let profiles: HashSet<&str> = config.profiles.iter().map(|(name, _)| name.as_str()).collect();
        let services: HashSet<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
        let forwarding: HashSet<&str> =
            config.listeners.iter().map(|listener| listener.name.as_str()).collect();
        let mut listeners = forwarding.clone();
        listeners.extend(config.envoy.iter().map(|envoy| envoy.name.as_str()));
        let homeless: HashSet<&str> = config
            .services
            .iter()
            .filter(|service| service.upstream.is_none() && service.answer.is_none())
            .map(|service| service.name.as_str())
            .collect();
        for (index, service) in config.services.iter().enumerate() {
            let (name, origin) = (&service.profile, service.profile.origin());
            if origin == Origin::Default && !profiles.contains(name.as_str()) {
                let first = config.profiles.iter().next().map_or("default", |(name, _)| name.as_str());
                let message = format!(
                    "the service {} names no profile, and none is called `default`",
                    quoted(service.name.as_str())
                );
                let key = format!("services[{index}].profile");
                self.error(&key, service.name.origin(), message, format!("add `profile: {first}` to it"));
            } else {
                self.leads(format!("services[{index}]"), "profile", name, &profiles);
            }
        }
        for (index, route) in config.routes.iter().enumerate() {
            let at = || format!("routes[{index}]");
            self.leads(at(), "service", &route.service, &services);
            if let Some(profile) = &route.profile {
                self.leads(at(), "profile", profile, &profiles);
            }
            if let Some(listener) = &route.listener {
                self.leads(at(), "listener", listener, &listeners);
            }
            let forwards = match &route.listener {
                Some(listener) => forwarding.contains(listener.as_str()),
                None => !forwarding.is_empty(),
            };
            if forwards && homeless.contains(route.service.as_str()) {
                let service = quoted(route.service.as_str());
                let message = format!("the service {service} has no upstream to send requests to");
                let help = match config.envoy.first() {
                    Some(envoy) => {
                        format!("give it an `upstream`, or let the route say `listener: {}`", *envoy.name)
                    }
                    None => "give it an `upstream` with a `url` (--upstream)".to_owned(),
                };
                self.error(&format!("{}.service", at()), route.service.origin(), message, help);
            }
        }
        if self.decoder.sink.errors() > 0 {
            // What leads nowhere may be meant for what nothing leads to.
            return;
        }
        let used: HashSet<&str> = config.routes.iter().map(|route| route.service.as_str()).collect();
        for (index, service) in config.services.iter().enumerate() {
            if used.contains(service.name.as_str()) {
                continue;
            }
            let message = format!("no route leads to the service {}", quoted(service.name.as_str()));
            self.warning(
                &format!("services[{index}]"),
                service.name.origin(),
                message,
                "add one, or remove the service",
            );
        }
    }

    /// An answer of ours is one answer, and stands in place of an upstream.
    fn answers(&mut self, config: &Config) {
        for (index, service) in config.services.iter().enumerate() {
            let Some(answer) = &service.answer else { continue };
            let key = format!("services[{index}].answer");
            let origin = service.name.origin();
            let places = usize::from(answer.location.is_some())
                + usize::from(answer.https_port.is_some())
                + usize::from(answer.moved.is_some());
            if service.upstream.is_some() {
                let message = "a service with an upstream, and with an answer in place of one".to_owned();
                self.error(&key, origin, message, "remove `answer`, or `upstream`");
            } else if answer.status.is_redirect() != (places == 1) {
                let message = format!("{} and where to do not fit", answer.status.get());
                let help = "a redirect (301, 302, 303, 307, 308) has one of `location`, `httpsPort` and `moved`, and nothing else has";
                self.error(&key, origin, message, help);
            }
        }
    }

    /// The host of a request is changed in one place.
    fn request_headers(&mut self, config: &Config) {
        for (index, service) in config.services.iter().enumerate() {
            let told = &service.request_headers;
            let set = told.set.iter().chain(told.add.iter()).map(|(name, _)| name);
            if set.chain(&told.remove).any(|name| name.as_str().eq_ignore_ascii_case("host")) {
                let message = "`Host` is no header that can be changed here".to_owned();
                let key = format!("services[{index}].requestHeaders");
                self.error(&key, service.name.origin(), message, "write `rewrite: {host: NAME}`");
            }
        }
    }

    fn leads(&mut self, of: String, what: &str, name: &Located<Name>, known: &HashSet<&str>) {
        if known.contains(name.as_str()) {
            return;
        }
        let mut all: Vec<&str> = known.iter().copied().collect();
        all.sort_unstable();
        let help = match nearest(name.as_str(), all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if all.len() > 10 => format!("there are {}, and others", all[..10].join(", ")),
            None => format!("there is {}", all.join(", ")),
        };
        self.error(
            &format!("{of}.{what}"),
            name.origin(),
            format!("there is no {what} {}", quoted(name.as_str())),
            help,
        );
    }

    /// No two routes claim the same requests, and a host has a route for all of its paths.
    fn routes(&mut self, config: &Config) {
        /// Who claims a host and path: for every listener, and for some. Whoever has a weight shares.
        #[derive(Default)]
        struct Claims<'c> {
            all: Option<(Origin, bool)>,
            some: HashMap<&'c str, (Origin, bool)>,
        }
        type Asked<'c> = (Option<&'c Method>, &'c Wanted, &'c Wanted);
        let any = HostPattern::Any;
        // What takes one path alone is another claim than what takes all below it.
        let claimed = |route: &Route| route.exact.then(|| route.path.ends_in_slash());
        type Claimed<'c> = (&'c HostPattern, &'c RoutePath, Option<bool>, Asked<'c>);
        let mut claims: HashMap<Claimed<'_>, Claims<'_>> = HashMap::new();
        let mut hosts: Vec<(usize, &HostPattern, Origin)> = Vec::new();
        for (index, route) in config.routes.iter().enumerate() {
            let key = format!("routes[{index}]");
            let written = route.hosts.iter().map(|host| (&**host, host.origin()));
            let none = route.hosts.is_empty().then_some((&any, route.path.origin()));
            for (host, at) in written.chain(none) {
                let origin = [at, route.path.origin(), route.service.origin()]
                    .into_iter()
                    .find(|origin| *origin != Origin::Default)
                    .unwrap_or_default();
                hosts.push((index, host, origin));
                let asked = (route.method.as_ref(), &route.headers, &route.query);
                let claim = claims.entry((host, &route.path, claimed(route), asked)).or_default();
                let here = (origin, route.weight.is_some());
                let before = match &route.listener {
                    Some(listener) => {
                        let before = claim.some.insert(listener.as_str(), here);
                        before.or(claim.all)
                    }
                    None => claim.all.replace(here).or_else(|| claim.some.values().min().copied()),
                };
                if let Some((before, shares)) = before
                    && !(shares && route.weight.is_some())
                {
                    let message = format!("a second route takes {host} {}{}", *route.path, after(before));
                    self.error(
                        &key,
                        origin,
                        message,
                        "remove one of them, give it another host, path or listener, or give both a `weight`",
                    );
                }
            }
        }
        let root = RoutePath::decode(&Node::text("/", Origin::Default), self.decoder);
        let none = Wanted::default();
        let mut told = HashSet::new();
        for (index, host, origin) in hosts {
            let whole = root
                .as_ref()
                .is_some_and(|root| claims.contains_key(&(host, root, None, (None, &none, &none))));
            if !whole && told.insert(host) {
                let message = format!("{host} has no route for `/`: its other paths are answered with 404");
                self.warning(
                    &format!("routes[{index}]"),
                    origin,
                    message,
                    "add a route with `path: /`, or leave it so",
                );
            }
        }
    }
}

/// Whether an exception says from what; otherwise what is wrong, and what to write.
pub(crate) fn excepts_something(exception: &Exception) -> Result<(), (&'static str, &'static str)> {
    if exception.attacks.is_empty() && exception.rules.is_empty() && exception.tags.is_empty() {
        let help = "add `rules: [942100]`, `tags: [attack-sqli]` or `attacks: [sqli]`";
        return Err(("an exception that does not say from what", help));
    }
    Ok(())
}

fn ip(address: &std::net::SocketAddr) -> String {
    match address {
        std::net::SocketAddr::V4(address) => address.ip().to_string(),
        std::net::SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

fn after(first: Origin) -> String {
    match first {
        Origin::File { line, .. } => format!(", after line {line}"),
        _ => String::new(),
    }
}
