//! A text as a command line: where commands begin, and which words each has once quoting is undone.
//!
//! Two dialects cover what servers run: POSIX shells, and what Windows has in cmd.exe and PowerShell together. Nothing is
//! expanded that depends on the machine; what expands to nothing or to a blank everywhere (`$@`, `${IFS}`) is.

/// Whose rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// sh, bash and their kin.
    Posix,
    /// cmd.exe and PowerShell: backslashes are themselves, `^` and the backtick escape.
    Windows,
}

/// What a command begins behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// The text's beginning.
    Start,
    /// A line break.
    Line,
    /// `;`
    Semicolon,
    /// `&`
    Background,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `|`
    Pipe,
    /// `$(`
    Dollar,
    /// A backtick.
    Backtick,
    /// `<(` or `>(`
    Process,
}

impl Opening {
    /// For a sentence.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Start => "",
            Self::Line => "begins a new line, ",
            Self::Semicolon => "ends the command by ;, ",
            Self::Background => "sends the command to the background, ",
            Self::And => "goes on by &&, ",
            Self::Or => "goes on by ||, ",
            Self::Pipe => "pipes into another command, ",
            Self::Dollar => "substitutes by $(), ",
            Self::Backtick => "substitutes by backticks, ",
            Self::Process => "substitutes a process, ",
        }
    }
}

/// A simple command.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) opening: Opening,
    /// Where what opens it stands.
    pub(super) at: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// Its first words.
    pub(super) words: Vec<Word>,
    /// Where it writes to and reads from.
    pub(super) redirects: Vec<Word>,
}

/// A word with its quoting undone.
#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    pub(super) text: Vec<u8>,
    /// Bytes of the text that stood in quotes.
    quoted: usize,
    /// Letters and digits that did not.
    bare: usize,
    /// Quoted parts, empty ones too.
    quotes: usize,
    /// Where the last of them began.
    quoted_at: usize,
    /// It is spelled as nobody spells who has nothing to hide: an escaped letter, an expansion inside, `${IFS}`.
    pub(super) odd: bool,
    /// It holds `$((...))`.
    pub(super) arithmetic: bool,
    /// It holds the output of another command.
    pub(super) substituted: bool,
    /// It holds a wildcard.
    pub(super) glob: bool,
}

impl Word {
    /// A part of `{cat,/etc/passwd}`.
    pub(super) fn of_list(text: &[u8]) -> Self {
        Self { text: text.to_vec(), odd: true, ..Self::default() }
    }

    /// Whether parts of a word are quoted and parts are not: `w'h'oami`, `who''ami`.
    pub(super) fn is_patched(&self) -> bool {
        let inside = self.quoted_at > 0 && self.quoted_at < self.text.len();
        self.quotes > 0 && self.bare > 0 && (self.quoted > 0 || inside)
    }

    /// Whether it is quoted as a whole.
    pub(super) fn is_quoted(&self) -> bool {
        self.quotes > 0 && self.quoted == self.text.len()
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.quotes == 0 && !self.odd && !self.arithmetic && !self.substituted
    }
}

/// Commands of one text. What comes later is behind a hundred others and judged by them.
const COMMANDS_MAX: usize = 192;

/// Words of a command that are kept: what it does shows in the first.
const WORDS_MAX: usize = 12;

/// Bytes of a word that are kept.
const WORD_BYTES_MAX: usize = 256;

/// Substitutions inside one another.
const DEPTH_MAX: usize = 8;

/// Variables that are remembered, and bytes of their values.
const ASSIGNED_MAX: usize = 8;
const ASSIGNED_BYTES_MAX: usize = 64;

/// Bytes in which an expansion has to end.
const EXPANSION_BYTES_MAX: usize = 96;

/// Reads a text from a place on. O(n).
pub(super) fn commands(text: &[u8], from: usize, dialect: Dialect) -> Vec<Command> {
    let mut lexer = Lexer {
        text,
        at: from,
        dialect,
        last_single: memchr::memrchr(b'\'', text).unwrap_or(0),
        last_double: memchr::memrchr(b'"', text).unwrap_or(0),
        last_backtick: memchr::memrchr(b'`', text).unwrap_or(0),
        open: vec![Open::new(Opening::Start, from, Opening::Start)],
        done: Vec::new(),
        assigned: Vec::new(),
    };
    lexer.run();
    lexer.done.sort_by_key(|command| command.at);
    lexer.done
}

struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    dialect: Dialect,
    last_single: usize,
    last_double: usize,
    last_backtick: usize,
    /// The command that is being read, and those in whose words it stands.
    open: Vec<Open>,
    done: Vec<Command>,
    /// Variables that the text itself sets.
    assigned: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A command that is being read.
struct Open {
    command: Command,
    /// What its level opened with; commands of one level come one after another.
    level: Opening,
    word: Word,
    /// The next word is where a redirection leads.
    redirect: bool,
    /// Between double quotes.
    in_double: bool,
}

impl Open {
    fn new(opening: Opening, at: usize, level: Opening) -> Self {
        let command = Command { opening, at, end: at, words: Vec::new(), redirects: Vec::new() };
        Self { command, level, word: Word::default(), redirect: false, in_double: false }
    }
}

impl Lexer<'_> {
    fn run(&mut self) {
        while self.at < self.text.len() && self.done.len() < COMMANDS_MAX {
            let byte = self.text[self.at];
            match self.dialect {
                Dialect::Posix => self.posix(byte),
                Dialect::Windows => self.windows(byte),
            }
        }
        while !self.open.is_empty() {
            self.close(self.at);
        }
    }

    fn top(&mut self) -> &mut Open {
        self.open.last_mut().expect("one command is always open")
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn posix(&mut self, byte: u8) {
        let in_double = self.top().in_double;
        match byte {
            b'`' => self.backtick(),
            b'$' => self.dollar(),
            b'"' => self.double_quote(),
            b'\\' => {
                let next = self.peek(1);
                // `C:\` before the backtick that ends it all.
                let last = self.top().level == Opening::Backtick && self.at + 1 == self.last_backtick;
                if last && next == b'`' {
                    self.push(byte);
                } else if next == b'\n' {
                    self.at += 2;
                } else if in_double && !b"\"\\$`".contains(&next) {
                    self.push(byte);
                } else {
                    let word = &mut self.top().word;
                    word.odd |= next.is_ascii_alphanumeric() && !word.text.is_empty();
                    self.at += 1;
                    if next != 0 {
                        self.push(next);
                    }
                }
            }
            _ if in_double => self.push(byte),
            b'\'' => self.single_quote(false),
            b'<' | b'>' if self.peek(1) == b'(' => {
                self.substitute(Opening::Process, 2);
            }
            b'<' | b'>' => self.redirect(byte),
            b'&' if self.peek(1) == b'>' => self.redirect(b'>'),
            b'#' if self.top().word.is_empty() && self.top().command.opening != Opening::Start => {
                let rest = &self.text[self.at..];
                self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            }
            b'?' | b'*' | b'[' => {
                self.top().word.glob = true;
                self.push(byte);
            }
            b'(' if self.top().word.is_empty() && self.top().command.words.is_empty() => self.at += 1,
            b')' => self.parenthesis(),
            _ => self.common(byte),
        }
    }

    fn windows(&mut self, byte: u8) {
        let in_double = self.top().in_double;
        match byte {
            b'"' => self.double_quote(),
            b'%' => self.percent(),
            b'$' if self.peek(1) == b'(' => self.substitute(Opening::Dollar, 2),
            _ if in_double => self.push(byte),
            b'^' | b'`' => {
                let next = self.peek(1);
                let word = &mut self.top().word;
                word.odd |= next.is_ascii_alphanumeric() && !word.text.is_empty();
                self.at += 1;
                if next != 0 && next != b'\r' && next != b'\n' {
                    self.push(next);
                }
            }
            b'<' | b'>' => self.redirect(byte),
            b'(' | b'@' if self.top().word.is_empty() && self.top().command.words.is_empty() => self.at += 1,
            b')' => self.parenthesis(),
            _ => self.common(byte),
        }
    }

    /// What both dialects have: blanks, separators, ordinary bytes.
    fn common(&mut self, byte: u8) {
        let doubled = self.peek(1) == byte;
        match byte {
            b' ' | b'\t' => {
                self.end_word();
                self.at += 1;
            }
            b'\r' | b'\n' => self.separate(Opening::Line, 1),
            b';' => self.separate(Opening::Semicolon, 1 + usize::from(doubled)),
            b'&' if doubled => self.separate(Opening::And, 2),
            b'&' => self.separate(Opening::Background, 1),
            b'|' if doubled => self.separate(Opening::Or, 2),
            b'|' => self.separate(Opening::Pipe, 1 + usize::from(self.peek(1) == b'&')),
            _ => self.push(byte),
        }
    }

    fn push(&mut self, byte: u8) {
        let open = self.top();
        if open.word.text.len() < WORD_BYTES_MAX {
            open.word.text.push(byte);
            open.word.quoted += usize::from(open.in_double);
            open.word.bare += usize::from(!open.in_double && byte.is_ascii_alphanumeric());
        }
        self.at += 1;
    }

    fn end_word(&mut self) {
        let open = self.top();
        if open.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut open.word);
        let to = if std::mem::take(&mut open.redirect) {
            &mut open.command.redirects
        } else {
            &mut open.command.words
        };
        if to.len() < WORDS_MAX {
            to.push(word);
        }
    }

    /// Ends the command and begins another at the same level.
    fn separate(&mut self, opening: Opening, len: usize) {
        let (at, level) = (self.at, self.top().level);
        self.close(at);
        self.open.push(Open::new(opening, at, level));
        self.at += len;
    }

    /// Ends the innermost command.
    fn close(&mut self, end: usize) {
        self.end_word();
        let Some(mut open) = self.open.pop() else { return };
        open.command.end = end;
        self.remember(&open.command.words);
        if !(open.command.words.is_empty() && open.command.redirects.is_empty()) {
            self.done.push(open.command);
        }
    }

    /// Remembers what a command that only sets variables sets: `a=c;b=at;$a$b`.
    fn remember(&mut self, words: &[Word]) {
        if self.dialect == Dialect::Windows || !words.iter().all(|word| assignment(&word.text).is_some()) {
            return;
        }
        for (name, value) in words.iter().filter_map(|word| assignment(&word.text)) {
            if self.assigned.len() < ASSIGNED_MAX && value.len() <= ASSIGNED_BYTES_MAX {
                self.assigned.push((name.to_vec(), value.to_vec()));
            }
        }
    }

    /// A variable: what the text set it to, nothing where nobody can have set it. `false` where the system sets it.
    fn variable(&mut self, name: &[u8]) -> bool {
        let known =
            self.assigned.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        if known.is_none() && !name.iter().all(|byte| byte.is_ascii_lowercase()) {
            return false;
        }
        let open = self.top();
        open.word.odd |= known.is_some() || !open.word.text.is_empty();
        for byte in known.unwrap_or_default() {
            if byte == b' ' || byte == b'\t' {
                self.end_word();
            } else if self.top().word.text.len() < WORD_BYTES_MAX {
                self.top().word.text.push(byte);
            }
        }
        true
    }

    /// Begins a command inside a word.
    fn substitute(&mut self, opening: Opening, len: usize) {
        let word = &mut self.top().word;
        word.substituted = true;
        // `wh``oami`.
        word.odd |= word.text.last().is_some_and(u8::is_ascii_alphabetic);
        let at = self.at;
        self.at += len;
        if self.open.len() < DEPTH_MAX {
            self.open.push(Open::new(opening, at, opening));
        }
    }

    fn backtick(&mut self) {
        if self.top().level == Opening::Backtick {
            self.end_substitution();
        } else if self.last_backtick > self.at {
            self.substitute(Opening::Backtick, 1);
        } else {
            self.at += 1;
        }
    }

    fn parenthesis(&mut self) {
        if matches!(self.top().level, Opening::Dollar | Opening::Process) {
            self.end_substitution();
        } else {
            self.push(b')');
        }
    }

    fn end_substitution(&mut self) {
        self.close(self.at);
        self.at += 1;
    }

    fn double_quote(&mut self) {
        let at = self.at;
        if self.top().in_double {
            self.top().in_double = false;
        } else if self.last_double > at {
            let open = self.top();
            open.in_double = true;
            open.word.quotes += 1;
            open.word.quoted_at = open.word.text.len();
        }
        // One that is never closed closes one before the text.
        self.at += 1;
    }

    /// `'...'`, and with escapes `$'...'`.
    fn single_quote(&mut self, escapes: bool) {
        if self.last_single <= self.at {
            self.at += 1;
            return;
        }
        let rest = &self.text[self.at + 1..];
        let Some(len) = memchr::memchr(b'\'', rest) else { return };
        let inner = if escapes { unescaped(&rest[..len]) } else { rest[..len].to_vec() };
        let word = &mut self.top().word;
        word.quoted_at = word.text.len();
        let room = WORD_BYTES_MAX.saturating_sub(word.text.len());
        let kept = &inner[..inner.len().min(room)];
        word.text.extend_from_slice(kept);
        word.quoted += kept.len();
        word.quotes += 1;
        self.at += len + 2;
    }

    /// An expansion of a POSIX shell.
    fn dollar(&mut self) {
        let rest = &self.text[self.at + 1..];
        let window = &rest[..rest.len().min(EXPANSION_BYTES_MAX)];
        let in_double = self.top().in_double;
        match window.first() {
            Some(b'(') if window.get(1) == Some(&b'(') && memchr::memmem::find(window, b"))").is_some() => {
                let end = memchr::memmem::find(window, b"))").unwrap_or(0);
                let word = &mut self.top().word;
                word.arithmetic = true;
                word.text.push(b'0');
                self.at += end + 3;
            }
            Some(b'(') => self.substitute(Opening::Dollar, 2),
            Some(b'{') => match memchr::memchr(b'}', window) {
                Some(end) => {
                    let name = window[1..end].to_vec();
                    self.at += end + 2;
                    self.parameter(&name);
                }
                None => self.push(b'$'),
            },
            Some(b'\'') if !in_double => {
                self.top().word.odd = true;
                self.at += 1;
                self.single_quote(true);
            }
            Some(b'"') if !in_double => self.at += 1,
            // The shell itself.
            Some(b'0') if self.top().word.is_empty() && self.top().command.words.is_empty() => {
                self.top().word.text.extend_from_slice(b"sh");
                self.at += 2;
            }
            Some(b'@' | b'*' | b'!' | b'-' | b'?' | b'0'..=b'9') => {
                let word = &mut self.top().word;
                word.odd |= !word.text.is_empty();
                self.at += 2;
            }
            Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => {
                let len =
                    window.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
                let name = window[..len].to_vec();
                if name == b"IFS" {
                    self.at += len + 1;
                    self.parameter(b"IFS");
                } else if self.variable(&name) {
                    self.at += len + 1;
                } else {
                    self.push(b'$');
                }
            }
            _ => self.push(b'$'),
        }
    }

    /// What `${...}` stands for, as far as that is known.
    fn parameter(&mut self, inside: &[u8]) {
        let len = inside.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let (name, how) = inside.split_at(len);
        if name == b"IFS" {
            // A blank; what stands before it is spelled on purpose.
            self.top().word.odd |= !self.top().word.is_empty();
            self.end_word();
            return;
        }
        if how.is_empty() && self.variable(name) {
            return;
        }
        let word = &mut self.top().word;
        match how.first() {
            // `${PATH:0:1}`, `${HOME%%u*}`: a slash.
            Some(b':') if how.get(1).is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-') => {
                // `${x:-y}` has a default.
                if how[1] == b'-' && !how.get(2).is_some_and(u8::is_ascii_digit) {
                    word.text.extend_from_slice(&how[2..]);
                } else {
                    word.odd = true;
                    word.text.push(b'/');
                }
            }
            Some(b'%' | b'#' | b'/' | b'^' | b',' | b'@' | b'!') => word.odd = true,
            _ => word.odd |= !word.text.is_empty() && word.text.last().is_some_and(u8::is_ascii_alphabetic),
        }
    }

    /// `%COMSPEC%`, `%PROGRAMFILES:~10,5%`.
    fn percent(&mut self) {
        let rest = &self.text[self.at + 1..];
        let window = &rest[..rest.len().min(EXPANSION_BYTES_MAX)];
        let Some(end) = memchr::memchr(b'%', window).filter(|end| *end > 1) else { return self.push(b'%') };
        let inside = window[..end].to_ascii_lowercase();
        let name = inside.split(|byte| *byte == b':').next().unwrap_or_default();
        if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_()".contains(byte)) {
            return self.push(b'%');
        }
        let sliced = memchr::memmem::find(&inside, b":~").is_some();
        let value: &[u8] = match name {
            b"comspec" => b"cmd",
            b"systemroot" | b"windir" => b"C:\\Windows",
            b"systemdrive" => b"C:",
            b"userprofile" | b"temp" | b"tmp" | b"appdata" | b"programfiles" | b"homedrive" => b"C:\\",
            _ if sliced => b"",
            _ => return self.push(b'%'),
        };
        let word = &mut self.top().word;
        if sliced {
            // Mostly the blank in `C:\Program Files`.
            word.odd = true;
            self.end_word();
        } else {
            word.text.extend_from_slice(value);
        }
        self.at += end + 2;
    }

    fn redirect(&mut self, byte: u8) {
        // A file descriptor before it is no word.
        let word = &mut self.top().word;
        if word.text.len() == 1 && word.text[0].is_ascii_digit() {
            *word = Word::default();
        }
        self.end_word();
        self.at += 1;
        while self.peek(0) == byte || self.peek(0) == b'&' || self.peek(0) == b'>' {
            self.at += 1;
        }
        self.top().redirect = true;
    }
}

/// The name and value of `name=value`.
pub(super) fn assignment(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    (len > 0 && !text[0].is_ascii_digit() && text.get(len) == Some(&b'='))
        .then(|| (&text[..len], &text[len + 1..]))
}

/// `\x63\141t`, as `$'...'` and printf read it.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let (radix, skip, digits_max) = match tail.first() {
            Some(b'x') => (16, 1, 2),
            Some(b'0'..=b'7') => (8, 0, 3),
            _ => continue,
        };
        let digits = tail[skip..]
            .iter()
            .take(digits_max)
            .take_while(|byte| char::from(**byte).is_digit(radix))
            .count();
        let number = tail[skip..skip + digits]
            .iter()
            .fold(0_u32, |number, byte| number * radix + char::from(*byte).to_digit(radix).unwrap_or(0));
        out.push(number as u8);
        rest = &tail[skip + digits..];
    }
    out
}

#[cfg(test)]
mod tests;
