//! The network: which addresses a component may use, `wasi:sockets`.

mod ip_name_lookup;
mod lookup;
mod sockets;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmtime_wasi::sockets::SocketAddrUse;

use crate::runtime::base::network::{Host, is_public, name_of};
use crate::runtime::engine::network::GrantedNetwork;

/// The maximum number of addresses that are kept for a name: those that it resolved to last.
const MAX_ADDRESSES: usize = 64;

/// The part of the network that the component of an instance may use.
///
/// wasmtime-wasi asks for each address. A name is resolved here, and only the addresses that it resolved to in this instance are
/// those of the name.
pub(super) struct NetworkAccess {
    granted: GrantedNetwork,
    /// The addresses of each name of `granted.connect`, at the place of its entry.
    resolved: Mutex<Vec<VecDeque<IpAddr>>>,
}

/// The reason why a name has no addresses for a component.
#[derive(Debug)]
pub(super) enum LookupError {
    /// It is not granted, or has only addresses that are not.
    Denied,
    /// It is no name of a host.
    Invalid,
    /// It has none.
    Unresolvable,
}

impl NetworkAccess {
    pub(super) fn new(granted: GrantedNetwork) -> Self {
        Self {
            resolved: Mutex::new(vec![VecDeque::new(); granted.connect.len()]),
            granted,
        }
    }

    /// Whether the component may use an address in this way.
    ///
    /// A bind to any address and any port gives the component nothing: a client does it, as the system does for a client that
    /// does not. It cannot listen there without a grant, and it receives datagrams from the hosts only that it may send to.
    pub(super) fn allows(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        match usage {
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                let is_any = address.ip().is_unspecified() && address.port() == 0;
                is_any || self.listens_at(address, false)
            }
            SocketAddrUse::TcpListen => self.listens_at(address, true),
            SocketAddrUse::TcpAccept => true,
            SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend => self.connects_to(address),
            SocketAddrUse::UdpReceive => {
                !self.granted.listen.is_empty() || self.connects_to(address)
            }
        }
    }

    /// Whether the component may listen at an address. One that is bound to any port has the port that the system chose.
    fn listens_at(&self, address: SocketAddr, is_bound: bool) -> bool {
        self.granted.listen.iter().any(|rule| {
            let has_port = rule.ports.contains(&address.port());
            let has_port = has_port || is_bound && rule.ports.contains(&0);
            has_port && rule.contains(address.ip())
        })
    }

    /// Whether the component may connect to an address: an entry has it, or a name that has resolved to it.
    pub(super) fn connects_to(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let resolved = self.resolved();
        let mut rules = self.granted.connect.iter().zip(&*resolved);
        rules.any(|(rule, addresses)| {
            rule.ports.contains(&address.port()) && (rule.contains(ip) || addresses.contains(&ip))
        })
    }

    /// Whether a name is granted: for this port, or for any.
    pub(super) fn names(&self, name: &str, port: Option<u16>) -> bool {
        self.granted.connect.iter().any(|rule| {
            let has_port = port.is_none_or(|port| rule.ports.contains(&port));
            has_port && matches!(&rule.host, Host::Name(granted) if **granted == *name)
        })
    }

    /// Resolves a name that is granted to the addresses of it that the component may connect to.
    ///
    /// # Errors
    /// The reason why there are none.
    pub(super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let name = name_of(name).ok_or(LookupError::Invalid)?;
        if !self.names(&name, None) {
            return Err(LookupError::Denied);
        }
        let found = lookup::addresses(&name).await;
        let found = found.map_err(|_| LookupError::Unresolvable)?;
        self.admit(&name, found)
    }

    /// Returns those of the addresses of a name that the component may connect to, and keeps them.
    fn admit(&self, name: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, LookupError> {
        if found.is_empty() {
            return Err(LookupError::Unresolvable);
        }
        let is_granted = |ip: IpAddr| self.granted.connect.iter().any(|rule| rule.contains(ip));
        let mut admitted = Vec::new();
        for ip in found {
            let ip = ip.to_canonical();
            let is_known = admitted.contains(&ip) || admitted.len() >= MAX_ADDRESSES;
            if !is_known && (is_public(ip) || is_granted(ip)) {
                admitted.push(ip);
            }
        }
        let mut resolved = self.resolved();
        for (rule, addresses) in self.granted.connect.iter().zip(&mut *resolved) {
            if !matches!(&rule.host, Host::Name(granted) if **granted == *name) {
                continue;
            }
            // An address that is not public has the ports of its own entry, and not those of the name.
            for ip in admitted.iter().filter(|ip| is_public(**ip)) {
                addresses.retain(|known| known != ip);
                addresses.push_back(*ip);
            }
            let too_many = addresses.len().saturating_sub(MAX_ADDRESSES);
            addresses.drain(..too_many);
        }
        match admitted.is_empty() {
            true => Err(LookupError::Denied),
            false => Ok(admitted),
        }
    }

    fn resolved(&self) -> MutexGuard<'_, Vec<VecDeque<IpAddr>>> {
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::base::network::Network;

    fn access(connect: &[&str], listen: &[&str]) -> NetworkAccess {
        let entries = |list: &[&str]| list.iter().map(|&entry| entry.to_owned()).collect();
        let network = Network {
            connect: entries(connect),
            listen: entries(listen),
        };
        NetworkAccess::new(GrantedNetwork::new(&network).unwrap())
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_name_reaches_the_addresses_only_that_it_resolved_to() {
        let access = access(&["a.example:443", "b.example:80"], &[]);
        assert!(!access.connects_to(address("8.8.8.8:443")));
        let found = access.admit("a.example", ips(&["8.8.8.8", "8.8.8.8", "::ffff:8.8.4.4"]));
        assert_eq!(found.unwrap(), ips(&["8.8.8.8", "8.8.4.4"]));
        for (reached, is_granted) in [
            ("8.8.8.8:443", true),
            ("8.8.4.4:443", true),
            ("[::ffff:8.8.8.8]:443", true),
            ("8.8.8.8:80", false),
            ("8.8.8.9:443", false),
        ] {
            assert_eq!(
                access.connects_to(address(reached)),
                is_granted,
                "{reached}"
            );
        }
        let other = super::tests::access(&["a.example:443"], &[]);
        assert!(
            !other.connects_to(address("8.8.8.8:443")),
            "another instance"
        );
    }

    #[test]
    fn a_name_that_turns_to_an_address_that_is_not_public_is_refused() {
        let inside = [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "::1",
            "::ffff:127.0.0.1",
        ];
        let access = access(&["a.example", "10.0.0.0/8:80"], &[]);
        for ip in inside.iter().filter(|ip| **ip != "10.0.0.1") {
            let admitted = access.admit("a.example", ips(&[ip]));
            assert!(matches!(admitted, Err(LookupError::Denied)), "{ip}");
        }
        // The public addresses remain.
        let admitted = access.admit("a.example", ips(&["127.0.0.1", "8.8.8.8"]));
        assert_eq!(admitted.unwrap(), ips(&["8.8.8.8"]));
        // An entry of its own grants an address, with the ports of that entry.
        let admitted = access.admit("a.example", ips(&["10.0.0.1"]));
        assert_eq!(admitted.unwrap(), ips(&["10.0.0.1"]));
        assert!(access.connects_to(address("10.0.0.1:80")));
        assert!(!access.connects_to(address("10.0.0.1:443")));
        assert!(!access.connects_to(address("127.0.0.1:80")));
    }

    #[test]
    fn the_addresses_of_a_name_are_capped() {
        let access = access(&["a.example"], &[]);
        for i in 0..200_u32 {
            let ip = IpAddr::from(std::net::Ipv4Addr::from_bits(0x0808_0000 + i));
            access.admit("a.example", vec![ip]).unwrap();
        }
        let kept: Vec<usize> = access.resolved().iter().map(VecDeque::len).collect();
        assert_eq!(kept, [MAX_ADDRESSES]);
        assert!(access.connects_to(address("8.8.0.199:1")));
        assert!(!access.connects_to(address("8.8.0.1:1")));
        let many: Vec<IpAddr> = (0..1_000_u32)
            .map(|i| std::net::Ipv4Addr::from_bits(0x0909_0000 + i).into())
            .collect();
        assert_eq!(
            access.admit("a.example", many).unwrap().len(),
            MAX_ADDRESSES
        );
    }

    #[test]
    fn listening_has_grants_of_its_own() {
        use SocketAddrUse::{TcpBind, TcpConnect, TcpListen, UdpBind, UdpReceive, UdpSend};

        let client = access(&["127.0.0.1:80"], &[]);
        let server = access(&[], &["127.0.0.1:0", "[::1]:8000-8001"]);
        for (usage, text, by_client, by_server) in [
            (TcpBind, "0.0.0.0:0", true, true),
            (UdpBind, "[::]:0", true, true),
            (TcpBind, "127.0.0.1:0", false, true),
            (TcpBind, "0.0.0.0:80", false, false),
            (TcpBind, "127.0.0.1:80", false, false),
            (TcpBind, "[::1]:8001", false, true),
            (UdpBind, "[::1]:8002", false, false),
            // The port that the system chose.
            (TcpListen, "127.0.0.1:54321", false, true),
            (TcpListen, "0.0.0.0:54321", false, false),
            (TcpListen, "[::1]:8002", false, false),
            (TcpConnect, "127.0.0.1:80", true, false),
            (TcpConnect, "127.0.0.1:81", false, false),
            (UdpSend, "127.0.0.1:80", true, false),
            (UdpReceive, "127.0.0.1:80", true, true),
            (UdpReceive, "127.0.0.1:81", false, true),
        ] {
            let allowed = [&client, &server].map(|access| access.allows(address(text), usage));
            assert_eq!(allowed, [by_client, by_server], "{usage:?} {text}");
        }
    }
}
