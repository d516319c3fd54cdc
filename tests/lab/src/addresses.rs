//! Where things stand in a world. All addresses are private or reserved for documentation.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Azure DNS.
pub const AZURE_DNS: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// The client's stub resolver, as systemd-resolved has it.
pub const STUB: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);
/// The instance metadata service.
pub const IMDS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// `login.microsoftonline.com`.
pub const ENTRA: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
/// `management.azure.com`.
pub const ARM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 20);
/// `api.loganalytics.io`.
pub const LOGS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 30);
/// `mcr.microsoft.com`, a control target.
pub const MCR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 40);
/// The client, in the subnet `clients` of the virtual network `app`.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 20, 1, 4);
/// The client's gateway.
pub const CLIENT_GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 20, 1, 1);
/// The public address of the client after translation.
pub const EGRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 50);
/// The corporate resolver.
pub const CORP_DNS: Ipv4Addr = Ipv4Addr::new(10, 30, 0, 53);
/// The corporate proxy.
pub const PROXY: Ipv4Addr = Ipv4Addr::new(10, 30, 0, 10);
/// The corporate network's gateway.
pub const CORP_GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 30, 0, 1);
/// The public address of the corporate network.
pub const CORP_EGRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
/// The router's end of the link to Azure.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 1);
/// Azure's end of that link.
pub const AZURE: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 2);
/// The port of the corporate proxy.
pub const PROXY_PORT: u16 = 3128;

/// Public addresses of registries: `198.51.100.0/24`. Registry `n` of the world has twenty of them.
pub const fn registry(n: u8, slot: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, 10 + 20 * n + slot)
}

/// Public addresses of the endpoints of a registry's fifth and further regions, over all registries of a world.
pub fn further() -> impl Iterator<Item = Ipv4Addr> {
    (100..=254).map(|host| Ipv4Addr::new(192, 0, 2, host))
}

/// A public resolver, which sees no private zones.
pub const PUBLIC_DNS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
/// The client of an IPv6-only network.
pub const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 0, 4);
/// The router of that network, and its resolver.
pub const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 0, 1);
/// Where IPv4 addresses lie in IPv6: `/96`.
pub const NAT64_PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0xff9b, 0, 0, 0, 0);
/// The IPv4 addresses that the translator gives to IPv6 hosts.
pub const NAT64_POOL: &str = "192.168.255.0/24";

/// An address that packets to are lost on the way to.
pub const NOBODY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 250);
