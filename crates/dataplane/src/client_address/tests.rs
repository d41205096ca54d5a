use super::*;
use palisade_config::{File, Overrides, read};

/// As a configuration says it.
fn addresses(client_address: &str) -> ClientAddresses {
    let text = format!(
        "services: [{{name: w, upstream: {{url: \"http://a\"}}}}]\n\
         listeners: [{{name: w, address: 127.0.0.1:0, clientAddress: {client_address}}}]\n"
    );
    let read = read(Some(File { text: text.as_bytes(), folder: "" }), &Overrides::default());
    let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
    let told = config.listeners[0].client_address.as_ref().unwrap();
    ClientAddresses {
        from: (*told.from).clone(),
        trusted: told.trusted.iter().map(|network| **network).collect(),
        hops: told.hops.get(),
    }
}

fn client(addresses: &ClientAddresses, peer: &str, headers: &[(&str, &str)]) -> String {
    let mut fields = Fields::new();
    for (name, value) in headers {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    addresses.client_of(SocketAddr::new(peer.parse().unwrap(), 9), &fields).ip().to_string()
}

#[test]
fn the_first_address_that_is_not_trusted_is_the_client() {
    let by_network = addresses("{from: x-forwarded-for, trusted: [10.0.0.0/8, \"fd00::/8\"]}");
    for (peer, list, expected) in [
        ("10.0.0.7", "203.0.113.9, 198.51.100.4, 10.0.0.5", "198.51.100.4"),
        ("10.0.0.7", "198.51.100.4", "198.51.100.4"),
        ("10.0.0.7", "198.51.100.4:5000", "198.51.100.4"),
        ("10.0.0.7", "[2001:db8::1]:5000,fd00::1", "2001:db8::1"),
        ("10.0.0.7", "::ffff:198.51.100.4", "198.51.100.4"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        // All are ours: who stands farthest away.
        ("10.0.0.7", "10.0.0.1, 10.0.0.2", "10.0.0.1"),
        // A peer that nobody trusts says nothing.
        ("203.0.113.9", "198.51.100.4", "203.0.113.9"),
        // What is no address ends it: nobody vouches for what stands before.
        ("10.0.0.7", "198.51.100.4, unknown", "10.0.0.7"),
        ("10.0.0.7", "198.51.100.4, evil, 10.0.0.5", "10.0.0.5"),
        ("10.0.0.7", "198.51.100.4,", "10.0.0.7"),
        ("10.0.0.7", "", "10.0.0.7"),
    ] {
        assert_eq!(client(&by_network, peer, &[("X-Forwarded-For", list)]), expected, "{peer} {list}");
    }
    assert_eq!(client(&by_network, "10.0.0.7", &[]), "10.0.0.7");
    let lines = [("X-Forwarded-For", "198.51.100.4"), ("A", "b"), ("x-forwarded-for", "10.0.0.5")];
    assert_eq!(client(&by_network, "10.0.0.7", &lines), "198.51.100.4", "lines are one list");
}

#[test]
fn hops_are_counted_from_the_end_and_too_few_entries_say_nothing() {
    for (hops, list, expected) in [
        (1, "1.1.1.1, 2.2.2.2", "2.2.2.2"),
        (2, "1.1.1.1, 2.2.2.2", "1.1.1.1"),
        (2, "9.9.9.9, 1.1.1.1, 2.2.2.2", "1.1.1.1"),
        (3, "1.1.1.1, 2.2.2.2", "192.0.2.1"),
        (1, "nobody", "192.0.2.1"),
        (1, "", "192.0.2.1"),
    ] {
        let by_hops = addresses(&format!("{{from: x-forwarded-for, hops: {hops}}}"));
        assert_eq!(client(&by_hops, "192.0.2.1", &[("x-forwarded-for", list)]), expected, "{hops} {list}");
    }
    // Both: only from peers that are trusted.
    let both = addresses("{from: X-Forwarded-For, hops: 1, trusted: [10.0.0.0/8]}");
    assert_eq!(client(&both, "10.0.0.1", &[("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
    assert_eq!(client(&both, "192.0.2.1", &[("x-forwarded-for", "1.1.1.1")]), "192.0.2.1");
}

#[test]
fn a_named_header_and_forwarded_are_read_alike() {
    let named = addresses("{from: CF-Connecting-IP, trusted: [10.0.0.0/8]}");
    assert_eq!(client(&named, "10.0.0.1", &[("cf-connecting-ip", "1.1.1.1")]), "1.1.1.1");
    let forwarded = addresses("{from: forwarded, trusted: [10.0.0.0/8]}");
    for (value, expected) in [
        ("for=1.1.1.1", "1.1.1.1"),
        ("For=\"1.1.1.1:80\";proto=https;by=10.0.0.1", "1.1.1.1"),
        ("for=\"[2001:db8::1]:_port\"", "2001:db8::1"),
        ("for=\"[2001:db8::1]\", for=10.0.0.3", "2001:db8::1"),
        ("for=1.1.1.1:80", "1.1.1.1"),
        ("for=9.9.9.9, for=1.1.1.1;host=\"a,b;for=8.8.8.8\"", "1.1.1.1"),
        ("for=9.9.9.9,,for=1.1.1.1 , ", "1.1.1.1"),
        ("for=\"1.1.\\1.1\"", "1.1.1.1"),
        ("for=unknown", "10.0.0.1"),
        ("for=1.1.1.1, for=_hidden", "10.0.0.1"),
        ("for=1.1.1.1, proto=https", "10.0.0.1"),
        ("for=\"2001:db8::1\"", "10.0.0.1"),
        // Broken anywhere: nothing of it counts.
        ("for=1.1.1.1;for=2.2.2.2", "10.0.0.1"),
        ("for=\"1.1.1.1", "10.0.0.1"),
        ("for=1.1.1.1 for=2.2.2.2", "10.0.0.1"),
        ("for = 1.1.1.1", "10.0.0.1"),
        ("1.1.1.1", "10.0.0.1"),
        ("", "10.0.0.1"),
    ] {
        assert_eq!(client(&forwarded, "10.0.0.1", &[("Forwarded", value)]), expected, "{value}");
    }
    let lines = [("Forwarded", "for=1.1.1.1"), ("Forwarded", "for=10.0.0.2")];
    assert_eq!(client(&forwarded, "10.0.0.1", &lines), "1.1.1.1");
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
            any::<[u8; 4]>().prop_map(|bytes| format!("10.{}.{}.{}:80", bytes[0], bytes[1], bytes[2])),
            any::<u128>().prop_map(|bits| format!("[{}]:1", Ipv6Addr::from(bits))),
            "[ -~]{0,20}",
        ]
    }

    proptest! {
        /// Whoever writes the beginning of a list chooses nothing that is behind somebody whom nobody vouches for.
        #[test]
        fn what_stands_before_the_client_makes_no_difference(
            invented in prop::collection::vec(entry(), 0..4),
            list in prop::collection::vec(entry(), 1..4),
        ) {
            let by_network = addresses("{from: x-forwarded-for, trusted: [10.0.0.0/8]}");
            let (short, long) = (list.join(", "), [invented, list].concat().join(", "));
            let found = client(&by_network, "10.0.0.1", &[("x-forwarded-for", &short)]);
            if !by_network.trusts(found.parse().unwrap()) {
                prop_assert_eq!(&found, &client(&by_network, "10.0.0.1", &[("x-forwarded-for", &long)]));
            }
            prop_assert_eq!(client(&by_network, "192.0.2.1", &[("x-forwarded-for", &long)]), "192.0.2.1");
            let by_hops = addresses("{from: x-forwarded-for, hops: 1}");
            prop_assert_eq!(
                client(&by_hops, "192.0.2.1", &[("x-forwarded-for", &short)]),
                client(&by_hops, "192.0.2.1", &[("x-forwarded-for", &long)])
            );
        }
    }
}
