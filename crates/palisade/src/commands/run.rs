//! `palisade run`.
use crate::Finding;
use anyhow::Result;
pub(crate) fn run(_flags: &crate::flags::RunFlags) -> Result<Finding> {
    anyhow::bail!("being built")
}
