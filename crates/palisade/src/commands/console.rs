//! `palisade console`: one store and one web console for many data planes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use palisade_collector::{Collector, CollectorOptions, Tokens};
use palisade_config::{Address, AdminAddress, Config, Overrides};
use palisade_console::ListenerStatus;
use palisade_control::link::{ClientAuth, Files, LiveTls};
use palisade_dataplane::LiveLists;
use palisade_events::unix_millis;
use tokio::net::TcpListener;

use crate::Finding;
use crate::admin::AdminListener;
use crate::alerting::AlertFiles;
use crate::collecting::{Begun, Collecting, Excepted, PlanesControl};
use crate::commands::alerts::paths;
use crate::configuration::Told;
use crate::data_folder::DataFolder;
use crate::dismissed::Dismissed;
use crate::events::Events;
use crate::files::FileSystem;
use crate::lists::{ListStore, TIDY_EVERY};
use crate::modes::Modes;
use crate::outlets::Outlets;
use crate::serving::{Signals, Word, runtime};

/// Bytes of a file of tokens.
const TOKEN_FILE_BYTES_MAX: u64 = 1 << 20;

/// Data planes send their events here (`events.collector` in their configuration); lists, modes and exceptions that are
/// set here count at all of them.
#[derive(Args, Debug)]
pub(crate) struct ConsoleFlags {
    /// Configuration file: `admin`, `dataDir`, `events`, `alerts` and `lists`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address for data planes; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9445")]
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
    /// Tokens of data planes without certificates, one a line
    ///
    /// Who shows one may call itself what it likes: where data planes do not trust one another, give them certificates.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Address of the web console and its API [default: 127.0.0.1:9901]
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// File with a token that its API asks for; off loopback there has to be one, or users
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// Folder for events, lists, modes and exceptions [default: palisade-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Collects until SIGTERM or SIGINT.
///
/// # Errors
/// When the configuration, certificates, addresses or the data folder cannot be used.
pub(crate) fn run(flags: &ConsoleFlags) -> Result<Finding> {
    let config = config(flags)?;
    let files = Files { ca: flags.ca.clone(), own: Some((flags.cert.clone(), flags.key.clone())) };
    let tokens = flags.token_file.as_deref().map(tokens).transpose()?;
    let clients = if tokens.is_some() { ClientAuth::Optional } else { ClientAuth::Required };
    let tls = Arc::new(LiveTls::of_files(files, clients).context("--ca, --cert, --key")?);
    let console = Collecting::new();
    let admin = AdminListener::start(&config, console.clone())?;
    let data = DataFolder::open(Path::new(config.data_dir.as_str()))?;
    let events = Events::start_for_others(&config.events, data.path())?;
    let alerts = AlertFiles::default().read(&paths(&config), &FileSystem).context("alerts")?;
    alerts.said.show();
    let outlets = Outlets::start(&events, &config, Arc::new(alerts.placed), data.path())?;
    let outlets = Arc::new(outlets);
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        let lists = Arc::new(ListStore::open(data.path(), Arc::<LiveLists>::default(), None)?);
        lists.follow(&config);
        let modes = Arc::new(Modes::open(data.path())?);
        let dismissed = Dismissed::open(data.path())?;
        let excepted = Excepted::start(data.path())?;
        let control = PlanesControl::new(modes, excepted, lists.clone(), outlets.clone(), dismissed);
        let of_planes = control.clone();
        let collector = Collector::start(CollectorOptions {
            intake: events.intake().context("a console keeps events")?,
            bus: events.bus.clone(),
            lists: Some(control.feed()),
            modes: Box::new(move |plane| of_planes.modes_of(plane)),
            modes_changed: control.modes_changed(),
            exceptions: control.exceptions_told(),
            tokens,
            now: unix_millis,
            say: Arc::new(|line| say!("palisade: {line}")),
        })
        .context("cannot start the collector's thread")?;
        control.knows(collector.clone());
        let listener = TcpListener::bind(flags.listen).await;
        let listener =
            listener.with_context(|| format!("--listen {}: it cannot be listened on", flags.listen))?;
        let url = format!("https://{}", listener.local_addr()?);
        console.begin(Begun {
            collector: collector.clone(),
            events: events.clone(),
            records: events.records(data.path()),
            outlets: outlets.clone(),
            control,
            listeners: vec![ListenerStatus { name: "collector".to_owned(), url: url.clone() }],
        });
        say!("listening on {url} (collector)");
        admin.say();
        let tidying = tokio::spawn(tidy(lists.clone()));
        let end = async { while !matches!(signals.next().await, Word::End) {} };
        collector.serve(listener, tls, end).await?;
        console.draining();
        tidying.abort();
        lists.tidy();
        events.end();
        outlets.end();
        Ok(Finding::Nothing)
    })
}

/// What the console goes by: a file, and flags over it.
fn config(flags: &ConsoleFlags) -> Result<Config> {
    let text = |path: &Option<PathBuf>, flag: &str| {
        let text = path.as_ref().map(|path| path.to_str().with_context(|| format!("{flag} is not UTF-8")));
        Ok::<_, anyhow::Error>(text.transpose()?.map(str::to_owned))
    };
    let overrides = Overrides {
        admin: flags.admin.map(|address| address.to_string()),
        admin_token_file: text(&flags.admin_token_file, "--admin-token-file")?,
        data_dir: text(&flags.data_dir, "--data-dir")?,
        is_for_console: true,
        ..Overrides::default()
    };
    let mut config = Told { file: flags.config.clone(), overrides }.load(&FileSystem)?;
    match config.admin.address {
        Some(AdminAddress::Off) => bail!("admin.address is off: the console is what listens there"),
        Some(AdminAddress::At(_)) => {}
        None => config.admin.address = Some(AdminAddress::At(Address(DEFAULT))),
    }
    Ok(config)
}

/// Where the console is when nobody says.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);

/// The tokens of a file, read anew whenever one is shown.
fn tokens(path: &Path) -> Result<Tokens> {
    let path = path.to_owned();
    let read = move || -> Result<Vec<String>> {
        let named = || format!("--token-file `{}`", path.display());
        if std::fs::metadata(&path).with_context(named)?.len() > TOKEN_FILE_BYTES_MAX {
            bail!("{}: it is longer than 1 MiB", named());
        }
        let text = std::fs::read_to_string(&path).with_context(named)?;
        let tokens: Vec<String> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        if tokens.is_empty() {
            bail!("{}: it holds no token", named());
        }
        Ok(tokens)
    };
    read()?;
    Ok(Box::new(move || {
        read().unwrap_or_else(|error| {
            say!("palisade: {error:#}; nobody comes by a token");
            Vec::new()
        })
    }))
}

/// Tidies lists from time to time, where waiting for the disk holds up nobody.
async fn tidy(lists: Arc<ListStore>) {
    loop {
        tokio::time::sleep(TIDY_EVERY).await;
        let lists = lists.clone();
        let _ = tokio::task::spawn_blocking(move || lists.tidy()).await;
    }
}
