//! The reference page of SecLang: what is made of every name of the language, found out by asking the compiler.
//!
//! Each name is put into a small rule, which is loaded and compiled as any rule is; what the page says is what the
//! compiler said to it. So nothing is listed as supported that does not compile, and a reason is always the one that
//! somebody who writes the rule gets to read.

use std::fmt::Write as _;

use palisade_seclang::ast::{OperatorName, TransformationName, Variable};
use palisade_seclang::{ACTIONS, CTLS, DIRECTIVES, MemoryLoader, Source, load};

use crate::compile::compile;
use crate::interner::Interner;

/// `docs/reference/seclang.md`, in Markdown.
pub fn reference() -> String {
    let mut out = String::from(INTRODUCTION);
    section(&mut out, "Directives", DIRECTIVES.iter().map(|name| directive(name)));
    section(&mut out, "Operators", OperatorName::ALL.iter().map(|name| operator(*name)));
    section(&mut out, "Actions", ACTIONS.iter().map(|name| action(name)));
    section(&mut out, "Options of ctl", CTLS.iter().map(|name| ctl(name)));
    section(
        &mut out,
        "Transformations",
        TransformationName::ALL.iter().map(|name| {
            let example = format!("t:{name}");
            let rule = format!("SecRule ARGS \"@rx a\" \"id:1,phase:2,pass,{example}\"\n");
            Row { name: example.clone(), example, answer: asked(&rule) }
        }),
    );
    section(
        &mut out,
        "Variables",
        Variable::ALL.iter().map(|&variable| {
            let name = variable.as_str().to_owned();
            let member = if variable == Variable::Xml { "/*" } else { "name" };
            let example =
                if variable.takes_selector() { format!("{name}, {name}:{member}") } else { name.clone() };
            let asked_by = if variable.takes_selector() { format!("{name}:{member}") } else { name.clone() };
            Row {
                name,
                example,
                answer: asked(&format!("SecRule {asked_by} \"@rx a\" \"id:1,phase:4,pass\"\n")),
            }
        }),
    );
    out
}

/// What the compiler makes of something.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// It compiles without a word.
    Compiled,
    /// It compiles with a warning, which is this.
    Warned(String),
    /// It does not compile, for this reason.
    Refused(String),
}

struct Row {
    name: String,
    example: String,
    answer: Answer,
}

fn section(out: &mut String, title: &str, rows: impl Iterator<Item = Row>) {
    let rows: Vec<Row> = rows.collect();
    let supported = rows.iter().filter(|row| row.answer == Answer::Compiled).count();
    let _ = writeln!(out, "\n## {title}\n\nOf {} names {supported} compile without a word.\n", rows.len());
    out.push_str("| name | | as it was asked, or what is said to it |\n|---|---|---|\n");
    for row in rows {
        let (word, said) = match row.answer {
            Answer::Compiled => ("yes", format!("`{}`", row.example)),
            Answer::Warned(said) => ("without effect", said),
            Answer::Refused(said) => ("refused", said),
        };
        let _ = writeln!(out, "| `{}` | {word} | {} |", row.name, said.replace('|', "\\|"));
    }
}

fn directive(name: &str) -> Row {
    let example = EXAMPLES.iter().find(|(directive, _)| *directive == name);
    // What has no example is expected to be without effect or refused whatever it says; a test sees to it.
    let (before, example) = match example {
        Some((_, example)) if example.contains('\n') => example.split_once('\n').expect("it has a line end"),
        Some((_, example)) => ("", *example),
        None => ("", "On"),
    };
    let line = format!("{name} {example}");
    let answer = asked(&format!("{before}\n{line}\n"));
    Row { name: name.to_owned(), example: line.trim_end().to_owned(), answer }
}

fn operator(name: OperatorName) -> Row {
    use OperatorName::*;
    let argument = match name {
        Eq | Ge | Gt | Le | Lt => "1",
        IpMatch => "192.0.2.0/24",
        IpMatchFromFile => "addresses.txt",
        PmFromFile => "words.txt",
        Rbl => "rbl.example.org",
        ValidateByteRange => "32-126",
        VerifyCc | VerifyCpf | VerifySsn | VerifySvnr => "[0-9]{9,16}",
        DetectSqli | DetectXss | GeoLookup | NoMatch | UnconditionalMatch | ValidateUrlEncoding
        | ValidateUtf8Encoding => "",
        _ => "word",
    };
    let example = format!("@{name} {argument}").trim_end().to_owned();
    let answer = asked(&format!("SecRule ARGS \"{example}\" \"id:1,phase:2,pass\"\n"));
    Row { name: format!("@{name}"), example, answer }
}

fn action(name: &str) -> Row {
    let argument = match name {
        "accuracy" | "maturity" => ":5",
        "allow" => ":request",
        "append" | "prepend" => ":'text'",
        "ctl" => ":ruleEngine=Off",
        "deprecatevar" => ":ip.score=60/300",
        "exec" => ":/bin/true",
        "expirevar" => ":ip.score=60",
        "id" => ":1",
        "initcol" => ":ip=%{REMOTE_ADDR}",
        "logdata" | "msg" => ":'%{MATCHED_VAR}'",
        "pause" => ":100",
        "phase" => ":2",
        "proxy" | "redirect" => ":http://example.org/",
        "rev" | "ver" => ":'1'",
        "sanitiseArg" | "sanitizeArg" => ":password",
        "sanitiseRequestHeader" | "sanitizeRequestHeader" => ":authorization",
        "sanitiseResponseHeader" | "sanitizeResponseHeader" => ":set-cookie",
        "sanitiseMatchedBytes" | "sanitizeMatchedBytes" => ":1/4",
        "setenv" => ":name=value",
        "setrsc" | "setsid" | "setuid" => ":%{ARGS.name}",
        "setvar" => ":tx.score=+5",
        "severity" => ":CRITICAL",
        "skip" => ":1",
        "skipAfter" => ":END",
        "status" => ":403",
        "t" => ":lowercase",
        "tag" => ":'attack-sqli'",
        "xmlns" => ":soap=http://schemas.xmlsoap.org/soap/envelope/",
        _ => "",
    };
    let example = format!("{name}{argument}");
    // What the rest of the rule has to be, for the action to mean something.
    let others: Vec<&str> = [("id", "id:1"), ("phase", "phase:2")]
        .into_iter()
        .filter(|(other, _)| *other != name)
        .map(|(_, text)| text)
        .collect();
    let disruptive = matches!(name, "allow" | "block" | "deny" | "drop" | "pass" | "proxy" | "redirect");
    let pass = if disruptive { "" } else { ",pass" };
    let next = match name {
        "chain" => "SecRule ARGS \"@rx b\"\n",
        "skip" => "SecAction \"id:2,phase:2,pass\"\n",
        "skipAfter" => "SecMarker END\n",
        _ => "",
    };
    let target = if name == "xmlns" { "XML:/soap:Envelope" } else { "ARGS" };
    let answer =
        asked(&format!("SecRule {target} \"@rx (a)\" \"{}{pass},{example}\"\n{next}", others.join(",")));
    Row { name: name.to_owned(), example, answer }
}

fn ctl(name: &str) -> Row {
    let value = match name {
        "auditEngine"
        | "ruleEngine"
        | "forceRequestBodyVariable"
        | "requestBodyAccess"
        | "responseBodyAccess"
        | "hashEngine"
        | "hashEnforcement"
        | "parseXmlIntoArgs" => "On",
        "auditLogParts" => "+E",
        "debugLogLevel" => "3",
        "requestBodyLimit" | "responseBodyLimit" => "1048576",
        "requestBodyProcessor" => "JSON",
        "ruleRemoveById" => "2",
        "ruleRemoveByMsg" | "ruleRemoveByTag" => "attack",
        "ruleRemoveTargetById" => "2;ARGS:q",
        _ => "attack;ARGS:q",
    };
    let example = format!("ctl:{name}={value}");
    let rules = format!(
        "SecAction \"id:1,phase:1,pass,nolog,{example}\"\n\
         SecRule ARGS \"@rx a\" \"id:2,phase:2,pass,tag:'attack',msg:'attack'\"\n"
    );
    Row { name: name.to_owned(), example, answer: asked(&rules) }
}

/// Loads and compiles a text; the first error, else the first warning.
fn asked(text: &str) -> Answer {
    let loader = MemoryLoader::new()
        .with("words.txt", "one\ntwo\n")
        .with("addresses.txt", "192.0.2.1\n")
        .with("more.conf", "")
        .with("unicode.mapping", "20127 (US-ASCII)\n0061:61 0062:62\n");
    let source =
        Source::Text { name: "asked.conf".into(), text: text.as_bytes().to_vec(), directory: String::new() };
    let loaded = load(&[source], &loader);
    let mut said = loaded.diagnostics;
    if said.iter().all(|one| !one.is_error()) {
        said.extend(compile(&loaded.program, &loaded.sources, &loader, &Interner::new()).1);
    }
    let told = |one: &palisade_seclang::Diagnostic| {
        let mut text = one.message.clone();
        for more in [Some(one.label.clone()).filter(|label| !label.is_empty()), one.help.clone()] {
            text.extend(more.map(|more| format!("; {more}")));
        }
        text
    };
    match (said.iter().find(|one| one.is_error()), said.first()) {
        (Some(error), _) => Answer::Refused(told(error)),
        (None, Some(warning)) => Answer::Warned(told(warning)),
        (None, None) => Answer::Compiled,
    }
}

/// Arguments of directives that have an effect. What stands before a line's end is loaded before the directive.
const EXAMPLES: &[(&str, &str)] = &[
    ("Include", "more.conf"),
    ("IncludeOptional", "absent/*.conf"),
    ("SecAction", "\"id:1,phase:1,pass,nolog\""),
    ("SecArgumentSeparator", "&"),
    ("SecArgumentsLimit", "1000"),
    ("SecAuditEngine", "RelevantOnly"),
    ("SecAuditLog", "/var/log/audit.log"),
    ("SecAuditLog2", "/var/log/audit2.log"),
    ("SecAuditLogDirMode", "0750"),
    ("SecAuditLogFileMode", "0640"),
    ("SecAuditLogFormat", "JSON"),
    ("SecAuditLogParts", "ABIJDEFHZ"),
    ("SecAuditLogPrefix", "waf"),
    ("SecAuditLogRelevantStatus", "^5"),
    ("SecAuditLogStorageDir", "/var/log/audit"),
    ("SecAuditLogType", "Serial"),
    ("SecCollectionTimeout", "600"),
    ("SecComponentSignature", "\"site/1.0\""),
    ("SecCookieFormat", "0"),
    ("SecCookieV0Separator", ";"),
    ("SecDataDir", "/var/lib/rules"),
    ("SecDebugLog", "/var/log/debug.log"),
    ("SecDebugLogLevel", "3"),
    ("SecDefaultAction", "\"phase:2,log,auditlog,pass\""),
    ("SecGeoLookupDb", "GeoLite2-City.mmdb"),
    ("SecHttpBlKey", "abcdefghijkl"),
    ("SecInterceptOnError", "On"),
    ("SecMarker", "END"),
    ("SecParseXmlIntoArgs", "On"),
    ("SecPcreMatchLimit", "1000"),
    ("SecPcreMatchLimitRecursion", "1000"),
    ("SecRequestBodyAccess", "On"),
    ("SecRequestBodyJsonDepthLimit", "512"),
    ("SecRequestBodyLimit", "13107200"),
    ("SecRequestBodyLimitAction", "Reject"),
    ("SecRequestBodyNoFilesLimit", "131072"),
    ("SecResponseBodyAccess", "On"),
    ("SecResponseBodyLimit", "524288"),
    ("SecResponseBodyLimitAction", "ProcessPartial"),
    ("SecResponseBodyMimeType", "text/html"),
    ("SecResponseBodyMimeTypesClear", ""),
    ("SecRule", "ARGS \"@rx a\" \"id:1,phase:2,pass\""),
    ("SecRuleEngine", "DetectionOnly"),
    ("SecRuleInheritance", "Off"),
    ("SecRuleRemoveById", "SecAction \"id:1,phase:1,pass\"\n1"),
    ("SecRuleRemoveByMsg", "SecAction \"id:1,phase:1,pass,msg:'site'\"\nsite"),
    ("SecRuleRemoveByTag", "SecAction \"id:1,phase:1,pass,tag:'site'\"\nsite"),
    ("SecRuleUpdateActionById", "SecRule ARGS \"@rx a\" \"id:1,phase:2,pass\"\n1 \"deny\""),
    ("SecRuleUpdateTargetById", "SecRule ARGS \"@rx a\" \"id:1,phase:2,pass\"\n1 \"!ARGS:q\""),
    ("SecRuleUpdateTargetByMsg", "SecRule ARGS \"@rx a\" \"id:1,phase:2,pass,msg:'site'\"\nsite \"!ARGS:q\""),
    ("SecRuleUpdateTargetByTag", "SecRule ARGS \"@rx a\" \"id:1,phase:2,pass,tag:'site'\"\nsite \"!ARGS:q\""),
    ("SecSensorId", "one"),
    ("SecServerSignature", "\"Apache\""),
    ("SecTmpDir", "/tmp"),
    ("SecTmpSaveUploadedFiles", "Off"),
    ("SecUnicodeMapFile", "unicode.mapping 20127"),
    ("SecUploadDir", "/tmp"),
    ("SecUploadFileLimit", "10"),
    ("SecUploadFileMode", "0600"),
    ("SecUploadKeepFiles", "Off"),
    ("SecWebAppId", "shop"),
    ("SecXmlExternalEntity", "Off"),
];

const INTRODUCTION: &str = "\
# SecLang

<!-- Written by `palisade config seclang`; a test compares. -->

What is made of every name that ModSecurity's manuals know. Each was put into a small rule, and what stands here is what
the compiler said to it: **yes**, it compiles without a word; **without effect**, it is read, and a warning says why it
does nothing; **refused**, the rules do not load, because leaving it out would leave a protection out. `palisade check`
says the same about your own files, with their places.

That a name compiles does not say that it does what ModSecurity's does in every corner: [differences.md](differences.md)
lists the deliberate differences, and [crs-suite.md](crs-suite.md) what CRS's own tests find.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_there_for_exactly_the_directives_that_have_an_effect() {
        let mut seen = 0;
        for name in DIRECTIVES {
            let has_example = EXAMPLES.iter().any(|(directive, _)| directive == name);
            let row = directive(name);
            assert_eq!(row.answer == Answer::Compiled, has_example, "{name}: {:?}", row.answer);
            seen += usize::from(has_example);
        }
        assert_eq!(seen, EXAMPLES.len(), "an example of a directive that the language does not have");
    }

    #[test]
    fn whatever_is_not_supported_says_why_and_not_that_the_question_was_wrong() {
        let rows = OperatorName::ALL
            .iter()
            .map(|name| operator(*name))
            .chain(ACTIONS.iter().map(|name| action(name)))
            .chain(CTLS.iter().map(|name| ctl(name)));
        let mut without = Vec::new();
        for row in rows {
            match row.answer {
                Answer::Compiled => {}
                Answer::Warned(_) | Answer::Refused(_) => without.push(row.name),
            }
        }
        assert_eq!(
            without.join(" "),
            "@fuzzyHash @gsbLookup @inspectFile @rsub @validateDTD @validateHash @validateSchema \
             exec pause proxy hashEnforcement hashEngine"
        );
    }
}
