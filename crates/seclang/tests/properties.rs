//! Any tree reads back from what is printed, and any bytes are read without harm in linear time.

mod common;

use std::time::{Duration, Instant};

use common::shared;
use palisade_seclang::ast::*;
use palisade_seclang::{
    Limits, LoadError, Loader, MemoryLoader, Severity, Source, Style, codes, load, load_with, parse, print,
};
use proptest::prelude::*;

fn span() -> Span {
    Span { file: FileId(0), start: 0, end: 0 }
}

fn at<T>(node: T) -> Spanned<T> {
    Spanned::new(node, span())
}

/// Texts that a quoted string can say: any bytes but line ends, and no odd run of `\` before a quote or the end.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        6 => prop::sample::select(b"abzAZ019_-./:;= ".to_vec()),
        4 => prop::sample::select(b"'\"\\,|&!@#%{}()[]*+?^$<>\t\r`~".to_vec()),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..24).prop_map(|bytes| {
        let mut out = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => {}
                b'\\' => out.extend_from_slice(b"\\\\"),
                byte => out.push(byte),
            }
        }
        out
    })
}

fn filled() -> impl Strategy<Value = Vec<u8>> {
    text().prop_filter("not empty", |text| !text.is_empty())
}

/// Without blanks at its ends, as a value that is trimmed.
fn trimmed() -> impl Strategy<Value = Vec<u8>> {
    text().prop_map(|text| trim(&text)).prop_filter("not empty", |text| !text.is_empty())
}

fn trim(text: &[u8]) -> Vec<u8> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c);
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !blank(byte)).map_or(start, |end| end + 1);
    text[start..end].to_vec()
}

fn template() -> impl Strategy<Value = Template> {
    let piece = prop_oneof![
        text(),
        prop::sample::select(vec![
            "%{tx.a}",
            "%{MATCHED_VAR}",
            "%{request_headers:User-Agent}",
            "%{nosuch}",
            "%{"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 0..3).prop_map(|pieces| Template::parse(&pieces.concat()))
}

/// A key: no `=`, and nothing that trimming would take.
fn key() -> impl Strategy<Value = Template> {
    prop_oneof![
        "[a-z_][a-z0-9_.-]{0,8}".prop_map(|key| Template::parse(key.as_bytes())),
        Just(Template::parse(b"a_%{tx.n}")),
        Just(Template::parse(b"%{rule.id}-x")),
    ]
}

fn variable() -> impl Strategy<Value = Variable> {
    prop::sample::select(Variable::ALL.to_vec())
}

fn target() -> impl Strategy<Value = Target> {
    target_of(text())
}

/// The target of a `ctl` stands in two layers of single quotes, which leaves no way to write a quote in it.
fn ctl_target() -> impl Strategy<Value = Target> {
    target_of(text().prop_map(|text| text.into_iter().filter(|&byte| byte != b'\'').collect()))
}

fn target_of(text: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Target> {
    let mode = prop::sample::select(vec![TargetMode::Value, TargetMode::Count, TargetMode::Exclude]);
    (mode, variable(), prop::option::of((0..3, text))).prop_map(|(mode, variable, selector)| {
        let selector = selector.filter(|_| variable.takes_selector()).map(|(kind, text)| {
            let is_regex = text.len() >= 2 && text.starts_with(b"/") && text.ends_with(b"/");
            match kind {
                _ if variable == Variable::Xml => Selector::XPath(text.into()),
                0 => Selector::Regex(text.into()),
                _ if is_regex => Selector::Regex(text[1..text.len() - 1].into()),
                _ => Selector::Key(Template::parse(&text)),
            }
        });
        Target { mode, variable, selector }
    })
}

fn targets() -> impl Strategy<Value = Vec<Spanned<Target>>> {
    prop::collection::vec(target().prop_map(at), 1..4)
}

fn operator() -> impl Strategy<Value = Operator> {
    (any::<bool>(), prop::sample::select(OperatorName::ALL.to_vec()), text())
        .prop_filter("refused, or with an argument of its own form", |(_, name, argument)| {
            use OperatorName::*;
            let needs_name = matches!(name, PmFromFile | IpMatchFromFile);
            let refused = matches!(name, InspectFile | FuzzyHash | GsbLookup | ValidateByteRange);
            !(refused || needs_name && trim(argument).is_empty())
        })
        .prop_map(|(negated, name, argument)| {
            let template = Template::parse(&argument);
            Operator { negated, name, argument: argument.into(), template }
        })
}

fn ranges() -> impl Strategy<Value = Vec<IdRange>> {
    prop::collection::vec((1_u64..1 << 40, 0_u64..2000), 1..4).prop_map(|ranges| {
        ranges.into_iter().map(|(first, more)| IdRange { first, last: first + more % 3 }).collect()
    })
}

fn ctl() -> impl Strategy<Value = Ctl> {
    let pattern = || trimmed().prop_filter("no separator", |text| !text.contains(&b';'));
    prop_oneof![
        prop::sample::select(vec![
            Ctl::AuditEngine(AuditEngine::RelevantOnly),
            Ctl::AuditLogParts("+EIJ".into()),
            Ctl::AuditLogParts("ABZ".into()),
            Ctl::DebugLogLevel(9),
            Ctl::ForceRequestBodyVariable(true),
            Ctl::RequestBodyAccess(false),
            Ctl::RequestBodyLimit(1 << 40),
            Ctl::RequestBodyProcessor(BodyProcessor::Multipart),
            Ctl::RequestBodyProcessor(BodyProcessor::Raw),
            Ctl::ResponseBodyAccess(true),
            Ctl::ResponseBodyLimit(0),
            Ctl::RuleEngine(RuleEngine::DetectionOnly),
            Ctl::ParseXmlIntoArgs(ParseXmlIntoArgs::OnlyArgs),
        ]),
        ranges().prop_map(Ctl::RuleRemoveById),
        trimmed().prop_map(|text| Ctl::RuleRemoveByMsg(text.into())),
        trimmed().prop_map(|text| Ctl::RuleRemoveByTag(text.into())),
        (ranges(), ctl_target()).prop_map(|(ids, target)| Ctl::RuleRemoveTargetById { ids: ids[0], target }),
        (pattern(), ctl_target())
            .prop_map(|(text, target)| Ctl::RuleRemoveTargetByMsg { pattern: text.into(), target }),
        (pattern(), ctl_target())
            .prop_map(|(text, target)| Ctl::RuleRemoveTargetByTag { pattern: text.into(), target }),
    ]
}

fn set_var() -> impl Strategy<Value = SetVar> {
    use Variable::*;
    let collection = prop::sample::select(vec![Tx, Ip, Session, User, Global, Resource, Env]);
    (collection, key(), template(), 0..4).prop_map(|(collection, key, value, kind)| {
        let signed = matches!(value.to_text().first(), Some(b'+' | b'-'));
        let change = match kind {
            0 if !signed => VarChange::Set(value),
            0 | 1 => VarChange::Add(value),
            2 => VarChange::Subtract(value),
            _ => VarChange::Unset,
        };
        SetVar { collection, key, change }
    })
}

fn action() -> impl Strategy<Value = Action> {
    use PersistentCollection::*;
    let collection = || prop::sample::select(vec![Global, Ip, Resource, Session, User]);
    let phases = [
        Phase::RequestHeaders,
        Phase::RequestBody,
        Phase::ResponseHeaders,
        Phase::ResponseBody,
        Phase::Logging,
    ];
    let filled_template = || filled().prop_map(|text| Template::parse(&text));
    prop_oneof![
        prop::sample::select(vec![
            Action::Allow(AllowScope::Transaction),
            Action::Allow(AllowScope::Phase),
            Action::Allow(AllowScope::Request),
            Action::Block,
            Action::Deny,
            Action::Drop,
            Action::Pass,
            Action::AuditLog,
            Action::NoAuditLog,
            Action::Log,
            Action::NoLog,
            Action::Capture,
            Action::MultiMatch,
            Action::SanitiseMatched,
        ]),
        prop::sample::select(phases.to_vec()).prop_map(Action::Phase),
        template().prop_map(Action::Msg),
        template().prop_map(Action::LogData),
        (0_u8..8).prop_map(Action::Severity),
        text().prop_map(|text| Action::Rev(text.into())),
        text().prop_map(|text| Action::Ver(text.into())),
        any::<u8>().prop_map(Action::Maturity),
        any::<u8>().prop_map(Action::Accuracy),
        template().prop_map(Action::Tag),
        filled_template().prop_map(Action::Redirect),
        filled_template().prop_map(Action::Proxy),
        template().prop_map(Action::Pause),
        (100_u16..600).prop_map(Action::Status),
        (1_u32..99).prop_map(Action::Skip),
        filled().prop_map(|text| Action::SkipAfter(text.into())),
        template().prop_map(Action::Append),
        template().prop_map(Action::Prepend),
        ctl().prop_map(Action::Ctl),
        (collection(), key(), any::<u64>(), 1_u64..).prop_map(|(collection, key, amount, period_seconds)| {
            Action::DeprecateVar { collection, key, amount, period_seconds }
        }),
        (key(), trimmed()).prop_map(|(key, seconds)| Action::ExpireVar {
            collection: Variable::Ip,
            key,
            seconds: Template::parse(&seconds)
        }),
        (collection(), template()).prop_map(|(collection, key)| Action::InitCol { collection, key }),
        (key(), template()).prop_map(|(name, value)| Action::SetEnv { name, value }),
        template().prop_map(Action::SetRsc),
        template().prop_map(Action::SetSid),
        template().prop_map(Action::SetUid),
        set_var().prop_map(Action::SetVar),
        filled_template().prop_map(Action::SanitiseArg),
        (any::<u32>(), any::<u32>())
            .prop_map(|(keep_start, keep_end)| Action::SanitiseMatchedBytes { keep_start, keep_end }),
        filled_template().prop_map(Action::SanitiseRequestHeader),
        filled_template().prop_map(Action::SanitiseResponseHeader),
        prop::sample::select(TransformationName::ALL.to_vec()).prop_map(Action::Transformation),
        ("[a-z]{1,5}", trimmed().prop_filter("no quotes around it", |uri| !uri.starts_with(b"\"")))
            .prop_map(|(prefix, uri)| Action::XmlNs { prefix: prefix.into(), uri: uri.into() }),
    ]
}

fn actions() -> impl Strategy<Value = Vec<Spanned<Action>>> {
    prop::collection::vec(action().prop_map(at), 0..6)
}

fn setting() -> impl Strategy<Value = Setting> {
    use Setting::*;
    prop_oneof![
        any::<u64>().prop_map(RequestBodyLimit),
        any::<bool>().prop_map(XmlExternalEntity),
        filled().prop_map(|text| DataDir(text.into())),
        text().prop_map(|text| AuditLogPrefix(text.into())),
        filled().prop_map(|text| AuditLogRelevantStatus(text.into())),
        any::<u8>()
            .prop_filter("not a line end", |&byte| byte != b'\n' && byte != b'\\')
            .prop_map(ArgumentSeparator),
        ("[a-z/. ]{1,9}", any::<u32>())
            .prop_filter("trimmed", |(path, _)| !path.contains(' '))
            .prop_map(|(path, code_page)| UnicodeMapFile { path: at(path.into()), code_page }),
        prop::collection::vec("[a-z]+/[a-z+.*]+", 1..4)
            .prop_map(|types| ResponseBodyMimeType(types.into_iter().map(Into::into).collect())),
        prop::sample::select(vec![
            RuleEngine(palisade_seclang::ast::RuleEngine::DetectionOnly),
            ResponseBodyMimeTypesClear,
            RequestBodyLimitAction(LimitAction::ProcessPartial),
            AuditLogType(palisade_seclang::ast::AuditLogType::Https),
            AuditLogFormat(palisade_seclang::ast::AuditLogFormat::Json),
            CookieFormat(1),
            DebugLogLevel(9),
            UploadFileMode("0600".into()),
            UploadKeepFiles(false),
        ]),
    ]
}

fn directive() -> impl Strategy<Value = Directive> {
    let selection = prop_oneof![
        ranges().prop_map(Selection::Ids),
        text().prop_map(|text| Selection::Tag(text.into())),
        text().prop_map(|text| Selection::Msg(text.into())),
    ];
    prop_oneof![
        5 => (targets(), operator(), actions()).prop_map(|(targets, operator, actions)| {
            Directive::Rule(Box::new(Rule { targets, operator: Some(at(operator)), actions }))
        }),
        1 => actions().prop_map(|actions| Directive::Rule(Box::new(Rule { targets: Vec::new(), operator: None, actions }))),
        1 => filled().prop_map(|text| Directive::Marker(at(text.into()))),
        1 => text().prop_map(|text| Directive::ComponentSignature(text.into())),
        1 => (filled(), any::<bool>()).prop_map(|(path, optional)| Directive::Include { path: at(path.into()), optional }),
        1 => ranges().prop_map(|ranges| Directive::RemoveById(ranges.into_iter().map(at).collect())),
        1 => filled().prop_map(|text| Directive::RemoveByTag(at(text.into()))),
        1 => filled().prop_map(|text| Directive::RemoveByMsg(at(text.into()))),
        2 => (selection, targets(), prop::option::of(targets())).prop_map(|(selection, targets, replaced)| {
            Directive::UpdateTarget { selection: at(selection), targets, replaced }
        }),
        1 => (any::<u64>(), 0_u32..9, actions()).prop_map(|(id, chain_offset, actions)| {
            let allowed = |action: &Spanned<Action>| !matches!(action.node, Action::Phase(_));
            Directive::UpdateAction { id: at(id), chain_offset, actions: actions.into_iter().filter(allowed).collect() }
        }),
        2 => setting().prop_map(|setting| Directive::Setting(at(setting))),
        1 => prop::collection::vec(text(), 0..4).prop_map(|arguments| Directive::Ignored {
            name: "SecChrootDir".into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
        }),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_tree_reads_back_from_its_text(directives in prop::collection::vec(directive().prop_map(at), 1..4)) {
        let text = print(&directives);
        let (again, diagnostics) = parse(FileId(0), &text, &Limits::default());
        let errors: Vec<_> = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
        prop_assert!(errors.is_empty(), "{errors:?}\n{}", String::from_utf8_lossy(&text));
        prop_assert_eq!(&again, &directives, "{}", String::from_utf8_lossy(&text));
        prop_assert_eq!(print(&again), text);
    }

    #[test]
    fn any_bytes_are_read_and_reported(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes)?;
    }

    #[test]
    fn any_pieces_of_the_language_are_read_and_reported(pieces in prop::collection::vec(piece(), 0..40)) {
        survives(&pieces.concat())?;
    }

    #[test]
    fn damaged_rule_sets_are_read_and_reported(
        seed in any::<prop::sample::Index>(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..6),
    ) {
        let Some(text) = excerpt(seed) else { return Ok(()) };
        let mut text = text.to_vec();
        for (place, damage) in damages {
            let place = place.index(text.len().max(1)).min(text.len());
            match damage {
                Damage::Cut(length) => drop(text.drain(place..(place + length).min(text.len()))),
                Damage::Insert(piece) => drop(text.splice(place..place, piece)),
                Damage::Flip(byte) => if let Some(there) = text.get_mut(place) { *there ^= byte },
            }
        }
        survives(&text)?;
    }
}

#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Insert(Vec<u8>),
    Flip(u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (1_usize..60).prop_map(Damage::Cut),
        piece().prop_map(Damage::Insert),
        any::<u8>().prop_map(Damage::Flip)
    ]
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = vec![
        "SecRule ",
        "SecAction ",
        "SecMarker ",
        "SecDefaultAction ",
        "SecRuleUpdateTargetById ",
        "SecRuleRemoveById ",
        "SecUnicodeMapFile ",
        "Include ",
        "<IfModule security2_module>",
        "</IfModule>",
        "<Location /x>",
        "ARGS",
        "XML:",
        "TX:",
        "|",
        "!",
        "&",
        "'",
        "\"",
        "\\",
        "\\\n",
        "\n",
        "\r\n",
        " ",
        "\t",
        ",",
        ":",
        "=",
        ";",
        "/",
        "@rx ",
        "@pm ",
        "!@",
        "%{",
        "%{tx.a}",
        "}",
        "id:1",
        "phase:2",
        "chain",
        "msg:",
        "setvar:",
        "tx.a",
        "=+1",
        "t:none",
        "ctl:",
        "#",
        "ruleRemoveTargetById=",
        "ruleRemoveById=",
        "1-5",
        "skipAfter:",
        "deny",
        "a",
        "\u{e9}",
        "\u{200b}",
        "0",
    ];
    prop_oneof![
        9 => prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ]
}

/// Some consecutive kilobytes of CRS.
fn excerpt(seed: prop::sample::Index) -> Option<&'static [u8]> {
    static CRS: std::sync::OnceLock<Option<Vec<u8>>> = std::sync::OnceLock::new();
    let text = CRS.get_or_init(crs_text).as_deref()?;
    let start = seed.index(text.len());
    Some(&text[start..text.len().min(start + 4000)])
}

fn crs_text() -> Option<Vec<u8>> {
    let directory = shared("crs/4.28.0/rules")?;
    let mut files: Vec<_> =
        std::fs::read_dir(directory).ok()?.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    Some(files.iter().flat_map(|path| std::fs::read(path).expect("readable")).collect())
}

/// Reads, renders, and when there is no error prints and reads again.
fn survives(bytes: &[u8]) -> Result<(), TestCaseError> {
    let source = Source::Text { name: "hostile".into(), text: bytes.to_vec(), directory: String::new() };
    let loaded = load(&[source], &MemoryLoader::new());
    for diagnostic in &loaded.diagnostics {
        if let Some(span) = diagnostic.span {
            prop_assert!(span.start <= span.end && span.end as usize <= bytes.len(), "{diagnostic:?}");
        }
        prop_assert!(diagnostic.render(&loaded.sources, Style::Plain).len() < 8000);
    }
    let (directives, diagnostics) = parse(FileId(0), bytes, &Limits::default());
    if diagnostics.iter().all(|diagnostic| !diagnostic.is_error()) {
        let text = print(&directives);
        let (again, _) = parse(FileId(0), &text, &Limits::default());
        prop_assert_eq!(
            again,
            directives,
            "{}\n---\n{}",
            String::from_utf8_lossy(bytes),
            String::from_utf8_lossy(&text)
        );
    }
    Ok(())
}

/// The time to load a text, and the number of findings.
fn timed(text: Vec<u8>) -> (Duration, usize) {
    let source = Source::Text { name: "large".into(), text, directory: String::new() };
    let start = Instant::now();
    let loaded = load(&[source], &MemoryLoader::new());
    for diagnostic in &loaded.diagnostics {
        std::hint::black_box(diagnostic.render(&loaded.sources, Style::Plain));
    }
    (start.elapsed(), loaded.diagnostics.len())
}

#[test]
fn ten_megabytes_take_linear_time_whatever_they_hold() {
    let bytes = 10 << 20;
    let fill = |piece: &[u8]| piece.iter().copied().cycle().take(bytes).collect::<Vec<u8>>();
    let in_quotes = |piece: &str| {
        let mut line = b"SecRule ARGS \"@rx ".to_vec();
        line.extend(piece.bytes().cycle().take(1000 << 10));
        line.extend_from_slice(b"\" \"id:1\"\n");
        fill(&line)
    };
    let in_actions = |piece: &str| {
        let mut line = b"SecAction \"id:1,".to_vec();
        line.extend(piece.bytes().cycle().take(1000 << 10));
        line.extend_from_slice(b"\"\n");
        fill(&line)
    };
    let mut rules = Vec::new();
    for id in 1.. {
        if rules.len() >= bytes {
            break;
        }
        rules.extend_from_slice(
            format!("SecRule ARGS|!ARGS:a{id}|REQUEST_HEADERS:/x/ \"@rx (?i:a{id}|b)\" \"id:{id},phase:2,deny,t:none,t:urlDecodeUni,msg:'rule {id}: %{{MATCHED_VAR}}',tag:'a/b',setvar:'tx.score=+%{{tx.critical}}'\"\n").as_bytes(),
        );
    }
    for (name, text) in [
        ("rules", rules),
        ("blank lines", fill(b"\n")),
        ("joined lines", fill(b"\\\n")),
        ("unknown directives", fill(b"Nosuch\n")),
        ("suggestions", fill(b"SecRuleRemoveByIdX 1\n")),
        ("quotes", fill(b"\"")),
        ("open quotes", fill(b"SecMarker \"a\n")),
        ("sections", fill(b"<IfModule security2_module>\n")),
        ("open macros", in_quotes("%{")),
        ("macros", in_quotes("%{tx.a}")),
        ("unknown macros", in_quotes("%{nosuch}")),
        ("escapes", in_quotes("\\\\\\\"")),
        ("commas", in_actions(",")),
        ("actions", in_actions("nolog,")),
        ("unknown actions", in_actions("x,")),
        ("open values", in_actions("msg:'a\\',")),
        ("words", in_actions("msg:a b ")),
        ("controls", in_actions("ctl:ruleRemoveTargetById=1;ARGS,")),
        ("jumps", in_actions("skipAfter:a,")),
        ("targets", fill(b"SecRule ARGS:/a/ /a/ /a/|ARGS:/a/ x\n")),
        ("many targets", {
            let mut line = b"SecRule ".to_vec();
            line.extend(b"ARGS:/a/|".iter().copied().cycle().take(900 << 10));
            line.extend_from_slice(b"ARGS a id:1\n");
            fill(&line)
        }),
        ("slashes", {
            let mut line = b"SecRule \"ARGS:/".to_vec();
            line.extend(b"/ ".iter().copied().cycle().take(900 << 10));
            line.extend_from_slice(b"\" a id:1\n");
            fill(&line)
        }),
    ] {
        assert!(text.len() <= 11 << 20);
        let (elapsed, findings) = timed(text);
        println!("{name}: {} ms, {findings} findings", elapsed.as_millis());
        // Tens to hundreds of milliseconds when idle; quadratic cost would be minutes.
        assert!(elapsed < Duration::from_secs(20), "{name}: {elapsed:?}");
    }
}

#[test]
fn bounds_are_kept_and_said() {
    let limits = Limits {
        file_bytes_max: 1000,
        total_bytes_max: 1500,
        line_bytes_max: 100,
        files_max: 5,
        include_depth_max: 3,
        directives_max: 10,
        block_depth_max: 2,
        diagnostics_max: 20,
    };
    let text = |text: String| Source::Text { name: "t".into(), text: text.into(), directory: "d".into() };
    let codes_of = |sources: &[Source], loader: &dyn Loader| -> Vec<&'static str> {
        let loaded = load_with(sources, loader, &limits);
        assert!(loaded.program.len() <= 10 && loaded.sources.len() <= 5 && loaded.diagnostics.len() <= 21);
        loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
    };
    let none = MemoryLoader::new();
    assert_eq!(codes_of(&[text("#".repeat(1001))], &none), [codes::LIMIT]);
    assert_eq!(codes_of(&[text("#".repeat(900)), text("#".repeat(900))], &none), [codes::LIMIT]);
    assert_eq!(codes_of(&[text(format!("SecMarker {}", "a".repeat(100)))], &none), [codes::LIMIT]);
    assert_eq!(codes_of(&[text("SecMarker a\n".repeat(11))], &none), [codes::LIMIT]);
    let (a, b) = (text("SecMarker a\n".repeat(6)), text("SecMarker a\n".repeat(6)));
    assert_eq!(codes_of(&[a, b], &none), [codes::LIMIT]);
    assert!(codes_of(&[text("<IfModule security2_module>\n".repeat(9))], &none).contains(&codes::LIMIT));
    let many = codes_of(&[text("X\n".repeat(100))], &none);
    assert_eq!((many.len(), many[20]), (21, codes::TOO_MANY_DIAGNOSTICS));
    let many = load_with(&[text("SecChrootDir /x\n".repeat(9)), text("X\n".repeat(100))], &none, &limits);
    assert_eq!(many.diagnostics.last().map(|last| last.severity), Some(Severity::Error));

    // Includes: a cycle, a chain that is too deep, and more files than allowed.
    let cycle = MemoryLoader::new().with("d/a", "Include b").with("d/b", "Include a");
    assert_eq!(codes_of(&[text("Include a".into())], &cycle), [codes::INCLUDE_CYCLE]);
    struct Endless;
    impl Loader for Endless {
        fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
            Ok(format!("Include {}x\nInclude {}y", &path[2..], &path[2..]).into_bytes())
        }
        fn expand(&self, _: &str) -> Result<Vec<String>, LoadError> {
            Ok((0..100).map(|number| format!("d/{number:03}")).collect())
        }
    }
    assert!(codes_of(&[text("Include a".into())], &Endless).contains(&codes::LIMIT));
    let deep =
        Limits { files_max: 1 << 20, include_depth_max: 8, directives_max: 1 << 20, ..Limits::default() };
    let loaded = load_with(&[text("Include a".into())], &Endless, &deep);
    assert!(loaded.diagnostics.iter().all(|diagnostic| diagnostic.code == codes::INCLUDE_CYCLE));
    assert_eq!(loaded.sources.len(), 1 << 8);
    assert!(codes_of(&[text("Include *".into())], &Endless).contains(&codes::LIMIT));
}

/// At least 3000 cases; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(3000), ..config }
}
