//! What a command does, and how surely it is one.

use super::arguments::{Args, is_option, is_plain};
use super::known::{self, Kind};
use super::lex::{Command, Dialect, Opening, Word, assignment};
use crate::detectors::path::is_secret;

/// How surely words are a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// An English word, alone.
    Word,
    /// A name that is also a word or a field's.
    Weak,
    /// A name with arguments that fit it.
    Good,
    /// Nobody writes it who does not mean to run it: code in an argument, a file of secrets, a hidden name.
    Sure,
}

/// A command that was understood.
#[derive(Debug)]
pub(super) struct Meaning {
    pub(super) shape: Shape,
    /// Its name, paths and disguises taken off.
    pub(super) name: String,
    /// What it does, for a sentence.
    pub(super) told: String,
    /// Whether it runs what is piped into it.
    pub(super) runs_input: bool,
    /// Whether it has no arguments.
    pub(super) bare: bool,
    /// Whether another command gives its name: that one has to be known.
    pub(super) made: bool,
}

/// Commands that carry one another: `sudo nohup sh`.
const CARRIED_MAX: usize = 6;

/// Understands a command; `None` where it is none that we know.
pub(super) fn meaning(command: &Command, dialect: Dialect) -> Option<Meaning> {
    // `$(</etc/passwd)`.
    if command.words.is_empty() {
        let secret = command.redirects.iter().find(|word| is_secret(&word.text))?;
        return Some(Meaning {
            shape: Shape::Sure,
            name: "<".into(),
            told: format!("reads {}", shown(&secret.text)),
            runs_input: false,
            bare: false,
            made: false,
        });
    }
    let mut words = &command.words[..];
    let listed;
    if let Some(list) = brace_list(&words[0], dialect) {
        listed = list;
        words = &listed;
    }
    let mut carried = false;
    for _ in 0..CARRIED_MAX {
        while let [first, rest @ ..] = words
            && dialect == Dialect::Posix
            && assignment(&first.text).is_some()
        {
            words = rest;
        }
        if let Some(meaning) = by_other_signs(words, command.opening, dialect) {
            return Some(meaning);
        }
        let call = match Call::of(words, dialect) {
            Some(call) => call,
            // `sudo -u root id`: an option's argument.
            None if carried && words.len() > 1 => {
                (words, carried) = (&words[1..], false);
                continue;
            }
            None => return None,
        };
        if call.kind == Kind::Carries {
            carried = true;
            // Its own options come first.
            let options = call.args.iter().take_while(|word| is_option(&word.text)).count();
            words = &call.args[options..];
            continue;
        }
        return call.meaning(command, dialect);
    }
    None
}

/// Commands that have no name that we know: a path that is run, what another command gives, an option that runs.
fn by_other_signs(words: &[Word], opening: Opening, dialect: Dialect) -> Option<Meaning> {
    let (first, args) = words.split_first()?;
    let text = &first.text[..];
    let run = |shape, told: String| {
        Some(Meaning {
            shape,
            name: shown(text),
            told,
            runs_input: false,
            bare: args.is_empty(),
            made: false,
        })
    };
    if dialect == Dialect::Posix {
        if first.glob && is_secret(text) {
            return run(Shape::Sure, format!("names a file of secrets by wildcards, {}", shown(text)));
        }
        let made = known::kind(text).is_none()
            && first.substituted
            && opening != Opening::Start
            && text.iter().all(u8::is_ascii_alphanumeric);
        if made && !args.iter().any(is_plain) {
            return run(Shape::Good, "runs what another command gives".into())
                .map(|made| Meaning { made: true, ..made });
        }
        let placed = [&b"./"[..], b"/tmp/", b"/dev/shm/", b"/var/tmp/"].iter().any(|folder| {
            text.strip_prefix(*folder).is_some_and(|file| {
                !file.is_empty()
                    && file.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
            })
        });
        if placed && !args.iter().any(is_plain) {
            return run(Shape::Weak, format!("runs {}", shown(text)));
        }
    } else if is_windows_program(text) && args.len() <= 4 {
        return run(Shape::Weak, format!("runs {}", shown(text)));
    }
    None
}

/// `calc.exe`, `a.bat`.
fn is_windows_program(text: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', text) else { return false };
    let stem = &text[..dot];
    let is_one = [&b"exe"[..], b"bat", b"cmd", b"ps1", b"vbs"]
        .iter()
        .any(|known| text[dot + 1..].eq_ignore_ascii_case(known));
    is_one
        && !stem.is_empty()
        && stem.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-\\:".contains(byte))
        && known::kind(&stem.to_ascii_lowercase()).is_none()
}

/// Whether words hand a program of the application an option that runs what it is given.
pub(super) fn running_option(words: &[Word]) -> Option<String> {
    let runs = |text: &[u8]| {
        known::RUNNING_OPTIONS.iter().any(|option| {
            text.len() > option.len() && text[..option.len()].eq_ignore_ascii_case(option.as_bytes())
        })
    };
    let found = words.iter().enumerate().find_map(|(at, word)| {
        // `-o ProxyCommand=x`, in two words.
        let joined = (&word.text[..] == b"-o")
            .then(|| words.get(at + 1))
            .flatten()
            .map(|value| [&word.text[..], &value.text].concat());
        joined.filter(|joined| runs(joined)).or_else(|| runs(&word.text).then(|| word.text.to_vec()))
    })?;
    Some(format!("an option that runs what it is given, {}", shown(&found)))
}

/// A command's name and arguments.
pub(super) struct Call<'c> {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    /// Given by the path of a folder of programs.
    by_path: bool,
    /// Spelled to hide.
    hidden: bool,
    /// Written in lower case, as POSIX has it.
    lower: bool,
    pub(super) args: &'c [Word],
    /// An argument that stands in the name's own word: `dir+c:/`, `dir/s`.
    pub(super) glued: Option<Vec<u8>>,
}

impl<'c> Call<'c> {
    fn of(words: &'c [Word], dialect: Dialect) -> Option<Self> {
        let (first, args) = words.split_first()?;
        let text = &first.text[..];
        if first.glob
            && first.odd | text.starts_with(b"/")
            && let Some(name) = known::of_glob(text)
        {
            return Some(Self {
                name: name.into(),
                kind: known::kind(name.as_bytes())?,
                by_path: true,
                hidden: true,
                lower: true,
                args,
                glued: None,
            });
        }
        let (folder, mut base) = split_folder(text, dialect);
        let mut glued = None;
        if dialect == Dialect::Windows
            && folder.is_empty()
            && let Some(at) = base.iter().position(|byte| b"/,(".contains(byte))
            && at > 0
        {
            glued = Some(base[at + 1..].to_vec());
            base = &base[..at];
        }
        while let [rest @ .., b')' | b'}' | b'"' | b'\'' | b']' | b',' | b'`'] = base {
            base = rest;
        }
        if base.is_empty() || base.len() > 40 {
            return None;
        }
        let name = base.to_ascii_lowercase();
        let name = [&b".exe"[..], b".com"]
            .into_iter()
            .find_map(|suffix| name.strip_suffix(suffix).map(<[u8]>::to_vec))
            .unwrap_or(name);
        let by_path = !folder.is_empty();
        if by_path && !is_program_folder(folder) {
            return None;
        }
        let kind = match known::kind(&name) {
            Some(kind) => kind,
            None if known::is_cmdlet(base) => Kind::Tells,
            None => return None,
        };
        // In `print("a")` what is quoted is no part of the name.
        let hidden = glued.is_none() && (first.odd || first.is_patched());
        Some(Self {
            lower: !base.iter().any(u8::is_ascii_uppercase),
            name,
            kind,
            by_path,
            hidden,
            args,
            glued,
        })
    }

    fn meaning(&self, command: &Command, dialect: Dialect) -> Option<Meaning> {
        let args = Args::of(self, command);
        let shape = self.shape(&args, command)?;
        // POSIX names are in lower case. Windows does not care, but a word in capitals is somebody's headline.
        let by_capitals = dialect == Dialect::Windows && shape > Shape::Weak;
        if !(self.lower || self.hidden || by_capitals) {
            return None;
        }
        let name = String::from_utf8_lossy(&self.name).into_owned();
        let told = self.told(&name, &args, command);
        let bare = self.args.iter().all(|word| matches!(&word.text[..], b"-" | b"-s" | b"-i"));
        Some(Meaning {
            shape,
            runs_input: self.kind == Kind::Runs && bare,
            bare: args.count == 0,
            made: false,
            told,
            name,
        })
    }

    fn shape(&self, args: &Args, command: &Command) -> Option<Shape> {
        let shape = self.shape_by_arguments(args, command);
        if self.hidden {
            return Some(Shape::Sure);
        }
        let wordy = self.kind == Kind::Says
            || args.subcommand && args.options
            || self.kind == Kind::Verbs && !matches!(&self.name[..], b"net" | b"ip" | b"query" | b"route");
        if args.plain >= 3 && shape != Some(Shape::Sure) && !(wordy && args.plain <= 5) {
            return None;
        }
        if self.by_path { shape.max(Some(Shape::Good)) } else { shape }
    }

    fn shape_by_arguments(&self, args: &Args, command: &Command) -> Option<Shape> {
        let word = is_english(&self.name);
        let bare = args.count == 0;
        if args.secret {
            return Some(Shape::Sure);
        }
        match self.kind {
            Kind::Tells if args.plain <= 1 => Some(Shape::Good),
            Kind::Tells => None,
            Kind::Short if args.options || args.path => Some(Shape::Good),
            Kind::Short if args.subcommand && args.count == 1 => Some(Shape::Good),
            Kind::Short if bare => Some(Shape::Weak),
            Kind::Files if args.path || args.glob => Some(Shape::Good),
            Kind::Files if args.braced && self.name.ends_with(b"awk") => Some(Shape::Good),
            Kind::Files if args.options && (!word || args.short_options) => Some(Shape::Good),
            Kind::Files if args.file && (!word || args.plain == 0 && args.count <= 2) => Some(Shape::Good),
            Kind::Files if self.name == b"tr" && args.count == 2 && args.plain == 0 => Some(Shape::Good),
            Kind::Files if bare && command.opening == Opening::Pipe && !word => Some(Shape::Weak),
            Kind::Files if bare => Some(Shape::Word),
            Kind::Net if args.runs_shell => Some(Shape::Sure),
            Kind::Net if args.url || args.substituted => Some(Shape::Good),
            Kind::Net if args.host && (!word || args.count <= 2) => Some(Shape::Good),
            Kind::Net if args.options && !word => Some(Shape::Good),
            Kind::Waits if args.number && args.plain == 0 => Some(Shape::Good),
            Kind::Runs if args.code => Some(Shape::Sure),
            Kind::Runs if args.path || args.url || args.file => Some(Shape::Good),
            Kind::Runs if args.options && !word => Some(Shape::Good),
            Kind::Runs if bare => Some(Shape::Weak),
            Kind::Says if args.arithmetic || args.program || args.planted => Some(Shape::Sure),
            Kind::Says if args.substituted || args.escaped || args.written => Some(Shape::Good),
            Kind::Says if args.count > 0 && args.count <= 2 => Some(Shape::Weak),
            // A condition alone runs nothing; what follows it does.
            Kind::Word if matches!(&self.name[..], b"[" | b"[[") => Some(Shape::Weak),
            Kind::Word if args.path || args.short_options => Some(Shape::Good),
            Kind::Word if args.options && self.name == b"find" => Some(Shape::Good),
            Kind::Word if args.options && self.name == b"set" => Some(Shape::Good),
            Kind::Word if args.subcommand => Some(Shape::Good),
            Kind::Word if args.assigned && matches!(&self.name[..], b"export" | b"alias") => {
                Some(Shape::Good)
            }
            Kind::Word if bare && matches!(&self.name[..], b"reboot" | b"poweroff") => Some(Shape::Weak),
            Kind::Word if bare => Some(Shape::Word),
            Kind::Verbs if args.verb && args.switch => Some(Shape::Sure),
            Kind::Verbs if args.verb && args.plain <= 5 => Some(Shape::Good),
            _ => None,
        }
    }

    fn told(&self, name: &str, args: &Args, command: &Command) -> String {
        let mut told = format!("runs {name}");
        if let Some(word) = self.args.iter().chain(&command.redirects).find(|word| is_secret(&word.text)) {
            told.push_str(&format!(" on {}", shown(&word.text)));
        } else if args.runs_shell {
            told.push_str(", which hands a shell to another host");
        } else if args.code {
            told.push_str(" with code of its own");
        } else if args.arithmetic {
            told.push_str(" with a sum, to see whether it is run");
        } else if args.written {
            told.push_str(", written to a file");
        } else if let Some(word) = self.args.first() {
            told.push_str(&format!(" {}", shown(&word.text)));
        }
        if self.hidden {
            told.push_str(", its name hidden by quoting, wildcards or expansions");
        }
        told
    }
}

/// The folder and the name of a program's path.
fn split_folder(text: &[u8], dialect: Dialect) -> (&[u8], &[u8]) {
    let is_separator = |byte: &u8| *byte == b'/' || *byte == b'\\' && dialect == Dialect::Windows;
    match text.iter().rposition(is_separator) {
        // `dir/s` has no folder.
        Some(at) if dialect == Dialect::Posix || text[at] == b'\\' => (&text[..=at], &text[at + 1..]),
        Some(at) if text.starts_with(b"/") || text.get(1) == Some(&b':') => (&text[..=at], &text[at + 1..]),
        _ => (b"", text),
    }
}

fn is_program_folder(folder: &[u8]) -> bool {
    let lower: Vec<u8> = folder
        .iter()
        .take(128)
        .map(|byte| if *byte == b'\\' { b'/' } else { byte.to_ascii_lowercase() })
        .collect();
    let mut lower = lower;
    lower.dedup_by(|a, b| *a == b'/' && *b == b'/');
    let mut path = &lower[..];
    while let Some(rest) = path.strip_prefix(b"/") {
        path = rest;
    }
    // `/bin//../bin/` is one too; what counts is where it ends.
    [&b"bin/"[..], b"sbin/", b"system32/", b"syswow64/", b"v1.0/"].iter().any(|end| path.ends_with(end))
        && (lower.starts_with(b"/") || lower.get(1) == Some(&b':') || path.starts_with(b"windows/"))
        && ![&b"node_modules/"[..], b"api/", b"cgi-bin/"]
            .iter()
            .any(|part| memchr::memmem::find(path, part).is_some())
}

/// `{cat,/etc/passwd}`.
fn brace_list(word: &Word, dialect: Dialect) -> Option<Vec<Word>> {
    let inner = word.text.strip_prefix(b"{")?.strip_suffix(b"}")?;
    if dialect == Dialect::Windows
        || !inner.contains(&b',')
        || inner.iter().any(|byte| b":{}\"".contains(byte))
    {
        return None;
    }
    Some(inner.split(|byte| *byte == b',').map(Word::of_list).collect())
}

/// Names of commands that sentences hold.
fn is_english(name: &[u8]) -> bool {
    ENGLISH.contains(&name)
}

const ENGLISH: &[&[u8]] = &[
    b"head",
    b"tail",
    b"more",
    b"less",
    b"strings",
    b"cut",
    b"touch",
    b"type",
    b"copy",
    b"move",
    b"erase",
    b"file",
    b"source",
    b"sort",
    b"paste",
    b"fold",
    b"tree",
    b"split",
    b"host",
    b"fetch",
    b"links",
    b"lynx",
    b"node",
    b"fish",
    b"expect",
    b"java",
    b"ruby",
    b"python",
    b"perl",
    b"dash",
    b"ash",
    b"cd",
    b"md",
    b"rd",
    b"ed",
    b"rev",
    b"diff",
    b"nl",
    b"ren",
    b"truncate",
    b"tr",
    b"tee",
    b"truncate",
    b"rm",
    b"cp",
    b"mv",
    b"ln",
    b"dd",
    b"gc",
    b"del",
    b"zip",
    b"tar",
    b"cat",
    b"ftp",
    b"cmd",
];

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(48)]).into_owned()
}
