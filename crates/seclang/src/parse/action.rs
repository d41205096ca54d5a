//! Action lists: `id:1,phase:2,t:none,msg:'a, b',setvar:'tx.a=+1'`.

use bstr::{BString, ByteSlice};

use super::operator::number;
use super::{Parser, Word};
use crate::ast::{
    Action, AllowScope, PersistentCollection, Phase, SetVar, Spanned, TransformationName, VarChange, Variable,
};
use crate::diagnostic::{Diagnostic, codes, quoted};
use crate::names;
use crate::text::{Text, View, closing_quote, is_blank};

/// An action's argument, quoting undone.
pub(crate) struct Value {
    pub(crate) text: Text,
    /// In single quotes.
    pub(crate) quoted: bool,
}

impl Value {
    pub(crate) fn view(&self) -> View<'_> {
        self.text.view()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.view().bytes()
    }
}

impl Parser<'_> {
    /// Reads an action list; actions that cannot be read are reported and left out.
    pub(crate) fn actions(&mut self, list: &Word) -> Vec<Spanned<Action>> {
        let mut actions = Vec::new();
        let mut rest = list.view();
        // An empty list is allowed; an empty item in one is a slip.
        let mut expecting = false;
        loop {
            rest = rest.trim_start();
            let Some(first) = rest.first() else {
                if expecting {
                    self.empty_item(list.view().from(list.view().len().saturating_sub(1)));
                }
                break;
            };
            if first == b',' {
                self.empty_item(rest.slice(0, 1));
                rest = rest.from(1);
                continue;
            }
            let Some(next) = self.item(rest, &mut actions) else { break };
            rest = rest.from(next);
            expecting = rest.first() == Some(b',');
            rest = rest.from(usize::from(expecting));
        }
        if list.quote != Some(b'"')
            && list.bytes().contains(&b'\\')
            && !crate::print::can_print_actions(&actions)
        {
            self.sink.push(
                Diagnostic::error(codes::UNQUOTABLE, list.span, "the quotes and backslashes of this list are ambiguous")
                    .help("put the list in double quotes, values in single quotes, and write `\\\"` and `\\'` inside them"),
            );
        }
        actions
    }

    fn empty_item(&mut self, place: View<'_>) {
        self.sink.push(
            Diagnostic::warning(codes::SUSPICIOUS, place.span(), "an action is missing at this comma")
                .help("remove the comma"),
        );
    }

    /// Reads one action from the start of `rest`; returns where the comma after it, or the end, is.
    fn item(&mut self, rest: View<'_>, actions: &mut Vec<Spanned<Action>>) -> Option<usize> {
        let bytes = rest.bytes();
        if bytes[0] == b'#' {
            self.sink.push(
                Diagnostic::error(
                    codes::BAD_ACTIONS,
                    rest.slice(0, 1).span(),
                    "a comment cannot stand inside an action list",
                )
                .label("the lines are joined to one, and this is a part of it")
                .help("move the comment above the rule"),
            );
            return None;
        }
        let name_len =
            bytes.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)).count();
        let name = rest.slice(0, name_len);
        let mut at = name_len;
        at += bytes[at..].iter().take_while(|&&byte| is_blank(byte)).count();
        if name.is_empty() || !matches!(bytes.get(at), None | Some(b',' | b':')) {
            let end = at + bytes[at..].iter().take_while(|&&byte| byte != b',').count();
            let help = if !name.is_empty() && bytes.get(at) == Some(&b'=') {
                "an action's argument follows a colon: `name:value`".to_owned()
            } else if names::is_among(name.bytes(), names::ACTIONS) {
                "put a comma between actions".to_owned()
            } else {
                "an action list is `name,name:value,name:'value with, commas'`".to_owned()
            };
            let place = rest.slice(if name.is_empty() { 0 } else { at }, end).trim();
            self.sink.push(
                Diagnostic::error(
                    codes::BAD_ACTIONS,
                    place.slice(0, 1).span(),
                    format!("expected an action, found {}", quoted(rest.slice(0, end).trim().bytes())),
                )
                .help(help),
            );
            return Some(end);
        }
        if bytes.get(at) != Some(&b':') {
            self.action(name, None, rest.slice(0, name_len), actions);
            return Some(at);
        }

        at += 1;
        at += bytes[at..].iter().take_while(|&&byte| is_blank(byte)).count();
        if bytes.get(at) == Some(&b'\'') {
            let Some(length) = closing_quote(&bytes[at + 1..], b'\'') else {
                self.sink.push(
                    Diagnostic::error(
                        codes::UNTERMINATED_QUOTE,
                        rest.slice(at, at + 1).span(),
                        "this `'` is not closed",
                    )
                    .label("opened here")
                    .help("close it before the list ends; write `\\'` for a quote inside the value"),
                );
                return None;
            };
            let value = Value { text: rest.slice(at + 1, at + 1 + length).unescape(b'\''), quoted: true };
            let end = at + length + 2;
            let blanks = bytes[end..].iter().take_while(|&&byte| is_blank(byte)).count();
            self.action(name, Some(&value), rest.slice(0, end), actions);
            if matches!(bytes.get(end + blanks), None | Some(b',')) {
                return Some(end + blanks);
            }
            let after = rest.slice(end + blanks, end + blanks + 1);
            self.sink.push(
                Diagnostic::error(
                    codes::BAD_ACTIONS,
                    after.span(),
                    format!(
                        "expected `,` or the end of the list after the quoted value, found {}",
                        quoted(after.bytes())
                    ),
                )
                .help("write `\\'` for a quote inside the value, or a comma before the next action"),
            );
            return Some(end + bytes[end..].iter().take_while(|&&byte| byte != b',').count());
        }

        let end = at + bytes[at..].iter().take_while(|&&byte| byte != b',').count();
        let place = rest.slice(at, end).trim_end();
        self.check_bare(place);
        let value = Value { text: place.to_text(), quoted: false };
        self.action(name, Some(&value), rest.slice(0, end).trim_end(), actions);
        Some(end)
    }

    /// A value without quotes may hold blanks; a forgotten comma must not hide an action in it.
    fn check_bare(&mut self, value: View<'_>) {
        let bytes = value.bytes();
        let trailing = bytes.iter().rev().take_while(|&&byte| byte == b'\\').count();
        if trailing % 2 == 1 {
            self.sink.push(
                Diagnostic::error(
                    codes::UNQUOTABLE,
                    value.from(value.len() - 1).span(),
                    "a value cannot end in a single `\\`",
                )
                .help("to join the next line, make it the last character of the line; else double it"),
            );
        }
        let mut start = 0;
        for word in bytes.fields_with(|char| u8::try_from(char).is_ok_and(is_blank)) {
            let offset = start + bytes[start..].find(word).unwrap_or(0);
            start = offset + word.len();
            let name = &word[..word.find_byte(b':').unwrap_or(word.len())];
            if offset > 0 && names::is_among(name, names::ACTIONS) {
                self.sink.push(
                    Diagnostic::error(
                        codes::BAD_ACTIONS,
                        value.slice(offset, offset + name.len()).span(),
                        format!("the action {} is swallowed by the value before it", quoted(name)),
                    )
                    .label("part of the value")
                    .help("put a comma before it, or the value in single quotes"),
                );
                return;
            }
        }
    }

    fn action(
        &mut self,
        name: View<'_>,
        value: Option<&Value>,
        place: View<'_>,
        actions: &mut Vec<Spanned<Action>>,
    ) {
        let lower = name.bytes().to_ascii_lowercase();
        let span = place.span();
        let mut add =
            |action: Option<Action>| actions.extend(action.map(|action| Spanned::new(action, span)));
        match lower.as_slice() {
            b"block" => add(self.flag(name, value, Action::Block)),
            b"deny" => add(self.flag(name, value, Action::Deny)),
            b"drop" => add(self.flag(name, value, Action::Drop)),
            b"pass" => add(self.flag(name, value, Action::Pass)),
            b"chain" => add(self.flag(name, value, Action::Chain)),
            b"auditlog" => add(self.flag(name, value, Action::AuditLog)),
            b"noauditlog" => add(self.flag(name, value, Action::NoAuditLog)),
            b"log" => add(self.flag(name, value, Action::Log)),
            b"nolog" => add(self.flag(name, value, Action::NoLog)),
            b"capture" => add(self.flag(name, value, Action::Capture)),
            b"multimatch" => add(self.flag(name, value, Action::MultiMatch)),
            b"sanitisematched" | b"sanitizematched" => add(self.flag(name, value, Action::SanitiseMatched)),
            b"allow" => add(self.allow(value)),
            b"sanitisematchedbytes" | b"sanitizematchedbytes" => add(self.sanitise_matched_bytes(value)),
            b"exec" => self.sink.push(
                Diagnostic::error(
                    codes::REFUSED_ACTION,
                    span,
                    "`exec` is not supported: a request must not start a program",
                )
                .help("remove it and let the error log, the audit log or an alert start what is needed"),
            ),
            _ if !names::is_among(&lower, names::ACTIONS) => self.unknown_action(name),
            _ => {
                let Some(value) = value else {
                    self.sink.push(
                        Diagnostic::error(
                            codes::BAD_ACTION_ARGUMENT,
                            name.span(),
                            format!("{} needs an argument", quoted(name.bytes())),
                        )
                        .help(format!("`{}:value`", name.bytes().as_bstr())),
                    );
                    return;
                };
                if lower == b"ctl" {
                    self.ctl(value, span, actions);
                } else {
                    add(self.action_with(&lower, name, value, place));
                }
            }
        }
    }

    fn flag(&mut self, name: View<'_>, value: Option<&Value>, action: Action) -> Option<Action> {
        if let Some(value) = value {
            let place = if value.text.len() == 0 { name.span() } else { value.view().span() };
            let mut diagnostic = Diagnostic::error(
                codes::BAD_ACTION_ARGUMENT,
                place,
                format!("{} takes no argument", quoted(name.bytes())),
            );
            if matches!(action, Action::Deny | Action::Block | Action::Drop) {
                diagnostic = diagnostic.help("a status is an action of its own: `deny,status:403`");
            }
            self.sink.push(diagnostic);
            return None;
        }
        Some(action)
    }

    fn allow(&mut self, value: Option<&Value>) -> Option<Action> {
        let Some(value) = value else { return Some(Action::Allow(AllowScope::Transaction)) };
        let choices = [("phase", AllowScope::Phase), ("request", AllowScope::Request)];
        self.choice(value, "how far it reaches", &choices).map(Action::Allow)
    }

    fn sanitise_matched_bytes(&mut self, value: Option<&Value>) -> Option<Action> {
        let Some(value) = value else {
            return Some(Action::SanitiseMatchedBytes { keep_start: 0, keep_end: 0 });
        };
        let (start, end) = value.bytes().split_once_str("/").unwrap_or((value.bytes(), b"0"));
        match (number(start).map(u32::try_from), number(end).map(u32::try_from)) {
            (Some(Ok(keep_start)), Some(Ok(keep_end))) => {
                Some(Action::SanitiseMatchedBytes { keep_start, keep_end })
            }
            _ => self.bad(value, "two counts of bytes to keep", "for example `sanitiseMatchedBytes:1/4`"),
        }
    }

    /// The actions that need an argument.
    fn action_with(
        &mut self,
        lower: &[u8],
        name: View<'_>,
        value: &Value,
        place: View<'_>,
    ) -> Option<Action> {
        match lower {
            b"id" => match number(value.bytes()) {
                Some(0) => self.bad(value, "an id above 0", "ids of one's own are customarily 1-99999"),
                Some(id) => Some(Action::Id(id)),
                None => self.bad(value, "a number", "ids are decimal numbers: `id:10001`"),
            },
            b"phase" => {
                let choices = [
                    ("1", Phase::RequestHeaders),
                    ("2", Phase::RequestBody),
                    ("3", Phase::ResponseHeaders),
                    ("4", Phase::ResponseBody),
                    ("5", Phase::Logging),
                    ("request", Phase::RequestBody),
                    ("response", Phase::ResponseBody),
                    ("logging", Phase::Logging),
                ];
                self.choice(value, "a phase", &choices).map(Action::Phase)
            }
            b"msg" => Some(Action::Msg(self.template(value.view()))),
            b"logdata" => Some(Action::LogData(self.template(value.view()))),
            b"severity" => {
                let choices = [
                    ("emergency", 0),
                    ("alert", 1),
                    ("critical", 2),
                    ("error", 3),
                    ("warning", 4),
                    ("notice", 5),
                    ("info", 6),
                    ("debug", 7),
                    ("0", 0),
                    ("1", 1),
                    ("2", 2),
                    ("3", 3),
                    ("4", 4),
                    ("5", 5),
                    ("6", 6),
                    ("7", 7),
                ];
                self.choice(value, "a severity", &choices).map(Action::Severity)
            }
            b"rev" => Some(Action::Rev(value.bytes().into())),
            b"ver" => Some(Action::Ver(value.bytes().into())),
            b"maturity" => self.small(value).map(Action::Maturity),
            b"accuracy" => self.small(value).map(Action::Accuracy),
            b"tag" => Some(Action::Tag(self.template(value.view()))),
            b"redirect" => self.not_empty(value).map(|view| Action::Redirect(self.template(view))),
            b"proxy" => {
                self.warn_ignored(
                    place,
                    "`proxy` denies here: requests are not sent to another server by rules",
                );
                self.not_empty(value).map(|view| Action::Proxy(self.template(view)))
            }
            b"pause" => {
                self.warn_ignored(
                    place,
                    "`pause` does nothing here: a delay is a lever for whoever wants to exhaust us",
                );
                Some(Action::Pause(self.template(value.view())))
            }
            b"status" => match number(value.bytes()) {
                Some(status @ 100..=599) => Some(Action::Status(status as u16)),
                _ => self.bad(value, "a status from 100 to 599", "for example `status:403`"),
            },
            b"skip" => match number(value.bytes()).map(u32::try_from) {
                Some(Ok(count @ 1..)) => Some(Action::Skip(count)),
                _ => self.bad(value, "a number of rules", "for example `skip:1`"),
            },
            b"skipafter" => self.not_empty(value).map(|view| Action::SkipAfter(view.bytes().into())),
            b"append" => Some(Action::Append(self.template(value.view()))),
            b"prepend" => Some(Action::Prepend(self.template(value.view()))),
            b"deprecatevar" => self.deprecate_var(value),
            b"expirevar" => self.expire_var(value),
            b"initcol" => self.init_col(value),
            b"setenv" => self.set_env(value),
            b"setrsc" => Some(Action::SetRsc(self.template(value.view()))),
            b"setsid" => Some(Action::SetSid(self.template(value.view()))),
            b"setuid" => Some(Action::SetUid(self.template(value.view()))),
            b"setvar" => self.set_var(value).map(Action::SetVar),
            b"sanitisearg" | b"sanitizearg" => {
                self.not_empty(value).map(|view| Action::SanitiseArg(self.template(view)))
            }
            b"sanitiserequestheader" | b"sanitizerequestheader" => {
                self.not_empty(value).map(|view| Action::SanitiseRequestHeader(self.template(view)))
            }
            b"sanitiseresponseheader" | b"sanitizeresponseheader" => {
                self.not_empty(value).map(|view| Action::SanitiseResponseHeader(self.template(view)))
            }
            b"t" => self.transformation(value),
            b"xmlns" => {
                let (prefix, uri) = match value.bytes().split_once_str("=") {
                    Some((prefix, uri)) if !uri.is_empty() => (prefix, uri),
                    _ => {
                        return self.bad(
                            value,
                            "a prefix and a URI",
                            "for example `xmlns:soap=http://schemas.example/soap`",
                        );
                    }
                };
                let uri = uri.strip_prefix(b"\"").and_then(|uri| uri.strip_suffix(b"\"")).unwrap_or(uri);
                Some(Action::XmlNs { prefix: prefix.into(), uri: uri.into() })
            }
            _ => {
                self.unknown_action(name);
                None
            }
        }
    }

    fn transformation(&mut self, value: &Value) -> Option<Action> {
        if let Some(name) = TransformationName::from_name(value.bytes()) {
            return Some(Action::Transformation(name));
        }
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_TRANSFORMATION,
            value.view().span(),
            format!("unknown transformation {}", quoted(value.bytes())),
        )
        .label("not a transformation");
        if let Some(near) =
            self.suggestion(value.bytes(), TransformationName::ALL.iter().map(|name| name.as_str()))
        {
            diagnostic = diagnostic.help(format!("did you mean `t:{near}`?"));
        }
        self.sink.push(diagnostic);
        None
    }

    fn set_var(&mut self, value: &Value) -> Option<SetVar> {
        let view = value.view();
        let (unset, rest) = if view.first() == Some(b'!') { (true, view.from(1)) } else { (false, view) };
        let equals = if unset { None } else { equals_outside_macros(rest.bytes()) };
        let target = rest.slice(0, equals.unwrap_or(rest.len())).trim();
        let (collection, key) = self.variable_key(target, value, "setvar:tx.name=value")?;
        use Variable::*;
        if !matches!(collection, Tx | Ip | Session | User | Global | Resource | Env) {
            self.sink.push(
                Diagnostic::error(
                    codes::BAD_ACTION_ARGUMENT,
                    target.span(),
                    format!("`setvar` cannot change {collection}"),
                )
                .help("it changes TX, ENV, and the persistent collections GLOBAL, IP, RESOURCE, SESSION and USER"),
            );
            return None;
        }
        let key = self.template(key);
        let change = match equals {
            None if unset => VarChange::Unset,
            None => VarChange::Set(crate::ast::Template::parse(b"1")),
            Some(at) => {
                let new = rest.from(at + 1);
                if !value.quoted && new.first() == Some(b'\'') {
                    self.sink.push(
                        Diagnostic::warning(
                            codes::SUSPICIOUS,
                            new.slice(0, 1).span(),
                            "this quote becomes a part of the variable's value",
                        )
                        .help("put the whole in quotes: `setvar:'tx.name=value'`"),
                    );
                }
                match new.first() {
                    Some(b'+') => VarChange::Add(self.template(new.from(1))),
                    Some(b'-') => VarChange::Subtract(self.template(new.from(1))),
                    _ => VarChange::Set(self.template(new)),
                }
            }
        };
        Some(SetVar { collection, key, change })
    }

    /// Splits `collection.key`.
    fn variable_key<'v>(
        &mut self,
        target: View<'v>,
        value: &Value,
        example: &str,
    ) -> Option<(Variable, View<'v>)> {
        let Some(dot) = target.bytes().find_byte(b'.').filter(|&dot| dot + 1 < target.len()) else {
            return self.bad(value, "a collection and a key", &format!("for example `{example}`"));
        };
        let name = target.slice(0, dot);
        let Some(collection) = Variable::from_name(name.bytes()) else {
            let mut diagnostic = Diagnostic::error(
                codes::UNKNOWN_VARIABLE,
                name.span(),
                format!("unknown collection {}", quoted(name.bytes())),
            );
            let known = ["TX", "IP", "SESSION", "USER", "GLOBAL", "RESOURCE", "ENV"];
            if let Some(near) = self.suggestion(name.bytes(), known) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
            self.sink.push(diagnostic);
            return None;
        };
        Some((collection, target.from(dot + 1)))
    }

    fn expire_var(&mut self, value: &Value) -> Option<Action> {
        let view = value.view();
        let Some(equals) = equals_outside_macros(view.bytes()) else {
            return self.bad(value, "a variable and seconds", "for example `expirevar:ip.blocked=3600`");
        };
        let (collection, key) =
            self.variable_key(view.slice(0, equals).trim(), value, "expirevar:ip.blocked=3600")?;
        if !collection.takes_selector() {
            return self.bad(value, "a collection and a key", "for example `expirevar:ip.blocked=3600`");
        }
        Some(Action::ExpireVar {
            collection,
            key: self.template(key),
            seconds: self.template(view.from(equals + 1).trim()),
        })
    }

    fn deprecate_var(&mut self, value: &Value) -> Option<Action> {
        let example = "for example `deprecatevar:ip.score=60/300`: 60 less each 300 seconds";
        let view = value.view();
        let parts = equals_outside_macros(view.bytes()).and_then(|equals| {
            let (amount, period) = view.bytes()[equals + 1..].split_once_str("/")?;
            Some((
                view.slice(0, equals),
                number(amount.trim_ascii())?,
                number(period.trim_ascii()).filter(|&period| period > 0)?,
            ))
        });
        let Some((target, amount, period_seconds)) = parts else {
            return self.bad(value, "a variable, an amount and a period", example);
        };
        let (collection, key) = self.variable_key(target.trim(), value, "deprecatevar:ip.score=60/300")?;
        let Some(collection) = persistent(collection) else {
            return self.bad(value, "a persistent collection", "GLOBAL, IP, RESOURCE, SESSION or USER");
        };
        Some(Action::DeprecateVar { collection, key: self.template(key), amount, period_seconds })
    }

    fn init_col(&mut self, value: &Value) -> Option<Action> {
        let view = value.view();
        let example = "for example `initcol:ip=%{REMOTE_ADDR}`";
        let Some(equals) = view.bytes().find_byte(b'=') else {
            return self.bad(value, "a collection and its key", example);
        };
        let Some(collection) = Variable::from_name(view.slice(0, equals).trim().bytes()).and_then(persistent)
        else {
            return self.bad(value, "GLOBAL, IP, RESOURCE, SESSION or USER and a key", example);
        };
        Some(Action::InitCol { collection, key: self.template(view.from(equals + 1)) })
    }

    fn set_env(&mut self, value: &Value) -> Option<Action> {
        let view = value.view();
        if view.first() == Some(b'!') {
            return self.bad(
                value,
                "`name=value`",
                "a variable of the environment cannot be removed; set it to nothing",
            );
        }
        let equals = equals_outside_macros(view.bytes());
        let name = self.template(view.slice(0, equals.unwrap_or(view.len())));
        let new = match equals {
            Some(at) => self.template(view.from(at + 1)),
            None => crate::ast::Template::parse(b"1"),
        };
        if name.parts.is_empty() {
            return self.bad(value, "`name=value`", "for example `setenv:blocked=1`");
        }
        Some(Action::SetEnv { name, value: new })
    }

    fn small(&mut self, value: &Value) -> Option<u8> {
        match number(value.bytes()).map(u8::try_from) {
            Some(Ok(number)) => Some(number),
            _ => self.bad(value, "a number from 0 to 9", "the manual's scale is 1-9"),
        }
    }

    fn not_empty<'v>(&mut self, value: &'v Value) -> Option<View<'v>> {
        if value.text.len() == 0 {
            return self.bad(value, "an argument that is not empty", "write it after the colon");
        }
        Some(value.view())
    }

    /// One of some words, ignoring case.
    pub(crate) fn choice<T: Copy>(&mut self, value: &Value, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(word, _)| value.bytes().eq_ignore_ascii_case(word.as_bytes()));
        if found.is_none() {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            // Everything of one or two letters is near everything else of that length.
            let near = self.suggestion(value.bytes(), choices.iter().map(|&(word, _)| word));
            let help = match near.filter(|_| value.bytes().len() > 2) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of {}", words.join(", ")),
            };
            return self.bad(value, what, &help);
        }
        found.map(|&(_, choice)| choice)
    }

    /// Reports a value that is not what it should be.
    pub(crate) fn bad<T>(&mut self, value: &Value, expected: &str, help: &str) -> Option<T> {
        self.sink.push(
            Diagnostic::error(
                codes::BAD_ACTION_ARGUMENT,
                value.view().span(),
                format!("expected {expected}, found {}", quoted(value.bytes())),
            )
            .help(help),
        );
        None
    }

    pub(crate) fn warn_ignored(&mut self, place: View<'_>, message: &str) {
        self.sink.push(Diagnostic::warning(codes::IGNORED_ACTION, place.span(), message));
    }

    fn unknown_action(&mut self, name: View<'_>) {
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_ACTION,
            name.span(),
            format!("unknown action {}", quoted(name.bytes())),
        )
        .label("not an action");
        if let Some(near) = self.suggestion(name.bytes(), names::ACTIONS.iter().copied()) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        } else if TransformationName::from_name(name.bytes()).is_some() {
            diagnostic =
                diagnostic.help(format!("transformations are written `t:{}`", name.bytes().as_bstr()));
        } else if names::is_among(name.bytes(), names::CTLS) {
            diagnostic =
                diagnostic.help(format!("this is an option of `ctl`: `ctl:{}=...`", name.bytes().as_bstr()));
        }
        self.sink.push(diagnostic);
    }
}

/// The first `=` that is in no macro.
fn equals_outside_macros(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'=' => return Some(at),
            b'%' if bytes.get(at + 1) == Some(&b'{') => {
                at += bytes[at..].find_byte(b'}').map_or(bytes.len(), |length| length + 1);
            }
            _ => at += 1,
        }
    }
    None
}

pub(crate) fn persistent(variable: Variable) -> Option<PersistentCollection> {
    Some(match variable {
        Variable::Global => PersistentCollection::Global,
        Variable::Ip => PersistentCollection::Ip,
        Variable::Resource => PersistentCollection::Resource,
        Variable::Session => PersistentCollection::Session,
        Variable::User => PersistentCollection::User,
        _ => return None,
    })
}

/// A value as bytes of its own.
pub(crate) fn owned(view: View<'_>) -> BString {
    view.bytes().into()
}
