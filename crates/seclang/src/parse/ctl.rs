//! `ctl:option=value`.

use bstr::ByteSlice;

use super::Parser;
use super::action::{Value, owned};
use super::operator::number;
use crate::ast::{
    Action, AuditEngine, BodyProcessor, Ctl, IdRange, ParseXmlIntoArgs, RuleEngine, Span, Spanned, Target,
};
use crate::diagnostic::{Diagnostic, codes, quoted};
use crate::names;
use crate::text::{View, is_blank};

/// `On` and `Off`.
pub(crate) const ON_OFF: &[(&str, bool)] = &[("On", true), ("Off", false)];

/// Values of `SecRuleEngine`.
pub(crate) const RULE_ENGINE: &[(&str, RuleEngine)] =
    &[("On", RuleEngine::On), ("Off", RuleEngine::Off), ("DetectionOnly", RuleEngine::DetectionOnly)];

/// Values of `SecAuditEngine`.
pub(crate) const AUDIT_ENGINE: &[(&str, AuditEngine)] =
    &[("On", AuditEngine::On), ("Off", AuditEngine::Off), ("RelevantOnly", AuditEngine::RelevantOnly)];

/// Values of `SecParseXmlIntoArgs`.
pub(crate) const PARSE_XML: &[(&str, ParseXmlIntoArgs)] =
    &[("On", ParseXmlIntoArgs::On), ("Off", ParseXmlIntoArgs::Off), ("OnlyArgs", ParseXmlIntoArgs::OnlyArgs)];

impl Parser<'_> {
    /// Reads a `ctl`; several targets in one become one action each.
    pub(crate) fn ctl(&mut self, value: &Value, span: Span, actions: &mut Vec<Spanned<Action>>) {
        let view = value.view();
        let Some(equals) = view.bytes().find_byte(b'=') else {
            self.bad::<()>(value, "`option=value`", "for example `ctl:ruleEngine=Off`");
            return;
        };
        let name = view.slice(0, equals).trim();
        let argument = Value { text: view.from(equals + 1).trim().to_text(), quoted: value.quoted };
        let lower = name.bytes().to_ascii_lowercase();
        let mut add = |ctl: Option<Ctl>| {
            actions.extend(ctl.map(|ctl| Spanned::new(Action::Ctl(ctl), span)));
        };
        match lower.as_slice() {
            b"auditengine" => {
                add(self.choice(&argument, "On, Off or RelevantOnly", AUDIT_ENGINE).map(Ctl::AuditEngine))
            }
            b"auditlogparts" => add(self.audit_parts(&argument)),
            b"debugloglevel" => add(match number(argument.bytes()) {
                Some(level @ 0..=9) => Some(Ctl::DebugLogLevel(level as u8)),
                _ => self.bad(&argument, "a level from 0 to 9", "for example `ctl:debugLogLevel=3`"),
            }),
            b"forcerequestbodyvariable" => {
                add(self.choice(&argument, "On or Off", ON_OFF).map(Ctl::ForceRequestBodyVariable));
            }
            b"requestbodyaccess" => {
                add(self.choice(&argument, "On or Off", ON_OFF).map(Ctl::RequestBodyAccess))
            }
            b"responsebodyaccess" => {
                add(self.choice(&argument, "On or Off", ON_OFF).map(Ctl::ResponseBodyAccess))
            }
            b"requestbodylimit" => add(self.bytes_count(&argument).map(Ctl::RequestBodyLimit)),
            b"responsebodylimit" => add(self.bytes_count(&argument).map(Ctl::ResponseBodyLimit)),
            b"requestbodyprocessor" => add(Some(Ctl::RequestBodyProcessor(self.body_processor(&argument)))),
            b"ruleengine" => {
                add(self.choice(&argument, "On, Off or DetectionOnly", RULE_ENGINE).map(Ctl::RuleEngine))
            }
            b"ruleremovebyid" => {
                if let Some(ranges) = self.id_ranges(argument.view()) {
                    add(Some(Ctl::RuleRemoveById(ranges)));
                }
            }
            b"ruleremovebymsg" => {
                if let Some(pattern) = self.pattern(&argument) {
                    add(Some(Ctl::RuleRemoveByMsg(pattern)));
                }
            }
            b"ruleremovebytag" => {
                if let Some(pattern) = self.pattern(&argument) {
                    add(Some(Ctl::RuleRemoveByTag(pattern)));
                }
            }
            b"ruleremovetargetbyid" => {
                let Some((which, targets)) = self.which_and_targets(&argument) else { return };
                let Some(ranges) = self.id_ranges(which) else { return };
                for &ids in &ranges {
                    for target in &targets {
                        add(Some(Ctl::RuleRemoveTargetById { ids, target: target.clone() }));
                    }
                }
            }
            b"ruleremovetargetbymsg" => {
                let Some((which, targets)) = self.which_and_targets(&argument) else { return };
                for target in targets {
                    add(Some(Ctl::RuleRemoveTargetByMsg { pattern: owned(which), target }));
                }
            }
            b"ruleremovetargetbytag" => {
                let Some((which, targets)) = self.which_and_targets(&argument) else { return };
                for target in targets {
                    add(Some(Ctl::RuleRemoveTargetByTag { pattern: owned(which), target }));
                }
            }
            b"parsexmlintoargs" => {
                add(self.choice(&argument, "On, Off or OnlyArgs", PARSE_XML).map(Ctl::ParseXmlIntoArgs))
            }
            b"hashengine" | b"hashenforcement" => {
                self.warn_ignored(view, "links are not hashed here, so this option has no effect");
                add(Some(Ctl::Ignored { name: owned(name), value: argument.bytes().into() }));
            }
            _ => {
                let mut diagnostic = Diagnostic::error(
                    codes::UNKNOWN_CTL,
                    name.span(),
                    format!("unknown option {} of `ctl`", quoted(name.bytes())),
                );
                if lower == b"responsebodyprocessor" {
                    diagnostic = diagnostic.help("response bodies are not parsed: match on RESPONSE_BODY");
                } else if let Some(near) = self.suggestion(name.bytes(), names::CTLS.iter().copied()) {
                    diagnostic = diagnostic.help(format!("did you mean `ctl:{near}=...`?"));
                }
                self.sink.push(diagnostic);
            }
        }
    }

    fn audit_parts(&mut self, argument: &Value) -> Option<Ctl> {
        let bytes = argument.bytes();
        let letters = bytes.strip_prefix(b"+").or_else(|| bytes.strip_prefix(b"-")).unwrap_or(bytes);
        if are_audit_parts(letters) {
            return Some(Ctl::AuditLogParts(bytes.into()));
        }
        self.bad(
            argument,
            "audit log parts",
            "letters A-K and Z, or `+` or `-` and letters: `ctl:auditLogParts=+E`",
        )
    }

    fn bytes_count(&mut self, argument: &Value) -> Option<u64> {
        let count = number(argument.bytes());
        if count.is_none() {
            return self.bad(argument, "a number of bytes", "for example 13107200");
        }
        count
    }

    fn body_processor(&mut self, argument: &Value) -> BodyProcessor {
        let choices = [
            ("URLENCODED", BodyProcessor::UrlEncoded),
            ("MULTIPART", BodyProcessor::Multipart),
            ("XML", BodyProcessor::Xml),
            ("JSON", BodyProcessor::Json),
            ("RAW", BodyProcessor::Raw),
        ];
        let bytes = argument.bytes();
        for (name, processor) in choices {
            if bytes.eq_ignore_ascii_case(name.as_bytes()) {
                return processor;
            }
        }
        self.sink.push(
            Diagnostic::warning(
                codes::IGNORED_ACTION,
                argument.view().span(),
                format!("no body processor is named {}: the body is not parsed", quoted(bytes)),
            )
            .help("URLENCODED, MULTIPART, XML, JSON; RAW says that it shall not be parsed"),
        );
        BodyProcessor::Raw
    }

    fn pattern(&mut self, argument: &Value) -> Option<bstr::BString> {
        if argument.bytes().is_empty() {
            return self.bad(argument, "a regular expression", "an empty one would take every rule");
        }
        Some(argument.bytes().into())
    }

    /// Splits `which;targets`.
    fn which_and_targets<'v>(&mut self, argument: &'v Value) -> Option<(View<'v>, Vec<Target>)> {
        let view = argument.view();
        // The target comes last, so that a `;` in a pattern can do no harm; keys hold none in practice.
        let Some(at) = view.bytes().find_byte(b';').filter(|&at| at > 0) else {
            return self.bad(
                argument,
                "`which;TARGET`",
                "for example `ctl:ruleRemoveTargetById=942100;ARGS:text`",
            );
        };
        let list = view.from(at + 1).trim();
        let before = self.sink.error_count();
        let targets = self.targets(list);
        if targets.is_empty() && self.sink.error_count() == before {
            return self.bad(argument, "a target after the `;`", "for example `ARGS:text`");
        }
        Some((view.slice(0, at).trim(), targets.into_iter().map(|target| target.node).collect()))
    }

    /// Ids and ranges, separated by blanks or commas.
    pub(crate) fn id_ranges(&mut self, list: View<'_>) -> Option<Vec<IdRange>> {
        let mut ranges = Vec::new();
        let mut bad = false;
        let mut rest = list;
        loop {
            let skipped = rest.bytes().iter().take_while(|&&byte| byte == b',' || is_blank(byte)).count();
            rest = rest.from(skipped);
            if rest.is_empty() {
                break;
            }
            let length = rest.bytes().iter().take_while(|&&byte| byte != b',' && !is_blank(byte)).count();
            let item = rest.slice(0, length);
            rest = rest.from(length);
            match id_range(item.bytes()) {
                Some(range) if range.first <= range.last => ranges.push(range),
                Some(_) => {
                    self.sink.push(
                        Diagnostic::error(
                            codes::BAD_ARGUMENT,
                            item.span(),
                            "this range ends before it starts",
                        )
                        .help("write the smaller id first"),
                    );
                    bad = true;
                }
                None => {
                    self.sink.push(
                        Diagnostic::error(
                            codes::BAD_ARGUMENT,
                            item.span(),
                            format!("{} is neither a rule id nor a range of them", quoted(item.bytes())),
                        )
                        .help("for example `942100` or `942100-942190`"),
                    );
                    bad = true;
                }
            }
        }
        if bad {
            return None;
        }
        if ranges.is_empty() {
            self.sink.push(Diagnostic::error(codes::BAD_ARGUMENT, list.span(), "expected a rule id"));
            return None;
        }
        Some(ranges)
    }
}

/// `5` or `5-9`.
pub(crate) fn id_range(text: &[u8]) -> Option<IdRange> {
    match text.split_once_str("-") {
        Some((first, last)) => Some(IdRange { first: number(first)?, last: number(last)? }),
        None => number(text).map(|id| IdRange { first: id, last: id }),
    }
}

/// Letters of audit log sections.
pub(crate) fn are_audit_parts(letters: &[u8]) -> bool {
    !letters.is_empty()
        && letters.iter().all(|letter| matches!(letter.to_ascii_uppercase(), b'A'..=b'K' | b'Z'))
}
