//! `palisade sim`: the traffic simulator, by microsim's environment.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use palisade_sim::microsim::{
    Bounds, ClientSettings, Common, Ended, Lines, Role, Server, ServerSettings, Simulator, Statsd, hostname,
};
use tokio::net::TcpListener;

use crate::Finding;
use crate::flags::{SimClientFlags, SimFlags, SimServerFlags};
use crate::serving::{Signals, Word, runtime};

/// Serves until SIGTERM, SIGINT or a bound.
pub(crate) fn server(flags: &SimServerFlags) -> Result<Finding> {
    let settings = ServerSettings::read(&variable)?;
    let statsd = statsd(&settings.common, Role::Server)?;
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        let listener = listen(flags.common.bind, settings.listen_port, "server").await?;
        let stats = stats(flags.common.bind, &settings.common).await?;
        let server = Server::new(settings, statsd, seed(&flags.common), lines());
        let ended = server.run(listener, stats, bounds(&flags.common), end(&mut signals)).await;
        Ok(finding(ended, "Server"))
    })
}

/// Sends until SIGTERM, SIGINT or a bound.
pub(crate) fn client(flags: &SimClientFlags) -> Result<Finding> {
    let settings = ClientSettings::read(&variable)?;
    let statsd = statsd(&settings.common, Role::Client)?;
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        let stats = stats(flags.common.bind, &settings.common).await?;
        let mut simulator = Simulator::new(settings, statsd, seed(&flags.common), lines());
        if let Some(from) = flags.from {
            simulator = simulator.by(palisade_sim::Client::default().from(from));
        }
        let counters = simulator.counters().clone();
        let ended = simulator.run(stats, bounds(&flags.common), end(&mut signals)).await;
        // The last word, so that a bounded run says what it did.
        line(&counters.line());
        Ok(finding(ended, "Client"))
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn statsd(common: &Common, role: Role) -> Result<Option<Statsd>> {
    let Some(host) = &common.statsd_host else { return Ok(None) };
    let statsd = Statsd::connect(host, common.statsd_port, role, &hostname());
    statsd.map(Some).with_context(|| format!("STATSD_HOST={host}: cannot send there"))
}

async fn stats(bind: IpAddr, common: &Common) -> Result<Option<TcpListener>> {
    match common.stats_port {
        None => Ok(None),
        Some(port) => listen(bind, port, "stats").await.map(Some),
    }
}

async fn listen(bind: IpAddr, port: u16, name: &str) -> Result<TcpListener> {
    let address = SocketAddr::new(bind, port);
    let listener = TcpListener::bind(address).await;
    let listener =
        listener.with_context(|| format!("{name}: cannot listen on {address}; port 0 takes a free one"))?;
    say!("listening on http://{} ({name})", listener.local_addr()?);
    Ok(listener)
}

fn seed(flags: &SimFlags) -> u64 {
    flags.seed.unwrap_or_else(super::demo::any_seed)
}

fn bounds(flags: &SimFlags) -> Bounds {
    Bounds { duration: flags.duration, requests: flags.max_requests }
}

async fn end(signals: &mut Signals) {
    while let Word::Reload = signals.next().await {}
}

fn lines() -> Lines {
    Arc::new(line)
}

fn line(text: &str) {
    // A reader that went away does not end a simulation that others count.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn finding(ended: Ended, who: &str) -> Finding {
    match ended {
        Ended::Told | Ended::Bound => Finding::Nothing,
        Ended::Killed(seconds) => {
            line(&format!("{who} killed after {seconds} seconds."));
            Finding::Something
        }
    }
}
