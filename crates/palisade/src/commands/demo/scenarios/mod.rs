//! The walks of five articles, each scripted as its author took it: negative controls first, then what protects, then the
//! same again. A step says what is done, what is expected and what is seen; a walk with a difference ends with status 1.

mod mesh;
mod mtls;
mod node;
mod sidecars;
mod waf;
mod walk;

use std::path::PathBuf;

use anyhow::Result;

use super::Scenario;
use crate::Finding;
use crate::serving::{Signals, runtime};

/// Takes the walk of a name.
pub(super) fn run(scenario: Scenario, crs: Option<PathBuf>, seed: u64) -> Result<Finding> {
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        let walking = async {
            match scenario {
                Scenario::Seed000 => waf::walk(crs).await,
                Scenario::Seed001 => node::walk(crs).await,
                Scenario::Seed002 => sidecars::walk(crs, seed).await,
                Scenario::Seed003 => mtls::walk().await,
                Scenario::Seed004 | Scenario::Bank | Scenario::Shop => mesh::walk().await,
            }
        };
        tokio::select! {
            walked = walking => walked,
            // Whoever interrupts a walk has not seen it hold.
            () = super::end(&mut signals) => Ok(Finding::Something),
        }
    })
}
