use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[test]
fn every_case_of_the_table_matches_prints_or_fails_as_it_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/policy/selectors.jsonl");
    let table = std::fs::read_to_string(path).expect("the table is part of the repository");
    let mut count = 0;
    for line in table.lines() {
        let case: Value = serde_json::from_str(line).expect("a line is a JSON object");
        let known = ["id", "selector", "labels", "match", "canonical", "error", "why"];
        let unknown = case.as_object().unwrap().keys().find(|key| !known.contains(&key.as_str()));
        assert_eq!(unknown, None, "{case}");
        let selector = case["selector"].as_str().unwrap().parse::<Selector>();
        if case["error"] == true {
            assert!(selector.is_err(), "{case}");
        } else {
            let selector = selector.unwrap_or_else(|error| panic!("{case}: {error}"));
            let labels = case["labels"].as_object().unwrap();
            let labels: Labels = labels.iter().map(|(name, value)| (name, value.as_str().unwrap())).collect();
            assert_eq!(selector.matches(&labels), case["match"].as_bool().unwrap(), "{case}");
            assert_eq!(selector.to_string(), case["canonical"].as_str().unwrap(), "{case}");
        }
        count += 1;
    }
    println!("{count} cases");
    assert!(count > 90);
}

#[test]
fn errors_say_where_and_what_to_write() {
    for (text, message) in [
        ("a = 'b'", "`=` is no operator; write `==` at character 3"),
        ("has (a)", "only `has(`, `all(` and `global(`, without a blank, are functions at character 5"),
        (
            "a",
            "one of ==, !=, in, not in, contains, starts with, ends with is expected after a label, not the end at \
             character 2",
        ),
        ("a == b", "a value in quotes is expected, not `b` at character 6"),
        ("a == 'b", "the quote ' has no end at character 6"),
        ("(has(a)", "`(` without `)` at character 1"),
        ("has(a))", "`)` without `(` at character 7"),
        ("has(a) & b", "`&&`, `||` or the end is expected, not `&` at character 8"),
        ("has(a)\n", "`&&`, `||` or the end is expected, not `\\n` at character 7"),
    ] {
        assert_eq!(text.parse::<Selector>().unwrap_err().to_string(), message, "{text}");
    }
    let deep = format!("{}has(a){}", "(".repeat(513), ")".repeat(513));
    assert!(deep.parse::<Selector>().unwrap_err().message.contains("deeper than 512"));
    let deep = format!("{}has(a){}", "(".repeat(512), ")".repeat(512));
    assert!(deep.parse::<Selector>().is_ok());
}

fn label() -> impl Strategy<Value = Box<str>> {
    prop_oneof!["[a-c]", "[A-Za-z0-9_./-]{1,8}", Just("in".to_owned()), Just("has".to_owned())]
        .prop_map(Box::from)
}

fn value() -> impl Strategy<Value = Box<str>> {
    prop_oneof!["[x-z]", "[^'\"]{0,4}", "[^\"]{0,4}", "[^']{0,4}"].prop_map(Box::from)
}

fn values() -> impl Strategy<Value = Box<[Box<str>]>> {
    proptest::collection::vec(value(), 0..4).prop_map(expr::value_set)
}

/// Trees as the parser makes them: no negation of a negation, `&&` and `||` of two or more.
fn tree() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        Just(Expr::All),
        Just(Expr::Global),
        label().prop_map(Expr::Has),
        (label(), value()).prop_map(|(label, value)| Expr::Is(label, value)),
        (label(), value()).prop_map(|(label, value)| Expr::IsNot(label, value)),
        (label(), values()).prop_map(|(label, values)| Expr::In(label, values)),
        (label(), values()).prop_map(|(label, values)| Expr::NotIn(label, values)),
        (label(), value()).prop_map(|(label, value)| Expr::Contains(label, value)),
        (label(), value()).prop_map(|(label, value)| Expr::StartsWith(label, value)),
        (label(), value()).prop_map(|(label, value)| Expr::EndsWith(label, value)),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            inner.clone().prop_filter_map("not twice", |inner| match inner {
                Expr::Not(_) => None,
                other => Some(other.negated()),
            }),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(|parts| Expr::And(parts.into())),
            proptest::collection::vec(inner, 2..4).prop_map(|parts| Expr::Or(parts.into())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_what_it_was(tree in tree()) {
        let printed = tree.to_string();
        let read = printed.parse::<Selector>().map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
        prop_assert_eq!(read.expr(), &tree);
    }

    #[test]
    fn any_text_is_read_or_refused_and_read_again_means_the_same(text in "[a-c!&|() ='\"{},a-zA-Z]{0,40}") {
        if let Ok(selector) = text.parse::<Selector>() {
            let again: Selector = selector.to_string().parse().unwrap();
            for labels in [Labels::default(), [("a", "b"), ("b", "")].into_iter().collect()] {
                prop_assert_eq!(again.matches(&labels), selector.matches(&labels));
            }
        }
    }
}
