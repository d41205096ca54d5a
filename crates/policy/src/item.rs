//! Who has an address: an endpoint or a set of addresses, with all labels that count for it.
//!
//! ```text
//!  own labels                       beat
//!  projectcalico.org/namespace, ... given by where it is, and beat
//!  pcns.*, pcsa.*                   of its namespace and its service account, or its profiles' labels
//! ```

use std::net::IpAddr;

use crate::flow::WorkloadName;
use crate::labels::{
    Labels, METADATA_NAME, NAME, NAMESPACE, OF_NAMESPACE, OF_SERVICE_ACCOUNT, ORCHESTRATOR, SERVICE_ACCOUNT,
};
use crate::net::Net;
use crate::object::{NamedPort, Object, ObjectKey, Profile};

/// What has addresses and labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Item {
    pub(crate) nets: Vec<Net>,
    pub(crate) labels: Labels,
    pub(crate) ports: Vec<NamedPort>,
    /// What makes it an endpoint that policies apply to; none for a set of addresses.
    pub(crate) endpoint: Option<EndpointFacts>,
}

/// What is so of an endpoint alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EndpointFacts {
    /// A workload's name; empty for a machine.
    pub(crate) workload: Option<WorkloadName>,
    /// Namespace and name of the account that it runs as.
    pub(crate) service_account: Option<(Box<str>, Box<str>)>,
    /// Its profiles, in order.
    pub(crate) profiles: Vec<Box<str>>,
}

/// Where the labels of others are found.
pub(crate) trait Inherited {
    fn namespace(&self, name: &str) -> Option<&Labels>;
    fn service_account(&self, namespace: &str, name: &str) -> Option<&Labels>;
    fn profile(&self, name: &str) -> Option<&Profile>;
}

impl Item {
    /// What an object is as the holder of addresses; `None` where it holds none.
    pub(crate) fn of(key: &ObjectKey, object: &Object, inherited: &impl Inherited) -> Option<Self> {
        match object {
            Object::Workload(workload) => {
                let account = (workload.namespace.clone(), workload.service_account.clone());
                let mut labels = workload.labels.clone();
                labels.set(NAMESPACE, &account.0);
                labels.set(SERVICE_ACCOUNT, &account.1);
                labels.set(ORCHESTRATOR, "k8s");
                inherit(&mut labels, OF_NAMESPACE, inherited.namespace(&account.0), &account.0);
                let of_account = inherited.service_account(&account.0, &account.1);
                inherit(&mut labels, OF_SERVICE_ACCOUNT, of_account, &account.1);
                let profiles = vec![
                    format!("kns.{}", account.0).into(),
                    format!("ksa.{}.{}", account.0, account.1).into(),
                ];
                Some(Self {
                    nets: nets(&workload.addresses),
                    labels,
                    ports: workload.ports.clone(),
                    endpoint: Some(EndpointFacts {
                        workload: Some(WorkloadName {
                            namespace: key.namespace.clone(),
                            name: key.name.clone(),
                        }),
                        service_account: Some(account),
                        profiles,
                    }),
                })
            }
            Object::HostEndpoint(host) => {
                let mut labels = host.labels.clone();
                for (name, value) in host
                    .profiles
                    .iter()
                    .filter_map(|name| inherited.profile(name))
                    .flat_map(|profile| profile.labels.iter())
                {
                    labels.set_default(name, value);
                }
                Some(Self {
                    nets: nets(&host.addresses),
                    labels,
                    ports: host.ports.clone(),
                    endpoint: Some(EndpointFacts {
                        profiles: host.profiles.clone(),
                        ..EndpointFacts::default()
                    }),
                })
            }
            Object::NetworkSet(set) => {
                let mut labels = set.labels.clone();
                if !set.namespace.is_empty() {
                    labels.set(NAMESPACE, &set.namespace);
                    inherit(&mut labels, OF_NAMESPACE, inherited.namespace(&set.namespace), &set.namespace);
                }
                Some(Self { nets: set.nets.clone(), labels, ports: Vec::new(), endpoint: None })
            }
            _ => None,
        }
    }

    /// Whether it has an address.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.nets.iter().any(|net| net.contains(address))
    }
}

/// Labels of a namespace or service account as rules see them: with its name, which is always known.
pub(crate) fn with_name(labels: &Labels, name: &str) -> Labels {
    let mut labels = labels.clone();
    labels.set_default(NAME, name);
    labels.set_default(METADATA_NAME, name);
    labels
}

/// Adds labels of another under a prefix; those that are there stay.
fn inherit(labels: &mut Labels, prefix: &str, from: Option<&Labels>, name: &str) {
    for (label, value) in with_name(from.unwrap_or(&Labels::default()), name).iter() {
        labels.set_default(&format!("{prefix}{label}"), value);
    }
}

fn nets(addresses: &[IpAddr]) -> Vec<Net> {
    addresses.iter().copied().map(Net::of).collect()
}
