//! Calls, and what they do where they stand.

use super::super::Evidence;
use super::super::ascii;
use super::super::code::{self, Does, Kind, Token, Tokens};
use super::known::{CHAINS, DECODERS, NODE_MODULES, is_command, is_reach, is_shared, others};
use super::standing::{self, Standing};
use crate::Confidence;

/// Bytes of a name that are compared: the longest known one has fewer.
const NAME_BYTES_MAX: usize = 40;

/// Whether a text holds a call worth reading: a bracket after a known name. Cheap, since most texts hold none.
pub(super) fn may_call(text: &[u8]) -> bool {
    memchr::memchr_iter(b'(', text).any(|at| {
        let before = text[..at].trim_ascii_end();
        let before = before.strip_suffix(b"*/").map_or(before, |comment| {
            let near = comment.len().saturating_sub(NAME_BYTES_MAX);
            memchr::memmem::rfind(&comment[near..], b"/*").map_or(before, |open| &comment[..near + open])
        });
        let before = before.strip_suffix(b"!").unwrap_or(before);
        if matches!(before.last(), Some(b')' | b'\'' | b'"' | b']')) {
            return true;
        }
        let len =
            before.iter().rev().take(NAME_BYTES_MAX).take_while(|byte| ascii::is_name_byte(**byte)).count();
        let name = &before[before.len() - len..];
        !name.is_empty() && (code::call(name).is_some() || code::member_call(name).is_some() || others(name))
    })
}

/// Reads all calls of a text, also as it reads where the string ends into which it was put.
pub(super) fn read(text: &[u8], evidence: &mut Evidence<'_>) {
    read_from(text, 0, evidence);
    for quote in [b'\'', b'"'] {
        // Whoever closes a string does so before the call, and goes on with a sign.
        let near = &text[..text.len().min(standing::LEADING_BYTES_MAX)];
        if let Some(at) = memchr::memchr(quote, near)
            && text[at + 1..].trim_ascii_start().first().is_some_and(|byte| CLOSING.contains(byte))
        {
            read_from(text, at + 1, evidence);
        }
    }
}

/// Signs between the end of a string and code.
const CLOSING: &[u8] = b".;)+,]}|&-*/%^?:#=";

fn read_from(text: &[u8], from: usize, evidence: &mut Evidence<'_>) {
    let tokens: Vec<Token<'_>> = Tokens::new(&text[from..]).map(|token| token.moved(from)).collect();
    for at in 1..tokens.len() {
        if !tokens[at].is(b'(') {
            continue;
        }
        let call = Call { text, tokens: &tokens, open: at };
        if let Some((confidence, why)) = call.judge() {
            let end = tokens[(at + 12).min(tokens.len() - 1)].end;
            evidence.found(confidence, call.start()..end, why);
            if confidence >= Confidence::CERTAIN {
                return;
            }
        }
    }
}

/// A bracket that may open the arguments of a call.
struct Call<'t, 'a> {
    text: &'a [u8],
    tokens: &'t [Token<'a>],
    open: usize,
}

impl<'a> Call<'_, 'a> {
    fn token(&self, at: usize) -> Option<&Token<'a>> {
        self.tokens.get(at)
    }

    fn back(&self, by: usize) -> Option<&Token<'a>> {
        self.token(self.open.checked_sub(by)?)
    }

    /// The first argument.
    fn first(&self) -> Option<&Token<'a>> {
        self.token(self.open + 1)
    }

    /// Tokens of the arguments, as many as are worth reading.
    fn arguments(&self) -> &[Token<'a>] {
        let rest = &self.tokens[self.open + 1..];
        &rest[..rest.len().min(ARGUMENTS_MAX)]
    }

    /// Where the path before the bracket begins, as a token: `os` of `os.system(`.
    fn path_start(&self) -> usize {
        let mut from = self.open - 1;
        while from >= 2 && from + PATH_TOKENS_MAX > self.open {
            from = match (self.tokens[from - 1].kind, self.tokens[from - 2].kind) {
                (Kind::Sign(b'.' | b'\\'), Kind::Name(_)) => from - 2,
                // `->` and `::` are two signs.
                (Kind::Sign(b'>'), Kind::Sign(b'-')) | (Kind::Sign(b':'), Kind::Sign(b':'))
                    if from >= 3 && self.tokens[from - 3].name().is_some() =>
                {
                    from - 3
                }
                _ => break,
            };
        }
        from
    }

    /// Where the whole expression begins, calls in its path included: `'` of `''.getClass().forName(`.
    fn expression_start(&self) -> usize {
        let mut from = self.path_start();
        while from >= 2 && from + EXPRESSION_TOKENS_MAX > self.open && self.tokens[from - 1].is(b'.') {
            from = match self.tokens[from - 2].kind {
                Kind::Sign(b')' | b']') => {
                    let mut depth = 0usize;
                    let mut at = from - 2;
                    loop {
                        match self.tokens[at].kind {
                            Kind::Sign(b')' | b']') => depth += 1,
                            Kind::Sign(b'(' | b'[') => depth -= 1,
                            _ => {}
                        }
                        if depth == 0 || at == 0 || at + EXPRESSION_TOKENS_MAX < self.open {
                            break;
                        }
                        at -= 1;
                    }
                    if at > 0 && self.tokens[at - 1].name().is_some() { at - 1 } else { at }
                }
                Kind::Name(_) | Kind::Text(_) => from - 2,
                _ => break,
            };
        }
        from
    }

    fn start(&self) -> usize {
        self.tokens[self.path_start()].start
    }

    fn judge(&self) -> Option<(Confidence, String)> {
        let gap = self.tokens[self.open].start > self.back(1)?.end;
        if let Some(text) = self.back(1).and_then(Token::text) {
            // `"system"("id")`, PHP calls what a text names; a name between backticks is talk.
            let named = code::is_handler_name(text) && !gap && self.back(1)?.quote != b'`';
            return named.then(|| {
                (Confidence::CERTAIN, format!("calls {} by its name as a text", ascii::shown(text)))
            });
        }
        if self.back(1).is_some_and(|token| token.is(b')') || token.is(b']') || token.is(b'}')) {
            return if gap { None } else { self.pieced_together() };
        }
        let name = self
            .back(1)?
            .name()
            .or_else(|| self.back(2).filter(|_| self.back(1).is_some_and(|token| token.is(b'!')))?.name())?;
        // A blank before the bracket: prose (`system (see below)`), unless a literal follows.
        if gap && self.first().and_then(Token::text).is_none() {
            return None;
        }
        let shown = ascii::shown(name);
        if let Some(found) = self.anywhere(name) {
            return Some(found);
        }
        let path_start = self.path_start();
        let standing = standing::of(self.text, self.tokens[self.expression_start()].start);
        // A dot after nothing joins texts, in PHP.
        let member = self.back(2).is_some_and(|token| token.is(b'.') || token.is(b'>') || token.is(b':'))
            && self.back(3).is_some();
        if member {
            let path = &self.text[self.tokens[path_start].start..self.tokens[self.open].start];
            return self.member(name, path, standing);
        }
        if let Some(found) = self.probe(name, standing) {
            return Some(found);
        }
        let module = self.first().and_then(Token::text).unwrap_or_default();
        if name == b"import" && ascii::is_one_of(module, NODE_MODULES) {
            return Some((
                by_standing(standing, Confidence::STRONG, Confidence::LIKELY),
                format!("loads the module {} by import()", ascii::shown(module)),
            ));
        }
        let new = self.back(2).and_then(Token::name) == Some(b"new");
        if new && name == b"ProcessBuilder" {
            return Some((
                by_standing(standing, Confidence::CERTAIN, Confidence::STRONG),
                "makes a program to start, a ProcessBuilder".into(),
            ));
        }
        let does = code::call(name)?;
        let confidence = self.plain(name, does, standing)?;
        Some((confidence, format!("calls {shown}(), which {}", does.told())))
    }

    /// What only an attack writes.
    fn anywhere(&self, name: &[u8]) -> Option<(Confidence, String)> {
        let shown = ascii::shown(name);
        let runs = matches!(code::call(name), Some(Does::Runs | Does::Evaluates))
            && (!is_shared(name) || name == b"assert");
        let first = self.first()?;
        let first_name = first.name().unwrap_or_default();
        if matches!(code::call(name), Some(Does::Calls)) {
            let called =
                self.arguments().iter().filter_map(Token::text).find(|text| code::is_handler_name(text))?;
            return Some((Confidence::CERTAIN, format!("has {shown}() call {}", ascii::shown(called))));
        }
        // `base64_decode(`, `String.fromCharCode(`; not a variable of that name.
        let decodes = self
            .arguments()
            .iter()
            .skip(1)
            .take(5)
            .find(|token| matches!(token.kind, Kind::Sign(b'(' | b')' | b',')));
        if runs && ascii::is_one_of(first_name, DECODERS) && decodes.is_some_and(|token| token.is(b'(')) {
            return Some((
                Confidence::CERTAIN,
                format!("has {shown}() run what {}() decodes", ascii::shown(first_name)),
            ));
        }
        let of_client =
            self.arguments().iter().take_while(|token| !token.is(b')')).filter_map(Token::name).any(|name| {
                ascii::is_one_of(
                    name,
                    &[
                        "$_GET",
                        "$_POST",
                        "$_REQUEST",
                        "$_COOKIE",
                        "$_SERVER",
                        "$HTTP_GET_VARS",
                        "$_FILES",
                        "_GET",
                        "_POST",
                        "_REQUEST",
                    ],
                )
            });
        if of_client
            && (runs
                || matches!(code::call(name), Some(Does::Files))
                    && ascii::is_one_of(name, &["include", "require", "include_once", "require_once"]))
        {
            return Some((Confidence::CERTAIN, format!("calls {shown}() with what the client sends")));
        }
        let text = first.text().unwrap_or_default();
        if name == b"__import__"
            && ascii::is_one_of(
                text,
                &["os", "subprocess", "sys", "pty", "socket", "commands", "builtins", "importlib"],
            )
        {
            return Some((
                Confidence::CERTAIN,
                format!("loads the module {} by __import__", ascii::shown(text)),
            ));
        }
        if name == b"CreateObject"
            && ascii::is_one_of(text, &["WScript.Shell", "Shell.Application", "Scripting.FileSystemObject"])
        {
            return Some((
                Confidence::STRONG,
                format!("makes a {}, which starts programs", ascii::shown(text)),
            ));
        }
        if name == b"type"
            && ascii::starts(text, b"java.")
            && self.back(3).and_then(Token::name) == Some(b"Java")
        {
            return Some((Confidence::CERTAIN, format!("gets at the Java class {}", ascii::shown(text))));
        }
        if ascii::is_one_of(name, &["ReflectionFunction", "ReflectionMethod"]) && code::is_handler_name(text)
        {
            return Some((Confidence::CERTAIN, format!("gets at {} by reflection", ascii::shown(text))));
        }
        if name == b"open" && text.starts_with(b"|") {
            return Some((Confidence::STRONG, "opens a program instead of a file".into()));
        }
        None
    }

    /// A call on something.
    fn member(&self, name: &[u8], path: &[u8], standing: Standing) -> Option<(Confidence, String)> {
        let lower: Vec<u8> = path
            .iter()
            .take(200)
            .filter(|byte| !byte.is_ascii_whitespace())
            .map(u8::to_ascii_lowercase)
            .collect();
        let shown = ascii::shown(path);
        let known = CHAINS.iter().find(|(chain, _, _)| ends_with_path(&lower, chain.as_bytes()));
        if let Some((_, attack_only, what)) = known {
            let in_text = if *attack_only { Confidence::LIKELY } else { Confidence::POSSIBLE };
            let confidence = match standing {
                Standing::Alone => Confidence::CERTAIN,
                Standing::Line => Confidence::STRONG,
                Standing::Text => in_text,
            };
            return Some((confidence, format!("calls {shown}(), which {what}")));
        }
        let first = self.first();
        // `time.sleep(10)` and no more.
        let number = matches!(first.map(|token| token.kind), Some(Kind::Number(_)));
        if name.eq_ignore_ascii_case(b"sleep")
            && number
            && standing == Standing::Alone
            && self.tokens.len() < self.open + 6
        {
            return Some((Confidence::LIKELY, format!("has the interpreter wait by {shown}")));
        }
        let module = first.and_then(Token::text).unwrap_or_default();
        // `response.write(9*9)`
        if lower == b"response.write" && number && standing != Standing::Text {
            return Some((
                Confidence::LIKELY,
                "writes a number to the page, to see whether it is computed".into(),
            ));
        }
        if name == b"require" && ascii::is_one_of(module, NODE_MODULES) {
            return Some((
                by_standing(standing, Confidence::CERTAIN, Confidence::STRONG),
                format!("loads the module {} by {shown}", ascii::shown(module)),
            ));
        }
        let does = code::member_call(name)?;
        // On what another call gave, or on a text: `require("fs").readFileSync(..)`, `"id".execute()`.
        let on_call = self.back(3).is_some_and(|token| token.is(b')'));
        let on_text = self.back(3).is_some_and(|token| token.text().is_some())
            || self.back(3).is_some_and(|token| token.is(b']'));
        match does {
            Does::Runs
                if on_call && self.has_before(&["getRuntime", "child_process", "__import__", "os"]) =>
            {
                Some((
                    by_standing(standing, Confidence::CERTAIN, Confidence::STRONG),
                    format!("starts a program by {shown}()"),
                ))
            }
            Does::Files if on_call && self.has_before(&["require"]) => Some((
                by_standing(standing, Confidence::STRONG, Confidence::LIKELY),
                format!("calls {shown}(), which reads or writes files"),
            )),
            Does::Runs
                if on_text
                    && ascii::is_one_of(name, &["execute"])
                    && first.is_some_and(|token| token.is(b')')) =>
            {
                Some((
                    by_standing(standing, Confidence::STRONG, Confidence::LIKELY),
                    "has Groovy start a text as a program".into(),
                ))
            }
            Does::Evaluates
                if name.eq_ignore_ascii_case(b"getEngineByName")
                    && self.has_before(&["ScriptEngineManager"]) =>
            {
                Some((
                    by_standing(standing, Confidence::CERTAIN, Confidence::STRONG),
                    "makes an engine that runs texts as code".into(),
                ))
            }
            // From any object to any class: `$x.getClass().forName(..)`.
            Does::Reflects
                if name == b"forName" && self.has_before(&["getClass"]) && standing != Standing::Text =>
            {
                Some((Confidence::STRONG, format!("gets at a class by {shown}() of an object's class")))
            }
            Does::Reflects
                if standing == Standing::Alone && self.has_before(&["getClass", "Class", "java"]) =>
            {
                Some((Confidence::STRONG, format!("calls {shown}(), which gets at classes by name")))
            }
            _ => None,
        }
    }

    /// Whether one of some names or texts stands shortly before the call.
    fn has_before(&self, words: &[&str]) -> bool {
        self.tokens[self.open.saturating_sub(16)..self.open]
            .iter()
            .any(|token| token.name().or(token.text()).is_some_and(|name| ascii::is_one_of(name, words)))
    }

    /// A call of a function by its name alone; `None` where it is nothing here.
    fn plain(&self, name: &[u8], does: Does, standing: Standing) -> Option<Confidence> {
        let first = self.first()?;
        let empty = first.is(b')');
        let text = first.text();
        let variable =
            first.name().is_some_and(|name| name.starts_with(b"$")) || first.is(b'$') || first.is(b'@');
        let nested = first.name().is_some() && self.token(self.open + 2).is_some_and(|token| token.is(b'('));
        let shared = is_shared(name);
        let phps = memchr::memchr(b'_', name).is_some()
            || ascii::is_one_of(
                name,
                &["phpinfo", "passthru", "popen", "execsync", "spawnsync", "phpversion", "phpcredits"],
            );
        // What a program evaluates or loads by a name of its own is its own.
        let own = nested
            && !self
                .first()
                .and_then(Token::name)
                .is_some_and(|name| code::call(name).is_some() || ascii::is_one_of(name, DECODERS));
        if own || ascii::is_one_of(name, &["__import__", "import_module"]) {
            return Some(if standing == Standing::Text { Confidence::HINT } else { Confidence::POSSIBLE });
        }
        match does {
            Does::Runs | Does::Evaluates if shared => {
                let code = text.is_some_and(|text| {
                    memchr::memchr2(b'(', b'$', text).is_some()
                        || text.starts_with(b"return ") && standing == Standing::Alone
                });
                (code && standing != Standing::Text)
                    .then(|| by_standing(standing, Confidence::STRONG, Confidence::LIKELY))
            }
            Does::Runs | Does::Evaluates => Some(match (standing, text.is_some() || variable || nested) {
                (Standing::Alone, true) => Confidence::STRONG,
                (Standing::Alone, false) if phps && !empty => Confidence::STRONG,
                // `eval(req.query.x)`: what comes with the request.
                (Standing::Alone, false)
                    if first
                        .name()
                        .is_some_and(|name| ascii::is_one_of(name, &["req", "request", "params"]))
                        && self
                            .token(self.open + 2)
                            .is_some_and(|token| token.is(b'.') || token.is(b'[')) =>
                {
                    Confidence::STRONG
                }
                // `system(whoami)`: PHP takes a word without quotes for a text.
                (Standing::Alone, false) if first.name().is_some_and(is_command) => Confidence::STRONG,
                (Standing::Line, true) => Confidence::LIKELY,
                (Standing::Text, true) if phps => Confidence::POSSIBLE,
                (Standing::Alone | Standing::Line, false) if phps => Confidence::POSSIBLE,
                _ => Confidence::HINT,
            }),
            Does::Files => {
                let remote = text.is_some_and(|text| is_reach(text) || ascii::is_one_of(text, NODE_MODULES));
                match standing {
                    _ if !remote && !phps => None,
                    // `require("fs")` begins many a program; what follows it is judged by itself.
                    _ if name.eq_ignore_ascii_case(b"require") && !text.is_some_and(is_reach) => {
                        Some(if standing == Standing::Alone {
                            Confidence::LIKELY
                        } else {
                            Confidence::POSSIBLE
                        })
                    }
                    Standing::Alone => Some(if remote { Confidence::CERTAIN } else { Confidence::LIKELY }),
                    Standing::Line => Some(if remote { Confidence::STRONG } else { Confidence::POSSIBLE }),
                    Standing::Text => Some(Confidence::HINT),
                }
            }
            Does::Tells => Some(match standing {
                Standing::Alone
                    if ascii::is_one_of(
                        name,
                        &[
                            "phpinfo",
                            "php_uname",
                            "phpcredits",
                            "get_defined_vars",
                            "ini_get_all",
                            "phpversion",
                        ],
                    ) =>
                {
                    Confidence::STRONG
                }
                Standing::Line if name.eq_ignore_ascii_case(b"phpinfo") => Confidence::LIKELY,
                Standing::Alone if !empty => Confidence::POSSIBLE,
                _ => Confidence::HINT,
            }),
            Does::Calls | Does::Reflects => None,
        }
    }

    /// Calls that only show whether code runs: `print(md5(31337))`, `response.write(7*7)`.
    fn probe(&self, name: &[u8], standing: Standing) -> Option<(Confidence, String)> {
        if standing == Standing::Text
            || !ascii::is_one_of(
                name,
                &["print", "printf", "die", "exit", "var_dump", "print_r", "write", "open"],
            )
        {
            return None;
        }
        let first = self.first()?;
        if name == b"open" {
            let text = first.text()?;
            return (standing == Standing::Alone && is_reach(text))
                .then(|| (Confidence::STRONG, format!("opens {}", ascii::shown(text))));
        }
        let nested = first.name().is_some_and(|name| {
            ascii::is_one_of(
                name,
                &[
                    "md5",
                    "sha1",
                    "crc32",
                    "base64_decode",
                    "system",
                    "phpversion",
                    "file_get_contents",
                    "shell_exec",
                    "exec",
                    "chr",
                ],
            )
        }) && self.token(self.open + 2).is_some_and(|token| token.is(b'('));
        nested.then(|| {
            (
                Confidence::LIKELY,
                format!("prints what {}() gives", ascii::shown(first.name().unwrap_or_default())),
            )
        })
    }

    /// `('sys'.'tem')('id')`, `[system][0]('id')`: a name of pieces.
    fn pieced_together(&self) -> Option<(Confidence, String)> {
        let first = self.first()?;
        let given = first.text().is_some()
            || first.is(b'$')
            || first.is(b'@')
            || first.name().is_some_and(|name| name.starts_with(b"$") || is_command(name));
        if !given {
            return None;
        }
        let mut pieces: Vec<&[u8]> = Vec::new();
        for token in self.tokens[self.open.saturating_sub(24)..self.open].iter().rev() {
            match token.kind {
                Kind::Text(text) => pieces.push(text),
                Kind::Name(name) => pieces.push(name),
                // An index, or a number that is none of the pieces.
                Kind::Number(_) | Kind::Sign(b'.' | b'+' | b'(' | b')' | b'[' | b']' | b'{' | b'}') => {}
                Kind::Sign(_) => break,
            }
        }
        pieces.reverse();
        let name = pieces.concat();
        // `(f)(x)` of any language is a call of a name; one of these names is meant.
        let pieced = !name.is_empty() && name.len() <= NAME_BYTES_MAX && code::is_handler_name(&name);
        pieced.then(|| (Confidence::CERTAIN, format!("calls {} by its name in pieces", ascii::shown(&name))))
    }
}

fn by_standing(standing: Standing, alone: Confidence, line: Confidence) -> Confidence {
    match standing {
        Standing::Alone => alone,
        Standing::Line => line,
        Standing::Text => Confidence::POSSIBLE,
    }
}

/// Whether a path ends with another, at a step: `java.lang.runtime.getruntime` with `runtime.getruntime`.
fn ends_with_path(path: &[u8], end: &[u8]) -> bool {
    path.strip_suffix(end).is_some_and(|before| before.last().is_none_or(|byte| !ascii::is_name_byte(*byte)))
}

/// Tokens of arguments, and of a path, that are read.
const ARGUMENTS_MAX: usize = 32;
const PATH_TOKENS_MAX: usize = 24;
const EXPRESSION_TOKENS_MAX: usize = 64;
