//! Fetching a release of OWASP CRS: download, unpack within bounds, verify file by file, install as a whole or not at all.
//!
//! ```text
//!  URL ──download──> bytes ──archive──> files ──release──> verified files ──install──> folder
//!       bounded             bounded,           every hash                   made beside it,
//!                           no way out         of a list of ours            then renamed
//! ```
//!
//! Verified are files, not the archive: the bytes of an archive that a forge makes of a tag change with its compressor.
//! Nothing is fetched but by this command; no other one reaches for the network on its own.

mod archive;
mod download;
mod install;
mod release;

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};

use crate::Finding;
use crate::flags::{RulesFetchFlags, text};
use crate::rules::plural;

use release::Release;

/// Where tags of CRS are to be had; `/v4.28.0.tar.gz` is added to it.
const BASE_URL: &str = "https://github.com/coreruleset/coreruleset/archive/refs/tags";

/// Fetches and installs.
pub(crate) fn run(flags: &RulesFetchFlags) -> Result<Finding> {
    let release = Release::named(flags.version.as_deref())?;
    if !release.is_known() && !flags.allow_unverified {
        bail!(
            "version {} has no hash list in this version of palisade (it knows {}): --allow-unverified takes it as the \
             server gives it",
            release.version,
            Release::all_known()
        );
    }
    let to = match &flags.to {
        Some(folder) => text(folder)?,
        None => format!("coreruleset-{}", release.version),
    };
    let mut out = std::io::stdout();
    if install::is_there(&to, &release)? {
        writeln!(out, "{to} holds CRS {} already, verified; nothing was fetched", release.version)?;
        return Ok(Finding::Nothing);
    }
    let base = flags.base_url.as_deref().unwrap_or(BASE_URL);
    let url = format!("{}/v{}.tar.gz", base.trim_end_matches('/'), release.version);
    let archive = download::get(&url)?;
    let files = archive::files(&archive).with_context(|| format!("{url} is not usable"))?;
    let files = release.verify(files).with_context(|| format!("{url} is not CRS {}", release.version))?;
    install::install(&to, &files)?;
    let count = plural(files.len(), "file");
    match release.is_known() {
        true => writeln!(out, "CRS {} is in {to}: {count}, each verified by its SHA-256", release.version)?,
        false => writeln!(
            out,
            "CRS {} is in {to}: {count}, NOT verified: nothing says that they are what the project released",
            release.version
        )?,
    }
    writeln!(out, "use it with --crs {to}")?;
    Ok(Finding::Nothing)
}
