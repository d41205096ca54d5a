//! The PROXY protocol, versions 1 and 2: the header with which a load balancer says whom it stands for.
//!
//! Source: HAProxy's `proxy-protocol.txt`. Differs on purpose: of version 2's TLVs nothing is taken, and a header of more
//! than [`HEADER_BYTES_MAX`] is refused. A header must be there where it is configured, from peers that are trusted; one
//! from others is never looked at.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The longest header that is taken; TLVs with a certificate's names come to a few hundred bytes.
pub const HEADER_BYTES_MAX: usize = 4 * 1024;

/// The longest line of version 1, its end included.
const LINE_BYTES_MAX: usize = 107;

/// How every header of version 2 begins.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Whom a connection is for, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxied {
    /// A client, and where it connected to.
    Client {
        /// The client.
        source: SocketAddr,
        /// Where it connected to.
        destination: SocketAddr,
    },
    /// The one who connected itself (a health check), or a family that is no IP.
    Itself,
}

/// What a beginning of a header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// More is needed.
    Incomplete,
    /// It is whole, and so many bytes long.
    Header(Proxied, usize),
}

/// It is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHeader {
    /// It begins otherwise.
    #[error("the connection does not begin with a header of the PROXY protocol")]
    Other,
    /// It is too long.
    #[error("the header of the PROXY protocol is longer than {HEADER_BYTES_MAX} bytes")]
    TooLong,
    /// It says nothing that makes sense.
    #[error("the header of the PROXY protocol is broken")]
    Broken,
}

/// Reads a header. O(n), n at most [`HEADER_BYTES_MAX`].
///
/// # Errors
/// When these bytes cannot become one.
pub fn parse(bytes: &[u8]) -> Result<Parsed, NoHeader> {
    let begins = |text: &[u8]| {
        let both = bytes.len().min(text.len());
        bytes[..both] == text[..both]
    };
    if begins(SIGNATURE) {
        version_2(bytes)
    } else if begins(b"PROXY ") {
        version_1(bytes)
    } else {
        Err(NoHeader::Other)
    }
}

fn version_1(bytes: &[u8]) -> Result<Parsed, NoHeader> {
    let within = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return if within.len() == LINE_BYTES_MAX { Err(NoHeader::Broken) } else { Ok(Parsed::Incomplete) };
    };
    let line = within[..end].strip_suffix(b"\r").ok_or(NoHeader::Broken)?;
    let line = std::str::from_utf8(line).map_err(|_| NoHeader::Broken)?;
    // One space between two words: what is laxer would be read differently elsewhere.
    let mut words = line.split(' ').skip(1);
    let proxied = match words.next() {
        Some("UNKNOWN") => Proxied::Itself,
        Some(family @ ("TCP4" | "TCP6")) => {
            let mut word = || words.next().ok_or(NoHeader::Broken);
            let (source, destination, from, to) = (word()?, word()?, word()?, word()?);
            if words.next().is_some() {
                return Err(NoHeader::Broken);
            }
            let address = |text: &str| -> Result<IpAddr, NoHeader> {
                let address = match family {
                    "TCP4" => text.parse().map(IpAddr::V4).ok(),
                    _ => text.parse().map(IpAddr::V6).ok(),
                };
                address.ok_or(NoHeader::Broken)
            };
            let port = |text: &str| {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse().ok().filter(|_| digits).ok_or(NoHeader::Broken)
            };
            Proxied::Client {
                source: SocketAddr::new(address(source)?, port(from)?),
                destination: SocketAddr::new(address(destination)?, port(to)?),
            }
        }
        _ => return Err(NoHeader::Broken),
    };
    Ok(Parsed::Header(proxied, end + 1))
}

fn version_2(bytes: &[u8]) -> Result<Parsed, NoHeader> {
    const FIXED: usize = 16;
    let Some((fixed, rest)) = bytes.split_at_checked(FIXED) else { return Ok(Parsed::Incomplete) };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if FIXED + length > HEADER_BYTES_MAX {
        return Err(NoHeader::TooLong);
    }
    let Some(addresses) = rest.get(..length) else { return Ok(Parsed::Incomplete) };
    let proxied = match (fixed[12], fixed[13]) {
        // LOCAL: what follows says nothing.
        (0x20, _) => Proxied::Itself,
        (0x21, 0x11) => {
            let address =
                |at: usize| addresses.get(at..at + 4)?.try_into().ok().map(<Ipv4Addr as From<[u8; 4]>>::from);
            client(addresses, 8, address(0).map(IpAddr::V4), address(4).map(IpAddr::V4))?
        }
        (0x21, 0x21) => {
            let address = |at: usize| {
                addresses.get(at..at + 16)?.try_into().ok().map(<Ipv6Addr as From<[u8; 16]>>::from)
            };
            client(addresses, 32, address(0).map(IpAddr::V6), address(16).map(IpAddr::V6))?
        }
        // No family, datagrams and Unix sockets: to be taken as they are.
        (0x21, 0x00 | 0x12 | 0x22 | 0x31 | 0x32) => Proxied::Itself,
        _ => return Err(NoHeader::Broken),
    };
    Ok(Parsed::Header(proxied, FIXED + length))
}

fn client(
    addresses: &[u8],
    ports_at: usize,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
) -> Result<Proxied, NoHeader> {
    let port = |at: usize| addresses.get(at..at + 2).map(|port| u16::from_be_bytes([port[0], port[1]]));
    match (source, destination, port(ports_at), port(ports_at + 2)) {
        (Some(source), Some(destination), Some(from), Some(to)) => Ok(Proxied::Client {
            source: SocketAddr::new(source, from),
            destination: SocketAddr::new(destination, to),
        }),
        _ => Err(NoHeader::Broken),
    }
}

/// Takes the header off a connection, and not a byte more.
///
/// # Errors
/// When the connection ends or breaks, or begins with something else (`InvalidData`).
pub(crate) async fn take(stream: &mut TcpStream) -> io::Result<Proxied> {
    let no = |error: NoHeader| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut header = Vec::with_capacity(64);
    // Both versions are longer than this: it can be read without looking.
    header.resize(SIGNATURE.len(), 0);
    stream.read_exact(&mut header).await?;
    loop {
        let wanted = match parse(&header).map_err(no)? {
            Parsed::Header(proxied, _) => return Ok(proxied),
            Parsed::Incomplete => wanted(&header),
        };
        let more = match wanted {
            Some(bytes) => bytes,
            None => {
                // A line: what has come belongs to it up to its end.
                let mut ahead = [0; LINE_BYTES_MAX];
                let there = stream.peek(&mut ahead).await?;
                if there == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                ahead[..there].iter().position(|byte| *byte == b'\n').map_or(there, |end| end + 1)
            }
        };
        let before = header.len();
        header.resize(before + more, 0);
        stream.read_exact(&mut header[before..]).await?;
    }
}

/// How many bytes more a header of version 2 wants, as far as is known; `None` for a line.
fn wanted(header: &[u8]) -> Option<usize> {
    if !header.starts_with(SIGNATURE) {
        return None;
    }
    let whole = match header.get(14..16) {
        Some(length) => 16 + usize::from(u16::from_be_bytes([length[0], length[1]])),
        None => 16,
    };
    Some(whole - header.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(source: &str, destination: &str) -> Proxied {
        Proxied::Client { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        out.extend([command, family]);
        out.extend(u16::try_from(addresses.len()).unwrap().to_be_bytes());
        out.extend(addresses);
        out
    }

    #[test]
    fn a_line_names_the_client_and_ends_where_it_says() {
        for (line, proxied) in [
            ("PROXY TCP4 192.0.2.7 10.0.0.1 5000 443\r\n", client("192.0.2.7:5000", "10.0.0.1:443")),
            ("PROXY TCP6 2001:db8::1 fd00::1 5000 443\r\n", client("[2001:db8::1]:5000", "[fd00::1]:443")),
            ("PROXY UNKNOWN\r\n", Proxied::Itself),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Proxied::Itself),
        ] {
            let request = format!("{line}GET / HTTP/1.1\r\n");
            assert_eq!(parse(request.as_bytes()), Ok(Parsed::Header(proxied, line.len())), "{line}");
            for cut in 0..line.len() {
                assert_eq!(parse(&line.as_bytes()[..cut]), Ok(Parsed::Incomplete), "{cut} of {line}");
            }
        }
    }

    #[test]
    fn what_is_laxer_than_the_protocol_is_refused() {
        for line in [
            "PROXY TCP4 192.0.2.7 10.0.0.1 5000 443\n",
            "PROXY  TCP4 192.0.2.7 10.0.0.1 5000 443\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 5000\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 5000 443 1\r\n",
            "PROXY TCP4 2001:db8::1 10.0.0.1 5000 443\r\n",
            "PROXY TCP6 192.0.2.7 10.0.0.1 5000 443\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 +5000 443\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 65536 443\r\n",
            "PROXY UDP4 192.0.2.7 10.0.0.1 5000 443\r\n",
            "PROXY \r\n",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(NoHeader::Broken), "{line}");
        }
        assert_eq!(parse(format!("PROXY UNKNOWN {}", "a".repeat(200)).as_bytes()), Err(NoHeader::Broken));
        assert_eq!(parse(b"GET / HTTP/1.1\r\n"), Err(NoHeader::Other));
        assert_eq!(parse(b"proxy TCP4"), Err(NoHeader::Other));
    }

    #[test]
    fn a_binary_header_names_the_client_and_its_tlvs_are_passed_over() {
        let mut addresses = vec![192, 0, 2, 7, 10, 0, 0, 1, 0x13, 0x88, 0x01, 0xbb];
        addresses.extend([0x02, 0, 3, b'a', b'.', b'b']);
        let header = v2(0x21, 0x11, &addresses);
        assert_eq!(
            parse(&header),
            Ok(Parsed::Header(client("192.0.2.7:5000", "10.0.0.1:443"), header.len()))
        );
        for cut in 0..header.len() {
            assert_eq!(parse(&header[..cut]), Ok(Parsed::Incomplete), "{cut}");
        }
        let mut addresses = [0; 36];
        (addresses[0], addresses[15], addresses[16], addresses[31], addresses[33]) = (0xfd, 1, 0xfd, 2, 80);
        let header = v2(0x21, 0x21, &addresses);
        assert_eq!(parse(&header), Ok(Parsed::Header(client("[fd00::1]:80", "[fd00::2]:0"), 52)));
        for (command, family) in [(0x20, 0x11), (0x20, 0), (0x21, 0), (0x21, 0x31)] {
            assert_eq!(parse(&v2(command, family, &[1, 2])), Ok(Parsed::Header(Proxied::Itself, 18)));
        }
        assert_eq!(parse(&v2(0x21, 0x11, &[0; 11])), Err(NoHeader::Broken));
        assert_eq!(parse(&v2(0x21, 0x21, &[0; 35])), Err(NoHeader::Broken));
        assert_eq!(parse(&v2(0x22, 0x11, &[0; 12])), Err(NoHeader::Broken));
        assert_eq!(parse(&v2(0x11, 0x11, &[0; 12])), Err(NoHeader::Broken));
        assert_eq!(parse(&v2(0x21, 0x11, &[0; HEADER_BYTES_MAX])), Err(NoHeader::TooLong));
    }
}
