//! Values to try transformations on.

use proptest::prelude::*;

/// Pieces of text that some transformation looks for, so that generated values reach its branches.
const PIECES: &[&[u8]] = &[
    b"%",
    b"%41",
    b"%u",
    b"%u0041",
    b"%uff1c",
    b"%U00c0",
    b"+",
    b"&",
    b"&#",
    b"&#x3c",
    b"&lt;",
    b"&nbsp",
    b"&LT",
    b";",
    b"\\",
    b"\\u003c",
    b"\\uFF1C",
    b"\\x3c",
    b"\\777",
    b"\\n",
    b"\\\n",
    b"\\00ff1c ",
    b"/*",
    b"*/",
    b"<!--",
    b"-->",
    b"--",
    b"#",
    b"/",
    b"..",
    b".",
    b"//",
    b"\\\\",
    b" ",
    b"\t",
    b"\r\n",
    b"\x0b",
    b"\xa0",
    b"\xc2\xa0",
    b"\0",
    b"0x",
    b"0X41",
    b"=",
    b"YWJj",
    b"YQ==",
    b"-",
    b"_",
    b"[",
    b"]",
    b"[ ]",
    b"\"",
    b"'",
    b"^",
    b",",
    b"(",
    b"A",
    b"Zz",
    b"a",
    b"\xc3\xa9",
    b"\xc0\xaf",
    b"\xe2\x82\xac",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\xf7\xbf\xbf\xbf",
    b"\xf0\x8d\xa0\x80",
    b"\xc3",
    b"\xf5",
    b"\xff",
    b"\x80",
    b"7",
    b"f",
];

/// Up to two dozen pieces, bytes and short runs of a byte: of all that there are, or of three at most, so
/// that values occur in which one thing alone decides whether they change.
pub(crate) fn value() -> impl Strategy<Value = Vec<u8>> {
    let piece = || {
        prop_oneof![
            4 => prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
            1 => any::<u8>().prop_map(|byte| vec![byte]),
            1 => (any::<u8>(), 2..5_usize).prop_map(|(byte, count)| vec![byte; count]),
        ]
    };
    let many = prop::collection::vec(piece(), 0..24);
    let few = prop::collection::vec(piece(), 1..4)
        .prop_flat_map(|pieces| prop::collection::vec(prop::sample::select(pieces), 0..12));
    prop_oneof![many, few].prop_map(|pieces| pieces.concat())
}
