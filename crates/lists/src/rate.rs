//! How often somebody may ask.
//!
//! Memory is bounded, and what is remembered is given up only when it no longer matters: a state that nobody touched for
//! as long as it takes to forgive everything is as good as none. Where there are more keys than room, keys that are new
//! share a few thousand states among them. So whoever makes up keys by the million shares limits with others who are new,
//! and takes nobody's count away, their own least of all.

use std::hash::BuildHasher as _;
use std::time::Duration;

use palisade_model::Moment;

use crate::generations::Generations;

use crate::seed::Seed;
use crate::watch::Window;

/// How often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// So many requests.
    pub requests: u32,
    /// In so much time.
    pub per: Duration,
    /// How they are counted.
    pub by: Counting,
}

/// How requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Those of the time that ends now, by two counts: those of the window before count in part, as if they had come evenly.
    SlidingWindow,
    /// They fill a bucket that leaks evenly: so many may come at once beyond the even pace.
    LeakyBucket {
        /// Requests at once, the first aside.
        burst: u32,
    },
}

impl Rate {
    /// How long a request takes to leak; whole microseconds, and never none.
    pub fn each(&self) -> Duration {
        Duration::from_micros((self.per.as_micros() as u64 / u64::from(self.requests.max(1))).max(1))
    }
}

/// What a limit says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It is within the limit.
    Within,
    /// It is above it, until so long from now.
    Above(Duration),
}

/// What several processes together have counted of a key, as of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// By a sliding window.
    Window {
        /// How long ago it began.
        age: Duration,
        /// Requests of the window before.
        before: u32,
        /// Requests of this one.
        now: u32,
    },
    /// By a leaky bucket: how long it takes to be empty.
    Bucket(Duration),
}

/// Counts requests by key.
#[derive(Debug)]
pub struct Meter {
    rate: Rate,
    keys_max: usize,
    seed: Seed,
    known: Generations<u64, State>,
    /// Of keys for which there was no room.
    shared: Vec<State>,
    turned: Moment,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug)]
enum State {
    Window(Window),
    /// When the bucket is empty, in microseconds since 1970.
    Bucket(u64),
}

/// States that keys share for which there is no room.
const SHARED: usize = 4_096;

impl Meter {
    /// A meter with room for so many keys.
    pub fn new(rate: Rate, keys_max: usize, seed: Seed) -> Self {
        Self { rate, keys_max, seed, known: Generations::new(seed), shared: Vec::new(), turned: Moment(0) }
    }

    /// Counts a request with a key, if it is within the limit. What is above it does not count, so that whoever slows down
    /// gets through.
    pub fn take(&mut self, key: &[u8], now: Moment) -> Pace {
        if now.since(self.turned) >= self.forgiven_after() {
            self.known.turn();
            if now.since(self.turned) >= 2 * self.forgiven_after() {
                self.known.turn();
                self.shared = Vec::new();
            }
            self.turned = now;
        }
        let rate = self.rate;
        let hash = self.seed.hash_one(key);
        if let Some(state) = self.known.get(hash) {
            return state.take(&rate, now);
        }
        if self.known.len() < self.keys_max {
            return self.known.get_or(hash, || State::new(&rate, now)).take(&rate, now);
        }
        if self.shared.is_empty() {
            self.shared = vec![State::new(&rate, now); SHARED];
        }
        self.shared[hash as usize % SHARED].take(&rate, now)
    }

    /// Goes on with what several processes together have counted of a key, and `since` requests here that are not in that
    /// yet. What was counted here stays where it is more: a store that forgot gives nobody a fresh start. A key for which
    /// there is no room stays with those that share.
    pub fn adopt(&mut self, key: &[u8], together: Together, since: u32, now: Moment) {
        let (rate, hash) = (self.rate, self.seed.hash_one(key));
        let Some(adopted) = State::of(&rate, together, since, now, self.forgiven_after().saturating_mul(4))
        else {
            return;
        };
        if let Some(state) = self.known.get(hash) {
            if state.level(&rate, now) < { adopted }.level(&rate, now) {
                *state = adopted;
            }
        } else if self.known.len() < self.keys_max {
            self.known.get_or(hash, || adopted);
        }
    }

    /// Keys that are known by themselves.
    pub fn keys(&self) -> usize {
        self.known.len()
    }

    /// How long it takes until a key that nobody uses is as one that was never used.
    fn forgiven_after(&self) -> Duration {
        match self.rate.by {
            Counting::SlidingWindow => 2 * self.rate.per,
            Counting::LeakyBucket { burst } => {
                let times = f64::from(burst.saturating_add(1)) / f64::from(self.rate.requests.max(1));
                self.rate.per.mul_f64(times).max(Duration::from_millis(1))
            }
        }
    }
}

impl State {
    fn new(rate: &Rate, now: Moment) -> Self {
        match rate.by {
            Counting::SlidingWindow => Self::Window(Window::new(now)),
            Counting::LeakyBucket { .. } => Self::Bucket(0),
        }
    }

    /// What was counted elsewhere, `since` more here; `None` where it was counted otherwise. Nobody is believed that it takes
    /// longer than `longest` to be forgiven.
    fn of(rate: &Rate, together: Together, since: u32, now: Moment, longest: Duration) -> Option<Self> {
        match (together, rate.by) {
            (Together::Window { age, before, now: counted }, Counting::SlidingWindow) => {
                let age = age.min(rate.per).as_millis() as u64;
                let began = Moment(now.0.saturating_sub(age));
                Some(Self::Window(Window::of(began, before, counted.saturating_add(since))))
            }
            (Together::Bucket(level), Counting::LeakyBucket { .. }) => {
                let level = level.saturating_add(rate.each().saturating_mul(since)).min(longest);
                Some(Self::Bucket(now.0.saturating_mul(1000).saturating_add(level.as_micros() as u64)))
            }
            _ => None,
        }
    }

    /// How much counts now, to be compared with others of the rate.
    fn level(&mut self, rate: &Rate, now: Moment) -> f64 {
        match self {
            Self::Window(window) => window.estimate(now, rate.per),
            Self::Bucket(empty_at) => empty_at.saturating_sub(now.0.saturating_mul(1000)) as f64,
        }
    }

    fn take(&mut self, rate: &Rate, now: Moment) -> Pace {
        match (self, rate.by) {
            (Self::Window(window), _) => {
                if window.estimate(now, rate.per) + 1.0 <= f64::from(rate.requests) {
                    window.add(now, rate.per);
                    return Pace::Within;
                }
                Pace::Above(window.wait(rate.requests, now, rate.per).max(Duration::from_millis(1)))
            }
            (Self::Bucket(empty_at), by) => {
                let burst = if let Counting::LeakyBucket { burst } = by { burst } else { 0 };
                let each = rate.each().as_micros() as f64;
                let room = (each * f64::from(burst)) as u64;
                let micros = now.0.saturating_mul(1000);
                let level = empty_at.saturating_sub(micros);
                if level > room {
                    return Pace::Above(Duration::from_micros((level - room).max(1000)));
                }
                *empty_at = (*empty_at).max(micros).saturating_add(each as u64);
                Pace::Within
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_700_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn meter(requests: u32, by: Counting, keys_max: usize) -> Meter {
        Meter::new(Rate { requests, per: SECOND, by }, keys_max, Seed(7, 11))
    }

    fn passed(meter: &mut Meter, key: &[u8], times: usize, now: Moment) -> usize {
        (0..times).filter(|_| meter.take(key, now) == Pace::Within).count()
    }

    #[test]
    fn as_many_pass_as_may_and_the_answer_says_when_the_next_one_does() {
        for by in [Counting::SlidingWindow, Counting::LeakyBucket { burst: 9 }] {
            let mut meter = meter(10, by, 100);
            assert_eq!(passed(&mut meter, b"a", 30, NOW), 10, "{by:?}");
            assert_eq!(passed(&mut meter, b"b", 3, NOW), 3);
            let Pace::Above(wait) = meter.take(b"a", NOW) else { panic!("{by:?}") };
            let just_before = Moment(NOW.0 + wait.as_millis() as u64 - 2);
            assert_ne!(meter.take(b"a", just_before), Pace::Within, "{by:?} after {wait:?}");
            assert_eq!(
                meter.take(b"a", NOW.after(wait + Duration::from_millis(1))),
                Pace::Within,
                "{by:?} {wait:?}"
            );
            // In the long run the pace is what was asked for, however it is tried; a window that is full all the time takes what
            // comes at its beginning for spread over it, and lets somewhat less pass.
            let tries = (1..=20_000).map(|n| NOW.after(10 * SECOND + n * Duration::from_millis(1)));
            let through = tries.filter(|now| meter.take(b"a", *now) == Pace::Within).count();
            assert!((175..=212).contains(&through), "{by:?}: {through} in 20 s");
        }
        let mut even = meter(10, Counting::LeakyBucket { burst: 0 }, 100);
        assert_eq!(passed(&mut even, b"a", 5, NOW), 1);
        assert_eq!(passed(&mut even, b"a", 5, Moment(NOW.0 + 100)), 1);
    }

    #[test]
    fn what_others_counted_counts_here_and_what_was_counted_here_is_not_forgotten() {
        let tenth = Duration::from_millis(100);
        for by in [Counting::SlidingWindow, Counting::LeakyBucket { burst: 9 }] {
            let others = |count: u32| match by {
                Counting::SlidingWindow => Together::Window { age: Duration::ZERO, before: 0, now: count },
                Counting::LeakyBucket { .. } => Together::Bucket(tenth * count),
            };
            let mut meter = meter(10, by, 100);
            assert_eq!(passed(&mut meter, b"a", 3, NOW), 3);
            // Eight of all, ours among them, and one that came here since.
            meter.adopt(b"a", others(8), 1, NOW);
            assert_eq!(passed(&mut meter, b"a", 30, NOW), 1, "{by:?}");
            meter.adopt(b"a", others(0), 0, NOW);
            assert_eq!(passed(&mut meter, b"a", 30, NOW), 0, "{by:?}: a store that forgot");
            meter.adopt(b"new", others(9), 0, NOW);
            assert_eq!(passed(&mut meter, b"new", 30, NOW), 1, "{by:?}");
            // Whatever is said, it is forgiven in the end.
            for (number, nonsense) in [
                Together::Window { age: Duration::MAX, before: u32::MAX, now: u32::MAX },
                Together::Bucket(Duration::MAX),
            ]
            .into_iter()
            .enumerate()
            {
                let key = [number as u8];
                meter.adopt(&key, nonsense, u32::MAX, NOW);
                assert_eq!(passed(&mut meter, &key, 30, NOW.after(9 * SECOND)), 10, "{by:?}");
            }
        }
    }

    #[test]
    fn a_million_made_up_keys_give_nobody_a_fresh_start() {
        for by in [Counting::SlidingWindow, Counting::LeakyBucket { burst: 9 }] {
            let mut meter = meter(10, by, 1_000);
            assert_eq!(passed(&mut meter, b"one", 30, NOW), 10);
            for number in 0..1_000_000_u32 {
                meter.take(&number.to_le_bytes(), NOW);
            }
            assert!(meter.keys() <= 1_000);
            assert_eq!(passed(&mut meter, b"one", 30, NOW), 0, "{by:?}");
            // Made-up keys get what there is for those who share.
            let through = (0..1_000_000_u32)
                .filter(|n| meter.take(&(n + 5_000_000).to_le_bytes(), NOW) == Pace::Within);
            assert!(through.count() <= SHARED * 10, "{by:?}");
            // And an hour later all is forgiven and forgotten.
            assert_eq!(passed(&mut meter, b"one", 30, NOW.after(3600 * SECOND)), 10);
            assert_eq!(meter.keys(), 1);
        }
    }
}
