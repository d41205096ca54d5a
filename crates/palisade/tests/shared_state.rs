//! Several data planes that share a Redis: what one learns all know, and nothing stops where it goes away.

mod pki;
mod redis;
mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pki::Pki;
use redis::Redis;
use serde_json::{Value, json};
use support::{Folder, Running, UNION_ATTACK, Upstream, command, eventually, get, send};

/// One of several data planes.
struct DataPlane {
    proxy: Running,
    address: SocketAddr,
    admin: SocketAddr,
}

impl DataPlane {
    /// One that has a folder of its own, and the rest of its configuration from the test.
    fn start(folder: &Folder, upstream: &Upstream, name: &str, rest: &str) -> Self {
        let text = format!(
            "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}}}\n\
             listeners: [{{name: web, address: \"127.0.0.1:0\", clientAddress: {{from: x-forwarded-for, trusted: [127.0.0.0/8]}}}}]\n\
             services: [{{name: web, upstream: {{url: \"{}\"}}, rateLimits: [{}]}}]\n{rest}\n",
            folder.at(name),
            folder.at(&format!("{name}.log")),
            upstream.url,
            if rest.contains("rateLimits:") { "all" } else { "" },
        );
        let file = folder.write(&format!("{name}.yaml"), text);
        let mut proxy = Running::start(command(&["run", "--config", &file]));
        let (address, admin) = (proxy.address(), proxy.admin());
        Self { proxy, address, admin }
    }

    fn status(&self, client: &str, target: &str) -> u16 {
        get(self.address, target, &format!("X-Forwarded-For: {client}\r\n")).status
    }

    fn api(&self, method: &str, path: &str, body: &str) -> Value {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.admin,
            body.len()
        );
        let response = send(self.admin, request.as_bytes());
        assert_eq!(response.status, 200, "{method} {path}: {}", response.body);
        serde_json::from_str(&response.body).unwrap_or(Value::Null)
    }

    /// Ids of a list.
    fn ids(&self, list: &str) -> Vec<String> {
        let page = self.api("GET", &format!("/api/v1/lists/{list}?limit=1000"), "");
        let mut ids: Vec<String> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    }

    fn metrics(&self) -> String {
        send(self.admin, format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", self.admin).as_bytes()).body
    }

    fn metric(&self, name: &str) -> f64 {
        let page = self.metrics();
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name}"))
    }

    /// Until Redis is there, or is not.
    fn until_up(&self, up: bool) {
        let value = f64::from(u8::from(up));
        eventually("the Redis to be seen", || (self.metric("palisade_shared_up") == value).then_some(()));
    }
}

fn shared(redis: &Redis<'_>) -> String {
    format!("sharedState: {{redis: {{url: \"{}\"}}}}", redis.url())
}

/// Until all have the same lists.
fn until_same(planes: &[DataPlane], list: &str, ids: &[&str]) {
    for plane in planes {
        eventually(&format!("{list}: {ids:?}"), || (plane.ids(list) == ids).then_some(()));
    }
}

#[test]
fn a_source_that_misbehaves_on_one_is_gray_on_all_and_nothing_stops_while_redis_is_away() {
    if !redis::is_here() {
        return;
    }
    for keeps in ["yes", "no"] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let redis = Redis::start(&folder, &["--appendonly", keeps, "--appendfsync", "always"]);
        let rest = format!("{}\nprofiles: {{default: {{mode: safe_blocking}}}}", shared(&redis));
        let start = |name: &str| DataPlane::start(&folder, &upstream, name, &rest);
        let planes = [start("a"), start("b"), start("c")];
        planes.iter().for_each(|plane| plane.until_up(true));
        let [a, b, c] = &planes;

        // Gray: earned on one, known on all.
        assert_eq!([b.status("192.0.2.1", UNION_ATTACK), c.status("192.0.2.1", UNION_ATTACK)], [200, 200]);
        for number in 0..4 {
            a.status("192.0.2.1", &format!("/?id=1%20UNION%20SELECT%20{number},name%20FROM%20users--"));
        }
        eventually("the source on the first", || (a.ids("gray") == ["gray:192.0.2.1"]).then_some(()));
        until_same(&planes, "gray", &["gray:192.0.2.1"]);
        assert_eq!([b.status("192.0.2.1", UNION_ATTACK), c.status("192.0.2.1", UNION_ATTACK)], [403, 403]);
        assert_eq!([b.status("192.0.2.1", "/"), c.status("192.0.2.2", UNION_ATTACK)], [200, 200]);
        let earned = &b.api("GET", "/api/v1/lists/gray", "")["items"][0];
        assert_eq!([&earned["origin"], &earned["address"]], ["automatic", "192.0.2.1"]);
        assert!(earned["reason"].as_str().unwrap().contains("different malicious payloads"), "{earned}");

        // By hand on one, taken away on another.
        let entry =
            r#"[{"address": "192.0.2.8", "reason": "by hand", "expires": "1h"}, {"address": "192.0.2.9"}]"#;
        b.api("POST", "/api/v1/lists/deny?by=alice", entry);
        until_same(&planes, "deny", &["deny:192.0.2.8", "deny:192.0.2.9"]);
        assert_eq!([a.status("192.0.2.8", "/"), c.status("192.0.2.8", "/")], [403, 403]);
        c.api("DELETE", "/api/v1/lists/deny?id=deny:192.0.2.9&by=bob", "");
        until_same(&planes, "deny", &["deny:192.0.2.8"]);
        let changes = a.api("GET", "/api/v1/lists/changes?limit=1", "");
        assert_eq!(
            (&changes["items"][0]["what"], &changes["items"][0]["by"]),
            (&json!("removed"), &json!("bob (api, 127.0.0.1)"))
        );

        // Away: traffic goes on by what each knows, and what each is told acts there.
        redis.stop();
        planes.iter().for_each(|plane| plane.until_up(false));
        for plane in &planes {
            plane.proxy.wait_err("is away");
            assert_eq!([plane.status("192.0.2.2", "/"), plane.status("192.0.2.8", "/")], [200, 403]);
            assert_eq!(plane.status("192.0.2.1", UNION_ATTACK), 403);
        }
        a.api("POST", "/api/v1/lists/deny", r#"{"address": "192.0.2.7"}"#);
        c.api("DELETE", "/api/v1/lists/gray?id=gray:192.0.2.1", "");
        assert_eq!([a.status("192.0.2.7", "/"), b.status("192.0.2.7", "/")], [403, 200]);

        // Back, with what it knew or without: all are of one mind, and so is one that comes new.
        if keeps == "no" {
            let _ = std::fs::remove_dir_all(folder.at("appendonlydir"));
        }
        redis.start_again();
        until_same(&planes, "deny", &["deny:192.0.2.7", "deny:192.0.2.8"]);
        until_same(&planes, "gray", &[]);
        assert_eq!([b.status("192.0.2.7", "/"), c.status("192.0.2.7", "/")], [403, 403]);
        assert_eq!(a.status("192.0.2.1", UNION_ATTACK), 200);
        for plane in &planes {
            plane.proxy.wait_err("is back");
            assert_eq!(plane.proxy.err().matches("is away").count(), 1, "{}", plane.proxy.err());
            assert_eq!(plane.metric("palisade_shared_losses_total"), 1.0);
        }
        let new = [start("d")];
        until_same(&new, "deny", &["deny:192.0.2.7", "deny:192.0.2.8"]);

        // One that was down meanwhile hears what was taken away, and does not bring it back.
        let [mut a, b, c] = planes;
        assert_eq!(a.proxy.end(), 0);
        b.api("DELETE", "/api/v1/lists/deny?id=deny:192.0.2.7", "");
        until_same(&[c], "deny", &["deny:192.0.2.8"]);
        let a = [start("a")];
        until_same(&a, "deny", &["deny:192.0.2.8"]);
        until_same(&new, "deny", &["deny:192.0.2.8"]);
        assert_eq!(b.ids("deny"), ["deny:192.0.2.8"]);
    }
}

const MODE: &str = "/api/v1/services/web/mode";

/// Until this mode is in force on all.
fn until_mode(planes: &[DataPlane], mode: &str) {
    for plane in planes {
        let in_force = || plane.api("GET", "/api/v1/status", "")["services"][0]["mode"] == mode;
        eventually(&format!("mode {mode}"), || in_force().then_some(()));
    }
}

#[test]
fn a_mode_that_is_set_on_one_is_in_force_on_all_and_the_last_word_counts_when_redis_is_back() {
    if !redis::is_here() {
        return;
    }
    for keeps in ["yes", "no"] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let redis = Redis::start(&folder, &["--appendonly", keeps, "--appendfsync", "always"]);
        let rest = format!("{}\nprofiles: {{default: {{mode: monitoring}}}}", shared(&redis));
        let start = |name: &str| DataPlane::start(&folder, &upstream, name, &rest);
        let planes = [start("a"), start("b"), start("c")];
        planes.iter().for_each(|plane| plane.until_up(true));
        let [a, b, c] = &planes;
        let attacked = || planes.each_ref().map(|plane| plane.status("192.0.2.1", UNION_ATTACK));
        assert_eq!(attacked(), [200; 3]);

        // Set on one, given back on another.
        a.api("PUT", MODE, r#"{"mode": "block", "by": "alice", "reason": "an incident"}"#);
        until_mode(&planes, "block");
        assert_eq!(attacked(), [403; 3]);
        b.proxy.wait_err("mode of service web set to block by alice (api, 127.0.0.1), on another process");
        let change = &c.api("GET", MODE, "")["changes"][0];
        assert_eq!(
            [&change["by"], &change["reason"], &change["set"]],
            ["alice (api, 127.0.0.1)", "an incident", "block"],
            "{change}"
        );
        c.api("DELETE", &format!("{MODE}?by=bob"), "");
        until_mode(&planes, "monitoring");
        assert_eq!(attacked(), [200; 3]);

        // Away: what each is told acts there, and nowhere else.
        redis.stop();
        planes.iter().for_each(|plane| plane.until_up(false));
        a.api("PUT", MODE, r#"{"mode": "off"}"#);
        c.api("PUT", MODE, r#"{"mode": "block"}"#);
        assert_eq!(attacked(), [200, 200, 403]);

        // Back, with what it knew or without: the last word counts, and one that comes new hears it.
        if keeps == "no" {
            let _ = std::fs::remove_dir_all(folder.at("appendonlydir"));
        }
        redis.start_again();
        until_mode(&planes, "block");
        assert_eq!(attacked(), [403; 3]);
        until_mode(&[start("d")], "block");

        // One that was down meanwhile does not bring back what it knew.
        let [mut a, b, c] = planes;
        assert_eq!(a.proxy.end(), 0);
        b.api("DELETE", MODE, "");
        until_mode(&[c], "monitoring");
        until_mode(&[start("a")], "monitoring");
        until_mode(&[b], "monitoring");
    }
}

/// Fails when something takes a second or more each of three times: a busy machine makes one late, not all.
fn within_a_second(what: &str, mut took: impl FnMut(usize) -> Duration) {
    let took: Vec<Duration> = (1..=3).map(&mut took).collect();
    println!("{what}: {took:?}");
    assert!(took.iter().any(|took| *took < Duration::from_secs(1)), "{what}: {took:?}");
}

#[test]
fn what_is_learnt_or_set_on_one_acts_on_all_within_a_second() {
    if !redis::is_here() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let redis = Redis::start(&folder, &[]);
    let rest = format!("{}\nprofiles: {{default: {{mode: safe_blocking}}}}", shared(&redis));
    let planes = ["a", "b", "c"].map(|name| DataPlane::start(&folder, &upstream, name, &rest));
    planes.iter().for_each(|plane| plane.until_up(true));
    let until_all = |client: &str, target: &str, status: u16| {
        for plane in &planes {
            let answers = || (plane.status(client, target) == status).then_some(());
            eventually(&format!("{status} for {client}"), answers);
        }
    };
    let attack = |number| format!("/?id=1%20UNION%20SELECT%20{number},name%20FROM%20users--");

    // From the fourth payload's answer, by which nobody knows of it yet, to the attack's refusal everywhere.
    within_a_second("gray on all", |number| {
        let client = format!("192.0.2.{number}");
        for payload in 0..4 {
            assert_eq!(planes[0].status(&client, &attack(payload)), 200);
        }
        let earned = Instant::now();
        until_all(&client, UNION_ATTACK, 403);
        earned.elapsed()
    });
    within_a_second("denied on all", |number| {
        let client = format!("192.0.2.1{number}");
        let told = Instant::now();
        planes[1].api("POST", "/api/v1/lists/deny", &json!({ "address": client }).to_string());
        until_all(&client, "/", 403);
        told.elapsed()
    });
    within_a_second("a mode on all", |number| {
        let (mode, status) = if number % 2 == 1 { ("block", 403) } else { ("monitoring", 200) };
        let said = Instant::now();
        planes[2].api("PUT", MODE, &json!({ "mode": mode }).to_string());
        until_all("192.0.2.200", UNION_ATTACK, status);
        said.elapsed()
    });
}

#[test]
fn requests_count_towards_a_limit_on_whichever_data_plane_they_come() {
    if !redis::is_here() {
        return;
    }
    for by in ["by: sliding-window", "by: leaky-bucket, burst: 9"] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let redis = Redis::start(&folder, &[]);
        let rest = format!(
            "{}\nrateLimits: [{{name: all, key: [address], requests: 10, per: 10h, {by}}}]\nprofiles: {{default: {{mode: \"off\"}}}}",
            shared(&redis)
        );
        let planes = ["a", "b"].map(|name| DataPlane::start(&folder, &upstream, name, &rest));
        planes.iter().for_each(|plane| plane.until_up(true));
        let [a, b] = &planes;
        let told = |plane: &DataPlane, requests: f64| {
            let name = "palisade_shared_rate_requests_total";
            eventually("the counts are told", || (plane.metric(name) >= requests).then_some(()));
        };
        for _ in 0..6 {
            assert_eq!(a.status("192.0.2.1", "/"), 200);
        }
        told(a, 6.0);
        assert_eq!(b.status("192.0.2.1", "/"), 200);
        told(b, 1.0);
        // Seven of ten: the three that are left are left on both.
        let mut passed = 0;
        eventually("the end of the limit", || {
            let status = b.status("192.0.2.1", "/");
            passed += usize::from(status == 200);
            (status == 429).then_some(())
        });
        assert!(passed <= 4, "{by}: {passed} more passed");
        told(b, f64::from(1 + passed as u32));
        eventually("the limit on the other", || (a.status("192.0.2.1", "/") == 429).then_some(()));
        assert_eq!([a.status("192.0.2.2", "/"), b.status("192.0.2.2", "/")], [200, 200]);

        // Each counts for itself while Redis is away, and what was counted is not forgotten when it comes back empty.
        redis.stop();
        planes.iter().for_each(|plane| plane.until_up(false));
        assert_eq!([a.status("192.0.2.1", "/"), b.status("192.0.2.1", "/")], [429, 429]);
        assert_eq!([a.status("192.0.2.3", "/"), b.status("192.0.2.3", "/")], [200, 200]);
        redis.start_again();
        planes.iter().for_each(|plane| plane.until_up(true));
        assert_eq!([a.status("192.0.2.1", "/"), b.status("192.0.2.1", "/")], [429, 429]);
        let keys = redis.ask(&["KEYS", "*"]);
        assert!(!keys.contains("192.0.2"), "who asks stays here: {keys}");
    }
}

#[test]
fn collections_of_rules_are_the_same_on_all_and_every_addition_counts() {
    if !redis::is_here() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let redis = Redis::start(&folder, &[]);
    folder.write(
        "rules.conf",
        "SecRuleEngine On\nSecCollectionTimeout 600\n\
         SecAction \"id:1,phase:1,nolog,pass,initcol:ip=%{REMOTE_ADDR},initcol:global=all\"\n\
         SecRule REQUEST_FILENAME \"@streq /forget\" \"id:2,phase:1,nolog,pass,setvar:!ip.n\"\n\
         SecRule REQUEST_FILENAME \"@streq /count\" \"id:3,phase:1,nolog,pass,setvar:ip.n=+1,setvar:global.n=+1,expirevar:ip.n=500\"\n\
         SecRule REQUEST_FILENAME \"@streq /name\" \"id:4,phase:1,nolog,pass,setvar:ip.who=%{ARGS.who}\"\n\
         SecRule IP:n \"@gt 3\" \"id:5,phase:1,deny,status:403\"\n\
         SecRule IP:who \"@streq eve\" \"id:6,phase:1,deny,status:418\"\n",
    );
    // Patience in place of speed: what is asserted is what is known, not when.
    let rest = format!(
        "sharedState: {{redis: {{url: \"{}\", lookup: 30s, timeout: 30s, fresh: 1ms}}}}\n\
         profiles: {{default: {{mode: block, detect: {{enabled: false}}, rules: {{files: [{}]}}}}}}",
        redis.url(),
        folder.at("rules.conf")
    );
    let planes = ["a", "b"].map(|name| DataPlane::start(&folder, &upstream, name, &rest));
    planes.iter().for_each(|plane| plane.until_up(true));
    let [a, b] = &planes;
    let told = |plane: &DataPlane, more: f64, ask: &dyn Fn() -> u16, status: u16| {
        let name = "palisade_shared_operations_total";
        let before = plane.metric(name);
        assert_eq!(ask(), status);
        eventually("the operations are told", || (plane.metric(name) >= before + more).then_some(()));
    };
    let count =
        |plane: &DataPlane, status: u16| told(plane, 3.0, &|| plane.status("192.0.2.1", "/count"), status);
    count(a, 200);
    count(b, 200);
    count(a, 200);
    assert_eq!(b.status("192.0.2.1", "/"), 200, "three");
    count(b, 403);
    assert_eq!([a.status("192.0.2.1", "/"), a.status("192.0.2.2", "/")], [403, 200], "four");
    told(a, 1.0, &|| a.status("192.0.2.1", "/forget"), 200);
    assert_eq!(b.status("192.0.2.1", "/"), 200);
    told(b, 1.0, &|| b.status("192.0.2.1", "/name?who=eve"), 418);
    assert_eq!([a.status("192.0.2.1", "/"), a.status("192.0.2.2", "/")], [418, 200]);

    // At the same time from both.
    std::thread::scope(|scope| {
        for plane in &planes {
            for client in 0..4 {
                scope.spawn(move || {
                    for _ in 0..25 {
                        plane.status(&format!("198.51.100.{client}"), "/count");
                    }
                });
            }
        }
    });
    let global = redis.ask(&["KEYS", "palisade:collection:global:*"]);
    let value = || redis.ask(&["HGET", &global, "vn"]);
    eventually("every addition", || (value() == "204").then_some(()));

    // Away: each goes on with what it knows. Back, and forgetful: what was done meanwhile is told.
    redis.stop();
    planes.iter().for_each(|plane| plane.until_up(false));
    assert_eq!([a.status("192.0.2.1", "/"), b.status("192.0.2.3", "/count")], [418, 200]);
    redis.start_again();
    eventually("what was done meanwhile", || (value() == "1").then_some(()));
}

#[test]
fn redis_is_reached_by_tls_and_a_user_of_its_own_and_traffic_goes_on_where_that_fails() {
    if !redis::is_here() || !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.authority("other");
    pki.server("ca", "redis", &["redis.test"]);
    pki.issue("ca", "plane", "/CN=plane", "", 30);
    let acl = "user palisade on >s3cret ~palisade:* resetchannels -@all +@connection +@read +@write +@scripting -@dangerous +time\nuser default on nopass ~* &* +@all\n";
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redis = Redis::start(
        &folder,
        &[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            "redis.crt",
            "--tls-key-file",
            "redis.key",
            "--tls-ca-cert-file",
            "ca.crt",
            "--tls-auth-clients",
            "yes",
            "--aclfile",
            &folder.write("users.acl", acl),
        ],
    );
    folder.write("password", "s3cret\n");
    let config = |ca: &str, password: &str| {
        format!(
            "sharedState: {{redis: {{url: \"rediss://localhost:{port}\", username: palisade, passwordFile: {}, timeout: 30s, \
             tls: {{ca: {}, serverName: redis.test, clientCert: {{cert: {}, key: {}}}}}}}}}",
            folder.at(password),
            folder.at(ca),
            folder.at("plane.crt"),
            folder.at("plane.key")
        )
    };
    let planes =
        ["a", "b"].map(|name| DataPlane::start(&folder, &upstream, name, &config("ca.crt", "password")));
    planes.iter().for_each(|plane| plane.until_up(true));
    planes[0].api("POST", "/api/v1/lists/deny", r#"{"address": "192.0.2.7"}"#);
    until_same(&planes, "deny", &["deny:192.0.2.7"]);
    assert_eq!(redis.ask(&["ACL", "LOG"]), "", "its rights are enough");

    folder.write("wrong", "secret");
    for (name, ca, password, why) in
        [("c", "other.crt", "password", "certificate"), ("d", "ca.crt", "wrong", "authentication failed")]
    {
        let plane = DataPlane::start(&folder, &upstream, name, &config(ca, password));
        plane.proxy.wait_err("is away");
        let err = plane.proxy.err();
        assert!(err.contains(why) && !err.contains("s3cret"), "{err}");
        assert_eq!(plane.status("192.0.2.7", "/"), 200);
        assert_eq!(plane.metric("palisade_shared_up"), 0.0);
    }
    redis.stop();
}

#[test]
fn what_somebody_else_wrote_there_harms_nobody() {
    if !redis::is_here() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let redis = Redis::start(&folder, &[]);
    folder.write(
        "rules.conf",
        "SecRuleEngine On\nSecAction \"id:1,phase:1,nolog,pass,initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+1\"\n",
    );
    let rest = format!(
        "{}\nrateLimits: [{{name: all, key: [address], requests: 1000, per: 1h}}]\n\
         profiles: {{default: {{rules: {{files: [{}]}}}}}}",
        shared(&redis),
        folder.at("rules.conf")
    );
    let planes = ["a", "b"].map(|name| DataPlane::start(&folder, &upstream, name, &rest));
    planes.iter().for_each(|plane| plane.until_up(true));
    let [a, b] = &planes;
    assert_eq!(a.status("192.0.2.1", "/"), 200);
    let key_of =
        |kind: &str| eventually("a key", || Some(redis.ask(&["KEYS", kind])).filter(|key| !key.is_empty()));
    let (collection, rate) = (key_of("palisade:collection:ip:*"), key_of("palisade:rate:*"));
    let far = "9999999999999998 p 0000000000000000 {}";
    for (id, record) in [("nonsense", "nonsense"), ("deny:192.0.2.3", far), ("deny:192.0.2.4", "")] {
        redis.ask(&["HSET", "palisade:lists:entries", id, record]);
        let serial = redis.ask(&["INCR", "palisade:lists:serial"]);
        redis.ask(&["ZADD", "palisade:lists:changes", &serial, id]);
    }
    let large = "x".repeat(100_000);
    redis.ask(&["HSET", "palisade:lists:entries", "deny:192.0.2.5", &large]);
    let serial = redis.ask(&["INCR", "palisade:lists:serial"]);
    redis.ask(&["ZADD", "palisade:lists:changes", &serial, "deny:192.0.2.5"]);
    for score in ["9e300", "inf", "0.5"] {
        redis.ask(&["ZADD", "palisade:lists:changes", score, &format!("deny:AS{}", score.len())]);
    }
    redis.ask(&["DEL", "palisade:lists:serial"]);
    for key in [&collection, &rate] {
        redis.ask(&["DEL", key]);
        redis.ask(&["SADD", key, "nonsense"]);
    }
    for (service, word) in [("web", "9999999999999998\noff\neve\n"), ("web2", "off"), ("web3", &large)] {
        redis.ask(&["HSET", "palisade:modes", service, word]);
    }
    redis.ask(&["SET", "palisade:modes:serial", "nonsense"]);
    eventually("all of it is seen", || (b.metric("palisade_shared_unreadable_total") >= 3.0).then_some(()));
    for plane in &planes {
        for _ in 0..20 {
            assert_eq!(plane.status("192.0.2.1", "/"), 200);
        }
        assert_eq!(plane.ids("deny"), [] as [&str; 0]);
    }
    // What is ours takes its place.
    redis.ask(&["DEL", "palisade:modes", "palisade:modes:serial"]);
    redis.ask(&["SADD", "palisade:modes", "nonsense"]);
    redis.ask(&["SADD", "palisade:modes:serial", "nonsense"]);
    a.api("PUT", MODE, r#"{"mode": "safe_blocking"}"#);
    until_mode(&planes, "safe_blocking");
    a.api("POST", "/api/v1/lists/deny", r#"[{"address": "192.0.2.3"}, {"address": "192.0.2.5"}]"#);
    until_same(&planes, "deny", &["deny:192.0.2.3", "deny:192.0.2.5"]);
    for (key, kind) in [(&collection, "hash"), (&rate, "string")] {
        eventually("the keys are ours again", || {
            a.status("192.0.2.1", "/");
            (redis.ask(&["TYPE", key]) == kind).then_some(())
        });
    }
    for plane in &planes {
        assert_eq!(plane.metric("palisade_shared_up"), 1.0, "{}", plane.proxy.err());
    }
    let page = include_str!("../../../docs/reference/metrics.md");
    let described = |row: &str| page.lines().any(|line| line == row);
    for line in a.metrics().lines() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|line| line.split_once(' ')) else {
            continue;
        };
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let row = format!("| `{name}` | {kind} | {help} |");
        assert!(!name.starts_with("palisade_shared") || described(&row), "metrics.md lacks {row}");
    }
}
