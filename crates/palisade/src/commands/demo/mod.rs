//! `palisade demo`: what Palisade does, shown on loopback. A bank behind it with traffic and attacks, or a scenario.

mod bank;
mod folder;
mod instance;
mod live;
mod namespaces;
mod pods;
mod scenarios;
mod shop;
mod tour;
mod traffic;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use tokio::net::TcpListener;

use crate::Finding;
use crate::flags::DemoFlags;
use crate::rules::DEBIAN_CRS;
use crate::serving::{Signals, Word, runtime};

use bank::{Bank, Plan};
use live::Live;
use traffic::Traffic;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// YAO Bank with traffic, until Ctrl-C
    Bank,
    /// A vulnerable shop to be attacked by hand, until Ctrl-C
    Shop,
    /// The walk of an article: a workload's WAF detects, then denies, and tells an index and an alert
    #[value(name = "seed-000")]
    Seed000,
    /// The walk of an article: a container before a gateway, in each of its modes
    #[value(name = "seed-001")]
    Seed001,
    /// The walk of an article: sidecars before three services that attack each other
    #[value(name = "seed-002")]
    Seed002,
    /// The walk of an article: client certificates and a site's own rules
    #[value(name = "seed-003")]
    Seed003,
    /// The walk of a tutorial: a bank in a mesh, a stolen key, three policies
    #[value(name = "seed-004")]
    Seed004,
}

/// Runs it, and leaves nothing behind.
pub(crate) fn run(flags: &DemoFlags) -> Result<Finding> {
    for (flag, address) in [("--listen", flags.listen), ("--admin", flags.admin)] {
        if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
            bail!(
                "{flag} {address}: what is shown is vulnerable on purpose, so it is shown on loopback only"
            );
        }
    }
    let crs = crs(flags.crs.as_deref())?;
    match flags.scenario {
        Scenario::Bank => runtime()?.block_on(show_bank(flags, crs)),
        Scenario::Shop => shop::run(flags, crs),
        walk => scenarios::run(walk, crs, flags.seed.unwrap_or_else(any_seed)),
    }
}

/// The CRS that was named, else Debian's where it is. Without one the detector protects alone.
fn crs(named: Option<&Path>) -> Result<Option<PathBuf>> {
    let here = |crs: &Path| std::path::absolute(crs).unwrap_or_else(|_| crs.to_owned());
    match named {
        Some(crs) if !crs.exists() => bail!(
            "no CRS at `{}`: install Debian's modsecurity-crs, or get one by `palisade rules fetch`",
            crs.display()
        ),
        Some(crs) => Ok(Some(here(crs))),
        None => Ok(Some(PathBuf::from(DEBIAN_CRS)).filter(|crs| crs.join("rules").is_dir())),
    }
}

async fn show_bank(flags: &DemoFlags, crs: Option<PathBuf>) -> Result<Finding> {
    let mut signals = Signals::take()?;
    let mut notes = Vec::new();
    let listen = place("--listen", flags.listen, BANK, &mut notes).await?;
    let admin = place("--admin", flags.admin, ADMIN, &mut notes).await?;
    let plan = Plan { crs, ..Plan::new(listen, admin) };
    let bank = tokio::select! {
        bank = Bank::open(&plan) => bank?,
        () = end(&mut signals) => return Ok(Finding::Nothing),
    };
    let seed = flags.seed.unwrap_or_else(any_seed);
    print(&tour::bank(&bank, &plan, seed, !flags.no_attacks, &notes))?;
    if flags.open {
        open(&format!("http://{}/", bank.admin));
    }
    let mut traffic = Traffic::start(&bank, seed, !flags.no_attacks)?;
    let mut live = Live::new();
    let shown = {
        let (bank, traffic) = (&bank, &traffic);
        let intrusions = traffic.intrusions();
        let intruding = async {
            match flags.no_attacks {
                true => std::future::pending().await,
                false => Traffic::intrude(bank, &intrusions).await,
            }
        };
        tokio::select! {
            () = end(&mut signals) => Ok(()),
            () = over(flags.duration) => Ok(()),
            () = live.show(|| traffic.summary(bank)) => Ok(()),
            failed = intruding => failed,
        }
    };
    traffic.end().await;
    live.last(&traffic.summary(&bank));
    bank.close().await?;
    shown?;
    print("ended\n")?;
    Ok(Finding::Nothing)
}

/// Where the bank is, where nobody says.
const BANK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
/// Where the admin listener is, where nobody says.
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9901);

/// What was asked for as it stands; else the usual place, or any port where that is taken, which is said.
async fn place(
    flag: &str,
    asked: Option<SocketAddr>,
    usual: SocketAddr,
    notes: &mut Vec<String>,
) -> Result<SocketAddr> {
    if let Some(address) = asked {
        return match TcpListener::bind(address).await {
            Ok(_) => Ok(address),
            Err(error) => {
                bail!("{flag} {address}: {error}; name another address, or leave it out for any free one")
            }
        };
    }
    if TcpListener::bind(usual).await.is_ok() {
        return Ok(usual);
    }
    notes.push(format!("{usual} is taken, so that another port was chosen."));
    Ok(SocketAddr::new(usual.ip(), 0))
}

async fn end(signals: &mut Signals) {
    while let Word::Reload = signals.next().await {}
}

async fn over(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// A seed that nobody chose.
pub(crate) fn any_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ u64::from(std::process::id())
}

/// Opens a page in the browser that the desktop knows, if there is one.
fn open(url: &str) {
    let mut command = std::process::Command::new("xdg-open");
    let silent = std::process::Stdio::null;
    let started = command.arg(url).stdin(silent()).stdout(silent()).stderr(silent()).spawn();
    if let Err(error) = started {
        say!("palisade: cannot open {url}: xdg-open: {error}");
    }
}
