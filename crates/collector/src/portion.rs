//! What a data plane sent, read. A data plane may have been taken over: whatever it says is bounded, one line of JSON a
//! record, of a time that can be, and never of another data plane.

use std::borrow::Cow;

use palisade_events::sinks::{Document, Kind};
use palisade_events::store::Portion;
use palisade_events::{Batch, Record};
use palisade_model::{EventId, Moment};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::messages::{PortionSaid, RecordSaid};
use crate::{PORTION_RECORDS_MAX, RECORD_BYTES_MAX};

/// How far ahead of ours a data plane's clock may be. What is later still would stand before everything for as long.
const AHEAD_MS_MAX: u64 = 24 * 3600 * 1000;

/// A portion that can go into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// It.
    pub portion: Portion,
    /// How many of its records will never be taken.
    pub refused: u64,
    /// The time of its latest record.
    pub latest: Option<Moment>,
}

/// Why a portion is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It does not follow what is in the store.
    #[error("a portion from {after} to {number} does not follow {reached}")]
    Order {
        /// Where it says that it begins.
        after: u64,
        /// Where it says that it ends.
        number: u64,
        /// What of the spool is in the store.
        reached: u64,
    },
    /// It has too many records.
    #[error("a portion has {PORTION_RECORDS_MAX} records at most")]
    Long,
}

/// Reads a portion of a data plane that follows what is in the store. What cannot be a record of its is refused and counted,
/// so that one does not keep back those after it.
///
/// # Errors
/// When it does not follow, or has too many records.
pub fn read_portion(
    said: PortionSaid,
    (plane, stream): (&str, &str),
    reached: u64,
    now: Moment,
) -> Result<Arrived, Misfit> {
    let PortionSaid { after, number, records } = said;
    // Numbers of SQLite have a sign.
    if after != reached || number <= reached || i64::try_from(number).is_err() {
        return Err(Misfit::Order { after, number, reached });
    }
    if records.len() > PORTION_RECORDS_MAX {
        return Err(Misfit::Long);
    }
    let mut batch = Batch::default();
    let mut refused = 0;
    let mut latest = None;
    for said in records {
        let Some((kind, record)) = record(said, plane, now) else {
            refused += 1;
            continue;
        };
        latest = latest.max(Some(record.time));
        match kind {
            Kind::Waf => batch.events.push(record),
            Kind::L7 => batch.traffic.push(record),
            Kind::Alerts => batch.alerts.push(record),
        }
    }
    Ok(Arrived { portion: Portion { stream: stream.into(), last: number, batch }, refused, latest })
}

/// The numbers of kinds on their way.
pub(crate) const fn number_of(kind: Kind) -> u32 {
    match kind {
        Kind::Waf => 1,
        Kind::L7 => 2,
        Kind::Alerts => 3,
    }
}

/// What is looked at of a record; all of it is JSON when this can be read.
#[derive(Deserialize)]
struct Looked<'j> {
    #[serde(borrow)]
    id: Cow<'j, str>,
    /// Whether it says whose it is, whatever it says.
    #[serde(default, deserialize_with = "is_there")]
    dataplane: bool,
}

fn is_there<'j, D: Deserializer<'j>>(member: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(member).map(|_| true)
}

/// A record of a data plane, which is said in it.
fn record(said: RecordSaid, plane: &str, now: Moment) -> Option<(Kind, Record)> {
    let kind = Kind::ALL.into_iter().find(|kind| number_of(*kind) == said.kind)?;
    let id = EventId(u128::from_be_bytes(said.id.as_ref().try_into().ok()?));
    let time = Moment(id.unix_millis());
    if said.json.len() > RECORD_BYTES_MAX || time.0 > now.0.saturating_add(AHEAD_MS_MAX) {
        return None;
    }
    // On one line, and without what a terminal acts on.
    let json = Document::new(kind, id.0, time.0, &said.json).json;
    let inner = json.trim_start().strip_prefix('{')?;
    let looked: Looked<'_> = serde_json::from_str(&json).ok()?;
    if looked.dataplane || EventId::parse(&looked.id) != Some(id) {
        return None;
    }
    // It has members: the id is one.
    let json = format!("{{\"dataplane\":\"{plane}\",{inner}");
    Some((kind, Record { id, time, json: json.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_700_000_000_000);

    fn id(number: u64) -> EventId {
        EventId::new(NOW.0, 7, number)
    }

    fn said(id: EventId, json: String) -> RecordSaid {
        RecordSaid { kind: 1, id: id.0.to_be_bytes().to_vec().into(), json }
    }

    fn portion(records: Vec<RecordSaid>) -> PortionSaid {
        PortionSaid { after: 5, number: 6, records }
    }

    fn read(said: PortionSaid) -> Result<Arrived, Misfit> {
        read_portion(said, ("web-1", "web-1/00"), 5, NOW)
    }

    #[test]
    fn a_record_says_whose_it_is() {
        let json = format!("{{\"id\":\"{}\",\"service\":\"web\"}}", id(1));
        let arrived = read(portion(vec![said(id(1), json)])).unwrap();
        let record = &arrived.portion.batch.events[0];
        assert_eq!(
            *record.json,
            format!("{{\"dataplane\":\"web-1\",\"id\":\"{}\",\"service\":\"web\"}}", id(1))
        );
        assert_eq!((arrived.refused, record.time, arrived.latest), (0, NOW, Some(NOW)));
    }

    #[test]
    fn what_cannot_be_a_record_is_refused_and_keeps_back_no_other() {
        let good = format!("{{\"id\":\"{}\"}}", id(1));
        let bad = [
            said(id(1), String::new()),
            said(id(1), "[]".to_owned()),
            said(id(1), "{}".to_owned()),
            said(id(2), good.clone()),
            said(id(1), format!("{good} {{}}")),
            said(id(1), format!("{{\"id\":\"{}\",\"dataplane\":\"web-2\"}}", id(1))),
            said(id(1), format!("{{\"id\":\"{}\",\"dataplane\":null}}", id(1))),
            said(id(1), format!("{{\"id\":\"{}\",\"data\\u0070lane\":\"web-2\"}}", id(1))),
            said(id(1), format!("{{\"id\":\"{}\",\"id\":\"x\"}}", id(1))),
            said(id(1), format!("{{\"id\":\"{}\",\"x\":\"{}\"}}", id(1), "x".repeat(RECORD_BYTES_MAX))),
            said(id(1), format!("{{\"id\":\"{}\",\"x\":{}}}", id(1), "[".repeat(100_000))),
            RecordSaid { kind: 9, ..said(id(1), good.clone()) },
            RecordSaid { id: vec![1, 2].into(), ..said(id(1), good.clone()) },
            said(EventId::new(NOW.0 + 2 * AHEAD_MS_MAX, 7, 1), good.clone()),
        ];
        let count = bad.len() as u64;
        let records = bad.into_iter().chain([said(id(1), good)]).collect();
        let arrived = read(portion(records)).unwrap();
        assert_eq!((arrived.refused, arrived.portion.batch.len()), (count, 1));
    }

    #[test]
    fn a_record_is_one_line() {
        let json = format!("{{\"id\":\"{}\",\n\"x\":\"\u{2028}\u{9b}\"}}", id(1));
        let arrived = read(portion(vec![said(id(1), json)])).unwrap();
        assert!(
            arrived.portion.batch.events[0].json.chars().all(|char| char.is_ascii_graphic() || char == ' ')
        );
    }

    #[test]
    fn a_portion_follows_what_is_in_the_store() {
        for (after, number) in [(4, 6), (6, 7), (5, 5), (5, 4), (0, u64::MAX), (5, u64::MAX)] {
            let misfit = read(PortionSaid { after, number, records: Vec::new() });
            assert_eq!(misfit, Err(Misfit::Order { after, number, reached: 5 }));
        }
        let many = vec![RecordSaid::default(); PORTION_RECORDS_MAX + 1];
        assert_eq!(read(portion(many)), Err(Misfit::Long));
    }
}
