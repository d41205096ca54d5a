//! One question of DNS: the address of a name, from a resolver that was named.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

/// Names of 34 characters as programs make them up. Below `.test`, which is nobody's.
pub(super) const MADE_UP: [&str; 6] = [
    "xk2vq9w7mzt4hplr83dnsyb6cfj1g.test",
    "q0ztr5plm8vxk3whn1bdys7cgjf4a.test",
    "m7wzq3xkv9plt1rhn5dbys8cfjg2e.test",
    "h4plr8zxk2vq6wmtn0dsyb9cgjf7u.test",
    "t1nzq7wkx5plv3rhm9dbys4cfjg6o.test",
    "v8mzr2xkq6plw0thn4dsyb1cgjf5i.test",
];

/// Asks for the first IPv4 address of a name; `None` when there is none.
pub(super) async fn ask(resolver: SocketAddr, name: &str, id: u16) -> io::Result<Option<Ipv4Addr>> {
    let any: SocketAddr = if resolver.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(resolver).await?;
    socket.send(&question(name, id)).await?;
    let mut answer = [0; 1232];
    loop {
        let length = socket.recv(&mut answer).await?;
        if answer[..length].starts_with(&id.to_be_bytes()) {
            return Ok(address(&answer[..length]));
        }
    }
}

fn question(name: &str, id: u16) -> Vec<u8> {
    let mut question = id.to_be_bytes().to_vec();
    // A question that wants recursion, one of it, nothing else.
    question.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).unwrap_or(0));
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    question
}

/// The first address in an answer. Anything that is not understood has none.
fn address(answer: &[u8]) -> Option<Ipv4Addr> {
    let count = |at: usize| Some(usize::from(u16::from_be_bytes([*answer.get(at)?, *answer.get(at + 1)?])));
    let mut at = 12;
    for _ in 0..count(4)? {
        at = after_name(answer, at)? + 4;
    }
    for _ in 0..count(6)? {
        at = after_name(answer, at)?;
        let (kind, length) = (count(at)?, count(at + 8)?);
        if let (1, 4, Some(&[a, b, c, d])) = (kind, length, answer.get(at + 10..at + 14)) {
            return Some(Ipv4Addr::new(a, b, c, d));
        }
        at += 10 + length;
    }
    None
}

fn after_name(answer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *answer.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xC0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_34_characters_and_nobodys() {
        for name in MADE_UP {
            assert_eq!(name.len(), 34, "{name}");
            assert!(name.ends_with(".test"));
        }
    }

    #[test]
    fn the_first_address_is_read_and_nonsense_has_none() {
        let mut answer = question("a.test", 7);
        answer[7] = 2;
        answer.extend([0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 1, b'b']);
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 8]);
        assert_eq!(address(&answer), Some(Ipv4Addr::new(192, 0, 2, 8)));
        for end in 0..answer.len() {
            assert_eq!(address(&answer[..end]), None, "{end}");
        }
        assert_eq!(address(&question("a.test", 7)), None);
    }
}
