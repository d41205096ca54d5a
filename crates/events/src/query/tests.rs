use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn the_articles_query_finds_its_rule() {
    let query = parse(r#""rule_info" IN {"*942100*"}"#).unwrap();
    assert!(query.matches(&json!({"rule_info": "[1] Host:'a' File:'b.conf' Line:'45' ID:'942100' Data:''"})));
    assert!(!query.matches(&json!({"rule_info": "[1] ID:'942190'"})));
    assert!(!query.matches(&json!({})));
    assert_eq!(query.to_string(), r#"rule_info IN {"*942100*"}"#);
}

/// Queries, and whether the record below answers them.
#[test]
fn every_operator_does_what_its_line_says() {
    let record = json!({
        "@timestamp": "2026-11-22T10:00:00.5Z",
        "source": {"ip": "10.1.2.3", "port_num": 40000, "hostname": "-"},
        "method": "GET", "path": "/a?b=*", "host": "node-1", "and": "x", "9lives": "cat",
        "count": 12, "mean": 1.5, "big": 9007199254740993_u64, "negative": -3,
        "response_code": "503", "disruptive": true, "off": false, "nothing": null, "blank": "",
        "rules": [{"id": "942100", "severity": 2}, {"id": "949110", "severity": 0}],
        "none": [], "object": {}, "a.b": "dotted", "quote": "it's", "v6": "2001:db8::1",
        "wide": "grüße aus köln", "lines": "one\ntwo",
    });
    let table: &[(&str, bool)] = &[
        // Empty is all.
        ("", true),
        ("  \n\t", true),
        // Equality; keys and values as words and in both quotes.
        ("method = GET", true),
        ("method = 'GET'", true),
        ("\"method\" = \"GET\"", true),
        ("'method'=\"POST\"", false),
        ("method = get", false),
        ("method != POST", true),
        ("method != GET", false),
        ("quote = \"it's\"", true),
        // Without the key only negations are so.
        ("nosuch = GET", false),
        ("nosuch != GET", true),
        ("nosuch < 5", false),
        ("nosuch >= 5", false),
        ("nosuch IN {GET}", false),
        ("nosuch NOTIN {GET}", true),
        ("NOT nosuch = GET", true),
        // Dots lead into objects; a key with dots may also stand as it is; a list is each of its items.
        ("\"source.ip\" = \"10.1.2.3\"", true),
        ("\"source.port_num\" = 40000", true),
        ("\"a.b\" = dotted", true),
        ("\"rules.id\" = \"949110\"", true),
        ("\"rules.id\" = 942100", true),
        ("\"rules.id\" != \"949110\"", false),
        ("\"rules.severity\" < 1", true),
        ("\"rules.severity\" > 2", false),
        ("\"source.ip.x\" = 1", false),
        // Numbers by value, whatever their form, in quotes or not.
        ("count = 12", true),
        ("count = \"12\"", true),
        ("count = 12.0", true),
        ("count = 1.2e1", true),
        ("count < 12", false),
        ("count <= 12", true),
        ("count > 11.5", true),
        ("count >= 12.5", false),
        ("mean = 1.5", true),
        ("negative = -3", true),
        ("negative < -2", true),
        ("negative > -2", false),
        ("big = 9007199254740993", true),
        ("big > 9007199254740992", true),
        ("count = many", false),
        ("count > many", false),
        // A text that is a number compares with one as a number.
        ("response_code = 503", true),
        ("response_code >= 500", true),
        ("response_code < 1000", true),
        ("response_code = 503.0", false),
        // Addresses and networks.
        ("\"source.ip\" = \"10.0.0.0/8\"", true),
        ("\"source.ip\" = \"10.2.0.0/16\"", false),
        ("\"source.ip\" != \"10.0.0.0/8\"", false),
        ("\"source.ip\" = \"0.0.0.0/0\"", true),
        ("\"source.ip\" IN {\"192.0.2.0/24\", \"10.1.0.0/16\"}", true),
        ("\"source.ip\" < \"10.1.2.10\"", true),
        ("\"source.ip\" < \"::1\"", false),
        ("v6 = \"2001:db8::/32\"", true),
        ("v6 = \"2001:db8:0:0::1\"", true),
        ("v6 = \"::/0\"", true),
        ("v6 = \"10.0.0.0/8\"", false),
        ("\"source.ip\" = \"10.0.0.0/33\"", false),
        // Times.
        ("\"@timestamp\" > \"2026-11-22T09:59:59.999999999Z\"", true),
        ("\"@timestamp\" >= \"2026-11-22T10:00:00.500Z\"", true),
        ("\"@timestamp\" = \"2026-11-22T11:00:00.50+01:00\"", true),
        ("\"@timestamp\" < \"2026-11-22\"", false),
        ("\"@timestamp\" < \"2026-11-23\"", true),
        // Texts in order.
        ("host < node_2", true),
        ("host > \"node-10\"", false),
        // Truth values.
        ("disruptive = true", true),
        ("disruptive = 'false'", false),
        ("off = false", true),
        ("disruptive > false", false),
        // Sets.
        ("method IN {GET, 'POST'}", true),
        ("method IN { \"PUT\" }", false),
        ("method NOTIN {GET}", false),
        ("method NOTIN {PUT,POST}", true),
        ("count IN {11, 12}", true),
        ("\"rules.id\" NOTIN {\"942100\"}", false),
        // Wildcards are in sets only.
        ("path = \"/a*\"", false),
        ("path = \"/a?b=*\"", true),
        ("path IN {\"/a*\"}", true),
        ("path IN {\"*b=*\"}", true),
        ("path IN {\"/a?b=?\"}", true),
        ("path IN {\"a*\"}", false),
        ("host IN {\"node-?\"}", true),
        ("host IN {\"node-??\"}", false),
        ("host IN {\"*\"}", true),
        ("nosuch IN {\"*\"}", false),
        ("host NOTIN {\"node-*\"}", false),
        ("count IN {\"1?\"}", true),
        ("disruptive IN {\"t*\"}", true),
        ("lines IN {\"one*two\", \"x\"}", true),
        ("wide IN {\"gr??e*k?ln\"}", true),
        ("wide IN {\"gr???e*\"}", false),
        ("\"rules.id\" IN {\"949*\"}", true),
        ("blank IN {\"*\"}", true),
        ("nothing IN {\"*\"}", false),
        ("object IN {\"*\"}", false),
        // EMPTY.
        ("nosuch EMPTY", true),
        ("nothing empty", true),
        ("blank EMPTY", true),
        ("none EMPTY", true),
        ("object EMPTY", true),
        ("method EMPTY", false),
        ("off EMPTY", false),
        ("rules EMPTY", false),
        ("NOT method EMPTY", true),
        // Precedence: NOT, then AND, then OR.
        ("method = GET OR method = PUT AND count = 0", true),
        ("(method = GET OR method = PUT) AND count = 0", false),
        ("NOT method = PUT AND count = 12", true),
        ("NOT (method = PUT AND count = 12)", true),
        ("NOT method = GET OR count = 12", true),
        ("NOT NOT method = GET", true),
        ("method = GET AND NOT count = 12 OR count = 12", true),
        ("count = 0 AND method = GET OR method = GET", true),
        // Keywords in any case; a key of that name in quotes.
        ("method = GET and count = 12", true),
        ("method = PUT Or not count = 0", true),
        ("method nOtIn {PUT} aNd method in {GET}", true),
        ("\"and\" = x", true),
        ("'9lives' = cat", true),
        // Brackets and blanks.
        ("((method=GET))", true),
        ("(\tmethod\n=\r\nGET )", true),
    ];
    for (text, expected) in table {
        let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(query.matches(&record), *expected, "{text}");
        let printed = query.to_string();
        assert_eq!(parse(&printed).unwrap(), query, "{text} prints as {printed}");
    }
    println!("{} queries over one record", table.len());
}

#[test]
fn the_canonical_form_has_no_more_than_it_needs() {
    for (text, canonical) in [
        ("a=1", "a = 1"),
        ("'a.b'='x'", "\"a.b\" = \"x\""),
        ("((a=b)) and (not (c in {d,'e'}))", "a = \"b\" AND NOT c IN {\"d\", \"e\"}"),
        ("(a=1 or b=2) or c=3", "a = 1 OR b = 2 OR c = 3"),
        ("(a=1 or b=2) and (c=3 and d=4)", "(a = 1 OR b = 2) AND c = 3 AND d = 4"),
        ("not (a=1 or b=2)", "NOT (a = 1 OR b = 2)"),
        ("'not' empty", "\"not\" EMPTY"),
        ("a = 'say \"x\"'", "a = 'say \"x\"'"),
        ("a = '-1'", "a = \"-1\""),
        ("a = -1.50", "a = -1.50"),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), canonical);
    }
}

#[test]
fn an_error_names_its_column_and_what_to_write() {
    let many = format!("a IN {{{}}}", vec!["b"; SET_ITEMS_MAX + 1].join(","));
    let deep = format!("{}a=1{}", "(".repeat(DEPTH_MAX + 1), ")".repeat(DEPTH_MAX + 1));
    let long = format!("a = '{}'", "x".repeat(QUERY_BYTES_MAX));
    let table: &[(&str, usize, &str, &str)] = &[
        ("a == 1", 3, "`==` is no comparison", "write ="),
        ("a <> 1", 3, "`<>` is no comparison", "write !="),
        ("a = 1 && b = 2", 7, "`&` is no keyword", "write AND"),
        ("a = 1 || b = 2", 7, "`|` is no keyword", "write OR"),
        ("!a = 1", 1, "`!` is no keyword", "write NOT"),
        (
            "server.ip = 1",
            1,
            "`server.ip` needs quotes: a word has letters, digits and _ only",
            "write \"server.ip\"",
        ),
        ("a = node-1", 5, "`node-1` needs quotes: a word has letters, digits and _ only", "write \"node-1\""),
        ("a = 127.0.0.1", 5, "`127.0.0.1` is no number", "put it in quotes if it is a text"),
        ("a = 1e", 5, "`1e` is no number", "put it in quotes if it is a text"),
        ("9a = 1", 1, "`9a` is no number", "put it in quotes if it is a text"),
        ("9 = 1", 1, "a key is expected, not the number `9`", "put a key that begins with a digit in quotes"),
        ("a = \"x", 5, "`\"` without its end", "close the text"),
        (
            "grüße = 1",
            3,
            "`ü` stands outside of quotes",
            "put keys and values with other characters in quotes",
        ),
        (
            "\"grüße\" = ü",
            11,
            "`ü` stands outside of quotes",
            "put keys and values with other characters in quotes",
        ),
        (
            "a",
            2,
            "a comparison is expected after a, not the end",
            "write =, !=, <, <=, >, >=, IN, NOTIN or EMPTY",
        ),
        ("a not in {b}", 3, "`NOT` does not stand after a key", "write `key NOTIN {...}` or `NOT key EMPTY`"),
        ("a = ", 5, "a value is expected, not the end", "write a text in quotes or a number"),
        ("a = and", 5, "`and` is a keyword, and a value is expected", "put a value of that name in quotes"),
        ("and = 1", 1, "`and` is a keyword, and a key is expected", "put a key of that name in quotes"),
        ("\"\" = 1", 1, "a key without a name", "name a field of the records"),
        ("a = {b}", 5, "a set after a comparison", "sets follow IN or NOTIN"),
        ("a IN b", 6, "a set is expected, not `b`", "write {\"one\", \"two\"} or ${name}"),
        ("a IN {}", 7, "a set without items", "write at least one: {\"*942100*\"}"),
        ("a IN {b,}", 9, "`,` before `}`", "remove it"),
        (
            "a IN {b c}",
            9,
            "`,` or `}` is expected, not `c`",
            "separate items by commas, and put texts in quotes",
        ),
        (
            "a IN {*942100*}",
            7,
            "`*` stands outside of quotes",
            "put keys and values with other characters in quotes",
        ),
        ("a IN ${x", 6, "`$` begins no substitution", "write ${name} with a name of letters, digits and _"),
        ("a IN ${ham}", 6, "no substitution has the name `ham`", "did you mean ${hams}?"),
        (
            "a IN ${other}",
            6,
            "no substitution has the name `other`",
            "add it to `substitutions` with its values",
        ),
        ("a = 1 b = 2", 7, "AND, OR or the end is expected, not `b`", "join two selections by AND or OR"),
        ("(a = 1", 1, "`(` without `)`", "close it"),
        ("a = 1)", 6, "`)` without `(`", "remove it"),
        ("(a = 1 b", 8, "AND, OR or `)` is expected, not `b`", "join two selections by AND or OR"),
        ("a = 1 AND", 10, "a key is expected, not the end", "write a selection such as method = \"GET\""),
        (&many, 2055, "a set has at most 1024 items", "use wildcards, or two sets joined by OR"),
        (&deep, 65, "brackets and NOT nest deeper than 64", "write it with fewer brackets"),
        (&long, 1, "the query has 16390 bytes and may have 16384", "put long sets into `substitutions`"),
    ];
    let hams = ["x".to_owned()];
    for (text, column, message, help) in table {
        let error = parse_with(text, &[("hams", &hams)]).expect_err(text);
        let clip: String = text.chars().take(60).collect();
        assert_eq!((error.at + 1, &*error.message, &*error.help), (*column, *message, *help), "{clip}");
    }
}

#[test]
fn a_substitution_is_a_set_with_a_name() {
    let values = ["10.0.0.0/8".to_owned(), "*.example".to_owned(), "both \"'".to_owned()];
    let substitutions: &Substitutions<'_> = &[("inside", &values)];
    let query = parse_with("host IN ${inside} or host notin ${inside}", substitutions).unwrap();
    assert_eq!(query.to_string(), "host IN ${inside} OR host NOTIN ${inside}");
    assert_eq!(parse_with(&query.to_string(), substitutions).unwrap(), query);
    let query = parse_with("host IN ${inside}", substitutions).unwrap();
    for (host, expected) in [("10.9.9.9", true), ("a.example", true), ("both \"'", true), ("b", false)] {
        assert_eq!(query.matches(&json!({ "host": host })), expected, "{host}");
    }
}

#[test]
fn a_wildcard_that_almost_fits_everywhere_costs_no_more_than_its_length() {
    // Millions of steps for a matcher that goes back; thousands here.
    let text = "a".repeat(100_000);
    let record = json!({ "path": text });
    let stars = format!("path IN {{\"{}b\"}}", "a*".repeat(5_000));
    let gaps = format!("path IN {{\"*{}b*\"}}", "?a".repeat(30));
    for query in [stars, gaps] {
        let query = parse(&query).unwrap();
        let began = std::time::Instant::now();
        assert!(!query.matches(&record));
        assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    }
}

#[test]
fn times_are_instants() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("1970-01-01", Some(0)),
        ("2000-03-01T00:00:00Z", Some(951_868_800)),
        ("2026-11-22T11:00:00+01:00", Some(1_795_341_600)),
        ("1969-12-31T23:59:59Z", Some(-1)),
        ("2026-11-22T10:00:00", None),
        ("2026-13-22T10:00:00Z", None),
        ("2026-11-22T10:00:00.Z", None),
        ("2026-11-22T10:00:00Zx", None),
        ("10.1.2.3", None),
    ] {
        let expected = seconds.map(|seconds| i128::from(seconds) * 1_000_000_000);
        assert_eq!(nanoseconds(text), expected, "{text}");
    }
    assert_eq!(nanoseconds("1970-01-01T00:00:00.1234567899Z"), Some(123_456_789));
}

#[test]
fn known_fields_are_those_of_the_data_set() {
    let waf = DataSet::Waf.fields().unwrap();
    assert_eq!(known_field(waf, "rule_info"), Ok(()));
    assert_eq!(known_field(waf, "source"), Ok(()), "an object of fields");
    assert_eq!(known_field(waf, "rule_inf"), Err(Some("rule_info".to_owned())));
    assert_eq!(known_field(waf, "zzz"), Err(None));
    assert_eq!(known_field(DataSet::Events.fields().unwrap(), "record.count"), Ok(()));
}

fn text() -> impl Strategy<Value = String> {
    // Both quotes in one text cannot be written.
    prop_oneof![
        "[a-zA-Z_][a-zA-Z0-9_.]{0,6}",
        "[^\"]{0,8}",
        "[^']{0,8}",
        Just("and".to_owned()),
        Just("*a?b*".to_owned())
    ]
    .prop_filter("both quotes", |text: &String| !(text.contains('"') && text.contains('\'')))
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        text().prop_map(|text| Literal::text_of(&text)),
        "-?[0-9]{1,9}(\\.[0-9]{1,3})?".prop_map(|text| Literal::number_of(&text).unwrap()),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let key = || {
        text()
            .prop_filter("a name", |name| !name.is_empty())
            .prop_map(|name| Key { name: name.into(), at: 0 })
    };
    let is = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
    ];
    let leaf = prop_oneof![
        (key(), is, literal()).prop_map(|(key, is, value)| Expr::Compare { key, is, value }),
        (key(), any::<bool>(), prop::collection::vec(literal().prop_map(Pattern::from), 1..4)).prop_map(
            |(key, negated, patterns)| Expr::In { key, negated, set: Set { name: None, patterns } }
        ),
        key().prop_map(|key| Expr::Empty { key }),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::or),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::and),
            inner.prop_map(|expr| Expr::Not(Box::new(expr))),
        ]
    })
}

/// Matches by trying everything: what the wildcards mean.
fn fits(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => {
            fits(rest, text) || text.split_first().is_some_and(|(_, text)| fits(pattern, text))
        }
        (Some(('?', rest)), Some((_, text))) => fits(rest, text),
        (Some((wanted, rest)), Some((char, text))) => wanted == char && fits(rest, text),
        _ => false,
    }
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_what_it_was(expr in expr()) {
        let query = Query::from(expr);
        prop_assert_eq!(parse(&query.to_string()).unwrap(), query);
    }

    #[test]
    fn any_text_gives_a_query_or_an_error_within_it(text in ".{0,60}") {
        match parse(&text) {
            Ok(query) => {
                let _ = query.matches(&json!({"a": "b"}));
                prop_assert_eq!(parse(&query.to_string()).unwrap(), query);
            }
            Err(error) => prop_assert!(error.at <= text.chars().count()),
        }
    }

    #[test]
    fn wildcards_mean_what_trying_everything_means(pattern in "[ab*?ü]{0,8}", text in "[abü]{0,10}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = fits(&chars(&pattern), &chars(&text));
        let found = Glob::new(&pattern).map_or(pattern == text, |glob| glob.matches(&text));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn negation_negates(expr in expr(), text in "[a-c]{0,3}", number in -5i64..5) {
        let record: Value = json!({"a": text, "b": number, "c": [number, {"d": "x"}], "and": null});
        let negated = Query::from(Expr::Not(Box::new(expr.clone())));
        prop_assert_ne!(Query::from(expr).matches(&record), negated.matches(&record));
    }
}
