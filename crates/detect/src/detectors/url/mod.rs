//! Addresses that an application would fetch, include or send people to.
//!
//! # What it finds
//! A value that is a URL of something inside (loopback, private networks, the cloud's metadata service, the cluster's own
//! names) in every spelling of an address that resolvers take; schemes that only smugglers use (gopher, dict, tftp, jar);
//! scripts on other hosts, meant to be included; and, with little confidence, URLs that leave the site by a trick.
//!
//! # Why it matters
//! What fetches a URL for a visitor stands behind the firewall: metadata gives cloud credentials, a kubelet runs commands.
//!
//! # How it decides
//! The value as a whole is read as lenient URL parsers read it: either slash, user names before `@`, several readings of
//! where the host ends. The host is read as `inet_aton` reads it (decimal, octal, hexadecimal, short forms), as IPv6 with
//! IPv4 inside, or as a name that resolves inside. An oddly spelled inner address is no accident; a plain
//! `http://localhost/` is what developers type, so headers that browsers fill in may hold it. URLs among words are prose.
//!
//! # Example
//! `http://2852039166/latest/meta-data/` asks the metadata service, its address written as one number.
//!
//! # What it misses
//! A public name that resolves to an inner address, and redirects of a fetched page; a host alone, without a scheme.
//!
//! # References
//! CWE-918, CWE-98, CWE-601; RFC 3986; WHATWG URL standard, "IPv4 parser"; RFC 6890 (special-purpose addresses).

mod host;

use palisade_codec::ByteSet;
use palisade_model::Root;

use self::host::Host;
use super::{Detector, Evidence, frame::Frame};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "url", attack: Attack::Ssrf, gate: ByteSet::of(b":/\\"), look };

/// Bytes of a URL that are read: its host stands at the beginning.
const URL_BYTES_MAX: usize = 2048;

/// Words of a value that may be a URL: blanks in commands to Redis, which `dict:` and `gopher:` carry.
const URL_WORDS_MAX: usize = 8;

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes.trim_ascii_start();
    let text = text.strip_prefix(b"\"").or_else(|| text.strip_prefix(b"'")).unwrap_or(text);
    // `url=http://...`: a parameter inside a value.
    let name = text.iter().take(24).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let text = if name > 0 && text.get(name) == Some(&b'=') { &text[name + 1..] } else { text };
    // `/proxy/http://...`: a path that carries one.
    let in_path = value.point.root == Root::Path && value.point.path.is_empty();
    let text = if in_path { in_path_of(text) } else { text };
    let text = &text[..text.len().min(URL_BYTES_MAX)];
    // What begins neither with a scheme nor with slashes is no URL, and most values are none.
    let Some(url) = Url::read(text) else { return };
    if Frame::of(text).words > URL_WORDS_MAX {
        return;
    }
    let said = Said { value, len: value.bytes.len() };
    said.scheme(&url, evidence);
    for host in url.hosts() {
        said.host(&url, &host, evidence);
    }
    said.inclusion(&url, evidence);
    said.redirect(&url, evidence);
}

/// The URL inside a path, or the path.
fn in_path_of(path: &[u8]) -> &[u8] {
    let Some(colon) = memchr::memmem::find(path, b"://").or_else(|| memchr::memmem::find(path, b":\\\\"))
    else {
        return b"";
    };
    let scheme = path[..colon].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    &path[colon - scheme..]
}

/// A URL as lenient parsers take it apart.
#[derive(Debug)]
struct Url<'t> {
    /// In lower case; empty where it begins with slashes.
    scheme: Vec<u8>,
    /// Behind the scheme's colon.
    rest: &'t [u8],
    /// Slashes before the authority.
    slashes: usize,
    /// Whether a slash is written as a backslash there.
    backslash: bool,
    /// The authority, with user name and port.
    authority: &'t [u8],
    /// Behind it.
    path: &'t [u8],
}

impl<'t> Url<'t> {
    fn read(text: &'t [u8]) -> Option<Self> {
        let first = *text.first()?;
        if first == b'/' || first == b'\\' {
            let url = Self::behind(Vec::new(), text);
            return (url.slashes >= 2).then_some(url);
        }
        if !first.is_ascii_alphanumeric() {
            return None;
        }
        let in_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let colon = text.iter().take(24).position(|byte| !in_scheme(byte)).filter(|at| text[*at] == b':')?;
        let mut scheme = text[..colon].to_ascii_lowercase();
        let rest = &text[colon + 1..];
        // `jar:http://...`, `url:http://...`, `view-source:http://...` carry another.
        if matches!(&scheme[..], b"jar" | b"url" | b"view-source" | b"feed" | b"blob") {
            let mut inner = Self::read(rest)?;
            if scheme == b"jar" {
                inner.scheme = std::mem::take(&mut scheme);
            }
            return Some(inner);
        }
        let url = Self::behind(scheme, rest);
        // `name: value` is no URL, `10:/20` is none either.
        let by_name = url.scheme[0].is_ascii_alphabetic();
        ((url.slashes > 0 && by_name || url.slashes > 1) || matches!(&url.scheme[..], b"http" | b"https"))
            .then_some(url)
    }

    fn behind(scheme: Vec<u8>, rest: &'t [u8]) -> Self {
        let slashes =
            rest.iter().take_while(|byte| matches!(byte, b'/' | b'\\' | b'\t' | b'\r' | b'\n')).count();
        let backslash = rest[..slashes].contains(&b'\\');
        let behind = &rest[slashes..];
        let end = behind
            .iter()
            .position(|byte| b"/\\?#!\0".contains(byte) || *byte <= b' ')
            .unwrap_or(behind.len());
        Self { scheme, rest, slashes, backslash, authority: &behind[..end], path: &behind[end..] }
    }

    /// The hosts that parsers disagree about: behind a user name, and where `#`, `?` or a backslash stands before `@`,
    /// what comes after it too.
    fn hosts(&self) -> Vec<Host> {
        let mut hosts = Vec::new();
        if let Some(host) = Host::read(without_user(self.authority)) {
            hosts.push(host);
        }
        let end = self.path.iter().position(|byte| *byte == b'/').unwrap_or(self.path.len());
        if !self.path.starts_with(b"/")
            && let Some(at) = memchr::memrchr(b'@', &self.path[..end])
            && let Some(mut host) = Host::read(&self.path[at + 1..end])
        {
            host.odd = true;
            hosts.push(host);
        }
        hosts
    }

    /// Whether a user name stands before the host.
    fn has_user(&self) -> bool {
        self.authority.contains(&b'@')
    }
}

fn without_user(authority: &[u8]) -> &[u8] {
    memchr::memrchr(b'@', authority).map_or(authority, |at| &authority[at + 1..])
}

/// Where findings of one value go.
struct Said<'v> {
    value: &'v Value<'v>,
    len: usize,
}

impl Said<'_> {
    /// Schemes that only smugglers use.
    fn scheme(&self, url: &Url<'_>, evidence: &mut Evidence<'_>) {
        let (confidence, what) = match &url.scheme[..] {
            b"gopher" => (Confidence::CERTAIN, "any bytes to any port, by the gopher scheme"),
            b"dict" => (Confidence::STRONG, "a command to a service, by the dict scheme"),
            b"tftp" => (Confidence::STRONG, "a file by TFTP"),
            b"jar" => (Confidence::STRONG, "an archive that Java fetches, by the jar scheme"),
            b"netdoc" => (Confidence::STRONG, "a file by Java's netdoc scheme"),
            b"rmi" => (Confidence::LIKELY, "an object by Java's RMI"),
            b"ldap" | b"ldaps" | b"ldapi" => (Confidence::POSSIBLE, "a directory's entry, by LDAP"),
            b"smb" | b"telnet" | b"sftp" | b"imap" | b"smtp" | b"pop3" | b"nfs" => {
                (Confidence::HINT, "a scheme that pages do not use")
            }
            _ => return,
        };
        evidence.found(confidence, 0..self.len, what);
    }

    /// Where the host lies.
    fn host(&self, url: &Url<'_>, host: &Host, evidence: &mut Evidence<'_>) {
        let Some(place) = host.place() else { return };
        let odd = host.odd || url.backslash || url.slashes == 1;
        let by_user = url.has_user();
        let fetched = matches!(&url.scheme[..], b"" | b"http" | b"https" | b"ftp");
        let confidence = match place {
            // Where the visitor came from, or thinks to be: what a developer's browser sends.
            // Nobody's browser was at the metadata service.
            _ if self.filled_in_by_browsers() && !odd && !by_user && place != host::Place::Metadata => {
                Confidence::HINT
            }
            // Names of applications and identities are no addresses that anybody fetches.
            _ if !fetched && !FETCHED.contains(&&url.scheme[..]) => Confidence::POSSIBLE,
            host::Place::Loopback if self.tells_of_the_client() && !odd && !by_user => Confidence::POSSIBLE,
            host::Place::Internal if !odd && !by_user => Confidence::POSSIBLE,
            host::Place::Metadata | host::Place::Unspecified => Confidence::STRONG,
            _ if odd || by_user => Confidence::STRONG,
            _ if !fetched => Confidence::STRONG,
            _ => Confidence::LIKELY,
        };
        let spelled = match (host.odd, url.backslash, by_user) {
            (true, ..) => ", its address spelled oddly",
            (_, true, _) => ", behind backslashes",
            (.., true) => ", behind a user name",
            _ => "",
        };
        evidence.found(confidence, 0..self.len, format!("a URL of {}{spelled}", place.told()));
    }

    /// Scripts on other hosts, meant to be included.
    fn inclusion(&self, url: &Url<'_>, evidence: &mut Evidence<'_>) {
        if !matches!(&url.scheme[..], b"http" | b"https" | b"ftp" | b"ftps" | b"") || url.slashes == 0 {
            return;
        }
        if self.filled_in_by_browsers() {
            return;
        }
        let end = url.path.iter().position(|byte| b"?#\0".contains(byte)).unwrap_or(url.path.len());
        let (path, tail) = url.path.split_at(end);
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_ascii_lowercase();
        let Some(dot) = memchr::memrchr(b'.', &name) else { return };
        let (stem, extension) = (&name[..dot], &name[dot + 1..]);
        let script = SCRIPTS.contains(&extension);
        if !script && extension != b"txt" {
            return;
        }
        let numbers = Host::read(without_user(url.authority)).is_some_and(|host| host.address.is_some());
        // What the application appends (`.php`) is cut off by it.
        let cut = matches!(tail, [b'\0', ..] | b"?" | b"??" | b"#");
        let shell = SHELLS.contains(&stem);
        let confidence = match (numbers, cut, shell, script) {
            (_, _, true, _) if numbers || cut => Confidence::CERTAIN,
            (true, true, ..) => Confidence::STRONG,
            (_, true, ..) if tail.first() == Some(&0) => Confidence::STRONG,
            (true, _, _, true) | (_, true, _, false) => Confidence::LIKELY,
            (_, _, true, true) => Confidence::POSSIBLE,
            _ => return,
        };
        let cut = if cut { ", what would be appended cut off" } else { "" };
        evidence.found_as(
            Attack::FileInclusion,
            confidence,
            0..self.len,
            format!("a script on another host, to be included{cut}"),
        );
    }

    /// URLs that leave the site by a trick.
    fn redirect(&self, url: &Url<'_>, evidence: &mut Evidence<'_>) {
        if !url.scheme.is_empty() && !matches!(&url.scheme[..], b"http" | b"https") {
            return;
        }
        if !url.authority.contains(&b'.') || self.value.point.root == Root::Path {
            return;
        }
        let why = if url.scheme.is_empty() && url.backslash && !url.rest.starts_with(b"\\\\") {
            "leaves the site by a backslash that browsers read as a slash"
        } else if url.slashes > 2 && url.scheme.is_empty() {
            "leaves the site behind more slashes than checks expect"
        } else if !url.scheme.is_empty() && url.slashes < 2 {
            "leaves the site by a scheme without slashes"
        } else if url.scheme.is_empty() {
            "leaves the site by a URL without scheme"
        } else {
            return;
        };
        evidence.found_as(Attack::Redirect, Confidence::HINT, 0..self.len, why);
    }

    /// Whether the value stands where a client names an address of its own: a program on somebody's machine that waits for
    /// its token, pages that a developer allows, telemetry about what was called.
    fn tells_of_the_client(&self) -> bool {
        let path = self.value.point.path;
        let mut steps = path.rsplit(|byte| b"/[].".contains(byte)).filter(|step| !step.is_empty());
        let named = steps.find(|step| !step.iter().all(u8::is_ascii_digit)).unwrap_or_default();
        let name: Vec<u8> =
            named.iter().filter(|byte| !b"_-".contains(byte)).map(u8::to_ascii_lowercase).collect();
        CLIENTS.contains(&&name[..])
            || named == b"stringValue" && memchr::memmem::find(path, b"/attributes/").is_some()
    }

    /// Whether the value stands where browsers put the address of the page.
    fn filled_in_by_browsers(&self) -> bool {
        self.value.point.root == Root::Header
            && matches!(self.value.point.path, b"referer" | b"origin" | b"host" | b"user-agent" | b"from")
    }
}

/// Schemes that something on a server fetches, beside those of pages.
const FETCHED: &[&[u8]] = &[
    b"gopher", b"dict", b"tftp", b"sftp", b"ftps", b"ldap", b"ldaps", b"ldapi", b"jar", b"netdoc", b"rmi",
    b"smb", b"ssh", b"telnet", b"imap", b"smtp", b"pop3", b"nfs", b"file", b"feed", b"svn", b"git",
];

/// Names of fields in which a client names an address of its own, `_` and `-` left out.
const CLIENTS: &[&[u8]] = &[
    b"redirecturi",
    b"redirecturis",
    b"postlogoutredirecturi",
    b"origin",
    b"origins",
    b"allowedorigins",
    b"weborigins",
    b"issuer",
    b"currenturl",
    b"documenturi",
];

/// Extensions of files that are run where they are included.
const SCRIPTS: &[&[u8]] = &[
    b"php", b"php3", b"php4", b"php5", b"phtml", b"asp", b"aspx", b"jsp", b"jspx", b"cfm", b"cgi", b"pl",
    b"py", b"rb", b"sh", b"inc",
];

/// Names of web shells.
const SHELLS: &[&[u8]] = &[
    b"shell",
    b"cmd",
    b"c99",
    b"r57",
    b"wso",
    b"b374k",
    b"backdoor",
    b"evil",
    b"webshell",
    b"rfi",
    b"id",
    b"bd",
    b"rev",
    b"exploit",
    b"payload",
    b"malware",
    b"inject",
    b"poc",
];
