//! Every mistake is told with its place, its key, its value and a value that works.

use palisade_config::{Config, Diagnostic, File, Origin, Overrides, Severity, Style, read};

const SOUND: &str = "services:\n- {name: web, upstream: {url: \"http://127.0.0.1:3000\"}}\n";

fn read_text(text: &str) -> (Option<Config>, Vec<Diagnostic>) {
    let file = File { text: text.as_bytes(), folder: "conf" };
    let read = read(Some(file), &Overrides::default());
    assert_eq!(read.config.is_none(), read.diagnostics.iter().any(Diagnostic::is_error), "{text}");
    (read.config, read.diagnostics)
}

/// `line:column key: message; help` of each finding.
fn findings(text: &str) -> Vec<String> {
    let line = |diagnostic: Diagnostic| {
        let place = match diagnostic.origin {
            Origin::File { line, column, .. } => format!("{line}:{column}"),
            Origin::Flag(flag) => flag.to_owned(),
            Origin::Default => "-".to_owned(),
        };
        let help = diagnostic.help.map_or(String::new(), |help| format!("; {help}"));
        format!("{place} {}: {}{help}", diagnostic.key, diagnostic.message)
    };
    read_text(text).1.into_iter().map(line).collect()
}

/// A file with a sound service and something else.
fn with(more: &str) -> String {
    format!("{SOUND}{more}\n")
}

#[test]
fn each_mistake_has_its_place_its_value_and_a_remedy() {
    let cases: &[(&str, &[&str])] = &[
        // Syntax.
        ("a: [", &["not YAML"]),
        ("a: b: c", &["1:5", "not YAML"]),
        ("\tx: 1", &["1:"]),
        ("a: 1\n---\nb: 2", &["2:", "a configuration is one document"]),
        ("listeners: []\nlisteners: []", &["2:1", "`listeners` stands here a second time, after line 1"]),
        ("x: !secret y", &["1:", "the tag `!secret` has no meaning here"]),
        ("x: {<<: {a: b}}", &["merge keys have no meaning here", "write the keys out"]),
        ("x: &a [*a]", &["an alias inside of what it names"]),
        ("? [a]\n: b", &["a key is a word"]),
        ("- a", &["1:1", "a list stands where keys are expected", "listeners, envoy, services, routes"]),
        ("true", &["1:1", "`true` stands where keys are expected"]),
        // Keys.
        ("listener: []", &["1:1 : the key `listener` is not known; did you mean `listeners`?"]),
        ("data_dir: x", &["did you mean `dataDir`?"]),
        ("zzz: 1", &["the key `zzz` is not known; known here: admin, dataDir, logs"]),
        ("sharedStat: {}", &["did you mean `sharedState`?"]),
        (
            "sharedState: {redis: {url: 'redis://me:secret@redis'}}",
            &["holds a name or a password; write `username` and one of `passwordFile` and `passwordEnv`"],
        ),
        ("event: {}", &["did you mean `events`?"]),
        ("list: {}", &["did you mean `lists`?"]),
        ("policies: {plaintextPeers: allow}", &["`allow` is not a word for peers without a certificate"]),
        (
            "policies: {trustDomains: ['spiffe://x']}",
            &["`spiffe://x` is no trust domain; write one such as cluster.local"],
        ),
        (
            "policies: {sync: {mode: per-pod}}",
            &["policies.sync.socket: `socket` is missing; add `socket: /var/run/nodeagent/socket`"],
        ),
        (
            "policies: {sync: {socket: nodeagent.sock}}",
            &["`nodeagent.sock` is not the path of a socket from the root; write one such as /var/run/"],
        ),
        (
            "policies: {sync: {socket: /s, mode: per-node}}",
            &["`per-node` is not a word for whose policies are asked for", "per-host"],
        ),
        (
            "services: [{name: a, upstream: {url: \"http://a\"}}]\npolicies:\n  files: [p]\n  sync: {socket: /s}",
            &["4:", "policies.sync: policies come from files here as well; remove `policies.files`"],
        ),
        ("workload: {namespace: n}", &["`name` is missing"]),
        (
            "listeners:\n- {name: a, address: 0.0.0.0:1, protocols: {}}",
            &["2:", "listeners[0]: the key `protocols`", "did you mean `protocol`?"],
        ),
        (
            "profiles: {default: {rules: {file: [x]}}}",
            &["profiles.default.rules: the key `file`", "did you mean `files`?"],
        ),
        // Missing.
        ("listeners: []", &["-", "there is no service to protect", "--upstream", "`services`"]),
        (
            "services: [{upstream: {url: \"http://a\"}}]",
            &["1:12 services[0].name: `name` is missing; add `name: web`"],
        ),
        (
            "services: [{name: a}]",
            &["1:19", "the service `a` has no upstream to send requests to", "--upstream"],
        ),
        (
            "envoy: [{name: e, address: \"unix:/s\"}]\nlisteners: [{name: web, address: \"127.0.0.1:1\"}]\nservices: [{name: a}]",
            &["the service `a` has no upstream", "let the route say `listener: e`"],
        ),
        (
            "envoy: [{name: e, address: \"unix:sock\"}]",
            &["envoy[0].address", "is not the path of a socket from the root", "unix:/run/palisade/sock"],
        ),
        ("envoy: [{name: e, address: here}]", &["is not an address to listen on", "or unix:/PATH"]),
        (
            "envoy: [{name: web, address: \"127.0.0.1:1\"}]\nservices: [{name: a, upstream: {url: \"http://a\"}}]\n\
             listeners: [{name: web, address: \"127.0.0.1:2\"}]",
            &["a second listener is called `web`"],
        ),
        (
            "services: [{name: a, upstream: {}}]",
            &["services[0].upstream.url: `url` is missing", "http://127.0.0.1:3000"],
        ),
        // Kinds.
        ("services: {}", &["services: a mapping stands where a list is expected"]),
        ("profiles: []", &["profiles: a list stands where profiles are expected"]),
        (
            "profiles: {default: {rules: {files: site.conf}}}",
            &["`site.conf` stands where a list is expected; write [site.conf]"],
        ),
        ("dataDir: [a]", &["dataDir: a list stands where a value is expected"]),
        (
            "dataDir:",
            &["1:8 dataDir: `dataDir` has no value; remove the key for its default, ./palisade-data"],
        ),
        ("logs: {dikastes: \"true\"}", &["logs.dikastes: `true` is neither true nor false; write true"]),
        ("logs: {dikastes: on}", &["`on` is neither true nor false; write true"]),
        // Values.
        (
            "listeners: [{name: a, address: \"8080\"}]",
            &["1:32 listeners[0].address: `8080` is not an address to listen on; write 127.0.0.1:8080"],
        ),
        (
            "listeners: [{name: \"a b\", address: 127.0.0.1:0}]",
            &["listeners[0].name: `a b` is not a name; use letters, digits, `.`, `_` and `-`, such as ab"],
        ),
        (
            "listeners: [{name: a, address: 127.0.0.1:0, healthPath: healthz}]",
            &["`healthz` is not a path; a path begins with a slash: write /healthz"],
        ),
        (
            "services: [{name: a, upstream: {url: \"127.0.0.1:3000\"}}]",
            &["`127.0.0.1:3000` is not an upstream; perhaps http://127.0.0.1:3000 is meant"],
        ),
        (
            "services: [{name: a, upstream: {url: \"http://a\", connect: 5}}]",
            &["services[0].upstream.connect: `5` has no unit; write 5s or 5ms"],
        ),
        (
            "profiles: {default: {mode: blocking}}",
            &["profiles.default.mode: `blocking` is not a mode; write block"],
        ),
        (
            "profiles: {default: {mode: monitring}}",
            &["did you mean monitoring? Otherwise write off, monitoring, safe_blocking or block"],
        ),
        (
            "profiles: {default: {onFailure: close}}",
            &["`close` is not what to do on failure; did you mean closed?"],
        ),
        (
            "profiles: {default: {limits: {requestBody: 1000}}}",
            &["`1000` has no unit; write 1000B, 1000KiB or 1000MiB"],
        ),
        (
            "profiles: {default: {limits: {onRequestBody: stream}}}",
            &["`stream` is not what to do with a body above the limit"],
        ),
        (
            "profiles: {default: {limits: {arguments: many}}}",
            &["`many` is not a number from 1 to 4294967295"],
        ),
        ("profiles: {default: {limits: {arguments: 010}}}", &["`010` is not a number"]),
        (
            "profiles: {default: {rules: {paranoia: 5}}}",
            &["profiles.default.rules.paranoia: `5` is not a number from 1 to 4"],
        ),
        ("profiles: {\"a b\": {}}", &["`a b` is not a name"]),
        ("logs: {auditFormat: yaml}", &["`yaml` is not a form of audit logs; write native, native2 or json"]),
        ("admin: {address: \"9901\"}", &["`9901` is not an address to listen on", "or off"]),
        (
            "routes: [{path: cms, service: a}]",
            &["routes[0].path: `cms` is not a path of a route; write /cms"],
        ),
        ("routes: [{path: /a/../b, service: a}]", &["write it in its normal form"]),
        ("routes: [{path: /a%2fb, service: a}]", &["write it decoded"]),
        ("routes: [{path: /a/*, service: a}]", &["a route takes all that begins with its path"]),
        (
            "routes: [{hosts: [\"a.*.b\"], service: a}]",
            &["routes[0].hosts[0]: `a.*.b` is not a host; a wildcard is a whole first label"],
        ),
        ("routes: [{hosts: [\"a:80\"], service: a}]", &["write it without a port"]),
        // Exceptions.
        (
            "profiles: {default: {exceptions: [{rules: [attack-xss]}]}}",
            &[
                "1:44 profiles.default.exceptions[0].rules[0]: `attack-xss` is no rule's id",
                "a range such as 942100-942190; tags go under `tags`",
            ],
        ),
        (
            "profiles: {default: {exceptions: [{rules: [1], points: [\"ARGS:q\"]}]}}",
            &["exceptions[0].points[0]: `ARGS:q` is not a point of a request; write query:q, or body.form:q"],
        ),
        (
            "profiles: {default: {exceptions: [{attacks: [sql]}]}}",
            &["exceptions[0].attacks[0]: `sql` is not an attack; did you mean sqli?"],
        ),
        (
            "profiles: {default: {exceptions: [{rules: [1], paths: [\"/a/../b\"]}]}}",
            &["exceptions[0].paths[0]: `/a/../b` is not a path", "normal form"],
        ),
        (
            "profiles: {default: {exceptions: [{rule: [1]}]}}",
            &["the key `rule` is not known; did you mean `rules`?"],
        ),
    ];
    for (text, expected) in cases {
        let findings = findings(text);
        let fits = |finding: &String| expected.iter().all(|part| finding.contains(part));
        assert!(findings.iter().any(fits), "{text}\n{expected:?}\n{findings:#?}");
    }
    println!("{} mistakes of form", cases.len());
}

#[test]
fn parts_that_do_not_fit_are_told_at_the_one_that_is_wrong() {
    let two = "services:\n- {name: a, upstream: {url: \"http://127.0.0.1:1\"}}\n- {name: b, upstream: {url: \"http://127.0.0.1:2\"}}\n";
    let cases: &[(String, &[&str])] = &[
        (two.to_owned(), &["3:10", "several services need routes", "{path: /, service: b}"]),
        (format!("{two}routes: [{{service: c}}]"), &["4:20", "there is no service `c`", "there is a, b"]),
        (with("routes: [{service: wbe}]"), &["there is no service `wbe`; did you mean `web`?"]),
        (with("routes: [{service: web, profile: strict}]"), &["there is no profile `strict`"]),
        (
            with("routes: [{service: web, listener: internal}]"),
            &["there is no listener `internal`; there is web"],
        ),
        (
            with("profiles: {strict: {}}"),
            &[
                "2:10",
                "the service `web` names no profile, and none is called `default`; add `profile: strict`",
            ],
        ),
        (
            with("listeners: [{name: a, address: 127.0.0.1:1}, {name: a, address: 127.0.0.1:2}]"),
            &["3:53", "a second listener is called `a`, after line 3"],
        ),
        (
            with("listeners: [{name: a, address: 127.0.0.1:81}, {name: b, address: 127.0.0.1:81}]"),
            &["127.0.0.1:81 is where another listener listens"],
        ),
        (
            with("listeners: [{name: a, address: 127.0.0.1:81}]\nadmin: {address: 127.0.0.1:81}"),
            &["127.0.0.1:81 is where the admin listener listens"],
        ),
        (
            with("listeners: [{name: a, address: 0.0.0.0:3000}]"),
            &["`http://127.0.0.1:3000`: that is this listener itself"],
        ),
        (
            "listeners: [{name: a, address: 127.0.0.1:81}, {name: b, address: 127.0.0.1:82}]\n\
             services: [{name: to-a, upstream: {url: http://127.0.0.1:81}}, {name: to-b, upstream: {url: http://127.0.0.1:82}}]\n\
             profiles: {default: {}}\nroutes: [{listener: a, service: to-b}, {listener: b, service: to-a}]"
                .to_owned(),
            &[
                "2:41",
                "`http://127.0.0.1:81`: leads back to this listener",
            ],
        ),
        (
            with("sharedState: {redis: {url: 'redis://redis', username: me}}"),
            &["sharedState.redis: a user and its password go together"],
        ),
        (
            with("sharedState: {redis: {url: 'redis://redis', tls: {ca: ca.crt}}}"),
            &["redis://redis is spoken to without TLS; write rediss://"],
        ),
        (
            with("routes: [{service: web}, {service: web, path: /}]"),
            &["a second route takes * /, after line 3"],
        ),
        (
            with("routes: [{service: web, hosts: [A.example]}, {service: web, hosts: [x, a.example.]}]"),
            &["a second route takes a.example /"],
        ),
        (
            with("routes: [{service: web, path: /a/}, {service: web, listener: web, path: /a}]"),
            &["a second route takes * /a"],
        ),
        (with("profiles: {default: {rules: {paranoia: 2}}}"), &["3:40", "the paranoia level 2 means a CRS"]),
        (
            with("profiles: {default: {limits: {arguments: 0}}}"),
            &["profiles.default.limits.arguments: `0` is not a number from 1"],
        ),
        (
            with("profiles: {default: {detect: {sensitivity: hi}}}"),
            &["profiles.default.detect.sensitivity: `hi` is not a sensitivity", "high"],
        ),
        // Warnings: it can be used.
        (
            with("routes: [{service: web, hosts: [a.example], path: /x}]"),
            &["a.example has no route for `/`: its other paths are answered with 404"],
        ),
        (format!("{two}routes: [{{service: a}}]"), &["no route leads to the service `b`"]),
        (
            with("profiles: {default: {exceptions: [{points: [path]}]}}"),
            &[
                "3:35",
                "profiles.default.exceptions[0]: an exception that does not say from what",
                "rules: [942100]",
            ],
        ),
    ];
    for (text, expected) in cases {
        let findings = findings(text);
        let fits = |finding: &String| expected.iter().all(|part| finding.contains(part));
        assert!(findings.iter().any(fits), "{text}\n{expected:?}\n{findings:#?}");
    }
}

#[test]
fn what_is_right_is_not_complained_about() {
    for text in [
        SOUND.to_owned(),
        // A workload's own calls, by one listener to the other, and out.
        "listeners: [{name: a, address: 127.0.0.1:81}, {name: b, address: 127.0.0.1:82}]\n\
         services: [{name: to-b, upstream: {url: http://127.0.0.1:82, source: 127.0.0.2}}, {name: app, upstream: {url: http://127.0.0.1:3000}}]\n\
         profiles: {default: {}}\nroutes: [{listener: a, service: to-b}, {listener: b, service: app}]"
            .to_owned(),
        with("listeners: [{name: a, address: 127.0.0.1:0}, {name: b, address: 127.0.0.1:0}]"),
        with(
            "routes:\n- {service: web}\n- {service: web, hosts: [\"*.a.example\"]}\n- {service: web, path: /a}",
        ),
        with(
            "listeners: [{name: a, address: 127.0.0.1:1}, {name: b, address: 127.0.0.1:2}]\nroutes:\n- {service: web, listener: a}\n- {service: web, listener: b}",
        ),
        with("x: &common {mode: block}\n")
            .replace("x: ", "profiles: {default: ")
            .replace("}\n\n", "}, other: *nothing}\n")
            .replace("*nothing", "{}"),
        with("profiles: {default: &p {mode: block}, other: *p}"),
        with(
            "profiles: {default: {exceptions: [{rules: [942100, 1-9], tags: [attack-*], points: [path, \"query:f[*]\"], paths: [/a/]}]}}",
        ),
        with("profiles:\nroutes:\nlisteners:\nlogs:\nadmin: ~"),
        "# nothing but a comment\n".to_owned() + SOUND,
    ] {
        assert_eq!(findings(&text), [""; 0], "{text}");
    }
}

#[test]
fn all_mistakes_come_at_once_and_in_the_order_of_the_file() {
    let text = include_str!("../../../testdata/config/many.yaml");
    let (config, diagnostics) = read_text(text);
    assert!(config.is_none());
    let rendered: String = diagnostics
        .iter()
        .map(|found| found.render(Some(("many.yaml", text.as_bytes())), Style::Plain))
        .collect();
    let expected = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/config/many.txt");
    if std::env::var_os("PALISADE_TEST_BLESS").is_some() {
        std::fs::write(expected, &rendered).unwrap();
    }
    let expected = std::fs::read_to_string(expected).unwrap();
    assert_eq!(rendered, expected, "PALISADE_TEST_BLESS=1 writes it anew, to be read like prose");
}

#[test]
fn many_mistakes_are_counted_and_not_all_shown() {
    let text = format!("services: [{}]", vec!["{a: b}"; 5000].join(", "));
    let (_, diagnostics) = read_text(&text);
    assert_eq!(diagnostics.len(), 101);
    assert!(diagnostics.last().unwrap().message.contains("more findings are not shown"));
    assert_eq!(diagnostics.last().unwrap().severity, Severity::Error);
}

#[test]
fn files_that_are_too_much_are_refused_in_good_time() {
    let begun = std::time::Instant::now();
    let bomb = {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let before = level - 1;
            text += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(", "));
        }
        text
    };
    let chain = {
        let mut text = "a0: &a0 [x]\n".to_owned();
        for level in 1..1000 {
            text += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        text
    };
    for (text, said) in [
        (bomb, "aliases make the file too large"),
        (chain, "nest deeper than 32"),
        ("[".repeat(100_000), ""),
        ("- ".repeat(100_000), ""),
        (format!("a: {}", "{b: ".repeat(40)), ""),
        (format!("a: \"{}\"", "x".repeat(5 << 20)), "larger than 4 MiB"),
        (format!("{}: 1", "k".repeat(1 << 20)), ""),
        ("a: 1\n".repeat(500_000), "a second time"),
    ] {
        let (config, diagnostics) = read_text(&text);
        assert!(config.is_none());
        assert!(diagnostics[0].message.contains(said), "{said}: {}", diagnostics[0].message);
    }
    // Ten thousand services and as many routes are no attack.
    let services: String = (0..10_000)
        .map(|n| format!("- {{name: s{n}, upstream: {{url: \"http://127.0.0.1:1\"}}}}\n"))
        .collect();
    let routes: String = (0..10_000).map(|n| format!("- {{service: s{n}, path: /{n}}}\n")).collect();
    let (config, _) = read_text(&format!("services:\n{services}routes:\n{routes}"));
    assert_eq!(config.unwrap().routes.len(), 10_000);
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let read = read(Some(File { text: b"a: 1\nb: \xff\n", folder: "" }), &Overrides::default());
    assert!(read.config.is_none());
    assert_eq!(read.diagnostics[0].origin, Origin::File { line: 2, column: 4, length: 1 });
    assert!(read.diagnostics[0].message.contains("UTF-8"));
}
