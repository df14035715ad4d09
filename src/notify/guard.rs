use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use AddressRefused::{Broadcast, LinkLocal, Loopback, Metadata, Multicast, Private, Reserved, Shared, Unspecified};

/// Which addresses may be dialled: public ones, and those in ranges that the operator's owner has opened.
///
/// What counts is the address, never the name. An IPv6 address that stands for an IPv4 address is judged by that, too.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    opened: Arc<[IpNet]>,
}

/// In which kind of range an address is that may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum AddressRefused {
    /// This machine itself.
    #[error("the receiver's address is a loopback address")]
    Loopback,
    /// "This host", which reaches this machine on many systems.
    #[error("the receiver's address is the unspecified address")]
    Unspecified,
    /// This network segment. Never opened.
    #[error("the receiver's address is a link-local address")]
    LinkLocal,
    /// Where a cloud hands out credentials, or answers for the host. Never opened.
    #[error("the receiver's address is a cloud's metadata service")]
    Metadata,
    /// A network of one's own.
    #[error("the receiver's address is a private address")]
    Private,
    /// A provider's network behind a NAT, 100.64.0.0/10.
    #[error("the receiver's address is shared address space")]
    Shared,
    /// Many at once.
    #[error("the receiver's address is a multicast address")]
    Multicast,
    /// All at once.
    #[error("the receiver's address is the broadcast address")]
    Broadcast,
    /// For documentation, benchmarks, protocols, or not given out.
    #[error("the receiver's address is reserved")]
    Reserved,
}

impl AddressRefused {
    fn never_opens(self) -> bool {
        matches!(self, LinkLocal | Metadata)
    }
}

const fn v4(octets: [u8; 4], length: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

/// The first two segments; the others are zero.
const fn v6(first: u16, second: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), length)
}

/// The IANA registry of special-purpose addresses, and the clouds' own; the first that matches holds.
const V4: [(Ipv4Net, AddressRefused); 22] = [
    (v4([169, 254, 169, 254], 32), Metadata),
    // Credentials of tasks and pods on AWS.
    (v4([169, 254, 170, 2], 32), Metadata),
    (v4([169, 254, 170, 23], 32), Metadata),
    // Alibaba Cloud.
    (v4([100, 100, 100, 200], 32), Metadata),
    // Azure; a public address otherwise.
    (v4([168, 63, 129, 16], 32), Metadata),
    // Oracle Cloud.
    (v4([192, 0, 0, 192], 32), Metadata),
    (v4([169, 254, 0, 0], 16), LinkLocal),
    (v4([0, 0, 0, 0], 32), Unspecified),
    (v4([0, 0, 0, 0], 8), Reserved),
    (v4([10, 0, 0, 0], 8), Private),
    (v4([100, 64, 0, 0], 10), Shared),
    (v4([127, 0, 0, 0], 8), Loopback),
    (v4([172, 16, 0, 0], 12), Private),
    (v4([192, 0, 0, 0], 24), Reserved),
    (v4([192, 0, 2, 0], 24), Reserved),
    (v4([192, 88, 99, 0], 24), Reserved),
    (v4([192, 168, 0, 0], 16), Private),
    (v4([198, 18, 0, 0], 15), Reserved),
    (v4([198, 51, 100, 0], 24), Reserved),
    (v4([203, 0, 113, 0], 24), Reserved),
    (v4([224, 0, 0, 0], 4), Multicast),
    // The broadcast address apart, see `range_v4`.
    (v4([240, 0, 0, 0], 4), Reserved),
];

const V6: [(Ipv6Net, AddressRefused); 13] = [
    // AWS: instance metadata at ::254, credentials of pods at ::23.
    (v6(0xfd00, 0xec2, 32), Metadata),
    // Google Cloud and Scaleway.
    (Ipv6Net::new_assert(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128), Metadata),
    (Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), 128), Metadata),
    (v6(0xfe80, 0, 10), LinkLocal),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), Unspecified),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), Loopback),
    (v6(0xfc00, 0, 7), Private),
    // Site-local, as it was.
    (v6(0xfec0, 0, 10), Private),
    (v6(0xff00, 0, 8), Multicast),
    (NAT64_LOCAL, Private),
    // Protocol assignments; Teredo within them is told by what it embeds.
    (v6(0x2001, 0, 23), Reserved),
    (v6(0x2001, 0xdb8, 32), Reserved),
    (v6(0x3fff, 0, 20), Reserved),
];

/// What has been given out for use on the internet.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 3);

const TEREDO: Ipv6Net = v6(0x2001, 0, 32);
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 16);
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 96);
/// For a network's own translation: where in it the IPv4 address stands is for that network to say.
const NAT64_LOCAL: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48);
/// `::a.b.c.d`, `::ffff:a.b.c.d` and `::ffff:0:a.b.c.d`.
const COMPATIBLE: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96);
const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
const TRANSLATED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96);

impl Guard {
    /// Opens these ranges besides the public addresses. Link-local addresses and metadata services stay closed.
    pub fn new(opened: Vec<IpNet>) -> Self {
        Self { opened: opened.into() }
    }

    /// Whether this address may be dialled.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRefused> {
        match address {
            IpAddr::V4(address) => self.check_v4(address),
            IpAddr::V6(address) => self.check_v6(address),
        }
    }

    fn check_v4(&self, address: Ipv4Addr) -> Result<(), AddressRefused> {
        self.unless_opened(address.into(), range_v4(address))
    }

    fn check_v6(&self, address: Ipv6Addr) -> Result<(), AddressRefused> {
        let mut perhaps = perhaps_embedded(address).into_iter().filter_map(range_v4);
        if let Some(refused) = perhaps.find(|range| range.never_opens()) {
            return Err(refused);
        }
        for embedded in embedded(address) {
            self.check_v4(embedded)?;
        }
        self.unless_opened(address.into(), range_v6(address))
    }

    fn unless_opened(&self, address: IpAddr, range: Option<AddressRefused>) -> Result<(), AddressRefused> {
        match range {
            Some(refused) if refused.never_opens() || !self.opened.iter().any(|open| open.contains(&address)) => {
                Err(refused)
            }
            _ => Ok(()),
        }
    }
}

fn range_v4(address: Ipv4Addr) -> Option<AddressRefused> {
    if address.is_broadcast() {
        return Some(Broadcast);
    }
    V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, range)| *range)
}

/// The range of the address as such, whatever it embeds.
fn range_v6(address: Ipv6Addr) -> Option<AddressRefused> {
    if !embedded(address).is_empty() {
        return None;
    }
    let listed = V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, range)| *range);
    listed.or_else(|| (!GLOBAL_UNICAST.contains(&address)).then_some(Reserved))
}

/// The IPv4 addresses that an address certainly stands for.
fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let segments = address.segments();
    let at = |first: usize| joined(segments[first], segments[first + 1]);
    if address.is_unspecified() || address.is_loopback() {
        Vec::new()
    } else if SIX_TO_FOUR.contains(&address) {
        vec![at(1)]
    } else if TEREDO.contains(&address) {
        // The server, and the client with its bits turned over.
        vec![at(2), !at(6)]
    } else if [NAT64, COMPATIBLE, MAPPED, TRANSLATED].iter().any(|net| net.contains(&address)) {
        vec![at(6)]
    } else {
        Vec::new()
    }
}

/// The IPv4 addresses that an address may stand for: in a network's own NAT64, at each place where RFC 6052 has it.
fn perhaps_embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    if !NAT64_LOCAL.contains(&address) {
        return Vec::new();
    }
    let o = address.octets();
    // Prefixes of 48, 56, 64 and 96 bits; the ninth octet is left out.
    [[o[6], o[7], o[9], o[10]], [o[7], o[9], o[10], o[11]], [o[9], o[10], o[11], o[12]], [o[12], o[13], o[14], o[15]]]
        .map(Ipv4Addr::from)
        .to_vec()
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guard: &Guard, address: &str) -> Result<(), AddressRefused> {
        guard.check(address.parse().unwrap())
    }

    fn opening(ranges: &[&str]) -> Guard {
        Guard::new(ranges.iter().map(|range| range.parse().unwrap()).collect())
    }

    #[test]
    fn public_addresses_may_be_dialled_and_so_may_what_embeds_them() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2a00::1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808::f7f7:f7f7",
        ] {
            assert_eq!(check(&Guard::default(), address), Ok(()), "{address}");
        }
    }

    /// docs/cases.md, case 95: the table of ranges.
    #[test]
    fn case_95_addresses_that_are_not_public_are_refused_by_their_kind() {
        for (address, kind) in [
            ("127.0.0.1", Loopback),
            ("127.255.255.255", Loopback),
            ("::1", Loopback),
            ("0.0.0.0", Unspecified),
            ("::", Unspecified),
            ("0.1.2.3", Reserved),
            ("169.254.0.1", LinkLocal),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("169.254.169.254", Metadata),
            ("169.254.170.2", Metadata),
            ("100.100.100.200", Metadata),
            ("168.63.129.16", Metadata),
            ("192.0.0.192", Metadata),
            ("fd00:ec2::254", Metadata),
            ("fd00:ec2::23", Metadata),
            ("fd20:ce::254", Metadata),
            ("10.0.0.1", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("192.168.1.1", Private),
            ("fc00::1", Private),
            ("fdff::1", Private),
            ("fec0::1", Private),
            ("100.64.0.1", Shared),
            ("100.127.255.255", Shared),
            ("224.0.0.1", Multicast),
            ("239.255.255.255", Multicast),
            ("ff02::1", Multicast),
            ("255.255.255.255", Broadcast),
            ("240.0.0.1", Reserved),
            ("255.255.255.254", Reserved),
            ("192.0.0.1", Reserved),
            ("192.0.2.1", Reserved),
            ("192.88.99.1", Reserved),
            ("198.18.0.1", Reserved),
            ("198.19.255.255", Reserved),
            ("198.51.100.1", Reserved),
            ("203.0.113.1", Reserved),
            ("100::1", Reserved),
            ("2001:2::1", Reserved),
            ("2001:db8::1", Reserved),
            ("2001:20::1", Reserved),
            ("3fff::1", Reserved),
            ("4000::1", Reserved),
            ("5f00::1", Reserved),
        ] {
            assert_eq!(check(&Guard::default(), address), Err(kind), "{address}");
        }
    }

    /// docs/cases.md, case 95: the table of embeddings.
    #[test]
    fn case_95_an_address_in_an_address_is_found() {
        for (v4, kind) in [
            ("127.0.0.1", Loopback),
            ("10.1.2.3", Private),
            ("192.168.0.1", Private),
            ("100.64.0.1", Shared),
            ("169.254.1.1", LinkLocal),
            ("169.254.169.254", Metadata),
            ("100.100.100.200", Metadata),
            ("168.63.129.16", Metadata),
            ("224.0.0.1", Multicast),
            ("255.255.255.255", Broadcast),
        ] {
            let [a, b, c, d] = v4.parse::<Ipv4Addr>().unwrap().octets();
            let (high, low) = (format!("{a:02x}{b:02x}"), format!("{c:02x}{d:02x}"));
            let turned = format!("{:02x}{:02x}:{:02x}{:02x}", !a, !b, !c, !d);
            for address in [
                format!("::ffff:{v4}"),
                format!("::{v4}"),
                format!("::ffff:0:{v4}"),
                format!("64:ff9b::{v4}"),
                format!("2002:{high}:{low}::1"),
                // Teredo: as the client, and as the server.
                format!("2001:0:808:808::{turned}"),
                format!("2001:0:{high}:{low}::f7f7:f7f7"),
            ] {
                assert_eq!(check(&Guard::default(), &address), Err(kind), "{address}");
            }
        }
    }

    #[test]
    fn a_networks_own_nat64_is_private_whatever_it_embeds() {
        assert_eq!(check(&Guard::default(), "64:ff9b:1::8.8.8.8"), Err(Private));
        let opened = opening(&["64:ff9b:1::/48"]);
        assert_eq!(check(&opened, "64:ff9b:1::8.8.8.8"), Ok(()));
        for metadata in
            ["64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1::a9:fea9:fe00:0", "64:ff9b:1::a9fe:a9fe"]
        {
            assert_eq!(check(&opened, metadata), Err(Metadata), "{metadata}");
        }
    }

    #[test]
    fn an_opened_range_is_open_and_so_is_what_embeds_it() {
        let guard = opening(&["10.1.0.0/16", "fd12::/16", "127.0.0.0/8"]);
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "2002:a01:203::1", "fd12::1", "127.0.0.1"] {
            assert_eq!(check(&guard, address), Ok(()), "{address}");
        }
        for address in ["10.2.0.1", "::ffff:10.2.0.1", "192.168.0.1", "fd13::1", "::1"] {
            assert!(check(&guard, address).is_err(), "{address}");
        }
    }

    /// docs/cases.md, case 95: what no flag opens.
    #[test]
    fn case_95_link_local_and_metadata_never_open() {
        let all = opening(&["0.0.0.0/0", "::/0"]);
        for address in [
            "169.254.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "2001:0:808:808::5601:5601",
        ] {
            let refused = check(&all, address).unwrap_err();
            assert!(matches!(refused, LinkLocal | Metadata), "{address}: {refused:?}");
        }
        for address in ["127.0.0.1", "10.0.0.1", "::1", "fc00::1", "100.64.0.1", "4000::1"] {
            assert_eq!(check(&all, address), Ok(()), "{address}");
        }
    }

    #[test]
    fn a_refusal_tells_the_kind_and_not_the_address() {
        let refused = check(&Guard::default(), "10.20.30.40").unwrap_err();
        assert_eq!(refused.to_string(), "the receiver's address is a private address");
    }
}
