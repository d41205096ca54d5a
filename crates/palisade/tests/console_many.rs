//! The web console of a console for many data planes, in a browser: which there are and how they are, what each of them
//! sent, what is set for all of them or one.
//!
//! Skipped with a line where there is no Chromium, no openssl, or where the program was built without the console.

mod browser;
mod collected;
mod pki;
mod support;

use std::net::SocketAddr;

use browser::Browser;
use browser::plane::{axe, has_console};
use collected::{Stage, items, json};
use serde_json::json;
use support::{Running, eventually, get};

/// A console that two data planes are at, and a browser.
struct Many {
    browser: Browser,
    _stage: Stage,
    console: Running,
    admin: SocketAddr,
    planes: Vec<Running>,
    proxies: Vec<SocketAddr>,
}

impl Many {
    fn start() -> Option<Self> {
        if !pki::tools() {
            return None;
        }
        let stage = Stage::new();
        let mut console = stage.console("127.0.0.1:0", &[]);
        let (at, admin) = (console.listener("collector"), console.admin());
        if !has_console(admin) {
            return None;
        }
        let browser = Browser::start()?;
        let mut planes =
            Vec::from(["web-1.shop", "web-2.shop"].map(|name| stage.plane(name, "127.0.0.1:0", at)));
        let proxies = planes.iter_mut().map(|plane| plane.listener("web")).collect();
        let many = Self { browser, _stage: stage, console, admin, planes, proxies };
        many.are_there(2);
        Some(many)
    }

    fn are_there(&self, count: usize) {
        eventually("data planes are there", || {
            let planes = json(self.admin, "/api/v1/dataplanes");
            (items(&planes).iter().filter(|plane| plane["state"] == "ready").count() == count).then_some(())
        });
    }

    /// Waits until so many events came here.
    fn has_events(&self, count: usize) {
        eventually("events", || {
            (items(&json(self.admin, "/api/v1/events?kind=waf")).len() >= count).then_some(())
        });
    }

    fn open(&mut self, page: &str) {
        self.browser.open(&format!("http://{}/#/{page}", self.admin));
    }
}

const ROWS: &str = "document.querySelectorAll('tr[data-id]').length";

#[test]
fn each_page_of_many_opens_is_accessible_in_both_themes_and_complains_about_nothing() {
    let Some(mut many) = Many::start() else { return };
    for (number, proxy) in many.proxies.iter().enumerate() {
        assert_eq!(get(*proxy, &format!("/evil?n={number}"), "").status, 403);
        get(*proxy, "/", "");
    }
    many.has_events(2);
    let id = items(&json(many.admin, "/api/v1/events"))[0]["id"].as_str().unwrap().to_owned();
    let event = format!("events/{id}");
    let mut wrong = Vec::new();
    for scheme in ["light", "dark"] {
        many.browser.scheme(scheme);
        for (page, title, text) in [
            ("", "Overview", "Requests"),
            ("live", "Live", "Connected"),
            ("events", "Events", "web-2.shop"),
            (&event, "Event", "Data plane"),
            ("graph", "Graph", ""),
            ("services", "Services", "web-1.shop"),
            ("tuning", "Tuning", ""),
            ("inventory", "API inventory", ""),
            ("policies", "Policies", "at a data plane"),
            ("rules", "Rules", "The same digest"),
            ("lists", "Lists", "Nobody is on the deny list"),
            ("alerts", "Alerts", "No alert has fired"),
            ("try", "Try a request", "at a data plane"),
            ("replay", "Replay", "at a data plane"),
            ("health", "Health", "2 of 2 there"),
        ] {
            many.open(page);
            many.browser.wait(&format!("document.querySelector('h1')?.textContent === {}", json!(title)));
            many.browser.wait_text(text);
            many.browser.wait("!document.querySelector('main').innerText.includes('Loading')");
            let name = page.split('/').next().unwrap_or_default();
            many.browser.picture(&format!("many-{name}-{scheme}"));
            let failures = many
                .browser
                .eval("[...document.querySelectorAll('.failure')].map((failure) => failure.innerText)");
            wrong.extend(failures.as_array().unwrap().iter().map(|one| format!("{page} {scheme}: {one}")));
            wrong.extend(axe(&mut many.browser).into_iter().map(|one| format!("{page} {scheme}: {one}")));
            wrong.extend(many.browser.complaints().into_iter().map(|one| format!("{page} {scheme}: {one}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn data_planes_are_shown_and_events_of_one_are_found_by_the_address_and_live() {
    let Some(mut many) = Many::start() else { return };
    let [one, two] = many.proxies[..] else { panic!("two data planes") };
    for target in ["/evil?n=1", "/evil?n=2"] {
        get(one, target, "");
    }
    get(two, "/evil?n=3", "");
    many.has_events(3);

    // Each with what it has in force: the same rules have the same digest.
    many.open("health");
    many.browser.wait("document.querySelectorAll('tr[data-name]').length === 2");
    let shown = json(many.admin, "/api/v1/dataplanes");
    for plane in items(&shown) {
        let name = plane["name"].as_str().unwrap();
        let row = many.browser.eval(&format!("document.querySelector('tr[data-name=\"{name}\"]').innerText"));
        let row = row.as_str().unwrap();
        let digest = plane["rule_sets"][0]["digest"].as_str().unwrap();
        let revision = plane["revision"].as_str().unwrap();
        for said in ["ready", "shop", "default", "block", &digest[..8], &revision[..8]] {
            assert!(row.contains(said), "{said}: {row}");
        }
    }
    // One that goes is said to have gone, and stays.
    assert_eq!(many.planes[1].end(), 0);
    many.browser.wait_text("1 of 2 there");
    let row = "document.querySelector('tr[data-name=\"web-2.shop\"]').innerText";
    many.browser.wait(&format!("{row}.includes('gone')"));

    many.browser.click("tr[data-name='web-1.shop'] a");
    many.browser.wait(&format!("{ROWS} === 2"));
    assert_eq!(many.browser.eval("document.querySelector('select[name=dataplane]').value"), "web-1.shop");
    many.browser.write("select[name=dataplane]", "");
    many.browser.wait(&format!("{ROWS} === 3"));
    assert_eq!(many.browser.eval("location.hash.includes('dataplane')"), false);
    many.open("events?dataplane=nobody");
    many.browser.wait_text("No events like this");

    many.open("live?dataplane=web-2.shop");
    many.browser.wait_text("Connected");
    many.browser.wait(&format!("{ROWS} === 1"));
    get(one, "/evil?n=4", "");
    many.has_events(4);
    many.browser.write("select[name=dataplane]", "web-1.shop");
    many.browser.wait(&format!("{ROWS} === 3"));
    get(one, "/evil?n=5", "");
    many.browser.wait(&format!("{ROWS} === 4"));
    let planes =
        "[...new Set([...document.querySelectorAll('tr[data-id]')].map((row) => row.children[2].innerText))]";
    assert_eq!(many.browser.eval(planes), json!(["web-1.shop"]));
    assert!(many.browser.complaints().is_empty());
}

#[test]
fn a_mode_is_set_at_one_data_plane_from_the_page_of_services() {
    let Some(mut many) = Many::start() else { return };
    let [one, two] = many.proxies[..] else { panic!("two data planes") };
    many.open("services");
    many.browser.wait_text("web-2.shop");
    many.browser.click("td.actions button");
    many.browser.click("dialog input[value=monitoring]");
    many.browser.write("dialog select[name=dataplane]", "web-2.shop");
    many.browser.click("dialog button[type=submit]");
    many.browser.wait("!document.querySelector('dialog')");
    eventually("the mode counts there", || (get(two, "/evil", "").status == 200).then_some(()));
    assert_eq!(get(one, "/evil", "").status, 403);
    // The weakest is in force as far as anybody can rely on it; the other stands beside its data plane.
    many.browser.wait("document.querySelector('.mode-monitoring') && document.querySelector('.mode-block')");
    many.console.wait_err("audit: ");
}

#[test]
fn what_is_allowed_on_the_page_of_an_event_counts_at_all_data_planes_that_have_the_service() {
    let Some(mut many) = Many::start() else { return };
    let [one, two] = many.proxies[..] else { panic!("two data planes") };
    get(one, "/evil/search?n=1", "");
    many.has_events(1);
    let id = items(&json(many.admin, "/api/v1/events"))[0]["id"].as_str().unwrap().to_owned();
    many.open(&format!("events/{id}"));
    // The change of the configuration, to be copied.
    many.browser.wait("document.querySelector('.diff .added')");
    assert!(
        many.browser
            .eval("document.querySelector('.diff').innerText")
            .as_str()
            .unwrap()
            .contains("rules: [1]")
    );
    many.browser.click("button.apply");
    many.browser.wait("document.querySelectorAll('.reached .badge.good').length === 2");
    for proxy in [one, two] {
        assert_eq!(get(proxy, "/evil/search?n=2", "").status, 200);
        assert_eq!(get(proxy, "/evil", "").status, 403);
    }
    assert_eq!(axe(&mut many.browser), [""; 0]);
    many.browser.picture("many-applied");
    many.open("tuning?service=shop");
    many.browser.wait("document.querySelectorAll('.reached .badge.good').length === 2");
    many.browser.click("table.exceptions button");
    many.browser.wait_text("Nothing was excepted here");
    for proxy in [one, two] {
        eventually("it is taken back", || (get(proxy, "/evil/search?n=3", "").status == 403).then_some(()));
    }
    assert!(many.browser.complaints().is_empty());
}
