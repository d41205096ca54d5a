//! What the event store bears. `bench/events/run` drives it and keeps the figures.
//!
//! ```text
//! store_load rate FOLDER EVENTS_A_SECOND SECONDS   through bus and keeper, as requests do; what was lost, what it cost
//! store_load fill FOLDER EVENTS                    a day of events, straight into files
//! store_load ask FOLDER                            overview and pages over what is there; the median of ten
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use palisade_events::store::*;
use palisade_events::{Batch, Bus, BusLimits, Record};
use palisade_model::*;

const DAY: u64 = 1_795_305_600_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["rate", folder, rate, seconds] => {
            at_rate(Path::new(folder), rate.parse().expect("a number"), seconds.parse().expect("a number"));
        }
        ["fill", folder, events] => fill(Path::new(folder), events.parse().expect("a number")),
        ["ask", folder] => ask(Path::new(folder)),
        _ => eprintln!("store_load rate FOLDER EVENTS_A_SECOND SECONDS | fill FOLDER EVENTS | ask FOLDER"),
    }
}

/// Numbers that look drawn and are always the same.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

const SERVICES: [&str; 20] = [
    "shop", "cart", "search", "login", "images", "api", "admin", "bank", "customer", "summary", "database",
    "mail", "chat", "blog", "wiki", "jobs", "maps", "video", "stats", "legacy",
];
const RULES: [(u64, &str); 8] = [
    (942_100, "SQL Injection Attack Detected via libinjection"),
    (941_100, "XSS Attack Detected via libinjection"),
    (930_120, "OS File Access Attempt"),
    (932_160, "Remote Command Execution: Unix Shell Code Found"),
    (920_350, "Host header is a numeric IP address"),
    (913_100, "Found User-Agent associated with security scanner"),
    (949_110, "Inbound Anomaly Score Exceeded (Total Score: 15)"),
    (933_150, "PHP Injection Attack: High-Risk PHP Function Name Found"),
];
const ATTACKS: [&str; 4] = ["sqli", "xss", "path-traversal", "rce"];

/// An event as CRS makes one: four fifths would have been blocked, a few services see most of it, one client in ten comes
/// again and again.
fn event(draw: &mut Draw) -> Event {
    let redactor = Redactor::new();
    let words = |text: &str| redactor.words(text);
    let service = SERVICES[(draw.below(20) * draw.below(20) / 20) as usize];
    let client = if draw.below(10) == 0 { draw.below(10) } else { draw.below(60_000) };
    let ip = [203, 0, (client / 256) as u8, (client % 256) as u8];
    let denies = draw.below(5) == 0;
    let kind = draw.below(ATTACKS.len() as u64) as usize;
    let hit = |(id, message): (u64, &str), disruptive| RuleHit {
        id: words(&id.to_string()),
        message: words(message),
        severity: words("2"),
        file: words("rules/REQUEST-942-APPLICATION-ATTACK-SQLI.conf"),
        line: words("46"),
        disruptive,
        phase: Some(2),
        target: words("ARGS:q"),
        data: words("Matched Data: s&1c found within ARGS:q: 1' OR '1'='1"),
        ..RuleHit::default()
    };
    let number = draw.below(1 << 40);
    Event {
        kind: if draw.below(20) == 0 { EventKind::Policy } else { EventKind::Waf },
        action: if denies { EventAction::Deny } else { EventAction::WouldBlock },
        mode: Some(if denies { Mode::Block } else { Mode::Monitoring }),
        verdict: Some("deny"),
        host: words("node1"),
        service: words(service),
        listener: words("web"),
        source: Source {
            ip: Some(ip.into()),
            port_num: Some(40_000),
            hostname: words("-"),
            ..Source::default()
        },
        method: words("GET"),
        path: words(&format!("/{service}/item/{number:x}?q=1%27%20OR%20%271%27%3D%271&page=2")),
        protocol: words("HTTP/1.1"),
        authority: words("shop.example.com"),
        user_agent: words("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        msg: words("WAF check FAILED!"),
        rules: vec![
            hit(RULES[kind], false),
            hit(RULES[draw.below(8) as usize], false),
            hit(RULES[6], denies),
        ],
        attacks: vec![ATTACKS[kind]],
        cause: Some("rule"),
        rule_id: Some(949_110),
        phase: Some(2),
        status: Some(if denies { 403 } else { 200 }),
        request_id: words(&format!("{number:032x}")),
        ..Event::default()
    }
}

fn at_rate(folder: &Path, rate: u64, seconds: u64) {
    let _ = std::fs::remove_dir_all(folder);
    let bus = Bus::start(BusLimits::default(), None).expect("a thread");
    let retention = Retention { age: Duration::from_secs(7 * 86_400), bytes_max: 64 << 30 };
    let tell = Box::new(|line: &str| eprintln!("{line}"));
    let keeper = Keeper::start(folder, retention, bus.subscribe("store", 100_000), tell).expect("a thread");
    let mut draw = Draw(88_172_645_463_325_252);
    // Made beforehand: what is measured is what takes them.
    let events: Vec<Event> = (0..2000).map(|_| event(&mut draw)).collect();
    let (began, processor) = (Instant::now(), processor_seconds());
    let mut sent = 0;
    while sent < rate * seconds {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        while sent < due.min(rate * seconds) {
            bus.send(events[(sent % 2000) as usize].clone());
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = began.elapsed();
    let ended = bus.end_within(Duration::from_secs(60));
    let behind = began.elapsed() - took;
    let (counts, kept) = (bus.counts(), keeper.counts());
    let cores = (processor_seconds() - processor) / began.elapsed().as_secs_f64();
    println!(
        "{{\"sent\":{sent},\"seconds\":{:.1},\"dropped_queue\":{},\"written\":{},\"failed\":{},\"ended\":{ended},\
         \"behind_seconds\":{:.2},\"cores\":{cores:.2}}}",
        took.as_secs_f64(),
        counts.dropped,
        kept.written,
        kept.failed,
        behind.as_secs_f64(),
    );
}

fn fill(folder: &Path, events: u64) {
    let _ = std::fs::remove_dir_all(folder);
    let retention = Retention { age: Duration::from_secs(365 * 86_400), bytes_max: 64 << 30 };
    let mut writer = Writer::open(folder, retention).expect("a folder");
    let mut draw = Draw(88_172_645_463_325_252);
    let began = Instant::now();
    let mut number = 0;
    while number < events {
        let batch = (number..(number + 1000).min(events)).map(|number| {
            let millis = DAY + number * 86_400_000 / events;
            let (id, time) = (EventId::new(millis, 1, number), Moment(millis));
            let event = Event { id, time, ..event(&mut draw) };
            Record { id, time, json: serde_json::to_string(&event).expect("JSON").into() }
        });
        writer.append(&Batch { events: batch.collect(), ..Batch::default() }, DAY).expect("room");
        number += 1000;
        if number.is_multiple_of(100_000) {
            eprint!("\r{number} of {events}");
        }
    }
    let (took, bytes) = (began.elapsed().as_secs_f64(), writer.bytes().expect("a folder"));
    eprintln!();
    println!(
        "{{\"events\":{events},\"seconds\":{took:.1},\"events_a_second\":{:.0},\"bytes\":{bytes},\"bytes_an_event\":{}}}",
        events as f64 / took,
        bytes / events.max(1)
    );
}

fn ask(folder: &Path) {
    let reader = Reader::new(folder);
    let day = |dimension| SumQuery {
        dimension,
        from_unix_millis: DAY,
        to_unix_millis: DAY + 86_400_000,
        service: None,
        by_service: false,
        step_minutes: None,
        limit: 100,
    };
    let (ten, eleven) = (DAY + 36_000_000, DAY + 39_600_000);
    let hour = SumQuery { from_unix_millis: ten, to_unix_millis: eleven, ..day(Dimension::All) };
    let steps = |minutes, query: SumQuery| SumQuery { step_minutes: Some(minutes), limit: 10_000, ..query };
    let some = |text: &str| Some(text.to_owned());
    let filter = Filter::default();
    let page = |name: &str, filter: &Filter| {
        let ask = || reader.page(Table::Events, filter, Order::NewestFirst, None, 50).expect("a page");
        measured(name, || ask().items.len());
    };
    let sums = |name: &str, query: &SumQuery| measured(name, || reader.sums(query).expect("sums").len());
    sums("overview: a day by action", &day(Dimension::All));
    sums("overview: a day by service", &SumQuery { by_service: true, ..day(Dimension::All) });
    sums("overview: a day by attack", &day(Dimension::Attack));
    sums("overview: a day by rule", &day(Dimension::Rule));
    sums("overview: a day by source", &day(Dimension::Source));
    sums("overview: a day in steps of 5 minutes", &steps(5, day(Dimension::All)));
    sums("overview: an hour by minute", &steps(1, hour.clone()));
    sums("overview: an hour by source", &SumQuery { dimension: Dimension::Source, ..hour });
    page("page: newest", &filter);
    page("page: service", &Filter { service: some("legacy"), ..filter.clone() });
    let both = Filter { service: some("stats"), action: some("deny"), ..filter.clone() };
    page("page: service and action", &both);
    page("page: source", &Filter { source: some("203.0.100.7"), ..filter.clone() });
    page("page: rule", &Filter { rule: Some(913_100), ..filter.clone() });
    let of_hour = Filter {
        attack: some("rce"),
        from_unix_millis: Some(ten),
        to_unix_millis: Some(eleven),
        ..filter.clone()
    };
    page("page: attack in an hour", &of_hour);
    page("page: words", &Filter { text: some("libinjection legacy"), ..filter.clone() });
    page("page: a word that is nowhere", &Filter { text: some("nowhere"), ..filter.clone() });
    let query = palisade_events::query::parse("service = video AND status >= 400").expect("a query");
    page("page: query", &Filter { query, ..filter });
}

fn measured(name: &str, mut ask: impl FnMut() -> usize) {
    let mut times: Vec<f64> = Vec::new();
    let mut rows = 0;
    for _ in 0..10 {
        let began = Instant::now();
        rows = ask();
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let first = times[0];
    times.sort_by(f64::total_cmp);
    println!("{{\"name\":\"{name}\",\"rows\":{rows},\"ms_median\":{:.2},\"ms_first\":{first:.2}}}", times[5]);
}

/// Processor time of this process.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}
