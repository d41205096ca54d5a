//! `palisade control serve`: a configuration folder for many data planes, without a cluster.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use palisade_control::link::{ClientAuth, Files, LiveTls};
use palisade_control::{Bundle, Control, ENTRY, PlaneState, Selector};
use tokio::net::TcpListener;

use crate::Finding;
use crate::serving::{Signals, Word, runtime};

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How deep folders may lie within one another.
const DEPTH_MAX: usize = 16;

#[derive(Debug, Subcommand)]
pub(crate) enum ControlCommand {
    /// Give data planes that run with --control their configuration: a folder, and every change of it
    Serve(ServeFlags),
}

#[derive(Args, Debug)]
pub(crate) struct ServeFlags {
    /// The configuration: a folder with `palisade.yaml` and the files that it names, relative to it
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Address to listen on; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9444")]
    listen: SocketAddr,
    /// Authorities that data planes' certificates are signed by, in PEM
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Our certificate, in PEM; read anew when it changes, as the others are
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(command: &ControlCommand) -> Result<Finding> {
    let ControlCommand::Serve(flags) = command;
    let files = Files { ca: flags.ca.clone(), own: Some((flags.cert.clone(), flags.key.clone())) };
    let tls = Arc::new(LiveTls::of_files(files, ClientAuth::Required)?);
    let bundle = read(&flags.bundle)?;
    let control = Control::new();
    control.set(Selector::All, bundle);
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        let listener = TcpListener::bind(flags.listen).await;
        let listener = listener.with_context(|| format!("{}: it cannot be listened on", flags.listen))?;
        say!("listening on https://{} (control)", listener.local_addr()?);
        tokio::spawn(follow_folder(flags.bundle.clone(), control.clone()));
        tokio::spawn(tell(control.clone()));
        let end = async move { while !matches!(signals.next().await, Word::End) {} };
        control.serve(listener, tls, end).await?;
        Ok(Finding::Nothing)
    })
}

/// Sets what the folder holds, once it stands still.
async fn follow_folder(folder: PathBuf, control: Control) {
    let (mut last, mut said) = (None, None);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let looked = folder.clone();
        let Ok(now) = tokio::task::spawn_blocking(move || read(&looked)).await else { continue };
        let now = match now {
            Ok(bundle) => bundle,
            Err(error) => {
                let error = format!("palisade: {error:#}; what was read before stays");
                if said.as_ref() != Some(&error) {
                    say!("{error}");
                    said = Some(error);
                }
                continue;
            }
        };
        said = None;
        let revision = now.revision();
        if last.replace(revision) == Some(revision) && control.set(Selector::All, now) {
            say!("palisade: revision {revision}");
        }
    }
}

/// Says what becomes of it, a line for each data plane and change.
async fn tell(control: Control) {
    let mut changes = control.changes();
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let planes = control.planes();
        told.retain(|name, _| planes.iter().any(|plane| plane.name == *name));
        for plane in planes {
            let line = line(&plane);
            if told.get(&plane.name) != Some(&line) {
                say!("palisade: {line}");
                told.insert(plane.name, line);
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

fn line(plane: &PlaneState) -> String {
    let PlaneState { name, address, version, .. } = plane;
    if plane.connected.is_none() {
        return format!("{name} has gone");
    }
    let there = format!("{name} ({version}) at {address}");
    match &plane.applied {
        None => format!("{there} is there"),
        Some(applied) => match &applied.outcome {
            Err(refused) => format!("{there} refuses {}: {refused}", applied.revision),
            Ok(stale) if stale.is_empty() => format!("{there} has {} in force", applied.revision),
            Ok(stale) => {
                let objects: Vec<_> = stale
                    .iter()
                    .map(|stale| format!("{} {}: {}", stale.kind, stale.name, stale.error))
                    .collect();
                format!("{there} has {} in force, and as they were: {}", applied.revision, objects.join("; "))
            }
        },
    }
}

/// A folder as a bundle. Hidden files and folders are left out: editors and mounted volumes have them.
fn read(folder: &Path) -> Result<Bundle> {
    let mut bundle = Bundle::new();
    add(&mut bundle, folder, "", DEPTH_MAX)?;
    if bundle.get(ENTRY).is_none() {
        bail!("{}: it holds no {ENTRY}", folder.display());
    }
    Ok(bundle)
}

fn add(bundle: &mut Bundle, folder: &Path, within: &str, depth: usize) -> Result<()> {
    let cannot = || format!("{}: it cannot be read", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            bail!("{}: its name is not UTF-8", path.display());
        };
        if name.starts_with('.') {
            continue;
        }
        let inside = format!("{within}{name}");
        let cannot = || format!("{}: it cannot be read", path.display());
        let there = fs::metadata(&path).with_context(cannot)?;
        if there.is_dir() {
            if depth == 0 {
                bail!("{}: folders lie deeper than {DEPTH_MAX} within one another", path.display());
            }
            add(bundle, &path, &format!("{inside}/"), depth - 1)?;
        } else if there.is_file() {
            // Before it is read: what does not fit is not taken into memory.
            let fits =
                usize::try_from(there.len()).is_ok_and(|bytes| bytes <= palisade_control::BUNDLE_BYTES_MAX);
            if !fits {
                bail!("{}: it is too long for a bundle", path.display());
            }
            bundle.put(&inside, fs::read(&path).with_context(cannot)?)?;
        }
    }
    Ok(())
}
