//! The table of tokens, `testdata/authn/jwt.toml`, with keys made for this run.

mod support;

use std::collections::BTreeMap;

use palisade_authn::{
    Algorithm, KeySet, Requirement, TOKEN_BYTES_MAX, Token, TokenError, TokenRules, Tokens,
};
use serde::Deserialize;
use support::{Keys, decoded, encoded};

const NOW: u64 = 1_700_000_000;
const HEADER: &str = r#"{"alg":"ES256","kid":"es256"}"#;
const CLAIMS: &str = r#"{"iss":"https://issuer","sub":"ann","aud":"shop","exp":1700000600}"#;

#[derive(Deserialize)]
struct Table {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    sign: String,
    header: Option<String>,
    claims: Option<String>,
    change: Option<String>,
    #[serde(default)]
    rules: Rules,
    keys: Option<String>,
    expect: String,
    nested: Option<usize>,
    padding: Option<usize>,
    header_padding: Option<usize>,
    #[serde(rename = "why")]
    _why: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Rules {
    algorithms: Option<Vec<String>>,
    kinds: Option<Vec<String>>,
    endless: Option<bool>,
    required: Option<BTreeMap<String, Vec<String>>>,
}

fn rules(told: &Rules) -> TokenRules {
    let usual = || ["ES256", "ES384", "EdDSA", "RS256", "PS256"].map(str::to_owned).to_vec();
    let algorithms = told.algorithms.clone().unwrap_or_else(usual);
    let required = told.required.clone().unwrap_or_default();
    TokenRules {
        algorithms: algorithms.iter().map(|name| Algorithm::from_name(name).expect(name)).collect(),
        issuers: vec!["https://issuer".to_owned()],
        audiences: vec!["shop".to_owned()],
        kinds: told.kinds.clone().unwrap_or_default(),
        leeway_seconds: 30,
        endless: told.endless.unwrap_or_default(),
        required: required.into_iter().map(|(claim, values)| Requirement { claim, values }).collect(),
    }
}

fn changed(token: &str, change: &str) -> Vec<u8> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{token}") };
    let text = match change {
        "without-signature" => format!("{header}.{claims}"),
        "empty-signature" => format!("{header}.{claims}."),
        "zero-signature" => format!("{header}.{claims}.{}", encoded([0; 64])),
        "asn1-signature" => format!("{header}.{claims}.{}", encoded([0x30, 6, 2, 1, 0, 2, 1, 0])),
        // Its last byte, not its last character: that would leave bits of a byte that is no more.
        "truncated" => format!("{header}.{claims}.{}", encoded(&decoded(signature)[..63])),
        "other-claims" => format!("{header}.{}.{signature}", encoded(CLAIMS.replace("ann", "bob"))),
        "four-parts" => format!("{token}.{claims}"),
        "five-parts" => format!("{token}.{claims}.{claims}"),
        "padded" => format!("{header}=.{claims}.{signature}"),
        "usual-base64" => format!("{header}.{claims}.+/{}", &signature[2..]),
        "spare-bits" => {
            // 64 bytes leave four bits in the last character, which are zero.
            let last = signature.chars().last().expect("it is signed");
            let next = char::from_u32(u32::from(last) + 1).expect("it is ASCII");
            format!("{header}.{claims}.{}{next}", &signature[..signature.len() - 1])
        }
        "blank-inside" => format!("{header}.{claims} .{signature}"),
        "empty" => String::new(),
        "dots" => "..".to_owned(),
        "binary" => return vec![0xff; 300],
        other => panic!("there is no change {other}"),
    };
    text.into_bytes()
}

#[test]
fn each_token_of_the_table_passes_or_is_refused_for_its_reason() {
    let table =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/authn/jwt.toml"));
    let table: Table = toml::from_str(&table.unwrap()).unwrap();
    let keys = Keys::new();
    let jwks = KeySet::from_jwks(keys.jwks().as_bytes()).unwrap();
    let secret = KeySet::from_secret(format!("{}\n", keys.secret).as_bytes()).unwrap();
    let strangers = KeySet::from_jwks(Keys::new().jwks().as_bytes()).unwrap();
    let (mut ran, mut skipped) = (0, 0);
    for case in &table.case {
        let mut header = case.header.clone().unwrap_or_else(|| HEADER.to_owned());
        let mut claims = case.claims.clone().unwrap_or_else(|| CLAIMS.to_owned());
        if let Some(depth) = case.nested {
            claims = format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        }
        if let Some(bytes) = case.padding {
            claims = claims.replacen('{', &format!(r#"{{"padding":"{}","#, "x".repeat(bytes)), 1);
        }
        if let Some(bytes) = case.header_padding {
            header = header.replacen('{', &format!(r#"{{"padding":"{}","#, "x".repeat(bytes)), 1);
        }
        let Some(token) = keys.token(&case.sign, &header, &claims) else {
            skipped += 1;
            continue;
        };
        let token = match &case.change {
            Some(change) => changed(&token, change),
            None => token.into_bytes(),
        };
        let known = match case.keys.as_deref() {
            None | Some("jwks") => &jwks,
            Some("secret") => &secret,
            Some(other) => panic!("there are no keys {other}"),
        };
        let tokens = Tokens::new("test".into(), rules(&case.rules));
        // What is remembered says the same as what is not.
        for again in [false, true] {
            let judged = tokens.judge(&token, known, NOW);
            let word = judged.as_ref().map_or_else(|error| error.word(), |_| "pass");
            assert_eq!(word, case.expect, "{} (again: {again}): {judged:?}", case.name);
        }
        // Somebody who knows no key of ours lets nobody in.
        if case.keys.is_none() {
            assert!(tokens.judge(&token, &strangers, NOW).is_err(), "{}", case.name);
        }
        ran += 1;
    }
    println!("{ran} tokens judged");
    if skipped > 0 {
        println!("skipped: {skipped} tokens that RSA signs, as openssl is not here to make a key");
    }
    assert!(ran > 60);
}

#[test]
fn a_remembered_token_still_ends_and_goes_with_its_key() {
    let keys = Keys::new();
    let jwks = KeySet::from_jwks(keys.jwks().as_bytes()).unwrap();
    let tokens = Tokens::new("test".into(), rules(&Rules::default()));
    let token = keys.token("es256", HEADER, CLAIMS).unwrap();
    let judge = |keys: &KeySet, now| {
        tokens.judge(token.as_bytes(), keys, now).map(|identity| identity.subject.clone())
    };
    assert_eq!(judge(&jwks, NOW), Ok(Some("ann".to_owned())));
    assert_eq!(judge(&jwks, NOW + 629), Ok(Some("ann".to_owned())));
    assert_eq!(judge(&jwks, NOW + 630), Err(TokenError::Expired));
    // The same keys read anew are the same; others are others.
    let anew = KeySet::from_jwks(keys.jwks().as_bytes()).unwrap();
    assert!(judge(&anew, NOW).is_ok());
    let without = keys.jwks().replace("\"kid\":\"es256\"", "\"kid\":\"gone\"");
    let without = KeySet::from_jwks(without.as_bytes()).unwrap();
    assert_eq!(judge(&without, NOW), Err(TokenError::UnknownKey));
}

#[test]
fn memory_of_tokens_is_bounded_and_the_usual_ones_stay_known() {
    let keys = Keys::new();
    let secret = KeySet::from_secret(keys.secret.as_bytes()).unwrap();
    let tokens = Tokens::new(
        "test".into(),
        TokenRules { algorithms: vec![Algorithm::Hs256], endless: true, ..TokenRules::default() },
    );
    for number in 0..palisade_authn::REMEMBERED_MAX * 2 {
        let token = keys.token("secret", r#"{"alg":"HS256"}"#, &format!(r#"{{"n":{number}}}"#)).unwrap();
        assert!(tokens.judge(token.as_bytes(), &secret, NOW).is_ok());
    }
    // Its Debug shows what it holds, each with its authenticator.
    let held = format!("{tokens:?}").matches("Remembered {").count();
    assert!((palisade_authn::REMEMBERED_MAX / 4..=palisade_authn::REMEMBERED_MAX).contains(&held), "{held}");
}

#[test]
fn key_sets_take_what_is_public_and_say_what_they_leave_out() {
    let keys = Keys::new();
    let known = KeySet::from_jwks(keys.jwks().as_bytes()).unwrap();
    assert_eq!(known.skipped(), ["key 1 is not for signatures"]);
    let one =
        |jwk: &str| KeySet::from_jwks(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).map(|keys| keys.len());
    for (jwk, said) in [
        (r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#.to_owned(), "a shared secret"),
        (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(), "less than 2048"),
        (r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(), "a point of another curve"),
        (r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}"#.to_owned(), "a curve that is not taken"),
        (r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#.to_owned(), "a curve that is not taken"),
        (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}","d":"AA"}}"#, encoded([1; 32])), "a private one"),
        (
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}","alg":"RS256"}}"#, encoded([1; 32])),
            "it is not for",
        ),
        (
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}","key_ops":["sign"]}}"#, encoded([1; 32])),
            "for verifying",
        ),
        (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}="}}"#, encoded([1; 32])), "no base64url"),
        ("7".to_owned(), "no object"),
    ] {
        let error = one(&jwk).unwrap_err().to_string();
        assert!(error.contains(said), "{jwk}: {error}");
    }
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(KeySet::from_jwks(text.as_bytes()).is_err(), "{text}");
    }
    let many = vec!["7"; 1000].join(",");
    assert!(one(&many).unwrap_err().to_string().contains("more than"));
    assert!(KeySet::from_jwks(&vec![b' '; 1 << 20]).is_err());
    assert!(KeySet::from_secret(b"secret\n").unwrap_err().to_string().contains("it has 6 bytes"));
}

#[test]
fn keys_of_one_id_are_all_tried_and_too_many_are_none() {
    let keys = Keys::new();
    let body = keys.jwks();
    let own = body.split_once("\"keys\":[").unwrap().1.split_once("},").unwrap().0.to_owned() + "}";
    let stranger = Keys::new().jwks();
    let strange = stranger.split_once("\"keys\":[").unwrap().1.split_once("},").unwrap().0.to_owned() + "}";
    let tokens = Tokens::new("test".into(), rules(&Rules::default()));
    let token = keys.token("es256", HEADER, CLAIMS).unwrap();
    let judge = |listed: &[&str]| {
        let jwks = KeySet::from_jwks(format!(r#"{{"keys":[{}]}}"#, listed.join(",")).as_bytes()).unwrap();
        tokens.judge(token.as_bytes(), &jwks, NOW).map(|_| ())
    };
    assert_eq!(judge(&[&strange, &own]), Ok(()));
    assert_eq!(judge(&[&strange]), Err(TokenError::Signature));
    assert_eq!(judge(&[&strange, &strange, &strange, &strange, &own]), Err(TokenError::UnknownKey));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_token_or_an_error(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let _ = Token::parse(&bytes);
        let _ = KeySet::from_jwks(&bytes);
        proptest::prop_assert!(bytes.len() <= TOKEN_BYTES_MAX);
    }
}
