//! `palisade drain`: waits. For `preStop` hooks in images without a shell.
//!
//! Those who send traffic to a pod hear that it ends some seconds late; until then it has to take what comes. The process
//! itself begins to drain by SIGTERM, which the kubelet sends once its hook has ended.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::Finding;

/// The wait is the whole of it: a kubelet sends SIGTERM afterwards, and by that `palisade run` drains.
#[derive(Args, Debug)]
pub(crate) struct DrainFlags {
    /// How long to wait, such as 5s; a minute at most
    #[arg(long = "for", value_name = "TIME", value_parser = seconds, default_value = "5s")]
    pub(crate) time: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<u64>().ok().filter(|number| *number <= 60);
    number.map(Duration::from_secs).ok_or_else(|| "write seconds up to a minute, such as 5s".to_owned())
}

/// Waits.
pub(crate) fn run(flags: &DrainFlags) -> Result<Finding> {
    std::thread::sleep(flags.time);
    Ok(Finding::Nothing)
}
