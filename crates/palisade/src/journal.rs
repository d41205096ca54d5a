//! What becomes of ended exchanges: the error log, the audit log, the access log and the debug log.
//!
//! All that is written here went through redaction. Formatting happens on the thread that served the exchange, in
//! bounded time; writing happens on the logs' own threads. An exchange that no rule flagged costs its access line, and
//! nothing where there is none.

mod event;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_config::LogTarget;
use palisade_dataplane::{AnsweredBy, ClosedConnection, CopyRoom, Ended, Facts, Journal, Remark, Sampling};
use palisade_engine::{AuditSettings, RuleSet, Settings};
use palisade_events::access::{self, AccessRecord};
use palisade_events::audit::{self, AuditFormat, Boundary, IndexedFile, Producer};
use palisade_events::{Destination, EntryFile, LogWriter, dikastes, unix_millis};
use palisade_identity::hex_lower;
use palisade_inspect::{Direction, Redacted, Report, Sent, Service, masked_uri};
use palisade_model::{AuditMessage, AuditRecord, Calendar, Listing};
use palisade_seclang::ast::{AuditEngine, AuditLogFormat, AuditLogType};

use crate::admin::Process;
use crate::events::{Events, host};
use crate::recording::Recording;
use crate::snapshot::Snapshot;
use crate::traces::Traces;

/// The logs of this process.
#[derive(Debug)]
pub(crate) struct Logs {
    error: LogWriter,
    access: Option<LogWriter>,
    /// The audit log of the command line or the configuration.
    audit: Option<LogWriter>,
    audit_format: Option<AuditFormat>,
    /// Files that rules name: audit logs and debug logs. Opened by [`Logs::prepare`], never while serving.
    by_rules: RwLock<HashMap<Destination, LogWriter>>,
    /// Rules may name an audit log: none is written.
    audit_is_off: bool,
    dikastes: bool,
    producer: Producer,
    /// Who takes events; nobody where there are none.
    events: Option<Arc<Events>>,
    /// Who takes copies of requests; nobody where none are asked for.
    recording: Option<Arc<Recording>>,
    /// Who takes traces; nobody where none are asked for.
    traces: Option<Arc<Traces>>,
}

impl Logs {
    /// Opens what the settings name.
    pub(crate) fn open(settings: &palisade_config::Logs) -> Result<Self> {
        let open = |name: &str, target: &LogTarget| {
            let destination = match target {
                LogTarget::Off => return Ok(None),
                LogTarget::Stdout => Destination::Stdout,
                LogTarget::Stderr => Destination::Stderr,
                LogTarget::File(path) => Destination::new(path.as_str()),
            };
            let writer = LogWriter::to(&destination).with_context(|| match &destination {
                Destination::File(path) => format!("--{name}-log `{}`: it cannot be opened", path.display()),
                Destination::Stdout | Destination::Stderr => format!("--{name}-log"),
            });
            writer.map(Some)
        };
        let audit = settings.audit.as_ref();
        Ok(Self {
            access: open("access", &settings.access)?,
            audit: audit.map(|target| open("audit", target)).transpose()?.flatten(),
            audit_is_off: audit == Some(&LogTarget::Off),
            audit_format: settings.audit_format.map(|format| match format {
                palisade_config::AuditFormat::Native => AuditFormat::Native,
                palisade_config::AuditFormat::Native2 => AuditFormat::Native2,
                palisade_config::AuditFormat::Json => AuditFormat::Json,
            }),
            dikastes: settings.dikastes,
            ..Self::errors_to(open("error", &settings.error)?.unwrap_or_else(LogWriter::without_index))
        })
    }

    /// Only an error log.
    pub(crate) fn errors_to(error: LogWriter) -> Self {
        Self {
            error,
            access: None,
            audit: None,
            audit_format: None,
            by_rules: RwLock::default(),
            audit_is_off: false,
            dikastes: false,
            producer: Producer::new(env!("CARGO_PKG_VERSION"), &host()),
            events: None,
            recording: None,
            traces: None,
        }
    }

    /// The same with somebody who takes events.
    #[must_use]
    pub(crate) fn with_events(self, events: Option<Arc<Events>>) -> Self {
        Self { events, ..self }
    }

    /// The same with somebody who takes copies of requests.
    #[must_use]
    pub(crate) fn with_recording(self, recording: Option<Arc<Recording>>) -> Self {
        Self { recording, ..self }
    }

    /// The same with somebody who takes traces.
    #[must_use]
    pub(crate) fn with_traces(self, traces: Option<Arc<Traces>>) -> Self {
        Self { traces, ..self }
    }

    /// Opens the files that a rule set names, before it serves. Gives the writers that are new, by the log's name, and
    /// what there is to say about those that cannot be had.
    fn prepare(&self, rules: &RuleSet) -> (Vec<(&'static str, LogWriter)>, Vec<String>) {
        let settings = rules.settings();
        let mut prepared = Prepared { logs: self, opened: Vec::new(), warnings: Vec::new() };
        prepared.audit(&settings.audit);
        if let Some(path) = settings.debug_log.as_ref().filter(|_| settings.debug_log_level > 0) {
            prepared.open("debug", "SecDebugLog", path);
        }
        let Prepared { opened, warnings, .. } = prepared;
        if self.dikastes {
            let now = now();
            let files = rules.files().iter().filter(|file| !file.starts_with('<')).enumerate();
            self.error.append(files.map(|(number, file)| dikastes::found_rules_file(now, number, file)));
        }
        (opened, warnings)
    }

    /// Opens what the rules of a snapshot name, and says what cannot be had. Before it serves.
    pub(crate) fn follow(&self, snapshot: &Snapshot, process: &Process) {
        let mut seen: Vec<&RuleSet> = Vec::new();
        for rules in snapshot.profiles.values().filter_map(|profile| profile.rules.as_deref()) {
            if seen.iter().any(|other| std::ptr::eq(*other, rules)) {
                continue;
            }
            seen.push(rules);
            let (opened, warnings) = self.prepare(rules);
            opened.iter().for_each(|(name, writer)| process.writes(name, writer));
            warnings.iter().for_each(|warning| say!("palisade: {warning}"));
        }
    }

    /// The logs that are open from the start, by name.
    pub(crate) fn writers(&self) -> impl Iterator<Item = (&'static str, &LogWriter)> {
        let optional = [("access", self.access.as_ref()), ("audit", self.audit.as_ref())];
        std::iter::once(("error", &self.error))
            .chain(optional.into_iter().filter_map(|(name, writer)| Some((name, writer?))))
    }

    /// Opens all files anew, after a rotation.
    pub(crate) fn reopen(&self) {
        self.writers().for_each(|(_, writer)| writer.reopen());
        self.by_rules().values().for_each(LogWriter::reopen);
    }

    /// Waits until all is written, but not for ever: somebody who reads a pipe may be gone.
    pub(crate) fn flush(&self) {
        for (_, writer) in self.writers() {
            writer.flush_within(FLUSH_PATIENCE);
        }
        for writer in self.by_rules().values() {
            writer.flush_within(FLUSH_PATIENCE);
        }
    }

    fn by_rules(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Destination, LogWriter>> {
        // An insertion is all that happens under this lock.
        self.by_rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn named_by_rules(&self, path: &str) -> Option<LogWriter> {
        self.by_rules().get(&Destination::new(path)).cloned()
    }

    fn write_error_lines(
        &self,
        facts: &Facts,
        redacted: Option<&Redacted<'_>>,
        messages: &[AuditMessage],
        notes: Vec<String>,
    ) {
        let mut lines = redacted.map(Redacted::error_log_lines).unwrap_or_default();
        if self.dikastes && !messages.is_empty() {
            let target = facts.service.profile.redactor.target(&facts.target, TARGET_BYTES_MAX);
            let host = facts.server_addr.ip();
            let now = now();
            lines.extend(messages.iter().enumerate().map(|(number, message)| {
                dikastes::matched(now, &facts.request_id, &target, host, number + 1, message)
            }));
        }
        lines.extend(notes.into_iter().map(masked_uri));
        self.error.append(lines);
    }

    fn write_audit(&self, record: &AuditRecord, settings: &AuditSettings) {
        if self.audit_is_off {
            return;
        }
        let log = self.audit.clone().or_else(|| self.named_by_rules(settings.log.as_deref()?));
        let storage = settings.storage_dir.as_deref().filter(|_| settings.kind == AuditLogType::Concurrent);
        if log.is_none() && storage.is_none() {
            return;
        }
        let format = self.audit_format.unwrap_or(match settings.format {
            AuditLogFormat::Native => AuditFormat::Native,
            AuditLogFormat::Json => AuditFormat::Json,
        });
        let entry = audit::entry(format, record, &self.producer, &Boundary::draw());
        let Some(storage) = storage else {
            if let Some(log) = log {
                // One piece, with the line end that the writer adds.
                log.append([entry.strip_suffix('\n').unwrap_or(&entry)]);
            }
            return;
        };
        let path = Path::new(storage).join(audit::entry_path(record));
        let index_line =
            audit::index_line(record, &IndexedFile { path: &path.to_string_lossy(), content: &entry });
        if let Some(second) = settings.log2.as_deref().and_then(|path| self.named_by_rules(path)) {
            second.append([&index_line]);
        }
        let log = log.or_else(|| self.named_by_rules(WITHOUT_INDEX));
        if let Some(log) = log {
            log.append_file(EntryFile {
                path,
                content: entry.into_bytes(),
                index_line,
                dir_mode: mode(settings.dir_mode.as_deref(), 0o750),
                file_mode: mode(settings.file_mode.as_deref(), 0o640),
            });
        }
    }

    fn write_access(
        &self,
        log: &LogWriter,
        ended: &Facts,
        redacted: Option<&Redacted<'_>>,
        verdict: &'static str,
    ) {
        let redactor = &ended.service.profile.redactor;
        let text = |text: &Vec<u8>| redactor.text(text, TEXT_BYTES_MAX);
        let seconds = |duration: Duration| (duration.as_secs_f64() * 1e6).round() / 1e6;
        let record = AccessRecord {
            time: Calendar::new(ended.started.0, 0).rfc3339(),
            request_id: &ended.request_id,
            client_request_id: ended.client_request_id.as_ref().map(text),
            client: ended.client_addr,
            peer: ended.peer_addr,
            server: ended.server_addr,
            direction: match ended.service.ends.direction {
                Direction::Ingress => "inbound",
                Direction::Egress => "outbound",
            },
            source: ended.source.as_deref().map(Into::into),
            destination: ended.destination.as_deref().map(Into::into),
            tls: ended.tls.as_ref().map(|tls| access::Tls {
                version: tls.version,
                cipher: tls.cipher,
                sni: tls.sni.as_ref().map(|sni| redactor.text(sni.as_bytes(), TEXT_BYTES_MAX)),
            }),
            client_certificate: ended.identity.as_ref().map(|identity| {
                let certificate = identity.certificate();
                access::ClientCertificate {
                    verify: identity.verify().to_string(),
                    subject: certificate
                        .map(|facts| redactor.text(facts.subject_dn.as_bytes(), TEXT_BYTES_MAX)),
                    sha256: certificate.map(|facts| hex_lower(&facts.sha256)),
                    spiffe_id: identity.spiffe_id().map(ToString::to_string),
                }
            }),
            authenticated: ended.authenticated.as_ref().map(|identity| {
                let text = |text: &Option<String>| {
                    text.as_ref().map(|text| redactor.text(text.as_bytes(), TEXT_BYTES_MAX))
                };
                access::Authenticated {
                    by: &identity.authenticator,
                    method: identity.method.as_str(),
                    subject: text(&identity.subject),
                    issuer: text(&identity.issuer),
                    key_id: text(&identity.key_id),
                }
            }),
            listener: &ended.listener,
            service: &ended.service.name,
            method: text(&ended.method),
            host: ended.host.as_ref().map(text),
            path: redactor.target(&ended.target, TARGET_BYTES_MAX),
            protocol: text(&ended.version),
            status: ended.sent.map(|sent| sent.status),
            answered_by: ended.sent.map(|sent| match sent.by {
                AnsweredBy::Upstream => "upstream",
                AnsweredBy::Palisade => "palisade",
            }),
            upstream: ended.upstream_addr,
            request_bytes: ended.request_body_bytes,
            response_bytes: ended.response_body_bytes,
            duration: seconds(ended.timing.total),
            duration_engine: seconds(ended.timing.engine),
            duration_upstream: ended.timing.upstream.map(seconds),
            verdict,
            mode: ended.stance.mode.as_str(),
            list: ended.list.map(Listing::as_str),
            rules: redacted
                .map(|redacted| redacted.rule_ids().map(|id| id.0).take(access::RULES_MAX).collect())
                .unwrap_or_default(),
            attacks: redacted.map(Redacted::attacks).unwrap_or_default(),
            finding: redacted.and_then(Redacted::decisive_finding),
            user_agent: ended.user_agent.as_ref().map(text),
            referer: ended.referer.as_ref().map(|referer| redactor.text(referer, TARGET_BYTES_MAX)),
        };
        log.append([access::line(&record)]);
    }
}

impl Journal for Logs {
    fn ended(&self, ended: Ended) {
        let Ended { report, notes, facts, copy } = ended;
        let redacted = report.as_ref().map(Report::redacted);
        let messages = match &redacted {
            Some(redacted) if self.dikastes || self.events.is_some() => redacted.messages(),
            _ => Vec::new(),
        };
        self.write_error_lines(&facts, redacted.as_ref(), &messages, notes);
        if let Some(events) = &self.events {
            event::record(events, &facts, report.as_ref(), redacted.as_ref(), &messages);
        }
        if let Some(redacted) = &redacted
            && let Some(settings) = report.as_ref().and_then(|report| report.transaction()).map(settings_of)
        {
            let sent = Sent {
                status: facts.sent.map(|sent| sent.status),
                duration_micros: u64::try_from(facts.timing.total.as_micros()).unwrap_or(u64::MAX),
            };
            if let Some(record) = redacted.audit_record(sent) {
                self.write_audit(&record, &settings.audit);
            }
            if let Some(log) = settings.debug_log.as_deref().and_then(|path| self.named_by_rules(path)) {
                log.append(redacted.debug_log_lines());
            }
        }
        if let Some(log) = &self.access {
            let verdict = report.as_ref().map_or("error", |report| report.verdict().as_str());
            self.write_access(log, &facts, redacted.as_ref(), verdict);
        }
        if let Some(traces) = &self.traces {
            traces.record(&facts, report.as_ref());
        }
        if let (Some(recording), Some(copy)) = (&self.recording, copy) {
            recording.record(&facts, report.as_ref(), *copy);
        }
    }

    fn copies(&self, service: &Service) -> Option<CopyRoom> {
        self.recording.as_ref()?.copies(service)
    }

    fn sampling(&self) -> Option<Sampling> {
        self.traces.as_ref().map(|traces| traces.sampling())
    }

    fn remark(&self, remark: Remark) {
        self.error.append([masked_uri(remark.line)]);
    }

    fn closed(&self, closed: ClosedConnection) {
        self.events.iter().for_each(|events| event::closed(events, &closed));
    }
}

/// Opens the files of a rule set.
struct Prepared<'l> {
    logs: &'l Logs,
    opened: Vec<(&'static str, LogWriter)>,
    warnings: Vec<String>,
}

impl Prepared<'_> {
    fn audit(&mut self, settings: &AuditSettings) {
        if self.logs.audit_is_off {
            return;
        }
        if let Some(relevant) = settings.relevant_status.as_ref().filter(|relevant| !relevant.is_valid()) {
            let pattern = relevant.pattern();
            self.warnings.push(format!(
                "SecAuditLogRelevantStatus `{pattern}` is no pattern: no status makes an exchange relevant"
            ));
        }
        if settings.engine == AuditEngine::Off {
            // `ctl:auditEngine` may switch it on; a file that is named is opened for that.
            if self.logs.audit.is_some() || settings.log.is_none() {
                return;
            }
        }
        if self.logs.audit.is_none() {
            match &settings.log {
                Some(path) => self.open("audit", "SecAuditLog", path),
                None if settings.kind != AuditLogType::Concurrent || settings.storage_dir.is_none() => {
                    self.warnings.push(
                        "SecAuditEngine is on and no file is named: write SecAuditLog, or give --audit-log"
                            .to_owned(),
                    );
                }
                None => self.insert("audit", Destination::new(WITHOUT_INDEX), LogWriter::without_index()),
            }
        }
        if let Some(path) = settings.log2.as_ref().filter(|_| settings.kind == AuditLogType::Concurrent) {
            self.open("audit", "SecAuditLog2", path);
        }
        match settings.kind {
            AuditLogType::Https => {
                self.warnings.push(
                    "SecAuditLogType HTTPS is not there: entries go to the audit log as Serial".to_owned(),
                );
            }
            AuditLogType::Concurrent if settings.storage_dir.is_none() => {
                self.warnings.push(
                    "SecAuditLogType Concurrent needs SecAuditLogStorageDir: entries go to the audit log as Serial"
                        .to_owned(),
                );
            }
            AuditLogType::Concurrent | AuditLogType::Serial => {}
        }
        for (name, text) in
            [("SecAuditLogDirMode", &settings.dir_mode), ("SecAuditLogFileMode", &settings.file_mode)]
        {
            if let Some(text) = text.as_deref().filter(|text| *text != "default" && octal(text).is_none()) {
                self.warnings
                    .push(format!("{name} `{text}` is no octal mode such as 0640: the default is used"));
            }
        }
    }

    fn open(&mut self, name: &'static str, directive: &str, path: &str) {
        let destination = Destination::new(path);
        if self.logs.by_rules().contains_key(&destination) {
            return;
        }
        match LogWriter::to(&destination) {
            Ok(writer) => self.insert(name, destination, writer),
            Err(error) => self.warnings.push(format!("{directive} `{path}` cannot be opened: {error}")),
        }
    }

    fn insert(&mut self, name: &'static str, destination: Destination, writer: LogWriter) {
        let mut by_rules = self.logs.by_rules.write().unwrap_or_else(PoisonError::into_inner);
        if let std::collections::hash_map::Entry::Vacant(free) = by_rules.entry(destination) {
            free.insert(writer.clone());
            self.opened.push((name, writer));
        }
    }
}

fn settings_of(transaction: &palisade_engine::Transaction) -> &Settings {
    transaction.rules().settings()
}

fn mode(text: Option<&str>, default: u32) -> u32 {
    text.and_then(octal).unwrap_or(default)
}

fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777)
}

fn now() -> Calendar {
    Calendar::new(unix_millis(), 0)
}

/// A name that is no path: the writer of a concurrent log without an index.
const WITHOUT_INDEX: &str = "\0";
/// How long the end of the program waits for each log.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a target, and of other texts, in a line.
const TARGET_BYTES_MAX: usize = 8 * 1024;
const TEXT_BYTES_MAX: usize = 512;
