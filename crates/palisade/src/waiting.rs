//! Probes of a process that has nothing to serve yet: it lives, and is not ready. By then only the environment says where they
//! are (`PALISADE_PROBES`), as it does for a pod of a pool.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use palisade_operator::probes::{Probes, Told};
use tokio::runtime::Runtime;

/// Probes at work. Their address is free again when this is dropped.
pub(crate) struct Waiting {
    probes: Option<Probes>,
    runtime: Option<Runtime>,
}

impl Waiting {
    /// Answers, where the environment names an address.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(crate) fn start() -> Result<Self> {
        let named = std::env::var("PALISADE_PROBES").ok();
        // What is no address is told by whoever reads the whole configuration.
        let Some(address) = named.and_then(|text| text.parse::<SocketAddr>().ok()) else {
            return Ok(Self { probes: None, runtime: None });
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("cannot start the thread of the probes")?;
        let probes = runtime
            .block_on(Probes::start(address, Arc::new(NothingYet)))
            .with_context(|| format!("PALISADE_PROBES {address}: cannot listen there"))?;
        say!("listening on http://{} (waiting)", probes.address());
        Ok(Self { probes: Some(probes), runtime: Some(runtime) })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.probes.take());
        // The listener is a task's: it is closed when the task has ended.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        }
    }
}

/// What probes are told.
struct NothingYet;

impl Told for NothingYet {
    fn missing(&self) -> Option<&'static str> {
        Some("no configuration has come yet")
    }

    /// Otherwise a kubelet would end it while whoever has its configuration is away.
    fn has_started(&self) -> bool {
        true
    }

    fn metrics(&self) -> String {
        String::new()
    }
}
