//! The network that guests may use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use serde::Deserialize;

/// The hosts that guests may connect to, and the addresses at which they may listen. The default has none.
///
/// An entry is a host, or a host, a colon and a port or a range of ports: `example.com:443`, `192.0.2.7`,
/// `192.0.2.0/24:8000-8999`, `[2001:db8::1]:443`, `[2001:db8::/32]`. A host without a port has all ports. A name has its own
/// entry: no entry is for the names below it.
///
/// A name is only good for public addresses. One that resolves to the machine itself, to its local network or to another
/// address that is not public reaches it only if that address has an entry, too: the owner of a name could otherwise lead a
/// guest to the services around the host.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Network {
    /// Names, addresses and blocks of addresses that guests may connect to and send datagrams to, and from which they may
    /// receive datagrams. Default: none.
    pub connect: Vec<String>,
    /// Addresses and blocks of addresses of this machine at which guests may listen for connections and receive datagrams
    /// from anybody. Port 0 is any port that the system chooses. Default: none.
    pub listen: Vec<String>,
}

impl Network {
    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.connect.is_empty() && self.listen.is_empty()
    }
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) host: Host,
    pub(crate) ports: RangeInclusive<u16>,
}

/// The host of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name in lower case, without a dot at its end.
    Name(Box<str>),
    /// The addresses that have these first bits.
    Block(Block),
}

/// The addresses that have the same first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The first of them.
    start: IpAddr,
    bits: u8,
}

impl Rule {
    /// Reads an entry.
    ///
    /// # Errors
    /// The reason why it is none.
    pub(crate) fn parse(entry: &str) -> Result<Self, String> {
        let (host, ports) = split_ports(entry)?;
        let ports = match ports {
            None => 0..=u16::MAX,
            Some(ports) => {
                let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
                match (port(first), port(last)) {
                    (Some(first), Some(last)) if first <= last => first..=last,
                    _ => return Err(format!("{ports} is no port and no range of ports")),
                }
            }
        };
        let host = match host.strip_prefix('[') {
            Some(inner) => {
                let inner = inner.strip_suffix(']').ok_or("] is missing")?;
                Host::Block(Block::parse::<Ipv6Addr>(inner, 128)?)
            }
            None if host.contains('/') || host.parse::<Ipv4Addr>().is_ok() => {
                Host::Block(Block::parse::<Ipv4Addr>(host, 32)?)
            }
            None => Host::Name(name_of(host).ok_or("its host is no name and no address")?),
        };
        Ok(Self { host, ports })
    }

    /// Whether this entry grants all that another one asks for.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let covers_host = match (&self.host, &other.host) {
            (Host::Name(name), Host::Name(other)) => name == other,
            (Host::Block(block), Host::Block(other)) => block.covers(*other),
            _ => false,
        };
        covers_host
            && self.ports.contains(other.ports.start())
            && self.ports.contains(other.ports.end())
    }

    /// Whether the entry is for a block that contains the address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        matches!(&self.host, Host::Block(block) if block.contains(address))
    }
}

/// Splits an entry into its host and its ports, if it has any.
fn split_ports(entry: &str) -> Result<(&str, Option<&str>), String> {
    let end_of_host = match entry.starts_with('[') {
        true => entry.find(']').map_or(entry.len(), |end| end + 1),
        false => entry.find(':').unwrap_or(entry.len()),
    };
    let (host, rest) = entry.split_at(end_of_host);
    if rest.is_empty() {
        return Ok((host, None));
    }
    let ports = rest.strip_prefix(':').ok_or("a colon is missing")?;
    match ports.contains(':') {
        true => Err("an address of IPv6 has to be in brackets".to_owned()),
        false => Ok((host, Some(ports))),
    }
}

/// The port that these digits are. `parse` would take a sign, too.
fn port(digits: &str) -> Option<u16> {
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| are_digits)
}

/// Returns the name as entries have it: in lower case, without a dot at its end; `None` if it is no name of a host. A text whose
/// last part looks like a number is none: resolvers take `127.1` and `0x7f000001` for addresses.
pub(crate) fn name_of(name: &str) -> Option<Box<str>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.len() > 253 {
        return None;
    }
    let is_label = |label: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && !label.starts_with('-') && label.bytes().all(is_part)
    };
    let last = name.rsplit('.').next()?;
    let is_number = last.starts_with(|first: char| first.is_ascii_digit());
    (name.split('.').all(is_label) && !is_number).then(|| name.to_ascii_lowercase().into())
}

impl Block {
    /// Reads an address, or an address, a slash and a number of bits.
    fn parse<A>(text: &str, max_bits: u8) -> Result<Self, String>
    where
        A: std::str::FromStr + Into<IpAddr>,
    {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, port(bits).and_then(|bits| bits.try_into().ok())),
            None => (text, Some(max_bits)),
        };
        let start: A = address
            .parse()
            .map_err(|_| format!("{address} is no address"))?;
        let start = start.into();
        if start.to_canonical() != start {
            return Err("an address of IPv4 has to be written as such".to_owned());
        }
        let bits = bits.filter(|bits| *bits <= max_bits);
        let bits = bits.ok_or_else(|| format!("a block has 0 to {max_bits} bits"))?;
        let block = Self { start, bits };
        match block.first_bits(start) == number(start) {
            true => Ok(block),
            false => Err(format!("{address} is not the first address of its block")),
        }
    }

    /// The first bits of an address, as many as those of the block; the others are zero.
    fn first_bits(self, address: IpAddr) -> u128 {
        let width = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let others = width - u32::from(self.bits);
        let number = number(address);
        number
            .checked_shr(others)
            .unwrap_or(0)
            .checked_shl(others)
            .unwrap_or(0)
    }

    fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.start.is_ipv4() == address.is_ipv4() && self.first_bits(address) == number(self.start)
    }

    fn covers(self, other: Self) -> bool {
        self.bits <= other.bits && self.contains(other.start)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Whether an address is one of the public internet. Others are this machine, its local network, and those with a use of their own.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && b & 0xC0 == 64;
    let is_assigned = (a, b, c) == (192, 0, 0);
    let is_benchmark = a == 198 && b & 0xFE == 18;
    let is_former_relay = (a, b, c) == (192, 88, 99);
    !(a == 0
        || a >= 224
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || is_shared
        || is_assigned
        || is_benchmark
        || is_former_relay)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, ..] = address.segments();
    // The networks of the public internet are in 2000::/3. In it, 2001::/23 has uses of its own (one is a tunnel, which holds an
    // address of IPv4), 2002::/16 is another tunnel, and 2001:db8::/32 and 3fff::/20 are for documents.
    let is_tunnel = a == 0x2002 || (a == 0x2001 && b < 0x200);
    let is_documentation = (a == 0x2001 && b == 0xDB8) || (a == 0x3FFF && b < 0x1000);
    // 64:ff9b::/96 holds an address of IPv4, which a gateway reaches.
    if (a, b, c) == (0x64, 0xFF9B, 0) {
        let [.., high, low] = address.segments();
        return is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    a & 0xE000 == 0x2000 && !is_tunnel && !is_documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(entry: &str) -> Rule {
        Rule::parse(entry).unwrap_or_else(|why| panic!("{entry}: {why}"))
    }

    #[test]
    fn entries_are_read() {
        assert_eq!(rule("Example.COM."), rule("example.com:0-65535"));
        assert_eq!(rule("example.com:443").ports, 443..=443);
        assert_eq!(rule("10.0.0.0/8:1-9").ports, 1..=9);
        assert_eq!(
            rule("[::1]:80").host,
            Host::Block(Block {
                start: Ipv6Addr::LOCALHOST.into(),
                bits: 128
            })
        );
        for wrong in [
            "",
            ":",
            ":80",
            "a:",
            "a:b",
            "a:80:90",
            "a:9-1",
            "a:65536",
            "a:+1",
            "a b",
            "a..b",
            "-a",
            "*",
            "*.a",
            "127.1",
            "1",
            "a.1",
            "0x7f000001",
            "256.0.0.1",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.1/8",
            "10.0.0.0/+8",
            "::1",
            "[::1",
            "[::1]80",
            "[::1/129]",
            "[::1]/128",
            "[::ffff:10.0.0.1]",
            "[10.0.0.1]",
            "[a]",
            "a/8",
            "http://a",
            "a/b",
            "\u{e9}.example",
            "user@a",
        ] {
            Rule::parse(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn an_entry_covers_its_parts() {
        for (entry, part) in [
            ("a.example", "A.example:80"),
            ("a.example:80-90", "a.example:81-90"),
            ("10.0.0.0/8", "10.1.2.3:80"),
            ("0.0.0.0/0", "10.0.0.0/8"),
            ("[::/0]", "[::1]"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert!(rule(entry).covers(&rule(part)), "{entry} {part}");
        }
        for (entry, other) in [
            ("a.example:80", "a.example"),
            ("a.example", "b.a.example"),
            ("a.example:80-90", "a.example:90-91"),
            ("10.1.0.0/16", "10.0.0.0/8"),
            ("10.0.0.0/8", "11.0.0.0"),
            ("0.0.0.0/0", "[::1]"),
            ("[::/0]", "127.0.0.1"),
            ("0.0.0.0/0", "a.example"),
        ] {
            assert!(!rule(entry).covers(&rule(other)), "{entry} {other}");
        }
        assert!(rule("127.0.0.1").contains("::ffff:127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn addresses_of_this_machine_and_its_network_are_not_public() {
        for address in [
            "8.8.8.8",
            "1.1.1.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "10.1.1.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "fec0::1",
            "3fff::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
