//! The tests that we do not meet, each with what happens instead and why.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Why a test is not met.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    /// The test, `920100-4`.
    test: String,
    /// What the judge finds lacking, word for word: a test that fails otherwise has got worse.
    pub(crate) shows: String,
    pub(crate) reason: String,
}

impl Difference {
    pub(crate) fn new(test: &str, shows: &str) -> Self {
        Self { test: test.into(), shows: shows.into(), reason: "a test says so".into() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    difference: Vec<Difference>,
}

/// The table, by test.
pub(crate) fn read() -> BTreeMap<String, Difference> {
    let text = include_str!("../../../../testdata/crs-4.28-differences.toml");
    let table: Table =
        toml::from_str(text).unwrap_or_else(|error| panic!("crs-4.28-differences.toml: {error}"));
    let mut differences = BTreeMap::new();
    for difference in table.difference {
        let test = difference.test.clone();
        assert!(!difference.reason.is_empty(), "{test} has no reason");
        assert!(differences.insert(test.clone(), difference).is_none(), "{test} is there twice");
    }
    differences
}
