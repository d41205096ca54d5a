//! Custom rules of a profile on a running proxy: patches, points of binary data, masks, headers of responses.

mod support;

use std::net::SocketAddr;

use support::{Folder, Running, Upstream, command, eventually, get, palisade, send};

fn config(folder: &Folder, upstream: &Upstream, mode: &str, profile: &str) -> String {
    let text = format!(
        "admin: {{address: \"off\"}}\ndataDir: {}\nlogs: {{error: {}}}\n\
         listeners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: web, upstream: {{url: \"{}\"}}, responseHeaders: {{set: {{X-Frame-Options: DENY}}}}}}]\n\
         profiles:\n  default:\n    mode: {mode}\n{profile}",
        folder.at("data"),
        folder.at("error.log"),
        upstream.url
    );
    folder.write("palisade.yaml", text)
}

fn post(address: SocketAddr, target: &str, kind: &str, body: &[u8]) -> u16 {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    send(address, &[head.as_bytes(), body].concat()).status
}

#[test]
fn a_patch_refuses_what_it_names_in_monitoring_as_well_and_nothing_near_it() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let profile = "    patches:\n\
        \x20   - {name: old-admin, paths: [/admin/old]}\n\
        \x20   - {name: no-put, methods: [PUT], paths: [/files]}\n\
        \x20   - {name: CVE-1, paths: [/report], points: [\"query:template\", \"body.json:/template\"]}\n\
        \x20   - {name: sqli-here, paths: [/search], points: [\"query:q\"], attacks: [sqli]}\n";
    let file = config(&folder, &upstream, "monitoring", profile);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let status = |target: &str| get(address, target, "").status;
    for target in [
        "/admin/old",
        "/admin/old/x",
        "/admin//old",
        "/admin/x/../old",
        "/%61dmin/old",
        "/admin%2fold",
        "/x/..;/admin/old",
        "/report?template=a",
        "/report?a=1&template=",
        "/search?q=1%27%20OR%20%271%27=%271",
    ] {
        assert_eq!(status(target), 403, "{target}");
    }
    for target in [
        "/",
        "/admin",
        "/admin/older",
        "/x/admin/old",
        "/files",
        "/report",
        "/report?templates=a",
        "/other?template=a",
        "/search?q=red+shoes",
        "/search?r=1%27%20OR%20%271%27=%271",
        "/other?q=1%27%20OR%20%271%27=%271",
    ] {
        assert_eq!(status(target), 200, "{target}");
    }
    let put = |target: &str| {
        send(address, format!("PUT {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx").as_bytes())
            .status
    };
    assert_eq!((put("/files/a"), put("/other")), (403, 200));
    let json = "application/json";
    assert_eq!(post(address, "/report", json, b"{\"template\": \"x\"}"), 403);
    assert_eq!(post(address, "/report", json, b"{\"name\": \"template\"}"), 200);
    let refused = get(address, "/report?template=a", "");
    let id = refused.header("x-request-id").unwrap();
    let line = eventually("the line of the refusal", || {
        let log = std::fs::read_to_string(folder.at("error.log")).ok()?;
        log.lines().find(|line| line.contains(id) && line.contains("Access denied")).map(str::to_owned)
    });
    assert!(
        line.contains("the patch `CVE-1` refuses") && line.contains("[attack \"virtual-patch\"]"),
        "{line}"
    );
}

#[test]
fn a_patch_does_nothing_where_the_mode_is_off() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let file = config(&folder, &upstream, "\"off\"", "    patches: [{name: a, paths: [/a]}]\n");
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    assert_eq!(get(proxy.address(), "/a", "").status, 200);
}

#[test]
fn binary_data_is_no_attack_where_it_is_allowed() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write(
        "site.conf",
        "SecRequestBodyAccess On\nSecRule ARGS \"@contains evil\" \"id:10,phase:2,deny,status:403\"\n",
    );
    let profile = "    rules: {files: [site.conf]}\n\
        \x20   binary: [{points: [\"body.form:blob\"], paths: [/import]}]\n";
    let file = config(&folder, &upstream, "block", profile);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let form = "application/x-www-form-urlencoded";
    for attack in ["evil%00%01", "1%27%20OR%20%271%27=%271"] {
        let body = |name: &str| format!("{name}={attack}").into_bytes();
        assert_eq!(post(address, "/import", form, &body("blob")), 200, "{attack}");
        assert_eq!(post(address, "/import", form, &body("other")), 403, "{attack} elsewhere");
        assert_eq!(post(address, "/else", form, &body("blob")), 403, "{attack} at another path");
    }
}

#[test]
fn a_masked_point_is_in_no_log_even_where_something_was_found() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let profile = "    mask: [{points: [\"query:case\", \"body.json:/patient/*/remark\"]}]\n";
    let file = config(&folder, &upstream, "block", profile);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let attack = "1%27%20OR%20%27abcmarker%27=%27abcmarker%27";
    let masked = get(address, &format!("/?case={attack}"), "");
    let shown = get(address, &format!("/?other={attack}"), "");
    let body = b"{\"patient\": [{\"remark\": \"1' OR 'abcmarker'='abcmarker\"}]}";
    assert_eq!((masked.status, shown.status, post(address, "/", "application/json", body)), (403, 403, 403));
    let log = eventually("the lines of all three", || {
        let log = std::fs::read_to_string(folder.at("error.log")).ok()?;
        (log.lines().filter(|line| line.contains("Access denied")).count() == 3).then_some(log)
    });
    let with = |point: &str| log.lines().find(|line| line.contains(point)).expect(point).to_owned();
    assert!(!with("[point \"query:case\"]").contains("abcmarker"), "{log}");
    assert!(!with("[point \"body.json:/patient/0/remark\"]").contains("abcmarker"), "{log}");
    assert!(with("[point \"query:other\"]").contains("abcmarker"), "its neighbour is shown: {log}");
}

#[test]
fn headers_of_responses_change_below_their_paths() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let profile = "    responseHeaders:\n\
        \x20   - {set: {X-Content-Type-Options: nosniff}}\n\
        \x20   - {paths: [/embed], set: {X-Frame-Options: SAMEORIGIN}, add: {X-Extra: a}}\n\
        \x20   - {paths: [/embed/open], remove: [X-Frame-Options]}\n";
    let file = config(&folder, &upstream, "block", profile);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    for (target, frame, extra) in [
        ("/", Some("DENY"), None),
        ("/embed", Some("SAMEORIGIN"), Some("a")),
        ("/embedded", Some("DENY"), None),
        ("/embed/open/x", None, Some("a")),
        ("/embed%2fx", Some("DENY"), None),
    ] {
        let answer = get(address, target, "");
        assert_eq!(answer.header("x-frame-options"), frame, "{target}: {answer:?}");
        assert_eq!(answer.header("x-extra"), extra, "{target}: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
    }
}

#[test]
fn rules_that_say_nothing_are_told_by_check() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    for (profile, said) in [
        ("    binary: [{paths: [/a]}]\n", "binary data is allowed nowhere"),
        ("    mask: [{points: [\"query:*\"]}]\n", "does not end in a name"),
        ("    patches: [{name: a}, {name: a}]\n", "there is a patch `a` before this one"),
        ("    patches: [{name: a, attacks: [undefined-endpoint]}]\n", "is nothing that the detector sees"),
        ("    patches: [{name: a, methods: [get]}]\n", "write it in capitals"),
    ] {
        let file = config(&folder, &upstream, "block", profile);
        let answer = palisade(&["check", "--config", &file]);
        assert_eq!(answer.code, 1, "{profile}: {}", answer.err);
        assert!(answer.err.contains(said), "{profile}: {}", answer.err);
    }
}
