use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::sinks::tests::{Folder, NOON, Reply, Request, Server, document, http, listening, wait_until};
use crate::sinks::{BacklogLimits, Outlet, Secrets};

/// What the server has: documents by index and id, and how often each was sent.
#[derive(Default)]
struct Stored {
    documents: BTreeMap<(String, String), Value>,
    sent: BTreeMap<String, usize>,
}

/// Answers as the documented bulk API does, `judge` aside, which may say what becomes of an item.
fn bulk(
    stored: &Mutex<Stored>,
    request: &Request,
    judge: &mut dyn FnMut(&str) -> Option<(u16, &'static str)>,
) -> Reply {
    let mut stored = stored.lock().unwrap();
    assert!(request.body.ends_with('\n'), "the last line ends as well");
    let lines: Vec<&str> = request.body.lines().collect();
    let mut items = Vec::new();
    for pair in lines.chunks(2) {
        let action: Value = serde_json::from_str(pair[0]).unwrap();
        let document: Value = serde_json::from_str(pair[1]).unwrap();
        let text = |key: &str| action["create"][key].as_str().unwrap().to_owned();
        let (index, id) = (text("_index"), text("_id"));
        *stored.sent.entry(id.clone()).or_default() += 1;
        let item = match judge(&id) {
            Some((status, kind)) => {
                json!({"create": {"status": status, "error": {"type": kind, "reason": "because"}}})
            }
            None if stored.documents.contains_key(&(index.clone(), id.clone())) => {
                let error =
                    json!({"type": "version_conflict_engine_exception", "reason": "document already exists"});
                json!({"create": {"status": 409, "error": error}})
            }
            None => {
                stored.documents.insert((index, id), document);
                json!({"create": {"status": 201, "result": "created"}})
            }
        };
        items.push(item);
    }
    let errors = items.iter().any(|item| item["create"]["error"].is_object());
    Reply::Answer(200, json!({"took": 1, "errors": errors, "items": items}).to_string())
}

fn setting(url: &str) -> ElasticSetting {
    ElasticSetting {
        http: http(url),
        waf_index: "tigera_secure_ee_waf".to_owned(),
        l7_index: "tigera_secure_ee_l7".to_owned(),
        events_index: "tigera_secure_ee_events".to_owned(),
        cluster: "east".to_owned(),
        templates: false,
        gzip: true,
    }
}

fn transport(setting: &ElasticSetting, say: &Say) -> Elastic {
    Elastic::new(setting, &Secrets::default(), "es", say).unwrap()
}

#[test]
fn records_lie_in_the_index_of_their_kind_and_day() {
    let stored = Arc::new(Mutex::new(Stored::default()));
    let there = stored.clone();
    let server = Server::start(move |request| bulk(&there, request, &mut |_| None));
    let mut elastic = transport(&setting(&server.url), &Say::nothing());
    let day = 86_400_000;
    let documents = [
        Document::new(Kind::Waf, 1, NOON, "{\"a\":1}"),
        Document::new(Kind::L7, 2, NOON + day / 2 - 1, "{}"),
        Document::new(Kind::Alerts, 3, NOON + day / 2, "{}"),
    ];
    assert_eq!(elastic.deliver(&documents), Delivered::default());
    // Sent twice, stored once.
    assert_eq!(elastic.deliver(&documents), Delivered::default());
    let indices: Vec<String> =
        stored.lock().unwrap().documents.keys().map(|(index, _)| index.clone()).collect();
    assert_eq!(
        indices,
        [
            "tigera_secure_ee_events.east.20261123",
            "tigera_secure_ee_l7.east.20261122",
            "tigera_secure_ee_waf.east.20261122"
        ]
    );
    let request = server.requests("POST").remove(0);
    assert_eq!((&*request.path, &*request.headers["content-type"]), ("/_bulk", "application/x-ndjson"));
    assert_eq!(request.headers["content-encoding"], "gzip");
}

#[test]
fn each_items_answer_is_judged_by_itself() {
    let stored = Arc::new(Mutex::new(Stored::default()));
    let there = stored.clone();
    let mut busy = 2;
    let server = Server::start(move |request| {
        bulk(&there, request, &mut |id| match id.ends_with('2') {
            true => Some((400, "mapper_parsing_exception")),
            false if id.ends_with('3') && busy > 0 => {
                busy -= 1;
                Some((429, "es_rejected_execution_exception"))
            }
            false => None,
        })
    });
    let folder = Folder::new("items");
    let (say, said) = listening();
    let elastic = Box::new(transport(&setting(&server.url), &say));
    let outlet = Outlet::start("es", &folder.0, BacklogLimits::default(), elastic, say).unwrap();
    outlet.push((1..=4).map(document).collect());
    wait_until("three are there", || outlet.counts().delivered == 3);
    let counts = outlet.counts();
    assert_eq!((counts.refused, counts.dropped), (1, 0));
    let stored = stored.lock().unwrap();
    let sent: Vec<usize> = stored.sent.values().copied().collect();
    assert_eq!(sent, [1, 1, 3, 1], "only what was refused for now is sent again");
    assert_eq!(stored.documents.len(), 3);
    let said = said.lock().unwrap().join("\n");
    assert!(said.contains("1 wait to be sent again, 1 refused and dropped"), "{said}");
    assert!(
        said.contains("es_rejected_execution_exception: because") && said.contains("delivers again"),
        "{said}"
    );
    assert!(outlet.end_within(Duration::from_secs(5)));
}

/// The server does everything that it may, in turn and by chance, for two thousand documents.
#[test]
fn whatever_the_server_does_nothing_is_lost_and_nothing_is_there_twice() {
    let stored = Arc::new(Mutex::new(Stored::default()));
    let there = stored.clone();
    let mut chance = 7_u64;
    let server = Server::start(move |request| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let count = request.body.lines().count() / 2;
        match (chance >> 33) % 9 {
            0 => Reply::Answer(503, "{\"error\":\"unavailable\"}".to_owned()),
            1 => Reply::Later(429, 0),
            2 if count > 1 => Reply::Answer(413, String::new()),
            3 => Reply::Gone,
            4 => {
                // It is stored, and the answer is lost.
                bulk(&there, request, &mut |_| None);
                Reply::Gone
            }
            5 => {
                bulk(&there, request, &mut |_| None);
                Reply::Answer(200, "{\"items\":[]}".to_owned())
            }
            6 => {
                let mut number = 0;
                bulk(&there, request, &mut |_| {
                    number += 1;
                    (number % 3 == 0).then_some((503, "unavailable_shards_exception"))
                })
            }
            _ => bulk(&there, request, &mut |_| None),
        }
    });
    let folder = Folder::new("chance");
    let elastic = Box::new(transport(&setting(&server.url), &Say::nothing()));
    let limits = BacklogLimits {
        segment_bytes_max: 20_000,
        memory_bytes_max: 50_000,
        retry: (Duration::from_millis(1), Duration::from_millis(10)),
        ..BacklogLimits::default()
    };
    let outlet = Outlet::start("es", &folder.0, limits, elastic, Say::nothing()).unwrap();
    for number in 0..200 {
        outlet.push((number * 10..number * 10 + 10).map(document).collect());
    }
    wait_until("all are there", || outlet.counts().delivered == 2000);
    let stored = stored.lock().unwrap();
    assert_eq!(stored.documents.len(), 2000);
    assert_eq!((outlet.counts().refused, outlet.counts().dropped), (0, 0));
    println!("{} sent for 2000", stored.sent.values().sum::<usize>());
    assert!(outlet.end_within(Duration::from_secs(5)));
}

#[test]
fn a_server_that_is_slow_or_gone_has_everything_later() {
    let stored = Arc::new(Mutex::new(Stored::default()));
    let there = stored.clone();
    let mut first = true;
    let server = Server::start(move |request| match std::mem::take(&mut first) {
        true => Reply::Silence(Duration::from_secs(4)),
        false => bulk(&there, request, &mut |_| None),
    });
    let folder = Folder::new("slow");
    let (say, said) = listening();
    let elastic = Box::new(transport(&setting(&server.url), &say));
    let outlet = Outlet::start("es", &folder.0, BacklogLimits::default(), elastic, say).unwrap();
    outlet.push(vec![document(1)]);
    wait_until("it is there", || outlet.counts().delivered == 1);
    assert!(said.lock().unwrap()[0].contains("no answer in time"), "{said:?}");
    assert!(outlet.end_within(Duration::from_secs(5)));

    // Gone, over a restart of ours.
    let address = crate::sinks::tests::closed_port();
    let start = || {
        let elastic = Box::new(transport(&setting(&format!("http://{address}")), &Say::nothing()));
        Outlet::start("es", &folder.0, BacklogLimits::default(), elastic, Say::nothing()).unwrap()
    };
    let outlet = start();
    outlet.push((10..20).map(document).collect());
    wait_until("it lies in a file", || outlet.counts().spilled_bytes > 0);
    assert!(outlet.end_within(Duration::from_secs(5)));
    let there = stored.clone();
    let _server = Server::at(&address, move |request| bulk(&there, request, &mut |_| None));
    let outlet = start();
    wait_until("all are there", || outlet.counts().delivered == 10);
    assert_eq!(stored.lock().unwrap().documents.len(), 11);
    assert!(outlet.end_within(Duration::from_secs(5)));
}

#[test]
fn one_that_is_too_large_or_cannot_be_read_costs_the_others_nothing() {
    let stored = Arc::new(Mutex::new(Stored::default()));
    let there = stored.clone();
    let server = Server::start(move |request| match request.body.contains("\"/3\"") {
        true => Reply::Answer(413, String::new()),
        false => bulk(&there, request, &mut |_| None),
    });
    let mut elastic = transport(&setting(&server.url), &Say::nothing());
    let documents: Vec<Document> = (0..8).map(document).collect();
    let delivered = elastic.deliver(&documents);
    assert_eq!((delivered.refused, delivered.again.len()), (1, 0), "{delivered:?}");
    assert_eq!(stored.lock().unwrap().documents.len(), 7);
}

#[test]
fn templates_are_put_before_the_first_record_in_the_servers_words() {
    for (distribution, flat) in [("elasticsearch", "flattened"), ("opensearch", "flat_object")] {
        let about = json!({"version": {"distribution": distribution}}).to_string();
        let stored = Arc::new(Mutex::new(Stored::default()));
        let server = Server::start(move |request| match &*request.method {
            "GET" => Reply::Answer(200, about.clone()),
            "PUT" => Reply::Answer(200, "{\"acknowledged\":true}".to_owned()),
            _ => bulk(&stored, request, &mut |_| None),
        });
        let setting = ElasticSetting { templates: true, ..setting(&server.url) };
        let mut elastic = transport(&setting, &Say::nothing());
        assert_eq!(elastic.deliver(&[document(1)]), Delivered::default());
        assert_eq!(elastic.deliver(&[document(2)]), Delivered::default());
        let put = server.requests("PUT");
        let names: Vec<&str> = put.iter().map(|request| &*request.path).collect();
        assert_eq!(
            names,
            [
                "/_index_template/tigera_secure_ee_waf.palisade",
                "/_index_template/tigera_secure_ee_l7.palisade",
                "/_index_template/tigera_secure_ee_events.palisade"
            ],
            "once"
        );
        let waf: Value = serde_json::from_str(&put[0].body).unwrap();
        assert_eq!(waf["index_patterns"], json!(["tigera_secure_ee_waf.*"]));
        let fields = &waf["template"]["mappings"]["properties"];
        assert_eq!(fields["@timestamp"]["type"], "date");
        assert_eq!(fields["source"]["properties"]["ip"]["type"], "ip");
        assert_eq!(fields["source"]["properties"]["port_num"]["type"], "long");
        assert_eq!(fields["rule_info"]["type"], "keyword");
        assert_eq!(fields["rules"]["properties"]["id"]["type"], "keyword");
        assert_eq!(fields["rules"]["properties"]["disruptive"]["type"], "boolean");
        assert_eq!(fields["scores"]["type"], flat);
        assert_eq!(waf["template"]["mappings"]["dynamic"], false);
        let events: Value = serde_json::from_str(&put[2].body).unwrap();
        assert_eq!(events["template"]["mappings"]["properties"]["record"]["type"], flat);
    }
}

#[test]
fn templates_that_are_refused_are_said_and_those_that_cannot_be_put_now_wait() {
    let stored = Arc::new(Mutex::new(Stored::default()));
    let there = stored.clone();
    let mut about = VecDeque::from([Reply::Answer(503, String::new())]);
    let server = Server::start(move |request| match &*request.method {
        "GET" => about.pop_front().unwrap_or(Reply::Answer(403, String::new())),
        "PUT" => Reply::Answer(403, "{\"error\":{\"reason\":\"no permissions\"}}".to_owned()),
        _ => bulk(&there, request, &mut |_| None),
    });
    let setting = ElasticSetting { templates: true, ..setting(&server.url) };
    let (say, said) = listening();
    let mut elastic = transport(&setting, &say);
    assert_eq!(elastic.deliver(&[document(1)]).again, [0]);
    assert_eq!(elastic.deliver(&[document(1)]), Delivered::default());
    assert_eq!(stored.lock().unwrap().documents.len(), 1);
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 3);
    assert!(
        said[0].contains("tigera_secure_ee_waf.palisade is refused with 403: no permissions"),
        "{said:?}"
    );
}
