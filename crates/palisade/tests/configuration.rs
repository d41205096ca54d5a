//! `palisade run --config` and `palisade check --config`, from outside: several listeners, services, routes and profiles,
//! what a reload takes and what it leaves, which of flag and file wins.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use support::{Folder, Response, Running, Upstream, begin, command, eventually, palisade, receive, send};

const ADMIN_OFF: &str = "admin: {address: \"off\"}\ndataDir: data\n";

/// A rule that denies `?NAME=1` with a status.
fn rule(name: &str, id: u32, status: u16) -> String {
    format!("SecRule ARGS:{name} \"@streq 1\" \"id:{id},phase:2,deny,status:{status},log,msg:'{name}'\"\n")
}

fn run(config: &str, more: &[&str]) -> Running {
    Running::start(command(&[&["run", "--config", config], more].concat()))
}

fn ask(address: SocketAddr, host: &str, target: &str) -> Response {
    send(address, format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
}

fn service(name: &str, upstream: &Upstream) -> String {
    format!("- {{name: {name}, upstream: {{url: \"{}\"}}}}\n", upstream.url)
}

#[test]
fn hosts_and_paths_lead_to_their_services_and_to_no_other() {
    let folder = Folder::new();
    let [shop, cms, other, inner] = [(); 4].map(|()| Upstream::start());
    let text = [
        ADMIN_OFF,
        "listeners:\n- {name: web, address: 127.0.0.1:0, healthPath: /healthz}\n- {name: internal, address: 127.0.0.1:0}\n",
        "services:\n",
        &service("shop", &shop),
        &service("cms", &cms),
        &service("other", &other),
        &service("inner", &inner),
        "routes:\n",
        "- {listener: web, hosts: [shop.example.com], service: shop}\n",
        "- {listener: web, hosts: [shop.example.com], path: /cms/, service: cms}\n",
        "- {listener: web, hosts: [\"*.example.com\"], service: other}\n",
        "- {listener: internal, hosts: [\"*.local\"], path: /only/, service: inner}\n",
    ]
    .concat();
    let config = folder.write("palisade.yaml", text);
    let mut proxy = run(&config, &[]);
    let (web, internal) = (proxy.listener("web"), proxy.listener("internal"));
    let services = [("shop", &shop), ("cms", &cms), ("other", &other), ("inner", &inner)];
    let seen = || services.map(|(_, upstream)| upstream.heads().len());
    for (address, host, target, to) in [
        (web, "shop.example.com", "/", Some("shop")),
        (web, "SHOP.example.com.:8080", "/x?y", Some("shop")),
        (web, "shop.example.com", "/cms", Some("cms")),
        (web, "shop.example.com", "/cms/a?q=/", Some("cms")),
        (web, "shop.example.com", "/cmsx", Some("shop")),
        (web, "shop.example.com", "/x/../%63ms/a", Some("cms")),
        (web, "shop.example.com", "/cms/%2e%2e/x", Some("shop")),
        (web, "shop.example.com", "/cms%2fa", Some("shop")),
        (web, "shop.example.com", "http://b.example.com/x", Some("other")),
        (web, "b.example.com", "/cms/", Some("other")),
        (web, "a.b.example.com", "/", None),
        (web, "example.com", "/", None),
        (web, "elsewhere", "/", None),
        (internal, "shop.example.com", "/", None),
        (internal, "x.local", "/only/a", Some("inner")),
        (internal, "x.local", "/", None),
        (internal, "x.local", "/only/%2e%2e/a", None),
    ] {
        let before = seen();
        let answer = ask(address, host, target);
        let after = seen();
        let went: Vec<&str> = services
            .iter()
            .zip(before.iter().zip(after))
            .filter(|(_, (before, after))| **before != *after)
            .map(|((name, _), _)| *name)
            .collect();
        assert_eq!(went, to.into_iter().collect::<Vec<_>>(), "{host} {target}");
        assert_eq!(answer.status, if to.is_some() { 200 } else { 404 }, "{host} {target}");
        if to.is_none() {
            let id = answer.header("x-request-id").unwrap();
            assert!(answer.body.contains(id), "{answer:?}");
            proxy.wait_err(&format!("[unique_id \"{id}\"]"));
        }
    }
    proxy.wait_err("no route takes this host and path");
    assert_eq!(ask(web, "elsewhere", "/healthz").status, 200, "a probe needs no route");
    // A body that nobody wants is not waited for, and the connection does not go on in the middle of it.
    let head = "POST /x HTTP/1.1\r\nHost: elsewhere\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(receive(begin(web, head.as_bytes())).status, 404);
    let ambiguous = "POST /x HTTP/1.1\r\nHost: elsewhere\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab";
    assert_eq!(send(web, ambiguous.as_bytes()).status, 400);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn what_no_route_takes_is_counted() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let text = format!(
        "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlisteners: [{{name: web, address: 127.0.0.1:0}}]\nservices:\n{}\
         routes: [{{hosts: [a], service: s}}]\n",
        service("s", &upstream)
    );
    let mut proxy = run(&folder.write("c.yaml", text), &[]);
    let (web, admin) = (proxy.listener("web"), proxy.listener("admin"));
    assert_eq!((ask(web, "b", "/").status, ask(web, "a", "/").status), (404, 200));
    let metrics = eventually("both are counted", || {
        let text = ask(admin, &admin.to_string(), "/metrics").body;
        text.contains("palisade_no_route_total 1").then_some(text)
    });
    let nobodys = "palisade_requests_total{listener=\"web\",service=\"-\",status=\"4xx\",by=\"palisade\"} 1";
    assert!(metrics.lines().any(|line| line == nobodys), "{metrics}");
}

#[test]
fn routes_and_services_are_inspected_by_their_profiles() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("rules/site.conf", rule("bad", 1, 418));
    folder.write("rules/strict.conf", rule("odd", 2, 451));
    let text = [
        ADMIN_OFF,
        "listeners: [{name: web, address: 127.0.0.1:0}]\nservices:\n",
        &service("s", &upstream),
        "routes:\n- {service: s}\n- {service: s, path: /strict, profile: strict}\n- {service: s, path: /off, profile: none}\n",
        "profiles:\n  default: {mode: block, rules: {files: [rules/site.conf]}}\n",
        "  strict: {mode: block, rules: {files: [rules/site.conf, rules/strict.conf]}}\n",
        "  none: {mode: \"off\", rules: {files: [rules/site.conf]}}\n",
    ]
    .concat();
    let config = folder.write("c.yaml", text);
    // Relative paths are the file's, whatever the working directory is.
    let mut started = command(&["run", "--config", &config]);
    started.current_dir("/");
    let mut proxy = Running::start(started);
    let web = proxy.listener("web");
    for (target, status) in [
        ("/?bad=1", 418),
        ("/?odd=1", 200),
        ("/strict?bad=1", 418),
        ("/strict/x?odd=1", 451),
        ("/off?bad=1", 200),
        ("/off/%2e%2e/x?bad=1", 418),
        ("/off/..%2fx?bad=1", 418),
    ] {
        assert_eq!(ask(web, "h", target).status, status, "{target}");
    }
    assert!(std::path::Path::new(&folder.at("data/lock")).exists());
}

#[test]
fn a_changed_file_is_taken_and_a_broken_one_leaves_everything_in_force() {
    let folder = Folder::new();
    let (one, two) = (Upstream::start(), Upstream::start());
    let text = |path: &str, to: &str, extra: &str| {
        [
            ADMIN_OFF,
            "listeners: [{name: web, address: 127.0.0.1:0}]\nservices:\n",
            &service("one", &one),
            &service("two", &two),
            &format!("routes:\n- {{service: one}}\n- {{service: {to}, path: {path}}}\n{extra}"),
        ]
        .concat()
    };
    let config = folder.write("c.yaml", text("/a", "two", ""));
    let mut proxy = run(&config, &[]);
    let web = proxy.listener("web");
    let goes = |target: &str| {
        let before = two.heads().len();
        assert_eq!(ask(web, "h", target).status, 200);
        if two.heads().len() > before { "two" } else { "one" }
    };
    assert_eq!((goes("/a"), goes("/b")), ("two", "one"));

    // By itself: it is looked at.
    folder.write("c.yaml", text("/b", "two", ""));
    eventually("the change", || (goes("/b") == "two").then_some(()));
    assert_eq!(goes("/a"), "one");

    folder.write("c.yaml", text("/a", "three", "zzz: 1\n"));
    proxy.signal("HUP");
    proxy.wait_err("the rules in force stay");
    let err = proxy.err();
    assert!(
        err.contains("there is no service `three`") || err.contains("the key `zzz` is not known"),
        "{err}"
    );
    assert!(err.contains("c.yaml:"), "{err}");
    assert_eq!((goes("/a"), goes("/b")), ("one", "two"));

    std::fs::remove_file(&config).unwrap();
    proxy.signal("HUP");
    proxy.wait_err("does not exist");
    assert_eq!(goes("/b"), "two");

    // What only a restart can change is said, and the rest is taken.
    folder.write("c.yaml", text("/c", "two", "").replace("\"off\"", "127.0.0.1:0"));
    proxy.signal("HUP");
    proxy.wait_err("a change of admin needs a restart");
    eventually("the rest", || (goes("/c") == "two").then_some(()));
    assert_eq!(proxy.end(), 0);
}

#[test]
fn what_waits_for_a_restart_is_said_with_every_reload_until_it_is_taken_back() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let text = |more: &str| {
        format!(
            "{ADMIN_OFF}listeners: [{{name: web, address: 127.0.0.1:0}}]\n\
             services: [{{name: a, upstream: {{url: \"{}\"}}}}]\n{more}",
            upstream.url
        )
    };
    let config = folder.write("c.yaml", text(""));
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    proxy.listener("web");
    let said = "a change of events, recording needs a restart; until then it stays as it was";
    for (times, more) in ["", "lists: {}\n"].into_iter().enumerate() {
        folder.write(
            "c.yaml",
            text(&format!("events: {{store: false}}\nrecording: {{enabled: true}}\n{more}")),
        );
        proxy.signal("HUP");
        eventually("the word", || (proxy.err().matches(said).count() > times).then_some(()));
    }
    folder.write("c.yaml", text(""));
    let before = proxy.err().matches("needs a restart").count();
    proxy.signal("HUP");
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(proxy.err().matches("needs a restart").count(), before, "{}", proxy.err());
    assert_eq!(proxy.end(), 0);
}

#[test]
fn broken_rules_leave_their_profile_as_it_was_and_others_change() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("a.conf", rule("a", 1, 418));
    folder.write("b.conf", rule("b", 2, 418));
    let text = |mode: &str| {
        [
            ADMIN_OFF,
            "listeners: [{name: web, address: 127.0.0.1:0}]\nservices:\n",
            &service("s", &upstream),
            "routes:\n- {service: s, path: /a, profile: a}\n- {service: s, path: /b, profile: b}\n",
            &format!("profiles:\n  default: {{}}\n  a: {{mode: {mode}, rules: {{files: [a.conf]}}}}\n"),
            &format!("  b: {{mode: {mode}, rules: {{files: [b.conf]}}}}\n"),
        ]
        .concat()
    };
    let config = folder.write("c.yaml", text("block"));
    let mut proxy = run(&config, &[]);
    let web = proxy.listener("web");
    let status = |target: &str| ask(web, "h", target).status;
    assert_eq!((status("/a?a=1"), status("/b?b=1")), (418, 418));

    folder.write("a.conf", "SecRulee\n");
    folder.write("b.conf", rule("b", 2, 451));
    proxy.wait_err("profile a stays as it was: the rules are not usable");
    eventually("b changes", || (status("/b?b=1") == 451).then_some(()));
    assert_eq!(status("/a?a=1"), 418);
    assert!(proxy.err().contains("a.conf:1:1"), "{}", proxy.err());

    // A profile that stays does so whole: its mode is not another's rules' mode.
    folder.write("c.yaml", text("\"off\""));
    eventually("b is off", || (status("/b?b=1") == 200).then_some(()));
    assert_eq!(status("/a?a=1"), 418);

    folder.write("a.conf", rule("a", 1, 418));
    eventually("a is off, too", || (status("/a?a=1") == 200).then_some(()));

    // A new profile has nothing to stay at.
    let before = proxy.err().len();
    folder.write("bad.conf", "SecRulee\n");
    let new = text("block") + "  new: {rules: {files: [bad.conf]}}\n";
    folder.write("c.yaml", new);
    eventually("it is told", || proxy.err()[before..].contains("profile new, which is new").then_some(()));
    assert_eq!(status("/a?a=1"), 200, "nothing of that file is in force");
}

#[test]
fn a_mounted_folder_that_is_swapped_is_seen() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    // As Kubernetes mounts a ConfigMap: files are links through a link that is swapped.
    let text = |path: &str| {
        format!(
            "{ADMIN_OFF}listeners: [{{name: web, address: 127.0.0.1:0}}]\nservices:\n{}routes: [{{service: s, path: {path}}}]\n",
            service("s", &upstream)
        )
        .replace("dataDir: data", &format!("dataDir: {}", folder.at("data")))
    };
    folder.write("v1/c.yaml", text("/one"));
    folder.write("v2/c.yaml", text("/two"));
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.at(name)).unwrap();
    link("v1", "..data");
    link("..data/c.yaml", "c.yaml");
    let mut proxy = run(&folder.at("c.yaml"), &[]);
    let web = proxy.listener("web");
    assert_eq!((ask(web, "h", "/one").status, ask(web, "h", "/two").status), (200, 404));
    link("v2", "..new");
    std::fs::rename(folder.at("..new"), folder.at("..data")).unwrap();
    eventually("the swap", || (ask(web, "h", "/two").status == 200).then_some(()));
    assert_eq!(ask(web, "h", "/one").status, 404);
}

#[test]
fn requests_under_way_end_by_what_they_began_with() {
    let folder = Folder::new();
    let (old, new) = (Upstream::start(), Upstream::start());
    let text = |to: &Upstream| {
        format!(
            "{ADMIN_OFF}listeners: [{{name: web, address: 127.0.0.1:0}}]\nservices:\n{}",
            service("s", to)
        )
    };
    let config = folder.write("c.yaml", text(&old));
    let mut proxy = run(&config, &[]);
    let web = proxy.listener("web");
    let waiting = begin(web, b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    eventually("the request at the old service", || (!old.heads().is_empty()).then_some(()));
    folder.write("c.yaml", text(&new));
    proxy.signal("HUP");
    eventually("the new service", || {
        ask(web, "h", "/fast");
        (!new.heads().is_empty()).then_some(())
    });
    old.let_go();
    let answer = receive(waiting);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("GET /slow"), "{answer:?}");
}

#[test]
fn limits_are_the_profiles_and_their_mode_decides() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rules = "SecRequestBodyAccess On\nSecRule REQUEST_HEADERS:Content-Type \"@contains json\" \
        \"id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
        SecRule REQBODY_ERROR \"@eq 1\" \"id:10,phase:2,deny,status:422,log\"\n";
    folder.write("site.conf", format!("{rules}{}", rule("bad", 1, 418)));
    let profile = |name: &str, mode: &str, limits: &str| {
        format!("  {name}: {{mode: {mode}, rules: {{files: [site.conf]}}, limits: {{{limits}}}}}\n")
    };
    let text = [
        ADMIN_OFF,
        "listeners: [{name: web, address: 127.0.0.1:0}]\nservices:\n",
        &service("s", &upstream),
        "routes:\n- {service: s}\n- {service: s, path: /partial, profile: partial}\n",
        "- {service: s, path: /watch, profile: watch}\n- {service: s, path: /deep, profile: deep}\nprofiles:\n",
        &profile("default", "block", "requestBody: 1KiB"),
        &profile("partial", "block", "requestBody: 1KiB, onRequestBody: partial"),
        &profile("watch", "monitoring", "requestBody: 1KiB"),
        &profile("deep", "block", "jsonDepth: 3"),
    ]
    .concat();
    let mut proxy = run(&folder.write("c.yaml", text), &[]);
    let web = proxy.listener("web");
    let post = |path: &str, kind: &str, body: &str| {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        );
        send(web, format!("{head}{body}").as_bytes())
    };
    let form = "application/x-www-form-urlencoded";
    let (small, large) = ("a=1".to_owned(), format!("a={}", "x".repeat(20_000)));
    let (early, late) = (format!("bad=1&{large}"), format!("{large}&bad=1"));
    for (path, body, status) in [
        ("/", &small, 200),
        ("/", &large, 413),
        ("/partial", &large, 200),
        ("/partial", &early, 418),
        ("/partial", &late, 200),
        ("/watch", &large, 200),
        ("/watch", &early, 200),
    ] {
        let answer = post(path, form, body);
        assert_eq!(answer.status, status, "{path} {} bytes", body.len());
        if status == 200 {
            assert!(
                answer.body.contains(&format!("and {} bytes", body.len())),
                "all of it goes on: {answer:?}"
            );
        }
    }
    proxy.wait_err("the profile's request body limit of 1024 bytes exceeded");
    assert_eq!(post("/deep", "application/json", "[[[1]]]").status, 200);
    assert_eq!(post("/deep", "application/json", "[[[[1]]]]").status, 422);
    assert_eq!(post("/", "application/json", "[[[[1]]]]").status, 200);
}

#[test]
fn an_upstream_that_takes_too_long_is_504_by_its_own_time() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let slow = |name: &str, response: &str| {
        format!("- {{name: {name}, upstream: {{url: \"{}\", response: {response}}}}}\n", upstream.url)
    };
    let text = [
        ADMIN_OFF,
        "listeners: [{name: web, address: 127.0.0.1:0}]\nservices:\n",
        &slow("quick", "200ms"),
        &slow("patient", "60s"),
        "routes:\n- {service: patient}\n- {service: quick, hosts: [quick]}\n",
    ]
    .concat();
    let mut proxy = run(&folder.write("c.yaml", text), &[]);
    let web = proxy.listener("web");
    let waiting = begin(web, b"GET /slow HTTP/1.1\r\nHost: patient\r\n\r\n");
    assert_eq!(ask(web, "quick", "/slow").status, 504);
    upstream.let_go();
    assert_eq!(receive(waiting).status, 200);
}

#[test]
fn whoever_names_a_crs_that_is_not_there_is_told_where_one_comes_from() {
    let folder = Folder::new();
    let text = "services: [{name: s, upstream: {url: \"http://127.0.0.1:1\"}}]\nprofiles: {default: {rules: {crs: crs}}}\n";
    let answer = palisade(&["run", "--config", &folder.write("c.yaml", text), "--admin", "off"]);
    assert_eq!(answer.code, 2);
    for part in [&*folder.at("crs"), "modsecurity-crs", "coreruleset"] {
        assert!(answer.err.contains(part), "{part}: {}", answer.err);
    }
}

#[test]
fn a_flag_wins_over_the_file_where_it_means_one_thing() {
    let folder = Folder::new();
    let (one, two) = (Upstream::start(), Upstream::start());
    folder.write("site.conf", rule("bad", 1, 418));
    let single = format!(
        "{ADMIN_OFF}listeners: [{{name: web, address: 127.0.0.1:0}}]\nservices:\n{}profiles: {{default: {{mode: block, rules: {{files: [site.conf]}}}}}}\n",
        service("s", &one)
    );
    let config = folder.write("single.yaml", &single);
    let mut proxy = run(&config, &[]);
    assert_eq!(ask(proxy.listener("web"), "h", "/?bad=1").status, 418);
    assert_eq!(proxy.end(), 0);
    let (data, mode) = (folder.at("elsewhere"), "monitoring");
    let mut proxy = run(&config, &["--mode", mode, "--upstream", &two.url, "--data-dir", &data]);
    assert_eq!(ask(proxy.listener("web"), "h", "/?bad=1").status, 200);
    assert_eq!((one.heads().len(), two.heads().len()), (0, 1));
    assert!(std::path::Path::new(&data).join("lock").exists());
    assert_eq!(proxy.end(), 0);

    let two_services =
        single.replace("profiles:", &format!("{}routes: [{{service: s}}]\nprofiles:", service("t", &two)));
    let config = folder.write("two.yaml", two_services);
    let answer = palisade(&["run", "--config", &config, "--upstream", &two.url]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("--upstream: the file has 2 services"), "{}", answer.err);
}

#[test]
fn a_second_process_on_one_data_folder_is_told_whose_it_is() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let data = folder.at("data");
    let arguments = [
        "run",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &upstream.url,
        "--admin",
        "off",
        "--data-dir",
        &data,
    ];
    let mut first = Running::start(command(&arguments));
    first.address();
    let second = palisade(&arguments);
    assert_eq!(second.code, 2);
    let holder = std::fs::read_to_string(folder.at("data/lock")).unwrap();
    for part in ["--data-dir", &data, &format!("process {}", holder.trim()), "a folder of its own"] {
        assert!(second.err.contains(part), "{part}: {}", second.err);
    }
    assert_eq!(first.end(), 0);
    let mut third = Running::start(command(&arguments));
    third.address();
    assert_eq!(third.end(), 0, "the lock goes with its process");
}

#[test]
fn a_file_that_cannot_run_exits_2_and_says_all_of_why() {
    let folder = Folder::new();
    let config = folder.write("c.yaml", "listener: []\nservices: [{name: a, upstream: {url: shop}}]\n");
    let answer = palisade(&["run", "--config", &config]);
    assert_eq!(answer.code, 2);
    for part in ["c.yaml:1:1", "did you mean `listeners`?", "c.yaml:2:38", "http://shop", "2 errors"] {
        assert!(answer.err.contains(part), "{part}: {}", answer.err);
    }
    assert!(!answer.err.contains("listening on"), "{}", answer.err);
    for (arguments, part) in [
        (["run", "--config", "/nowhere.yaml"], "--config `/nowhere.yaml` does not exist"),
        (["run", "--config", folder.path().to_str().unwrap()], "cannot be read"),
    ] {
        let answer = palisade(&arguments);
        assert_eq!(answer.code, 2);
        assert!(answer.err.contains(part), "{}", answer.err);
    }
}

#[test]
fn check_tells_a_files_mistakes_and_those_of_the_rules_that_it_names() {
    let folder = Folder::new();
    folder.write("good.conf", rule("a", 1, 403));
    folder.write("broken.conf", "SecRulee\n");
    let text = |rules: &str| {
        format!(
            "services: [{{name: s, upstream: {{url: \"http://127.0.0.1:1\"}}}}]\nprofiles:\n  default: {{rules: {{files: [good.conf]}}}}\n  \
             same: {{rules: {{files: [good.conf]}}}}\n  other: {{rules: {{files: [{rules}]}}}}\n"
        )
    };
    let config = folder.write("c.yaml", text("good.conf, good2.conf"));
    folder.write("good2.conf", rule("b", 2, 403));
    let answer = palisade(&["check", "--config", &config]);
    assert_eq!(answer.code, 0, "{} {}", answer.out, answer.err);
    assert!(answer.out.contains("the configuration is usable: 0 errors, 0 warnings"), "{}", answer.out);
    assert_eq!(answer.out.matches("usable").count(), 3, "equal rules are checked once: {}", answer.out);

    let config = folder.write("c.yaml", text("broken.conf"));
    let answer = palisade(&["check", "--config", &config]);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("broken.conf:1:1"), "{}", answer.err);
    assert!(answer.out.contains("profile other: the rules are not usable"), "{}", answer.out);

    let config = folder.write("c.yaml", "services: 1\nzzz: 2\n");
    let answer = palisade(&["check", "--config", &config]);
    assert_eq!(answer.code, 1);
    assert!(answer.out.contains("is not usable: 2 errors"), "{}", answer.out);
    assert!(answer.err.contains("c.yaml:1:11") && answer.err.contains("c.yaml:2:1"), "{}", answer.err);

    let warned =
        "services: [{name: s, upstream: {url: \"http://127.0.0.1:1\"}}]\nroutes: [{service: s, path: /x}]\n";
    let config = folder.write("c.yaml", warned);
    assert_eq!(palisade(&["check", "--config", &config]).code, 0);
    let strict = palisade(&["check", "--strict", "--config", &config]);
    assert_eq!(strict.code, 1);
    assert!(strict.err.contains("no route for `/`"), "{}", strict.err);
    assert_eq!(palisade(&["check", "--config", "/nowhere.yaml"]).code, 2);
}

#[test]
fn the_example_runs_as_it_is() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/palisade.yaml");
    let answer = palisade(&["check", "--strict", "--config", example]);
    assert_eq!(answer.code, 0, "{} {}", answer.out, answer.err);
    let folder = Folder::new();
    let data = folder.at("data");
    let mut proxy =
        run(example, &["--listen", "127.0.0.1:0", "--admin", "off", "--data-dir", &data, "--mode", "block"]);
    let web = proxy.listener("web");
    assert_eq!(ask(web, "shop.example.com", "/healthz").status, 200);
    assert_eq!(ask(web, "shop.example.com", "/cms/x").status, 502, "nobody is behind it");
    assert_eq!(proxy.end(), 0);
}
