//! Commands of an operating system, where an application would hand them to a shell.
//!
//! # What it finds
//! A value that ends the command into which it is put, or substitutes into it, and then runs one of its own: in POSIX
//! shells, cmd.exe and PowerShell, with the tricks of quoting and expansion that each of them undoes.
//!
//! # Why it matters
//! Whoever runs a command on a server has the server.
//!
//! # How it decides
//! The value is read as a command line three times: as it would stand bare, and from behind a quote of either kind that it
//! closes; each time by POSIX rules and by Windows'. What counts is what would run: a known program with arguments that fit
//! it (half of all names are English words: `find` alone is none), how surely it is meant, and behind what it begins. An
//! injected command follows an argument: nothing, or a word. The same command among sentences or lines of a script is
//! quoted by somebody. A complete command without anything before it may be meant for a console.
//!
//! # Example
//! `8.8.8.8; c'a't${IFS}/etc/passwd` ends the command by `;`, then runs `cat` on `/etc/passwd`.
//!
//! # What it misses
//! Programs that we do not know; English words that are programs, without arguments.
//!
//! # References
//! CWE-77, CWE-78; POSIX.1-2024 "Shell Command Language"; bash reference manual, "Shell Expansions"; Microsoft, "cmd".

mod arguments;
mod hint;
mod known;
mod lex;
mod meaning;

use palisade_codec::ByteSet;
use palisade_model::Root;

use self::lex::{Command, Dialect, Opening};
use self::meaning::{Meaning, Shape, meaning, running_option};
use super::{Detector, Evidence, frame::Frame};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "shell", attack: Attack::Rce, gate: ByteSet::of(b";|&\n\r`$<>{'\"/-^%\\"), look };

/// Bytes without which nothing begins a command but the value's beginning.
const BREAKS: ByteSet = ByteSet::of(hint::BREAKS);

/// Bytes with which a value of one quote begins a new reading.
const WINDOWS: ByteSet = ByteSet::of(b";|&\n\r^%$:\\");

/// Makes the tables that it reads by.
pub(super) fn prepare() {
    known::prepare();
}

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    // What browsers say of themselves has semicolons and parentheses of its own.
    if value.point.root == Root::Header
        && matches!(value.point.path, b"accept" | b"accept-language" | b"accept-encoding")
    {
        return;
    }
    let breaks = BREAKS.intersects(value.set);
    // A word alone runs nothing, unless it names a file by wildcards or is an option.
    if !breaks && !value.set.contains(b' ') && !matches!(text.first(), Some(b'/' | b'-')) {
        return;
    }
    let frame = Frame::of(text);
    if !hint::worth_reading(text, breaks) || !breaks && frame.is_text() {
        return;
    }
    let mut best: Option<Judged> = None;
    keep(&mut best, judge(text, 0, Dialect::Posix, &frame));
    if WINDOWS.intersects(value.set) {
        keep(&mut best, judge(text, 0, Dialect::Windows, &frame));
    }
    // `+` for a blank, where somebody has encoded twice.
    let begins = text.first().is_some_and(|byte| b";|&$`'\"".contains(byte)) || text.starts_with(b"/?");
    if begins && frame.words == 1 && value.set.contains(b'+') {
        let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        for dialect in [Dialect::Posix, Dialect::Windows] {
            let judged = judge(&spaced, 0, dialect, &Frame::of(&spaced));
            keep(&mut best, judged);
        }
    }
    for quote in [b'\'', b'"'].into_iter().filter(|_| breaks) {
        if let Some(at) = memchr::memchr(quote, text) {
            // `awk '{print}' x | sort`: it opens an argument.
            if at > 0 && text[at - 1] == b' ' && (is_command_line(text) || begins_as_a_script(text)) {
                continue;
            }
            keep(&mut best, judge(text, at + 1, Dialect::Posix, &frame));
            if quote == b'"' && WINDOWS.intersects(value.set) {
                keep(&mut best, judge(text, at + 1, Dialect::Windows, &frame));
            }
        }
    }
    // What is worth a hint in a text, every text about computers has.
    if let Some(judged) = best.filter(|judged| judged.confidence > Confidence::HINT) {
        evidence.found(judged.confidence, judged.at, judged.why);
    }
}

/// Keeps the stronger of two.
fn keep(best: &mut Option<Judged>, judged: Option<Judged>) {
    if let Some(judged) = judged
        && best.as_ref().is_none_or(|best| judged.confidence > best.confidence)
    {
        *best = Some(judged);
    }
}

/// What a reading of the value came to.
struct Judged {
    confidence: Confidence,
    at: std::ops::Range<usize>,
    why: String,
}

/// What stands before a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lead {
    /// Nothing, or what closes a quote.
    Nothing,
    /// A word that is no word of a language: a number, an address, a path.
    Argument,
    /// A word.
    Word,
    /// A few words.
    Words,
    /// Sentences or lines.
    Text,
}

impl Lead {
    fn of(before: &[u8], frame: &Frame) -> Self {
        let trimmed = before.trim_ascii();
        let frame_before = Frame::of(trimmed);
        let script = before.starts_with(b"#!") || memchr::memmem::find(before, b"```").is_some();
        if frame_before.lines > 2 || frame_before.words > 4 || frame.lines > 4 || script {
            return Self::Text;
        }
        if trimmed.iter().all(|byte| b"'\")]}\\%*;&|$".contains(byte)) {
            return Self::Nothing;
        }
        match frame_before.words {
            0 | 1 if trimmed.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80) => Self::Word,
            0 | 1 => Self::Argument,
            _ => Self::Words,
        }
    }
}

/// Whether the last of three backticks at the beginning of a line stands there, which Markdown opens code with: the name
/// of a language follows, and nothing else on the line.
fn opens_fence(text: &[u8], at: usize) -> bool {
    let Some(before) = text[..at].strip_suffix(b"``") else { return false };
    let begins_line = before.last().is_none_or(|byte| *byte == b'\n');
    let Some(rest) = text[at..].strip_prefix(b"`").filter(|_| begins_line) else { return false };
    let Some(end) = memchr::memchr(b'\n', rest) else { return false };
    let language = rest[..end].trim_ascii_end();
    language.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-_#".contains(byte))
        && memchr::memmem::find(&rest[end..], b"\n```").is_some()
}

/// Commands joined by pipes, understood.
struct Pipeline<'c> {
    first: &'c Command,
    end: usize,
    shape: Shape,
    told: String,
    /// Whether none of them has arguments.
    bare: bool,
}

fn judge(text: &[u8], from: usize, dialect: Dialect, frame: &Frame) -> Option<Judged> {
    let commands = lex::commands(text, from, dialect);
    if let Some(command) = commands.first().filter(|_| frame.lines <= 2)
        && let Some(why) = running_option(&command.words)
    {
        return Some(Judged { confidence: Confidence::STRONG, at: command.at..command.end, why });
    }
    let pipelines = pipelines(&commands, dialect);
    let injected = pipelines
        .iter()
        .find(|pipeline| pipeline.first.opening != Opening::Start && pipeline.shape > Shape::Word)
        .or_else(|| pipelines.iter().find(|pipeline| pipeline.first.opening != Opening::Start));
    // A line that somebody types begins with a command.
    let typed = begins_as_a_script(text)
        || begins_with_option(text)
        || pipelines.first().is_some_and(|pipeline| {
            pipeline.first.opening == Opening::Start && pipeline.shape >= Shape::Good
        });
    // `;if true;then id;fi`: what leads is what stands before the whole of it.
    let compound = commands.iter().find(|command| {
        command.opening != Opening::Start
            && command.words.first().is_some_and(|word| COMPOUNDS.contains(&&word.text[..]))
    });
    let lead = injected.map_or(Lead::Nothing, |pipeline| {
        let begin = compound.map_or(pipeline.first.at, |compound| compound.at.min(pipeline.first.at));
        if opens_fence(text, begin) { Lead::Text } else { Lead::of(&text[..begin], frame) }
    });
    let last = pipelines.iter().map(|pipeline| pipeline.end).max().unwrap_or(0);
    let mut best: Option<Judged> = None;
    for pipeline in &pipelines {
        let confidence = if pipeline.first.opening == Opening::Start {
            alone(pipeline, text, frame)
        } else {
            broken_out(pipeline, lead, text, last, frame)
        };
        let injected = pipeline.first.opening != Opening::Start;
        let confidence = if typed && injected && from == 0 && pipeline.shape < Shape::Sure {
            confidence.min(Confidence::POSSIBLE)
        } else {
            confidence
        };
        if best.as_ref().is_none_or(|best| confidence > best.confidence) {
            let why = format!("{}{}", pipeline.first.opening.told(), pipeline.told);
            best = Some(Judged { confidence, at: pipeline.first.at..pipeline.end, why });
        }
    }
    best
}

/// A complete command at the beginning.
fn alone(pipeline: &Pipeline<'_>, text: &[u8], frame: &Frame) -> Confidence {
    // `netstat -an|`: what Perl's open() takes for a program.
    let opened = text.trim_ascii_end().ends_with(b"|")
        && frame.lines == 1
        && memchr::memchr_iter(b'|', text).count() == 1;
    match pipeline.shape {
        Shape::Good if opened => Confidence::LIKELY,
        Shape::Sure if frame.lines <= 2 => Confidence::LIKELY,
        Shape::Sure => Confidence::POSSIBLE,
        Shape::Good if frame.lines <= 2 => Confidence::POSSIBLE,
        _ => Confidence::HINT,
    }
}

/// A command behind what ends another; `last` is where the last command of all ends.
fn broken_out(pipeline: &Pipeline<'_>, lead: Lead, text: &[u8], last: usize, frame: &Frame) -> Confidence {
    let first = pipeline.first;
    let after = Frame::of(&text[last.min(text.len())..]);
    // What only ends quotes, brackets and commands.
    let ends = text[last.min(text.len())..].iter().all(|byte| b"'\"#;|&`)}\\-/ \r\n".contains(byte));
    let opening = first.opening;
    let attached = first.at > 0 && !text[first.at - 1].is_ascii_whitespace();
    let good = pipeline.shape < Shape::Sure;
    let before = &text[..first.at];
    // Code in backticks among words is how people mark code; lines, indented or after `name=$(..)`, are how they write
    // scripts.
    let among_words = match opening {
        Opening::Dollar | Opening::Backtick if assigns(before) => true,
        Opening::Backtick => {
            after.words > 2
                || lead >= Lead::Word && !attached
                || lead > Lead::Word
                || lead == Lead::Argument && !attached && after.words > 0
        }
        Opening::Line => {
            let line = text[first.at..].trim_ascii_start();
            let indent = text.len() - first.at - line.len();
            good && (frame.words > 10 || frame.lines > 2 || indent > 2)
                // `Run this:` and a line of it.
                || before.trim_ascii_end().ends_with(b":")
        }
        _ if frame.lines > 1 && before.len() > 1 && before.iter().all(u8::is_ascii_whitespace) => true,
        _ => after.words > 12 && good,
    };
    if lead == Lead::Text || among_words {
        return match pipeline.shape {
            Shape::Sure => Confidence::POSSIBLE,
            _ => Confidence::HINT,
        };
    }
    match (pipeline.shape, lead) {
        (Shape::Sure, Lead::Words) => Confidence::STRONG,
        (Shape::Sure, _) => Confidence::CERTAIN,
        (Shape::Good, Lead::Words) if opening == Opening::Line => Confidence::POSSIBLE,
        (Shape::Good, Lead::Words) => Confidence::LIKELY,
        (Shape::Good, _) => Confidence::STRONG,
        (Shape::Weak, _) => weak(pipeline, lead, text, frame),
        // Nothing but a separator and a name.
        (Shape::Word, Lead::Nothing)
            if (matches!(opening, Opening::Semicolon | Opening::And | Opening::Or | Opening::Pipe)
                || opening == Opening::Background && first.at == 0 && text.len() > BACKGROUND_BYTES_MIN)
                && Frame::of(text).words <= 3
                && ends =>
        {
            Confidence::LIKELY
        }
        // `$(who)`, `127.0.0.1 && mount`: nobody quotes these so.
        (Shape::Word, lead)
            if opening == Opening::Dollar && lead <= Lead::Word && attached_or_first(before) && ends =>
        {
            Confidence::LIKELY
        }
        (Shape::Word, Lead::Argument)
            if opening != Opening::Line && is_address(before) && ends && frame.lines == 1 =>
        {
            Confidence::LIKELY
        }
        (Shape::Word, _) => Confidence::HINT,
    }
}

/// Whether a text begins as scripts do: with a loop or a condition, or by keeping what a command gives, `name=$(..)`.
fn begins_as_a_script(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    if [&b"for "[..], b"while ", b"until ", b"if [", b"case "].iter().any(|keyword| text.starts_with(keyword))
    {
        return true;
    }
    let Some((_, value)) = lex::assignment(text) else { return false };
    matches!(value, [b'`' | b'$', ..] | [b'"', b'`' | b'$', ..])
}

/// Whether a text begins with a command, as somebody types it.
fn is_command_line(text: &[u8]) -> bool {
    let commands = lex::commands(text, 0, Dialect::Posix);
    let first = commands.first().filter(|command| command.opening == Opening::Start);
    first.and_then(|command| meaning(command, Dialect::Posix)).is_some_and(|found| found.shape >= Shape::Good)
}

/// Whether a text begins with a program that we do not know and an option: `tsc -p . && node build.js`.
fn begins_with_option(text: &[u8]) -> bool {
    let mut words = text.split(|byte| *byte == b' ');
    let name = words.next().unwrap_or_default();
    name.len() > 1
        && name.iter().all(|byte| byte.is_ascii_lowercase() || b"-_".contains(byte))
        && matches!(words.next(), Some([b'-', option, ..]) if option.is_ascii_alphabetic())
}

/// Words that begin a compound command.
const COMPOUNDS: &[&[u8]] = &[b"if", b"while", b"until", b"for", b"case", b"{", b"!"];

/// Whether a line ends in `name=`, or `name="`: a script that keeps what a command gives.
fn assigns(before: &[u8]) -> bool {
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    let Some(before) = before.strip_suffix(b"=") else { return false };
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    !line.is_empty() && line.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Bytes of `& who`, which is a command where `& w` is an initial.
const BACKGROUND_BYTES_MIN: usize = 4;

/// Whether nothing stands before a place, or nothing but a quote, or a word that touches it.
fn attached_or_first(before: &[u8]) -> bool {
    before.last().is_none_or(|byte| !byte.is_ascii_whitespace())
}

/// Whether a text is an address in numbers and what joins a command to it.
fn is_address(before: &[u8]) -> bool {
    let address = before.trim_ascii();
    address.iter().filter(|byte| **byte == b'.').count() == 3
        && address.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// A name of two letters, or one that pages also use.
fn weak(pipeline: &Pipeline<'_>, lead: Lead, text: &[u8], frame: &Frame) -> Confidence {
    let first = pipeline.first;
    let rest = text[pipeline.end.min(text.len())..].trim_ascii();
    let rest = [&b";fi"[..], b";done", b"; fi", b"; done", b";}"]
        .iter()
        .find_map(|end| rest.strip_prefix(*end))
        .unwrap_or(rest);
    let ends = rest.iter().all(|byte| b"'\"#;|&`)}\\-/ ".contains(byte));
    match first.opening {
        // `$(id).hide()` is a script's, `users`.`id` a table's.
        Opening::Dollar | Opening::Process if rest.starts_with(b").") => Confidence::HINT,
        Opening::Dollar | Opening::Process if lead <= Lead::Word => Confidence::STRONG,
        Opening::Backtick if first.at > 0 && text[first.at - 1] == b'.' => Confidence::HINT,
        Opening::Backtick if lead <= Lead::Argument => Confidence::LIKELY,
        // `a`id`b`: nobody marks code in the middle of a word.
        Opening::Backtick if frame.words == 1 && is_inside_word(first, text) => Confidence::LIKELY,
        // Columns of a table, and lists of fields.
        Opening::Pipe if memchr::memchr_iter(b'|', text).count() > 2 || frame.lines > 1 => Confidence::HINT,
        Opening::Line if lead <= Lead::Argument && ends && pipeline.bare => Confidence::LIKELY,
        Opening::Line => Confidence::HINT,
        Opening::Background if lead == Lead::Argument => Confidence::POSSIBLE,
        // `user&&id` is a condition of many languages.
        Opening::And | Opening::Or if text[..first.at].contains(&b'(') => Confidence::HINT,
        Opening::And | Opening::Or if lead == Lead::Word && ends => Confidence::POSSIBLE,
        _ if lead <= Lead::Argument && ends => Confidence::LIKELY,
        // `a;id`: a letter for any value.
        Opening::Semicolon if first.at == 1 && ends && frame.words == 1 => Confidence::LIKELY,
        _ => Confidence::HINT,
    }
}

/// Whether letters or digits touch a substitution by backticks on both sides.
fn is_inside_word(command: &Command, text: &[u8]) -> bool {
    let after = text.get(command.at + 1..).unwrap_or_default();
    let close = memchr::memchr(b'`', after).map(|at| command.at + 1 + at);
    command.at > 0
        && text[command.at - 1].is_ascii_alphanumeric()
        && close.is_some_and(|close| text.get(close + 1).is_some_and(u8::is_ascii_alphanumeric))
}

/// The commands that were understood, those joined by pipes as one.
fn pipelines<'c>(commands: &'c [Command], dialect: Dialect) -> Vec<Pipeline<'c>> {
    let mut out: Vec<Pipeline<'c>> = Vec::new();
    for command in commands {
        let found = meaning(command, dialect);
        let Some(Meaning { shape, told, name, runs_input, bare, made }) = found else { continue };
        let inside = |inner: &&Command| inner.at > command.at && inner.at < command.end;
        if made && !commands.iter().filter(inside).any(|inner| meaning(inner, dialect).is_some()) {
            continue;
        }
        // Substitutions in the words of the command before may stand between.
        let before = out.iter_mut().rev().take(SUBSTITUTIONS_SEEN).find(|before| before.end == command.at);
        match before.filter(|_| command.opening == Opening::Pipe) {
            Some(before) => {
                before.end = command.end;
                if runs_input && !before.bare {
                    before.shape = Shape::Sure;
                    before.told = format!("{}, and runs what it gives by {name}", before.told);
                } else {
                    // Two names of programs are hardly words, unless both are.
                    let joined =
                        if before.shape.max(shape) == Shape::Word { Shape::Word } else { Shape::Good };
                    // Two names without arguments are as much as the stronger of them.
                    let joined =
                        if before.bare && bare && (runs_input || before.shape.min(shape) == Shape::Word) {
                            before.shape.max(shape)
                        } else {
                            joined
                        };
                    if shape > before.shape {
                        before.told = told;
                    }
                    before.shape = before.shape.max(shape).max(joined);
                }
                before.bare &= bare;
            }
            None => out.push(Pipeline { first: command, end: command.end, shape, told, bare }),
        }
    }
    out
}

/// Substitutions of one command among which the command before a pipe is sought.
const SUBSTITUTIONS_SEEN: usize = 8;
