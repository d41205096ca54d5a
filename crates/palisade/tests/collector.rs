//! A console for many data planes, as people run it: what they send is there once, whoever is killed; what is set there
//! counts at all of them; who may not come does not.

mod collected;
mod pki;
mod redis;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use collected::{Stage, ask_admin, change, items, json};
use pki::Pki;
use redis::Redis;
use serde_json::Value;
use support::{Folder, Running, eventually, get};

/// How often each path of an event is in a store, as its API tells.
fn paths(admin: SocketAddr) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = json(admin, &format!("/api/v1/events?kind=waf&limit=1000{cursor}"));
        for event in items(&page) {
            *found.entry(event["path"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[test]
fn an_attack_on_a_data_plane_is_seen_at_the_console_which_knows_its_data_planes() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    let mut console = stage.console("127.0.0.1:0", &[]);
    let at = console.listener("collector");
    let mut plane = stage.plane("web-1.shop", "127.0.0.1:0", at);
    let proxy = plane.listener("web");
    let admin = console.admin();
    eventually("the data plane is there", || {
        let planes = json(admin, "/api/v1/dataplanes");
        let plane = items(&planes).first()?.clone();
        (plane["state"] == "ready").then_some(plane)
    });
    let began = Instant::now();
    assert_eq!(get(proxy, "/evil?n=1", "").status, 403);
    let event = eventually("the attack is seen", || {
        items(&json(admin, "/api/v1/events?dataplane=web-1.shop")).first().cloned()
    });
    // Measured for people; a slow machine may take longer.
    println!("seen after {:?}", began.elapsed());
    assert_eq!(
        (&event["path"], &event["dataplane"]),
        (&Value::from("/evil?n=1"), &Value::from("web-1.shop"))
    );
    assert!(items(&json(admin, "/api/v1/events?dataplane=web-2.shop")).is_empty());
    let id = event["id"].as_str().unwrap();
    assert_eq!(json(admin, &format!("/api/v1/events/{id}"))["rules"][0]["id"], "1");

    // L7 records come as well: the graph has the service.
    get(proxy, "/", "");
    eventually("traffic is seen", || {
        let stats = json(admin, "/api/v1/stats");
        (stats["total"]["requests"].as_u64()? >= 2).then_some(())
    });

    let planes = json(admin, "/api/v1/dataplanes");
    let shown = &items(&planes)[0];
    assert_eq!((shown["name"].as_str(), items(&planes).len()), (Some("web-1.shop"), 1));
    assert_eq!(shown["services"][0]["name"], "shop");
    assert_eq!(shown["rule_sets"][0]["rules"], 1);
    assert_eq!(shown["rule_sets"][0]["digest"].as_str().map(str::len), Some(64));
    assert_eq!(shown["revision"].as_str().map(str::len), Some(64));
    assert_eq!(items(&json(plane.admin(), "/api/v1/dataplanes"))[0]["revision"], shown["revision"]);
    assert_eq!(items(&json(admin, "/api/v1/services"))[0]["mode"], "block");
    assert_eq!(
        (&json(admin, "/api/v1/status")["collects"], &json(plane.admin(), "/api/v1/status")["collects"]),
        (&Value::from(true), &Value::from(false))
    );
    // What only a data plane can do says so.
    for asked in ["/api/v1/rules", "/api/v1/policies", "/api/v1/replays"] {
        let answer = ask_admin(admin, asked);
        assert_eq!(answer.status, 404, "{asked}: {}", answer.body);
        assert!(answer.body.contains("at the data planes"), "{asked}: {}", answer.body);
    }
    let metrics = ask_admin(admin, "/metrics").body;
    assert!(metrics.contains("palisade_collector_dataplanes 1"), "{metrics}");

    assert_eq!(plane.end(), 0);
    eventually("the data plane has gone", || {
        let planes = json(admin, "/api/v1/dataplanes");
        (items(&planes)[0]["state"] == "gone").then_some(())
    });
    assert_eq!(console.end(), 0);
}

#[test]
fn who_may_not_be_called_that_is_turned_away_and_a_token_serves_who_has_no_certificate() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    stage.folder.write("tokens", "\n one-of-two \nother\n");
    stage.folder.write("token", "one-of-two\n");
    stage.folder.write("wrong", "one-of\n");
    let pki = Pki(&stage.folder);
    pki.server("ca", "web-2", &["web-2"]);
    pki.authority("others");
    pki.server("others", "stranger", &["stranger"]);
    let mut console = stage.console("127.0.0.1:0", &["--token-file", &stage.folder.at("tokens")]);
    let at = console.listener("collector");
    let admin = console.admin();
    let by = |file: &str| format!("cert: {0}.crt, key: {0}.key", stage.folder.at(file));
    let token = |file: &str| format!("tokenFile: {}", stage.folder.at(file));
    // A certificate of another name.
    let plane = stage.plane_with("web-1", "127.0.0.1:0", at, &by("web-2"));
    plane.wait_err("its certificate is not for the DNS name `web-1`");
    // One of another authority.
    let stranger = stage.plane_with("stranger", "127.0.0.1:0", at, &by("stranger"));
    stranger.wait_err("events wait on the disk");
    assert!(!stranger.err().contains("is there"), "{}", stranger.err());
    // A token that is none.
    let wrong = stage.plane_with("wrong-token", "127.0.0.1:0", at, &token("wrong"));
    wrong.wait_err("neither a certificate nor a token");
    // One that is.
    let mut good = stage.plane_with("web-3", "127.0.0.1:0", at, &token("token"));
    assert_eq!(get(good.listener("web"), "/evil?n=3", "").status, 403);
    eventually("the event of the one with the token", || {
        items(&json(admin, "/api/v1/events?dataplane=web-3")).first().map(|_| ())
    });
    let planes = json(admin, "/api/v1/dataplanes");
    let names: Vec<_> = items(&planes).iter().filter_map(|plane| plane["name"].as_str()).collect();
    assert_eq!(names, ["web-3"]);
    assert_eq!((good.end(), console.end()), (0, 0));
}

#[test]
fn lists_and_modes_of_the_console_count_at_its_data_planes() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    let mut console = stage.console("127.0.0.1:0", &[]);
    let at = console.listener("collector");
    let admin = console.admin();
    let deny = r#"{"address": "127.0.0.1", "expires": "1h", "reason": "a test"}"#;
    assert_eq!(change(admin, "POST", "/api/v1/lists/deny?by=alice", deny).0, 200);

    let mut one = stage.plane("web-1", "127.0.0.1:0", at);
    let mut two = stage.plane("web-2", "127.0.0.1:0", at);
    let (proxy_one, proxy_two) = (one.listener("web"), two.listener("web"));
    // What was listed before they came, they are told.
    for proxy in [proxy_one, proxy_two] {
        eventually("the entry counts", || (get(proxy, "/", "").status == 403).then_some(()));
    }
    let entries = json(one.admin(), "/api/v1/lists/deny");
    let entry = &items(&entries)[0];
    assert_eq!((&entry["origin"], &entry["reason"]), (&Value::from("console"), &Value::from("a test")));
    assert!(entry["expires"].is_string(), "{entry}");
    // What is taken away is taken away, by those as well who were not there.
    kill(two);
    assert_eq!(change(admin, "DELETE", "/api/v1/lists/deny?address=127.0.0.1", "").0, 200);
    eventually("the entry is gone", || (get(proxy_one, "/", "").status == 200).then_some(()));
    let mut two = stage.plane("web-2", &proxy_two.to_string(), at);
    assert_eq!(two.listener("web"), proxy_two);
    eventually("the entry is gone there", || (get(proxy_two, "/", "").status == 200).then_some(()));

    // A mode for all, then another for one of them.
    for proxy in [proxy_one, proxy_two] {
        assert_eq!(get(proxy, "/evil", "").status, 403);
    }
    eventually("the service is known", || {
        items(&json(admin, "/api/v1/services")).first().filter(|shop| shop["name"] == "shop").map(|_| ())
    });
    let (status, body) =
        change(admin, "PUT", "/api/v1/services/shop/mode?by=alice", r#"{"mode": "monitoring"}"#);
    assert_eq!(status, 200, "{body}");
    for proxy in [proxy_one, proxy_two] {
        eventually("the mode counts", || (get(proxy, "/evil", "").status == 200).then_some(()));
    }
    let at_two = "/api/v1/services/shop/mode?dataplane=web-2";
    assert_eq!(change(admin, "PUT", at_two, r#"{"mode": "block"}"#).0, 200);
    eventually("its own mode counts", || (get(proxy_two, "/evil", "").status == 403).then_some(()));
    assert_eq!(get(proxy_one, "/evil", "").status, 200);
    assert_eq!(
        change(admin, "PUT", "/api/v1/services/shop/mode?dataplane=nobody", r#"{"mode": "off"}"#).0,
        404
    );
    assert!(console.err().contains("audit: "), "{}", console.err());
    // The console is away, and back: what was set counts all the while, and is taken back then.
    kill(console);
    one.wait_err("events wait on the disk");
    assert_eq!((get(proxy_one, "/evil", "").status, get(proxy_two, "/evil", "").status), (200, 403));
    let mut console = stage.console(&at.to_string(), &[]);
    let admin = console.admin();
    eventually("the services are known again", || {
        let planes = json(admin, "/api/v1/dataplanes");
        (items(&planes).iter().filter(|plane| plane["state"] == "ready").count() == 2).then_some(())
    });
    assert_eq!(change(admin, "DELETE", "/api/v1/services/shop/mode", "").0, 200);
    eventually("the file's mode counts", || (get(proxy_one, "/evil", "").status == 403).then_some(()));
    assert_eq!((one.end(), two.end(), console.end()), (0, 0, 0));
}

#[test]
fn a_mode_of_the_console_is_one_change_where_its_data_planes_share_a_redis() {
    if !pki::tools() || !redis::is_here() {
        return;
    }
    let folder = Folder::new();
    let redis = Redis::start(&folder, &[]);
    let mut stage = Stage::new();
    stage.beside = format!("sharedState: {{redis: {{url: \"{}\"}}}}", redis.url());
    let mut console = stage.console("127.0.0.1:0", &[]);
    let (at, admin) = (console.listener("collector"), console.admin());
    let mut planes = ["web-1", "web-2", "web-3"].map(|name| stage.plane(name, "127.0.0.1:0", at));
    eventually("all are there", || {
        let known = json(admin, "/api/v1/dataplanes");
        (items(&known).iter().filter(|plane| plane["state"] == "ready").count() == 3).then_some(())
    });
    let serial = || redis.ask(&["GET", "palisade:modes:serial"]);
    let mode = "/api/v1/services/shop/mode";
    for (number, (method, body, status)) in
        [("PUT", r#"{"mode": "monitoring"}"#, 200), ("DELETE", "", 403)].into_iter().enumerate()
    {
        assert_eq!(change(admin, method, &format!("{mode}?by=alice"), body).0, 200);
        for plane in &mut planes {
            let proxy = plane.listener("web");
            eventually("the mode counts", || (get(proxy, "/evil", "").status == status).then_some(()));
        }
        // Until none of them has anything more to tell the others, and a round after that.
        let mut before = serial();
        eventually("the words to be one", || {
            std::thread::sleep(Duration::from_millis(500));
            let now = serial();
            (std::mem::replace(&mut before, now.clone()) == now).then_some(())
        });
        for plane in &mut planes {
            let changes = json(plane.admin(), mode);
            assert_eq!(changes["changes"].as_array().map(Vec::len), Some(number + 1), "{changes}");
            let lines = plane.err().matches("palisade: mode of service shop").count();
            assert_eq!(lines, number + 1, "{}", plane.err());
        }
    }
}

#[test]
fn exceptions_of_the_console_count_at_its_data_planes_and_it_knows_at_which() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    let mut console = stage.console("127.0.0.1:0", &[]);
    let (at, admin) = (console.listener("collector"), console.admin());
    let mut one = stage.plane("web-1", "127.0.0.1:0", at);
    let mut two = stage.plane("web-2", "127.0.0.1:0", at);
    Pki(&stage.folder).server("ca", "web-3", &["web-3"]);
    let [cert, key] = ["web-3.crt", "web-3.key"].map(|name| stage.folder.at(name));
    let mut three =
        stage.plane_with("web-3", "127.0.0.1:0", at, &format!("cert: {cert}, key: {key}, follow: false"));
    let proxies = [&mut one, &mut two, &mut three].map(|plane| plane.listener("web"));
    let status = |proxy: usize, target: &str| get(proxies[proxy], target, "").status;
    let path = "/api/v1/services/shop/exceptions";
    let states = |admin: SocketAddr| -> Vec<String> {
        let shown = json(admin, path);
        let planes = shown["dataplanes"].as_array().unwrap().iter();
        planes.map(|at| at["state"].as_str().unwrap().to_owned()).collect()
    };
    eventually("the data planes are known", || {
        (items(&json(admin, "/api/v1/dataplanes")).iter().filter(|plane| plane["state"] == "ready").count()
            == 3)
            .then_some(())
    });
    let allow = r#"{"rules": [1], "paths": ["/evil/allowed"], "reason": "a test"}"#;
    assert_eq!(change(admin, "POST", "/api/v1/services/nobody/exceptions", allow).0, 404);
    let (wrong, said) = change(admin, "POST", path, r#"{"rules": ["x"]}"#);
    assert!(wrong == 400 && said.contains("no rule's id"), "{said}");
    let (answer, said) = change(admin, "POST", &format!("{path}?by=alice"), allow);
    assert_eq!(answer, 200, "{said}");
    // It counts there, and nothing else does; one that takes over nothing stays as it was, and that is said.
    for proxy in [0, 1] {
        eventually("it counts", || (status(proxy, "/evil/allowed") == 200).then_some(()));
        assert_eq!(status(proxy, "/evil"), 403);
    }
    eventually("it is known where", || (states(admin) == ["in_force", "in_force", "refused"]).then_some(()));
    assert_eq!(status(2, "/evil/allowed"), 403);
    let shown = json(admin, path);
    assert!(shown["dataplanes"][2]["why"].as_str().unwrap().contains("follow"), "{shown}");
    assert!(items(&shown)[0]["by"].as_str().unwrap().starts_with("alice ("), "{shown}");
    console.wait_err("excepted by alice (api, 127.0.0.1) from");
    console.wait_err(&format!("POST {path}?by=alice: 200"));
    let there = json(one.admin(), path);
    assert_eq!((&items(&there)[0]["of"], &items(&there)[0]["id"]), (&Value::from("console"), &Value::Null));

    // Who is away goes on by what it was told, is known to be away, and does what was said meanwhile when it is back.
    kill(two);
    eventually("it has gone", || {
        let planes = json(admin, "/api/v1/dataplanes");
        items(&planes).iter().any(|plane| plane["state"] == "gone").then_some(())
    });
    let id = items(&shown)[0]["id"].as_u64().unwrap();
    assert_eq!(change(admin, "DELETE", &format!("{path}/{id}"), "").0, 200);
    eventually("it is taken back", || (status(0, "/evil/allowed") == 403).then_some(()));
    eventually("it is known where", || (states(admin) == ["in_force", "away", "refused"]).then_some(()));
    let mut two = stage.plane("web-2", &proxies[1].to_string(), at);
    two.listener("web");
    eventually("it is taken back there", || (status(1, "/evil/allowed") == 403).then_some(()));
    eventually("it is known there", || (states(admin) == ["in_force", "in_force", "refused"]).then_some(()));

    // What is set outlives the console, and counts while that is away.
    assert_eq!(change(admin, "POST", path, allow).0, 200);
    eventually("it counts again", || (status(0, "/evil/allowed") == 200).then_some(()));
    kill(console);
    one.wait_err("events wait on the disk");
    assert_eq!(status(0, "/evil/allowed"), 200);
    let mut console = stage.console(&at.to_string(), &[]);
    let admin = console.admin();
    eventually("they are back, and as they were", || {
        (states(admin) == ["in_force", "in_force", "refused"]).then_some(())
    });
    assert_eq!(items(&json(admin, path)).len(), 1);
    assert_eq!((one.end(), two.end(), three.end(), console.end()), (0, 0, 0, 0));
}

#[test]
fn a_fired_alert_is_put_aside_at_the_console_and_stays_so() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    let mut console = stage.console("127.0.0.1:0", &[]);
    let (at, admin) = (console.listener("collector"), console.admin());
    let mut plane = stage.plane("web-1", "127.0.0.1:0", at);
    let alert = "apiVersion: projectcalico.org/v3\nkind: GlobalAlert\nmetadata: {name: evil}\nspec: {summary: evil, description: evil was asked for, severity: 90, dataSet: waf, period: 1m, lookback: 10m, metric: count, condition: gt, threshold: 0}\n";
    let (status, said) = change(admin, "PUT", "/api/v1/alerts/evil", alert);
    assert_eq!(status, 200, "{said}");
    get(plane.listener("web"), "/evil", "");
    // It is asked once a minute.
    let began = Instant::now();
    let fired = loop {
        if let Some(fired) = items(&json(admin, "/api/v1/alerts/fired")).first() {
            break fired["id"].as_str().unwrap().to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(180), "the alert never fires");
        std::thread::sleep(Duration::from_millis(100));
    };
    let body = format!("{{\"ids\": [\"{fired}\"]}}");
    let (status, said) = change(admin, "POST", "/api/v1/alerts/fired/dismissed?by=bob&reason=seen", &body);
    assert!(status == 200 && said.contains("\"changed\":1"), "{said}");
    let left = |admin| items(&json(admin, "/api/v1/alerts/fired?dismissed=no")).len();
    assert_eq!(left(admin), 0);
    assert_eq!(console.end(), 0);
    let mut console = stage.console(&at.to_string(), &[]);
    let admin = console.admin();
    assert_eq!(json(admin, "/api/v1/alerts/fired")["dismissed"][&fired]["reason"], "seen");
    assert_eq!((left(admin), change(admin, "DELETE", "/api/v1/alerts/fired/dismissed", &body).0), (0, 200));
    assert_eq!(left(admin), 1);
    assert_eq!((plane.end(), console.end()), (0, 0));
}

/// Kills somebody at once, and waits until that is so.
fn kill(running: Running) {
    running.signal("KILL");
    let gone = || !std::path::Path::new(&format!("/proc/{}/fd", running.id())).exists();
    eventually("the process is gone", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", running.id())).unwrap_or_default();
        (gone() || stat.contains(") Z ")).then_some(())
    });
}

/// A data plane under traffic: requests that were answered, and when.
struct Traffic {
    stop: Arc<AtomicBool>,
    answered: Arc<Mutex<Vec<(String, Instant)>>>,
    thread: std::thread::JoinHandle<()>,
}

impl Traffic {
    fn start(proxy: SocketAddr, name: &str) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (stopped, noted, name) = (stop.clone(), answered.clone(), name.to_owned());
        let thread = std::thread::spawn(move || {
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let path = format!("/evil?n={name}-{number}");
                if ask(proxy, &path).is_some_and(|answer| answer.starts_with("HTTP/1.1 403")) {
                    noted.lock().unwrap().push((path, Instant::now()));
                }
                std::thread::sleep(Duration::from_millis(4));
            }
        });
        Self { stop, answered, thread }
    }

    fn end(self) -> Vec<(String, Instant)> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        Arc::into_inner(self.answered).unwrap().into_inner().unwrap()
    }
}

/// An answer, where somebody gives one.
fn ask(proxy: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(proxy).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Events of requests that were answered so long before a data plane was killed are in its spool. The bus waits a tenth of
/// a second for others; a machine that is busy writes them later.
const SPOOLED_AFTER: Duration = Duration::from_secs(3);

/// What happens to the console and to one data plane.
#[derive(Clone, Copy)]
enum Step {
    KillConsole,
    StartConsole,
    KillPlane,
    StartPlane,
}

/// Every order in which both can be killed and started again.
const ORDERS: [[Step; 4]; 6] = {
    use Step::{KillConsole, KillPlane, StartConsole, StartPlane};
    [
        [KillConsole, KillPlane, StartPlane, StartConsole],
        [KillConsole, KillPlane, StartConsole, StartPlane],
        [KillPlane, KillConsole, StartConsole, StartPlane],
        [KillPlane, KillConsole, StartPlane, StartConsole],
        [KillConsole, StartConsole, KillPlane, StartPlane],
        [KillPlane, StartPlane, KillConsole, StartConsole],
    ]
};

#[test]
fn no_event_is_lost_or_doubled_whoever_is_killed_under_traffic() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    let mut console = stage.console("127.0.0.1:0", &[]);
    let at = console.listener("collector");
    let mut console = Some(console);
    let names = ["web-1", "web-2", "web-3"];
    let mut planes = names.map(|name| Some(stage.plane(name, "127.0.0.1:0", at)));
    let proxies: Vec<SocketAddr> = planes.iter_mut().flatten().map(|plane| plane.listener("web")).collect();
    let traffic: Vec<Traffic> =
        names.iter().zip(&proxies).map(|(name, proxy)| Traffic::start(*proxy, name)).collect();
    let mut killed: Vec<(usize, Instant)> = Vec::new();
    for (round, order) in ORDERS.iter().enumerate() {
        let plane = round % names.len();
        std::thread::sleep(Duration::from_millis(500));
        // At a moment when something is on its way, most likely: each round at another.
        std::thread::sleep(Duration::from_millis(37 * round as u64));
        for step in order {
            match step {
                Step::KillConsole => console.take().into_iter().for_each(kill),
                Step::KillPlane => {
                    planes[plane].take().into_iter().for_each(kill);
                    // Requests were answered until it was gone.
                    killed.push((plane, Instant::now()));
                }
                Step::StartConsole => {
                    let mut started = stage.console(&at.to_string(), &[]);
                    assert_eq!(started.listener("collector"), at);
                    console = Some(started);
                }
                Step::StartPlane => {
                    let mut started = stage.plane(names[plane], &proxies[plane].to_string(), at);
                    started.listener("web");
                    planes[plane] = Some(started);
                }
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }
    let mut console = console.unwrap();
    // Twice in a row, without a data plane in between, and right after it has come back.
    for _ in 0..3 {
        kill(console);
        console = stage.console(&at.to_string(), &[]);
        console.listener("collector");
        std::thread::sleep(Duration::from_millis(350));
    }
    let answered: Vec<Vec<(String, Instant)>> = traffic.into_iter().map(Traffic::end).collect();
    let must: BTreeSet<String> = answered
        .iter()
        .enumerate()
        .flat_map(|(plane, answered)| {
            let killed = &killed;
            answered.iter().filter(move |(_, when)| {
                let may_be_lost = |(other, at): &&(usize, Instant)| {
                    *other == plane && when < at && at.duration_since(*when) < SPOOLED_AFTER
                };
                !killed.iter().any(|kill| may_be_lost(&kill))
            })
        })
        .map(|(path, _)| path.clone())
        .collect();
    let all: usize = answered.iter().map(Vec::len).sum();
    println!("{all} requests were answered, {} of them long enough before a kill", must.len());
    assert!(must.len() > 100, "{}", must.len());
    let admin = console.admin();
    let mut found = BTreeMap::new();
    let missing = |found: &BTreeMap<String, usize>| -> Vec<String> {
        must.iter().filter(|path| !found.contains_key(*path)).cloned().collect()
    };
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        found = paths(admin);
        if missing(&found).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(missing(&found), Vec::<String>::new());
    let doubled: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    // Those that end by themselves leave nothing behind.
    for plane in planes.iter_mut().flatten() {
        assert_eq!(plane.end(), 0);
    }
    assert_eq!(console.end(), 0);
}

#[test]
fn a_full_spool_drops_the_oldest_within_its_bound_and_an_event_tells_how_many() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    let mut console = stage.console("127.0.0.1:0", &[]);
    let at = console.listener("collector");
    kill(console);
    Pki(&stage.folder).server("ca", "web-1", &["web-1"]);
    let [cert, key] = ["web-1.crt", "web-1.key"].map(|name| stage.folder.at(name));
    let by = format!("cert: {cert}, key: {key}, spill: 1MiB");
    let mut plane = stage.plane_with("web-1", "127.0.0.1:0", at, &by);
    let proxy = plane.listener("web");
    // Several times what there is room for, on the disk and on its way there.
    let padding = "x".repeat(3000);
    let admin_of_plane = plane.admin();
    let dropped = || {
        let planes = json(admin_of_plane, "/api/v1/dataplanes");
        items(&planes)[0]["spool"]["dropped"].as_u64().unwrap()
    };
    let began = Instant::now();
    let mut asked = 0;
    while dropped() == 0 {
        for _ in 0..200 {
            assert_eq!(get(proxy, &format!("/evil?n={asked}&p={padding}"), "").status, 403);
            asked += 1;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "nothing was dropped of {asked}");
    }
    let folder = stage.folder.path().join("web-1/collector");
    let on_disk: u64 =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= (1 << 20) + (64 << 10), "{on_disk} bytes on the disk");
    let last = asked - 1;

    let mut console = stage.console(&at.to_string(), &[]);
    let admin = console.admin();
    let event = eventually("an event tells of it", || {
        items(&json(admin, "/api/v1/events?kind=dropped&limit=1")).first().cloned()
    });
    assert_eq!(event["dropped"]["at"], "collector", "{event}");
    assert!(event["dropped"]["events"].as_u64().unwrap() > 0, "{event}");
    // The latest came, the first did not, and none is there twice.
    let found = eventually("the latest came", || {
        let found = paths(admin);
        found.keys().any(|path| path.starts_with(&format!("/evil?n={last}&"))).then_some(found)
    });
    assert!(!found.keys().any(|path| path.starts_with("/evil?n=0&")), "the oldest go first");
    assert!(found.values().all(|count| *count == 1) && found.len() < asked, "{} of {asked}", found.len());
    // And the console knows of it as well.
    eventually("the inventory tells of it", || {
        (items(&json(admin, "/api/v1/dataplanes")).first()?["spool"]["dropped"].as_u64()? > 0).then_some(())
    });
    assert_eq!((plane.end(), console.end()), (0, 0));
}

#[test]
fn a_console_that_cannot_be_is_said() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    stage.folder.write("console.yaml", "services: [{name: a, upstream: {url: \"http://127.0.0.1:1\"}}]\n");
    stage.folder.write("tokens", "\n");
    for (more, says) in [
        (&["--config", &stage.folder.at("console.yaml")][..], "a console has no services"),
        (&["--token-file", &stage.folder.at("tokens")], "holds no token"),
        (&["--admin", "0.0.0.0:0"], "token"),
    ] {
        let output = stage.command("127.0.0.1:0", more).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {said}");
        assert!(said.contains(says), "{more:?}: {said}");
    }
}
