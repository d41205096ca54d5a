//! A data plane whose events go to a console for many: `events.collector`. What waits for it lies in the data folder; what
//! it says of lists, modes and exceptions is done here.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_collector::messages::Exceptions;
use palisade_collector::{About, Obeys, PORTION_BYTES_MAX, UplinkOptions, UplinkState, uplink};
use palisade_console::Exposition;
use palisade_control::link::{ClientAuth, Files, LiveTls};
use palisade_events::sinks::{BacklogLimits, Kind, Outlet, SinkCounts};
use palisade_events::{Bus, Subscription, unix_millis};
use palisade_lists::Record;
use palisade_model::Mode;
use tokio::sync::watch;

use crate::admin::Process;
use crate::events::host;
use crate::excepted::SetExceptions;
use crate::excepting::Excepting;
use crate::flags::VERSION;
use crate::lists::ToldLists;
use crate::modes::Modes;
use crate::outlets::{documents, our_say};

/// The folder of what waits, in the data folder.
const SPOOL: &str = "collector";
/// Its name among sinks, in metrics and events.
const NAME: &str = "collector";
/// Records that may wait to be put on the disk, which is all that is done with them here.
const WAITING_RECORDS_MAX: usize = 65_536;
/// The wait after a first failure, and the longest. The stream has waits of its own.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// How long what waits may take to the collector when this process ends. The rest is on the disk.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// The way to the collector.
#[derive(Debug)]
pub(crate) struct Collected {
    outlet: Arc<Outlet>,
    state: watch::Receiver<UplinkState>,
    excepting: Arc<Excepting>,
}

impl Collected {
    /// Begins to send what a bus has.
    ///
    /// # Errors
    /// When certificates or the data folder cannot be used.
    pub(crate) fn start(
        setting: &palisade_config::Collector,
        bus: &Bus,
        data: &Path,
        process: &Arc<Process>,
        (lists, modes, set): (ToldLists, Arc<Modes>, Arc<SetExceptions>),
    ) -> Result<Arc<Self>> {
        let excepting = Excepting::start(set, setting.follow)?;
        let path = |path: &palisade_config::FilePath| path.as_str().into();
        let own = setting.cert.as_ref().zip(setting.key.as_ref());
        let files = Files { ca: path(&setting.ca), own: own.map(|(cert, key)| (path(cert), path(key))) };
        let tls = LiveTls::of_files(files, ClientAuth::Required).context("events.collector")?;
        let token_file = setting.token_file.as_ref().map(|path| path.as_str().to_owned());
        if let Some(path) = &token_file {
            read_token(path).map_err(anyhow::Error::msg).context("events.collector.tokenFile")?;
        }
        let token = token_file.map(|path| {
            Box::new(move || read_token(&path)) as Box<dyn Fn() -> Result<String, String> + Send + Sync>
        });
        let (named, about) = (setting.name.as_ref().map(|name| name.as_str().to_owned()), process.clone());
        let options = UplinkOptions {
            target: setting.url.as_str().parse().context("events.collector.url")?,
            tls: Arc::new(tls),
            name: named.unwrap_or_else(host),
            version: VERSION.to_owned(),
            token,
            about: Box::new(move || about.about()),
            now: unix_millis,
            say: Box::new(|line| say!("palisade: {line}")),
            obeys: Box::new(Follows { lists, modes, excepting: excepting.clone(), follows: setting.follow }),
        };
        let (sends, following) = uplink(options);
        let state = sends.state();
        let limits = BacklogLimits {
            disk_bytes_max: setting.spill.bytes(),
            segment_bytes_max: PORTION_BYTES_MAX,
            retry: RETRY,
            spool: true,
            ..BacklogLimits::default()
        };
        let folder = data.join(SPOOL);
        let outlet = Outlet::start(NAME, &folder, limits, Box::new(sends), our_say());
        let outlet = Arc::new(outlet.with_context(|| format!("`{}`", folder.display()))?);
        let spool = outlet.spool().context("the way to the collector has a spool")?;
        let (subscription, fed, lost) =
            (bus.subscribe(NAME, WAITING_RECORDS_MAX), outlet.clone(), bus.clone());
        thread::Builder::new()
            .name("feed collector".into())
            .spawn(move || feed(&subscription, &fed, &lost))
            .context("the thread of the collector's spool cannot be started")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new()
            .name("collector".into())
            .spawn(move || runtime.block_on(following.run(spool)))
            .context("the thread of the collector's stream cannot be started")?;
        Ok(Arc::new(Self { outlet, state, excepting }))
    }

    /// What was counted, as of a sink.
    pub(crate) fn counts(&self) -> (String, SinkCounts) {
        (NAME.to_owned(), self.outlet.counts())
    }

    pub(crate) fn metrics(&self, into: &mut Exposition) {
        let help = "1 while the console for many data planes is there.";
        let is_there = self.state.borrow().reached.is_some();
        into.gauge("palisade_collector_connected", help, &[], if is_there { 1.0 } else { 0.0 });
    }

    /// Says what waits of it.
    pub(crate) fn tell(&self, about: &mut About) {
        let counts = self.outlet.counts();
        about.spool_bytes = counts.waiting_bytes + counts.spilled_bytes;
        about.spool_dropped = counts.dropped;
        about.excepted = self.excepting.about();
    }

    /// Ends it once the bus has ended: what waits is delivered, or kept for the next process.
    pub(crate) fn end(&self) {
        self.outlet.end_within(END_PATIENCE);
    }
}

/// Puts what comes into the spool, until the bus ends. What the spool has no room for is told by an event.
fn feed(subscription: &Subscription, spool: &Outlet, bus: &Bus) {
    let at: Arc<str> = NAME.into();
    let mut told = 0;
    while let Some(batch) = subscription.next() {
        spool.push(documents(&batch, &Kind::ALL));
        let dropped = spool.counts().dropped;
        if dropped > told {
            bus.lost(&at, dropped - told);
            told = dropped;
        }
    }
}

fn read_token(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("the token `{path}`: {error}"))?;
    match text.trim() {
        "" => Err(format!("the token `{path}` is empty")),
        token => Ok(token.to_owned()),
    }
}

/// Does what the console says.
struct Follows {
    lists: ToldLists,
    modes: Arc<Modes>,
    excepting: Arc<Excepting>,
    follows: bool,
}

impl Obeys for Follows {
    fn lists(&self, records: Vec<Record>, begins: bool, ends: bool) {
        if self.follows {
            self.lists.stand(records, begins, ends);
        }
    }

    fn modes(&self, modes: Vec<(String, Mode)>) {
        if !self.follows {
            return;
        }
        match self.modes.told(modes) {
            Ok(changed) => changed.iter().for_each(|line| say!("palisade: {line}")),
            Err(error) => say!("palisade: modes of the console: {error:#}"),
        }
    }
    fn exceptions(&self, exceptions: Exceptions) {
        if self.follows {
            self.excepting.told(exceptions);
        }
    }
}
