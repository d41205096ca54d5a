//! The objects that policies are made of and are about, as they were written.

use std::fmt;
use std::net::IpAddr;

use crate::labels::Labels;
use crate::net::Net;
use crate::rule::{Asked, Protocol, Rule, ServiceName};
use crate::selector::Selector;

/// What an object is known by: its kind, its namespace where it has one, its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Its kind, such as `GlobalNetworkPolicy`.
    pub kind: &'static str,
    /// Its namespace; empty without one.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.namespace {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A policy of any kind, staged or not.
    Policy(Policy),
    /// A tier.
    Tier(Tier),
    /// A set of addresses with labels.
    NetworkSet(NetworkSet),
    /// A profile.
    Profile(Profile),
    /// A pod, or one of Calico's workload endpoints.
    Workload(Workload),
    /// A machine's own endpoint.
    HostEndpoint(HostEndpoint),
    /// A service account's labels.
    ServiceAccount(Labels),
    /// A namespace's labels.
    Namespace(Labels),
    /// A service.
    Service(Service),
    /// Some of a service's endpoints.
    Endpoints(Endpoints),
}

/// What a policy is known by. A staged policy has the id of the one that it would replace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId {
    /// Its name.
    pub name: Box<str>,
    /// Its namespace; empty for a global one.
    pub namespace: Box<str>,
    /// Of which kind it is.
    pub kind: PolicyKind,
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.namespace {
            "" => f.write_str(&self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}

/// Kinds of policies, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyKind {
    /// Calico's, for all namespaces.
    Global,
    /// Kubernetes's own.
    Kubernetes,
    /// Calico's, for one namespace.
    Namespaced,
}

impl PolicyKind {
    /// As Calico's flow logs name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Global => "GlobalNetworkPolicy",
            Self::Kubernetes => "NetworkPolicy",
            Self::Namespaced => "CalicoNetworkPolicy",
        }
    }
}

/// What becomes of a staged policy when it is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StagedAction {
    /// It takes the place of the one of its name, or is new.
    Set,
    /// The one of its name goes.
    Delete,
    /// As `Set`; made by watching.
    Learn,
    /// Nothing.
    Ignore,
}

/// A policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its id.
    pub id: PolicyId,
    /// The tier that it is in.
    pub tier: Box<str>,
    /// Lower ones are asked first; without one: last.
    pub order: Option<f64>,
    /// Not enforced, only evaluated.
    pub staged: Option<StagedAction>,
    /// To which workloads it applies: namespaces and service accounts included.
    pub applies_to: Selector,
    /// Rules for what comes in; none where the policy says nothing about that direction.
    pub ingress: Option<Vec<Rule<Asked>>>,
    /// Rules for what goes out.
    pub egress: Option<Vec<Rule<Asked>>>,
}

/// What happens to a flow that no policy of a tier decided, though some select the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefaultAction {
    /// It is denied.
    Deny,
    /// The next tier is asked.
    Pass,
}

/// A tier.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// Lower ones are asked first; without one: last.
    pub order: Option<f64>,
    /// What happens at its end.
    pub default_action: DefaultAction,
}

/// A set of addresses with labels, global or in a namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSet {
    /// Its namespace; empty for a global one.
    pub namespace: Box<str>,
    /// Its labels.
    pub labels: Labels,
    /// Its addresses.
    pub nets: Vec<Net>,
}

/// Rules and labels that endpoints share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Rules for what comes in.
    pub ingress: Vec<Rule<Asked>>,
    /// Rules for what goes out.
    pub egress: Vec<Rule<Asked>>,
    /// Labels of all endpoints that have it.
    pub labels: Labels,
}

/// Who does the work: a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// Its namespace.
    pub namespace: Box<str>,
    /// The service account that it runs as.
    pub service_account: Box<str>,
    /// Its own labels.
    pub labels: Labels,
    /// Its addresses; none while it has none, or has the machine's.
    pub addresses: Vec<IpAddr>,
    /// Its named ports.
    pub ports: Vec<NamedPort>,
}

/// A port with a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedPort {
    /// The name.
    pub name: Box<str>,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
}

/// A machine's own endpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostEndpoint {
    /// Its labels.
    pub labels: Labels,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Its profiles, in order.
    pub profiles: Vec<Box<str>>,
    /// Its named ports.
    pub ports: Vec<NamedPort>,
}

/// A service: which pods answer for it, where nobody says so by address.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Labels of its pods; none where its endpoints are made by somebody else.
    pub selector: Option<Selector>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Its own addresses, which who calls it sees until they are translated.
    pub addresses: Vec<IpAddr>,
}

/// Where a service's pods listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The protocol.
    pub protocol: Protocol,
    /// Its own port.
    pub port: Option<u16>,
    /// The port of the pod.
    pub target: TargetPort,
}

/// A port of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// By number.
    Number(u16),
    /// By name.
    Named(Box<str>),
}

/// Some of a service's endpoints, by address.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoints {
    /// Whose.
    pub service: ServiceName,
    /// Addresses and ports; port 0 with any address where it has no ports.
    pub members: Vec<(IpAddr, Protocol, u16)>,
}
