//! The suite's files as data. A key that is not known here is an error: what is not read cannot be judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One test: requests sent in order, each with what it has to bring about.
#[derive(Debug)]
pub(crate) struct Case {
    /// `920100-4`: the rule and the number of the test.
    pub(crate) name: String,
    /// Its file, below the folder that was read.
    pub(crate) file: String,
    pub(crate) stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stage {
    #[serde(default, rename = "description")]
    _description: Option<String>,
    pub(crate) input: Input,
    #[serde(default)]
    pub(crate) output: Output,
}

/// A request. Texts are as written: `1.10` stays `1.10`, and `""` is not the same as nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    // Where to send it is ours to say.
    #[serde(default, rename = "dest_addr")]
    _dest_addr: Option<String>,
    #[serde(default, rename = "port")]
    _port: Option<u16>,
    #[serde(default, rename = "protocol")]
    _protocol: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) version: Option<String>,
    /// Sent in the order of their names.
    pub(crate) headers: Option<BTreeMap<String, Option<String>>>,
    /// Sent as they stand, instead of `headers`.
    pub(crate) ordered_headers: Option<Vec<OrderedHeader>>,
    pub(crate) data: Option<String>,
    pub(crate) encoded_data: Option<String>,
    /// All bytes of the request, in base64.
    pub(crate) encoded_request: Option<String>,
    pub(crate) autocomplete_headers: Option<bool>,
    pub(crate) follow_redirect: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderedHeader {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

/// What a request has to bring about. Nothing asked for is nothing judged.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Output {
    pub(crate) status: Statuses,
    /// A regular expression on the response as it came.
    pub(crate) response_contains: Option<String>,
    /// No response must come.
    pub(crate) expect_error: bool,
    /// A second attempt counts.
    pub(crate) retry_once: bool,
    /// The one expected id is the only one.
    pub(crate) isolated: bool,
    pub(crate) log: LogOutput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogOutput {
    pub(crate) expect_ids: Vec<u64>,
    pub(crate) no_expect_ids: Vec<u64>,
    /// Regular expressions, each on one line of the log.
    pub(crate) match_regex: Option<String>,
    pub(crate) no_match_regex: Option<String>,
}

/// `status: 400`, or a list of which one has to come.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Statuses {
    One(u16),
    AnyOf(Vec<u16>),
}

impl Default for Statuses {
    fn default() -> Self {
        Self::AnyOf(Vec::new())
    }
}

impl Statuses {
    pub(crate) fn as_slice(&self) -> &[u16] {
        match self {
            Self::One(status) => std::slice::from_ref(status),
            Self::AnyOf(statuses) => statuses,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "meta")]
    _meta: Option<Meta>,
    #[serde(default, rename = "author")]
    _author: Option<String>,
    rule_id: u64,
    tests: Vec<Test>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    #[serde(default, rename = "author")]
    _author: Option<String>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    test_id: u64,
    #[serde(default, rename = "desc")]
    _desc: Option<String>,
    stages: Vec<Stage>,
}

/// All tests of a folder, files in the order of their names, and how many files had some; or all that is wrong with
/// the files.
pub(crate) fn read(folder: &Path) -> Result<(Vec<Case>, usize), Vec<String>> {
    let (mut cases, mut files, mut wrong) = (Vec::new(), 0, Vec::new());
    let mut names = std::collections::HashSet::new();
    for path in yaml_files(folder) {
        let file = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        match parse(&text, &file) {
            Ok(found) => {
                files += usize::from(!found.is_empty());
                for case in &found {
                    if !names.insert(case.name.clone()) {
                        wrong.push(format!("{file}: {} is there twice", case.name));
                    }
                }
                cases.extend(found);
            }
            Err(error) => wrong.push(error),
        }
    }
    if wrong.is_empty() { Ok((cases, files)) } else { Err(wrong) }
}

fn parse(text: &str, file: &str) -> Result<Vec<Case>, String> {
    // A file may be one comment: tests that upstream has put aside.
    let parsed: Option<File> =
        serde_saphyr::from_str(text).map_err(|error| format!("{file}: {}", error.to_string().trim_end()))?;
    let Some(parsed) = parsed else { return Ok(Vec::new()) };
    let cases = parsed.tests.into_iter().map(|test| Case {
        name: format!("{}-{}", parsed.rule_id, test.test_id),
        file: file.to_owned(),
        stages: test.stages,
    });
    Ok(cases.collect())
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

mod tests {
    use super::*;

    fn stage(input: &str, output: &str) -> Result<Stage, String> {
        let text = format!(
            "rule_id: 1\ntests:\n  - test_id: 2\n    stages:\n      - input: {{{input}}}\n        output: {{{output}}}\n"
        );
        Ok(parse(&text, "here")?.remove(0).stages.remove(0))
    }

    #[test]
    fn texts_are_kept_as_written() {
        let input = stage(
            r#"version: "", method: ~, uri: /1, data: "a: 0x10\n", headers: {A: 010, B: 1.10, C: no, D: }"#,
            "",
        );
        let input = input.unwrap().input;
        assert_eq!(input.version.as_deref(), Some(""));
        assert_eq!(input.method, None);
        assert_eq!(input.data.as_deref(), Some("a: 0x10\n"));
        let headers: Vec<_> = input.headers.as_ref().unwrap().values().map(|v| v.as_deref()).collect();
        assert_eq!(headers, [Some("010"), Some("1.10"), Some("no"), None]);
    }

    #[test]
    fn one_status_and_several() {
        let statuses = |output| stage("", output).unwrap().output.status.as_slice().to_vec();
        assert_eq!(statuses("status: 400"), [400]);
        assert_eq!(statuses("status: [400, 403]"), [400, 403]);
        assert_eq!(statuses(""), [0; 0]);
    }

    #[test]
    fn unknown_keys_are_errors() {
        for (input, output) in [
            ("methods: GET", ""),
            ("", "log_contains: x"),
            ("", "log: {expect_id: [1]}"),
            ("ordered_headers: [{name: a, value: b, c: d}]", ""),
        ] {
            let error = stage(input, output).unwrap_err();
            assert!(error.contains("here: "), "{error}");
            assert!(error.contains("unknown"), "{error}");
        }
    }

    #[test]
    fn a_file_of_comments_has_no_tests() {
        assert!(parse("# ---\n# tests: []\n", "here").unwrap().is_empty());
    }
}
