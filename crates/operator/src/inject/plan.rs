//! Which port is the application's, which the sidecar's, and how traffic gets there; and the annotation that says so
//! afterwards.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::names::{APP_PORT, CONTAINER, LISTEN_PORT, PROBES_PORT, STATUS, STRATEGY};
use super::options::{Options, PortRef, shown};
use super::settings::{Namespace, Settings, SidecarForm};
use super::skip::Skip;
use super::{No, deny, view};

/// How traffic gets to the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The sidecar takes the name of the application's port: a Service that targets the name leads to it.
    NamedPort,
    /// The sidecar takes the number of the application's port, and the application is told another by its environment.
    PortSwap,
    /// The Service is changed by whoever owns it.
    Service,
}

impl Strategy {
    pub(super) fn parse(text: &str) -> Result<Self, No> {
        match text {
            "named-port" => Ok(Self::NamedPort),
            "port-swap" => Ok(Self::PortSwap),
            "service" => Ok(Self::Service),
            "redirect" => deny(format!(
                "annotation {STRATEGY}: redirect is not built: it needs an init container with root and NET_ADMIN, which \
                 Pod Security baseline and restricted refuse; write named-port, port-swap or service, and close the \
                 application's port by a NetworkPolicy"
            )),
            other => deny(format!(
                "annotation {STRATEGY} is {}; write named-port, port-swap or service",
                shown(other)
            )),
        }
    }
}

/// What was done with a pod: the value of `palisade.dev/status`, in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The injector's version.
    pub version: String,
    /// What the sidecar was made of, as a hash: another one would be made anew.
    pub template: String,
    /// How traffic gets to the sidecar.
    pub strategy: Strategy,
    /// The sidecar's name.
    pub container: String,
    /// Where the sidecar listens.
    pub listen: u16,
    /// Where the application listens.
    pub app: u16,
    /// The application's container, where a port was declared or moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_container: Option<String>,
    /// The name of the port that leads to the sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

impl Status {
    /// What a pod carries; `None` when it carries nothing that is one.
    pub fn of(pod: &Value) -> Option<Self> {
        let text = view::text(pod, &["metadata", "annotations", STATUS])?;
        serde_json::from_str(text).ok()
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("names and numbers are JSON")
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) strategy: Strategy,
    /// Where the sidecar listens.
    pub(super) listen: u16,
    /// For probes and metrics.
    pub(super) probes: u16,
    /// Where the application listens, once all is done.
    pub(super) app: u16,
    /// The name that leads to the sidecar; ours is used when absent.
    pub(super) port_name: Option<String>,
    /// The application's container.
    pub(super) target: Option<Target>,
    /// Variable for port-swap.
    pub(super) variable: String,
    /// What the pod leaves for its end.
    pub(super) grace_seconds: u64,
}

/// The application's container and port, as the pod came.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Where it stands among the containers.
    pub(super) index: usize,
    pub(super) container: String,
    /// Where its port stands among its ports, when it is declared.
    pub(super) declared: Option<usize>,
    /// The number before anything was done.
    pub(super) number: u16,
}

/// A port that may be the application's.
struct Candidate<'p> {
    index: usize,
    container: &'p str,
    declared: usize,
    number: u16,
    name: Option<&'p str>,
    on_host: bool,
}

impl Plan {
    /// For a pod without a sidecar.
    pub(super) fn new(
        pod: &Value,
        options: &Options,
        namespace: &Namespace,
        settings: &Settings,
    ) -> Result<Self, No> {
        would_end(pod, settings)?;
        let candidates = candidates(pod);
        let Some(chosen) = choose(&candidates, options)? else {
            return match options.insists {
                true => deny(format!(
                    "no container declares a TCP port, and the pod asks for a sidecar; name the application's port by \
                     the annotation {APP_PORT}"
                )),
                false => Err(No::Skip(Skip::NoPort)),
            };
        };
        let (number, name) = match &chosen {
            Chosen::Declared(candidate) => (candidate.number, candidate.name),
            Chosen::Told(number) => (*number, None),
        };
        if let Chosen::Declared(candidate) = &chosen
            && candidate.on_host
        {
            return deny(format!(
                "port {number} of container {} is also a port of its node (hostPort), which leads past the sidecar; \
                 remove hostPort",
                shown(candidate.container)
            ));
        }
        let strategy = options.strategy.unwrap_or(Strategy::NamedPort);
        if strategy == Strategy::NamedPort {
            named_once(&candidates, number, name, &namespace.name)?;
        }
        let mut listen = options.listen_port.unwrap_or(settings.listen_port);
        let mut app = number;
        if strategy == Strategy::PortSwap {
            if options.listen_port.is_some_and(|listen| listen != number) {
                return deny(format!(
                    "annotation {LISTEN_PORT}: with port-swap the sidecar takes the application's own port, {number}; \
                     leave it out"
                ));
            }
            if number < 1024 {
                return deny(format!(
                    "port-swap cannot take port {number}: the sidecar does not run as root; let the application listen \
                     from 1024 on, or name its port and use named-port"
                ));
            }
            listen = number;
            app = moved(number, &candidates, options.probes_port);
        }
        let target = match chosen {
            Chosen::Declared(candidate) => Some(Target {
                index: candidate.index,
                container: candidate.container.to_owned(),
                declared: Some(candidate.declared),
                number,
            }),
            Chosen::Told(_) => first_container(pod, number),
        };
        if strategy == Strategy::PortSwap && target.is_none() {
            return deny(
                "port-swap needs a container that can be told another port; the pod has none with a name",
            );
        }
        let plan = Self {
            strategy,
            listen,
            probes: options.probes_port,
            app,
            port_name: name.filter(|_| strategy != Strategy::Service).map(str::to_owned),
            target,
            variable: options.app_port_env.clone(),
            grace_seconds: grace(pod),
        };
        let in_use = candidates.iter().filter(|one| strategy != Strategy::PortSwap || one.number != number);
        plan.fits(in_use.map(|one| (one.number, one.container)).chain(ports_of_sidecars(pod)))?;
        Ok(plan)
    }

    /// For a pod that has been injected before, by then without its sidecar: ports stay as they were chosen.
    pub(super) fn again(
        pod: &Value,
        status: &Status,
        options: &Options,
        settings: &Settings,
    ) -> Result<Self, No> {
        would_end(pod, settings)?;
        let plan = Self {
            strategy: status.strategy,
            listen: match status.strategy {
                Strategy::PortSwap => status.listen,
                _ => options.listen_port.unwrap_or(status.listen),
            },
            probes: options.probes_port,
            app: status.app,
            port_name: status.port.clone(),
            target: status.app_container.as_ref().map(|container| Target {
                index: usize::MAX,
                container: container.clone(),
                declared: None,
                number: status.app,
            }),
            variable: options.app_port_env.clone(),
            grace_seconds: grace(pod),
        };
        if plan.listen < 1024 || plan.app == 0 {
            return deny(format!("annotation {STATUS} was changed: its ports cannot be; remove it"));
        }
        let taken = candidates(pod);
        plan.fits(taken.iter().map(|one| (one.number, one.container)).chain(ports_of_sidecars(pod)))?;
        Ok(plan)
    }

    pub(super) fn container_name(&self) -> Option<&str> {
        self.target.as_ref().map(|target| target.container.as_str())
    }

    pub(super) fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            template: String::new(),
            strategy: self.strategy,
            container: CONTAINER.to_owned(),
            listen: self.listen,
            app: self.app,
            app_container: self.container_name().map(str::to_owned),
            port: self.port_name.clone(),
        }
    }

    /// The sidecar's ports must be nobody else's: all containers of a pod share one loopback.
    fn fits<'p>(&self, taken: impl Iterator<Item = (u16, &'p str)>) -> Result<(), No> {
        if self.listen == self.app {
            return deny(format!(
                "the sidecar would listen on {}, where the application does; write another port in the annotation \
                 {LISTEN_PORT}",
                self.listen
            ));
        }
        if self.probes == self.listen || self.probes == self.app {
            return deny(format!(
                "the sidecar's probes would be on {}, which is taken; write another port in the annotation {PROBES_PORT}",
                self.probes
            ));
        }
        for (number, container) in taken {
            let annotation = match number {
                number if number == self.listen => LISTEN_PORT,
                number if number == self.probes => PROBES_PORT,
                _ => continue,
            };
            return deny(format!(
                "port {number} is taken by container {}; write another port in the annotation {annotation}",
                shown(container)
            ));
        }
        Ok(())
    }
}

/// The TCP ports that ordinary containers declare.
fn candidates(pod: &Value) -> Vec<Candidate<'_>> {
    let mut found = Vec::new();
    for (index, container) in view::list(pod, &["spec", "containers"]).iter().enumerate() {
        let Some(name) = view::name(container) else { continue };
        for (declared, port) in view::list(container, &["ports"]).iter().enumerate() {
            let Some(number) = view::port_number(port).filter(|_| view::is_tcp(port)) else { continue };
            found.push(Candidate {
                index,
                container: name,
                declared,
                number,
                name: view::name(port).filter(|name| !name.is_empty()),
                on_host: port.get("hostPort").and_then(Value::as_u64).is_some_and(|port| port > 0),
            });
        }
    }
    found
}

/// The TCP ports of init containers that go on running.
fn ports_of_sidecars(pod: &Value) -> impl Iterator<Item = (u16, &str)> {
    let all = view::list(pod, &["spec", "initContainers"]).iter();
    let running = all.filter(|container| view::text(container, &["restartPolicy"]) == Some("Always"));
    running.flat_map(|container| {
        let ports = view::list(container, &["ports"]).iter().filter(|port| view::is_tcp(port));
        let name = view::name(container).unwrap_or_default();
        ports.filter_map(view::port_number).map(move |number| (number, name))
    })
}

enum Chosen<'c, 'p> {
    Declared(&'c Candidate<'p>),
    /// By an annotation, and declared nowhere.
    Told(u16),
}

/// The application's port: the one that is told, else the only one, else the only one called `http`.
fn choose<'c, 'p>(candidates: &'c [Candidate<'p>], options: &Options) -> Result<Option<Chosen<'c, 'p>>, No> {
    match &options.app_port {
        Some(PortRef::Number(number)) => {
            let declared = candidates.iter().find(|candidate| candidate.number == *number);
            return Ok(Some(declared.map_or(Chosen::Told(*number), Chosen::Declared)));
        }
        Some(PortRef::Name(name)) => {
            let declared = candidates.iter().find(|candidate| candidate.name == Some(name));
            return match declared {
                Some(declared) => Ok(Some(Chosen::Declared(declared))),
                None => deny(format!(
                    "annotation {APP_PORT} is {}, and no container has a TCP port of that name; there are {}",
                    shown(name),
                    listed(candidates)
                )),
            };
        }
        None => {}
    }
    let mut called_http = candidates.iter().filter(|candidate| candidate.name == Some("http"));
    match (candidates, called_http.next(), called_http.next()) {
        ([], _, _) => Ok(None),
        ([only], _, _) | (_, Some(only), None) => Ok(Some(Chosen::Declared(only))),
        _ => deny(format!(
            "which port is the application's? There are {}; name it by the annotation {APP_PORT}",
            listed(candidates)
        )),
    }
}

/// `http 8080, 9090`; the first few.
fn listed(candidates: &[Candidate<'_>]) -> String {
    let one = |candidate: &Candidate<'_>| match candidate.name {
        Some(name) => format!("{} {}", shown(name), candidate.number),
        None => candidate.number.to_string(),
    };
    let mut all: Vec<String> = candidates.iter().take(8).map(one).collect();
    if candidates.len() > all.len() {
        all.push("more".to_owned());
    }
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// A name can be taken over only where there is one, and only where nobody else has it: a Service would go to them.
fn named_once(
    candidates: &[Candidate<'_>],
    number: u16,
    name: Option<&str>,
    namespace: &str,
) -> Result<(), No> {
    let Some(name) = name else {
        let of = if namespace.is_empty() { String::new() } else { format!(" of {}", shown(namespace)) };
        return deny(format!(
            "port {number} has no name, so that the sidecar cannot take its place: a Service{of} that targets the number \
             leads past it. Name the port and let the Service target the name; or set the annotation {STRATEGY} to \
             port-swap, or to service and change the Service yourself"
        ));
    };
    if candidates.iter().filter(|candidate| candidate.name == Some(name)).count() > 1 {
        return deny(format!(
            "two ports are called {}; a Service goes to the first that it finds. Give them names of their own",
            shown(name)
        ));
    }
    Ok(())
}

/// Where an application goes that gives its port away: ten thousand further, or before, and on to the next that is free.
fn moved(number: u16, taken: &[Candidate<'_>], probes: u16) -> u16 {
    let start = number.checked_add(10_000).unwrap_or_else(|| number - 10_000);
    let free = |port: &u16| *port != number && *port != probes && taken.iter().all(|one| one.number != *port);
    // Of 40,000 ports one is free: a pod of 1.5 MiB cannot declare them all.
    (start..=u16::MAX).chain(1024..start).find(free).unwrap_or(start)
}

/// The container that is meant where a port is told that nobody declares: the only one, else the first.
fn first_container(pod: &Value, number: u16) -> Option<Target> {
    let first = view::list(pod, &["spec", "containers"]).first()?;
    let container = view::name(first)?.to_owned();
    Some(Target { index: 0, container, declared: None, number })
}

/// An ordinary container keeps a pod alive that is meant to end.
fn would_end(pod: &Value, settings: &Settings) -> Result<(), No> {
    let restarts = view::text(pod, &["spec", "restartPolicy"]).unwrap_or("Always") == "Always";
    if restarts || settings.form == SidecarForm::Native {
        return Ok(());
    }
    deny(
        "a pod that ends (restartPolicy is not Always) would be kept alive by its sidecar on a cluster before 1.29; label \
         it palisade.dev/inject: \"false\"",
    )
}

fn grace(pod: &Value) -> u64 {
    view::at(pod, &["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_u64).unwrap_or(30)
}
