//! `palisade demo`.
use anyhow::Result;
use crate::Finding;
pub(crate) fn run(_flags: &crate::flags::DemoFlags) -> Result<Finding> { anyhow::bail!("being built") }
