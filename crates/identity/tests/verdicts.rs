//! The verdict table: what each certificate that guides on mutual TLS make is worth, and to which mode.

mod support;

use palisade_identity::{
    Admission, Anchors, AnchorsError, ClientCertificates, FAILURES, Handshake, PossessionError, SubjectMatch,
    XfccFields, certificate_pem, escaped_certificate_pem, possession, verify, xfcc_element,
};
use palisade_model::{PeerIdentity, Verification};

/// The rows of the table.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Row>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    certificate: String,
    verify: String,
    on: bool,
    optional_no_ca: bool,
    #[serde(default, rename = "handshake")]
    _handshake: bool,
    #[serde(default, rename = "why")]
    _why: String,
}

#[test]
fn each_certificate_is_worth_what_the_table_says() {
    let Some(folder) = support::certificates() else { return };
    let anchors = support::anchors(folder, "bundle", None, 1);
    let table = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/identity/verdicts.toml"
    ));
    let table: Table = toml::from_str(&table.unwrap()).unwrap();
    for Row { certificate: name, verify, on, optional_no_ca: no_ca, .. } in &table.case {
        let peer = support::verify(folder, name, &anchors);
        assert_eq!(peer.verify().to_string(), *verify, "{name}");
        for (mode, admitted) in [
            (ClientCertificates::Off, true),
            (ClientCertificates::On, *on),
            (ClientCertificates::Optional, *on),
            (ClientCertificates::OptionalNoCa, *no_ca),
        ] {
            let admission = if admitted { Admission::Pass } else { Admission::Invalid };
            assert_eq!(mode.admit(Some(&peer)), admission, "{name} {mode}");
        }
    }
    println!("{} certificates", table.case.len());
    assert!(table.case.len() >= 40);
}

#[test]
fn a_depth_counts_the_certificates_between_leaf_and_root() {
    let Some(folder) = support::certificates() else { return };
    for (name, needed) in [("client", 0), ("leaf-sub", 1), ("leaf-sub2", 2)] {
        for depth in 0..3 {
            let peer = support::verify(folder, name, &support::anchors(folder, "bundle", None, depth));
            assert_eq!(peer.verify() == Verification::Success, depth >= needed, "{name} {depth}");
        }
    }
    let peer = support::verify(folder, "leaf-below", &support::anchors(folder, "bundle", None, 2));
    assert_eq!(peer.verify().to_string(), "FAILED:path length constraint exceeded");
}

#[test]
fn lists_revoke_and_are_needed_for_the_whole_chain() {
    let Some(folder) = support::certificates() else { return };
    for (name, lists, verdict) in [
        ("client", "root", "SUCCESS"),
        ("revoked", "root", "FAILED:certificate revoked"),
        ("leaf-sub", "both", "SUCCESS"),
        ("revoked-sub", "both", "FAILED:certificate revoked"),
        ("leaf-sub", "root", "FAILED:unable to get certificate CRL"),
        ("client", "other", "FAILED:unable to get certificate CRL"),
        ("client", "root-expired", "FAILED:CRL has expired"),
        ("client", "root-future", "FAILED:CRL is not yet valid"),
        ("client", "renewed", "SUCCESS"),
        ("revoked", "renewed", "FAILED:certificate revoked"),
        // A list of the authority's name that the authority did not sign.
        ("client", "mimic", "FAILED:CRL signature failure"),
    ] {
        let anchors = support::anchors(folder, "root", Some(lists), 1);
        // Twice: what was learned of a list the first time must not change what it says.
        for _ in 0..2 {
            assert_eq!(
                support::verify(folder, name, &anchors).verify().to_string(),
                verdict,
                "{name} {lists}"
            );
        }
    }
}

#[test]
fn a_bundle_may_hold_an_authority_before_and_after_its_key_was_changed() {
    let Some(folder) = support::certificates() else { return };
    let anchors = support::anchors(folder, "changed", None, 1);
    for name in ["client", "mimic-leaf", "mimic-keyids", "client-keyids"] {
        assert_eq!(support::verify(folder, name, &anchors).verify(), Verification::Success, "{name}");
    }
}

#[test]
fn the_same_chain_ends_with_its_time() {
    let Some(folder) = support::certificates() else { return };
    let anchors = support::anchors(folder, "root", None, 1);
    let chain = support::chain(folder, "client");
    let at = |now| verify(&[&chain[0]], &anchors, now).unwrap().verify().to_string();
    let facts = verify(&[&chain[0]], &anchors, 0).unwrap().certificate().unwrap().clone();
    assert_eq!(at(facts.not_before - 1), "FAILED:certificate is not yet valid");
    assert_eq!(at(facts.not_before), "SUCCESS");
    assert_eq!(at(facts.not_after), "SUCCESS");
    assert_eq!(at(facts.not_after + 1), "FAILED:certificate has expired");
}

#[test]
fn facts_name_the_holder() {
    let Some(folder) = support::certificates() else { return };
    let anchors = support::anchors(folder, "root", None, 1);
    let peer = support::verify(folder, "client-san", &anchors);
    assert_eq!(peer.spiffe_id().unwrap().service_account(), Some(("shop", "web")));
    let facts = peer.certificate().unwrap();
    assert_eq!(facts.subject_dn, "CN=client-san,O=Acme\\, Inc.,C=IL");
    assert_eq!(facts.subject_dn_legacy, "/C=IL/O=Acme, Inc./CN=client-san");
    assert_eq!(facts.issuer_dn, "CN=Acme CA,O=Acme,C=IL");
    assert_eq!(facts.common_names, ["client-san"]);
    assert_eq!(facts.dns_sans, ["a.example.com"]);
    assert_eq!(facts.uri_sans, ["spiffe://cluster.local/ns/shop/sa/web"]);
    assert_eq!(certificate_pem(&facts.der), std::fs::read_to_string(folder.join("client-san.crt")).unwrap());

    let two = support::verify(folder, "client-two-uris", &anchors);
    assert_eq!((two.verify(), two.spiffe_id()), (Verification::Success, None));
    let stranger = support::verify(folder, "client-san", &Anchors::nobody());
    assert_eq!((stranger.spiffe_id(), stranger.certificate().unwrap()), (None, facts));
}

#[test]
fn strict_subjects_are_whole_and_believed_and_compatible_ones_are_not() {
    let Some(folder) = support::certificates() else { return };
    let anchors = support::anchors(folder, "root", None, 1);
    let client = support::verify(folder, "client", &anchors);
    let longer = support::verify(folder, "client-v3", &anchors);
    let multi = support::verify(folder, "name-multi", &anchors);
    let slash = support::verify(folder, "name-slash", &anchors);
    let unknown = support::verify(folder, "unknown", &anchors);
    let strict = |text: &str, peer: &PeerIdentity| SubjectMatch::strict(text).unwrap().matches(Some(peer));
    assert!(strict("CN=client", &client) && !strict("CN=client", &longer) && !strict("CN=Client", &client));
    assert!(strict("CN=client*", &longer) && !strict("CN=lient", &client));
    assert!(strict("CN=multi", &multi) && strict("CN=real", &slash) && !strict("CN=admin", &slash));
    assert!(!strict("CN=unknown", &unknown) && !strict("CN=*", &PeerIdentity::NONE));
    assert!(!SubjectMatch::strict("CN=*").unwrap().matches(None));
    assert!(SubjectMatch::strict("client").is_none() && SubjectMatch::strict("CN=").is_none());

    let compat = SubjectMatch::compat(|subject| subject.contains("CN=client"));
    assert!(compat.matches(Some(&client)) && compat.matches(Some(&longer)) && !compat.matches(Some(&slash)));
    assert!(SubjectMatch::compat(str::is_empty).matches(None));
    assert!(SubjectMatch::compat(|subject| subject.contains("CN=unknown")).matches(Some(&unknown)));
}

#[test]
fn an_element_for_the_application_cannot_be_made_to_say_more() {
    let Some(folder) = support::certificates() else { return };
    let anchors = support::anchors(folder, "root", None, 1);
    let peer = support::verify(folder, "client-san", &anchors);
    let mut facts = peer.certificate().unwrap().clone();
    let hash = palisade_identity::hex_lower(&facts.sha256);
    assert_eq!(
        xfcc_element(&facts, &["spiffe://cluster.local/ns/x/sa/y".into()], XfccFields::USUAL),
        format!(
            "By=spiffe://cluster.local/ns/x/sa/y;Hash={hash};Subject=\"CN=client-san,O=Acme\\, Inc.,C=IL\";\
             URI=spiffe://cluster.local/ns/shop/sa/web;DNS=a.example.com"
        )
    );
    let all = XfccFields { certificate: true, ..XfccFields::default() };
    assert_eq!(
        xfcc_element(&facts, &[], all),
        format!("Hash={hash};Cert=\"{}\"", escaped_certificate_pem(&facts.der))
    );
    facts.uri_sans = vec!["x;URI=spiffe://cluster.local/ns/a/sa/admin".into(), "a\"b\\c\r\nd".into()];
    facts.dns_sans = vec!["a,Hash=0".into()];
    let fields = XfccFields { uri: true, dns: true, ..XfccFields::default() };
    assert_eq!(
        xfcc_element(&facts, &[], fields),
        format!(
            "Hash={hash};URI=\"x;URI=spiffe://cluster.local/ns/a/sa/admin\";URI=\"a\\\"b\\\\c??d\";DNS=\"a,Hash=0\""
        )
    );
    facts.uri_sans.clear();
    assert_eq!(
        xfcc_element(&facts, &[], XfccFields { uri: true, ..XfccFields::default() }),
        format!("Hash={hash};URI=")
    );
}

#[test]
fn possession_is_proved_by_the_certificates_key_in_the_way_of_the_version() {
    let Some(folder) = support::certificates() else { return };
    let (message, file) = (b"what was signed".as_slice(), folder.join("message"));
    std::fs::write(&file, message).unwrap();
    use Handshake::{Tls12, Tls13};
    let pss: &[&str] = &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"];
    // (key, digest, options, scheme, in TLS 1.2, in TLS 1.3); `client` is of X.509 version 1.
    for (name, digest, options, scheme, tls12, tls13) in [
        ("client", "sha256", &[][..], 0x0401, true, false),
        ("client", "sha384", &[], 0x0501, true, false),
        ("client", "sha512", &[], 0x0601, true, false),
        ("client", "sha256", pss, 0x0804, true, true),
        ("client", "sha384", pss, 0x0805, true, true),
        ("client", "sha512", pss, 0x0806, true, true),
        ("client", "sha256", pss, 0x0809, false, false),
        ("client-rsapss", "sha256", &["-sigopt", "rsa_pss_saltlen:-1"], 0x0809, true, true),
        ("client-rsapss", "sha256", &["-sigopt", "rsa_pss_saltlen:-1"], 0x0804, false, false),
        ("client-v3", "sha256", &[], 0x0403, true, true),
        ("client-v3", "sha384", &[], 0x0503, true, false),
        ("client-p384", "sha384", &[], 0x0503, true, true),
        ("client-p384", "sha256", &[], 0x0403, true, false),
        ("client-v3", "sha1", &[], 0x0203, false, false),
    ] {
        let signature = std::process::Command::new("openssl")
            .current_dir(folder)
            .args(["dgst", &format!("-{digest}"), "-sign", &format!("{name}.key")])
            .args(options)
            .arg(&file)
            .output()
            .unwrap();
        assert!(signature.status.success(), "{}", String::from_utf8_lossy(&signature.stderr));
        let (leaf, signature) = (&support::chain(folder, name)[0], signature.stdout);
        for (version, proves) in [(Tls12, tls12), (Tls13, tls13)] {
            let proof = possession(leaf, version, scheme, message, &signature);
            let expected = if proves { Ok(()) } else { Err(PossessionError::Scheme { scheme }) };
            assert_eq!(proof, expected, "{name} {digest} {scheme:#06x} {version:?}");
            if proves {
                let wrong = Err(PossessionError::Signature);
                assert_eq!(possession(leaf, version, scheme, b"something else", &signature), wrong);
                assert_eq!(possession(leaf, version, scheme, message, &signature[1..]), wrong);
                let other = &support::chain(folder, "leaf-sub")[0];
                assert!(possession(other, version, scheme, message, &signature).is_err());
            }
        }
    }
    assert_eq!(possession(b"none", Tls13, 0x0403, message, b""), Err(PossessionError::Unreadable));
}

#[test]
fn hostile_chains_are_refused_or_judged_and_never_believed() {
    let Some(folder) = support::certificates() else { return };
    let anchors = support::anchors(folder, "bundle", Some("both"), 2);
    let chain = support::chain(folder, "leaf-sub");
    let view = |chain: &[Vec<u8>]| {
        let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
        verify(&chain, &anchors, support::now())
    };
    assert_eq!(view(&[]), Ok(PeerIdentity::NONE));
    assert_eq!(view(&[chain[0].clone(), Vec::new()]).unwrap_err().at, 1);
    assert!(view(&vec![chain[0].clone(); 16]).is_ok());
    assert_eq!(view(&vec![chain[0].clone(); 17]).unwrap_err().at, 16);
    let trailing = [chain[0].as_slice(), &[0]].concat();
    assert_eq!(view(&[trailing]).unwrap_err().at, 0);
    // Whatever byte of the leaf changes, it is not believed.
    let mut judged = 0;
    for at in 0..chain[0].len() {
        for bit in [1, 0x80] {
            let mut changed = chain.clone();
            changed[0][at] ^= bit;
            match view(&changed) {
                Ok(peer) => {
                    assert_ne!(peer.verify(), Verification::Success, "byte {at}");
                    judged += 1;
                }
                Err(unreadable) => assert_eq!(unreadable.at, 0),
            }
        }
    }
    assert!(judged > 100, "{judged}");
}

#[test]
fn the_reference_names_every_failure() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/certificate-verdicts.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| number")).collect();
    assert_eq!(rows.len(), FAILURES.len());
    for (row, failure) in rows.iter().zip(FAILURES) {
        let star = if (18..=21).contains(&failure.code) { "*" } else { "" };
        assert!(row.starts_with(&format!("| {}{star} | {} |", failure.code, failure.reason)), "{row}");
    }
}

#[test]
fn anchors_say_what_is_wrong_with_them() {
    let Some(folder) = support::certificates() else { return };
    let root = std::fs::read(folder.join("root.crt")).unwrap();
    let list = std::fs::read(folder.join("root.crl")).unwrap();
    assert_eq!(Anchors::new(&root, Some(&list), 1).unwrap().len(), 1);
    assert_eq!(Anchors::new(&[root.as_slice(), &root].concat(), None, 1).unwrap().len(), 1);
    let twenty = root.iter().filter(|byte| **byte == b'\n').count() + 1;
    for (ca, crl, depth, error) in [
        (&b""[..], None, 1, AnchorsError::Empty { file: "ca", wanted: "CERTIFICATE" }),
        (&list, None, 1, AnchorsError::Empty { file: "ca", wanted: "CERTIFICATE" }),
        (&root, Some(root.as_slice()), 1, AnchorsError::Empty { file: "crl", wanted: "X509 CRL" }),
        (&root[..root.len() - 40], None, 1, AnchorsError::Pem { file: "ca", line: 1 }),
        (&root, None, 13, AnchorsError::Depth { depth: 13 }),
        (
            &[&root[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"].concat(),
            None,
            1,
            AnchorsError::Certificate { line: twenty },
        ),
        (
            b"-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n",
            None,
            1,
            AnchorsError::Trusted { line: 1 },
        ),
        (
            &root,
            Some(&b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"[..]),
            1,
            AnchorsError::List { line: 1 },
        ),
    ] {
        assert_eq!(Anchors::new(ca, crl, depth).unwrap_err(), error);
    }
}
