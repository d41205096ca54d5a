//! Targets for `palisade-authn`: tokens and sets of keys as anybody may send or publish them.

use std::sync::OnceLock;

use palisade_authn::{Algorithm, ApiKeys, Found, KeySet, Place, TOKEN_BYTES_MAX, Token, TokenRules, Tokens};

/// A token, judged by a secret that nobody is told and by a published key; the text is a request's target and fields as well.
///
/// # Panics
/// When something did not hold.
pub fn token(bytes: &[u8]) {
    let parsed = Token::parse(bytes);
    assert!(parsed.is_err() || bytes.len() <= TOKEN_BYTES_MAX);
    static SETS: OnceLock<[KeySet; 2]> = OnceLock::new();
    let sets = SETS.get_or_init(|| {
        let published = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        [
            KeySet::from_secret(b"a secret that stands in no corpus, 7c1f").expect("it is long enough"),
            KeySet::from_jwks(published).expect("it is a key"),
        ]
    });
    let rules = TokenRules { algorithms: Algorithm::ALL.to_vec(), endless: true, ..TokenRules::default() };
    let tokens = Tokens::new("fuzz".into(), rules);
    for set in sets {
        let judged = tokens.judge(bytes, set, 1_700_000_000);
        // The key of RFC 8037's example is published with its private half: only that one may sign.
        assert!(judged.is_err() || parsed.as_ref().is_ok_and(|token| token.algorithm == Algorithm::EdDsa));
        assert!(judged.is_ok() || tokens.judge(bytes, set, 1_700_000_000).is_err(), "a refusal stays one");
    }
    for place in [
        Place::Bearer,
        Place::Header("x-key".to_owned()),
        Place::Cookie("t".to_owned()),
        Place::Query("t".to_owned()),
    ] {
        let fields = [(&b"Cookie"[..], bytes), (&b"authorization"[..], bytes), (&b"X_Key"[..], bytes)];
        let found = place.find(fields.into_iter(), bytes);
        let without = match &place {
            Place::Cookie(_) => place.without_cookie(bytes),
            _ => place.without(bytes),
        };
        if let Some(rest) = without {
            assert!(rest.len() < bytes.len());
            let fields = [(&b"Cookie"[..], &rest[..])];
            assert_eq!(place.find(fields.into_iter(), &rest), Found::Nothing, "nothing of it goes on");
        } else if let Place::Query(_) | Place::Cookie(_) = place {
            assert_eq!(found, Found::Nothing, "what is found can be taken out");
        }
    }
}

/// A JWKS, a shared secret, a file of API keys.
///
/// # Panics
/// When something did not hold.
pub fn key_files(bytes: &[u8]) {
    if let Ok(set) = KeySet::from_jwks(bytes) {
        assert!(!set.is_empty());
        // A token that names its first key is judged, whatever that is.
        let rules = TokenRules { algorithms: Algorithm::ALL.to_vec(), ..TokenRules::default() };
        let tokens = Tokens::new("fuzz".into(), rules);
        for header in ["eyJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJFUzI1NiJ9", "eyJhbGciOiJFZERTQSJ9"] {
            assert!(tokens.judge(format!("{header}.e30.AAAA").as_bytes(), &set, 0).is_err());
        }
    }
    let _ = KeySet::from_secret(bytes);
    if let Ok(keys) = ApiKeys::parse(&"fuzz".into(), bytes) {
        assert!(keys.len() <= bytes.len());
        assert!(keys.judge(bytes).is_none(), "a file does not hold its own hash");
    }
}
