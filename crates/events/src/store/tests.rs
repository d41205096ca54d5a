use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use palisade_model::Moment;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::bus::Batch;
use crate::query::parse;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("palisade-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const NOON: u64 = 1_795_348_800_000;
const LARGE: Retention = Retention { age: Duration::from_secs(7 * 86_400), bytes_max: 1 << 30 };

fn record(millis: u64, number: u64, json: Value) -> Record {
    Record { id: EventId::new(millis, 7, number), time: Moment(millis), json: json.to_string().into() }
}

/// Ten events a second: every tenth a SQL injection that was stopped, from one of five clients.
fn event(number: u64) -> Record {
    let attack = number.is_multiple_of(10);
    let json = json!({
        "kind": "waf",
        "action": if attack { "deny" } else { "pass" },
        "service": if number.is_multiple_of(2) { "shop" } else { "bank" },
        "source": {"ip": format!("192.0.2.{}", number % 5)},
        "path": format!("/item/{number}?q=union%20select"),
        "msg": "WAF check FAILED!",
        "rules": if attack { json!([{"id": "942100", "message": "SQL Injection", "data": "s&1c in ARGS:q"}]) } else { json!([]) },
        "attacks": if attack { json!(["sqli"]) } else { json!([]) },
        "status": if attack { 403 } else { 200 },
    });
    record(NOON + number * 100, number, json)
}

fn filled(folder: &Folder, events: std::ops::Range<u64>) -> Writer {
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    append(&mut writer, events);
    writer
}

fn append(writer: &mut Writer, events: std::ops::Range<u64>) {
    let batch = Batch { events: events.map(event).collect(), ..Batch::default() };
    writer.append(&batch, NOON).unwrap();
}

fn numbers(page: &Page) -> Vec<u64> {
    page.items.iter().map(|record| (record.time.0 - NOON) / 100).collect()
}

fn newest(reader: &Reader, filter: &Filter, limit: usize) -> Vec<u64> {
    numbers(&reader.page(Table::Events, filter, Order::NewestFirst, None, limit).unwrap())
}

#[test]
fn what_was_written_is_found_by_time_columns_words_rules_and_query() {
    let folder = Folder::new("found");
    let _writer = filled(&folder, 0..100);
    let reader = Reader::new(&folder.0);
    let all = Filter::default();
    let text = |text: &str| Filter { text: Some(text.to_owned()), ..all.clone() };
    let some = |value: &str| Some(value.to_owned());
    let query = |text: &str| Filter { query: parse(text).unwrap(), ..all.clone() };
    for (filter, expected) in [
        (all.clone(), vec![99, 98, 97]),
        (Filter { to_unix_millis: Some(NOON + 5000), ..all.clone() }, vec![49, 48, 47]),
        (Filter { from_unix_millis: Some(NOON + 9800), ..all.clone() }, vec![99, 98]),
        (Filter { service: some("shop"), ..all.clone() }, vec![98, 96, 94]),
        (Filter { service: some("shop"), action: some("deny"), ..all.clone() }, vec![90, 80, 70]),
        (Filter { source: some("192.0.2.3"), ..all.clone() }, vec![98, 93, 88]),
        (Filter { attack: some("sqli"), ..all.clone() }, vec![90, 80, 70]),
        (Filter { rule: Some(942_100), ..all.clone() }, vec![90, 80, 70]),
        (Filter { rule: Some(942_101), ..all.clone() }, vec![]),
        (text("item/42"), vec![42]),
        (text("Injection /item/8*"), vec![80]),
        (text("Injection /item/8"), vec![]),
        (text("s&1c"), vec![90, 80, 70]),
        (text("nothing"), vec![]),
        (text("' \" *"), vec![]),
        (text("?q="), vec![99, 98, 97]),
        (query("service = shop AND status = 403"), vec![90, 80, 70]),
        (query("\"rules.id\" IN {\"*942*\"} AND \"source.ip\" = \"192.0.2.0\""), vec![90, 80, 70]),
        (query("service = nobody"), vec![]),
        (
            Filter { text: some("injection"), rule: Some(942_100), service: some("shop"), ..all.clone() },
            vec![90, 80, 70],
        ),
    ] {
        assert_eq!(newest(&reader, &filter, 3), expected, "{filter:?}");
    }
    let id = event(42).id;
    assert_eq!(reader.event(id).unwrap(), Some(event(42)));
    assert_eq!(reader.event(EventId::new(NOON, 1, 1)).unwrap(), None);
}

#[test]
fn pages_stay_where_they_are_while_events_come() {
    let folder = Folder::new("pages");
    let mut writer = filled(&folder, 0..100);
    let reader = Reader::new(&folder.0);
    let filter = Filter { service: Some("shop".into()), ..Filter::default() };
    let (mut seen, mut after, mut next) = (Vec::new(), None, 100);
    loop {
        let page = reader.page(Table::Events, &filter, Order::NewestFirst, after, 7).unwrap();
        seen.extend(numbers(&page));
        append(&mut writer, next..next + 10);
        next += 10;
        // A cursor goes to a client and comes back.
        let Some(cursor) = page.next else { break };
        after = Some(cursor.to_string().parse::<Cursor>().unwrap());
    }
    assert_eq!(seen, (0..100).rev().filter(|number| number % 2 == 0).collect::<Vec<_>>());
    let oldest = reader.page(Table::Events, &filter, Order::OldestFirst, None, 3).unwrap();
    assert_eq!(numbers(&oldest), [0, 2, 4]);
    let on = reader.page(Table::Events, &filter, Order::OldestFirst, oldest.next, 3).unwrap();
    assert_eq!(numbers(&on), [6, 8, 10]);
    assert!("x".parse::<Cursor>().is_err() && "-00000000000000f".parse::<Cursor>().is_err());
}

#[test]
fn sums_are_what_counting_gives() {
    let folder = Folder::new("sums");
    let mut writer = filled(&folder, 0..500);
    append(&mut writer, 500..100_000);
    let reader = Reader::new(&folder.0);
    let query = SumQuery {
        dimension: Dimension::All,
        from_unix_millis: NOON + 600_000,
        to_unix_millis: NOON + 9_000_000,
        service: None,
        by_service: false,
        step_minutes: None,
        limit: 100,
    };
    let sums = reader.sums(&query).unwrap();
    // From the tenth minute to the 150th, ten a second, by hours and minutes together.
    let count = |action: &str| sums.iter().find(|sum| sum.action == action).map(|sum| sum.count);
    assert_eq!((count("deny"), count("pass")), (Some(8400), Some(75_600)));
    let of = |dimension| SumQuery { dimension, ..query.clone() };
    let rules = reader.sums(&of(Dimension::Rule)).unwrap();
    assert_eq!((&*rules[0].value, rules[0].count, rules.len()), ("942100", 8400, 1));
    let sources = reader.sums(&of(Dimension::Source)).unwrap();
    assert_eq!(sources.iter().map(|sum| sum.count).sum::<u64>(), 84_000);
    let shop = SumQuery { service: Some("shop".into()), by_service: true, ..of(Dimension::Kind) };
    let shop = reader.sums(&shop).unwrap();
    assert!(shop.iter().all(|sum| sum.service == "shop"));
    assert_eq!(shop.iter().map(|sum| sum.count).sum::<u64>(), 42_000);
    for step in [1, 5, 60] {
        let steps =
            reader.sums(&SumQuery { step_minutes: Some(step), limit: 10_000, ..query.clone() }).unwrap();
        assert_eq!(steps.iter().map(|sum| sum.count).sum::<u64>(), 84_000, "in steps of {step}");
        assert!(steps.windows(2).all(|pair| pair[0].start_unix_millis <= pair[1].start_unix_millis));
    }
    let groups = |field: &str, filter: &Filter| reader.groups(Table::Events, filter, field, 10).unwrap();
    assert_eq!(groups("status", &Filter::default()), [("200".into(), 90_000), ("403".into(), 10_000)]);
    let some = Filter { from_unix_millis: Some(NOON + 9_990_000), ..Filter::default() };
    let with_words = Filter { text: Some("injection".into()), ..some.clone() };
    assert_eq!(groups("service", &with_words), [("shop".into(), 10)]);
    assert_eq!(groups("source.ip", &some).len(), 5);
}

#[test]
fn a_record_that_comes_twice_is_there_once() {
    let folder = Folder::new("twice");
    let mut writer = filled(&folder, 0..10);
    let again = Batch { events: (5..15).map(event).collect(), ..Batch::default() };
    assert_eq!(writer.append(&again, NOON).unwrap(), Appended { written: 5, known: 5 });
    // Another process's event of the same millisecond and number.
    let twin = Record { id: EventId::new(NOON, 8, 0), ..event(0) };
    let appended = writer.append(&Batch { events: vec![twin], ..Batch::default() }, NOON).unwrap();
    assert_eq!(appended.written, 1);
    assert_eq!(newest(&Reader::new(&folder.0), &Filter::default(), 100).len(), 16);
}

#[test]
fn what_is_too_old_or_too_much_goes_as_files_under_readers() {
    let folder = Folder::new("retention");
    let retention = Retention { age: Duration::from_secs(2 * 86_400), bytes_max: 4 * 1024 * 1024 };
    let mut writer = Writer::open(&folder.0, retention).unwrap();
    let reader = Reader::new(&folder.0);
    let filter = Filter::default();
    for day in 0..5 {
        let now = NOON + day * 86_400_000;
        let events =
            (0..10).map(|number| Record { id: EventId::new(now, 7, number), ..event(number) }).collect();
        writer.append(&Batch { events, ..Batch::default() }, now).unwrap();
        assert!(!newest(&reader, &filter, 1).is_empty());
    }
    assert_eq!(writer.retain(NOON + 4 * 86_400_000).unwrap(), 2, "days 0 and 1");
    assert_eq!(reader.page(Table::Events, &filter, Order::NewestFirst, None, 100).unwrap().items.len(), 30);
    // A day that is larger than all that may be kept comes in several files.
    let now = NOON + 4 * 86_400_000;
    // What is different every time is not packed to nothing.
    let mut state = 88_172_645_463_325_252_u64;
    let mut long = || -> String {
        let words = (0..125).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            format!("{state:016x}")
        });
        words.collect()
    };
    for batch in 0..40_u64 {
        let events = (0..100).map(|number| {
            let json =
                json!({"kind": "waf", "action": "pass", "service": "shop", "host": "n", "note": long()});
            record(now + batch, batch * 100 + number, json)
        });
        writer.append(&Batch { events: events.collect(), ..Batch::default() }, now).unwrap();
    }
    assert!(writer.bytes().unwrap() > retention.bytes_max);
    assert!(writer.retain(now).unwrap() > 2);
    assert!(writer.bytes().unwrap() <= retention.bytes_max, "{}", writer.bytes().unwrap());
    let left = newest(&reader, &filter, 10_000);
    assert!(!left.is_empty() && left.len() < 4000);
}

#[test]
fn a_full_disk_costs_events_and_nothing_else() {
    let folder = Folder::new("full");
    let mut writer = filled(&folder, 0..100);
    writer.pages_max(1);
    let batch =
        |events: std::ops::Range<u64>| Batch { events: events.map(event).collect(), ..Batch::default() };
    let error = writer.append(&batch(100..20_000), NOON).unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    let reader = Reader::new(&folder.0);
    assert_eq!(newest(&reader, &Filter::default(), 1000).len(), 100);
    // Begun anew, without the limit.
    writer.append(&batch(100..200), NOON).unwrap();
    assert_eq!(newest(&reader, &Filter::default(), 1000).len(), 200);
}

#[test]
fn a_broken_file_and_a_later_one_are_left_alone() {
    let folder = Folder::new("broken");
    fs::create_dir_all(&folder.0).unwrap();
    let broken = folder.0.join("2026-11-22.000.sqlite");
    fs::write(&broken, "this is no database, and long enough to be taken for one ".repeat(100)).unwrap();
    let later = folder.0.join("2026-11-22.001.sqlite");
    let connection = rusqlite::Connection::open(&later).unwrap();
    connection.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    drop(connection);
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    append(&mut writer, 0..10);
    assert!(folder.0.join("2026-11-22.002.sqlite").exists());
    assert!(fs::read(&broken).unwrap().starts_with(b"this is no database"));
    let error = Reader::new(&folder.0).page(Table::Events, &Filter::default(), Order::NewestFirst, None, 1);
    assert!(error.unwrap_err().to_string().contains(&format!("schema {}", SCHEMA_VERSION + 1)));
    fs::remove_file(later).unwrap();
    assert_eq!(newest(&Reader::new(&folder.0), &Filter::default(), 1), [9]);
}

/// A file as an older version wrote it.
fn of_version(folder: &Folder, version: i64) {
    fs::create_dir_all(&folder.0).unwrap();
    let fixture = format!("{}/../../testdata/events/schema-{version}.sql", env!("CARGO_MANIFEST_DIR"));
    let connection = rusqlite::Connection::open(folder.0.join("2026-11-22.000.sqlite")).unwrap();
    connection.execute_batch(&fs::read_to_string(fixture).unwrap()).unwrap();
    assert_eq!(schema::version(&connection).unwrap(), version);
}

fn actions(reader: &Reader) -> Vec<(String, u64)> {
    let query = SumQuery {
        dimension: Dimension::All,
        from_unix_millis: NOON - 3_600_000,
        to_unix_millis: NOON + 3_600_000,
        service: None,
        by_service: false,
        step_minutes: None,
        limit: 10,
    };
    let sums = reader.sums(&query).unwrap();
    let mut sums: Vec<(String, u64)> = sums.into_iter().map(|sum| (sum.action, sum.count)).collect();
    sums.sort();
    sums
}

#[test]
fn files_of_older_versions_are_read_and_the_next_file_goes_on() {
    let some = |value: &str| Some(value.to_owned());
    let counts = |deny, pass| [("deny".to_owned(), deny), ("pass".to_owned(), pass)];
    let all = Filter::default();
    for version in [1, 3] {
        let folder = Folder::new(&format!("older-{version}"));
        of_version(&folder, version);
        let reader = Reader::new(&folder.0);
        assert_eq!(newest(&reader, &Filter { rule: Some(942_100), ..all.clone() }, 10), [0]);
        assert_eq!(newest(&reader, &Filter { text: some("injection"), ..all.clone() }, 10), [0]);
        assert_eq!(newest(&reader, &Filter { attack: some("sqli"), ..all.clone() }, 10), [0]);
        assert_eq!(newest(&reader, &Filter { attack: some(""), ..all.clone() }, 10), [1]);
        let of_plane = newest(&reader, &Filter { dataplane: some("web-1"), ..all.clone() }, 10);
        assert_eq!(of_plane, if version < 3 { vec![] } else { vec![1] });
        assert_eq!(actions(&reader), counts(2, 0)[..1]);
        let older = folder.0.join("2026-11-22.000.sqlite");
        let before = fs::read(&older).unwrap();
        let mut writer = Writer::open(&folder.0, LARGE).unwrap();
        assert_eq!(writer.reached("a/1").unwrap(), if version < 3 { 0 } else { 5 });
        append(&mut writer, 10..60);
        // One page, one sum and one count by a field over both forms.
        assert_eq!(newest(&reader, &all, 100).len(), 52);
        let sqli = newest(&reader, &Filter { attack: some("sqli"), ..all.clone() }, 10);
        assert_eq!(sqli, [50, 40, 30, 20, 10, 0]);
        assert_eq!(actions(&reader), counts(7, 45));
        let kinds = reader.groups(Table::Events, &all, "kind", 10).unwrap();
        assert_eq!(kinds, [("waf".to_owned(), 51), ("policy".to_owned(), 1)]);
        drop(writer);
        // The next one goes on in the same file, with the dictionary and the sums that are in it.
        append(&mut Writer::open(&folder.0, LARGE).unwrap(), 60..70);
        assert_eq!(newest(&reader, &all, 100).len(), 62);
        assert_eq!(actions(&reader), counts(8, 54));
        assert_eq!(fs::read(&older).unwrap(), before, "it stays as it is");
        assert_eq!(writer::files(&folder.0).unwrap().len(), 2);
    }
}

#[test]
fn records_come_back_as_they_were_and_take_little() {
    let folder = Folder::new("packed");
    let _writer = filled(&folder, 0..5000);
    let reader = Reader::new(&folder.0);
    for number in [0, 1, 23, 24, 25, 4999] {
        assert_eq!(reader.event(event(number).id).unwrap(), Some(event(number)), "{number}");
    }
    let path = writer::files(&folder.0).unwrap().remove(0).path;
    let packed = "SELECT sum(length(record)), count(*) FROM event";
    let (bytes, count): (i64, i64) = rusqlite::Connection::open(path)
        .unwrap()
        .query_row(packed, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let json: i64 = (0..5000).map(|number| event(number).json.len() as i64).sum();
    assert!(count == 5000 && bytes * 4 < json, "{bytes} of {json}");
}

#[test]
fn traffic_is_kept_and_summed_by_class_and_by_who_asked() {
    let folder = Folder::new("traffic");
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    let row = |number: u64, code: &str| {
        let json = json!({"count": 10, "blocked": 1, "service": "shop", "src_name_aggr": "web-*", "src_namespace": "front",
                          "response_code": code, "url": "/a"});
        record(NOON + number, number, json)
    };
    let traffic = (0..5).map(|number| row(number, if number == 0 { "503" } else { "200" })).collect();
    writer.append(&Batch { traffic, ..Batch::default() }, NOON).unwrap();
    let reader = Reader::new(&folder.0);
    let page = reader.page(
        Table::Traffic,
        &Filter { source: Some("front/web-*".into()), ..Filter::default() },
        Order::NewestFirst,
        None,
        10,
    );
    assert_eq!(page.unwrap().items.len(), 5);
    let sums = |dimension| {
        let query = SumQuery {
            dimension,
            from_unix_millis: NOON,
            to_unix_millis: NOON + 60_000,
            service: None,
            by_service: true,
            step_minutes: None,
            limit: 10,
        };
        let sums = reader.sums(&query).unwrap();
        sums.into_iter().map(|sum| (sum.service, sum.value, sum.action, sum.count)).collect::<Vec<_>>()
    };
    let row =
        |value: &str, action: &str, count| ("shop".to_owned(), value.to_owned(), action.to_owned(), count);
    assert_eq!(sums(Dimension::Requests)[..2], [row("2xx", "requests", 40), row("5xx", "requests", 10)]);
    let edge = |action, count| row("front/web-*", action, count);
    assert_eq!(sums(Dimension::Edge), [edge("requests", 50), edge("errors", 10), edge("blocked", 5)]);
}

#[test]
fn an_attack_from_a_million_addresses_makes_few_sums() {
    let folder = Folder::new("sources");
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    // Every third is of the same few.
    let events = (0..3000_u64).map(|number| {
        let ip = match number % 3 {
            0 => format!("192.0.2.{}", number % 4),
            _ => format!("10.0.{}.{}", number / 256, number % 256),
        };
        record(
            NOON + number % 50,
            number,
            json!({"kind": "waf", "action": "deny", "service": "s", "source": {"ip": ip}}),
        )
    });
    writer.append(&Batch { events: events.collect(), ..Batch::default() }, NOON).unwrap();
    let query = SumQuery {
        dimension: Dimension::Source,
        from_unix_millis: NOON,
        to_unix_millis: NOON + 60_000,
        service: None,
        by_service: false,
        step_minutes: None,
        limit: 10_000,
    };
    let sums = Reader::new(&folder.0).sums(&query).unwrap();
    let largest: Vec<(&str, u64)> = sums.iter().take(5).map(|sum| (&*sum.value, sum.count)).collect();
    // One by one as many as there is room for, the largest surely; all others together.
    let few = ["192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|ip| (ip, 250));
    assert_eq!((largest[0].0, &largest[1..], sums.len()), ("", &few[..], 129));
    assert_eq!(sums.iter().map(|sum| sum.count).sum::<u64>(), 3000);
    // And after them who comes often enough, in batches of their own, by a writer that has to look what is there.
    drop(writer);
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    for number in 3000..3200_u64 {
        let json = json!({"kind": "waf", "action": "deny", "service": "s", "source": {"ip": "198.51.100.1"}});
        let events = vec![record(NOON + 50, number, json)];
        writer.append(&Batch { events, ..Batch::default() }, NOON).unwrap();
    }
    for by_service in [false, true] {
        let sums = Reader::new(&folder.0).sums(&SumQuery { by_service, ..query.clone() }).unwrap();
        let late = sums.iter().find(|sum| sum.value == "198.51.100.1").map(|sum| sum.count);
        assert_eq!((late, sums.iter().map(|sum| sum.count).sum()), (Some(200), 3200_u64));
    }
}

fn portion(stream: &str, last: u64, events: std::ops::Range<u64>) -> Portion {
    let batch = Batch { events: events.map(event).collect(), ..Batch::default() };
    Portion { stream: stream.into(), last, batch }
}

fn count(folder: &Folder) -> usize {
    let reader = Reader::new(&folder.0);
    let page = reader.page(Table::Events, &Filter::default(), Order::NewestFirst, None, 10_000).unwrap();
    page.items.len()
}

#[test]
fn what_others_send_again_is_passed_over_by_this_writer_and_the_next() {
    let folder = Folder::new("portions");
    let mut writer = Writer::open(&folder.0, LARGE).unwrap().durable();
    assert_eq!(writer.reached("a/1").unwrap(), 0);
    let sent = [portion("a/1", 5, 0..10), portion("b/1", 3, 10..20), portion("a/1", 5, 0..10)];
    assert_eq!(writer.take_in(&sent, NOON).unwrap(), [true, true, false]);
    assert_eq!(writer.take_in(&[portion("a/1", 4, 20..30)], NOON).unwrap(), [false]);
    // The one that wrote it was killed before it could say so.
    drop(writer);
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    assert_eq!((writer.reached("a/1").unwrap(), writer.reached("b/1").unwrap()), (5, 3));
    // Other records than before: what is passed over is so by its number, not by what is in it.
    assert_eq!(writer.take_in(&[portion("b/1", 3, 30..40)], NOON).unwrap(), [false]);
    assert_eq!(writer.take_in(&[portion("b/1", 4, 30..40)], NOON).unwrap(), [true]);
    assert_eq!(count(&folder), 30);
}

#[test]
fn how_far_others_are_outlives_the_file_that_it_was_written_in() {
    let folder = Folder::new("portions-files");
    const DAY: u64 = 86_400_000;
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    writer.take_in(&[portion("a/1", 5, 0..10), portion("b/1", 3, 10..20)], NOON).unwrap();
    writer.take_in(&[portion("a/1", 6, 20..30)], NOON + 3 * DAY).unwrap();
    drop(writer);
    let first = writer::files(&folder.0).unwrap().remove(0).path;
    fs::remove_file(first).unwrap();
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    assert_eq!((writer.reached("a/1").unwrap(), writer.reached("b/1").unwrap()), (6, 3));
    // Nobody comes by a way that nothing came by for a month: it is not carried on for ever.
    writer.take_in(&[portion("c/1", 1, 30..40)], NOON + 40 * DAY).unwrap();
    drop(writer);
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    assert_eq!((writer.reached("b/1").unwrap(), writer.reached("c/1").unwrap()), (0, 1));
}

#[test]
fn a_transaction_that_fails_leaves_neither_records_nor_numbers() {
    let folder = Folder::new("portions-full");
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    writer.take_in(&[portion("a/1", 1, 0..10)], NOON).unwrap();
    writer.pages_max(2);
    assert!(writer.take_in(&[portion("a/1", 2, 10..5_000)], NOON).is_err());
    assert_eq!(writer.reached("a/1").unwrap(), 1);
    // The disk has room again: the connection is begun anew.
    assert_eq!(writer.take_in(&[portion("a/1", 2, 10..20)], NOON).unwrap(), [true]);
    assert_eq!(count(&folder), 20);
}

#[test]
fn records_are_found_by_their_data_plane() {
    let folder = Folder::new("dataplanes");
    let mut of_plane = event(1);
    of_plane.json = of_plane.json.replacen('{', "{\"dataplane\":\"web-1\",", 1).into();
    let mut writer = filled(&folder, 2..12);
    writer.append(&Batch { events: vec![of_plane], ..Batch::default() }, NOON).unwrap();
    let reader = Reader::new(&folder.0);
    let ask = |name: &str| {
        let filter = Filter { dataplane: Some(name.to_owned()), ..Filter::default() };
        reader.page(Table::Events, &filter, Order::NewestFirst, None, 100).unwrap().items.len()
    };
    assert_eq!((ask("web-1"), ask("web-2")), (1, 0));
    let by_query = Filter { query: parse("dataplane = \"web-1\"").unwrap(), ..Filter::default() };
    assert_eq!(reader.page(Table::Events, &by_query, Order::NewestFirst, None, 100).unwrap().items.len(), 1);
}

#[test]
fn however_many_processes_meet_in_a_millisecond_none_of_their_records_is_lost() {
    let folder = Folder::new("meeting");
    let mut writer = Writer::open(&folder.0, LARGE).unwrap();
    // Each counts from one, all in the same millisecond; one of them says that it counted to the end.
    let of = |process: u32, number: u64| Record {
        id: EventId::new(NOON, process, number),
        ..record(NOON, number, json!({"kind": "waf", "service": "shop"}))
    };
    let numbers = (1..=30).chain([(1 << 20) - 1]);
    let portions: Vec<Portion> = (0..100)
        .map(|process| {
            let events = numbers.clone().map(|number| of(process, number)).collect();
            let batch = Batch { events, ..Batch::default() };
            Portion { stream: format!("{process}").into(), last: 1, batch }
        })
        .collect();
    let earlier = 90;
    writer.take_in(&portions[..earlier], NOON).unwrap();
    writer.take_in(&portions[earlier..], NOON).unwrap();
    // At the very end of a millisecond there is room for one.
    assert_eq!(count(&folder), 100 * 30 + 1);
    let found = Reader::new(&folder.0).event(EventId::new(NOON, 99, 30)).unwrap();
    assert!(found.is_some_and(|found| found.id == EventId::new(NOON, 99, 30)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Processes that count alike meet in the same rows; the second file, begun on the next day, has rows that the first has.
    #[test]
    fn pages_have_each_record_once_however_many_share_a_millisecond(
        first in proptest::collection::btree_set((0..3_u64, 1..4_u32, 1..6_u64), 0..40),
        second in proptest::collection::btree_set((0..3_u64, 4..7_u32, 1..6_u64), 0..40),
        limit in 1..9_usize,
        is_newest_first: bool,
    ) {
        let folder = Folder::new(&format!("once-{:?}", std::thread::current().id()));
        let of = |(millis, process, number): &(u64, u32, u64)| {
            let id = EventId::new(NOON + millis, *process, *number);
            Record { id, time: Moment(NOON + millis), json: r#"{"kind":"waf"}"#.into() }
        };
        let mut writer = Writer::open(&folder.0, LARGE).unwrap();
        for (day, events) in [&first, &second].into_iter().enumerate() {
            let batch = Batch { events: events.iter().map(of).collect(), ..Batch::default() };
            writer.append(&batch, NOON + day as u64 * 86_400_000).unwrap();
        }
        let reader = Reader::new(&folder.0);
        let order = if is_newest_first { Order::NewestFirst } else { Order::OldestFirst };
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = reader.page(Table::Events, &Filter::default(), order, after, limit).unwrap();
            prop_assert_eq!(page.items.len(), page.places.len());
            // Those that share the last one's row come with it: one of each file.
            prop_assert!(page.items.len() <= limit + 1);
            for (record, place) in page.items.iter().zip(&page.places) {
                // Whoever saw this one last is given all that come behind it.
                let before = reader.before(record.id).unwrap();
                let rest = reader.page(Table::Events, &Filter::default(), Order::OldestFirst, Some(before), 1).unwrap();
                prop_assert!(rest.items.iter().any(|one| one.id == record.id), "{:?}", place);
            }
            found.extend(page.items.into_iter().map(|record| record.id));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let millis: Vec<u64> = found.iter().map(|id| id.unix_millis()).collect();
        let is_ordered = match order {
            Order::NewestFirst => millis.is_sorted_by(|one, next| one >= next),
            Order::OldestFirst => millis.is_sorted(),
        };
        prop_assert!(is_ordered);
        found.sort_unstable();
        let mut all: Vec<EventId> = first.iter().chain(&second).map(|event| of(event).id).collect();
        all.sort_unstable();
        prop_assert_eq!(found, all);
    }
}
