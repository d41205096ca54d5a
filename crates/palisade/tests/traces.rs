//! Traces of a running proxy, at a scripted collector that answers as OTLP over HTTP says it.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use support::{Folder, Running, Upstream, command, eventually, get, send};

/// A collector: keeps what it is sent, and answers with what it is told to, once each, and 200 after that.
struct Collector {
    url: String,
    answers: Arc<Mutex<Vec<u16>>>,
    told: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Collector {
    fn start(answers: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers.iter().rev().copied().collect::<Vec<u16>>()));
        let told = Arc::default();
        let collector = Self { url, answers, told };
        let (answers, told) = (collector.answers.clone(), collector.told.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, told) = (answers.clone(), told.clone());
                thread::spawn(move || serve(stream, &answers, &told));
            }
        });
        collector
    }

    /// All spans so far.
    fn spans(&self) -> Vec<Value> {
        let told = self.told.lock().unwrap();
        let all = told.iter().flat_map(|(_, body)| body["resourceSpans"].as_array().unwrap().clone());
        let scopes = all.flat_map(|resource| resource["scopeSpans"].as_array().unwrap().clone());
        scopes.flat_map(|scope| scope["spans"].as_array().unwrap().clone()).collect()
    }

    /// The spans of a request, by kind: server, internal, client.
    fn of_request(&self, request_id: &str) -> Vec<Value> {
        let id = json!(request_id);
        let spans = self.spans();
        let Some(server) = spans.iter().find(|span| attribute(span, "palisade.request_id") == id) else {
            return Vec::new();
        };
        let below = spans.iter().filter(|span| span["parentSpanId"] == server["spanId"]);
        let mut own: Vec<Value> = below.cloned().collect();
        own.sort_by_key(|span| span["kind"].as_u64());
        own.insert(0, server.clone());
        own
    }
}

fn serve(mut stream: TcpStream, answers: &Mutex<Vec<u16>>, told: &Mutex<Vec<(String, Value)>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).is_ok_and(|read| read > 0) && line != "\r\n" {
                let lower = line.to_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&lower);
            } else {
                break;
            }
        }
        let mut body = vec![0; length];
        if head.is_empty() || reader.read_exact(&mut body).is_err() {
            return;
        }
        let status = answers.lock().unwrap().pop().unwrap_or(200);
        if status == 200 {
            assert!(
                head.contains("content-type: application/json") && head.contains("content-encoding: gzip")
            );
            let mut text = String::new();
            GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
            told.lock().unwrap().push((head, serde_json::from_str(&text).unwrap()));
        }
        let answer =
            format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn attribute(span: &Value, key: &str) -> Value {
    let attributes = span["attributes"].as_array().into_iter().flatten();
    let mut own = attributes.filter(|attribute| attribute["key"] == key);
    let Some(found) = own.next() else { return Value::Null };
    assert!(own.next().is_none(), "{key} twice in {span:#}");
    let value = &found["value"];
    [&value["stringValue"], &value["intValue"], &value["arrayValue"]["values"]]
        .into_iter()
        .find(|value| !value.is_null())
        .cloned()
        .unwrap_or_default()
}

fn proxy(folder: &Folder, upstream: &str, tracing: &str) -> Running {
    let rules = folder.write(
        "rules.conf",
        "SecRuleEngine On\nSecRule ARGS \"@contains evil\" \"id:1001,phase:1,deny,status:403,log,msg:'Evil'\"\n",
    );
    let config = format!(
        "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}}}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: shop, upstream: {{url: \"{upstream}\"}}}}]\n\
         profiles: {{default: {{mode: block, rules: {{files: [{rules}]}}, detect: {{enabled: false}}}}}}\n\
         events: {{enabled: false}}\ntracing: {{{tracing}}}\n",
        folder.at("data"),
        folder.at("error.log"),
    );
    let file = folder.write("palisade.yaml", config);
    Running::start(command(&["run", "--config", &file]))
}

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn nanos(span: &Value, key: &str) -> u128 {
    span[key].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_request_is_three_spans_in_the_trace_that_it_came_with_and_the_service_goes_on_with_it() {
    let (folder, upstream, collector) = (Folder::new(), Upstream::start(), Collector::start(&[503, 429]));
    folder.write("token", "s3cret\n");
    let tracing =
        format!("otlp: {{url: \"{}\", auth: {{tokenFile: {}}}}}", collector.url, folder.at("token"));
    let mut proxy = proxy(&folder, &upstream.url, &tracing);
    let address = proxy.address();
    let began = Instant::now();
    let parent = format!("traceparent: 00-{ID}-00f067aa0ba902b7-01\r\ntracestate: a=1\r\n");
    let answer = get(address, "/item?id=1&password=hunter2", &parent);
    assert_eq!(answer.status, 200);
    let id = answer.header("x-request-id").unwrap().to_owned();
    let spans = eventually("its spans", || Some(collector.of_request(&id)).filter(|spans| spans.len() == 3));
    let [server, inspection, client] = &spans[..] else { unreachable!() };
    assert_eq!((&server["traceId"], &server["parentSpanId"]), (&json!(ID), &json!("00f067aa0ba902b7")));
    assert_eq!(spans.iter().map(|span| span["kind"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 1, 3]);
    assert!(spans.iter().all(|span| span["traceId"] == ID && span["status"].is_null()), "{spans:#?}");
    for (key, expected) in [
        ("http.request.method", json!("GET")),
        ("http.response.status_code", json!("200")),
        ("url.scheme", json!("http")),
        ("url.path", json!("/item")),
        ("url.query", json!("id=1&password=********")),
        ("client.address", json!("127.0.0.1")),
        ("user_agent.original", json!("Mozilla/5.0")),
        ("network.protocol.version", json!("1.1")),
        ("palisade.service", json!("shop")),
    ] {
        assert_eq!(attribute(server, key), expected, "{key} of {server:#}");
    }
    assert_eq!(attribute(inspection, "palisade.action"), "pass");
    assert_eq!(attribute(client, "http.response.status_code"), "200");
    assert!(upstream.url.ends_with(attribute(client, "server.port").as_str().unwrap()));
    let within = |span: &Value| {
        nanos(server, "startTimeUnixNano") <= nanos(span, "startTimeUnixNano")
            && nanos(span, "startTimeUnixNano") <= nanos(span, "endTimeUnixNano")
            && nanos(span, "endTimeUnixNano") <= nanos(server, "endTimeUnixNano")
    };
    assert!(within(inspection) && within(client), "{spans:#?}");
    // The service has the question to it as its parent, once, and the vendors' notes of the same trace.
    let head = upstream.heads().pop().unwrap().to_lowercase();
    let goes_on = format!("traceparent: 00-{ID}-{}-01\r\n", client["spanId"].as_str().unwrap());
    assert!(head.contains(&goes_on) && head.matches("traceparent").count() == 1, "{head}");
    assert!(head.contains("tracestate: a=1"), "{head}");
    let told = collector.told.lock().unwrap();
    assert!(told[0].0.starts_with("post /v1/traces ") && told[0].0.contains("authorization: bearer s3cret"));
    let resource = json!({"key": "service.name", "value": {"stringValue": "palisade"}});
    assert!(told[0].1["resourceSpans"][0]["resource"]["attributes"].as_array().unwrap().contains(&resource));
    assert!(!format!("{told:?}").contains("hunter2"));
    drop(told);
    assert!(began.elapsed() > Duration::from_secs(1), "the collector was not there at first");
    proxy.wait_err("traces: they are not delivered: answered with 503");
    proxy.wait_err("traces: they are delivered again");
}

#[test]
fn what_is_stopped_fails_or_is_not_sampled_is_told_as_that() {
    let (folder, upstream, collector) = (Folder::new(), Upstream::start(), Collector::start(&[]));
    let mut blocking = proxy(&folder, &upstream.url, &format!("otlp: {{url: \"{}\"}}", collector.url));
    let address = blocking.address();
    let blocked = get(address, "/?q=evil", "");
    assert_eq!(blocked.status, 403);
    let id = blocked.header("x-request-id").unwrap().to_owned();
    let spans = eventually("its spans", || Some(collector.of_request(&id)).filter(|spans| spans.len() == 2));
    assert_eq!(spans[0]["traceId"], json!(id), "a trace that begins here has the request's id");
    assert!(spans[0]["parentSpanId"].is_null() && spans[0]["status"].is_null(), "{spans:#?}");
    assert_eq!(attribute(&spans[0], "http.response.status_code"), "403");
    assert_eq!(attribute(&spans[1], "palisade.action"), "deny");
    assert_eq!(attribute(&spans[1], "palisade.rules"), json!([{"stringValue": "1001"}]));
    // Who says that it is not traced is not, and its service hears of nobody in between.
    let parent = format!("00-{ID}-00f067aa0ba902b7-00");
    let unsampled = get(address, "/quiet", &format!("traceparent: {parent}\r\n"));
    let odd = send(address, b"BREW /pot HTTP/1.1\r\nHost: h\r\ntraceparent: 00-zz\r\ntracestate: b=2\r\nConnection: close\r\n\r\n");
    let id = odd.header("x-request-id").unwrap().to_owned();
    let spans = eventually("the spans", || Some(collector.of_request(&id)).filter(|spans| spans.len() >= 2));
    assert_eq!(
        (&spans[0]["name"], attribute(&spans[0], "http.request.method")),
        (&json!("HTTP"), json!("_OTHER"))
    );
    assert_eq!(attribute(&spans[0], "http.request.method_original"), "BREW");
    let heads = upstream.heads();
    let head = |path: &str| heads.iter().find(|head| head.contains(path)).unwrap().to_lowercase();
    assert!(head("/quiet").contains(&format!("traceparent: {parent}\r\n")), "{heads:?}");
    assert!(
        !head("/pot").contains("tracestate") && head("/pot").contains(&format!("traceparent: 00-{id}-")),
        "{heads:?}"
    );
    let quiet = unsampled.header("x-request-id").unwrap();
    assert!(collector.of_request(quiet).is_empty());
    assert_eq!(blocking.end(), 0);

    // A service that is not there.
    let folder = Folder::new();
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut failing =
        proxy(&folder, &format!("http://{nowhere}"), &format!("otlp: {{url: \"{}\"}}", collector.url));
    let failed = get(failing.address(), "/", "");
    let id = failed.header("x-request-id").unwrap().to_owned();
    // Its end delivers what waits.
    assert_eq!(failing.end(), 0);
    let spans = collector.of_request(&id);
    assert_eq!((failed.status, &spans[0]["status"]["code"]), (502, &json!(2)), "{spans:#?}");
    assert_eq!(attribute(&spans[0], "error.type"), "502");
}

#[test]
fn one_in_so_many_is_traced_strangers_decide_nothing_and_without_a_collector_all_goes_on_as_it_came() {
    let (folder, upstream, collector) = (Folder::new(), Upstream::start(), Collector::start(&[]));
    let tracing = format!("otlp: {{url: \"{}\"}}, oneIn: 4, parents: false", collector.url);
    let mut sampling = proxy(&folder, &upstream.url, &tracing);
    let address = sampling.address();
    let parent = format!("traceparent: 00-{ID}-00f067aa0ba902b7-01\r\n");
    for _ in 0..200 {
        get(address, "/", &parent);
    }
    assert_eq!(sampling.end(), 0);
    let traced = collector.spans().iter().filter(|span| span["kind"] == 2).count();
    assert!((15..=95).contains(&traced), "about a quarter of 200: {traced}");
    assert!(collector.spans().iter().all(|span| span["traceId"] != ID));
    assert!(upstream.heads().iter().all(|head| !head.contains(ID)));

    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut without = proxy(&folder, &upstream.url, "");
    get(without.address(), "/", "traceparent: as it came\r\n");
    assert!(upstream.heads()[0].contains("as it came"));
}

#[test]
fn a_collector_that_does_not_answer_costs_traces_and_no_requests() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    // Takes connections, and nothing else.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut proxy = proxy(&folder, &upstream.url, &format!("otlp: {{url: \"{url}\", timeout: 60s}}"));
    let (address, admin) = (proxy.address(), proxy.admin());
    let mut connection = TcpStream::connect(address).unwrap();
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut slowest = Duration::ZERO;
    for _ in 0..5000 {
        let began = Instant::now();
        connection.write_all(b"GET /?q=evil HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    let page = send(admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").body;
    let name = "palisade_traced_requests_total{outcome=\"dropped\"} ";
    let dropped = page.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse::<u64>().unwrap();
    // Some wait, and some are on their way.
    assert!((500..=1000).contains(&dropped), "{dropped}");
}
