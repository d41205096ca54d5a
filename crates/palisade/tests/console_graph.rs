//! The graph of 200 services in a browser: readable, walked by keys alone, the same in the table; and services of which no
//! workload is known are in no namespace.

mod browser;
mod support;

use browser::Browser;
use browser::plane::{Plane, axe, both};
use serde_json::{Value, json};

/// What no page may run.
const SCRIPT: &str = "<img src=x onerror=window.ran=1>";

/// A graph of so many services in 12 namespaces, of which every twentieth has no workload that is known.
fn graph(services: usize) -> Value {
    let id = |number: usize| match number % 20 {
        7 => format!("-/service-{number}"),
        _ => format!("team-{}/service-{number}", number * 12 / services),
    };
    let mut nodes = vec![
        json!({"id": "external", "kind": "external", "namespace": "-", "name": "external", "protected": null, "mode": null}),
        json!({"id": format!("team-0/{SCRIPT}"), "kind": "workload", "namespace": "team-0", "name": SCRIPT, "protected": null, "mode": null}),
    ];
    let mut edges = Vec::new();
    for number in 0..services {
        let own = id(number);
        let (namespace, name) = own.split_once('/').unwrap();
        let is_protected = number % 5 != 0;
        nodes.push(json!({
            "id": own, "kind": "service", "namespace": namespace, "name": name, "protected": is_protected,
            "mode": if is_protected { "block" } else { "off" },
        }));
        let attacks = if number % 41 == 9 { json!([{"key": SCRIPT, "count": 12}]) } else { json!([]) };
        let edge = |source: String, destination: String| {
            json!({
                "source": source, "destination": destination, "requests": 10_u64.pow(number as u32 % 5),
                "blocked": if number % 23 == 7 { 5 } else { 0 }, "would_block": 0,
                "errors": if number % 17 == 3 { 4 } else { 0 }, "attacks": attacks,
            })
        };
        edges.push(edge(own.clone(), id((number * 7 + 3) % services)));
        if number % 40 == 0 {
            edges.push(edge("external".to_owned(), own));
        }
    }
    json!({"nodes": nodes, "edges": edges})
}

/// Opens a page that is answered with a graph of our own.
fn open(browser: &mut Browser, plane: &Plane, page: &str, graph: &Value) {
    browser.open(&plane.url("health"));
    browser.wait("document.querySelector('h1')?.textContent === 'Health'");
    browser.eval(&format!(
        "(() => {{ const graph = {}; const ask = window.fetch;
           window.fetch = (url, how) => String(url).startsWith('/api/v1/graph')
             ? Promise.resolve(new Response(graph, {{ headers: {{ 'content-type': 'application/json' }} }})) : ask(url, how);
           location.hash = {} }})()",
        json!(graph.to_string()),
        json!(format!("#/{page}")),
    ));
    browser.wait("document.querySelector('h1')?.textContent === 'Graph'");
}

#[test]
fn two_hundred_services_are_read_walked_by_keys_and_the_same_in_the_table() {
    let Some((mut browser, plane)) = both("") else { return };
    let graph = graph(200);
    let flows = graph["edges"].as_array().unwrap().len();
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        open(&mut browser, &plane, "graph", &graph);
        browser.wait("document.querySelectorAll('.node').length === 202");
        browser.eval("new Promise((resolve) => setTimeout(resolve, 300))");
        browser.picture(&format!("graph-200-{scheme}"));
        assert_eq!(axe(&mut browser), [""; 0], "{scheme}");
    }
    assert_eq!(browser.eval("document.querySelectorAll('.edge').length"), flows);
    assert_eq!(
        browser.eval("document.querySelectorAll('.area rect').length"),
        12,
        "no namespace is called -"
    );
    // No two nodes stand on each other.
    let nearest = browser.eval(
        "(() => { const at = [...document.querySelectorAll('.node')].map((node) => node.transform.baseVal[0].matrix);
           let least = Infinity;
           for (const [n, one] of at.entries()) for (const other of at.slice(n + 1)) least = Math.min(least, Math.hypot(one.e - other.e, one.f - other.f));
           return least })()",
    );
    assert!(nearest.as_f64().unwrap() > 18.0, "{nearest}");
    // Every node is reached by arrow keys from the one that Tab goes to.
    let reached = browser.eval(
        "(async () => { const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
           const seen = new Set(); const wait = [];
           const first = document.querySelector('.node[tabindex=\"0\"]'); first.focus();
           wait.push(first.dataset.at); seen.add(first.dataset.at);
           while (wait.length) {
             const at = wait.pop();
             for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
               document.querySelector(`[data-at=\"${CSS.escape(at)}\"]`).focus();
               press(key);
               await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
               const now = document.activeElement.dataset.at;
               if (!seen.has(now)) { seen.add(now); wait.push(now) }
             }
             if (seen.size === 202) break;
           }
           return seen.size })()",
    );
    assert_eq!(reached, 202);
    browser.press("Enter");
    browser.wait("document.querySelector('.details h3')");

    open(&mut browser, &plane, "graph?view=table", &graph);
    browser.wait(&format!("document.querySelectorAll('tbody tr').length === {flows}"));
    // The same flows, and the same numbers of them.
    let rows = browser.eval(
        "[...document.querySelectorAll('tbody tr')].map((row) => [0, 1, 4].map((n) => row.cells[n].innerText.replaceAll(',', '')).join(' ')).sort()",
    );
    let title = |id: &Value| id.as_str().unwrap().trim_start_matches("-/").to_owned();
    let mut expected: Vec<String> = graph["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| {
            format!("{} {} {}", title(&edge["source"]), title(&edge["destination"]), edge["requests"])
        })
        .collect();
    expected.sort();
    assert_eq!(rows, json!(expected));
    browser.picture("graph-200-table");
    assert_eq!(axe(&mut browser), [""; 0]);
    assert_eq!(browser.eval("window.ran === undefined"), true);
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}
