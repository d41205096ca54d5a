//! Who a client is, as headers say it that anybody may have written.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

use palisade_config::{File, Overrides, read};
use palisade_dataplane::{
    ClientAddresses, PROXY_HEADER_BYTES_MAX, Parsed, client_address, forwarded_elements, parse_proxy_header,
};
use palisade_http::Fields;

/// The beginning of a connection that should be a header of the PROXY protocol.
///
/// # Panics
/// When something did not hold.
pub fn proxy_header(bytes: &[u8]) {
    let whole = parse_proxy_header(bytes);
    if let Ok(Parsed::Header(_, length)) = whole {
        assert!((1..=bytes.len().min(PROXY_HEADER_BYTES_MAX)).contains(&length));
    }
    // However it is cut: more is needed until it is whole, and then it is the same, whatever follows.
    for cut in 0..bytes.len().min(64) {
        match (parse_proxy_header(&bytes[..cut]), whole) {
            (Ok(Parsed::Incomplete), _) => {}
            (Ok(Parsed::Header(proxied, length)), Ok(Parsed::Header(same, as_long))) => {
                assert_eq!((proxied, length), (same, as_long));
            }
            (Err(_), Err(_)) => {}
            (before, after) => panic!("{before:?} of {cut} bytes, {after:?} of all"),
        }
    }
    assert!(bytes.len() < PROXY_HEADER_BYTES_MAX || whole != Ok(Parsed::Incomplete));
}

/// A list of addresses: one byte of which kind, then the header's value.
///
/// # Panics
/// When something did not hold.
pub fn client_addresses(bytes: &[u8]) {
    let Some((kind, value)) = bytes.split_first() else { return };
    let all = settings();
    let (name, addresses) = &all[usize::from(*kind) % all.len()];
    let client = |peer: &str, value: &[u8]| {
        let mut headers = Fields::new();
        headers.push(name.as_bytes(), value);
        addresses.client_of(SocketAddr::new(peer.parse().unwrap(), 1), &headers).ip()
    };
    let ours: IpAddr = "10.0.0.1".parse().unwrap();
    let found = client("10.0.0.1", value);
    let trusted = |address: IpAddr| addresses.trusted.iter().any(|network| network.contains(address));
    if addresses.hops == 0 {
        assert_eq!(client("192.0.2.1", value), "192.0.2.1".parse::<IpAddr>().unwrap(), "nobody trusts it");
        if !trusted(found) {
            assert_ne!(found, ours);
            // Whoever sends more of it before chooses nothing.
            let invented: &[u8] = if *name == "forwarded" { b"for=203.0.113.9, " } else { b"203.0.113.9, " };
            assert_eq!(client("10.0.0.1", &[invented, value].concat()), found);
        }
    }
    let _ = client_address(value);
    if let Some(elements) = forwarded_elements(&[value]) {
        assert!(elements.len() <= value.len());
    }
}

/// Kinds of lists, as a configuration says them, with their header.
fn settings() -> &'static [(&'static str, ClientAddresses)] {
    static SETTINGS: OnceLock<Vec<(&str, ClientAddresses)>> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let kinds = [
            ("x-forwarded-for", "{from: x-forwarded-for, trusted: [10.0.0.0/8]}"),
            ("forwarded", "{from: forwarded, trusted: [10.0.0.0/8]}"),
            ("x-forwarded-for", "{from: x-forwarded-for, hops: 2}"),
            ("forwarded", "{from: forwarded, hops: 1}"),
        ];
        kinds
            .into_iter()
            .map(|(name, told)| {
                let text = format!(
                    "services: [{{name: w, upstream: {{url: \"http://a\"}}}}]\n\
                     listeners: [{{name: w, address: 127.0.0.1:0, clientAddress: {told}}}]\n"
                );
                let read = read(Some(File { text: text.as_bytes(), folder: "" }), &Overrides::default());
                let config = read.config.expect("it is sound");
                let told = config.listeners[0].client_address.as_ref().expect("it is there");
                let trusted = told.trusted.iter().map(|network| **network).collect();
                (name, ClientAddresses { from: (*told.from).clone(), trusted, hops: told.hops.get() })
            })
            .collect()
    })
}
