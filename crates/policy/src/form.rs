//! The form that everything compiles to: rules over named sets of addresses, and endpoints that name their policies.
//!
//! It is what Calico's agent sends over its Policy Sync API, so that a stream of that kind and our own compiler of objects
//! ([`Compiler`](crate::Compiler)) feed one index. Ours says two things more: who runs at an address ([`Update::Owner`]), and
//! what endpoints would have if what is staged were in force.

use std::net::IpAddr;
use std::sync::Arc;

use crate::labels::Labels;
use crate::net::Net;
use crate::object::{DefaultAction, PolicyId};
use crate::rule::{Protocol, Rule};

/// The name of a set of addresses.
pub type SetName = Arc<str>;

/// What a compiled rule asks of an address, by named sets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sets<S = SetName> {
    /// It is in each of these.
    pub all: Box<[S]>,
    /// It is in none of these.
    pub none: Box<[S]>,
    /// It is in one of these, with its port where it is a destination: endpoints of services.
    pub services: Box<[S]>,
    /// With its port it is in one of these: named ports, beside the numbers.
    pub ports: Box<[S]>,
    /// With its port it is in none of these.
    pub not_ports: Box<[S]>,
}

impl<S> Default for Sets<S> {
    fn default() -> Self {
        Self { all: [].into(), none: [].into(), services: [].into(), ports: [].into(), not_ports: [].into() }
    }
}

/// A member of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Member {
    /// A range, or one address.
    Net(Net),
    /// An address with a port; port 0 is any.
    Port(IpAddr, Protocol, u16),
}

/// A policy, compiled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompiledPolicy {
    /// Rules for what comes in.
    pub ingress: Vec<Rule<Sets>>,
    /// Rules for what goes out.
    pub egress: Vec<Rule<Sets>>,
}

/// Which policy, and whether the staged one of that id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyRef {
    /// Its id.
    pub id: Arc<PolicyId>,
    /// It is staged.
    pub staged: bool,
}

/// What an endpoint is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId {
    /// Workloads come before machines.
    pub kind: EndpointKind,
    /// The namespace; empty for a machine.
    pub namespace: Box<str>,
    /// The name.
    pub name: Box<str>,
}

/// Kinds of endpoints, in the order in which an address finds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndpointKind {
    /// A pod.
    Pod,
    /// A workload of another source.
    Workload,
    /// A machine.
    Host,
}

/// A tier as an endpoint has it: the policies that select it, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointTier {
    /// Its name.
    pub name: Arc<str>,
    /// What happens at its end.
    pub default_action: DefaultAction,
    /// Policies for what comes in.
    pub ingress: Box<[PolicyRef]>,
    /// Policies for what goes out.
    pub egress: Box<[PolicyRef]>,
}

/// An endpoint that policies apply to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoint {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Its tiers, in order.
    pub tiers: Vec<EndpointTier>,
    /// Its tiers if what is staged were in force; `None` where that is the same.
    pub pending: Option<Vec<EndpointTier>>,
    /// Its profiles, in order.
    pub profiles: Vec<Arc<str>>,
}

/// A service account: its namespace and its name.
pub type AccountName = (Box<str>, Box<str>);

/// A change. A change to something that is there replaces it.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// A set with all its members.
    Set(SetName, Vec<Member>),
    /// Members that are new in a set, and members that are gone.
    SetDelta {
        /// The set.
        name: SetName,
        /// New ones.
        added: Vec<Member>,
        /// Gone ones.
        removed: Vec<Member>,
    },
    /// A set is no more.
    SetRemoved(SetName),
    /// A policy.
    Policy(PolicyRef, CompiledPolicy),
    /// A policy is no more.
    PolicyRemoved(PolicyRef),
    /// A profile.
    Profile(Arc<str>, CompiledPolicy),
    /// A profile is no more.
    ProfileRemoved(Arc<str>),
    /// An endpoint.
    Endpoint(EndpointId, Endpoint),
    /// An endpoint is no more.
    EndpointRemoved(EndpointId),
    /// Who runs at an address: service accounts by namespace and name. `None`: nobody that is known.
    Owner(IpAddr, Option<Box<[AccountName]>>),
    /// Labels of a namespace, its name among them; `None`: there is no such.
    Namespace(Box<str>, Option<Labels>),
    /// Labels of a service account, by namespace and name, its name among them; `None`: there is no such.
    ServiceAccount(Box<str>, Box<str>, Option<Labels>),
    /// All that there was to say has been said: before this, everything is denied.
    InSync,
}
