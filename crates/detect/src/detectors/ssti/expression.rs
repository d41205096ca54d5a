//! What one expression of a template does.

use super::super::ascii;
use super::super::code::{self, Does, Kind, Token, Tokens};
use super::delimiters::{Mark, Template};
use super::places::{IMPLICIT, INTERNALS, MODULES, PATHS, PROBES, ROOTS, is_server_path};
use super::whole;
use crate::Confidence;

/// An expression that does something.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) confidence: Confidence,
    pub(super) why: String,
    /// Whether it is a browser that evaluates it, by what it calls.
    pub(super) in_browser: bool,
}

/// Tokens of an expression that are read.
const TOKENS_MAX: usize = 1024;

/// Bytes of an expression between single braces, or double brackets.
const BRACE_BYTES_MAX: usize = 256;

/// What an expression does; `None` where it is a template's own.
pub(super) fn judge(body: &[u8], template: &Template) -> Option<Judged> {
    // Blocks of programs stand between single braces; an expression is short and in one line.
    if template.mark == Mark::Brace
        && (body.len() > BRACE_BYTES_MAX || memchr::memchr2(b'\n', b';', body).is_some())
    {
        return None;
    }
    let tokens = Tokens::first(body, TOKENS_MAX);
    if let Some(judged) = whole::judge(body, template) {
        return Some(judged);
    }
    let mut best: Option<Judged> = None;
    let mut note = |confidence: Confidence, in_browser: bool, what: String| {
        if best.as_ref().is_none_or(|best| best.confidence < confidence) {
            best =
                Some(Judged { confidence, why: format!("{} that {what}", template.mark.told()), in_browser });
        }
    };
    if let Some((confidence, what)) = whole::arithmetic(&tokens, template) {
        note(confidence, false, what);
    }
    // A brace alone is too common for anything but a call or a walk; what it holds is read again for other marks.
    let reader = Reader { tokens: &tokens, mark: template.mark, closed: template.closed };
    for at in 0..tokens.len() {
        if let Some((confidence, in_browser, what)) = reader.at(at) {
            note(confidence, in_browser, what);
        }
    }
    best
}

/// Reads an expression token by token, with a look around each.
struct Reader<'t, 'a> {
    tokens: &'t [Token<'a>],
    mark: Mark,
    closed: bool,
}

type Found = Option<(Confidence, bool, String)>;

impl<'a> Reader<'_, 'a> {
    fn name(&self, at: usize) -> Option<&'a [u8]> {
        self.tokens.get(at)?.name()
    }

    fn is(&self, at: usize, sign: u8) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(sign))
    }

    fn before(&self, at: usize, back: usize) -> Option<&Token<'a>> {
        self.tokens.get(at.checked_sub(back)?)
    }

    fn at(&self, at: usize) -> Found {
        match self.tokens[at].kind {
            Kind::Name(name) => self.at_name(at, name),
            Kind::Text(text) => self.at_text(at, text),
            // `"..."?new()`: FreeMarker makes an object of a class.
            Kind::Sign(b'?') if self.name(at + 1) == Some(b"new") && self.is(at + 2, b'(') => {
                Some((Confidence::CERTAIN, false, "makes an object of a class by ?new()".into()))
            }
            Kind::Sign(b'?')
                if self
                    .name(at + 1)
                    .is_some_and(|name| ascii::is_one_of(name, &["api", "eval", "interpret"]))
                    && !self.is(at + 2, b':') =>
            {
                let name = ascii::shown(self.name(at + 1).unwrap_or_default());
                let strong = self.is(at + 2, b'.') || matches!(self.mark, Mark::Freemarker);
                Some((
                    if strong { Confidence::STRONG } else { Confidence::POSSIBLE },
                    false,
                    format!("evaluates by ?{name}"),
                ))
            }
            _ => None,
        }
    }

    fn at_name(&self, at: usize, name: &[u8]) -> Found {
        let shown = || ascii::shown(name);
        // `a.b`, `A::b`
        let member = self.before(at, 1).is_some_and(|token| token.is(b'.') || token.is(b':'));
        let called = self.is(at + 1, b'(')
            || self.name(at).is_some_and(|_| self.is(at + 1, b'!') && self.is(at + 2, b'('));
        if code::python_internal(name) {
            // Programs ask for an object's class to tell its name.
            let tells =
                name == b"__class__" && self.is(at + 1, b'.') && self.name(at + 2) == Some(b"__name__");
            let confidence = match self.mark {
                _ if tells || name == b"__dict__" && self.mark == Mark::Dollar => Confidence::POSSIBLE,
                Mark::Brace if !self.is(at + 1, b'.') && !self.is(at + 1, b'[') => Confidence::POSSIBLE,
                _ => Confidence::CERTAIN,
            };
            return Some((confidence, false, format!("goes through Python's internals by {}", shown())));
        }
        if let Some(found) = self.path(at) {
            return Some(found);
        }
        // Programs have calls of their own between braces.
        let dotted = self.before(at, 1).is_some_and(|token| token.is(b'.'));
        if self.mark == Mark::Brace && (!called || dotted) {
            return None;
        }
        if called {
            let arguments = at + if self.is(at + 1, b'(') { 2 } else { 3 };
            if let Some(found) = self.called(at, name, member, arguments) {
                return Some(found);
            }
        }
        // In brackets, links have words between backticks.
        let backtick_call = self.mark != Mark::Brackets
            && self
                .tokens
                .get(at + 1)
                .is_some_and(|token| token.text().is_some() && token.start == self.tokens[at].end);
        if name == b"constructor"
            && (called
                || backtick_call
                || self.is(at + 1, b'[')
                || self.is(at + 1, b'.')
                    && self.name(at + 2).is_some_and(|next| next == b"constructor" || next == b"prototype"))
        {
            return Some((Confidence::CERTAIN, true, "gets at the constructor of functions".into()));
        }
        // `{% import os %}`, `<% import subprocess %>`, `<% require 'open3' %>`
        if ascii::is_one_of(name, &["import", "require", "from", "load"])
            && matches!(self.mark, Mark::Statement | Mark::Scriptlet | Mark::Hash)
        {
            let module = self.tokens.get(at + 1).and_then(|token| token.name().or(token.text()));
            if let Some(module) = module.filter(|module| ascii::is_one_of(module, MODULES)) {
                return Some((
                    Confidence::STRONG,
                    false,
                    format!("loads the module {}", ascii::shown(module)),
                ));
            }
        }
        if self.mark == Mark::Scriptlet && ascii::is_one_of(name, &["eval", "execute", "exec", "system"]) {
            // `eval request("c")`, `system 'id'`
            let next = self.tokens.get(at + 1);
            let takes = next.is_some_and(|token| {
                token.text().is_some()
                    || token.name().is_some_and(|name| ascii::is_one_of(name, &["request", "params"]))
            });
            if takes {
                return Some((
                    Confidence::CERTAIN,
                    false,
                    format!("calls {}, which runs what it is given", shown()),
                ));
            }
        }
        // AngularJS: a function handed to another, `[1].map(alert)`.
        if self.mark == Mark::Braces
            && ascii::is_one_of(name, &["alert", "confirm", "prompt"])
            && self.before(at, 1).is_some_and(|token| token.is(b'(') || token.is(b',') || token.is(b'.'))
            && (self.is(at + 1, b')') || self.is(at + 1, b':'))
        {
            return Some((Confidence::STRONG, true, format!("hands {}() to another function", shown())));
        }
        // What the page around the expression is made of, told to do something.
        if matches!(self.mark, Mark::Dollar | Mark::Hash | Mark::Percent)
            && self.before(at, 1).is_none()
            && ascii::is_one_of(name, IMPLICIT)
        {
            if let Some(method) = self.commands(at) {
                let told = format!("has {} do something, {}()", shown(), ascii::shown(method));
                return Some((Confidence::STRONG, false, told));
            }
            if self.tokens.len() == 1 && name.ends_with(b"Scope") {
                return Some((Confidence::LIKELY, false, format!("shows all of {}", shown())));
            }
        }
        // `%{#context[..]}`: a name of OGNL's context.
        if self.mark == Mark::Percent && at == 1 && self.is(0, b'#') && !self.is(at + 1, b'}') {
            return Some((Confidence::STRONG, false, format!("reads OGNL's context by #{}", shown())));
        }
        // Twig's own variables, to build texts of.
        if matches!(self.mark, Mark::Braces | Mark::Statement)
            && ascii::is_one_of(name, &["_context", "_charset"])
            && self.tokens.iter().any(|token| token.is(b'|'))
        {
            return Some((Confidence::STRONG, false, format!("builds a text out of {}", shown())));
        }
        if matches!(self.mark, Mark::Percent | Mark::Dollar | Mark::Hash)
            && (name == b"_memberAccess"
                || self.before(at, 1).is_some_and(|token| token.is(b'#'))
                    && self.is(at + 1, b'=')
                    && !self.is(at + 2, b'='))
        {
            return Some((Confidence::STRONG, false, format!("sets the OGNL variable {}", shown())));
        }
        None
    }

    /// The method of a path that begins at `at` that changes or sends something: `session.setAttribute(`.
    fn commands(&self, at: usize) -> Option<&'a [u8]> {
        const VERBS: &[&[u8]] = &[
            b"set",
            b"add",
            b"remove",
            b"invalidate",
            b"send",
            b"forward",
            b"include",
            b"evaluate",
            b"execute",
        ];
        self.tokens[at..].windows(3).take(COMMAND_TOKENS_MAX).find_map(|near| {
            let method = near[1].name().filter(|_| near[0].is(b'.') && near[2].is(b'('))?;
            VERBS.iter().any(|verb| method.starts_with(verb)).then_some(method)
        })
    }

    /// A call: `name(`, its arguments from `arguments` on.
    fn called(&self, at: usize, name: &[u8], member: bool, arguments: usize) -> Found {
        let shown = || ascii::shown(name);
        let first = self.tokens.get(arguments);
        let given_text = first.and_then(Token::text);
        // `T(java.lang.Runtime)`
        if name == b"T" && first.and_then(Token::name).is_some() && self.is(arguments + 1, b'.') {
            return Some((Confidence::CERTAIN, false, "names a class of Java by T()".into()));
        }
        let filter = self.before(at, 1).is_some_and(|token| token.is(b'|'))
            && !self.before(at, 2).is_some_and(|token| token.is(b'|'));
        if filter {
            // Twig's filters call; Jinja's attr gets at what a dot may not.
            let names = self.tokens[arguments..].iter().take(8).filter_map(Token::text);
            if ascii::is_one_of(name, &["map", "filter", "sort", "reduce", "find", "column"]) {
                let called = names.into_iter().find(|text| code::is_handler_name(text));
                if let Some(called) = called {
                    return Some((
                        Confidence::CERTAIN,
                        false,
                        format!("has the filter {} call {}", shown(), ascii::shown(called)),
                    ));
                }
                if self.name(arguments) == Some(b"_context") || self.is(arguments + 1, b'|') {
                    return Some((
                        Confidence::STRONG,
                        false,
                        format!("has the filter {} call what it computes", shown()),
                    ));
                }
            } else if name == b"attr" {
                let plain = given_text.is_some_and(|text| !text.contains(&b'_') && !text.contains(&b'\\'));
                let confidence = if plain { Confidence::POSSIBLE } else { Confidence::STRONG };
                return Some((confidence, false, "gets at an attribute by a computed name".into()));
            }
            return None;
        }
        let reads = given_text.is_some_and(is_server_path);
        if reads
            && ascii::is_one_of(
                name,
                &[
                    "open",
                    "include",
                    "source",
                    "read",
                    "file",
                    "fetch",
                    "lookup",
                    "readFile",
                    "import",
                    "extends",
                    "embed",
                    "File",
                    "FileReader",
                    "FileInputStream",
                ],
            )
        {
            return Some((Confidence::STRONG, false, format!("reads a file of the server by {}()", shown())));
        }
        if matches!(self.mark, Mark::Braces | Mark::Dollar | Mark::Brace | Mark::Hash)
            && !member
            && ascii::is_one_of(name, &["alert", "confirm", "prompt"])
        {
            return Some((Confidence::STRONG, true, format!("calls {}()", shown())));
        }
        if name == b"dump" && matches!(self.mark, Mark::Braces | Mark::Statement) && !member {
            return Some((Confidence::LIKELY, false, "prints the variables of the application".into()));
        }
        let set = self.is(1, b'=') && self.name(0).is_some_and(|name| name.starts_with(b"$"));
        if self.mark == Mark::Velocity
            && set
            && member
            && self.root(at).is_some_and(|root| root.starts_with(b"$"))
        {
            let does = code::member_call(name);
            let confidence = if does.is_some() { Confidence::CERTAIN } else { Confidence::LIKELY };
            let told = does.map_or("is a method of Java", Does::told);
            return Some((
                confidence,
                false,
                format!("sets a variable to what .{}() gives, which {told}", shown()),
            ));
        }
        let does = if member { code::member_call(name) } else { code::call(name) }?;
        if self.tokens.get(arguments).is_some_and(|token| token.is(b')'))
            && matches!(does, Does::Files | Does::Calls)
        {
            return None;
        }
        let confidence = self.confidence_of(does, name, member, at, arguments);
        let on = if member { "." } else { "" };
        Some((confidence, false, format!("calls {on}{}(), which {}", shown(), does.told())))
    }

    /// How sure a call is, by how near the languages of honest texts come to it: programs that use `${..}` in strings call
    /// things too.
    fn confidence_of(
        &self,
        does: Does,
        name: &[u8],
        member: bool,
        at: usize,
        arguments: usize,
    ) -> Confidence {
        let given_text = self.tokens.get(arguments).is_some_and(|token| token.text().is_some());
        let root = self.root(at);
        if member
            && ascii::is_one_of(
                name,
                &[
                    "exec",
                    "execute",
                    "eval",
                    "evaluate",
                    "invoke",
                    "inspect",
                    "getmethod",
                    "getresource",
                    "readfile",
                    "getproperties",
                    "getenv",
                    "shell",
                    "subclasses",
                ],
            )
        {
            // `regex.exec(text)` and `cursor.execute(sql)` are honest; a constant, or a root that leads to everything, is not.
            let leads = root.is_some_and(|root| ascii::is_one_of(root, ROOTS))
                || self.before(at, 2).is_some_and(|token| token.text().is_some() || token.is(b')'));
            return match (
                does,
                leads || self.mark == Mark::Velocity || self.mark == Mark::Scriptlet,
                given_text,
            ) {
                (_, true, _) => Confidence::CERTAIN,
                (Does::Runs, _, true) => Confidence::STRONG,
                (_, _, true) if self.mark != Mark::Dollar => Confidence::LIKELY,
                _ => Confidence::POSSIBLE,
            };
        }
        match does {
            Does::Runs | Does::Calls if given_text || member => Confidence::CERTAIN,
            Does::Runs => Confidence::STRONG,
            Does::Evaluates
                if !member
                    && ascii::is_one_of(name, &["function", "compile", "execute", "evaluate", "assert"]) =>
            {
                Confidence::POSSIBLE
            }
            Does::Evaluates if self.mark == Mark::Dollar && !given_text => Confidence::LIKELY,
            Does::Evaluates | Does::Reflects | Does::Calls => Confidence::STRONG,
            Does::Files if member && given_text => Confidence::STRONG,
            // Templates read files of their own, programs load modules.
            Does::Files
                if ascii::is_one_of(
                    name,
                    &[
                        "file",
                        "copy",
                        "glob",
                        "source",
                        "include",
                        "require",
                        "readfile",
                        "unlink",
                        "file_excerpt",
                    ],
                ) =>
            {
                let path = self.tokens.get(arguments).and_then(Token::text);
                let outside =
                    path.is_some_and(|path| is_server_path(path) || ascii::is_one_of(path, MODULES));
                if outside { Confidence::STRONG } else { Confidence::HINT }
            }
            Does::Files => Confidence::STRONG,
            Does::Tells
                if ascii::is_one_of(name, &["phpinfo", "php_uname", "get_defined_vars", "getproperties"]) =>
            {
                Confidence::STRONG
            }
            Does::Tells => Confidence::POSSIBLE,
        }
    }

    /// The first name of the path that the name at `at` ends: `self` of `self.module.os.system`.
    fn root(&self, at: usize) -> Option<&'a [u8]> {
        let mut from = at;
        while from >= 2 && self.is(from - 1, b'.') && self.name(from - 2).is_some() {
            from -= 2;
        }
        (from < at).then(|| self.name(from)).flatten()
    }

    /// A dotted path that begins at `at` and leads somewhere by itself.
    fn path(&self, at: usize) -> Found {
        let member = self.before(at, 1).is_some_and(|token| token.is(b'.'));
        if member && self.before(at, 2).is_some_and(|token| token.name().is_some()) {
            return None;
        }
        let mut path = Vec::new();
        let mut step = at;
        while let Some(name) = self.name(step) {
            if !path.is_empty() {
                path.push(b'.');
            }
            path.extend_from_slice(&name[..name.len().min(40)]);
            if path.len() > 160 || !self.is(step + 1, b'.') {
                break;
            }
            step += 2;
        }
        let steps: Vec<&[u8]> = path.split(|byte| *byte == b'.').collect();
        let shown = || ascii::shown(&path);
        // A class of Java: packages in small letters, then a name with a capital. `java.io.tmpdir` is a property.
        let class =
            steps.len() >= 3 && steps.iter().any(|step| step.first().is_some_and(u8::is_ascii_uppercase));
        if class
            && matches!(
                steps[0],
                b"java" | b"javax" | b"org" | b"com" | b"freemarker" | b"sun" | b"jdk" | b"ognl"
            )
            && steps[1].iter().all(u8::is_ascii_lowercase)
        {
            let known = matches!(steps[0], b"java" | b"javax" | b"freemarker" | b"ognl");
            let confidence =
                if known && self.mark != Mark::Brace { Confidence::STRONG } else { Confidence::POSSIBLE };
            return Some((confidence, false, format!("names the class {}", shown())));
        }
        for (prefix, confidence, what) in PATHS {
            let prefix_steps = prefix.split('.').count();
            let matches = steps.len() >= prefix_steps
                && prefix
                    .split('.')
                    .zip(&steps)
                    .all(|(want, have)| have.eq_ignore_ascii_case(want.as_bytes()));
            if matches && self.allows(prefix) {
                return Some((*confidence, false, format!("{what} by {}", shown())));
            }
        }
        None
    }

    /// Whether a path means something under this mark: `process.env` is everyday in JavaScript's `${..}`.
    fn allows(&self, prefix: &str) -> bool {
        match self.mark {
            Mark::Brace => prefix.contains("smarty"),
            Mark::Dollar => {
                !prefix.starts_with("process.env")
                    && !prefix.starts_with("File.")
                    && !prefix.starts_with("config.")
            }
            Mark::Percent | Mark::Thymeleaf | Mark::Brackets => !prefix.starts_with("config."),
            _ => true,
        }
    }

    fn at_text(&self, at: usize, text: &[u8]) -> Found {
        if self.mark == Mark::Brace {
            return None;
        }
        // `"a".toUpperCase()` and no more: a text that shows whether it is evaluated.
        let method = self.name(at + 2).filter(|_| at == 0 && self.is(1, b'.') && self.is(3, b'('));
        if self.mark != Mark::Brackets
            && self.tokens[0].quote != b'`'
            && method.is_some_and(|method| ascii::is_one_of(method, PROBES))
            && self.tokens.get(4).is_some_and(|token| token.is(b')') || token.text().is_some())
        {
            return Some((Confidence::LIKELY, false, "calls a method of a constant text".into()));
        }
        let shown = || ascii::shown(text);
        if text == b"child_process"
            || text == b"constructor" && matches!(self.mark, Mark::Braces | Mark::Hash | Mark::Scriptlet)
        {
            return Some((Confidence::STRONG, text == b"constructor", format!("gets at {}", shown())));
        }
        if INTERNALS.iter().any(|internal| memchr::memmem::find(text, internal).is_some()) {
            return Some((
                Confidence::STRONG,
                false,
                format!("has a name of Python's internals as a text, {}", shown()),
            ));
        }
        let statement = self.tokens.first().and_then(Token::name).is_some_and(|name| {
            ascii::is_one_of(name, &["include", "import", "extends", "from", "embed", "use", "ssi"])
        });
        if is_server_path(text)
            && (statement
                || self.tokens.iter().any(|token| token.is(b'|'))
                    && self.tokens[at..].iter().any(|token| token.name() == Some(b"file_excerpt")))
        {
            return Some((Confidence::STRONG, false, format!("includes {} of the server", shown())));
        }
        // A command between backticks.
        let command = self.closed
            && self.tokens[at].quote == b'`'
            && matches!(self.mark, Mark::Scriptlet | Mark::Hash)
            && !text.is_empty();
        command.then(|| (Confidence::STRONG, false, format!("starts the program {}", shown())))
    }
}

/// Tokens among which a method is sought.
const COMMAND_TOKENS_MAX: usize = 32;
