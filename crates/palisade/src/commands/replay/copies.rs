//! Requests out of a recording.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use palisade_events::recording::{
    BodyCopy, Broken, Decided, Ended, Key, OnList, Recorded, RecordingFile, recordings,
};
use palisade_http::{Fields, FramingFinding, RequestHead};
use palisade_identity::{Anchors, verify};
use palisade_inspect::{Peer, Secured};
use palisade_model::PeerIdentity;

use crate::exchange::Exchange;
use crate::recording::RECORDING;

/// A request to be replayed, and all that is known of it.
pub(crate) struct Copy {
    pub(crate) id: String,
    /// When it came: milliseconds since 1970. `None`: nobody knows.
    pub(crate) at: Option<u64>,
    pub(crate) exchange: Exchange,
    pub(crate) body: BodyCopy,
    /// Who asked, and where; `None` where the copy does not say.
    pub(crate) connection: Option<Connection>,
    /// Places whose values were replaced although they were not plain.
    pub(crate) not_plain: Vec<String>,
    /// What was decided then; `None` where nobody knows.
    pub(crate) then: Option<Then>,
}

/// What a recording says of a request's connection.
pub(crate) struct Connection {
    pub(crate) listener: String,
    pub(crate) peer: Peer,
    pub(crate) list: Option<OnList>,
}

/// What was decided then.
pub(crate) struct Then {
    pub(crate) service: String,
    pub(crate) inspected_by: String,
    pub(crate) decided: Decided,
}

/// Which requests are replayed.
pub(crate) struct Wanted {
    pub(crate) services: BTreeSet<String>,
    /// Milliseconds since 1970.
    pub(crate) since: Option<u64>,
    pub(crate) until: Option<u64>,
}

impl Wanted {
    pub(crate) fn takes(&self, copy: &Copy) -> bool {
        let service = match &copy.then {
            Some(then) => self.services.is_empty() || self.services.contains(&then.service),
            None => true,
        };
        let at = copy.at.unwrap_or_default();
        service && self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// The files of a recording, read one after another.
pub(crate) struct Recordings {
    waiting: VecDeque<PathBuf>,
    open: Option<(PathBuf, RecordingFile<BufReader<File>>)>,
    key: Option<Key>,
    bytes: u64,
    /// Of files that are done.
    bytes_done: u64,
    read: u64,
    notes: Vec<String>,
}

impl Recordings {
    /// The recording of a folder, or of the data folder that it is in.
    pub(crate) fn open(folder: &Path, key: Option<Key>) -> Result<Self> {
        let inner = folder.join(RECORDING);
        let folder = if inner.is_dir() { inner } else { folder.to_owned() };
        let told = || format!("--recording `{}`", folder.display());
        let files = recordings(&folder).with_context(told)?;
        if files.is_empty() {
            bail!("{}: there is no recording in it; `recording: {{enabled: true}}` makes one", told());
        }
        let bytes = files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum();
        let mut recordings =
            Self { waiting: files.into(), open: None, key, bytes, bytes_done: 0, read: 0, notes: Vec::new() };
        // Whether the key fits is known at once.
        recordings.open_next()?;
        Ok(recordings)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_done + self.open.as_ref().map_or(0, |(_, open)| open.bytes_read())
    }

    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(crate) fn next(&mut self) -> Result<Option<Copy>> {
        loop {
            let Some((path, open)) = &mut self.open else {
                if self.waiting.is_empty() {
                    return Ok(None);
                }
                self.open_next()?;
                continue;
            };
            match open.next_record() {
                Ok(Some(record)) => {
                    self.read += 1;
                    return Ok(Some(copy_of(record, self.read)));
                }
                Ok(None) => {
                    // The last may be written to at this moment.
                    if open.ended() == Some(Ended::InFrame) && !self.waiting.is_empty() {
                        let note = "it ends in the middle of a request: its process was killed then";
                        self.notes.push(format!("`{}`: {note}", path.display()));
                    }
                }
                Err(broken) => {
                    self.notes.push(format!("`{}`: {broken}; what follows is not read", path.display()));
                }
            }
            self.bytes_done += open.bytes_read();
            self.open = None;
        }
    }

    /// Opens the next file. What is no file of ours is said and left out; what wants another key ends it all.
    fn open_next(&mut self) -> Result<()> {
        let Some(path) = self.waiting.pop_front() else { return Ok(()) };
        match RecordingFile::open(&path, self.key.as_ref()) {
            Ok(file) => self.open = Some((path, file)),
            Err(broken @ (Broken::Sealed | Broken::WrongKey | Broken::Newer(_))) => {
                return Err(broken).with_context(|| format!("`{}`", path.display()));
            }
            // It expired in between.
            Err(Broken::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(broken) => self.notes.push(format!("`{}`: {broken}", path.display())),
        }
        Ok(())
    }
}

/// The request of a record.
pub(crate) fn copy_of(record: Recorded, number: u64) -> Copy {
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let (client, server) = (record.client.unwrap_or(nowhere), record.server.unwrap_or(nowhere));
    let line = match record.line {
        Some(line) => line.0,
        None => [&record.method.0[..], b" ", &record.target.0, b" ", &record.version.0].concat(),
    };
    let mut headers = Fields::new();
    record.headers.iter().for_each(|(name, value)| headers.push(&name.0, &value.0));
    let head = RequestHead {
        line,
        method: record.method.0,
        target: record.target.0,
        version: record.version.0,
        headers,
        findings: record.odd.iter().filter_map(|name| FramingFinding::from_name(name)).collect(),
    };
    let id = if record.id.is_empty() { format!("#{number}") } else { record.id };
    let peer = Peer {
        peer_addr: record.peer.unwrap_or(client),
        client_addr: client,
        server_addr: server,
        identity: record
            .identity
            .map(|identity| Arc::new(peer_identity(&identity.certificate.0, identity.trusted))),
        admission: None,
        towards: (!record.towards.is_empty()).then(|| record.towards.into()),
        // A replay asks nobody who somebody is: what a service's authenticators refused was no copy.
        authenticated: None,
        refused: Vec::new(),
        secured: record.tls.as_ref().and_then(secured),
        request_id: id.clone(),
    };
    Copy {
        id,
        // A HAR may not say it.
        at: Some(record.at).filter(|at| *at > 0),
        exchange: Exchange { client, server, head, body: record.body, response: None },
        body: record.body_copy,
        connection: record.peer.is_some().then_some(Connection {
            listener: record.listener,
            peer,
            list: record.list,
        }),
        not_plain: record.not_plain,
        then: Some(Then {
            service: record.service,
            inspected_by: record.inspected_by,
            decided: record.decided,
        }),
    }
}

/// What a certificate says. Whether it was believed is taken from the record: authorities and time were others.
fn peer_identity(certificate: &[u8], trusted: bool) -> PeerIdentity {
    if certificate.is_empty() {
        return PeerIdentity::NONE;
    }
    let Ok(read) = verify(&[certificate], &Anchors::nobody(), 0) else { return PeerIdentity::NONE };
    match read.certificate() {
        Some(facts) if trusted => PeerIdentity::trusted(facts.clone()),
        _ => read,
    }
}

/// Names that a handshake of ours can have settled; others are a hostile file's.
fn secured(tls: &palisade_events::recording::Tls) -> Option<Secured> {
    const VERSIONS: [&str; 2] = ["TLSv1.2", "TLSv1.3"];
    let version = VERSIONS.into_iter().find(|version| *version == tls.version)?;
    let suites = rustls::crypto::ring::ALL_CIPHER_SUITES.iter();
    let cipher = suites.filter_map(|suite| suite.suite().as_str()).find(|name| *name == tls.cipher);
    Some(Secured {
        version,
        cipher: cipher.unwrap_or(""),
        server_name: tls.server_name.as_deref().map(Arc::from),
    })
}
