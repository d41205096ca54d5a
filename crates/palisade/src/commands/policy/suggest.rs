//! `palisade policy suggest`: least-privilege policies out of access logs, and what they would have denied in the same logs.
//!
//! Logs are read twice: to learn, and to try what was learned. Lines are taken one by one, and what is kept of them is
//! bounded, so logs may be of any length.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use palisade_events::query::{moment, nanoseconds};
use palisade_events::unix_millis;
use palisade_model::KnownBy;
use palisade_policy::{
    Compiler, Identity, Judgement, Learner, Object, Party, PlaintextPeers, SuggestOptions, TrustDomains,
    Unlearned, read_objects,
};

use super::access_line::{AccessLine, Kind};
use super::matching::parse_labels;
use super::trial::{Outcome, PastRequest, Server, Trial};
use crate::Finding;
use crate::files::FileSystem;
use crate::flags::{self, PolicySuggestFlags};
use crate::policies::PolicyFiles;
use crate::rules::plural;

/// Learns, writes policies to standard output, and says on standard error what they are made of and what they deny; exit 1
/// when they would have denied something that they were made of.
pub(crate) fn run(flags: &PolicySuggestFlags) -> Result<Finding> {
    let options = SuggestOptions {
        labels: match &flags.labels {
            Some(labels) => parse_labels(labels)?,
            None => Default::default(),
        },
        plaintext_by_address: flags.plaintext_peers == flags::PlaintextPeers::Address,
        staged: flags.staged,
        workloads: flags.workloads,
    };
    let mut objects = Compiler::new();
    if !flags.policies.is_empty() {
        let read = PolicyFiles::default().read(&super::paths(&flags.policies)?, &FileSystem)?;
        read.said.show();
        if read.said.errors > 0 {
            bail!("the objects are not usable: {}", read.said.count());
        }
        // Policies that are there already are of no account here.
        let others = read
            .changes
            .into_iter()
            .filter(|(_, object)| !matches!(object, Some(Object::Policy(_) | Object::Tier(_))));
        objects.apply(others);
    }
    let chosen = Chosen { services: &flags.service, since: flags.since.as_deref().map(since).transpose()? };
    let mut logs = flags.input.iter().map(|path| Log::open(path)).collect::<Result<Vec<_>>>()?;

    let mut learner = Learner::new(&options);
    let mut read = Read::default();
    for log in &mut logs {
        log.each_line(&mut |line| read.learn(line, &chosen, &mut learner))?;
    }
    read.show();
    if read.learned == 0 {
        bail!("there is nothing to learn from");
    }
    let suggestion = learner.suggest(objects.objects(), &options);
    suggestion.notes.iter().for_each(|note| say!("palisade: {note}"));
    let text = format!(
        "# Suggested by `palisade policy suggest` from {}.\n{}",
        plural(read.learned as usize, "request"),
        suggestion.yaml
    );

    let suggested = read_objects(text.as_bytes());
    if let Some(wrong) = suggested.diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
        bail!("what would be suggested is not usable: {}", wrong.render(None, palisade_config::Style::Plain));
    }
    // First what was assumed, so that what is known takes its place.
    let known = objects.objects().iter().map(|(key, object)| (key.clone(), object.clone()));
    let all = suggestion.assumed.into_iter().chain(known).chain(suggested.objects);
    let mut tried = Tried {
        learner,
        trial: Trial::of(all, judgement(flags)),
        made_of: Outcome::default(),
        not_learned: Outcome::default(),
        others: BTreeMap::new(),
    };
    for log in &mut logs {
        log.each_line(&mut |line| tried.line(line, &chosen))?;
    }
    tried.show();
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if tried.made_of.denied > 0 { Finding::Something } else { Finding::Nothing })
}

fn judgement(flags: &PolicySuggestFlags) -> Judgement {
    Judgement {
        // Whoever was believed when it came is believed here.
        trust_domains: TrustDomains::Any,
        plaintext_peers: match flags.plaintext_peers {
            flags::PlaintextPeers::Deny => PlaintextPeers::Deny,
            flags::PlaintextPeers::Address => PlaintextPeers::Address,
        },
        ..Judgement::default()
    }
}

/// A point in time, in milliseconds since 1970.
fn since(text: &str) -> Result<u64> {
    moment(text, unix_millis()).with_context(|| format!("--since `{text}`"))
}

/// Which lines count.
struct Chosen<'a> {
    services: &'a [String],
    /// Milliseconds since 1970.
    since: Option<u64>,
}

impl Chosen<'_> {
    fn takes(&self, line: &AccessLine<'_>) -> bool {
        let service = self.services.is_empty() || self.services.iter().any(|name| **name == *line.service);
        let at = || nanoseconds(&line.time).map(|nanos| nanos / 1_000_000);
        service && self.since.is_none_or(|since| at().is_some_and(|at| at >= i128::from(since)))
    }
}

/// A log that can be read again.
struct Log(File);

impl Log {
    fn open(path: &Path) -> Result<Self> {
        if path.as_os_str() != "-" {
            return Ok(Self(File::open(path).with_context(|| format!("`{}`", path.display()))?));
        }
        let mut kept = temporary_file()?;
        io::copy(&mut io::stdin().lock(), &mut kept).context("standard input")?;
        Ok(Self(kept))
    }

    /// Takes every line, without its end. A line that is longer than any of ours is taken as nothing.
    fn each_line(&mut self, take: &mut dyn FnMut(Option<&[u8]>)) -> Result<()> {
        self.0.rewind()?;
        let mut reader = BufReader::with_capacity(1 << 16, &self.0);
        let mut line = Vec::new();
        loop {
            line.clear();
            if (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if line.last() != Some(&b'\n') && line.len() as u64 == LINE_BYTES_MAX {
                reader.skip_until(b'\n')?;
                take(None);
                continue;
            }
            let text = line.trim_ascii();
            if !text.is_empty() {
                take(Some(text));
            }
        }
    }
}

/// A line of the access log has a target of 8 KiB, and texts beside it.
const LINE_BYTES_MAX: u64 = 256 << 10;

/// A file that nobody else finds, and that goes when we do: what comes in on standard input comes once.
fn temporary_file() -> Result<File> {
    let number = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let path: PathBuf =
        std::env::temp_dir().join(format!("palisade-suggest-{}-{number}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path);
    let file =
        file.with_context(|| format!("`{}`: standard input is kept there to be read twice", path.display()))?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// What a log held.
#[derive(Debug, Default)]
struct Read {
    lines: u64,
    not_lines: u64,
    not_chosen: u64,
    outbound: u64,
    nobodys: u64,
    learned: u64,
    left_out: BTreeMap<Kind, u64>,
    unlearned: BTreeMap<Unlearned, u64>,
}

impl Read {
    fn learn(&mut self, line: Option<&[u8]>, chosen: &Chosen<'_>, learner: &mut Learner) {
        self.lines += 1;
        let Some(line) = line.and_then(parse) else {
            self.not_lines += 1;
            return;
        };
        if !chosen.takes(&line) {
            self.not_chosen += 1;
            return;
        }
        if line.is_outbound() {
            self.outbound += 1;
            return;
        }
        let (Some(asked), Some(port)) = (line.destination(), line.port()) else {
            self.nobodys += 1;
            return;
        };
        let kind = line.kind();
        if kind != Kind::Served {
            *self.left_out.entry(kind).or_default() += 1;
            return;
        }
        let (source, path) = (line.source(), line.path());
        match learner.learn(&line.observation(&asked, port, source.as_ref(), &path)) {
            Ok(()) => self.learned += 1,
            Err(why) => *self.unlearned.entry(why).or_default() += 1,
        }
    }

    fn show(&self) {
        say!(
            "palisade: {} read, {} learned from",
            plural(self.lines as usize, "line"),
            plural(self.learned as usize, "request")
        );
        let left_out = |count: u64, why: &str| {
            if count > 0 {
                say!("palisade: left out: {} {why}", plural(count as usize, "request"));
            }
        };
        left_out(self.not_chosen, "that --service and --since do not choose");
        left_out(self.outbound, "of the workload's own: policies are suggested for what comes in");
        left_out(self.nobodys, "for workloads that the log does not name: configure `workload`");
        for (kind, count) in &self.left_out {
            left_out(*count, kind.as_str());
        }
        for (why, count) in &self.unlearned {
            left_out(*count, &format!("served, but {}", why.as_str()));
        }
        if self.not_lines > 0 {
            say!(
                "palisade: left out: {} that are none of an access log",
                plural(self.not_lines as usize, "line")
            );
        }
    }
}

fn parse(line: &[u8]) -> Option<AccessLine<'_>> {
    serde_json::from_slice(line).ok()
}

/// What the policies would have done with the same logs.
struct Tried {
    learner: Learner,
    trial: Trial,
    /// With what they were made of.
    made_of: Outcome,
    /// With what was served, but not learned.
    not_learned: Outcome,
    /// With what was left out.
    others: BTreeMap<Kind, Outcome>,
}

impl Tried {
    fn line(&mut self, line: Option<&[u8]>, chosen: &Chosen<'_>) {
        let Some(line) = line.and_then(parse) else { return };
        let (Some(asked), Some(server)) = (line.destination(), line.server()) else { return };
        if !chosen.takes(&line) || line.is_outbound() {
            return;
        }
        let path = line.path();
        let source = line.source();
        let seen = line.observation(&asked, server.port(), source.as_ref(), &path);
        let outcome = match line.kind() {
            Kind::Served if self.learner.has_learned(&seen) => &mut self.made_of,
            Kind::Served => &mut self.not_learned,
            kind => self.others.entry(kind).or_default(),
        };
        let proven = source.as_ref().is_some_and(|source| source.known_by != KnownBy::Address);
        let identity = match (&source, line.spiffe_id()) {
            (Some(source), _) if proven => Identity::ServiceAccount {
                namespace: source.namespace.clone(),
                name: source.service_account.clone().unwrap_or_default(),
            },
            (_, Some(id)) => Identity::of_principal(id, &TrustDomains::Any),
            (_, None) => Identity::Plain,
        };
        let peer = line.peer;
        let past = PastRequest {
            source: Party { address: Some(peer.ip()), port: Some(peer.port()), identity, workload: None },
            asked: (&asked.namespace, asked.service_account.as_deref().unwrap_or("default")),
            server: Server { address: Some(server.ip()), port: server.port() },
            method: &line.method,
            path: &path,
        };
        self.trial.ask(past, 1, outcome, || {
            format!("{} {} of {} from {}", line.method, line.path, line.service, peer.ip())
        });
    }

    fn show(&self) {
        let show = |what: &str, outcome: &Outcome| {
            say!(
                "palisade: of {} {what} the policies would have denied {}",
                plural(outcome.requests as usize, "request"),
                outcome.denied
            );
            outcome.examples.iter().for_each(|example| say!("palisade:   {example}"));
        };
        show("that they were made of", &self.made_of);
        if self.not_learned.requests > 0 {
            show("that were served, but not learned from,", &self.not_learned);
        }
        for (kind, outcome) in &self.others {
            show(kind.as_str(), outcome);
        }
    }
}
