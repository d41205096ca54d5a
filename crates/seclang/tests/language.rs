//! The language, case by case: a line of text and its canonical form, or the codes of what is wrong with it.
//!
//! Each accepted line also reads back as itself from its canonical form.

mod common;

use palisade_seclang::ast::FileId;
use palisade_seclang::{Limits, MemoryLoader, Source, codes, load, parse, print};

/// Parses, prints without line breaks, and checks that the canonical form is the same tree. Findings come as codes.
fn canonical(text: &str) -> (String, Vec<&'static str>) {
    let limits = Limits::default();
    let (directives, diagnostics) = parse(FileId(0), text.as_bytes(), &limits);
    let printed = print(&directives);
    let found: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    if !diagnostics.iter().any(|diagnostic| diagnostic.is_error()) {
        let (again, _) = parse(FileId(0), &printed, &limits);
        assert_eq!(again, directives, "{text}\n{}", String::from_utf8_lossy(&printed));
    }
    let printed = String::from_utf8(printed).expect("these cases are UTF-8").replace("\\\n    ", "");
    (printed.trim_end().to_owned(), found)
}

#[track_caller]
fn reads(cases: &[(&str, &str)]) {
    assert!(!cases.is_empty());
    for (text, expected) in cases {
        let (printed, found) = canonical(text);
        assert_eq!((printed.as_str(), found.as_slice()), (*expected, [].as_slice()), "{text}");
    }
}

/// Reads the text of a rule with one target list, operator or action list between others.
#[track_caller]
fn finds(cases: &[(&str, &[&str])]) {
    assert!(!cases.is_empty());
    for (text, expected) in cases {
        assert_eq!(canonical(text).1, *expected, "{text}");
    }
}

/// Codes of a whole program.
fn program_finds(text: &str) -> Vec<&'static str> {
    let source = Source::Text { name: "test".into(), text: text.into(), directory: String::new() };
    load(&[source], &MemoryLoader::new()).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn lines_are_joined_and_comments_passed_over() {
    reads(&[
        ("SecRuleEngine \\\nOn", "SecRuleEngine On"),
        ("SecRuleEngine \\\r\nOn\r\n", "SecRuleEngine On"),
        ("# a comment \\\nSecRuleEngine Off\nSecRuleEngine On", "SecRuleEngine On"),
        ("   \t\n\n  secruleengine   on  ", "SecRuleEngine On"),
        ("\u{feff}SecRuleEngine On", "SecRuleEngine On"),
        ("SecRule ARGS \"@rx a\\\n  b\" \"id:1\"", "SecRule ARGS \"@rx a  b\" \"id:1\""),
        ("SecMarker a\\", "SecMarker \"a\""),
        ("SecAction \"id:1,\\\n  phase:1,\\\n\\\n  pass\"", "SecAction \"id:1,phase:1,pass\""),
    ]);
}

#[test]
fn arguments_stand_in_double_quotes_single_quotes_or_none() {
    reads(&[
        (r#"SecMarker "a b""#, r#"SecMarker "a b""#),
        (r#"SecMarker 'a b'"#, r#"SecMarker "a b""#),
        (r#"SecMarker 'a "b"'"#, r#"SecMarker "a \"b\"""#),
        (r#"SecMarker "a \"b\"""#, r#"SecMarker "a \"b\"""#),
        (r#"SecMarker "a\\""#, r#"SecMarker "a\\""#),
        (r#"SecMarker 'a\"b'"#, r#"SecMarker 'a\"b'"#),
        (r#"SecMarker a\"b\'c"#, r#"SecMarker a\"b\'c"#),
        (r#"SecMarker a"b"#, r#"SecMarker "a\"b""#),
        (r#"SecRule ARGS @detectXSS id:1,phase:2"#, r#"SecRule ARGS "@detectXSS" "id:1,phase:2""#),
        (r#"SecRule ARGS "@rx a""id:1""#, r#"SecRule ARGS "@rx a" "id:1""#),
        (r#"SecRule 'ARGS|TX:a' '@rx x' 'id:1'"#, r#"SecRule ARGS|TX:a "@rx x" "id:1""#),
    ]);
    finds(&[
        (r#"SecMarker "a"#, &[codes::UNTERMINATED_QUOTE]),
        (r#"SecMarker 'a\'"#, &[codes::UNTERMINATED_QUOTE]),
        (r#"SecMarker "a"b"#, &[codes::TEXT_AFTER_QUOTE]),
        (r#"SecMarker "a" b"#, &[codes::ARGUMENT_COUNT]),
        (r#"SecMarker"#, &[codes::ARGUMENT_COUNT]),
        (r#"SecMarker """#, &[codes::BAD_ARGUMENT]),
        // A blank after the joining backslash: one finding, and the rest of the rule is not read as directives.
        (
            "SecAction \"id:1,\\ \n  phase:1,\\\n  pass\"\nSecRuleEngine Onn",
            &[codes::UNTERMINATED_QUOTE, codes::BAD_ARGUMENT],
        ),
    ]);
}

#[test]
fn operators_are_named_or_a_bare_regular_expression() {
    let rule = |operator: &str| format!("SecRule ARGS \"{operator}\" \"id:1\"");
    for (written, expected) in [
        ("@rx ^a", "@rx ^a"),
        ("^a", "@rx ^a"),
        ("!^a", "!@rx ^a"),
        ("!@rx ^a", "!@rx ^a"),
        ("! @rx ^a", "!@rx ^a"),
        ("! a", "!@rx  a"),
        ("@RX a", "@rx a"),
        ("@rx", "@rx "),
        ("", "@rx "),
        // One blank ends the name, further ones count; observed in libmodsecurity 3.0.9.
        ("@streq  a", "@streq  a"),
        ("@streq a ", "@streq a "),
        ("@streq ", "@streq"),
        ("@streq", "@streq"),
        ("@detectSQLi", "@detectSQLi"),
        ("@pmf a.data", "@pmFromFile a.data"),
        ("@ipMatchF a.data", "@ipMatchFromFile a.data"),
        ("@eq %{tx.a}", "@eq %{tx.a}"),
        ("@validateByteRange 9, 10,13,32-126", "@validateByteRange 9, 10,13,32-126"),
        (r#"@rx a\"b\\x5c"#, r#"@rx a\"b\\x5c"#),
        ("@rx a{2}%{2,3}", "@rx a{2}%{2,3}"),
        ("a@b", "@rx a@b"),
    ] {
        reads(&[(&rule(written), &rule(expected))]);
    }
    for (written, expected) in [
        (" @rx a", codes::SUSPICIOUS),
        ("@rxx a", codes::UNKNOWN_OPERATOR),
        ("@", codes::UNKNOWN_OPERATOR),
        ("@inspectFile /bin/x", codes::REFUSED_OPERATOR),
        ("@fuzzyHash x 5", codes::REFUSED_OPERATOR),
        ("@pmFromFile", codes::BAD_OPERATOR_ARGUMENT),
        ("@validateByteRange 1-256", codes::BAD_OPERATOR_ARGUMENT),
        ("@validateByteRange 9-1", codes::BAD_OPERATOR_ARGUMENT),
        ("@eq abc", codes::SUSPICIOUS),
        ("@streq %{nosuch.x}", codes::UNKNOWN_MACRO),
    ] {
        finds(&[(&rule(written), &[expected])]);
    }
    assert_eq!(
        canonical("SecRule IP:/v1/login|TX \"@rx a\" \"id:1\"").0,
        "SecRule \"IP:'/v1/login'|TX\" \"@rx a\" \"id:1\""
    );
    // The literal trap keeps its meaning: the blank and the at sign are part of the pattern.
    assert_eq!(canonical(&rule(" @rx a")).0, rule("@rx  @rx a"));
}

#[test]
fn targets_have_modes_and_selectors() {
    let rule = |targets: &str| format!("SecRule {targets} \"@rx a\" \"id:1\"");
    for (written, expected) in [
        ("args", "ARGS"),
        ("ARGS|!ARGS:a|&TX:b", "ARGS|!ARGS:a|&TX:b"),
        ("ARGS,ARGS_NAMES", "ARGS|ARGS_NAMES"),
        ("\"ARGS | !ARGS:a , TX\"", "ARGS|!ARGS:a|TX"),
        ("ARGS:'a'", "ARGS:a"),
        ("\"ARGS:'a|b'\"", "\"ARGS:'a|b'\""),
        ("\"ARGS:''\"", "\"ARGS:''\""),
        ("ARGS:/^a|b$/", "\"ARGS:/^a|b$/\""),
        ("ARGS:/a\\/b/", "\"ARGS:/a\\/b/\""),
        ("ARGS:'/^a|b$/'|TX", "\"ARGS:/^a|b$/|TX\""),
        ("\"ARGS:'/a/|b/'\"", "\"ARGS:'/a/|b/'\""),
        ("XML:/*|XML://@*", "XML:/*|XML://@*"),
        ("\"XML:/a[x='1|2']|ARGS\"", "\"XML:/a[x='1|2']|ARGS\""),
        ("TX:a_%{tx.n}", "\"TX:a_%{tx.n}\""),
        ("TX.a", "TX:a"),
        ("REQUEST_HEADERS:User-Agent", "REQUEST_HEADERS:User-Agent"),
        ("\"REQUEST_HEADERS:a b\"", "\"REQUEST_HEADERS:a b\""),
        ("FILES_TMP_NAMES", "FILES_TMPNAMES"),
        ("REQUEST_COOKIES:/^(?:a,b)/|ARGS", "\"REQUEST_COOKIES:/^(?:a,b)/|ARGS\""),
    ] {
        reads(&[(&rule(written), &rule(expected))]);
    }
    for (written, expected) in [
        ("ARG", codes::UNKNOWN_VARIABLE),
        ("STREAM_INPUT_BODY", codes::UNKNOWN_VARIABLE),
        ("REMOTE_ADDR:x", codes::SELECTOR_NOT_TAKEN),
        ("ARGS:", codes::BAD_SELECTOR),
        ("ARGS:/a", codes::SUSPICIOUS),
        ("ARGS:'a", codes::BAD_SELECTOR),
        ("\"ARGS TX\"", codes::BAD_TARGETS),
        ("\"\"", codes::BAD_TARGETS),
        ("?", codes::BAD_TARGETS),
        ("!ARGS:a", codes::ONLY_EXCLUSIONS),
    ] {
        finds(&[(&rule(written), &[expected])]);
    }
}

#[test]
fn actions_take_their_arguments() {
    let action = |actions: &str| format!("SecAction \"id:1,{actions}\"");
    for (written, expected) in [
        ("phase:request", "phase:2"),
        ("phase:'response'", "phase:4"),
        ("phase: Logging", "phase:5"),
        ("msg:'a, b'", "msg:'a, b'"),
        (r"msg:'it\'s'", r"msg:'it\'s'"),
        (r#"msg:'say \"x\"'"#, r#"msg:'say \"x\"'"#),
        ("msg:hello world", "msg:'hello world'"),
        ("msg:a%{MATCHED_VAR}b", "msg:'a%{MATCHED_VAR}b'"),
        ("MSG:'x' , nolog", "msg:'x',nolog"),
        ("severity:CRITICAL", "severity:CRITICAL"),
        ("severity:'2'", "severity:CRITICAL"),
        ("allow:phase", "allow:phase"),
        ("allow", "allow"),
        ("deny,status:403", "deny,status:403"),
        ("redirect:'http://a.example/?b=%{tx.1}'", "redirect:'http://a.example/?b=%{tx.1}'"),
        ("skipAfter:END", "skipAfter:END"),
        ("skip:2", "skip:2"),
        ("setvar:tx.a", "setvar:tx.a=1"),
        ("setvar:TX.a=", "setvar:tx.a="),
        ("setvar:'tx.a=b c'", "setvar:'tx.a=b c'"),
        ("setvar:tx.a=+1", "setvar:tx.a=+1"),
        ("setvar:tx.a=-%{tx.b}", "setvar:'tx.a=-%{tx.b}'"),
        ("setvar:!tx.a", "setvar:!tx.a"),
        ("setvar:'tx.a_%{tx.n}=%{tx.1}'", "setvar:'tx.a_%{tx.n}=%{tx.1}'"),
        ("setvar:tx.a.b=1", "setvar:tx.a.b=1"),
        ("setvar:tx.%{tx.n}=x=y", "setvar:'tx.%{tx.n}=x=y'"),
        ("setvar:session.a=1", "setvar:session.a=1"),
        ("expirevar:ip.a=3600", "expirevar:IP.a=3600"),
        ("deprecatevar:session.score=60/300", "deprecatevar:session.score=60/300"),
        ("initcol:ip=%{REMOTE_ADDR}_%{tx.a}", "initcol:ip=%{REMOTE_ADDR}_%{tx.a}"),
        ("setenv:a=%{tx.b}", "setenv:'a=%{tx.b}'"),
        ("setenv:a", "setenv:a=1"),
        (
            "setuid:'%{REMOTE_USER}',setsid:%{ARGS.s},setrsc:'x'",
            "setuid:'%{REMOTE_USER}',setsid:'%{ARGS.s}',setrsc:x",
        ),
        ("sanitizeArg:password,sanitiseMatched", "sanitiseArg:password,sanitiseMatched"),
        ("sanitiseMatchedBytes,sanitiseMatchedBytes:1/4", "sanitiseMatchedBytes,sanitiseMatchedBytes:1/4"),
        ("sanitiseRequestHeader:Authorization", "sanitiseRequestHeader:Authorization"),
        ("xmlns:soap=http://a.example/soap", "xmlns:soap=http://a.example/soap"),
        ("xmlns:a='x'", "xmlns:'a=\\'x\\''"),
        ("t:none,t:URLDECODEUNI,t:normalisePath", "t:none,t:urlDecodeUni,t:normalizePath"),
        ("maturity:'9',accuracy:8,rev:'2',ver:'a/1'", "maturity:9,accuracy:8,rev:'2',ver:'a/1'"),
        ("append:'<b>',prepend:'x'", "append:'<b>',prepend:x"),
        (
            "multimatch,capture,auditlog,noauditlog,log,nolog",
            "multiMatch,capture,auditlog,noauditlog,log,nolog",
        ),
        ("ctl:ruleEngine=detectiononly", "ctl:ruleEngine=DetectionOnly"),
        ("ctl:auditLogParts=+E", "ctl:auditLogParts=+E"),
        ("ctl:requestBodyProcessor=xml", "ctl:requestBodyProcessor=XML"),
        ("ctl:ruleRemoveById=1-5", "ctl:ruleRemoveById=1-5"),
        ("ctl:'ruleRemoveById=1,3-5'", "ctl:'ruleRemoveById=1,3-5'"),
        ("ctl:ruleRemoveTargetById=9;ARGS:a", "ctl:ruleRemoveTargetById=9;ARGS:a"),
        ("ctl:'ruleRemoveTargetById=9;ARGS:/a,b/'", "ctl:'ruleRemoveTargetById=9;ARGS:/a,b/'"),
        (
            "ctl:ruleRemoveTargetByTag=attack-sqli;ARGS:a|ARGS:b",
            "ctl:ruleRemoveTargetByTag=attack-sqli;ARGS:a,ctl:ruleRemoveTargetByTag=attack-sqli;ARGS:b",
        ),
        ("ctl:ruleRemoveTargetByMsg=x y;TX", "ctl:'ruleRemoveTargetByMsg=x y;TX'"),
        ("ctl:parseXmlIntoArgs=OnlyArgs", "ctl:parseXmlIntoArgs=OnlyArgs"),
    ] {
        reads(&[(&action(written), &action(expected))]);
    }
    for (written, expected) in [
        ("dney", codes::UNKNOWN_ACTION),
        ("lowercase", codes::UNKNOWN_ACTION),
        ("exec:/bin/x", codes::REFUSED_ACTION),
        ("deny:403", codes::BAD_ACTION_ARGUMENT),
        ("status:12", codes::BAD_ACTION_ARGUMENT),
        ("msg", codes::BAD_ACTION_ARGUMENT),
        ("phase:6", codes::BAD_ACTION_ARGUMENT),
        ("severity:LOUD", codes::BAD_ACTION_ARGUMENT),
        ("skip:0", codes::BAD_ACTION_ARGUMENT),
        ("t:lowercas", codes::UNKNOWN_TRANSFORMATION),
        ("t:", codes::UNKNOWN_TRANSFORMATION),
        ("setvar:a", codes::BAD_ACTION_ARGUMENT),
        ("setvar:args.a=1", codes::BAD_ACTION_ARGUMENT),
        ("setvar:txx.a=1", codes::UNKNOWN_VARIABLE),
        ("setvar:tx.a='b'", codes::SUSPICIOUS),
        ("expirevar:ip.a", codes::BAD_ACTION_ARGUMENT),
        ("deprecatevar:ip.a=1/0", codes::BAD_ACTION_ARGUMENT),
        ("deprecatevar:tx.a=1/1", codes::BAD_ACTION_ARGUMENT),
        ("initcol:tx=1", codes::BAD_ACTION_ARGUMENT),
        ("ctl:ruleEngin=On", codes::UNKNOWN_CTL),
        ("ctl:ruleEngine=Maybe", codes::BAD_ACTION_ARGUMENT),
        ("ctl:ruleEngine", codes::BAD_ACTION_ARGUMENT),
        ("ctl:ruleRemoveById=x", codes::BAD_ARGUMENT),
        ("ctl:ruleRemoveById=5-1", codes::BAD_ARGUMENT),
        ("ctl:ruleRemoveTargetById=1", codes::BAD_ACTION_ARGUMENT),
        ("ctl:ruleRemoveTargetById=1;", codes::BAD_ACTION_ARGUMENT),
        ("ctl:ruleRemoveByTag=", codes::BAD_ACTION_ARGUMENT),
        ("ctl:hashEngine=On", codes::IGNORED_ACTION),
        ("ctl:requestBodyProcessor=PROTOBUF", codes::IGNORED_ACTION),
        ("proxy:http://a.example/", codes::IGNORED_ACTION),
        ("pause:100", codes::IGNORED_ACTION),
        ("msg:'a", codes::UNTERMINATED_QUOTE),
        ("msg:'a' b", codes::BAD_ACTIONS),
        ("msg:a deny", codes::BAD_ACTIONS),
        ("log deny", codes::BAD_ACTIONS),
        ("log=1", codes::BAD_ACTIONS),
        ("#deny", codes::BAD_ACTIONS),
        ("deny,", codes::SUSPICIOUS),
        ("deny,,log", codes::SUSPICIOUS),
        ("deny,pass", codes::REPEATED_ACTION),
        ("id:2", codes::MISPLACED_ACTION),
        ("id:0", codes::BAD_ACTION_ARGUMENT),
        ("phase:1,phase:2", codes::REPEATED_ACTION),
        (r"msg:a\,log", codes::UNQUOTABLE),
    ] {
        finds(&[(&action(written), &[expected])]);
    }
}

#[test]
fn directives_take_their_arguments() {
    reads(&[
        ("SecRuleEngine detectiononly", "SecRuleEngine DetectionOnly"),
        ("SecRequestBodyLimit 13107200", "SecRequestBodyLimit 13107200"),
        ("SecRequestBodyLimitAction reject", "SecRequestBodyLimitAction Reject"),
        (
            "SecResponseBodyMimeType \"text/plain text/html\" text/xml",
            "SecResponseBodyMimeType text/plain text/html text/xml",
        ),
        ("SecResponseBodyMimeTypesClear", "SecResponseBodyMimeTypesClear"),
        ("SecArgumentSeparator ;", "SecArgumentSeparator ;"),
        ("SecAuditLogType Parallel", "SecAuditLogType Concurrent"),
        ("SecAuditLogParts ABIJDEFHZ", "SecAuditLogParts ABIJDEFHZ"),
        ("SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"", "SecAuditLogRelevantStatus \"^(?:5|4(?!04))\""),
        ("SecAuditLogDirMode default", "SecAuditLogDirMode default"),
        ("SecUploadFileMode 0600", "SecUploadFileMode 0600"),
        ("SecUnicodeMapFile unicode.mapping 20127", "SecUnicodeMapFile unicode.mapping 20127"),
        ("SecUnicodeMapFile \"unicode.mapping 1252\"", "SecUnicodeMapFile unicode.mapping 1252"),
        ("SecComponentSignature \"a/1 b\"", "SecComponentSignature \"a/1 b\""),
        ("SecRuleRemoveById 1 \"2 5-7\" 8,9", "SecRuleRemoveById 1 2 5-7 8 9"),
        ("SecRuleRemoveByTag \"attack-.*\"", "SecRuleRemoveByTag attack-.*"),
        ("SecRuleRemoveByMsg \"SQL x\"", "SecRuleRemoveByMsg \"SQL x\""),
        ("SecRuleUpdateTargetById 1 \"!ARGS:a\"", "SecRuleUpdateTargetById 1 \"!ARGS:a\""),
        (
            "SecRuleUpdateTargetById 1-5,7 \"!ARGS:a,!ARGS:b\"",
            "SecRuleUpdateTargetById 1-5 7 \"!ARGS:a|!ARGS:b\"",
        ),
        (
            "SecRuleUpdateTargetById 1 2 ARGS:a REQUEST_URI",
            "SecRuleUpdateTargetById 1 2 \"ARGS:a\" \"REQUEST_URI\"",
        ),
        ("SecRuleUpdateTargetByTag a/b !ARGS:x", "SecRuleUpdateTargetByTag a/b \"!ARGS:x\""),
        ("SecRuleUpdateTargetByMsg \"a b\" !ARGS:x", "SecRuleUpdateTargetByMsg \"a b\" \"!ARGS:x\""),
        ("SecRuleUpdateActionById 1:2 pass,nolog", "SecRuleUpdateActionById 1:2 \"pass,nolog\""),
        ("SecDefaultAction phase:2,log,auditlog,pass", "SecDefaultAction \"phase:2,log,auditlog,pass\""),
        ("Include a/*.conf", "Include a/*.conf"),
        ("IncludeOptional \"a b.conf\"", "IncludeOptional \"a b.conf\""),
        ("SecParseXmlIntoArgs onlyargs", "SecParseXmlIntoArgs OnlyArgs"),
    ]);
    finds(&[
        ("SecRul ARGS a", &[codes::UNKNOWN_DIRECTIVE]),
        ("phase:1,\\", &[codes::UNKNOWN_DIRECTIVE]),
        ("modsecurity on;", &[codes::UNKNOWN_DIRECTIVE]),
        ("SecRule ARGS", &[codes::ARGUMENT_COUNT]),
        ("SecRule ARGS \"a\" \"id:1\" \"x\"", &[codes::ARGUMENT_COUNT]),
        ("SecRuleEngine Maybe", &[codes::BAD_ARGUMENT]),
        ("SecRequestBodyLimit 12MB", &[codes::BAD_ARGUMENT]),
        ("SecRequestBodyLimit -1", &[codes::BAD_ARGUMENT]),
        ("SecRequestBodyLimit 99999999999999999999999", &[codes::BAD_ARGUMENT]),
        ("SecAuditLogParts ABX", &[codes::BAD_ARGUMENT]),
        ("SecUploadFileMode 0988", &[codes::BAD_ARGUMENT]),
        ("SecRemoteRules key https://a.example/", &[codes::REFUSED_DIRECTIVE]),
        ("SecRuleScript a.lua", &[codes::REFUSED_DIRECTIVE]),
        ("SecHashEngine On", &[codes::REFUSED_DIRECTIVE]),
        ("SecHashEngine Off", &[codes::IGNORED_DIRECTIVE]),
        ("SecChrootDir /x", &[codes::IGNORED_DIRECTIVE]),
        ("SecUploadKeepFiles RelevantOnly", &[codes::IGNORED_DIRECTIVE]),
        ("SecUnicodeMapFile unicode.mapping", &[codes::SUSPICIOUS]),
        ("SecDefaultAction \"phase:2,log\"", &[codes::BAD_DEFAULT_ACTION]),
        ("SecDefaultAction \"phase:2,block\"", &[codes::BAD_DEFAULT_ACTION]),
        ("SecDefaultAction \"phase:2,pass,t:none\"", &[codes::BAD_DEFAULT_ACTION]),
        (
            "SecDefaultAction \"phase:2,pass,id:1,chain\"",
            &[codes::BAD_DEFAULT_ACTION, codes::BAD_DEFAULT_ACTION],
        ),
        ("SecDefaultAction \"pass\"", &[codes::MISSING_PHASE]),
        ("SecRuleRemoveById x", &[codes::BAD_ARGUMENT]),
        ("SecRuleRemoveById", &[codes::ARGUMENT_COUNT]),
        ("SecRuleUpdateTargetById x !ARGS", &[codes::BAD_ARGUMENT]),
        ("SecRuleUpdateTargetById 1", &[codes::ARGUMENT_COUNT]),
        ("SecRuleUpdateTargetById 1 \"\"", &[codes::BAD_TARGETS]),
        ("SecRuleUpdateActionById 1 \"id:2,phase:1\"", &[codes::MISPLACED_ACTION, codes::MISPLACED_ACTION]),
        ("<IfModule security2_module>\nSecRuleEngine On\n</IfModule>", &[codes::ACCEPTED_SECTION]),
        ("<IfModule !mod_security2.c>\nNoSuch\n</IfModule>", &[codes::ACCEPTED_SECTION]),
        ("<IfModule mod_headers.c>\n</IfModule>", &[codes::SECTION]),
        ("<Location /a>\n</Location>", &[codes::SECTION]),
        ("<IfModule security2_module>", &[codes::ACCEPTED_SECTION, codes::UNBALANCED_SECTION]),
        ("</IfModule>", &[codes::UNBALANCED_SECTION]),
    ]);
}

#[test]
fn every_directive_of_the_manuals_is_known() {
    // ModSecurity 2.9 and 3.0 reference manuals, the 3.0 scanner, and what they called things before.
    let names = "SecAction SecArgumentSeparator SecArgumentsLimit SecAuditEngine SecAuditLog SecAuditLog2 SecAuditLogDirMode \
        SecAuditLogFileMode SecAuditLogFormat SecAuditLogParts SecAuditLogPrefix SecAuditLogRelevantStatus SecAuditLogStorageDir \
        SecAuditLogType SecCacheTransformations SecChrootDir SecCollectionTimeout SecComponentSignature SecConnEngine \
        SecConnReadStateLimit SecConnWriteStateLimit SecContentInjection SecCookieFormat SecCookieV0Separator SecDataDir SecDebugLog \
        SecDebugLogLevel SecDefaultAction SecDisableBackendCompression SecGeoLookupDb SecGsbLookupDb SecGuardianLog SecHashEngine \
        SecHashKey SecHashMethodPm SecHashMethodRx SecHashParam SecHttpBlKey SecInterceptOnError SecMarker SecParseXmlIntoArgs \
        SecPcreMatchLimit SecPcreMatchLimitRecursion SecPdfProtect SecPdfProtectMethod SecPdfProtectSecret SecPdfProtectTimeout \
        SecPdfProtectTokenName SecReadStateLimit SecRemoteRules SecRemoteRulesFailAction SecRequestBodyAccess \
        SecRequestBodyInMemoryLimit SecRequestBodyJsonDepthLimit SecRequestBodyLimit SecRequestBodyLimitAction \
        SecRequestBodyNoFilesLimit SecRequestEncoding SecResponseBodyAccess SecResponseBodyLimit SecResponseBodyLimitAction \
        SecResponseBodyMimeType SecResponseBodyMimeTypesClear SecRule SecRuleEngine SecRuleInheritance SecRulePerfTime \
        SecRuleRemoveById SecRuleRemoveByMsg SecRuleRemoveByTag SecRuleScript SecRuleUpdateActionById SecRuleUpdateTargetById \
        SecRuleUpdateTargetByMsg SecRuleUpdateTargetByTag SecSensorId SecServerSignature SecStatusEngine SecStreamInBodyInspection \
        SecStreamOutBodyInspection SecTmpDir SecTmpSaveUploadedFiles SecUnicodeCodePage SecUnicodeMapFile SecUploadDir \
        SecUploadFileLimit SecUploadFileMode SecUploadKeepFiles SecWebAppId SecWriteStateLimit SecXmlExternalEntity";
    for name in names.split_whitespace() {
        for arguments in ["", "x", "x y"] {
            let found = canonical(&format!("{name} {arguments}")).1;
            assert!(!found.contains(&codes::UNKNOWN_DIRECTIVE), "{name}");
        }
    }
}

#[test]
fn the_whole_program_is_checked() {
    for (text, expected) in [
        ("SecAction \"phase:1\"", vec![codes::MISSING_ID]),
        ("SecRule ARGS a", vec![codes::MISSING_ID]),
        ("SecAction \"id:1\"", vec![codes::MISSING_PHASE]),
        ("SecAction \"id:1,phase:1\"\nSecAction \"id:1,phase:1\"", vec![codes::DUPLICATE_ID]),
        ("SecRule ARGS a \"id:1,phase:2,deny,chain\"\nSecRule ARGS b", vec![]),
        ("SecRule ARGS a \"id:1,phase:2,chain\"\nSecRule ARGS b chain\nSecRule ARGS c", vec![]),
        ("SecRule ARGS a \"id:1,phase:2,chain\"\nSecRule ARGS b deny", vec![codes::DISRUPTIVE_IN_CHAIN]),
        (
            "SecRule ARGS a \"id:1,phase:2,chain\"\nSecRule ARGS b \"id:2,phase:2,msg:x\"",
            vec![codes::ACTION_IN_CHAIN; 3],
        ),
        ("SecRule ARGS a \"id:1,phase:2,chain\"", vec![codes::BROKEN_CHAIN]),
        ("SecRule ARGS a \"id:1,phase:2,chain\"\nSecMarker x", vec![codes::BROKEN_CHAIN]),
        ("SecAction \"id:1,phase:1,skipAfter:x\"\nSecMarker x", vec![]),
        ("SecMarker x\nSecAction \"id:1,phase:1,skipAfter:x\"", vec![codes::UNKNOWN_LABEL]),
        ("SecAction \"id:1,phase:1,skipAfter:x\"", vec![codes::UNKNOWN_LABEL]),
        ("SecAction \"id:1,phase:1,skipAfter:2\"\nSecAction \"id:2,phase:1\"", vec![]),
        (
            "SecDefaultAction \"phase:1,pass\"\nSecDefaultAction \"phase:1,deny\"",
            vec![codes::BAD_DEFAULT_ACTION],
        ),
        ("SecDefaultAction \"phase:1,pass\"\nSecDefaultAction \"phase:2,deny\"", vec![]),
        ("SecRuleUpdateTargetById 1 !ARGS:a\nSecAction \"id:1,phase:1\"", vec![codes::UPDATE_TOO_EARLY]),
        ("SecAction \"id:1,phase:1\"\nSecRuleUpdateTargetById 1 !ARGS:a", vec![]),
        ("SecRuleUpdateTargetById 1 !ARGS:a", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(program_finds(text), expected, "{text}");
    }
}

#[test]
fn spans_point_at_what_was_written_through_joins_and_escapes() {
    let text = "SecRule ARGS \"@rx a\\\"b\" \\\n   \"id:1,\\\n   msg:'it\\'s',\\\n   dney\"";
    let (directives, diagnostics) = parse(FileId(0), text.as_bytes(), &Limits::default());
    let shown = |span: palisade_seclang::ast::Span| &text[span.start as usize..span.end as usize];
    assert_eq!(shown(diagnostics[0].span.expect("a place")), "dney");
    let palisade_seclang::ast::Directive::Rule(rule) = &directives[0].node else { panic!("a rule") };
    assert_eq!(shown(rule.targets[0].span), "ARGS");
    assert_eq!(shown(rule.operator.as_ref().expect("an operator").span), "\"@rx a\\\"b\"");
    assert_eq!(shown(rule.actions[1].span), "msg:'it\\'s'");
    assert_eq!(shown(directives[0].span), text);
}
