//! Directives by name: rules, updates, removals, includes; settings are in [`super::setting`].

use bstr::{BString, ByteSlice};

use super::ctl::id_range;
use super::operator::number;
use super::{Line, Parser, Word};
use crate::ast::{
    Action, Directive, Operator, OperatorName, Rule, Selection, Spanned, TargetMode, Template,
    TransformationName,
};
use crate::diagnostic::{Diagnostic, codes, quoted};
use crate::names;
use crate::text::is_blank;

impl Parser<'_> {
    pub(super) fn directive(&mut self, line: &Line<'_>) {
        let lower = line.name.bytes().to_ascii_lowercase();
        let directive = match lower.as_slice() {
            b"secrule" => self.rule(line),
            b"secaction" => self.one(line).map(|list| {
                let actions = self.actions(list);
                self.check_rule_actions(&actions);
                Directive::Rule(Box::new(Rule { targets: Vec::new(), operator: None, actions }))
            }),
            b"secmarker" => {
                self.filled(line).map(|word| Directive::Marker(Spanned::new(word.bytes().into(), word.span)))
            }
            b"secdefaultaction" => self.one(line).map(|list| {
                let actions = self.actions(list);
                self.check_default_actions(&actions, line);
                Directive::DefaultAction(actions)
            }),
            b"seccomponentsignature" => {
                self.one(line).map(|word| Directive::ComponentSignature(word.bytes().into()))
            }
            b"include" | b"includeoptional" => self.filled(line).map(|word| Directive::Include {
                path: Spanned::new(word.bytes().into(), word.span),
                optional: lower == b"includeoptional",
            }),
            b"secruleremovebyid" => self.remove_by_id(line),
            b"secruleremovebytag" => self
                .filled(line)
                .map(|word| Directive::RemoveByTag(Spanned::new(word.bytes().into(), word.span))),
            b"secruleremovebymsg" => self
                .filled(line)
                .map(|word| Directive::RemoveByMsg(Spanned::new(word.bytes().into(), word.span))),
            b"secruleupdatetargetbyid" => self.update_target_by_id(line),
            b"secruleupdatetargetbytag" => self.update_target(line, Selection::Tag),
            b"secruleupdatetargetbymsg" => self.update_target(line, Selection::Msg),
            b"secruleupdateactionbyid" => self.update_action(line),
            _ => match self.setting(&lower, line) {
                Some(directive) => directive,
                None => {
                    self.unknown_directive(line);
                    None
                }
            },
        };
        if let Some(directive) = directive {
            self.directives.push(Spanned::new(directive, line.span));
        }
    }

    fn rule(&mut self, line: &Line<'_>) -> Option<Directive> {
        let (targets, operator, actions) = match line.words.as_slice() {
            [targets, operator] => (targets, operator, None),
            [targets, operator, actions] => (targets, operator, Some(actions)),
            words => {
                let mut diagnostic = Diagnostic::error(
                    codes::ARGUMENT_COUNT,
                    words.get(3).map_or(line.name.span(), |word| word.span),
                    format!(
                        "`SecRule` takes targets, an operator and actions, and got {} arguments",
                        words.len()
                    ),
                )
                .help("`SecRule TARGETS \"OPERATOR\" \"ACTIONS\"`");
                if words.len() > 3 {
                    diagnostic = diagnostic
                        .help("put the operator and the actions in double quotes, and write `\\\"` for a quote inside them");
                }
                self.sink.push(diagnostic);
                // Without a rule here, what comes after it would seem to have lost its chain.
                return None;
            }
        };
        let errors_before = self.sink.error_count();
        let list = self.targets(targets.view());
        if list.is_empty() && self.sink.error_count() == errors_before {
            self.sink.push(
                Diagnostic::error(codes::BAD_TARGETS, targets.span, "the rule has no targets")
                    .help("for a rule that always matches, use `SecAction`"),
            );
        }
        if !list.is_empty() && list.iter().all(|target| target.node.mode == TargetMode::Exclude) {
            self.sink.push(
                Diagnostic::warning(
                    codes::ONLY_EXCLUSIONS,
                    targets.span,
                    "these targets only exclude, so the rule never matches",
                )
                .help("say what to exclude from: `ARGS|!ARGS:name`"),
            );
        }
        let parsed = self.operator(operator.view()).unwrap_or(Operator {
            negated: false,
            name: OperatorName::NoMatch,
            argument: BString::default(),
            template: Template::default(),
        });
        self.check_word(operator);
        let actions = actions.map(|actions| self.actions(actions)).unwrap_or_default();
        self.check_rule_actions(&actions);
        Some(Directive::Rule(Box::new(Rule {
            targets: list,
            operator: Some(Spanned::new(parsed, operator.span)),
            actions,
        })))
    }

    /// What is wrong with an action list whatever rule it is of.
    fn check_rule_actions(&mut self, actions: &[Spanned<Action>]) {
        let mut first: [Option<&Spanned<Action>>; 4] = [None; 4];
        for action in actions {
            let (slot, what) = match &action.node {
                Action::Id(_) => (0, "id"),
                Action::Phase(_) => (1, "phase"),
                Action::Chain => (2, "chain"),
                node if node.is_disruptive() => (3, "disruptive action"),
                _ => continue,
            };
            let Some(earlier) = first[slot] else {
                first[slot] = Some(action);
                continue;
            };
            if slot == 2 || slot == 3 && earlier.node == action.node {
                continue;
            }
            let message = format!("a second {what} in one rule");
            self.sink.push(if slot == 0 {
                Diagnostic::error(codes::MISPLACED_ACTION, action.span, message)
                    .related(earlier.span, "the first one")
            } else {
                Diagnostic::warning(codes::REPEATED_ACTION, action.span, message)
                    .label("this one counts")
                    .related(earlier.span, "this one does not")
            });
        }
    }

    fn check_default_actions(&mut self, actions: &[Spanned<Action>], line: &Line<'_>) {
        for action in actions {
            let name = match &action.node {
                Action::Id(_) => "id",
                Action::Chain => "chain",
                Action::Skip(_) => "skip",
                Action::SkipAfter(_) => "skipAfter",
                Action::Transformation(TransformationName::None) => "t:none",
                _ => continue,
            };
            self.sink.push(
                Diagnostic::error(
                    codes::BAD_DEFAULT_ACTION,
                    action.span,
                    format!("`{name}` cannot be a default for all rules"),
                )
                .help("remove it"),
            );
        }
        // `block` asks for the default, so it cannot be one.
        if !actions.iter().any(|action| action.node.is_disruptive() && action.node != Action::Block) {
            self.sink.push(
                Diagnostic::error(
                    codes::BAD_DEFAULT_ACTION,
                    line.span,
                    "`SecDefaultAction` must say what `block` does",
                )
                .help("add `pass`, `deny`, `drop`, `allow` or `redirect:URL`, as in \"phase:2,log,auditlog,pass\""),
            );
        }
        if !actions.iter().any(|action| matches!(action.node, Action::Phase(_))) {
            self.sink.push(
                Diagnostic::warning(codes::MISSING_PHASE, line.span, "these defaults name no phase")
                    .label("phase 2 is meant")
                    .help("add `phase:2`"),
            );
        }
    }

    fn remove_by_id(&mut self, line: &Line<'_>) -> Option<Directive> {
        if line.words.is_empty() {
            self.count(line, "at least one id");
            return None;
        }
        let mut ranges = Vec::new();
        for word in &line.words {
            let found = self.id_ranges(word.view()).unwrap_or_default();
            ranges.extend(found.into_iter().map(|range| Spanned::new(range, word.span)));
        }
        Some(Directive::RemoveById(ranges))
    }

    /// `SecRuleUpdateTargetById 1 2-5 "TARGETS" [REPLACED]`: the ids are those words at the start that are ids.
    fn update_target_by_id(&mut self, line: &Line<'_>) -> Option<Directive> {
        let ids = line.words.iter().take_while(|word| is_id_list(word.bytes())).count();
        let (which, rest) = line.words.split_at(ids);
        let (Some(first), Some(last)) = (which.first(), which.last()) else {
            match line.words.first() {
                Some(word) => drop(self.id_ranges(word.view())),
                None => self.count(line, "an id and targets"),
            }
            return None;
        };
        let mut ranges = Vec::new();
        for word in which {
            ranges.extend(self.id_ranges(word.view())?);
        }
        let mut span = first.span;
        span.end = last.span.end;
        self.updated(line, Spanned::new(Selection::Ids(ranges), span), rest)
    }

    fn update_target(&mut self, line: &Line<'_>, select: fn(BString) -> Selection) -> Option<Directive> {
        let Some((which, rest)) = line.words.split_first() else {
            self.count(line, "a regular expression and targets");
            return None;
        };
        self.check_word(which);
        self.updated(line, Spanned::new(select(which.bytes().into()), which.span), rest)
    }

    fn updated(
        &mut self,
        line: &Line<'_>,
        selection: Spanned<Selection>,
        rest: &[Word],
    ) -> Option<Directive> {
        let (targets, replaced) = match rest {
            [targets] => (targets, None),
            [targets, replaced] => (targets, Some(replaced)),
            _ => {
                self.count(line, "which rules, the targets, and perhaps the target that they replace");
                return None;
            }
        };
        let errors_before = self.sink.error_count();
        let list = self.targets(targets.view());
        if list.is_empty() && self.sink.error_count() == errors_before {
            self.sink.push(
                Diagnostic::error(codes::BAD_TARGETS, targets.span, "no targets are named")
                    .help("for example \"!ARGS:name\" to exclude an argument"),
            );
        }
        let replaced = replaced.map(|word| self.targets(word.view()));
        Some(Directive::UpdateTarget { selection, targets: list, replaced })
    }

    fn update_action(&mut self, line: &Line<'_>) -> Option<Directive> {
        let [which, list] = line.words.as_slice() else {
            self.count(line, "an id and actions");
            return None;
        };
        let (id, offset) = which.bytes().split_once_str(":").unwrap_or((which.bytes(), b"0"));
        let (Some(id), Some(Ok(chain_offset))) = (number(id), number(offset).map(u32::try_from)) else {
            self.sink.push(
                Diagnostic::error(
                    codes::BAD_ARGUMENT,
                    which.span,
                    format!("expected a rule id, found {}", quoted(which.bytes())),
                )
                .help("for example `942100`, or `942100:1` for the second rule of a chain"),
            );
            return None;
        };
        let actions = self.actions(list);
        for action in &actions {
            let name = match &action.node {
                Action::Id(_) => "id",
                Action::Phase(_) => "phase",
                Action::Chain => "chain",
                _ => continue,
            };
            self.sink.push(
                Diagnostic::error(
                    codes::MISPLACED_ACTION,
                    action.span,
                    format!("an update cannot change a rule's {name}"),
                )
                .help("remove it; to replace the rule, remove it by id and write another"),
            );
        }
        Some(Directive::UpdateAction { id: Spanned::new(id, which.span), chain_offset, actions })
    }

    fn unknown_directive(&mut self, line: &Line<'_>) {
        let name = line.name.bytes();
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_DIRECTIVE,
            line.name.span(),
            format!("unknown directive {}", quoted(name)),
        )
        .label("not a directive");
        if let Some(near) = self.suggestion(name, names::DIRECTIVES.iter().copied()) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        } else if name.to_ascii_lowercase().starts_with(b"modsecurity") {
            diagnostic = diagnostic
                .help("this belongs to nginx's configuration; a rule file holds the rules themselves");
        } else if name.first().is_some_and(u8::is_ascii_uppercase) && !name.starts_with(b"Sec") {
            diagnostic = diagnostic
                .help("a directive of the web server belongs in its own configuration, not in a rule file");
        } else if !name.first().is_some_and(u8::is_ascii_alphabetic) {
            diagnostic =
                diagnostic.help("to continue the line before, end it with `\\`; a comment starts with `#`");
        }
        self.sink.push(diagnostic);
    }

    /// The only argument.
    pub(super) fn one<'l>(&mut self, line: &'l Line<'_>) -> Option<&'l Word> {
        let [word] = line.words.as_slice() else {
            self.count(line, "one argument");
            return None;
        };
        self.check_word(word);
        Some(word)
    }

    /// The only argument, not empty.
    pub(super) fn filled<'l>(&mut self, line: &'l Line<'_>) -> Option<&'l Word> {
        let word = self.one(line)?;
        if word.bytes().is_empty() {
            self.bad_word::<()>(word, "an argument that is not empty", "write it between the quotes");
            return None;
        }
        Some(word)
    }

    pub(super) fn count(&mut self, line: &Line<'_>, expected: &str) {
        let name = line.name.bytes().as_bstr();
        let got = line.words.len();
        let message =
            format!("`{name}` takes {expected}, and got {got} argument{}", if got == 1 { "" } else { "s" });
        let mut diagnostic = Diagnostic::error(codes::ARGUMENT_COUNT, line.span, message);
        if got > 1 {
            diagnostic = diagnostic.help("put an argument that holds blanks in double quotes");
        }
        self.sink.push(diagnostic);
    }

    /// Refuses a word that could not be written down again: a lone `\` at its end.
    pub(super) fn check_word(&mut self, word: &Word) {
        if word.quote != Some(b'"') && crate::print::quote(word.bytes()).is_none() {
            self.sink.push(
                Diagnostic::error(codes::UNQUOTABLE, word.span, "the quotes and backslashes of this argument are ambiguous")
                    .help("put it in double quotes, and write `\\\"` for a quote inside; a `\\` at the end must be doubled"),
            );
        }
    }

    /// Reports an argument that is not what it should be.
    pub(super) fn bad_word<T>(&mut self, word: &Word, expected: &str, help: &str) -> Option<T> {
        self.sink.push(
            Diagnostic::error(
                codes::BAD_ARGUMENT,
                word.span,
                format!("expected {expected}, found {}", quoted(word.bytes())),
            )
            .help(help),
        );
        None
    }

    /// One of some words, ignoring case.
    pub(super) fn word_choice<T: Copy>(&mut self, word: &Word, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(name, _)| word.bytes().eq_ignore_ascii_case(name.as_bytes()));
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|&(name, _)| name).collect();
            return self.bad_word(word, &names.join(" or "), &format!("for example `{}`", names[0]));
        }
        found.map(|&(_, choice)| choice)
    }
}

fn is_id_list(text: &[u8]) -> bool {
    let mut items = text
        .split(|&byte| byte == b',' || is_blank(byte))
        .filter(|item| !item.is_empty())
        .map(|item| id_range(item).is_some())
        .peekable();
    items.peek().is_some() && items.all(|good| good)
}
