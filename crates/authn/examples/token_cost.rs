//! What judging a token costs, the first time and when it is remembered.
//!
//!     cargo run --release -p palisade-authn --example token_cost

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use palisade_authn::{Algorithm, KeySet, TokenRules, Tokens};
use support::Keys;

const ROUNDS: usize = 9;
const CALLS: u32 = 1_000;

fn main() {
    let keys = Keys::new();
    let published = KeySet::from_jwks(keys.jwks().as_bytes()).expect("they are keys");
    let secret = KeySet::from_secret(keys.secret.as_bytes()).expect("it is one");
    let claims = format!(
        r#"{{"iss":"https://issuer","sub":"ann","aud":"shop","exp":4000000000,"p":"{}"}}"#,
        "x".repeat(400)
    );
    println!("median and least of {ROUNDS} rounds of {CALLS} calls, in us a call");
    for (name, key, header, algorithm) in [
        ("ES256", "es256", r#"{"alg":"ES256","kid":"es256"}"#, Algorithm::Es256),
        ("ES384", "es384", r#"{"alg":"ES384","kid":"es384"}"#, Algorithm::Es384),
        ("RS256, 2048 bits", "rsa", r#"{"alg":"RS256","kid":"rsa"}"#, Algorithm::Rs256),
        ("EdDSA", "ed25519", r#"{"alg":"EdDSA","kid":"ed25519"}"#, Algorithm::EdDsa),
        ("HS256", "secret", r#"{"alg":"HS256"}"#, Algorithm::Hs256),
    ] {
        let Some(token) = keys.token(key, header, &claims) else { continue };
        let set = if algorithm.is_symmetric() { &secret } else { &published };
        let rules = || TokenRules { algorithms: vec![algorithm], ..TokenRules::default() };
        let known = Tokens::new("bench".into(), rules());
        let anew = measure(|| {
            let tokens = Tokens::new("bench".into(), rules());
            assert!(tokens.judge(token.as_bytes(), set, 1).is_ok());
        });
        let again = measure(|| assert!(known.judge(token.as_bytes(), set, 1).is_ok()));
        let forged = format!("{}{}", &token[..token.len() - 6], "AAAAAA");
        let refused = measure(|| assert!(known.judge(forged.as_bytes(), set, 1).is_err()));
        println!("{name:<17} {} bytes: verified {anew}, remembered {again}, forged {refused}", token.len());
    }
}

fn measure(call: impl Fn()) -> String {
    let round = || {
        let began = Instant::now();
        (0..CALLS).for_each(|_| call());
        began.elapsed()
    };
    let mut rounds: Vec<Duration> = (0..ROUNDS).map(|_| round()).collect();
    rounds.sort_unstable();
    let us = |duration: Duration| duration.as_secs_f64() * 1e6 / f64::from(CALLS);
    format!("{:.1} ({:.1})", us(rounds[ROUNDS / 2]), us(rounds[0]))
}
