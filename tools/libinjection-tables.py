#!/usr/bin/env python3
"""Writes crates/codec/src/libinjection/tables.rs from libinjection's published facts.

Usage: python3 tools/libinjection-tables.py [FACTS.json] (default ../shared/conformance/libinjection-tables.json)

The facts are an object with `keywords` (word or operator -> one-letter kind) and `fingerprints` (a list). Fingerprints
are written in capitals, as libinjection compares them. The output is sorted, so a run on the same facts changes nothing.
"""
import json
import pathlib
import sys

WIDTH = 118
root = pathlib.Path(__file__).resolve().parent.parent
facts = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "../shared/conformance/libinjection-tables.json"
target = root / "crates/codec/src/libinjection/tables.rs"


def packed(items, first, separator):
    """Lines of at most WIDTH characters, each starting with `first`, items parted by `separator`."""
    lines, line = [], first
    for item in items:
        piece = item if line == first else separator + item
        if len(line) + len(piece) > WIDTH:
            lines.append(line)
            line, piece = first, item
        line += piece
    return lines + [line]


def rust(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


data = json.loads(facts.read_text())
keywords = sorted(data["keywords"].items())
fingerprints = sorted({f.upper() for f in data["fingerprints"]})
assert len(fingerprints) == len(data["fingerprints"]), "two fingerprints differ in case only"
assert all(word == word.upper() and word.isascii() for word, _ in keywords)

entries = [f"({rust(word)}, b'{kind}')" for word, kind in keywords]
out = [
    "//! Keyword kinds and attack fingerprints of libinjection, as data.",
    "//!",
    "//! Written by `tools/libinjection-tables.py`; do not edit. The facts are libinjection's (copyright 2012-2016 Nick",
    "//! Galbreath, BSD 3-clause, see `NOTICE`).",
    "",
    "/// Words, phrases and two-character operators in capitals, each with the letter of its kind, in byte order.",
    "#[rustfmt::skip]",
    f"pub(super) static KEYWORDS: [(&str, u8); {len(keywords)}] = [",
    *[line + "," for line in packed(entries, "    ", ", ")],
    "];",
    "",
    "/// How many fingerprints [`FINGERPRINTS`] lists.",
    f"pub(super) const FINGERPRINT_COUNT: usize = {len(fingerprints)};",
    "",
    "/// Fingerprints that mean SQL injection, in capitals, in byte order, each followed by one space.",
    "#[rustfmt::skip]",
    'pub(super) const FINGERPRINTS: &str = "\\',
    *[line + " \\" for line in packed(fingerprints, "", " ")],
    '";',
    "",
]
target.write_text("\n".join(out))
print(f"{target.relative_to(root)}: {len(keywords)} keywords, {len(fingerprints)} fingerprints")
