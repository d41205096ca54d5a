//! The target for `palisade-control`: a control stream's words, whoever says them.

use palisade_control::Bundle;
use palisade_control::stream::Assembly;
use palisade_control::stream::messages::ToPlane;
use prost::Message as _;

/// Messages, each behind two bytes of length. Whatever is said, what is held changes only to a bundle that is what its
/// revision says, and nothing is held that is longer than what was said and what was held before.
pub fn control_words(input: &[u8]) {
    let mut held = Bundle::new();
    held.put("palisade.yaml", *b"{}").expect("a name like any");
    held.put("rules/a.conf", *b"SecRuleEngine On").expect("a name like any");
    let mut assembly = Assembly::holding(Some(held.clone()));
    let (mut bytes_max, mut rest) = (held.bytes(), input);
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(more.len());
        let (bytes, more) = more.split_at(length);
        rest = more;
        let Ok(ToPlane { word: Some(word) }) = ToPlane::decode(bytes) else { continue };
        bytes_max += bytes.len();
        let before = assembly.held();
        match assembly.take(word) {
            Ok(Some(bundle)) => {
                assert_eq!(assembly.held(), Some(bundle.revision()));
                let all: usize = bundle.files().map(|(_, content)| content.len()).sum();
                assert_eq!(all, bundle.bytes());
                // A content may be there under several names, as many as were said.
                assert!(bundle.files().len() <= held.files().len() + input.len());
                assert!(bundle.bytes() <= bytes_max * (1 + input.len()));
            }
            Ok(None) | Err(_) => assert_eq!(assembly.held(), before),
        }
    }
}
