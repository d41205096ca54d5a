//! Whether a text has a byte, or a pair of bytes side by side, that matters.

/// Whether any two neighbours are a pair. `is_pair` has to be cheap and without branches (`&`, `|`): it is asked for
/// whole blocks of bytes at once, which compiles to vector instructions. O(n).
pub(super) fn has_pair(text: &[u8], is_pair: impl Fn(u8, u8) -> bool) -> bool {
    let Some((_, seconds)) = text.split_first() else { return false };
    let (first_blocks, firsts) = text[..seconds.len()].as_chunks::<BLOCK>();
    let (second_blocks, seconds) = seconds.as_chunks::<BLOCK>();
    for (firsts, seconds) in first_blocks.iter().zip(second_blocks) {
        let found = firsts.iter().zip(seconds).fold(0, |found, (&a, &b)| found | u8::from(is_pair(a, b)));
        if found != 0 {
            return true;
        }
    }
    firsts.iter().zip(seconds).any(|(&a, &b)| is_pair(a, b))
}

/// Whether any byte `is_it`, which has to be as cheap. O(n).
pub(super) fn has_byte(text: &[u8], is_it: impl Fn(u8) -> bool) -> bool {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let block_has =
        |block: &[u8; BLOCK]| block.iter().fold(0, |found, &byte| found | u8::from(is_it(byte))) != 0;
    blocks.iter().any(block_has) || rest.iter().any(|&byte| is_it(byte))
}

/// Bytes looked at between two branches.
const BLOCK: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_found_wherever_it_stands() {
        for len in 0..70 {
            for at in 0..len {
                let mut text = vec![b'.'; len];
                text[at] = b'/';
                let pair = |a, b| (a == b'/') & (b == b'/');
                assert!(!has_pair(&text, pair));
                if at + 1 < len {
                    text[at + 1] = b'/';
                    assert!(has_pair(&text, pair), "{at} of {len}");
                }
            }
        }
    }
}
