//! A distribution of times over fixed buckets.

use std::time::Duration;

use super::{Count, Sample, Take, Value};

/// What a histogram has counted.
#[derive(Clone, Copy, Debug)]
pub struct HistogramValue<'a> {
    /// Upper bounds of the buckets, growing.
    pub bounds: &'a [f64],
    /// How many fell into each bucket and not into the one before; one more than bounds, for what is above all.
    pub counts: &'a [u64],
    /// All that was measured, summed.
    pub sum: f64,
}

/// Upper bounds in seconds, and the same in nanoseconds. From what rules take at least to what a client waits at most.
const BOUNDS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];
const BOUNDS_NANOS: [u64; 17] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Times, in seconds.
#[derive(Debug, Default)]
pub(super) struct Seconds {
    counts: [Count; BOUNDS.len() + 1],
    /// Wraps after 584 years.
    sum_nanos: Count,
}

impl Seconds {
    pub(super) fn record(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[BOUNDS_NANOS.partition_point(|bound| *bound < nanos)].one();
        self.sum_nanos.add(nanos);
    }

    pub(super) fn visit(&self, name: &str, help: &str, labels: &[(&str, &str)], take: Take<'_>) {
        let counts: [u64; BOUNDS.len() + 1] = std::array::from_fn(|at| self.counts[at].value());
        let sum = Duration::from_nanos(self.sum_nanos.value()).as_secs_f64();
        let value = Value::Histogram(HistogramValue { bounds: &BOUNDS, counts: &counts, sum });
        take(Sample { name, help, labels, value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_the_bucket_that_it_does_not_exceed() {
        for (seconds, nanos) in BOUNDS.iter().zip(BOUNDS_NANOS) {
            assert_eq!(Duration::from_secs_f64(*seconds).as_nanos(), u128::from(nanos));
        }
        let times = Seconds::default();
        for nanos in [0, 50_000, 50_001, 10_000_000_000, 10_000_000_001] {
            times.record(Duration::from_nanos(nanos));
        }
        times.visit("t", "", &[], &mut |sample| {
            let Value::Histogram(value) = sample.value else { panic!("{sample:?}") };
            assert_eq!(value.counts.len(), value.bounds.len() + 1);
            assert_eq!((value.counts[0], value.counts[1]), (2, 1));
            assert_eq!(value.counts[16..], [1, 1]);
            assert!((value.sum - 20.000_100_002).abs() < 1e-9, "{}", value.sum);
        });
    }
}
