//! Which requests of this process are recorded, and what of them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_config::{Config, FilePath, Keep};
use palisade_console::Exposition;
use palisade_dataplane::{Budget, CopyExtent, CopyRoom, Facts, RequestCopy};
use palisade_events::recording::{
    BodyCopy, Identity, Key, OnList, Outcome, RecordBounds, Recorded, Recorder, Text, Tls, ToRecord,
};
use palisade_inspect::{Report, Service, form_of};

use crate::decision::decided;

/// The folder of recordings in the data folder.
pub(crate) const RECORDING: &str = "recording";

/// What copies of requests that are on their way may take together.
const ON_THE_WAY_BYTES_MAX: u64 = 32 << 20;
/// A key file is no longer; what is read beyond that says only that it is none.
const KEY_FILE_BYTES_MAX: usize = 4096;
/// How long the end of the program waits for what is on its way to the file.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// The recording of this process.
#[derive(Debug)]
pub(crate) struct Recording {
    recorder: Recorder,
    /// By service; those that are not named are not recorded.
    services: HashMap<String, Which>,
    body_bytes_max: usize,
    budget: Arc<Budget>,
}

/// Which requests of a service are kept.
#[derive(Debug)]
struct Which {
    keep: Keep,
    one_in: u64,
    clean: AtomicU64,
}

impl Recording {
    /// Starts what the settings ask for, in a data folder.
    ///
    /// # Errors
    /// When the key file is none, or the folder cannot be made: who asked for encryption must not get less without a word.
    pub(crate) fn start(config: &Config, data: &Path) -> Result<Option<Arc<Self>>> {
        let settings = &config.recording;
        if !settings.enabled {
            return Ok(None);
        }
        let which = |keep: Option<Keep>, one_in: Option<palisade_config::Count>| Which {
            keep: keep.unwrap_or(settings.keep),
            one_in: one_in.unwrap_or(settings.one_in).get().into(),
            clean: AtomicU64::new(0),
        };
        let services = match &settings.services[..] {
            [] => {
                let all = config.services.iter();
                all.map(|service| (service.name.as_str().to_owned(), which(None, None))).collect()
            }
            named => named
                .iter()
                .map(|service| (service.name.as_str().to_owned(), which(service.keep, service.one_in)))
                .collect(),
        };
        let key = settings.key_file.as_ref().map(read_key).transpose()?;
        let bounds =
            RecordBounds { age: settings.retention.duration(), bytes_max: settings.max_size.bytes() };
        let folder = data.join(RECORDING);
        let say = Box::new(|line: &str| say!("palisade: {line}"));
        let recorder = Recorder::start(&folder, bounds, key, say)
            .with_context(|| format!("recording: `{}` cannot be written", folder.display()))?;
        Ok(Some(Arc::new(Self {
            recorder,
            services,
            body_bytes_max: usize::try_from(settings.body.bytes()).unwrap_or(usize::MAX),
            budget: Arc::new(Budget::with_limits(data, ON_THE_WAY_BYTES_MAX, 0)),
        })))
    }

    /// Whether requests to a service are copied, and how much room that has.
    pub(crate) fn copies(&self, service: &Service) -> Option<CopyRoom> {
        self.services
            .contains_key(&service.name)
            .then(|| CopyRoom { body_bytes_max: self.body_bytes_max, budget: self.budget.clone() })
    }

    /// Records a request that has ended, where it is one that is kept.
    pub(crate) fn record(&self, facts: &Facts, report: Option<&Report>, copy: RequestCopy) {
        let Some(which) = self.services.get(&facts.service.name) else { return };
        let mut decided = decided(report, facts.stopped, facts.stance);
        let is_kept = match which.keep {
            Keep::Blocked => decided.outcome != Outcome::Pass,
            Keep::Flagged => decided.is_flagged(),
            Keep::All => {
                decided.is_flagged()
                    || which.clean.fetch_add(1, Ordering::Relaxed).is_multiple_of(which.one_in)
            }
        };
        if !is_kept {
            return;
        }
        decided.by_masked = decided.is_flagged() && report.is_some_and(Report::found_in_secrets);
        let RequestCopy { head, body, extent, listed_by_file } = copy;
        let kind = head.headers.first(b"content-type").unwrap_or_default();
        let form = form_of(kind, &body);
        let plain_line = [&head.method[..], b" ", &head.target, b" ", &head.version].concat();
        let peer = report.map(|report| &report.peer);
        let record = Recorded {
            id: facts.request_id.clone(),
            at: facts.started.0,
            listener: facts.listener.to_string(),
            service: facts.service.name.clone(),
            inspected_by: facts.service.digest.to_string(),
            client: Some(facts.client_addr),
            peer: Some(facts.peer_addr),
            server: Some(facts.server_addr),
            towards: peer.and_then(|peer| peer.towards.as_deref()).unwrap_or_default().to_vec(),
            identity: facts.identity.as_ref().map(|identity| Identity {
                certificate: identity
                    .certificate()
                    .map(|certificate| Text(certificate.der.to_vec()))
                    .unwrap_or_default(),
                trusted: identity.trusted_certificate().is_some(),
            }),
            tls: peer.and_then(|peer| peer.secured.as_ref()).map(|secured| Tls {
                version: secured.version.to_owned(),
                cipher: secured.cipher.to_owned(),
                server_name: secured.server_name.as_deref().map(str::to_owned),
            }),
            list: facts.list.map(|list| OnList { list: list.as_str().to_owned(), of_file: listed_by_file }),
            line: (head.line != plain_line).then_some(Text(head.line)),
            method: Text(head.method),
            target: Text(head.target),
            version: Text(head.version),
            headers: head.headers.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            odd: head.findings.iter().map(|finding| finding.name().to_owned()).collect(),
            body_copy: match extent {
                CopyExtent::Whole => BodyCopy::Whole,
                CopyExtent::Cut => BodyCopy::Cut,
                CopyExtent::Unseen => BodyCopy::Unseen,
            },
            body_bytes: facts.request_body_bytes.max(body.len() as u64),
            masked: Vec::new(),
            not_plain: Vec::new(),
            decided,
            body,
        };
        self.recorder.record(ToRecord { record, redactor: facts.service.profile.redactor.clone(), form });
    }

    /// Ends it, with all that has come in written, but not for ever.
    pub(crate) fn end(&self) {
        if !self.recorder.end_within(END_PATIENCE) {
            say!("palisade: copies of requests were lost at the end: the recording did not keep up");
        }
    }

    pub(crate) fn metrics(&self, into: &mut Exposition) {
        let counts = self.recorder.counts();
        let name = "palisade_recorded_requests_total";
        let help = "Copies of requests for the recording, by what became of them.";
        for (outcome, count) in
            [("written", counts.written), ("dropped", counts.dropped), ("failed", counts.failed)]
        {
            into.counter(name, help, &[("outcome", outcome)], count);
        }
        let help = "Bytes of the recording, but for the file that is being written.";
        into.gauge("palisade_recording_bytes", help, &[], counts.bytes as f64);
        let help = "1 while the recording cannot be written: requests are not recorded.";
        into.gauge("palisade_recording_paused", help, &[], if counts.paused { 1.0 } else { 0.0 });
    }

    /// What a person should see to, in words.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        self.recorder.counts().paused.then_some("the recording pauses: its folder cannot be written")
    }
}

/// Reads the key of a recording.
///
/// # Errors
/// When there is none in the file.
pub(crate) fn read_key(path: &FilePath) -> Result<Key> {
    key_in(Path::new(path.as_str()))
}

/// Reads a key.
///
/// # Errors
/// When there is none in the file.
pub(crate) fn key_in(path: &Path) -> Result<Key> {
    let told = || format!("the key file `{}`", path.display());
    let content = std::fs::read(path).with_context(told)?;
    Key::from_file(&content[..content.len().min(KEY_FILE_BYTES_MAX)]).with_context(told)
}
