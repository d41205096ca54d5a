//! Whether a stage brought about what it has to.

use std::collections::BTreeSet;

use regex_automata::meta::Regex;

use super::cases::Output;
use super::wire::Response;

/// All that a stage's outcome lacks; nothing when it is as expected. `lines` are the log's for this request.
pub(crate) fn judge(output: &Output, response: &Result<Response, String>, lines: &[Vec<u8>]) -> Vec<String> {
    let response = match response {
        Err(_) if output.expect_error => return Vec::new(),
        Ok(response) if output.expect_error => {
            return vec![format!("answered {}, not with an error", response.status)];
        }
        Err(error) => return vec![error.clone()],
        Ok(response) => response,
    };
    let mut lacks = Vec::new();
    let statuses = output.status.as_slice();
    if !statuses.is_empty() && !statuses.contains(&response.status) {
        lacks.push(format!("status {}, not {}", response.status, joined(statuses)));
    }
    if let Some(pattern) = &output.response_contains
        && !is_match(pattern, &response.raw)
    {
        lacks.push(format!("response does not match {pattern}"));
    }

    let log = &output.log;
    let ids = ids(lines);
    let missing: Vec<_> = log.expect_ids.iter().filter(|id| !ids.contains(id)).collect();
    if !missing.is_empty() {
        lacks.push(format!("without {}", joined(&missing)));
    }
    let unwanted: Vec<_> = log.no_expect_ids.iter().filter(|id| ids.contains(id)).collect();
    if !unwanted.is_empty() {
        lacks.push(format!("with {}", joined(&unwanted)));
    }
    if let Some(pattern) = &log.match_regex
        && !lines.iter().any(|line| is_match(pattern, line))
    {
        lacks.push(format!("log does not match {pattern}"));
    }
    if let Some(pattern) = &log.no_match_regex
        && lines.iter().any(|line| is_match(pattern, line))
    {
        lacks.push(format!("log matches {pattern}"));
    }
    if output.isolated && (log.expect_ids.len() != 1 || ids.len() != 1) {
        lacks.push(format!("not one id alone but {}", joined(&Vec::from_iter(&ids))));
    }
    lacks
}

/// The ids of the rules that the lines tell of, `[id "920100"]`.
pub(crate) fn ids(lines: &[Vec<u8>]) -> BTreeSet<u64> {
    const OPEN: &[u8] = b"[id \"";
    let mut ids = BTreeSet::new();
    for line in lines {
        for (at, window) in line.windows(OPEN.len()).enumerate() {
            let rest = &line[at + OPEN.len()..];
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            if window == OPEN && digits > 0 && rest[digits..].starts_with(b"\"]") {
                let number = std::str::from_utf8(&rest[..digits]).expect("digits are ASCII");
                ids.extend(number.parse::<u64>());
            }
        }
    }
    ids
}

fn is_match(pattern: &str, text: &[u8]) -> bool {
    let regex = Regex::builder()
        .syntax(regex_automata::util::syntax::Config::new().utf8(false))
        .configure(Regex::config().utf8_empty(false))
        .build(pattern)
        .unwrap_or_else(|error| panic!("the suite's pattern {pattern}: {error}"));
    regex.is_match(text)
}

fn joined<T: std::fmt::Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

mod tests {
    use super::*;

    fn judged(output: &str, status: u16, lines: &[&str]) -> Vec<String> {
        let response =
            Response { status, headers: Vec::new(), raw: b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec() };
        let output: Output = serde_saphyr::from_str(output).expect("an output");
        let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        judge(&output, &Ok(response), &lines)
    }

    #[test]
    fn ids_are_those_of_rules() {
        let lines: Vec<Vec<u8>> = [
            r#"ModSecurity: Warning. [id "920100"] [msg "m"]"#,
            r#"[id "942100"] [data "[id \"1\"] [id "x"] [id "2]"] [id "5"]"#,
            "[id \"",
        ]
        .iter()
        .map(|line| line.as_bytes().to_vec())
        .collect();
        assert_eq!(Vec::from_iter(ids(&lines)), [5, 920_100, 942_100]);
    }

    #[test]
    fn each_expectation_can_fail() {
        let line = r#"[id "1"] [msg "x"]"#;
        for (output, good, bad) in [
            ("{status: 200}", (200, line), (403, line)),
            ("{status: [200, 204]}", (204, line), (403, line)),
            ("{log: {expect_ids: [1]}}", (200, line), (200, "")),
            ("{log: {no_expect_ids: [1]}}", (200, r#"[id "2"]"#), (200, line)),
            (r#"{log: {match_regex: 'id "\d+"'}}"#, (200, line), (200, "id")),
            (r#"{log: {no_match_regex: 'id "\d+"'}}"#, (200, "id"), (200, line)),
            ("{isolated: true, log: {expect_ids: [1]}}", (200, line), (200, r#"[id "1"] [id "2"]"#)),
        ] {
            assert_eq!(judged(output, good.0, &[good.1]), [""; 0], "{output}");
            assert_eq!(judged(output, bad.0, &[bad.1]).len(), 1, "{output}");
        }
        assert!(judged("{response_contains: 'h.llo'}", 200, &[]).is_empty());
        assert_eq!(judged("{response_contains: bye}", 200, &[]).len(), 1);
    }

    #[test]
    fn errors_are_wanted_or_not() {
        let wanted: Output = serde_saphyr::from_str("{expect_error: true}").unwrap();
        assert!(judge(&wanted, &Err("closed".into()), &[]).is_empty());
        assert_eq!(judge(&Output::default(), &Err("closed".into()), &[]), ["closed"]);
        assert_eq!(judged("{expect_error: true}", 400, &[]), ["answered 400, not with an error"]);
    }
}
