//! Requests that would come back to the listener that has passed them on. One listener may lead to another: a workload's own
//! calls to a service that the same process stands before.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::Checks;
use crate::node::quoted;
use crate::sections::{Config, Listener, Service};
use crate::value::Name;

/// Listeners as bits: there are 64 at most.
type Set = u64;

impl Checks<'_> {
    pub(super) fn loops(&mut self, config: &Config) {
        let takers = takers(config);
        let takers = |service: &Service| takers.get(&*service.name).copied().unwrap_or(0);
        let mut leads: [Set; 64] = [0; 64];
        for service in &config.services {
            let to = addresses(service).fold(0, |to, address| to | listeners_at(config, address));
            bits(takers(service)).for_each(|from| leads[from] |= to);
        }
        // Warshall's closure: by way of each listener in turn.
        for way in 0..leads.len() {
            let further = leads[way];
            leads.iter_mut().filter(|from| **from & (1 << way) != 0).for_each(|from| *from |= further);
        }
        for (index, service) in config.services.iter().enumerate() {
            for url in service.upstream.iter().flat_map(|upstream| upstream.url.iter()) {
                let Some(to) = url.address().map(|address| listeners_at(config, address)) else { continue };
                let reached = bits(to).fold(to, |reached, there| reached | leads[there]);
                let (said, help) = match (takers(service) & to, takers(service) & reached) {
                    (0, 0) => continue,
                    (0, _) => {
                        ("leads back to this listener", "let one of the listeners on the way lead elsewhere")
                    }
                    _ => (
                        "that is this listener itself",
                        "name the address of the service, or let the listener listen elsewhere (--listen)",
                    ),
                };
                let message = format!("{}: {said}", quoted(url.as_str()));
                self.error(&format!("services[{index}].upstream.url"), url.origin(), message, help);
            }
        }
    }
}

fn addresses(service: &Service) -> impl Iterator<Item = SocketAddr> {
    let urls = service.upstream.iter().flat_map(|upstream| upstream.url.iter());
    urls.filter_map(|url| url.address())
}

/// Who takes requests for each service.
fn takers(config: &Config) -> HashMap<&Name, Set> {
    let all = config.listeners.iter().take(64).fold(0, |all, _| (all << 1) | 1);
    let by_name = |name: &Name| {
        let found = config.listeners.iter().take(64).position(|listener| *listener.name == *name);
        found.map_or(0, |index| 1 << index)
    };
    let mut takers: HashMap<&Name, Set> = HashMap::new();
    for route in &config.routes {
        *takers.entry(&*route.service).or_default() |= route.listener.as_deref().map_or(all, by_name);
    }
    takers
}

/// The listeners that are met at an address.
fn listeners_at(config: &Config, address: SocketAddr) -> Set {
    let is_met = |listener: &Listener| {
        let at = listener.address.0;
        let local = |ip: std::net::IpAddr| ip.is_loopback() || ip.is_unspecified();
        address.port() == at.port()
            && (address.ip() == at.ip() || at.ip().is_unspecified() && local(address.ip()))
    };
    let met = config.listeners.iter().take(64).enumerate().filter(|(_, listener)| is_met(listener));
    met.fold(0, |met, (index, _)| met | (1 << index))
}

fn bits(set: Set) -> impl Iterator<Item = usize> {
    (0..64).filter(move |bit| set & (1 << bit) != 0)
}
