//! `/api/v1/policies/suggestions`: policies that would allow what traffic shows, and nothing else, with what they rest on.
//!
//! From L7 records: aggregated and redacted, so a policy is wider where a record is less exact, and says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_events::store::{Filter, Order, Table};
use palisade_model::Calendar;
use serde_json::{Value, json};

use super::request::Parameters;
use super::{Refused, bad, window_and_place};
use crate::control::Control;
use crate::records::Records;
use crate::suggestions::SeenTraffic;

/// Records that are looked at, the newest first, and the time for it.
const RECORDS_MAX: usize = 200_000;
const TIME_MAX: Duration = Duration::from_secs(3);
const PAGE: usize = 1_000;

pub(super) async fn policy_suggestions(
    parameters: &Parameters,
    control: &dyn Control,
    records: &Arc<Records>,
) -> Result<Value, Refused> {
    let (from, to, after) = window_and_place(parameters)?;
    let limit = parameters.limit()?;
    let service = parameters.one("service")?.filter(|name| !name.is_empty()).map(str::to_owned);
    let staged = match parameters.one("staged")? {
        None | Some("no") => false,
        Some("yes") => true,
        Some(_) => return Err(bad("`staged` is yes or no")),
    };
    let mut learner = control.policy_learner(staged);
    records
        .read(move |store| {
            let begun = Instant::now();
            let filter = Filter {
                from_unix_millis: Some(from),
                to_unix_millis: Some(to),
                service,
                ..Filter::default()
            };
            let (mut cursor, mut read, mut complete_from) = (None, 0, None);
            loop {
                let page = store.page(Table::Traffic, &filter, Order::NewestFirst, cursor, PAGE)?;
                for record in &page.items {
                    if let Ok(seen) = serde_json::from_str::<SeenTraffic<'_>>(&record.json) {
                        learner.learn(&seen);
                    }
                }
                read += page.items.len();
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
                if read >= RECORDS_MAX || begun.elapsed() > TIME_MAX {
                    complete_from = page.items.last().map(|record| record.id.unix_millis());
                    break;
                }
            }
            let suggested = learner.suggest();
            let time = |millis: u64| Calendar::new(millis, 0).rfc3339();
            let next = (suggested.items.len() > after.saturating_add(limit))
                .then(|| format!("{from}.{to}.{}", after + limit));
            let items: Vec<_> = suggested.items.iter().skip(after).take(limit).collect();
            Ok(json!({
                "from": time(from), "to": time(to), "complete_from": complete_from.map(time), "records": read,
                "learned": suggested.learned, "left_out": suggested.left_out, "items": items, "next": next,
            }))
        })
        .await
}
