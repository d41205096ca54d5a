//! A cluster's own objects drive Palisade: our kinds and others' that we honour, what is to become of them (pure
//! functions of what was observed), and the clients that watch and write. The only crate with a Kubernetes client.

pub mod certs;
pub mod cluster;
mod draft;
pub mod entrances;
pub mod gateway;
pub mod gateway_api;
pub mod ingress;
pub mod inject;
pub mod kinds;
pub mod manifest;
pub mod migrate;
pub mod probes;
pub mod protect;
pub mod runtime;
pub mod sidecars;
pub mod webhook;
