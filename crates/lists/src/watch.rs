//! What sources have done lately, and who of them has earned an entry by it.
//!
//! Counts are per source, application and behaviour. An IPv6 source is its network of 64 bits, since whoever has one
//! address there has them all. There is room for so many sources; of more, those are forgotten who have been quiet longest.

use std::net::IpAddr;
use std::time::Duration;

use palisade_model::{Listing, Moment, Network};

use crate::entry::Application;
use crate::generations::Generations;
use crate::seed::Seed;

/// Something that earns an entry when it happens too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Behaviour {
    /// Different malicious payloads.
    Payloads,
    /// Requests to places where one guesses.
    BruteForce,
    /// Requests for what is not there.
    ForcedBrowsing,
}

impl Behaviour {
    /// The word, for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payloads => "payloads",
            Self::BruteForce => "brute-force",
            Self::ForcedBrowsing => "forced-browsing",
        }
    }
}

/// How often is too often, and what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// More than so many.
    pub above: u32,
    /// In this time.
    pub within: Duration,
    /// The list that the source comes on.
    pub list: Listing,
    /// For how long.
    pub lasts: Duration,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The source, as it would be listed.
    pub source: Network,
    /// Of which application.
    pub application: Option<Application>,
}

impl Actor {
    /// A client of an application.
    pub fn new(address: IpAddr, application: Option<Application>) -> Self {
        let bits = if address.to_canonical().is_ipv4() { 32 } else { 64 };
        Self { source: Network::around(address, bits), application }
    }
}

/// Counts what sources do.
#[derive(Debug)]
pub struct Watch {
    sources_max: usize,
    payloads: Generations<(Actor, Listing), Vec<(u64, Moment)>>,
    events: Generations<(Actor, Behaviour, Listing), Window>,
}

/// The largest threshold: what is counted one by one is kept one by one.
pub const PAYLOADS_MAX: u32 = 100;

impl Watch {
    /// A watch over so many sources and behaviours, each kind by itself.
    pub fn new(sources_max: usize, seed: Seed) -> Self {
        Self { sources_max, payloads: Generations::new(seed), events: Generations::new(seed) }
    }

    /// A source sent malicious payloads, told apart by their hashes. Gives how many different ones it has sent, where these
    /// are too many; counting then begins anew.
    pub fn payloads(&mut self, actor: Actor, hashes: &[u64], than: &Threshold, now: Moment) -> Option<u32> {
        make_room(&mut self.payloads, self.sources_max);
        let key = (actor, than.list);
        let seen = self.payloads.get_or(key, Vec::new);
        seen.retain(|(_, at)| now.since(*at) < than.within);
        for hash in hashes {
            if let Some((_, at)) = seen.iter_mut().find(|(other, _)| other == hash) {
                *at = now;
            } else if seen.len() <= than.above.min(PAYLOADS_MAX) as usize {
                seen.push((*hash, now));
            }
        }
        let count = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        let too_many = count > than.above.min(PAYLOADS_MAX);
        if too_many {
            self.payloads.remove(&key);
        }
        too_many.then_some(count)
    }

    /// A source did something once. Gives how often, where that is too often; counting then begins anew.
    pub fn event(&mut self, actor: Actor, what: Behaviour, than: &Threshold, now: Moment) -> Option<u32> {
        make_room(&mut self.events, self.sources_max);
        let key = (actor, what, than.list);
        let window = self.events.get_or(key, || Window::new(now));
        window.add(now, than.within);
        let count = window.estimate(now, than.within).floor() as u32;
        let too_many = count > than.above;
        if too_many {
            self.events.remove(&key);
        }
        too_many.then_some(count)
    }

    /// Sources and behaviours that are remembered.
    pub fn len(&self) -> usize {
        self.payloads.len() + self.events.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn make_room<K: Copy + Eq + std::hash::Hash, V>(map: &mut Generations<K, V>, sources_max: usize) {
    if map.young_len() >= sources_max / 2 {
        map.turn();
    }
}

/// How often something happened in a time that ends now: two counts, the older of which counts in part. Its memory does not
/// grow, and its error is small where things come evenly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    began: Moment,
    before: u32,
    now: u32,
}

impl Window {
    pub(crate) fn new(now: Moment) -> Self {
        Self { began: now, before: 0, now: 0 }
    }

    /// One with counts that are known from elsewhere.
    pub(crate) fn of(began: Moment, before: u32, now: u32) -> Self {
        Self { began, before, now }
    }

    /// One more.
    pub(crate) fn add(&mut self, now: Moment, length: Duration) {
        self.move_to(now, length);
        self.now = self.now.saturating_add(1);
    }

    /// How often, by now.
    pub(crate) fn estimate(&mut self, now: Moment, length: Duration) -> f64 {
        self.move_to(now, length);
        f64::from(self.before) * (1.0 - self.share(now, length)) + f64::from(self.now)
    }

    /// How long until one more is not above a number, where nothing else comes.
    pub(crate) fn wait(&mut self, most: u32, now: Moment, length: Duration) -> Duration {
        self.move_to(now, length);
        // The share of the window that has to be over until what counts of `counted` is at most `left`.
        let share =
            |counted: u32, left: f64| (1.0 - left.max(0.0) / f64::from(counted.max(1))).clamp(0.0, 1.0);
        let most = f64::from(most);
        let wait = if f64::from(self.now) + 1.0 <= most {
            share(self.before, most - 1.0 - f64::from(self.now)) - self.share(now, length)
        } else {
            1.0 - self.share(now, length) + share(self.now, most - 1.0)
        };
        length.mul_f64(wait.max(0.0))
    }

    fn share(&self, now: Moment, length: Duration) -> f64 {
        (now.since(self.began).as_secs_f64() / length.as_secs_f64()).min(1.0)
    }

    fn move_to(&mut self, now: Moment, length: Duration) {
        let length_ms = (length.as_millis() as u64).max(1);
        let passed = now.0.saturating_sub(self.began.0) / length_ms;
        if passed == 0 {
            return;
        }
        self.before = if passed == 1 { self.now } else { 0 };
        self.now = 0;
        self.began = Moment(self.began.0.saturating_add(passed.saturating_mul(length_ms)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const NOW: Moment = Moment(10_000_000);

    fn actor(address: &str) -> Actor {
        Actor::new(address.parse().unwrap(), None)
    }

    fn above(above: u32) -> Threshold {
        Threshold { above, within: HOUR, list: Listing::Gray, lasts: HOUR }
    }

    fn watch() -> Watch {
        Watch::new(1_000, Seed(3, 5))
    }

    #[test]
    fn more_than_three_different_payloads_in_an_hour_are_too_many() {
        let mut watch = watch();
        let one = actor("192.0.2.1");
        for (number, hash) in [1, 2, 2, 1, 3, 3].into_iter().enumerate() {
            assert_eq!(watch.payloads(one, &[hash], &above(3), NOW), None, "{number}");
        }
        assert_eq!(watch.payloads(actor("192.0.2.2"), &[4], &above(3), NOW), None, "another source");
        assert_eq!(watch.payloads(one, &[4], &above(3), NOW), Some(4));
        assert_eq!(watch.payloads(one, &[5], &above(3), NOW), None, "it begins anew");
        assert_eq!(
            watch.payloads(actor("192.0.2.3"), &[1, 2, 3, 4, 5, 6], &above(3), NOW),
            Some(4),
            "all at once"
        );
    }

    #[test]
    fn what_was_an_hour_ago_does_not_count() {
        let mut watch = watch();
        let one = actor("192.0.2.1");
        for hash in 0..40 {
            let now = NOW.after(HOUR / 3 * hash as u32);
            assert_eq!(watch.payloads(one, &[hash], &above(3), now), None, "{hash}");
        }
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source() {
        let mut watch = watch();
        let sent = (1..=4).map(|n| watch.payloads(actor(&format!("2001:db8::{n}")), &[n], &above(3), NOW));
        assert_eq!(sent.collect::<Vec<_>>(), [None, None, None, Some(4)]);
        assert_eq!(actor("2001:db8::9").source.to_string(), "2001:db8::/64");
        assert_eq!(actor("::ffff:192.0.2.9").source.to_string(), "192.0.2.9/32");
    }

    #[test]
    fn as_many_sources_as_there_are_take_no_more_than_the_room() {
        let mut watch = watch();
        for number in 0..100_000_u32 {
            let actor = Actor::new(IpAddr::V4(number.into()), None);
            watch.payloads(actor, &[1], &above(3), NOW);
            watch.event(actor, Behaviour::ForcedBrowsing, &above(3), NOW);
            assert!(watch.len() <= 2_000);
        }
        // Who goes on is remembered meanwhile.
        let one = actor("198.51.100.1");
        for hash in 0..3 {
            watch.payloads(one, &[hash], &above(3), NOW);
            for number in 0..400_u32 {
                watch.payloads(Actor::new(IpAddr::V4(number.into()), None), &[1], &above(3), NOW);
            }
        }
        assert_eq!(watch.payloads(one, &[9], &above(3), NOW), Some(4));
    }

    #[test]
    fn a_window_counts_what_came_in_it_and_says_when_there_is_room() {
        let second = Duration::from_secs(1);
        let mut window = Window::new(Moment(0));
        (0..10).for_each(|n| window.add(Moment(n * 100), second));
        assert_eq!(window.estimate(Moment(999), second), 10.0);
        assert_eq!(window.estimate(Moment(1500), second), 5.0);
        assert_eq!(window.wait(5, Moment(1500), second), Duration::from_millis(100));
        assert_eq!(window.estimate(Moment(2999), second), 0.0);
        let mut full = Window::new(Moment(0));
        (0..10).for_each(|_| full.add(Moment(0), second));
        // All ten of the last second count until a tenth of the next one is over.
        let wait = full.wait(10, Moment(0), second);
        assert!((1_100..1_102).contains(&(wait.as_millis() as u64)), "{wait:?}");
        assert!(full.estimate(Moment(1_101), second) + 1.0 <= 10.0);
    }
}
