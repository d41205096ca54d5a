//! `palisade authz health`: asks by gRPC's own health service, on the socket where Envoy asks.

use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_dataplane::{EnvoyAddress, Health, ask_health};

use super::flags::{HealthCheck, HealthFlags};
use crate::Finding;

/// How long an answer may take; what asks has a deadline of its own.
const PATIENCE: Duration = Duration::from_secs(3);

/// Exit 1 where it is not there, or for readiness not ready.
pub(super) fn run(flags: &HealthFlags) -> Result<Finding> {
    let path = flags.listen.strip_prefix("unix:").unwrap_or(&flags.listen);
    let address = match path.parse() {
        Ok(address) => EnvoyAddress::Tcp(address),
        Err(_) => EnvoyAddress::Unix(path.into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot ask")?;
    match (runtime.block_on(ask_health(&address, PATIENCE)), flags.check) {
        (Ok(Health::Serving), _) | (Ok(Health::NotServing), HealthCheck::Liveness) => Ok(Finding::Nothing),
        (Ok(Health::NotServing), HealthCheck::Readiness) => {
            say!("palisade: {address} is not ready");
            Ok(Finding::Something)
        }
        (Err(error), _) => {
            say!("palisade: {address}: {error}");
            Ok(Finding::Something)
        }
    }
}
