//! What the arguments of a command look like: options, paths, hosts, code.

use super::known::{self, Kind};
use super::lex::{Command, Word, assignment};
use super::meaning::Call;
use crate::detectors::path::is_secret;

/// What a command's arguments look like.
#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) count: usize,
    pub(super) options: bool,
    pub(super) short_options: bool,
    pub(super) path: bool,
    pub(super) secret: bool,
    pub(super) glob: bool,
    pub(super) url: bool,
    pub(super) host: bool,
    pub(super) file: bool,
    pub(super) number: bool,
    pub(super) arithmetic: bool,
    pub(super) substituted: bool,
    /// A program of another language: `<?php`.
    pub(super) program: bool,
    /// The output goes to a file.
    pub(super) written: bool,
    /// It goes to a program, or to where programs lie.
    pub(super) planted: bool,
    /// `\x69`.
    pub(super) escaped: bool,
    /// Words of letters alone.
    pub(super) plain: usize,
    /// An option whose argument is code.
    pub(super) code: bool,
    /// `nc -e /bin/sh`.
    pub(super) runs_shell: bool,
    /// A verb of a program that has verbs.
    pub(super) verb: bool,
    /// `/add`.
    pub(super) switch: bool,
    pub(super) subcommand: bool,
    /// `NAME=value`.
    pub(super) assigned: bool,
    /// A program in braces, as awk takes one.
    pub(super) braced: bool,
}

impl Args {
    pub(super) fn of(call: &Call<'_>, command: &Command) -> Self {
        let mut args = Self { count: call.args.len(), ..Self::default() };
        for (number, word) in call.args.iter().enumerate() {
            let text = &word.text[..];
            let follows = number + 1 < call.args.len();
            args.secret |= is_secret(text);
            args.arithmetic |= word.arithmetic;
            args.substituted |= word.substituted || is_percent_variable(text);
            args.glob |= word.glob
                && text.len() <= 32
                && !text.ends_with(b"?")
                && !text.iter().any(|b| b"{}()<>".contains(b));
            args.escaped |= memchr::memmem::find(text, b"\\x").is_some() || word.odd;
            args.program |=
                memchr::memmem::find(text, b"<?").is_some() || memchr::memmem::find(text, b"<%").is_some();
            if is_option(text) && !word.is_quoted() {
                args.options = true;
                args.short_options |= text.len() <= 4 && !text.starts_with(b"--");
                args.code |= is_code_option(call, text) && follows;
                args.runs_shell |= hands_shell(text, &call.args[number + 1..]);
                continue;
            }
            args.switch |= text.len() > 2 && text[0] == b'/' && text[1..].iter().all(u8::is_ascii_alphabetic);
            // `cmd /c dir`.
            args.code |= follows
                && call.name == b"cmd"
                && matches!(text, [b'/', b'c' | b'C' | b'k' | b'K' | b'r' | b'R', ..]);
            // `dir /s /b`.
            args.options |= matches!(text, [b'/', a] | [b'/', a, _] if a.is_ascii_alphabetic());
            args.path |= is_path(text);
            args.url |= is_url(text) || call.name == b"socat" && text.contains(&b':');
            args.options |= matches!(text, [b'+', c, ..] if c.is_ascii_alphabetic());
            args.host |= is_host(text);
            args.file |= is_file(text);
            args.number |= is_duration(text);
            args.plain += usize::from(is_plain(word));
            args.subcommand |= number == 0 && is_subcommand(&call.name, text);
            args.assigned |= number == 0 && assignment(text).is_some();
            args.braced |= number == 0 && text.starts_with(b"{") && text.ends_with(b"}");
            args.verb |= number == 0 && is_verb(&call.name, text);
        }
        if let Some(glued) = &call.glued {
            args.path |= is_path(glued);
            args.options |= glued.len() == 1;
            args.code |= matches!(&call.name[..], b"iex" | b"invoke-expression");
            args.count += 1;
        }
        for target in &command.redirects {
            args.secret |= is_secret(&target.text);
            args.written |= is_path(&target.text) || is_file(&target.text);
            args.planted |=
                is_path(&target.text) && !target.text.starts_with(b".") || is_planted(&target.text);
            args.path |= is_path(&target.text);
            args.code |= target.text.starts_with(b"/dev/tcp/") || target.text.starts_with(b"/dev/udp/");
        }
        args
    }
}

pub(super) fn is_option(text: &[u8]) -> bool {
    matches!(text, [b'-', b'-', c, ..] if c.is_ascii_alphabetic())
        || matches!(text, [b'-', c, ..] if c.is_ascii_alphanumeric()) && text.len() <= 32
}

/// Whether an option of an interpreter takes code.
fn is_code_option(call: &Call<'_>, text: &[u8]) -> bool {
    if call.kind != Kind::Runs {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    if matches!(&call.name[..], b"powershell" | b"pwsh") {
        // Any unambiguous beginning of -EncodedCommand, -Command, -NoProfile, -WindowStyle, -ExecutionPolicy.
        return ["-e", "-c", "-no", "-w", "-ex", "-nop", "-sta", "-v"]
            .iter()
            .any(|begins| lower.starts_with(begins.as_bytes()));
    }
    matches!(
        &lower[..],
        b"-c"
            | b"-e"
            | b"-r"
            | b"-ne"
            | b"-pe"
            | b"-ic"
            | b"-lc"
            | b"-mio"
            | b"--eval"
            | b"-eval"
            | b"-execute"
            | b"-d"
    ) || lower.starts_with(b"-m") && matches!(&call.name[..], b"perl")
}

/// `-e /bin/sh`, `-c bash`, `EXEC:sh`.
fn hands_shell(option: &[u8], rest: &[Word]) -> bool {
    let gives = option.len() <= 8 && (option.contains(&b'e') || option.contains(&b'c'));
    gives
        && rest.iter().any(|word| {
            let name = word.text.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
            matches!(name, b"sh" | b"bash" | b"cmd.exe" | b"cmd" | b"zsh" | b"powershell" | b"powershell.exe")
        })
}

fn is_path(text: &[u8]) -> bool {
    match text {
        [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic(),
        [drive, b':'] => drive.is_ascii_alphabetic(),
        [b'~', b'/', ..] | [b'.', b'/', ..] | [b'.', b'.', b'/', ..] | [b'\\', b'\\', _, ..] => true,
        b"/" | b"//" | b"~" | b"." | b".." | b"/*" => true,
        [b'/', rest @ ..] => {
            let first = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
            ROOTS.contains(&first)
                || rest.len() > first.len() + 1 && first.len() > 1 && !text.starts_with(b"//")
        }
        _ => {
            text.len() > 4
                && [&b"/etc/"[..], b"/bin/", b"/tmp/", b"\\system32"]
                    .iter()
                    .any(|part| memchr::memmem::find(text, part).is_some())
        }
    }
}

fn is_url(text: &[u8]) -> bool {
    [&b"http://"[..], b"https://", b"ftp://", b"tftp://", b"file://", b"javascript:", b"vbscript:"]
        .iter()
        .any(|scheme| {
            text.get(..scheme.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(scheme))
        })
}

/// A name with dots, or an address.
fn is_host(text: &[u8]) -> bool {
    let host = text.split(|byte| b":/".contains(byte)).next().unwrap_or_default();
    let shaped = host.len() >= 3
        && host.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(byte))
        && host.iter().filter(|byte| **byte == b'.').count() >= 1
        && !host.ends_with(b".")
        && !host.starts_with(b".");
    shaped || matches!(host, b"localhost") || text.starts_with(b"::1")
}

/// A name with an extension.
fn is_file(text: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', text) else { return false };
    let extension = &text[dot + 1..];
    // `.htaccess` is one too.
    let lengths = if dot > 0 { 1..=5 } else { 3..=10 };
    lengths.contains(&extension.len())
        && extension.iter().all(u8::is_ascii_alphanumeric)
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-/\\$*".contains(byte))
}

/// A file that something runs.
fn is_planted(text: &[u8]) -> bool {
    let extension = memchr::memrchr(b'.', text).map_or(&b""[..], |dot| &text[dot + 1..]);
    [
        "php", "phtml", "asp", "aspx", "jsp", "pl", "py", "rb", "sh", "cgi", "bat", "cmd", "ps1", "vbs",
        "exe", "js",
    ]
    .iter()
    .any(|known| extension.eq_ignore_ascii_case(known.as_bytes()))
}

/// `%USERNAME%`.
fn is_percent_variable(text: &[u8]) -> bool {
    let inner = text.strip_prefix(b"%").and_then(|text| text.strip_suffix(b"%")).unwrap_or_default();
    inner.len() >= 2 && inner.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
}

fn is_duration(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let unit = &text[digits..];
    digits > 0
        && text[0].is_ascii_digit()
        && (unit.is_empty()
            || matches!(unit, b"s" | b"m" | b"h" | b"d" | b"'" | b"\"" | b")" | b"}" | b"#" | b"//"))
}

/// A word of letters, as sentences have them.
pub(super) fn is_plain(word: &Word) -> bool {
    let text = &word.text[..];
    let trimmed = text
        .strip_suffix(b",")
        .or_else(|| text.strip_suffix(b"."))
        .or_else(|| text.strip_suffix(b"?"))
        .unwrap_or(text);
    !trimmed.is_empty() && trimmed.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
}

fn is_verb(name: &[u8], text: &[u8]) -> bool {
    known::VERBS.iter().any(|(program, verbs)| {
        name == program.as_bytes() && verbs.iter().any(|verb| text.eq_ignore_ascii_case(verb.as_bytes()))
    })
}

fn is_subcommand(name: &[u8], text: &[u8]) -> bool {
    let subcommands: &[&[u8]] = match name {
        b"docker" => &[b"run", b"exec", b"ps", b"images", b"pull", b"inspect"],
        b"kubectl" => &[b"get", b"exec", b"apply", b"describe", b"delete", b"logs", b"run"],
        b"git" => &[b"clone", b"config"],
        b"apt" | b"apt-get" | b"yum" | b"apk" => &[b"install", b"add", b"update"],
        b"init" => &[b"0", b"6"],
        b"ps" => &[b"aux", b"axu", b"ax", b"ef"],
        b"id" => &[b"root"],
        b"which" | b"whereis" => return known::kind(text).is_some(),
        _ => return false,
    };
    subcommands.contains(&text)
}

/// Folders of a Unix system's root.
const ROOTS: &[&[u8]] = &[
    b"etc", b"tmp", b"var", b"usr", b"bin", b"sbin", b"home", b"root", b"opt", b"proc", b"dev", b"sys",
    b"mnt", b"boot", b"srv", b"run", b"lib",
];
