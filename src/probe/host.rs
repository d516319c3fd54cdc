//! Where the client stands: addresses, default route, what kind of machine it is.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use ipnet::IpNet;

use crate::facts::vantage::{HostKind, ProxySettings, Vantage};
use crate::facts::{Known, Unknown};

use super::request::ProbeRequest;
use super::system::System;

/// The asset tag of machines in Azure (learn.microsoft.com: "Identify an Azure VM", SMBIOS chassis asset tag).
const AZURE_ASSET_TAG: &str = "7783-7084-3265-9085-8269-3286-77";

/// Where the client stands, without asking any network.
pub fn vantage(request: &ProbeRequest, system: &System, proxy: ProxySettings) -> Vantage {
    let told = |id: &Option<crate::facts::ResourceId>, flag: &str| match id {
        Some(id) => Known::Known(Some(id.clone())),
        None => Known::Unknown(Unknown::needing("not given, and this machine does not tell", flag)),
    };
    Vantage {
        hostname: hostname(),
        host_kind: host_kind(),
        os: std::env::consts::OS.to_owned(),
        addresses: own_addresses(),
        default_gateway: default_gateway(),
        resolvers: system.servers.iter().map(|s| s.address).collect(),
        search_domains: system.search.clone(),
        hosts_file: system.relevant_hosts(request),
        proxy,
        subnet: told(&request.subnet, "--subnet"),
        virtual_network: match (&request.vnet, &request.subnet) {
            (Some(vnet), _) => Known::Known(Some(vnet.clone())),
            (None, Some(subnet)) => Known::Known(subnet.virtual_network()),
            (None, None) => told(&None, "--vnet"),
        },
        egress_ip: request.egress_ip.map_or_else(
            || Known::Unknown(Unknown::needing("no refusal of the registry has named it", "--egress-ip")),
            Known::Known,
        ),
        azure_vm: Known::unknown("the metadata service has not answered yet"),
    }
}

fn hostname() -> String {
    let file =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let named = file.ok().map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
    named
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// What kind of machine this is, by the marks that each leaves.
pub fn host_kind() -> HostKind {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let holds = |path: &str, needle: &str| {
        std::fs::read_to_string(path).is_ok_and(|text| text.to_ascii_lowercase().contains(needle))
    };
    if set("ACC_CLOUD") {
        HostKind::CloudShell
    } else if set("WEBSITE_INSTANCE_ID") || set("WEBSITE_SITE_NAME") {
        HostKind::AppService
    } else if set("Fabric_ApplicationName") && set("Fabric_CodePackageName") {
        HostKind::ContainerInstances
    } else if set("KUBERNETES_SERVICE_HOST") || Path::new("/var/run/secrets/kubernetes.io/serviceaccount").exists() {
        HostKind::KubernetesPod
    } else if Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists() {
        HostKind::Container
    } else if Path::new("/etc/kubernetes/azure.json").exists() {
        HostKind::AksNode
    } else if holds("/sys/class/dmi/id/chassis_asset_tag", AZURE_ASSET_TAG) {
        HostKind::AzureVm
    } else if holds("/proc/version", "microsoft") {
        HostKind::Wsl
    } else {
        HostKind::Other
    }
}

/// The host's addresses; loopback and link-local left out.
pub fn own_addresses() -> Vec<IpNet> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpNet> = interfaces
        .into_iter()
        .filter(|i| !i.is_loopback())
        .filter_map(|i| {
            let (ip, prefix) = match i.addr {
                if_addrs::IfAddr::V4(v4) => (IpAddr::V4(v4.ip), v4.prefixlen),
                if_addrs::IfAddr::V6(v6) => (IpAddr::V6(v6.ip), v6.prefixlen),
            };
            let link_local = matches!(ip, IpAddr::V6(v6) if (v6.segments()[0] & 0xffc0) == 0xfe80);
            if link_local { None } else { IpNet::new(ip, prefix).ok() }
        })
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// The IPv4 default route's gateway, from /proc/net/route on Linux.
fn default_gateway() -> Known<Option<IpAddr>> {
    match std::fs::read_to_string("/proc/net/route") {
        Ok(table) => Known::Known(parse_default_route(&table)),
        Err(_) => Known::unknown("the routing table is not readable on this system"),
    }
}

/// The gateway of the default route in /proc/net/route (proc(5): little-endian hexadecimal).
pub fn parse_default_route(table: &str) -> Option<IpAddr> {
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (destination, gateway, mask) = (columns.get(1)?, columns.get(2)?, columns.get(7)?);
        if *destination != "00000000" || *mask != "00000000" {
            return None;
        }
        let bits = u32::from_str_radix(gateway, 16).ok()?;
        Some(IpAddr::V4(Ipv4Addr::from(bits.swap_bytes())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_is_read_in_host_byte_order() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t0000010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\neth0\t00000000\t0100010A\t0003\t0\t0\t0\t00000000\n";
        assert_eq!(parse_default_route(table), Some("10.1.0.1".parse().unwrap()));
    }
}
