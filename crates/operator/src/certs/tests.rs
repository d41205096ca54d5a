//! Renewal, by a clock that the tests wind.

use std::time::{Duration, SystemTime};

use super::*;

fn names() -> Vec<String> {
    vec!["palisade-webhook.palisade-system.svc".to_owned()]
}

const DAY: Duration = Duration::from_secs(86_400);

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

#[test]
fn nothing_changes_before_it_is_due() {
    let first = Kept::next(None, &names(), start()).unwrap();
    let later = Kept::next(Some(first.clone()), &names(), start() + DAY * 50).unwrap();
    assert_eq!(later, first);
    assert_eq!(first.bundle().matches("BEGIN CERTIFICATE").count(), 1);
    assert!(!first.certificate().is_empty() && first.key().contains("PRIVATE KEY"));
}

#[test]
fn a_certificate_is_renewed_after_two_thirds_by_the_same_authority() {
    let first = Kept::next(None, &names(), start()).unwrap();
    let renewed = Kept::next(Some(first.clone()), &names(), start() + DAY * 60).unwrap();
    assert_ne!(renewed.certificate(), first.certificate());
    assert_eq!(renewed.bundle(), first.bundle());
}

#[test]
fn another_name_wants_another_certificate() {
    let first = Kept::next(None, &names(), start()).unwrap();
    let other = vec!["other.palisade-system.svc".to_owned()];
    let renamed = Kept::next(Some(first.clone()), &other, start() + DAY).unwrap();
    assert_ne!(renamed.certificate(), first.certificate());
    assert_eq!(renamed.bundle(), first.bundle());
}

#[test]
fn a_new_authority_is_trusted_before_it_signs_and_the_old_one_until_it_ends() {
    let mut kept = Kept::next(None, &names(), start()).unwrap();
    let (mut bundles, mut overlapped) = (1, false);
    let mut hour = 0;
    // Two lives of an authority, an hour at a time around the change and a day otherwise.
    while hour < 24 * 800 {
        let now = start() + Duration::from_secs(hour * 3600);
        let next = Kept::next(Some(kept.clone()), &names(), now).unwrap();
        let signer = next.authorities.iter().find(|authority| authority.name == next.leaf.by);
        let signer = signer.unwrap_or_else(|| panic!("hour {hour}: nobody trusts what is shown"));
        assert!(next.leaf.life.to > seconds(now), "hour {hour}: it has ended");
        assert!(kept.bundle().contains(&signer.certificate), "hour {hour}: shown before it was trusted");
        overlapped |= next.authorities.len() == 2;
        bundles += usize::from(next.bundle() != kept.bundle());
        kept = next;
        hour += if kept.authorities.len() == 2 { 1 } else { 24 };
    }
    assert!(overlapped && bundles >= 4, "{bundles}");
}

#[test]
fn what_is_kept_reads_the_same() {
    let kept = Kept::next(None, &names(), start()).unwrap();
    let text = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept);
}
