//! Keys made for one run of the tests, and tokens signed by them.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use ring::{hmac, signature};

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Every kind of key, and the JWKS that says them.
pub(crate) struct Keys {
    random: SystemRandom,
    es256: EcdsaKeyPair,
    other: EcdsaKeyPair,
    es384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    /// ring makes none: by openssl, where that is here.
    rsa: Option<RsaKeyPair>,
    pub(crate) secret: String,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let ecdsa = |algorithm: &'static signature::EcdsaSigningAlgorithm| {
            let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap()
        };
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let mut secret = [0; 32];
        ring::rand::SecureRandom::fill(&random, &mut secret).unwrap();
        Self {
            es256: ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            other: ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            es384: ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap(),
            rsa: rsa(),
            secret: encoded(secret),
            random,
        }
    }

    pub(crate) fn has_rsa(&self) -> bool {
        self.rsa.is_some()
    }

    pub(crate) fn jwks(&self) -> String {
        let curve = |kid: &str, crv: &str, key: &EcdsaKeyPair, usage: &str| {
            let point = &key.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            let (x, y) = (encoded(x), encoded(y));
            format!(r#"{{"kty":"EC","crv":"{crv}","kid":"{kid}","use":"{usage}","x":"{x}","y":"{y}"}}"#)
        };
        let mut keys = vec![
            curve("es256", "P-256", &self.es256, "sig"),
            curve("enc", "P-256", &self.es256, "enc"),
            curve("es384", "P-384", &self.es384, "sig"),
            format!(
                r#"{{"kty":"OKP","crv":"Ed25519","kid":"ed25519","x":"{}"}}"#,
                encoded(self.ed25519.public_key())
            ),
        ];
        if let Some(rsa) = &self.rsa {
            let PublicKeyComponents::<Vec<u8>> { n, e } = rsa.public().into();
            let (n, e) = (encoded(n), encoded(e));
            keys.push(format!(r#"{{"kty":"RSA","kid":"rsa","n":"{n}","e":"{e}"}}"#));
            keys.push(format!(r#"{{"kty":"RSA","kid":"rsa-rs256-only","alg":"RS256","n":"{n}","e":"{e}"}}"#));
        }
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }

    /// The signature of a text by a key; `None` where that is not here.
    pub(crate) fn sign(&self, key: &str, text: &[u8]) -> Option<Vec<u8>> {
        let ecdsa = |key: &EcdsaKeyPair| key.sign(&self.random, text).unwrap().as_ref().to_vec();
        let secret =
            |secret: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text).as_ref().to_vec();
        let rsa = |padding: &'static dyn RsaEncoding| {
            let rsa = self.rsa.as_ref()?;
            let mut signature = vec![0; rsa.public().modulus_len()];
            rsa.sign(padding, &self.random, text, &mut signature).unwrap();
            Some(signature)
        };
        Some(match key {
            "es256" => ecdsa(&self.es256),
            "es384" => ecdsa(&self.es384),
            "other" => ecdsa(&self.other),
            "ed25519" => self.ed25519.sign(text).as_ref().to_vec(),
            "rsa" => rsa(&RSA_PKCS1_SHA256)?,
            "rsa-pss" => rsa(&RSA_PSS_SHA256)?,
            "secret" => secret(self.secret.as_bytes()),
            "empty-secret" => secret(b""),
            "public-as-secret" => {
                let PublicKeyComponents::<Vec<u8>> { n, .. } = self.rsa.as_ref()?.public().into();
                secret(&n)
            }
            "none" => Vec::new(),
            _ => panic!("there is no key {key}"),
        })
    }

    /// A token of a header and claims.
    pub(crate) fn token(&self, key: &str, header: &str, claims: &str) -> Option<String> {
        let signed = format!("{}.{}", encoded(header), encoded(claims));
        let signature = self.sign(key, signed.as_bytes())?;
        Some(format!("{signed}.{}", encoded(signature)))
    }
}

fn rsa() -> Option<RsaKeyPair> {
    let openssl = |arguments: &[&str], input: &[u8]| {
        let mut child = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        std::io::Write::write_all(&mut child.stdin.take()?, input).ok()?;
        let output = child.wait_with_output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    let pem = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], b"")?;
    let der = openssl(&["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], &pem)?;
    RsaKeyPair::from_pkcs8(&der).ok()
}
