//! Settings beside a CRS folder: what they win over, what they leave as it is.

use palisade_engine::{RuleSources, load_rules};
use palisade_seclang::MemoryLoader;

const SETUP: &str = "SecDefaultAction \"phase:1,log,auditlog,pass\"\n\
    SecDefaultAction \\\n  \"phase:2,log,auditlog,pass\"\n\
    SecAction \"id:900990,phase:1,nolog,pass,setvar:tx.crs_setup_version=1\"\n";
const RULES: &str = "SecRule ARGS:a \"@streq 1\" \"id:901001,phase:1,block,msg:'first'\"\n";

fn folder() -> MemoryLoader {
    MemoryLoader::new()
        .with("/crs/crs-setup.conf", SETUP)
        .with("/crs/rules/REQUEST-901-INITIALIZATION.conf", RULES)
        .with("/crs/plugins/mine-before.conf", "SecAction \"id:9500,phase:1,pass,nolog\"\n")
}

fn sources(settings: &str) -> RuleSources {
    RuleSources { crs: Some("/crs".to_owned()), settings: settings.to_owned(), ..RuleSources::default() }
}

#[test]
fn default_actions_of_settings_take_the_place_of_those_in_the_setup_file() {
    let settings =
        "SecDefaultAction \"phase:1,pass,log,tag:'shop'\"\nSecDefaultAction \"phase:2,pass,log\"\n";
    let loaded = load_rules(&sources(settings), &folder());
    let rules = loaded.rules.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    let rule = rules.rules().find(|rule| rule.id.0 == 901_001).unwrap();
    let tags: Vec<String> = rule.tags.iter().map(|tag| palisade_engine::written_text(tag)).collect();
    assert_eq!(tags, ["shop"]);
    // The file's own lines are where they were.
    let setup = rules.rules().find(|rule| rule.id.0 == 900_990).unwrap();
    assert_eq!((rules.file_of(setup), setup.line), ("/crs/crs-setup.conf", 4));
}

#[test]
fn plugins_are_left_out_on_demand_and_settings_alone_are_no_rules() {
    let has_plugin = |sources: &RuleSources| {
        let loaded = load_rules(sources, &folder());
        loaded.rules.expect("they load").rules().any(|rule| rule.id.0 == 9_500)
    };
    assert!(has_plugin(&sources("")));
    assert!(!has_plugin(&RuleSources { without_plugins: true, ..sources("") }));
    let alone = RuleSources { settings: "SecRequestBodyAccess Off\n".to_owned(), ..RuleSources::default() };
    assert!(alone.is_empty());
}
