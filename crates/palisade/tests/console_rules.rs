//! The console's rules page: what rules cost under traffic, and why some do not run.
//!
//! In a browser where there is one, over live traffic of the binary.

mod browser;
mod support;

use browser::Browser;
use browser::plane::{Plane, axe};
use serde_json::{Value, json};
use support::{eventually, get};

/// Beside the rules of [`Plane`]: ones that do not run, or not always.
const FURTHER: &str = r#"
SecAction "id:900,phase:1,nolog,pass,setvar:tx.blocking_paranoia_level=2"
SecRule REQUEST_URI "@beginsWith /quiet" "id:901,phase:1,nolog,pass,ctl:ruleRemoveById=1002"
SecRule ARGS "@contains two" "id:1102,phase:2,pass,log,msg:'Two',tag:'paranoia-level/2'"
SecRule ARGS "@contains three" "id:1103,phase:2,pass,log,msg:'Three',tag:'paranoia-level/3'"
SecRule ARGS "@contains gone" "id:1104,phase:2,deny,status:403,log,msg:'Gone <i>away</i>',tag:attack-xss"
SecRuleRemoveById 1104
"#;

fn plane() -> Plane {
    let plane = Plane::start("");
    let rules = format!("{}{FURTHER}", browser::plane::RULES);
    plane.folder.write("rules.conf", rules);
    eventually("the new rules", || {
        let page = plane.read("/api/v1/rules");
        (page["items"].as_array()?.len() == 7).then_some(())
    });
    plane
}

fn rule(plane: &Plane, id: u64) -> Value {
    let page = plane.read(&format!("/api/v1/rules?q={id}"));
    let [rule] = &page["items"].as_array().unwrap()[..] else { panic!("{page}") };
    rule.clone()
}

#[test]
fn a_rule_that_does_not_run_says_why() {
    let plane = plane();
    let off = |id: u64| rule(&plane, id)["off"].clone();
    let place = plane.folder.at("rules.conf");
    let line = |text: &str| {
        let file = std::fs::read_to_string(&place).unwrap();
        file.lines().position(|line| line.contains(text)).unwrap() + 1
    };
    let gone = rule(&plane, 1104);
    assert_eq!(gone["removed"], true);
    assert_eq!(gone["off"], json!([format!("removed by {place}:{}", line("RemoveById 1104"))]));
    assert_eq!((&gone["msg"], &gone["line"]), (&json!("Gone <i>away</i>"), &json!(line("id:1104"))));
    assert_eq!(get(plane.address, "/?q=gone", "").status, 200);

    let switched = format!("switched off where rule 901 matches, by its ctl, {place}:{}", line("id:901"));
    assert_eq!(off(1002), json!([switched]));
    assert_eq!(off(1102), json!([]));
    assert_eq!(off(1103), json!(["does not run: it is of paranoia level 3, and rules run up to 2"]));
    assert_eq!(off(1001), json!([]));
    let mode =
        |mode: &str| plane.ask("PUT", "/api/v1/services/front/mode", "", &json!({"mode": mode}).to_string());
    assert_eq!(mode("off").status, 200);
    assert_eq!(off(1001), json!(["does not run for front: its mode is off"]));
    assert_eq!(mode("block").status, 200);
    assert_eq!(off(1001), json!([]), "at once");
}

#[test]
fn rules_cost_what_timed_requests_took() {
    let plane = plane();
    assert_eq!(rule(&plane, 1001)["cost"], json!(null), "before one was timed");
    for number in 0..16 {
        assert_eq!(get(plane.address, &format!("/?q=evil{number}"), "").status, 403);
    }
    let cost = eventually("the sixteenth is timed", || {
        let cost = rule(&plane, 1001)["cost"].clone();
        cost.is_object().then_some(cost)
    });
    assert_eq!((&cost["sampled"], &cost["runs"]), (&json!(1), &json!(1)), "{cost}");
    assert!(cost["us"].as_f64().unwrap() > 0.0, "{cost}");
    let share = cost["share"].as_f64().unwrap();
    assert!(share > 0.0 && share <= 1.0, "{cost}");
    assert_eq!(rule(&plane, 1104)["cost"], json!(null), "what is removed costs nothing");
}

#[test]
fn the_rules_page_shows_costs_and_why_not() {
    let plane = plane();
    if !plane.has_console() {
        return;
    }
    let Some(mut browser) = Browser::start() else { return };
    for _ in 0..16 {
        get(plane.address, "/?q=evil", "");
    }
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        browser.open(&plane.url("rules"));
        browser.wait_text("removed by ");
        browser.wait_text("Gone <i>away</i>");
        browser.wait_text("it is of paranoia level 3");
        browser.wait_text(" µs");
        let cut = "[...document.querySelectorAll('.sub.warn')].filter((why) => why.scrollWidth > why.clientWidth).length";
        assert_eq!(browser.eval(cut), 0, "a reason is read whole");
        browser.picture(&format!("rules-{scheme}"));
        assert_eq!(axe(&mut browser), [""; 0]);
    }
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

#[test]
fn rules_that_cannot_be_used_are_said_beside_those_that_stay() {
    let plane = plane();
    if !plane.has_console() {
        return;
    }
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&plane.url("rules"));
    browser.wait_text("it is of paranoia level 3");
    assert_eq!(browser.eval("document.querySelectorAll('.kept').length"), 0);
    let broken = format!(
        "{}SecRule ARGS \"@fuzzyHash <img/src=x> 60\" \"id:1105,phase:2,deny\"\n",
        browser::plane::RULES
    );
    plane.folder.write("rules.conf", broken);
    browser.wait_text("Not as configured since ");
    let said = browser.eval("document.querySelector('.kept').innerText");
    let said = said.as_str().unwrap();
    for word in [
        "profile default",
        "What was in force before stays",
        "rules.conf:6:15",
        "`@fuzzyHash` is not supported",
    ] {
        assert!(said.contains(word), "{said}");
    }
    browser.wait_text("it is of paranoia level 3");
    browser.picture("rules-kept");
    assert_eq!(axe(&mut browser), [""; 0]);
    // Mended, it is gone.
    plane.folder.write("rules.conf", browser::plane::RULES);
    browser.wait("!document.querySelector('.kept')");
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}
