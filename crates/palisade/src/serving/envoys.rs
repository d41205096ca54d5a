//! Places where Envoys ask about their requests.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use palisade_config::Socket;
use palisade_dataplane::{
    BoundEnvoy, EnvoyAddress, EnvoyListener, Limits, Protected, Readiness, Routes, ServerTls,
};

use crate::serving::destinations::Destinations;
use crate::serving::listeners::cannot_listen;
use crate::snapshot::Snapshot;

/// A place where an Envoy asks.
pub(super) struct Asked {
    pub(super) name: String,
    address: EnvoyAddress,
    pub(super) routes: Arc<Routes<Protected>>,
    pub(super) tls: Option<Arc<ServerTls>>,
}

impl Asked {
    /// Where an Envoy finds us, as a URL.
    pub(super) fn url(&self) -> String {
        match (&self.address, &self.tls) {
            (EnvoyAddress::Tcp(address), None) => format!("grpc://{address}"),
            (EnvoyAddress::Tcp(address), Some(_)) => format!("grpcs://{address}"),
            (EnvoyAddress::Unix(_), _) => self.address.to_string(),
        }
    }
}

/// Binds every place where an Envoy asks.
pub(super) async fn bind_envoys(
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
