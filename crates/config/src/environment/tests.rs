//! Every row of the table against `testdata/config/environment.toml`, and how the layers lie.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::*;
use crate::node::Value;
use crate::overrides::Overrides;
use crate::read::{File, read};

/// Cases: what a set of variables makes of the configuration, of the rules, and of what is said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The variables; the first one is what the case is about.
    variables: toml::Table,
    /// Files that are mounted.
    #[serde(default)]
    mounted: Vec<String>,
    /// Keys of the configuration and their values.
    #[serde(default)]
    config: BTreeMap<String, String>,
    /// Lines of the rules, or parts of lines.
    #[serde(default)]
    rules: Vec<String>,
    /// Parts of lines that are not among the rules.
    #[serde(default)]
    no_rules: Vec<String>,
    /// A part of a note.
    note: Option<String>,
    /// A part of the error.
    error: Option<String>,
    /// Why, where it does not go without saying.
    #[serde(rename = "why")]
    _why: Option<String>,
}

const CASES: &str = include_str!("../../../../testdata/config/environment.toml");

/// The case's variables, and what chooses the image that they belong to where they do not.
fn environment(case: &Case) -> Environment {
    let mut variables: BTreeMap<String, String> = case
        .variables
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()))
        .collect();
    let chosen =
        Compat::ALL.iter().any(|compat| compat.chosen_by().iter().any(|name| variables.contains_key(*name)));
    let of = |family| VARIABLES.iter().any(|row| row.family == family && variables.contains_key(row.name));
    let compat = match (of(Family::Crs), of(Family::Wallarm)) {
        (true, _) => Some("crs"),
        (_, true) => Some("wallarm"),
        _ => None,
    };
    if let Some(compat) = compat.filter(|_| !chosen && !variables.contains_key("PALISADE_COMPAT")) {
        variables.insert("PALISADE_COMPAT".to_owned(), compat.to_owned());
    }
    Environment::read(&variables, &|path| case.mounted.iter().any(|mounted| mounted == path))
}

fn tree(environment: &Environment) -> Node {
    let overrides = Overrides { environment: environment.clone(), ..Overrides::default() };
    let mut root = Node::empty_map(Origin::Default);
    overrides.lay_over(&mut root, &mut crate::decode::Decoder::new(""));
    root
}

/// `listeners[0].address` of a tree, as it would be written.
fn value(root: &Node, key: &str) -> Option<String> {
    let mut node = root;
    for step in key.split('.') {
        let (name, index) = match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
            Some((name, index)) => (name, Some(index.parse::<usize>().unwrap())),
            None => (step, None),
        };
        node = node.get(name)?;
        if let Some(index) = index {
            let Value::List(items) = &node.value else { return None };
            node = items.get(index)?;
        }
    }
    match &node.value {
        Value::Text { text, .. } => Some(text.clone()),
        Value::List(items) => Some(
            items
                .iter()
                .map(|item| item.describe().trim_matches('`').to_owned())
                .collect::<Vec<_>>()
                .join(" "),
        ),
        _ => None,
    }
}

#[test]
fn every_variable_does_what_its_row_says() {
    let cases: Cases = toml::from_str(CASES).unwrap_or_else(|error| panic!("{}", error.message()));
    let mut about: BTreeSet<&str> = BTreeSet::new();
    for case in &cases.case {
        about.extend(case.variables.keys().map(String::as_str));
        let environment = environment(case);
        let what = format!("{:?}", case.variables);
        let errors = format!("{:?}", environment.diagnostics);
        let root = tree(&environment);
        for (key, wanted) in &case.config {
            assert_eq!(value(&root, key).as_deref(), Some(wanted.as_str()), "{what}: {key}: {root:#?}");
        }
        let rules = &environment.rules().text;
        for line in &case.rules {
            assert!(rules.contains(line.as_str()), "{what}: {line} is not in\n{rules}");
        }
        for line in &case.no_rules {
            assert!(!rules.contains(line.as_str()), "{what}: {line} is in\n{rules}");
        }
        let notes = environment.notes().join("\n");
        if let Some(note) = &case.note {
            assert!(notes.contains(note.as_str()), "{what}: {note} is not in\n{notes}");
        }
        match &case.error {
            None => assert!(environment.diagnostics.is_empty(), "{what}: {errors}"),
            Some(error) => {
                let found: Vec<String> = environment
                    .diagnostics
                    .iter()
                    .map(|diagnostic| diagnostic.render(None, crate::Style::Plain))
                    .collect();
                let found = found.concat();
                assert!(found.contains(error.as_str()), "{what}: {error} is not in\n{found}");
                assert!(found.starts_with("error: ") && found.contains(": `"), "{what}: {found}");
            }
        }
        let says = !case.config.is_empty() || !case.rules.is_empty() || !case.no_rules.is_empty();
        assert!(says || case.note.is_some() || case.error.is_some(), "{what}: the case wants nothing");
    }
    for name in &about {
        assert!(
            Environment::knows(name) || name.starts_with("PALISADE_"),
            "{name} is no variable that is known"
        );
    }
    // Read by the binary, which has its own tests of them.
    let elsewhere = ["PALISADE_WORKERS"];
    let without: Vec<&str> = VARIABLES
        .iter()
        .filter(|variable| variable.effects.iter().any(|effect| !matches!(effect, Effect::Note(_))))
        .map(|variable| variable.name)
        .filter(|name| !about.contains(name) && !elsewhere.contains(name))
        .collect();
    assert!(without.is_empty(), "variables without a case: {without:?}");
    println!("{} cases of {} variables", cases.case.len(), about.len());
}

#[test]
fn what_has_no_meaning_here_is_noted_once_without_its_value() {
    for variable in VARIABLES {
        let [Effect::Note(why)] = variable.effects else { continue };
        let compat = if variable.family == Family::Crs { "crs" } else { "wallarm" };
        let variables = [("PALISADE_COMPAT", compat), (variable.name, "sesame")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let environment = Environment::read(&variables, &|_| false);
        let notes: Vec<&String> =
            environment.notes().iter().filter(|note| note.contains(variable.name)).collect();
        assert_eq!(notes.len(), 1, "{}: {:?}", variable.name, environment.notes());
        assert!(notes[0].contains(why) && !notes[0].contains("sesame"), "{}", notes[0]);
        assert!(environment.diagnostics.is_empty(), "{:?}", environment.diagnostics);
    }
}

#[test]
fn no_name_stands_twice_and_defaults_are_of_variables() {
    let mut seen = BTreeSet::new();
    for variable in VARIABLES {
        assert!(seen.insert(variable.name), "{} stands twice", variable.name);
        assert!(variable.old_name_of.is_none_or(Environment::knows), "{}", variable.name);
        assert!(!variable.effects.is_empty(), "{}", variable.name);
    }
    for compat in Compat::ALL {
        let by = compat.chosen_by().iter().chain(compat.defaults().iter().map(|(name, _)| name));
        by.for_each(|name| assert!(seen.contains(name), "{name}"));
    }
}

#[test]
fn the_file_wins_over_another_images_variables_and_ours_win_over_the_file() {
    let variables: BTreeMap<String, String> = [
        ("BACKEND", "http://variable:1"),
        ("PORT", "81"),
        ("MODSEC_ARGUMENTS_LIMIT", "2"),
        ("MODSEC_AUDIT_LOG", "/variable.log"),
        ("PALISADE_ACCESS_LOG", "stderr"),
        ("PALISADE_MODE", "safe_blocking"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let environment = Environment::read(&variables, &|_| false);
    let overrides =
        Overrides { environment, mode: None, access_log: Some("off".to_owned()), ..Overrides::default() };
    let file = "logs: {access: stdout, audit: /file.log}\nservices: [{name: a, upstream: {url: \"http://file:1\"}, profile: p}]\n\
        profiles: {p: {mode: block, limits: {arguments: 3}}, q: {}}\n";
    let config = read(Some(File { text: file.as_bytes(), folder: "" }), &overrides);
    let config = config.config.unwrap_or_else(|| panic!("{:#?}", config.diagnostics));
    assert_eq!(
        config.services[0].upstream.as_ref().unwrap().url[0].as_str(),
        "http://file:1",
        "the file over BACKEND"
    );
    assert_eq!(config.listeners[0].address.to_string(), "0.0.0.0:81", "PORT over the default");
    assert_eq!(format!("{:?}", config.logs.audit), "Some(File(FilePath(\"/file.log\")))");
    assert_eq!(config.logs.access, crate::LogTarget::Off, "the flag over PALISADE_ACCESS_LOG");
    let profiles: Vec<(&str, &str, u32)> = config
        .profiles
        .iter()
        .map(|(name, profile)| (name.as_str(), profile.mode.as_str(), profile.limits.arguments.get()))
        .collect();
    assert_eq!(profiles, [("p", "safe_blocking", 3), ("q", "safe_blocking", 2)]);
}

#[test]
fn another_images_variables_count_only_when_it_is_chosen() {
    let read = |variables: &[(&str, &str)]| {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Environment::read(&variables, &|_| false)
    };
    for (variables, compat) in [
        (&[][..], None),
        (&[("PORT", "80"), ("PARANOIA", "nonsense"), ("WALLARM_MODE", "nonsense")], None),
        (&[("BACKEND", "http://a")], Some(Compat::Crs)),
        (&[("BACKEND", "tcp://10.0.0.1:80")], None),
        (&[("BACKEND", " ")], None),
        (&[("BACKEND", "http://a"), ("NGINX_BACKEND", "a")], Some(Compat::Crs)),
        (&[("BACKEND", "http://a"), ("SETPROXY", "True")], Some(Compat::CrsOld)),
        (&[("NGINX_BACKEND", "a"), ("PROXYLOCATION", "http://a/")], Some(Compat::CrsOld)),
        (&[("PROXY", "1"), ("UPSTREAM", "a:81")], Some(Compat::CrsOld)),
        (&[("NGINX_BACKEND", "a")], Some(Compat::Wallarm)),
        (&[("NGINX_BACKEND", "a"), ("PALISADE_COMPAT", "crs")], Some(Compat::Crs)),
        (&[("BACKEND", "http://a"), ("PALISADE_COMPAT", "off")], None),
    ] {
        let environment = read(variables);
        assert_eq!(environment.compat(), compat, "{variables:?}");
        assert!(environment.diagnostics.is_empty(), "{variables:?}");
        assert_eq!(environment.under.is_empty(), compat.is_none(), "{variables:?}");
        assert_eq!(
            environment.notes().len(),
            usize::from(compat.is_some())
                + usize::from(variables.iter().any(|(name, _)| ["PROXYLOCATION", "UPSTREAM"].contains(name))),
            "{:?}",
            environment.notes()
        );
    }
}

#[test]
fn unknown_variables_of_ours_are_warned_of_and_those_of_kubernetes_are_not() {
    let variables: BTreeMap<String, String> = [
        ("PALISADE_MOED", "block"),
        ("PALISADE_TEST_CRS", "x"),
        ("PALISADE_PORT", "tcp://10.0.0.1:80"),
        ("PALISADE_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("PALISADE_PORT_80_TCP_PROTO", "tcp"),
        ("PALISADE_PORT_80_TCP_PORT", "80"),
        ("PALISADE_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("PALISADE_SERVICE_HOST", "10.0.0.1"),
        ("PALISADE_SERVICE_PORT", "80"),
        ("PALISADE_SERVICE_PORT_HTTP", "80"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let environment = Environment::read(&variables, &|_| false);
    assert_eq!(environment.notes(), ["the variable PALISADE_MOED is not known and has no effect"]);
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Beginnings of the lines that rules of the environment are made of.
    const LINES: [&str; 6] =
        ["Sec", "# ", "Include /etc/", "SecAction \"id:98001", "SecDefaultAction \"", "SecRule "];

    proptest! {
        /// Whatever values say, they do not become lines, actions or assignments of their own.
        #[test]
        fn values_stay_values(
            values in prop::collection::vec((0..VARIABLES.len(), value()), 0..6),
            compat in prop::sample::select(vec!["crs", "crs-old", "wallarm"]),
        ) {
            let mut variables: BTreeMap<String, String> = values
                .iter()
                .map(|(index, value)| (VARIABLES[*index].name.to_owned(), value.clone()))
                .collect();
            variables.insert("PALISADE_COMPAT".to_owned(), compat.to_owned());
            let environment = Environment::read(&variables, &|_| true);
            for line in environment.rules().text.lines() {
                prop_assert!(LINES.iter().any(|begin| line.starts_with(begin)), "{line}");
                prop_assert!(!line.chars().any(char::is_control), "{line:?}");
                if line.starts_with("SecAction") {
                    let set = line.matches("setvar:'").count();
                    prop_assert_eq!(line.matches('\'').count(), 2 * set, "{}", line);
                    prop_assert_eq!(line.matches('"').count(), 2, "{}", line);
                }
            }
            let overrides = Overrides { environment, ..Overrides::default() };
            let _ = read(None, &overrides);
        }
    }

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[a-zA-Z0-9 ,:'\"%{}$\n\\\\./|-]{0,40}",
            prop::sample::select(vec![
                "on",
                "1",
                "4",
                "80",
                "http://a:1",
                "a',deny,setvar:'tx.b=1",
                "x\nSecRuleEngine Off",
                "%{ARGS.a}"
            ])
            .prop_map(str::to_owned),
        ]
    }
}
