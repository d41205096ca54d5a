//! What lists answer, by hand and against a definition that looks at every entry.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use palisade_lists::{
    Added, Country, Entry, EntryId, Full, Hit, Limits, Listing, Lists, Moment, Nowhere, Origin, Places,
    Query, Scope, Source, Subject, What,
};
use proptest::prelude::*;

const NOW: Moment = Moment(1_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn lists() -> Lists {
    Lists::new(Limits::default())
}

fn entry(list: Listing, subject: &str) -> Entry {
    Entry {
        list,
        subject: subject.parse().unwrap(),
        scope: Scope::ALL,
        origin: Origin::Api,
        reason: "a test".into(),
        created: NOW,
        expires: None,
    }
}

fn add(lists: &mut Lists, entry: Entry) -> Added {
    lists.add(entry, NOW, &"somebody".into()).unwrap()
}

fn find_at(lists: &Lists, address: &str, application: Option<u32>, now: Moment) -> Option<Hit> {
    lists.find(&Source { address: address.parse().unwrap(), application, places: &Map }, now)
}

fn found(lists: &Lists, address: &str) -> String {
    find_at(lists, address, None, NOW).map_or("-".to_owned(), |hit| format!("{}:{}", hit.list, hit.subject))
}

/// 198.51.100.0/24 is Dutch and of AS64500.
struct Map;

impl Places for Map {
    fn country(&self, address: IpAddr) -> Option<Country> {
        address.to_string().starts_with("198.51.100.").then(|| "NL".parse().unwrap())
    }

    fn asn(&self, address: IpAddr) -> Option<u32> {
        address.to_string().starts_with("198.51.100.").then_some(64500)
    }
}

#[test]
fn the_first_list_in_order_counts_and_then_the_smallest_network() {
    let mut lists = lists();
    for (list, subject) in [
        (Listing::Gray, "192.0.2.7"),
        (Listing::Deny, "192.0.2.0/24"),
        (Listing::Deny, "192.0.0.0/16"),
        (Listing::Allow, "192.0.2.8/29"),
        (Listing::Deny, "2001:db8::/32"),
        (Listing::Allow, "2001:db8:1::/48"),
        (Listing::Deny, "NL"),
        (Listing::Gray, "AS64500"),
        (Listing::Gray, "0.0.0.0/0"),
    ] {
        assert_eq!(add(&mut lists, entry(list, subject)), Added::New);
    }
    for (address, expected) in [
        ("192.0.2.7", "deny:192.0.2.0/24"),
        ("192.0.2.9", "allow:192.0.2.8/29"),
        ("192.0.3.1", "deny:192.0.0.0/16"),
        ("::ffff:192.0.2.7", "deny:192.0.2.0/24"),
        ("2001:db8::1", "deny:2001:db8::/32"),
        ("2001:db8:1::1", "allow:2001:db8:1::/48"),
        ("2001:db9::1", "-"),
        ("198.51.100.1", "deny:NL"),
        ("203.0.113.1", "gray:0.0.0.0/0"),
    ] {
        assert_eq!(found(&lists, address), expected, "{address}");
    }
    assert_eq!(lists.len(Listing::Deny), 4);
}

#[test]
fn an_entry_holds_until_it_is_over_and_for_its_applications() {
    let mut lists = lists();
    let for_one = Entry {
        scope: Scope::of(vec![1]).unwrap(),
        expires: Some(NOW.after(HOUR)),
        ..entry(Listing::Deny, "192.0.2.7")
    };
    add(&mut lists, for_one);
    let at = |lists: &Lists, application, now| find_at(lists, "192.0.2.7", application, now).is_some();
    assert!(at(&lists, Some(1), NOW) && !at(&lists, Some(2), NOW) && !at(&lists, None, NOW));
    assert!(at(&lists, Some(1), NOW.after(HOUR - Duration::from_millis(1))));
    assert!(!at(&lists, Some(1), NOW.after(HOUR)));
    let swept: Vec<Entry> = (0..64).flat_map(|_| lists.sweep(NOW.after(HOUR))).collect();
    assert_eq!((swept.len(), lists.is_empty(), lists.len(Listing::Deny)), (1, true, 0));
    assert_eq!(lists.changes().next().map(|change| change.what), Some(What::Expired));
}

#[test]
fn what_people_wrote_is_not_changed_by_what_a_source_does() {
    let mut lists = lists();
    let by_people = Entry { expires: Some(NOW.after(HOUR)), ..entry(Listing::Gray, "192.0.2.7") };
    let earned = |reason: &str| Entry {
        origin: Origin::Automatic,
        reason: reason.into(),
        expires: Some(NOW.after(2 * HOUR)),
        ..entry(Listing::Gray, "192.0.2.7")
    };
    add(&mut lists, by_people.clone());
    assert_eq!(add(&mut lists, earned("a")), Added::Kept);
    assert_eq!(lists.get(&by_people.id()), Some(by_people.clone()));
    let later = NOW.after(HOUR);
    assert_eq!(lists.add(earned("b"), later, &"sources".into()), Ok(Added::Replaced));
    // And people's takes the place of what was earned.
    assert_eq!(add(&mut lists, by_people.clone()), Added::Replaced);
    assert_eq!(lists.len(Listing::Gray), 1);
}

#[test]
fn the_file_takes_away_what_it_put_there_and_nothing_else() {
    let mut lists = lists();
    let by: Arc<str> = "file".into();
    let timed = Entry { expires: Some(NOW.after(HOUR)), ..entry(Listing::Deny, "192.0.2.1") };
    let follow =
        |lists: &mut Lists, entries: Vec<Entry>, now| lists.follow_file(entries, now, &by).unwrap().len();
    assert_eq!(follow(&mut lists, vec![timed.clone(), entry(Listing::Deny, "192.0.2.2")], NOW), 2);
    add(&mut lists, entry(Listing::Deny, "192.0.2.2"));
    // Read again an hour later: its hour counts from the first time.
    let later = NOW.after(HOUR);
    let again = Entry { created: later, expires: Some(later.after(HOUR)), ..timed };
    (0..64).for_each(|_| assert_eq!(lists.sweep(later), []));
    assert_eq!(follow(&mut lists, vec![again, entry(Listing::Deny, "192.0.2.2")], later), 0);
    assert_eq!(find_at(&lists, "192.0.2.1", None, later), None);
    // Gone from the file, both of the file's go; the one by API stays.
    assert_eq!(follow(&mut lists, Vec::new(), later), 2);
    assert_eq!(lists.entries().map(|entry| entry.origin).collect::<Vec<_>>(), [Origin::Api]);
}

#[test]
fn bounds_refuse_and_say_which() {
    let limits = Limits { entries_max: 4, automatic_max: 1, entries_of_subject_max: 2, ..Limits::default() };
    let mut lists = Lists::new(limits);
    let earned = |subject: &str| Entry { origin: Origin::Automatic, ..entry(Listing::Gray, subject) };
    let by: Arc<str> = "x".into();
    let mut add = |entry| lists.add(entry, NOW, &by);
    assert_eq!(add(earned("192.0.2.1")), Ok(Added::New));
    assert_eq!(add(earned("192.0.2.2")), Err(Full::Automatic));
    assert_eq!(add(earned("192.0.2.1")), Ok(Added::Replaced));
    assert_eq!(add(entry(Listing::Deny, "192.0.2.1")), Ok(Added::New));
    assert_eq!(add(entry(Listing::Allow, "192.0.2.1")), Err(Full::Subject));
    assert_eq!(add(entry(Listing::Deny, "192.0.2.2")), Ok(Added::New));
    assert_eq!(add(entry(Listing::Deny, "NL")), Ok(Added::New));
    assert_eq!(add(entry(Listing::Deny, "AS1")), Err(Full::Entries));
    assert_eq!(add(entry(Listing::Deny, "NL")), Ok(Added::Replaced));
}

#[test]
fn history_and_tombstones_are_bounded_and_a_tombstone_goes_when_its_entry_is_back() {
    let limits = Limits { changes_max: 3, tombstones_max: 2, ..Limits::default() };
    let mut lists = Lists::new(limits);
    let by: Arc<str> = "somebody".into();
    let ids: Vec<EntryId> = (1..=4)
        .map(|number| {
            let entry = entry(Listing::Deny, &format!("192.0.2.{number}"));
            let id = entry.id();
            lists.add(entry, NOW, &by).unwrap();
            id
        })
        .collect();
    for id in &ids {
        assert!(lists.remove(id, NOW, &by).is_some());
        assert!(lists.remove(id, NOW, &by).is_none());
    }
    assert_eq!(lists.changes().count(), 3);
    assert_eq!([0, 1, 2, 3].map(|at| lists.gone_at(&ids[at]).is_some()), [false, false, true, true]);
    lists.add(entry(Listing::Deny, "192.0.2.4"), NOW, &by).unwrap();
    assert_eq!((lists.gone_at(&ids[3]), lists.tombstones().count()), (None, 1));
    lists.sweep(NOW.after(48 * HOUR));
    assert_eq!(lists.tombstones().count(), 0);
}

#[test]
fn pages_go_from_the_latest_to_the_first_and_lose_nothing() {
    let mut lists = lists();
    for number in 0..=255_u32 {
        let list = if number % 2 == 0 { Listing::Deny } else { Listing::Gray };
        let reason = if number % 8 == 0 { "eighth" } else { "other" };
        add(&mut lists, Entry { reason: reason.into(), ..entry(list, &format!("192.0.2.{number}")) });
    }
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = lists.page(&Query { before, limit: 10, ..Query::of(Listing::Deny) }, NOW);
        assert!(page.entries.len() <= 10);
        all.extend(page.entries);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(all.len(), 128);
    assert_eq!(all[0].subject.to_string(), "192.0.2.254");
    let of = |query: Query<'_>| lists.page(&query, NOW).entries.len();
    assert_eq!(of(Query { reason: Some("eighth"), ..Query::of(Listing::Deny) }), 32);
    assert_eq!(of(Query { origin: Some(Origin::File), ..Query::of(Listing::Deny) }), 0);
    let about = |text: &str| Query { address: Some(text.parse().unwrap()), ..Query::of(Listing::Deny) };
    assert_eq!((of(about("192.0.2.4")), of(about("192.0.2.5"))), (1, 0));
}

/// What the lists are to answer, by looking at every entry.
fn by_definition(entries: &[Entry], source: &Source<'_>, now: Moment) -> Option<(Listing, Subject)> {
    let holds = |entry: &&Entry| {
        let is_in = match entry.subject {
            Subject::Network(network) => network.contains(source.address),
            Subject::Country(country) => source.places.country(source.address) == Some(country),
            Subject::Asn(asn) => source.places.asn(source.address) == Some(asn),
        };
        is_in && !entry.is_over(now) && entry.scope.holds(source.application)
    };
    let size = |subject: Subject| match subject {
        Subject::Network(network) => 200 - u32::from(network.bits()),
        Subject::Country(_) => 300,
        Subject::Asn(_) => 400,
    };
    let best = entries.iter().filter(holds).min_by_key(|entry| (entry.list, size(entry.subject)))?;
    Some((best.list, best.subject))
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let subject = prop_oneof![
        (0_u32..64, 20_u8..=32).prop_map(|(low, bits)| {
            let address = IpAddr::V4((0xc000_0200 | (low * 37)).into());
            Subject::Network(palisade_lists::Network::around(address, bits))
        }),
        (0_u128..64, 100_u8..=128).prop_map(|(low, bits)| {
            let address = IpAddr::V6((0x2001_0db8 << 96 | low).into());
            Subject::Network(palisade_lists::Network::around(address, bits))
        }),
        Just("NL".parse().unwrap()),
        Just(Subject::Asn(64500)),
    ];
    let list = prop_oneof![Just(Listing::Allow), Just(Listing::Deny), Just(Listing::Gray)];
    let scope = prop_oneof![Just(vec![]), Just(vec![1]), Just(vec![1, 2])];
    (subject, list, scope, proptest::option::of(0_u64..200)).prop_map(|(subject, list, scope, expires)| {
        Entry {
            list,
            subject,
            scope: Scope::of(scope).unwrap(),
            origin: Origin::Api,
            reason: "".into(),
            created: Moment(0),
            expires: expires.map(Moment),
        }
    })
}

proptest! {
    #[test]
    fn a_lookup_finds_what_looking_at_every_entry_finds(
        changes in proptest::collection::vec((any_entry(), any::<bool>()), 1..80),
        asked in proptest::collection::vec((0_u32..2600, any::<bool>(), 0_u64..200, proptest::option::of(1_u32..4)), 1..60),
    ) {
        let mut lists = lists();
        let mut all: Vec<Entry> = Vec::new();
        let by: Arc<str> = "x".into();
        for (entry, removes) in changes {
            all.retain(|other| other.id() != entry.id());
            if removes {
                lists.remove(&entry.id(), NOW, &by);
            } else {
                lists.add(entry.clone(), NOW, &by).unwrap();
                all.push(entry);
            }
        }
        prop_assert_eq!(lists.entries().count(), all.len());
        for (low, v6, now, application) in asked {
            let address = match v6 {
                true => IpAddr::V6((0x2001_0db8 << 96 | u128::from(low % 64)).into()),
                false if low % 5 == 0 => IpAddr::V4((0xc633_6400 | (low % 256)).into()),
                false => IpAddr::V4((0xc000_0200 + low).into()),
            };
            let source = Source { address, application, places: &Map };
            let found = lists.find(&source, Moment(now)).map(|hit| (hit.list, hit.subject));
            prop_assert_eq!(found, by_definition(&all, &source, Moment(now)), "{}", address);
        }
    }
}

#[test]
fn nowhere_is_no_place() {
    let address = "198.51.100.1".parse().unwrap();
    assert_eq!((Nowhere.country(address), Nowhere.asn(address)), (None, None));
}
