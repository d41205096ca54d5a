//! Keys and certificates, by rcgen: ECDSA on P-256.

use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use super::{AUTHORITY_LIFE, Authority, BACKDATED, LEAF_LIFE, Leaf, Life, MakeError};

pub(super) fn authority(now: SystemTime) -> Result<Authority, MakeError> {
    let life = Life::new(now, AUTHORITY_LIFE);
    let key = KeyPair::generate()?;
    // One name for one key: verifiers look authorities up by it.
    let name = format!("palisade webhook {}", fingerprint(&key));
    let certificate = parameters(&name, life)?.self_signed(&key)?.pem();
    Ok(Authority { name, certificate, key: key.serialize_pem(), life })
}

pub(super) fn leaf(signer: &Authority, names: &[String], now: SystemTime) -> Result<Leaf, MakeError> {
    let mut life = Life::new(now, LEAF_LIFE);
    life.to = life.to.min(signer.life.to);
    let issuer = Issuer::new(parameters(&signer.name, signer.life)?, KeyPair::from_pem(&signer.key)?);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named(names.first().map_or("palisade", String::as_str));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    last(&mut params, life);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?.pem();
    Ok(Leaf { certificate, key: key.serialize_pem(), life, by: signer.name.clone(), names: names.to_vec() })
}

fn parameters(name: &str, life: Life) -> Result<CertificateParams, MakeError> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    last(&mut params, life);
    Ok(params)
}

fn last(params: &mut CertificateParams, life: Life) {
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    params.not_before = (at(life.from) - BACKDATED).into();
    params.not_after = at(life.to).into();
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    names
}

fn fingerprint(key: &KeyPair) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(key.public_key_raw());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
