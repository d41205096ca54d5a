//! Syntax tree to text: the canonical form, of which `parse(print(ast)) == ast` holds.

use bstr::ByteSlice;

use crate::ast::{
    self, Action, AllowScope, AuditEngine, BodyProcessor, Ctl, Directive, IdRange, LimitAction, Operator,
    OperatorName, ParseXmlIntoArgs, PersistentCollection, Rule, RuleEngine, Selection, Selector, SetVar,
    Setting, Spanned, Target, TargetMode, Template, VarChange, Variable,
};
use crate::parse::{key_length, regex_length, xpath_length};
use crate::text::{closing_quote, is_blank};

/// Prints directives, one a line (rules continue over several), in a form that ModSecurity 3 reads as well: CRS loads
/// in libmodsecurity from what this prints, with the same number of rules (`tests/printed.rs`).
///
/// Any tree that [`crate::parse()`] made without errors reads back as itself. A tree made by hand may say what the
/// language cannot (a value that ends in a lone `\`, a line end in a text); that comes out as near as can be.
pub fn print(directives: &[Spanned<Directive>]) -> Vec<u8> {
    let mut out = Vec::new();
    for directive in directives {
        print_directive(&mut out, &directive.node);
        out.push(b'\n');
        // A blank line ends a chain. ModSecurity 3 needs one behind a rule without actions.
        if let Directive::Rule(rule) = &directive.node
            && !rule.actions.iter().any(|action| action.node == Action::Chain)
        {
            out.push(b'\n');
        }
    }
    out
}

fn print_directive(out: &mut Vec<u8>, directive: &Directive) {
    match directive {
        Directive::Rule(rule) => print_rule(out, rule),
        Directive::Marker(label) => {
            out.extend_from_slice(b"SecMarker ");
            argument(out, &label.node);
        }
        Directive::DefaultAction(actions) => {
            out.extend_from_slice(b"SecDefaultAction ");
            argument(out, &action_list(actions, ","));
        }
        Directive::ComponentSignature(text) => {
            out.extend_from_slice(b"SecComponentSignature ");
            argument(out, text);
        }
        Directive::Include { path, optional } => {
            line(out, if *optional { "IncludeOptional" } else { "Include" }, &[&path.node]);
        }
        Directive::RemoveById(ranges) => {
            let texts: Vec<String> = ranges.iter().map(|range| range_text(range.node)).collect();
            out.extend_from_slice(format!("SecRuleRemoveById {}", texts.join(" ")).as_bytes());
        }
        Directive::RemoveByTag(pattern) => line(out, "SecRuleRemoveByTag", &[&pattern.node]),
        Directive::RemoveByMsg(pattern) => line(out, "SecRuleRemoveByMsg", &[&pattern.node]),
        Directive::UpdateTarget { selection, targets, replaced } => {
            match &selection.node {
                Selection::Ids(ranges) => {
                    let texts: Vec<String> = ranges.iter().map(|&range| range_text(range)).collect();
                    out.extend_from_slice(format!("SecRuleUpdateTargetById {}", texts.join(" ")).as_bytes());
                }
                Selection::Tag(pattern) => line(out, "SecRuleUpdateTargetByTag", &[pattern]),
                Selection::Msg(pattern) => line(out, "SecRuleUpdateTargetByMsg", &[pattern]),
            }
            out.push(b' ');
            argument(out, &target_list(targets));
            if let Some(replaced) = replaced {
                out.push(b' ');
                argument(out, &target_list(replaced));
            }
        }
        Directive::UpdateAction { id, chain_offset, actions } => {
            out.extend_from_slice(format!("SecRuleUpdateActionById {}", id.node).as_bytes());
            if *chain_offset > 0 {
                out.extend_from_slice(format!(":{chain_offset}").as_bytes());
            }
            out.push(b' ');
            argument(out, &action_list(actions, ","));
        }
        Directive::Setting(setting) => print_setting(out, &setting.node),
        Directive::Ignored { name, arguments } => {
            out.extend_from_slice(name);
            for text in arguments {
                out.push(b' ');
                argument(out, text);
            }
        }
    }
}

fn print_rule(out: &mut Vec<u8>, rule: &Rule) {
    match &rule.operator {
        Some(operator) => {
            out.extend_from_slice(b"SecRule ");
            bare_or_quoted(out, &target_list(&rule.targets));
            out.push(b' ');
            argument(out, &operator_text(&operator.node));
            if rule.actions.is_empty() {
                return;
            }
            out.push(b' ');
        }
        None => out.extend_from_slice(b"SecAction "),
    }
    // One action a line. A list that cannot stand in double quotes comes out on one line, and so does one
    // with a line end in it, which is a tree that no text gives.
    let list = action_list(&rule.actions, ",\n");
    match escape(&list, b'"') {
        Some(escaped) if list.find_iter(b"\n").count() + 1 == rule.actions.len() => {
            out.extend_from_slice(b"\\\n    \"");
            out.extend_from_slice(&escaped.replace(",\n", ",\\\n    "));
            out.push(b'"');
        }
        _ => argument(out, &action_list(&rule.actions, ",")),
    }
}

/// Whether an action list can be written down.
pub(crate) fn can_print_actions(actions: &[Spanned<Action>]) -> bool {
    actions.iter().all(|action| {
        value_text(&action.node).is_none_or(|value| quote_value(&value, Quoting::Sparing).is_some())
    }) && quote(&action_list(actions, ",")).is_some()
}

fn action_list(actions: &[Spanned<Action>], separator: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, action) in actions.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(separator.as_bytes());
        }
        out.extend_from_slice(action_name(&action.node).as_bytes());
        if let Some(value) = value_text(&action.node) {
            out.push(b':');
            match quote_value(&value, quoting(&action.node)) {
                Some(value) => out.extend_from_slice(&value),
                None => out.extend_from_slice(&value),
            }
        }
    }
    out
}

fn action_name(action: &Action) -> &'static str {
    match action {
        Action::Id(_) => "id",
        Action::Phase(_) => "phase",
        Action::Msg(_) => "msg",
        Action::LogData(_) => "logdata",
        Action::Severity(_) => "severity",
        Action::Rev(_) => "rev",
        Action::Ver(_) => "ver",
        Action::Maturity(_) => "maturity",
        Action::Accuracy(_) => "accuracy",
        Action::Tag(_) => "tag",
        Action::Allow(_) => "allow",
        Action::Block => "block",
        Action::Deny => "deny",
        Action::Drop => "drop",
        Action::Pass => "pass",
        Action::Redirect(_) => "redirect",
        Action::Proxy(_) => "proxy",
        Action::Pause(_) => "pause",
        Action::Status(_) => "status",
        Action::Chain => "chain",
        Action::Skip(_) => "skip",
        Action::SkipAfter(_) => "skipAfter",
        Action::Append(_) => "append",
        Action::Prepend(_) => "prepend",
        Action::AuditLog => "auditlog",
        Action::NoAuditLog => "noauditlog",
        Action::Log => "log",
        Action::NoLog => "nolog",
        Action::Capture => "capture",
        Action::MultiMatch => "multiMatch",
        Action::Ctl(_) => "ctl",
        Action::DeprecateVar { .. } => "deprecatevar",
        Action::ExpireVar { .. } => "expirevar",
        Action::InitCol { .. } => "initcol",
        Action::SetEnv { .. } => "setenv",
        Action::SetRsc(_) => "setrsc",
        Action::SetSid(_) => "setsid",
        Action::SetUid(_) => "setuid",
        Action::SetVar(_) => "setvar",
        Action::SanitiseArg(_) => "sanitiseArg",
        Action::SanitiseMatched => "sanitiseMatched",
        Action::SanitiseMatchedBytes { .. } => "sanitiseMatchedBytes",
        Action::SanitiseRequestHeader(_) => "sanitiseRequestHeader",
        Action::SanitiseResponseHeader(_) => "sanitiseResponseHeader",
        Action::Transformation(_) => "t",
        Action::XmlNs { .. } => "xmlns",
    }
}

/// What stands after the colon, before quoting; `None` when there is no colon.
fn value_text(action: &Action) -> Option<Vec<u8>> {
    Some(match action {
        Action::Id(id) => id.to_string().into(),
        Action::Phase(phase) => (*phase as u8).to_string().into(),
        Action::Msg(text)
        | Action::LogData(text)
        | Action::Tag(text)
        | Action::Redirect(text)
        | Action::Proxy(text)
        | Action::Pause(text)
        | Action::Append(text)
        | Action::Prepend(text)
        | Action::SetRsc(text)
        | Action::SetSid(text)
        | Action::SetUid(text)
        | Action::SanitiseArg(text)
        | Action::SanitiseRequestHeader(text)
        | Action::SanitiseResponseHeader(text) => text.to_text().into(),
        Action::Severity(number) => {
            let words = ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];
            words.get(usize::from(*number)).map_or_else(|| number.to_string(), |&word| word.to_owned()).into()
        }
        Action::Rev(text) | Action::Ver(text) | Action::SkipAfter(text) => text.to_vec(),
        Action::Maturity(number) | Action::Accuracy(number) => number.to_string().into(),
        Action::Allow(AllowScope::Transaction) => return None,
        Action::Allow(AllowScope::Phase) => b"phase".to_vec(),
        Action::Allow(AllowScope::Request) => b"request".to_vec(),
        Action::Status(status) => status.to_string().into(),
        Action::Skip(count) => count.to_string().into(),
        Action::Ctl(ctl) => ctl_text(ctl),
        Action::DeprecateVar { collection, key, amount, period_seconds } => {
            member(collection_name(*collection), key, &format!("={amount}/{period_seconds}"))
        }
        Action::ExpireVar { collection, key, seconds } => {
            let mut text = member(collection.as_str(), key, "=");
            text.extend_from_slice(&seconds.to_text());
            text
        }
        Action::InitCol { collection, key } => {
            let mut text = collection_name(*collection).as_bytes().to_vec();
            text.push(b'=');
            text.extend_from_slice(&key.to_text());
            text
        }
        Action::SetEnv { name, value } => [name.to_text().as_slice(), b"=", &value.to_text()].concat(),
        Action::SetVar(SetVar { collection, key, change }) => match change {
            VarChange::Unset => {
                let mut text = b"!".to_vec();
                text.extend_from_slice(&member(&collection.as_str().to_lowercase(), key, ""));
                text
            }
            VarChange::Set(value) => assignment(*collection, key, "=", value),
            VarChange::Add(value) => assignment(*collection, key, "=+", value),
            VarChange::Subtract(value) => assignment(*collection, key, "=-", value),
        },
        Action::SanitiseMatchedBytes { keep_start: 0, keep_end: 0 } => return None,
        Action::SanitiseMatchedBytes { keep_start, keep_end } => format!("{keep_start}/{keep_end}").into(),
        Action::Transformation(name) => name.as_str().into(),
        Action::XmlNs { prefix, uri } => [prefix.as_slice(), b"=", uri].concat(),
        Action::Block
        | Action::Deny
        | Action::Drop
        | Action::Pass
        | Action::Chain
        | Action::AuditLog
        | Action::NoAuditLog
        | Action::Log
        | Action::NoLog
        | Action::Capture
        | Action::MultiMatch
        | Action::SanitiseMatched => return None,
    })
}

fn assignment(collection: Variable, key: &Template, sign: &str, value: &Template) -> Vec<u8> {
    let mut text = member(&collection.as_str().to_lowercase(), key, sign);
    text.extend_from_slice(&value.to_text());
    text
}

fn member(collection: &str, key: &Template, after: &str) -> Vec<u8> {
    [collection.as_bytes(), b".", &key.to_text(), after.as_bytes()].concat()
}

fn collection_name(collection: PersistentCollection) -> &'static str {
    match collection {
        PersistentCollection::Global => "global",
        PersistentCollection::Ip => "ip",
        PersistentCollection::Resource => "resource",
        PersistentCollection::Session => "session",
        PersistentCollection::User => "user",
    }
}

fn ctl_text(ctl: &Ctl) -> Vec<u8> {
    let (name, value): (&str, Vec<u8>) = match ctl {
        Ctl::AuditEngine(value) => ("auditEngine", audit_engine(*value).into()),
        Ctl::AuditLogParts(parts) => ("auditLogParts", parts.to_vec()),
        Ctl::DebugLogLevel(level) => ("debugLogLevel", level.to_string().into()),
        Ctl::ForceRequestBodyVariable(on) => ("forceRequestBodyVariable", on_off(*on).into()),
        Ctl::RequestBodyAccess(on) => ("requestBodyAccess", on_off(*on).into()),
        Ctl::RequestBodyLimit(bytes) => ("requestBodyLimit", bytes.to_string().into()),
        Ctl::RequestBodyProcessor(processor) => {
            let name = match processor {
                BodyProcessor::UrlEncoded => "URLENCODED",
                BodyProcessor::Multipart => "MULTIPART",
                BodyProcessor::Xml => "XML",
                BodyProcessor::Json => "JSON",
                BodyProcessor::Raw => "RAW",
            };
            ("requestBodyProcessor", name.into())
        }
        Ctl::ResponseBodyAccess(on) => ("responseBodyAccess", on_off(*on).into()),
        Ctl::ResponseBodyLimit(bytes) => ("responseBodyLimit", bytes.to_string().into()),
        Ctl::RuleEngine(value) => ("ruleEngine", rule_engine(*value).into()),
        Ctl::RuleRemoveById(ranges) => {
            let texts: Vec<String> = ranges.iter().map(|&range| range_text(range)).collect();
            ("ruleRemoveById", texts.join(",").into())
        }
        Ctl::RuleRemoveByMsg(pattern) => ("ruleRemoveByMsg", pattern.to_vec()),
        Ctl::RuleRemoveByTag(pattern) => ("ruleRemoveByTag", pattern.to_vec()),
        Ctl::RuleRemoveTargetById { ids, target } => {
            ("ruleRemoveTargetById", [range_text(*ids).as_bytes(), b";", &target_text(target)].concat())
        }
        Ctl::RuleRemoveTargetByMsg { pattern, target } => {
            ("ruleRemoveTargetByMsg", [pattern.as_slice(), b";", &target_text(target)].concat())
        }
        Ctl::RuleRemoveTargetByTag { pattern, target } => {
            ("ruleRemoveTargetByTag", [pattern.as_slice(), b";", &target_text(target)].concat())
        }
        Ctl::ParseXmlIntoArgs(value) => ("parseXmlIntoArgs", parse_xml(*value).into()),
        Ctl::Ignored { name, value } => return [name.as_slice(), b"=", value].concat(),
    };
    [name.as_bytes(), b"=", &value].concat()
}

fn target_list(targets: &[Spanned<Target>]) -> Vec<u8> {
    targets.iter().map(|target| target_text(&target.node)).collect::<Vec<_>>().join(b"|".as_slice())
}

fn target_text(target: &Target) -> Vec<u8> {
    let mut out = Vec::new();
    match target.mode {
        TargetMode::Value => {}
        TargetMode::Count => out.push(b'&'),
        TargetMode::Exclude => out.push(b'!'),
    }
    out.extend_from_slice(target.variable.as_str().as_bytes());
    let (bare, inner) = match &target.selector {
        None => return out,
        Some(Selector::Key(key)) => {
            let key = key.to_text();
            let is_bare = !key.is_empty()
                && !matches!(key[0], b'\'' | b'/')
                && !is_blank(key[0])
                && key_length(&key) == key.len();
            (is_bare, key.to_vec())
        }
        Some(Selector::Regex(pattern)) => {
            let text = [b"/", pattern.as_slice(), b"/"].concat();
            (regex_length(&text) == Some(text.len()), text)
        }
        Some(Selector::XPath(path)) => {
            let is_bare = !path.is_empty()
                && path[0] != b'\''
                && !is_blank(path[0])
                && !matches!(path[0], b'|' | b',')
                // Also when another target follows: an open bracket would take it in.
                && xpath_length(&[path.as_slice(), b"|"].concat()) == path.len();
            (is_bare, path.to_vec())
        }
    };
    out.push(b':');
    if bare {
        out.extend_from_slice(&inner);
    } else {
        out.push(b'\'');
        out.extend_from_slice(&escape(&inner, b'\'').unwrap_or(inner));
        out.push(b'\'');
    }
    out
}

fn operator_text(operator: &Operator) -> Vec<u8> {
    let mut out = Vec::new();
    if operator.negated {
        out.push(b'!');
    }
    // A name without an argument needs no blank behind it.
    out.push(b'@');
    out.extend_from_slice(operator.name.as_str().as_bytes());
    if !operator.argument.is_empty() || operator.name == OperatorName::Rx {
        out.push(b' ');
        out.extend_from_slice(&operator.argument);
    }
    out
}

fn print_setting(out: &mut Vec<u8>, setting: &Setting) {
    use Setting::*;
    let number = |number: &u64| number.to_string().into_bytes();
    let flag = |on: &bool| on_off(*on).as_bytes().to_vec();
    let (name, value): (&str, Vec<u8>) = match setting {
        RuleEngine(value) => ("SecRuleEngine", rule_engine(*value).into()),
        RequestBodyAccess(on) => ("SecRequestBodyAccess", flag(on)),
        ResponseBodyAccess(on) => ("SecResponseBodyAccess", flag(on)),
        RequestBodyLimit(bytes) => ("SecRequestBodyLimit", number(bytes)),
        RequestBodyNoFilesLimit(bytes) => ("SecRequestBodyNoFilesLimit", number(bytes)),
        RequestBodyLimitAction(action) => ("SecRequestBodyLimitAction", limit_action(*action).into()),
        RequestBodyJsonDepthLimit(depth) => ("SecRequestBodyJsonDepthLimit", number(depth)),
        ResponseBodyLimit(bytes) => ("SecResponseBodyLimit", number(bytes)),
        ResponseBodyLimitAction(action) => ("SecResponseBodyLimitAction", limit_action(*action).into()),
        ResponseBodyMimeType(types) => {
            let types: Vec<&[u8]> = types.iter().map(|item| item.as_slice()).collect();
            return line(out, "SecResponseBodyMimeType", &types);
        }
        ResponseBodyMimeTypesClear => return line(out, "SecResponseBodyMimeTypesClear", &[]),
        ArgumentsLimit(count) => ("SecArgumentsLimit", number(count)),
        ArgumentSeparator(byte) => ("SecArgumentSeparator", vec![*byte]),
        CookieFormat(format) => ("SecCookieFormat", format.to_string().into()),
        CookieV0Separator(byte) => ("SecCookieV0Separator", vec![*byte]),
        AuditEngine(value) => ("SecAuditEngine", audit_engine(*value).into()),
        AuditLog(text) => ("SecAuditLog", text.to_vec()),
        AuditLog2(text) => ("SecAuditLog2", text.to_vec()),
        AuditLogDirMode(text) => ("SecAuditLogDirMode", text.to_vec()),
        AuditLogFileMode(text) => ("SecAuditLogFileMode", text.to_vec()),
        AuditLogFormat(format) => {
            let word = match format {
                ast::AuditLogFormat::Native => "Native",
                ast::AuditLogFormat::Json => "JSON",
            };
            ("SecAuditLogFormat", word.into())
        }
        AuditLogParts(text) => ("SecAuditLogParts", text.to_vec()),
        AuditLogPrefix(text) => ("SecAuditLogPrefix", text.to_vec()),
        AuditLogRelevantStatus(text) => ("SecAuditLogRelevantStatus", text.to_vec()),
        AuditLogStorageDir(text) => ("SecAuditLogStorageDir", text.to_vec()),
        AuditLogType(kind) => {
            let word = match kind {
                ast::AuditLogType::Serial => "Serial",
                ast::AuditLogType::Concurrent => "Concurrent",
                ast::AuditLogType::Https => "HTTPS",
            };
            ("SecAuditLogType", word.into())
        }
        DebugLog(text) => ("SecDebugLog", text.to_vec()),
        DebugLogLevel(level) => ("SecDebugLogLevel", level.to_string().into()),
        CollectionTimeout(seconds) => ("SecCollectionTimeout", number(seconds)),
        DataDir(text) => ("SecDataDir", text.to_vec()),
        TmpDir(text) => ("SecTmpDir", text.to_vec()),
        UploadDir(text) => ("SecUploadDir", text.to_vec()),
        UploadFileLimit(count) => ("SecUploadFileLimit", number(count)),
        UploadFileMode(text) => ("SecUploadFileMode", text.to_vec()),
        UploadKeepFiles(on) => ("SecUploadKeepFiles", flag(on)),
        TmpSaveUploadedFiles(on) => ("SecTmpSaveUploadedFiles", flag(on)),
        GeoLookupDb(text) => ("SecGeoLookupDb", text.to_vec()),
        HttpBlKey(text) => ("SecHttpBlKey", text.to_vec()),
        PcreMatchLimit(count) => ("SecPcreMatchLimit", number(count)),
        PcreMatchLimitRecursion(count) => ("SecPcreMatchLimitRecursion", number(count)),
        UnicodeMapFile { path, code_page } => {
            return line(out, "SecUnicodeMapFile", &[&path.node, code_page.to_string().as_bytes()]);
        }
        WebAppId(text) => ("SecWebAppId", text.to_vec()),
        ServerSignature(text) => ("SecServerSignature", text.to_vec()),
        SensorId(text) => ("SecSensorId", text.to_vec()),
        XmlExternalEntity(on) => ("SecXmlExternalEntity", flag(on)),
        ParseXmlIntoArgs(value) => ("SecParseXmlIntoArgs", parse_xml(*value).into()),
        RuleInheritance(on) => ("SecRuleInheritance", flag(on)),
        InterceptOnError(on) => ("SecInterceptOnError", flag(on)),
    };
    line(out, name, &[&value]);
}

fn line(out: &mut Vec<u8>, name: &str, arguments: &[&[u8]]) {
    out.extend_from_slice(name.as_bytes());
    for text in arguments {
        out.push(b' ');
        bare_or_quoted(out, text);
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "On" } else { "Off" }
}

fn rule_engine(value: RuleEngine) -> &'static str {
    match value {
        RuleEngine::On => "On",
        RuleEngine::Off => "Off",
        RuleEngine::DetectionOnly => "DetectionOnly",
    }
}

fn audit_engine(value: AuditEngine) -> &'static str {
    match value {
        AuditEngine::On => "On",
        AuditEngine::Off => "Off",
        AuditEngine::RelevantOnly => "RelevantOnly",
    }
}

fn limit_action(value: LimitAction) -> &'static str {
    match value {
        LimitAction::Reject => "Reject",
        LimitAction::ProcessPartial => "ProcessPartial",
    }
}

fn parse_xml(value: ParseXmlIntoArgs) -> &'static str {
    match value {
        ParseXmlIntoArgs::On => "On",
        ParseXmlIntoArgs::Off => "Off",
        ParseXmlIntoArgs::OnlyArgs => "OnlyArgs",
    }
}

fn range_text(range: IdRange) -> String {
    if range.first == range.last {
        range.first.to_string()
    } else {
        format!("{}-{}", range.first, range.last)
    }
}

/// An argument in quotes, where it can be.
fn argument(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&quote(text).unwrap_or_else(|| text.to_vec()));
}

/// An argument, in quotes only where it must be.
fn bare_or_quoted(out: &mut Vec<u8>, text: &[u8]) {
    let plain = !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:&!;*@?,+=|".contains(byte));
    if plain { out.extend_from_slice(text) } else { argument(out, text) }
}

/// An argument as it is written: in double quotes, else in single quotes, else bare. `None` when none of them can.
pub(crate) fn quote(text: &[u8]) -> Option<Vec<u8>> {
    for quote in [b'"', b'\''] {
        if let Some(inner) = escape(text, quote) {
            return Some([&[quote], inner.as_slice(), &[quote]].concat());
        }
    }
    let first = *text.first()?;
    let bare =
        first != b'"' && first != b'\'' && !text.iter().any(|&byte| is_blank(byte)) && !text.ends_with(b"\\");
    bare.then(|| text.to_vec())
}

/// When an action's value is quoted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// Always: readers expect it, and ModSecurity 3 wants it for some.
    Always,
    /// Unless it is plain, without macros: ModSecurity 3 does not find the end of a bare `setvar` with one.
    Usual,
    /// Only when it must be: ModSecurity 3 takes no quoted `ctl` and `initcol`.
    Sparing,
}

fn quoting(action: &Action) -> Quoting {
    match action {
        Action::Msg(_)
        | Action::LogData(_)
        | Action::Tag(_)
        | Action::Rev(_)
        | Action::Ver(_)
        | Action::Redirect(_) => Quoting::Always,
        Action::Ctl(_) | Action::InitCol { .. } => Quoting::Sparing,
        _ => Quoting::Usual,
    }
}

/// An action's value as it is written inside a list. `None` when it cannot be.
fn quote_value(value: &[u8], quoting: Quoting) -> Option<Vec<u8>> {
    let is_plain = |&byte: &u8| match quoting {
        Quoting::Always => false,
        Quoting::Usual => byte.is_ascii_alphanumeric() || b"_-./:;+=!&*@".contains(&byte),
        Quoting::Sparing => !is_blank(byte) && !b",'\"\\".contains(&byte),
    };
    let simple = !value.is_empty() && value.iter().all(is_plain);
    if simple {
        return Some(value.to_vec());
    }
    if let Some(inner) = escape(value, b'\'') {
        return Some([b"'", inner.as_slice(), b"'"].concat());
    }
    let edge = |byte: Option<&u8>| byte.is_some_and(|&byte| is_blank(byte));
    let bare = value.first() != Some(&b'\'')
        && !edge(value.first())
        && !edge(value.last())
        && !value.contains(&b',')
        && !value.ends_with(b"\\");
    bare.then(|| value.to_vec())
}

/// Puts `\` before each quote. `None` when that would not read back: an odd run of `\` before a quote or the end.
fn escape(text: &[u8], quote: u8) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() + 2);
    let mut run = 0;
    for &byte in text {
        if byte == quote {
            if run % 2 == 1 {
                return None;
            }
            out.push(b'\\');
        }
        run = if byte == b'\\' { run + 1 } else { 0 };
        out.push(byte);
    }
    debug_assert!(run % 2 == 1 || closing_quote(&out, quote).is_none());
    (run % 2 == 0).then_some(out)
}
