//! What goes wrong on connections of HTTP/2, by the code that the protocol has for it.

use super::{Count, Sample, Take, Value};

/// Frames that end a stream or a connection, and floods.
#[derive(Debug, Default)]
pub(crate) struct Http2Counts {
    pub(crate) resets_received: [Count; CODES.len()],
    pub(crate) resets_sent: [Count; CODES.len()],
    pub(crate) goaways_received: [Count; CODES.len()],
    pub(crate) goaways_sent: [Count; CODES.len()],
    abuse: [Count; Http2Abuse::ALL.len()],
}

/// What a client does to a connection that only costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http2Abuse {
    /// Streams opened and reset at once.
    RapidReset,
    /// Frames that steer, and nothing that is steered.
    ControlFlood,
    /// Windows opened a few bytes at a time.
    TinyWindows,
    /// Nothing of what we send is taken.
    SlowReading,
}

/// Error codes of RFC 9113 section 7, by number; others are counted as the last.
const CODES: [&str; 15] = [
    "no_error",
    "protocol_error",
    "internal_error",
    "flow_control_error",
    "settings_timeout",
    "stream_closed",
    "frame_size_error",
    "refused_stream",
    "cancel",
    "compression_error",
    "connect_error",
    "enhance_your_calm",
    "inadequate_security",
    "http_1_1_required",
    "unknown",
];

impl Http2Abuse {
    pub(crate) const ALL: [Self; 4] =
        [Self::RapidReset, Self::ControlFlood, Self::TinyWindows, Self::SlowReading];

    fn name(self) -> &'static str {
        match self {
            Self::RapidReset => "rapid_reset",
            Self::ControlFlood => "control_flood",
            Self::TinyWindows => "tiny_windows",
            Self::SlowReading => "slow_reading",
        }
    }

    /// For a line of the log.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::RapidReset => "streams opened and reset at once",
            Self::ControlFlood => "frames that ask for nothing",
            Self::TinyWindows => "windows opened a few bytes at a time",
            Self::SlowReading => "nothing of the answers is taken",
        }
    }
}

impl Http2Counts {
    /// Counts one by its code.
    pub(crate) fn one(counts: &[Count; CODES.len()], code: u32) {
        let last = CODES.len() - 1;
        counts[usize::try_from(code).unwrap_or(last).min(last)].one();
    }

    pub(crate) fn abuse(&self, abuse: Http2Abuse) {
        self.abuse[abuse as usize].one();
    }

    pub(super) fn visit(&self, take: Take<'_>) {
        for (name, help, by, counts) in [
            ("palisade_http2_resets_total", RESETS, "client", &self.resets_received),
            ("palisade_http2_resets_total", RESETS, "palisade", &self.resets_sent),
            ("palisade_http2_goaways_total", GOAWAYS, "client", &self.goaways_received),
            ("palisade_http2_goaways_total", GOAWAYS, "palisade", &self.goaways_sent),
        ] {
            for (code, count) in CODES.into_iter().zip(counts) {
                let labels = [("by", by), ("code", code)];
                take(Sample { name, help, labels: &labels, value: Value::Counter(count.value()) });
            }
        }
        for (abuse, count) in Http2Abuse::ALL.into_iter().zip(&self.abuse) {
            take(Sample {
                name: "palisade_http2_abuse_total",
                help: "Connections of HTTP/2 that were ended because the client did what only costs, by what that was.",
                labels: &[("kind", abuse.name())],
                value: Value::Counter(count.value()),
            });
        }
    }
}

const RESETS: &str = "Streams of HTTP/2 that were reset, by who did it and by the code.";
const GOAWAYS: &str = "Connections of HTTP/2 whose end was announced, by who did it and by the code.";
