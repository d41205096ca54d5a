//! The target for `palisade-collector`: what data planes send, whoever they are.

use palisade_collector::messages::{Said, ToCollector};
use palisade_collector::read_portion;
use palisade_model::Moment;
use prost::Message as _;

/// A message of a data plane. What of it goes into the store is of that data plane, one line of JSON a record, in order, and
/// not longer than what was sent.
pub fn collector_portion(input: &[u8]) {
    const PLANE: &str = "web-1";
    let now = Moment(1_795_348_800_000);
    let Ok(ToCollector { said: Some(Said::Portion(said)) }) = ToCollector::decode(input) else { return };
    let (reached, number, sent) = (said.after, said.number, said.records.len() as u64);
    let Ok(arrived) = read_portion(said, (PLANE, "web-1/0"), reached, now) else { return };
    assert!(arrived.portion.last == number && number > reached);
    let batch = &arrived.portion.batch;
    assert_eq!(batch.len() as u64 + arrived.refused, sent);
    let mut bytes = 0;
    for record in batch.events.iter().chain(&batch.traffic).chain(&batch.alerts) {
        let json: serde_json::Value = serde_json::from_str(&record.json).expect("it is JSON");
        assert_eq!(json["dataplane"], PLANE);
        assert_eq!(json["id"], record.id.to_string());
        assert!(!record.json.contains(char::is_control));
        assert_eq!(record.time.0, record.id.unix_millis());
        bytes += record.json.len();
    }
    // What a terminal acts on is written by its number: at most six bytes for two.
    assert!(bytes <= 3 * input.len() + 32 * batch.len());
}
