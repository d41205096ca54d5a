//! E-mail by SMTP: one message a connection, over TLS unless told otherwise, login by PLAIN.
//!
//! Written here because it is a page: the crates that send mail bring a mail composer and Unicode's tables for domain names
//! with them. Addresses are ASCII; everything else is base64, so that nothing in an event can end a line or a header.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use palisade_model::Calendar;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A message and how it goes.
#[derive(Debug)]
pub(super) struct Mail<'m> {
    /// `host` or `host:port`.
    pub(super) server: &'m str,
    pub(super) tls: MailTls,
    pub(super) login: Option<(&'m str, &'m str)>,
    pub(super) from: &'m str,
    pub(super) to: Vec<&'m str>,
    pub(super) subject: &'m str,
    pub(super) text: &'m str,
    pub(super) time_ms: u64,
    /// Distinct for each message.
    pub(super) id: &'m str,
}

/// How a connection to a mail server is made safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MailTls {
    /// It begins plain and must go on over TLS.
    StartTls,
    /// It is TLS from the first byte.
    Tls,
    /// Not at all.
    None,
}

impl MailTls {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" | "starttls" => Ok(Self::StartTls),
            "tls" => Ok(Self::Tls),
            "none" => Ok(Self::None),
            other => Err(format!("`{other}` is none of starttls, tls and none")),
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// Why a message did not go.
#[derive(Debug)]
pub(super) enum Refused {
    /// The server, or the way to it, may do better later.
    Later(String),
    /// It will not be taken as it is.
    Never(String),
}

/// Sends it. `roots` are the authorities that the server is verified by.
pub(super) fn send(mail: &Mail<'_>, roots: Vec<CertificateDer<'static>>) -> Result<(), Refused> {
    let addresses = mail.to.iter().chain([&mail.from]);
    if let Some(bad) = addresses.copied().find(|address| !is_address(address)) {
        return Err(Refused::Never(format!("`{bad}` is no address such as alerts@example.com")));
    }
    if mail.to.is_empty() {
        return Err(Refused::Never("nobody is to have it".to_owned()));
    }
    if mail.tls == MailTls::None && mail.login.is_some() {
        return Err(Refused::Never("a password is not sent without TLS".to_owned()));
    }
    let later = |error: io::Error| Refused::Later(format!("the mail server: {error}"));
    let (host, port) = match mail.server.rsplit_once(':') {
        Some((host, port)) => {
            let port = port.parse().map_err(|_| Refused::Never(format!("`{port}` is no port")))?;
            (host.trim_matches(['[', ']']), port)
        }
        None => (mail.server, mail.tls.port()),
    };
    let stream = connect(host, port).map_err(later)?;
    let over_tls = |stream: TcpStream| secure(stream, host, roots).map_err(later);
    match mail.tls {
        MailTls::None => Session::new(stream).greet()?.deliver(mail),
        MailTls::Tls => Session::new(over_tls(stream)?).greet()?.deliver(mail),
        MailTls::StartTls => {
            let mut session = Session::new(stream).greet()?;
            session.hello()?;
            session.ask("STARTTLS", 220)?;
            // What came after the answer, before TLS, would be somebody else's words.
            if !session.stream.buffer().is_empty() {
                return Err(Refused::Later("the mail server speaks out of turn before TLS".to_owned()));
            }
            Session::new(over_tls(session.stream.into_inner())?).deliver(mail)
        }
    }
}

struct Session<S> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Session<S> {
    fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    fn greet(mut self) -> Result<Self, Refused> {
        self.expect(220)?;
        Ok(self)
    }

    fn hello(&mut self) -> Result<(), Refused> {
        self.ask("EHLO palisade.invalid", 250)
    }

    fn deliver(mut self, mail: &Mail<'_>) -> Result<(), Refused> {
        self.hello()?;
        if let Some((user, password)) = mail.login {
            self.ask(&format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}"))), 235)?;
        }
        self.ask(&format!("MAIL FROM:<{}>", mail.from), 250)?;
        for to in &mail.to {
            self.ask(&format!("RCPT TO:<{to}>"), 250)?;
        }
        self.ask("DATA", 354)?;
        self.ask(&format!("{}\r\n.", message(mail)), 250)?;
        // It is taken: how the server says goodbye makes no difference.
        let _ = self.ask("QUIT", 221);
        Ok(())
    }

    fn ask(&mut self, line: &str, expected: u16) -> Result<(), Refused> {
        let stream = self.stream.get_mut();
        let sent = write!(stream, "{line}\r\n").and_then(|()| stream.flush());
        sent.map_err(|error| Refused::Later(format!("the mail server: {error}")))?;
        self.expect(expected)
    }

    fn expect(&mut self, expected: u16) -> Result<(), Refused> {
        let broken = |why: &str| Refused::Later(format!("the mail server: {why}"));
        for _ in 0..ANSWER_LINES_MAX {
            let mut line = Vec::new();
            let read = (&mut self.stream).take(ANSWER_LINE_BYTES_MAX).read_until(b'\n', &mut line);
            read.map_err(|error| broken(&error.to_string()))?;
            let line = String::from_utf8_lossy(&line);
            let code: u16 = line
                .get(..3)
                .and_then(|code| code.parse().ok())
                .ok_or_else(|| broken("no answer of SMTP"))?;
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            return match code {
                code if code == expected => Ok(()),
                500..600 => Err(Refused::Never(format!("the mail server: {}", line.trim_end()))),
                _ => Err(Refused::Later(format!("the mail server: {}", line.trim_end()))),
            };
        }
        Err(broken("its answer does not end"))
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn secure(
    stream: TcpStream,
    host: &str,
    roots: Vec<CertificateDer<'static>>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(store)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

fn is_address(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.@".contains(&byte);
    let parts = text.split_once('@');
    text.len() <= 254
        && text.bytes().all(known)
        && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// Header and body; lines of at most 78 characters, none of which begins with a dot.
fn message(mail: &Mail<'_>) -> String {
    let mut out = String::new();
    let asctime = Calendar::new(mail.time_ms, 0).asctime();
    let date = match asctime.split_whitespace().collect::<Vec<_>>()[..] {
        [weekday, month, day, time, year] => format!("{weekday}, {day} {month} {year} {time} +0000"),
        _ => asctime,
    };
    let to = mail.to.join(",\r\n ");
    // An encoded word has at most 75 characters: 45 bytes of text, cut between characters.
    let mut words: Vec<String> = vec![String::new()];
    for char in mail.subject.chars().filter(|char| !char.is_control()) {
        if words.last().is_some_and(|word| word.len() + char.len_utf8() > 42) {
            words.push(String::new());
        }
        words.last_mut().expect("there is one").push(char);
    }
    let words: Vec<String> =
        words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
    let host = mail.from.split_once('@').map_or("palisade.invalid", |(_, host)| host);
    out.push_str(&format!("From: {}\r\nTo: {to}\r\nSubject: {}\r\n", mail.from, words.join("\r\n ")));
    out.push_str(&format!("Date: {date}\r\nMessage-ID: <{}@{host}>\r\nMIME-Version: 1.0\r\n", mail.id));
    out.push_str("Auto-Submitted: auto-generated\r\nContent-Type: text/plain; charset=utf-8\r\n");
    out.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
    let body = STANDARD.encode(mail.text);
    for line in body.as_bytes().chunks(76) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push_str("\r\n");
    }
    out.truncate(out.trim_end().len());
    out
}

const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_LINES_MAX: usize = 100;
const ANSWER_LINE_BYTES_MAX: u64 = 4096;
