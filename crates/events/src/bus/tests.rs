use super::*;

fn event(path: &str) -> Event {
    Event { path: Redactor::new().text(path.as_bytes(), 8192), ..Event::default() }
}

fn quick() -> BusLimits {
    BusLimits {
        batch_window: Duration::from_millis(1),
        losses_every: Duration::from_millis(10),
        ..BusLimits::default()
    }
}

fn values(batches: &[Arc<Batch>]) -> Vec<serde_json::Value> {
    let events = batches.iter().flat_map(|batch| &batch.events);
    events.map(|record| serde_json::from_str(&record.json).unwrap()).collect()
}

#[test]
fn every_subscriber_gets_every_event_in_order_and_then_the_end() {
    let bus = Bus::start(quick(), None).unwrap();
    let taking: Vec<_> = ["store", "sink"]
        .map(|name| {
            let subscription = bus.subscribe(name, 10_000);
            thread::spawn(move || std::iter::from_fn(|| subscription.next()).collect::<Vec<_>>())
        })
        .into_iter()
        .collect();
    for number in 0..3000 {
        bus.send(event(&format!("/{number}")));
    }
    assert!(bus.end_within(Duration::from_secs(10)));
    for taking in taking {
        let batches = taking.join().unwrap();
        let values = values(&batches);
        assert_eq!(values.len(), 3000);
        let paths: Vec<&str> = values.iter().map(|value| value["path"].as_str().unwrap()).collect();
        assert!(paths.iter().enumerate().all(|(number, path)| *path == format!("/{number}")));
        let ids: Vec<EventId> =
            batches.iter().flat_map(|batch| &batch.events).map(|record| record.id).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "ids grow");
    }
}

#[test]
fn a_subscriber_that_does_not_keep_up_loses_alone_and_is_told() {
    let bus = Bus::start(quick(), None).unwrap();
    let (slow, quick) = (bus.subscribe("slow", 2), bus.subscribe("quick", 100_000));
    for number in 0..50 {
        bus.send(event(&format!("/{number}")));
        thread::sleep(Duration::from_millis(2));
    }
    thread::sleep(Duration::from_millis(50));
    let lost = bus.counts().subscribers[0].dropped;
    assert!(lost > 0, "{:?}", bus.counts());
    let taking = thread::spawn(move || std::iter::from_fn(|| quick.next()).collect::<Vec<_>>());
    drop(slow);
    assert!(bus.end_within(Duration::from_secs(10)));
    let values = values(&taking.join().unwrap());
    assert_eq!(values.iter().filter(|value| value["kind"] == "waf").count(), 50);
    let told = values.iter().filter(|value| value["kind"] == "dropped" && value["dropped"]["at"] == "slow");
    let told: u64 = told.map(|value| value["dropped"]["events"].as_u64().unwrap()).sum();
    assert!(told > 0 && told <= lost, "{told} of {lost}");
}

#[test]
fn a_full_queue_drops_and_says_so() {
    let limits = BusLimits { events_max: 10, batch_window: Duration::from_millis(100), ..quick() };
    let bus = Bus::start(limits, None).unwrap();
    let subscription = bus.subscribe("store", 100_000);
    let began = Instant::now();
    (0..1000).for_each(|number| bus.send(event(&format!("/{number}"))));
    assert!(began.elapsed() < Duration::from_millis(90), "nobody waits");
    assert!(bus.counts().dropped >= 900, "{:?}", bus.counts());
    thread::sleep(Duration::from_millis(150));
    let taking = thread::spawn(move || std::iter::from_fn(|| subscription.next()).collect::<Vec<_>>());
    assert!(bus.end_within(Duration::from_secs(10)));
    let values = values(&taking.join().unwrap());
    let told: u64 = values.iter().filter_map(|value| value["dropped"]["events"].as_u64()).sum();
    assert_eq!(told, bus.counts().dropped);
}

#[test]
fn long_events_fill_the_queue_by_their_bytes() {
    let limits = BusLimits { bytes_max: 100 * 1024, batch_window: Duration::from_secs(5), ..quick() };
    let bus = Bus::start(BusLimits { losses_every: Duration::from_secs(60), ..limits }, None).unwrap();
    let long = "x".repeat(8000);
    (0..100).for_each(|_| bus.send(event(&long)));
    assert_eq!(bus.counts().dropped, 90, "each is 10 KiB");
}

#[test]
fn a_subscriber_that_is_gone_delays_nobody() {
    let bus = Bus::start(quick(), None).unwrap();
    drop(bus.subscribe("gone", 10));
    bus.send(event("/"));
    assert!(bus.end_within(Duration::from_secs(5)));
    bus.send(event("/late"));
    assert_eq!(bus.counts().dropped, 1);
}
