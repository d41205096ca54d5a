//! `palisade demo`.
use crate::Finding;
use anyhow::Result;
pub(crate) fn run(_flags: &crate::flags::DemoFlags) -> Result<Finding> {
    anyhow::bail!("being built")
}
