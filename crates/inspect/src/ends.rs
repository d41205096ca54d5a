//! Who stands at the ends of a service's requests, as far as it is known: for logs and events. What policies make of it is
//! theirs.

use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::{KnownBy, Workload};
use palisade_policy::{Direction, Identity, TrustDomains};

use crate::inspection::Peer;
use crate::profile::Service;

/// What the configuration says about the ends.
#[derive(Clone, Debug)]
pub struct Ends {
    /// Ingress: requests come to our workload. Egress: they are its own calls.
    pub direction: Direction,
    /// The workload that we stand before.
    pub ours: Option<Arc<Workload>>,
    /// Whom its own calls go to.
    pub theirs: Option<Arc<Workload>>,
}

impl Default for Ends {
    fn default() -> Self {
        Self { direction: Direction::Ingress, ours: None, theirs: None }
    }
}

impl Service {
    /// Who asks. A certificate and an address that say different things do not make one workload: then it is whoever has
    /// the address, and who reads the certificate in the same line sees that it is another's.
    #[must_use]
    pub fn source(&self, peer: &Peer) -> Option<Arc<Workload>> {
        let address = peer.peer_addr.ip();
        if self.ends.direction == Direction::Egress {
            return self.ends.ours.clone().or_else(|| self.workload_at(address, None).map(Arc::new));
        }
        let ours = self.gate.as_ref().map_or(&TrustDomains::Any, |gate| gate.trust_domains());
        let Identity::ServiceAccount { namespace, name } = Identity::of_peer(peer.identity.as_deref(), ours)
        else {
            return self.workload_at(address, None).map(Arc::new);
        };
        let mut there = match self.workload_at(address, Some((&namespace, &name))) {
            Some(there) => there,
            None => {
                return Some(Arc::new(Workload {
                    namespace,
                    name: None,
                    service_account: Some(name),
                    known_by: KnownBy::Certificate,
                }));
            }
        };
        if there.namespace == namespace && there.service_account.as_ref() == Some(&name) {
            there.known_by = KnownBy::CertificateAndAddress;
        }
        Some(Arc::new(there))
    }

    /// Who is asked, at this address: where it arrived, or where our workload's own call went.
    #[must_use]
    pub fn destination(&self, address: IpAddr) -> Option<Arc<Workload>> {
        let at = || self.workload_at(address, None).map(Arc::new);
        match self.ends.direction {
            Direction::Ingress => self.ends.ours.clone().or_else(at),
            Direction::Egress => at().or_else(|| self.ends.theirs.clone()),
        }
    }

    fn workload_at(&self, address: IpAddr, account: Option<(&str, &str)>) -> Option<Workload> {
        self.gate.as_ref()?.workload_at(address, account)
    }
}
