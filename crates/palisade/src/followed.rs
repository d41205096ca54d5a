//! `palisade run --control`: a data plane that serves what a server says, over the control stream. What it was told last is
//! kept in the data folder, and is what it begins with while the server is away.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use palisade_control::link::{ClientAuth, Files, LiveTls, Target};
use palisade_control::stream::{FollowOptions, Following, follow};
use palisade_control::{Bundle, Offers, channel};
use tokio::sync::watch;

use crate::Finding;
use crate::commands::run::serve_offered;
use crate::configuration::Told;
use crate::flags::{ControlFlags, VERSION};
use crate::offered::Offered;

/// Serves what the server says, until SIGTERM or SIGINT.
///
/// # Errors
/// When flags lack something, certificates cannot be used, or the data folder cannot.
pub(crate) fn run(flags: &ControlFlags, told: Told) -> Result<Finding> {
    let (target, files) = target_and_files(flags)?;
    if let Some(file) = &told.file {
        bail!("--control says what is served; {} would say it too: name one of them", file.display());
    }
    let tls = LiveTls::of_files(files, ClientAuth::Required)
        .context("--control-ca, --control-cert, --control-key")?;
    let name = match &flags.control_name {
        Some(name) => name.clone(),
        None => host_name()?,
    };
    let (offers, offered) = channel();
    let mut offered = Offered::open(told, offered)?;
    offered.comes_by(start(target, tls, name, offered.held(), offers)?);
    serve_offered(offered)
}

fn host_name() -> Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .context("the host's name: say --control-name")?;
    Ok(name.trim().to_owned())
}

fn target_and_files(flags: &ControlFlags) -> Result<(Target, Files)> {
    let ControlFlags { control, control_ca, control_cert, control_key, .. } = flags;
    let target = control.clone().context("--control is missing")?;
    let (Some(ca), Some(certificate), Some(key)) = (control_ca, control_cert, control_key) else {
        bail!("--control needs --control-ca, --control-cert and --control-key: both ends show certificates");
    };
    let [ca, certificate, key] = [ca, certificate, key].map(PathBuf::clone);
    Ok((target, Files { ca, own: Some((certificate, key)) }))
}

/// Follows on a thread of its own, so that busy workers do not make news late. Returns how it goes.
fn start(
    target: Target,
    tls: LiveTls,
    name: String,
    held: Option<Bundle>,
    offers: Offers,
) -> Result<watch::Receiver<Following>> {
    let (following, shown) = watch::channel(Following::default());
    let options = FollowOptions {
        target,
        tls: Arc::new(tls),
        name,
        version: VERSION.to_owned(),
        held,
        say: Box::new(|line| say!("palisade: {line}")),
        following,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || runtime.block_on(follow(options, offers)))
        .context("the thread of the control stream cannot be started")?;
    Ok(shown)
}
