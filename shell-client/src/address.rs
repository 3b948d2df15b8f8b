//! A server's address as people write it: `nalcast://HOST:PORT#KEY`.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::str::FromStr;
use std::io;
use std::net::ToSocketAddrs;

use nalcast_core::handshake::SharedKey;
use shell_common::key::parse_key;

/// The port of a server that does not say otherwise.
pub const PORT_DEFAULT: u16 = 4600;

const SCHEME: &str = "nalcast://";

/// Host and port of a server, and the key that it was given out with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// A name or an IP address, IPv6 without brackets.
    pub host: String,
    /// The UDP port.
    pub port: u16,
    /// The key, if it stands there.
    pub key: Option<SharedKey>,
}

/// Why a text is no address of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It begins with something else.
    #[error("an address begins with {SCHEME}, for example nalcast://192.168.1.20:4600")]
    Scheme,
    /// There is no host in it.
    #[error("the host is missing: write nalcast://HOST:PORT, for example nalcast://192.168.1.20:4600")]
    Host,
    /// The port is no number.
    #[error("`{0}` is no port: write a number from 1 to 65535 behind the last colon")]
    Port(String),
    /// The brackets are not in order.
    #[error("an IPv6 address stands in brackets, for example nalcast://[fe80::1]:4600")]
    Ipv6,
    /// There is something behind the port.
    #[error("only a `#` and the key may follow the port")]
    Rest,
    /// What follows the `#` is no key.
    #[error("what follows the `#` is no key: copy the whole address, or keep the key in a file and use --key-file")]
    Key,
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let authority = text.strip_prefix(SCHEME).ok_or(AddressError::Scheme)?;
        let (authority, key) = match authority.split_once('#') {
            Some((authority, key)) => (authority, Some(parse_key(key).ok_or(AddressError::Key)?)),
            None => (authority, None),
        };
        let (authority, rest) = authority.find(['/', '?']).map_or((authority, ""), |at| authority.split_at(at));
        if !matches!(rest, "" | "/") {
            return Err(AddressError::Rest);
        }
        let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
            let (host, port) = bracketed.split_once(']').ok_or(AddressError::Ipv6)?;
            // A zone, as in fe80::1%eth0, is the resolver's business.
            let address = host.split('%').next().unwrap_or_default();
            address.parse::<Ipv6Addr>().map_err(|_| AddressError::Ipv6)?;
            (host, port)
        } else {
            authority.find(':').map_or((authority, ""), |at| authority.split_at(at))
        };
        if host.is_empty() {
            return Err(AddressError::Host);
        }
        let port = match port.strip_prefix(':') {
            // More colons mean an IPv6 address without brackets.
            Some(port) if port.contains(':') => return Err(AddressError::Ipv6),
            Some(port) => parse_port(port).ok_or_else(|| AddressError::Port(port.to_owned()))?,
            None if port.is_empty() => PORT_DEFAULT,
            None => return Err(AddressError::Ipv6),
        };
        Ok(Self { host: host.to_owned(), port, key })
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_plain && *port > 0)
}

impl ServerAddress {
    /// Looks the host up. A name that has addresses of both families means the IPv4 one, as servers listen to that
    /// unless they are told otherwise.
    ///
    /// # Errors
    /// When the host is unknown.
    pub fn resolve(&self) -> io::Result<SocketAddr> {
        let addresses = (self.host.as_str(), self.port).to_socket_addrs()?;
        let chosen = addresses.min_by_key(|address| matches!(address.ip(), IpAddr::V6(_)));
        chosen.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
    }
}

/// Without the key, which nobody is to see.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, key: _ } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table = [
            ("nalcast://example.org:5000", "example.org:5000"),
            ("nalcast://example.org", "example.org:4600"),
            ("nalcast://192.0.2.1:1/", "192.0.2.1:1"),
            ("nalcast://[2001:db8::1]:65535", "[2001:db8::1]:65535"),
            ("nalcast://[fe80::1%eth0]", "[fe80::1%eth0]:4600"),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<ServerAddress>().map(|address| address.to_string()), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn a_key_is_read_and_never_shown() {
        let text = "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s";
        let address: ServerAddress = format!("nalcast://host:1/#{text}").parse().unwrap();
        assert_eq!(address.key, Some(SharedKey::new([0xfb; 32])));
        assert_eq!(format!("{address} {address:?}").matches("v7").count(), 0);
        let mistake = format!("nalcast://host:1#{text}x").parse::<ServerAddress>().unwrap_err();
        assert_eq!(format!("{mistake} {mistake:?}").matches("v7").count(), 0);
    }

    #[test]
    fn mistakes() {
        let port = |text: &str| AddressError::Port(text.to_owned());
        let table = [
            ("", AddressError::Scheme),
            ("192.0.2.1:4600", AddressError::Scheme),
            ("http://192.0.2.1:4600", AddressError::Scheme),
            ("nalcast://", AddressError::Host),
            ("nalcast://:4600", AddressError::Host),
            ("nalcast://host:", port("")),
            ("nalcast://host:0", port("0")),
            ("nalcast://host:65536", port("65536")),
            ("nalcast://host:+1", port("+1")),
            ("nalcast://host:http", port("http")),
            ("nalcast://2001:db8::1", AddressError::Ipv6),
            ("nalcast://[2001:db8::1", AddressError::Ipv6),
            ("nalcast://[host]:1", AddressError::Ipv6),
            ("nalcast://[::1]1", AddressError::Ipv6),
            ("nalcast://host:1/path", AddressError::Rest),
            ("nalcast://host:1#", AddressError::Key),
            ("nalcast://host:1#secret", AddressError::Key),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<ServerAddress>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn numbers_need_no_name_service() {
        for text in ["127.0.0.1:5", "[::1]:5"] {
            let address: ServerAddress = format!("nalcast://{text}").parse().unwrap();
            assert_eq!(address.resolve().unwrap(), text.parse().unwrap());
        }
    }
}
