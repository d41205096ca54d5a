//! Targets for `palisade-codec`: transformations and the libinjection verdicts.

use palisade_codec::libinjection::{sqli, sqli_ungated, xss, xss_ungated};
use palisade_codec::{ByteSet, Context, Effect, Transformation};

/// One byte that selects the transformation (modulo their number), then the value.
pub fn transformations(input: &[u8]) {
    let Some((selector, value)) = input.split_first() else { return };
    let transformation = Transformation::ALL[usize::from(*selector) % Transformation::ALL.len()];
    let name = transformation.name();

    let mut out = b"left over".to_vec();
    let effect = transformation.apply(value, &mut out, &Context::default());
    if effect == Effect::Changed {
        assert_ne!(out, value, "{name} says it changed what it did not");
        let bound = transformation.output_len_max(value.len());
        assert!(out.len() <= bound, "{name} made {} bytes of {}, more than {bound}", out.len(), value.len());
        assert!(
            transformation.may_change(&ByteSet::of(value)),
            "{name} changed a value of which the bytes said it could not"
        );
        let mut again = Vec::new();
        assert_eq!(transformation.apply(value, &mut again, &Context::default()), Effect::Changed);
        assert_eq!(out, again, "{name} depends on what the buffer held");
    }
}

/// Any text: the cheap tests in front never change a verdict.
pub fn libinjection(input: &[u8]) {
    assert_eq!(sqli(input), sqli_ungated(input), "the gate changes the SQL verdict");
    assert_eq!(xss(input), xss_ungated(input), "the gate changes the HTML verdict");
}
