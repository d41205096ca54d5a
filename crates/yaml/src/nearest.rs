//! A mistyped name finds the one that was meant.

/// The known name that a mistyped one most resembles, if any does.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer ones get no suggestion, which bounds the cost of one.
    if name.is_empty() || name.len() > 64 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let wanted = plain(name);
    known
        .into_iter()
        .filter_map(|candidate| {
            let there = plain(candidate);
            let distance = edit_distance(wanted.as_bytes(), there.as_bytes());
            (distance <= there.len().max(wanted.len()) / 3).then_some((distance, candidate))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and replacements, and swaps of neighbours, between two names.
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    let mut rows: [Vec<usize>; 3] = [vec![0; b.len() + 1], (0..=b.len()).collect(), vec![0; b.len() + 1]];
    for (i, x) in a.iter().enumerate() {
        rows[2][0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let mut cost = (rows[1][j] + usize::from(x != y)).min(rows[1][j + 1] + 1).min(rows[2][j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(rows[0][j - 1] + 1);
            }
            rows[2][j + 1] = cost;
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_name_finds_it_and_what_is_not_finds_none() {
        let known = ["listeners", "services", "routes", "dataDir"];
        for (written, meant) in [
            ("listener", Some("listeners")),
            ("lsiteners", Some("listeners")),
            ("data_dir", Some("dataDir")),
            ("Routes", Some("routes")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }
}
