//! The proxy's HTTP/1 side: bytes of a client against the real connection, with an upstream that follows a script.
//!
//! ```text
//!  input = options, cut, length of the script's bytes / 4, the script's bytes, the client's bytes
//!  client's bytes -> connection -> upstream's bytes, read by a strict reader
//!  client's answers, read by a strict reader <- connection <- script
//! ```
//!
//! What must hold: the connection ends (its client has sent everything and listens to the end); each request that reached
//! the upstream is one that the client sent, its body byte for byte, framed in one way; rules were shown as much body as
//! went on; the client gets answers of HTTP/1.1, each for one request, with that request's id and status.

use std::sync::{Arc, LazyLock, Mutex};

use palisade_dataplane::{
    Arrival, Budget, Destination, Ended, Journal, Listener, Plane, Remark, Routes, Upstream, drain,
    serve_stream,
};
use palisade_http::{
    ChunkProgress, ChunkedDecoder, Framing, HeadParse, RequestHead, parse_request_head, request_body_framing,
};
use palisade_inspect::{Profile, RuleSources, Service, load_rules};
use palisade_model::Mode;
use palisade_seclang::MemoryLoader;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};

/// The target.
pub fn connection(input: &[u8]) {
    let [options, cut, script_bytes, rest @ ..] = input else { return };
    let (raw, sent) = rest.split_at(rest.len().min(usize::from(*script_bytes) * 4));
    let run = Run {
        service: SERVICES[usize::from(options & 3)].clone(),
        script: Script::ALL[usize::from(options >> 2 & 7)],
        raw: raw.to_vec(),
        pipe_bytes: if options & 0x20 == 0 { 64 * 1024 } else { 7 },
        cut: usize::from(*cut),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let seen = runtime.block_on(run.converse(sent));
    check_forwarded(sent, &seen);
    check_answers(sent, &seen);
}

/// What an upstream does with each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    /// Reads it whole and answers with a length.
    Length,
    /// Reads it whole and answers in chunks, with trailers.
    Chunks,
    /// Reads it whole, answers until it closes.
    UntilClose,
    /// Answers when it has the head, and reads on.
    Early,
    /// Reads it whole, then says what the input says.
    Raw,
    /// Says what the input says at once, and closes.
    RawAtOnce,
    /// Interim answers, then an empty one.
    Interim,
    /// Becomes a tunnel.
    Switch,
}

impl Script {
    const ALL: [Self; 8] = [
        Self::Length,
        Self::Chunks,
        Self::UntilClose,
        Self::Early,
        Self::Raw,
        Self::RawAtOnce,
        Self::Interim,
        Self::Switch,
    ];
}

struct Run {
    service: Arc<Service>,
    script: Script,
    raw: Vec<u8>,
    pipe_bytes: usize,
    cut: usize,
}

/// Nothing inspected; heads only; all bodies, with rules that stop some; all bodies of requests in monitoring.
static SERVICES: LazyLock<[Arc<Service>; 4]> = LazyLock::new(|| {
    let evil = "SecRule ARGS|REQUEST_BODY|RESPONSE_BODY \"@contains evil\" \"id:1,phase:2,deny,status:403\"\n\
                SecRule RESPONSE_BODY \"@contains evil\" \"id:2,phase:4,deny,status:403\"\n";
    let bodies = "SecRequestBodyAccess On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/plain\n";
    [
        service(Mode::Off, ""),
        service(Mode::Block, "SecRule REQUEST_METHOD \"@streq DROP\" \"id:3,phase:1,drop\"\n"),
        service(Mode::Block, &format!("{bodies}{evil}")),
        service(Mode::Monitoring, &format!("SecRequestBodyAccess On\nSecRequestBodyLimit 100\n{evil}")),
    ]
});

fn service(mode: Mode, rules: &str) -> Arc<Service> {
    let text = Some(("fuzzing".to_owned(), rules.as_bytes().to_vec(), String::new()));
    let loaded = load_rules(&RuleSources { text, ..RuleSources::default() }, &MemoryLoader::new());
    let rules = Some(loaded.rules.expect("these rules load"));
    Service::new("fuzzed", Profile::new(mode, rules))
}

/// What came of it.
struct Seen {
    /// What the client got.
    answers: Vec<u8>,
    /// What each connection to the upstream got.
    forwarded: Vec<Vec<u8>>,
    /// Exchanges in their order.
    ended: Vec<EndedExchange>,
    /// Whether what was read can be a tunnel's.
    may_switch: bool,
}

#[derive(Debug)]
struct EndedExchange {
    id: String,
    method: Vec<u8>,
    target: Vec<u8>,
    status: Option<u16>,
    body_bytes: u64,
    /// `None`: no rules ran, or none looked at bodies.
    inspected_bytes: Option<u64>,
}

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<EndedExchange>>);

impl Journal for Kept {
    fn ended(&self, ended: Ended) {
        let report = ended.report.expect("the inspection does not fail");
        let facts = ended.facts;
        let ran = report.transaction().is_some() && report.request_bytes > 0;
        let exchange = EndedExchange {
            id: facts.request_id,
            method: facts.method,
            target: facts.target,
            status: facts.sent.map(|sent| sent.status),
            body_bytes: facts.request_body_bytes,
            inspected_bytes: ran.then_some(report.request_bytes),
        };
        self.0.lock().expect("not poisoned").push(exchange);
    }

    fn remark(&self, _: Remark) {}
}

impl Run {
    async fn converse(self, sent: &[u8]) -> Seen {
        let Self { service, script, raw, pipe_bytes, cut } = self;
        let journal = Arc::new(Kept::default());
        let plane = Plane::new(journal.clone(), Budget::new("/nonexistent"), 0);
        let forwarded: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let upstream = {
            let (forwarded, raw) = (forwarded.clone(), Arc::new(raw));
            Upstream::in_process(pipe_bytes, move |stream| {
                let mut connections = forwarded.lock().expect("not poisoned");
                connections.push(Vec::new());
                let server =
                    Server { stream, at: connections.len() - 1, forwarded: forwarded.clone(), used: 0 };
                tokio::spawn(server.serve(script, raw.clone()));
            })
        };
        let address = "192.0.2.1:1".parse().expect("an address");
        let routes = Routes::all_to(Destination::new(service, Arc::new(upstream)));
        let listener = Arc::new(Listener::new("fuzzed", address, routes));
        let (client, stream) = tokio::io::duplex(1 << 20);
        let (_trigger, ear) = drain();
        let (reads, writes) = tokio::io::split(client);
        let serve = serve_stream(stream, Arrival::plain(address, address), listener, plane, ear);
        let ((), (), answers) = tokio::join!(serve, send(writes, sent, cut), receive(reads));
        let ended = std::mem::take(&mut *journal.0.lock().expect("not poisoned"));
        let forwarded = std::mem::take(&mut *forwarded.lock().expect("not poisoned"));
        let may_switch = matches!(script, Script::Switch | Script::Raw | Script::RawAtOnce);
        Seen { answers, forwarded, ended, may_switch }
    }
}

/// Sends everything, in pieces of `cut` bytes, and ends this half.
async fn send(mut client: WriteHalf<DuplexStream>, sent: &[u8], cut: usize) {
    for piece in sent.chunks(if cut == 0 { sent.len().max(1) } else { cut }) {
        if client.write_all(piece).await.is_err() {
            return;
        }
        // Others see the piece alone.
        tokio::task::yield_now().await;
    }
    let _ = client.shutdown().await;
}

async fn receive(mut client: ReadHalf<DuplexStream>) -> Vec<u8> {
    let mut answers = Vec::new();
    let _ = client.read_to_end(&mut answers).await;
    answers
}

/// One connection to the upstream.
struct Server {
    stream: DuplexStream,
    at: usize,
    forwarded: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Bytes of it that belong to requests that were answered.
    used: usize,
}

impl Server {
    async fn serve(mut self, script: Script, raw: Arc<Vec<u8>>) {
        if script == Script::RawAtOnce {
            let _ = self.stream.write_all(&raw).await;
            let _ = self.stream.shutdown().await;
            while self.fill().await {}
            return;
        }
        loop {
            let read = self.with(|bytes| read_request(bytes).map(|request| (request.end, request.head_end)));
            match read {
                Some((end, head_end)) if end.is_some() || script == Script::Early && head_end.is_some() => {
                    let answered = self.answer(script, &raw).await;
                    // The whole request is behind us before the next one.
                    let end = loop {
                        match self.with(|bytes| read_request(bytes).and_then(|request| request.end)) {
                            Some(end) => break Some(end),
                            None if self.fill().await => {}
                            None => break None,
                        }
                    };
                    match end {
                        Some(end) if answered => self.used += end,
                        _ => return,
                    }
                }
                _ if !self.fill().await => return,
                _ => {}
            }
        }
    }

    /// Whether the connection goes on.
    async fn answer(&mut self, script: Script, raw: &[u8]) -> bool {
        let head_only = self.with(|bytes| bytes.starts_with(b"HEAD "));
        let (bytes, goes_on): (&[u8], bool) = match script {
            Script::Length | Script::Early if head_only => (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true),
            Script::Length | Script::Early => {
                (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello", true)
            }
            Script::Chunks if head_only => (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            Script::Chunks => (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n\
                  3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nChecksum: 1\r\n\r\n",
                true,
            ),
            Script::UntilClose => (b"HTTP/1.1 200 OK\r\n\r\nhello", false),
            Script::Raw | Script::RawAtOnce => (raw, false),
            Script::Interim => (
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
                true,
            ),
            Script::Switch => {
                (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello", false)
            }
        };
        let written = self.stream.write_all(bytes).await.is_ok();
        if !goes_on {
            let _ = self.stream.shutdown().await;
            while self.fill().await {}
        }
        written && goes_on
    }

    async fn fill(&mut self) -> bool {
        let mut piece = [0; 4096];
        let bytes = self.stream.read(&mut piece).await.unwrap_or(0);
        self.forwarded.lock().expect("not poisoned")[self.at].extend_from_slice(&piece[..bytes]);
        bytes > 0
    }

    fn with<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        look(&self.forwarded.lock().expect("not poisoned")[self.at][self.used..])
    }
}

/// A request as the upstream got it.
struct Forwarded {
    method: Vec<u8>,
    target_and_version: Vec<u8>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    head_end: Option<usize>,
    /// As much of the body as came.
    body: Vec<u8>,
    /// Where it ends; `None`: more was to come.
    end: Option<usize>,
}

impl Forwarded {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let same = move |field: &&(Vec<u8>, Vec<u8>)| field.0.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(same).map(|(_, value)| &value[..])
    }
}

/// The next request by the strictest reading: whatever could be read otherwise is a failure. `None`: no whole head.
fn read_request(bytes: &[u8]) -> Option<Forwarded> {
    let head_end = find(bytes, b"\r\n\r\n")? + 4;
    let mut lines = lines_of(&bytes[..head_end - 4]);
    let line = lines.remove(0);
    let space = line.iter().position(|byte| *byte == b' ').expect("a method and a target");
    let (method, rest) = (line[..space].to_vec(), line[space + 1..].to_vec());
    assert!(rest.ends_with(b" HTTP/1.1") && rest.len() > 9, "{:?}", String::from_utf8_lossy(&line));
    let fields = lines.into_iter().map(field_of).collect();
    let mut request = Forwarded {
        method,
        target_and_version: rest,
        fields,
        head_end: Some(head_end),
        body: Vec::new(),
        end: None,
    };
    for name in ["host", "x-request-id", "x-real-ip", "x-forwarded-for", "x-forwarded-proto"] {
        assert_eq!(request.values(name).count(), 1, "one {name}");
    }
    let lengths: Vec<Vec<u8>> = request.values("content-length").map(<[u8]>::to_vec).collect();
    let codings: Vec<Vec<u8>> = request.values("transfer-encoding").map(<[u8]>::to_vec).collect();
    let (body, used) = match (&lengths[..], &codings[..]) {
        ([], []) => (Vec::new(), Some(0)),
        ([length], []) => {
            let length = decimal(length);
            let body = &bytes[head_end..];
            (body[..body.len().min(length)].to_vec(), (body.len() >= length).then_some(length))
        }
        ([], [coding]) if coding == b"chunked" => read_chunks(&bytes[head_end..], false),
        _ => panic!("framed by {lengths:?} and {codings:?}"),
    };
    request.body = body;
    request.end = used.map(|used| head_end + used);
    Some(request)
}

/// A chunked body and where it ends, if it does.
fn read_chunks(bytes: &[u8], may_have_trailers: bool) -> (Vec<u8>, Option<usize>) {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else { return (body, None) };
        let digits = &bytes[at..at + line];
        assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit), "a chunk's size: {digits:?}");
        let text = std::str::from_utf8(digits).expect("digits");
        let size = usize::from_str_radix(text, 16).expect("a size that fits");
        at += line + 2;
        if size == 0 {
            loop {
                let Some(line) = find(&bytes[at..], b"\r\n") else { return (body, None) };
                let trailer = &bytes[at..at + line];
                at += line + 2;
                if trailer.is_empty() {
                    return (body, Some(at));
                }
                assert!(may_have_trailers, "a trailer went on: {:?}", String::from_utf8_lossy(trailer));
                field_of(trailer.to_vec());
            }
        }
        let data = &bytes[at..];
        body.extend_from_slice(&data[..data.len().min(size)]);
        if data.len() < size + 2 {
            return (body, None);
        }
        assert_eq!(&data[size..size + 2], b"\r\n", "the end of a chunk");
        at += size + 2;
    }
}

/// Lines of a head; none may hold what somebody takes for a line's end.
fn lines_of(head: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut rest) = (Vec::new(), head);
    loop {
        let end = find(rest, b"\r\n").unwrap_or(rest.len());
        let line = &rest[..end];
        assert!(!line.iter().any(|byte| b"\r\n\0".contains(byte)), "{:?}", String::from_utf8_lossy(line));
        lines.push(line.to_vec());
        match rest.get(end + 2..) {
            Some(more) => rest = more,
            None => return lines,
        }
    }
}

fn field_of(line: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let colon = line.iter().position(|byte| *byte == b':').expect("a field has a colon");
    let name = line[..colon].to_vec();
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    assert!(
        !name.is_empty() && name.iter().all(token),
        "a field's name: {:?}",
        String::from_utf8_lossy(&name)
    );
    (name, line[colon + 1..].trim_ascii().to_vec())
}

fn decimal(digits: &[u8]) -> usize {
    assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit), "a length: {digits:?}");
    std::str::from_utf8(digits).expect("digits").parse().unwrap_or(usize::MAX)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A request as the client sent it, read without a connection around it.
struct Sent {
    head: RequestHead,
    /// As much of the body as came before it ended or broke.
    body: Vec<u8>,
    whole: bool,
}

fn requests_of(mut sent: &[u8]) -> Vec<Sent> {
    let limits = palisade_http::HeadLimits::default();
    let mut requests = Vec::new();
    loop {
        let (head, consumed) = match parse_request_head(sent, &limits) {
            HeadParse::Complete { head, consumed } => (head, consumed),
            HeadParse::Refused { head, .. } => {
                requests.push(Sent { head, body: Vec::new(), whole: false });
                return requests;
            }
            HeadParse::Incomplete => return requests,
        };
        sent = &sent[consumed..];
        let framing = if head.is_ambiguous() { None } else { request_body_framing(&head).ok() };
        let mut request = Sent { head, body: Vec::new(), whole: false };
        let used = match framing {
            Some(Framing::None) => Some(0),
            Some(Framing::Length(length)) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                request.body.extend_from_slice(&sent[..sent.len().min(length)]);
                (sent.len() >= length).then_some(length)
            }
            Some(Framing::Chunked) => {
                let mut decoder = ChunkedDecoder::default();
                match decoder.feed(sent, &mut |run| request.body.extend_from_slice(run)) {
                    ChunkProgress::Done { consumed } => Some(consumed),
                    ChunkProgress::More | ChunkProgress::Refused(_) => None,
                }
            }
            Some(Framing::UntilClose) | None => None,
        };
        request.whole = used.is_some();
        requests.push(request);
        match used {
            Some(used) => sent = &sent[used..],
            None => return requests,
        }
    }
}

/// What the upstream got is what the client sent, and what rules were shown.
fn check_forwarded(sent: &[u8], seen: &Seen) {
    let sent = requests_of(sent);
    assert!(seen.ended.len() <= sent.len(), "{} exchanges of {} requests", seen.ended.len(), sent.len());
    for (ended, sent) in seen.ended.iter().zip(&sent) {
        // Both are cut at the bounds of a fact.
        assert!(sent.head.method.starts_with(&ended.method) && sent.head.target.starts_with(&ended.target));
        assert!(ended.body_bytes <= sent.body.len() as u64, "{ended:?}");
    }
    for bytes in &seen.forwarded {
        let mut rest = &bytes[..];
        while let Some(request) = read_request(rest) {
            let id = request.values("x-request-id").next().expect("it is there");
            let at =
                seen.ended.iter().position(|ended| ended.id.as_bytes() == id).expect("an exchange of ours");
            let (ended, sent) = (&seen.ended[at], &sent[at]);
            assert_eq!(request.method, sent.head.method);
            assert!(!sent.head.is_ambiguous(), "an ambiguous request went on: {:?}", sent.head.findings);
            if sent.head.target.starts_with(b"/") {
                assert!(request.target_and_version.starts_with(&sent.head.target));
            }
            if request.end.is_some() {
                assert!(sent.whole, "half a request went on as a whole one");
                assert_eq!(request.body, sent.body, "another body");
            } else {
                assert!(sent.body.starts_with(&request.body), "another body");
            }
            if let Some(inspected) = ended.inspected_bytes {
                let unseen = request.body.len() as u64 > inspected;
                // Rules that look at a part only (a limit in monitoring) say so by not wanting the rest.
                assert!(
                    !unseen || inspected > 100,
                    "{} bytes went on, rules saw {inspected}",
                    request.body.len()
                );
            }
            check_fields(&request, &sent.head);
            match request.end {
                // What comes after a switch is the tunnel's.
                Some(_) if ended.status == Some(101) => rest = b"",
                Some(end) => rest = &rest[end..],
                None => return,
            }
        }
        // A head that was being written when the connection ended; never a second beginning.
        assert!(find(rest, b"\r\n\r\n").is_none());
    }
}

/// Fields that are not the hop's went on as they were, in their order.
fn check_fields(request: &Forwarded, sent: &RequestHead) {
    let ours = |name: &[u8]| {
        let lower = name.to_ascii_lowercase();
        lower.starts_with(b"x-forwarded-")
            || [
                &b"x-real-ip"[..],
                b"x-request-id",
                b"host",
                b"te",
                b"connection",
                b"upgrade",
                b"transfer-encoding",
            ]
            .contains(&&lower[..])
    };
    let mut known = sent.headers.iter();
    for (name, value) in request.fields.iter().filter(|(name, _)| !ours(name)) {
        let same = |(known, known_value): (&[u8], &[u8])| known == name && known_value.trim_ascii() == value;
        assert!(known.any(same), "a field that nobody sent: {:?}", String::from_utf8_lossy(name));
    }
}

/// What the client got is answers, each to its request.
fn check_answers(sent: &[u8], seen: &Seen) {
    let requests = requests_of(sent);
    let mut rest = &seen.answers[..];
    let mut at = 0;
    while !rest.is_empty() {
        let Some(end) = find(rest, b"\r\n\r\n") else {
            panic!("half a head: {:?}", String::from_utf8_lossy(rest))
        };
        let mut lines = lines_of(&rest[..end]);
        rest = &rest[end + 4..];
        let line = lines.remove(0);
        let status = line.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3)).map(decimal);
        let status = status.unwrap_or_else(|| panic!("a status line: {:?}", String::from_utf8_lossy(&line)));
        let fields: Vec<_> = lines.into_iter().map(field_of).collect();
        let values = |name: &str| -> Vec<&[u8]> {
            let same = |field: &&(Vec<u8>, Vec<u8>)| field.0.eq_ignore_ascii_case(name.as_bytes());
            fields.iter().filter(same).map(|(_, value)| &value[..]).collect()
        };
        if status == 101 {
            assert!(seen.may_switch, "a tunnel that nobody made");
            return;
        }
        if status < 200 {
            continue;
        }
        let ids = values("x-request-id");
        assert_eq!(ids.len(), 1, "one id");
        let answered = seen.ended.get(at);
        if let Some(ended) = answered {
            assert_eq!((ended.id.as_bytes(), ended.status), (ids[0], Some(status as u16)));
        }
        let head_only = requests.get(at).is_some_and(|request| request.head.method == b"HEAD");
        at += 1;
        let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
        assert!(lengths.len() + codings.len() <= 1 || head_only, "framed by {lengths:?} and {codings:?}");
        if head_only || status == 204 || status == 304 {
            continue;
        }
        // A body that does not come to its end is the end of the connection.
        let used = match (&lengths[..], &codings[..]) {
            ([length], []) => Some(decimal(length)).filter(|length| *length <= rest.len()),
            ([], [coding]) => {
                assert_eq!(*coding, b"chunked");
                read_chunks(rest, true).1
            }
            _ => None,
        };
        rest = used.map_or(&[], |used| &rest[used..]);
    }
    // One more than exchanges: the answer to a head that never came to its end.
    assert!(at <= seen.ended.len() + 1, "{at} answers to {} requests", seen.ended.len());
    let promised = seen.ended.iter().filter(|ended| ended.status.is_some()).count();
    assert!(at >= promised, "{promised} answers were told, {at} came");
}

/// A connection of HTTP/2: bytes of a client, the preface before them unless the options say otherwise.
///
/// What must hold: the connection ends when its client has; what the client gets is frames, none larger than the client takes;
/// every exchange comes to its end.
pub fn http2(input: &[u8]) {
    let [options, cut, frames @ ..] = input else { return };
    let service = SERVICES[usize::from(options & 3)].clone();
    let script = Script::ALL[usize::from(options >> 2 & 7)];
    let mut sent = Vec::new();
    if options & 0x40 == 0 {
        sent.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    }
    sent.extend_from_slice(frames);
    let raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
    let run = Run { service, script, raw, pipe_bytes: 64 * 1024, cut: usize::from(*cut) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let seen = runtime.block_on(run.converse(&sent));
    // Where the preface is not whole it is HTTP/1, which the other target asks about.
    if options & 0x40 != 0 {
        return;
    }
    let mut rest = &seen.answers[..];
    while let [a, b, c, ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        assert!(length <= 16_384, "a frame of {length} bytes");
        rest = rest.get(9 + length..).unwrap_or_default();
    }
    for exchange in &seen.ended {
        assert!(exchange.inspected_bytes.is_none_or(|bytes| bytes <= exchange.body_bytes), "{exchange:?}");
    }
}
