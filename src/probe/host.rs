//! This host's own settings: name servers, hosts file, addresses, what kind of machine it is.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use ipnet::IpNet;

use crate::facts::vantage::{HostKind, ProxySettings, Vantage};
use crate::facts::{Fqdn, Known, Unknown};

use super::request::ProbeRequest;

/// The asset tag of machines in Azure (learn.microsoft.com: "Identify an Azure VM", SMBIOS chassis asset tag).
const AZURE_ASSET_TAG: &str = "7783-7084-3265-9085-8269-3286-77";

/// One configured name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// Address and port.
    pub address: SocketAddr,
    /// Where it is configured.
    pub source: String,
}

/// What decides name resolution on this host.
#[derive(Debug, Clone, Default)]
pub struct System {
    /// In the order that the system asks them.
    pub servers: Vec<NameServer>,
    /// The search list: shown, never applied.
    pub search: Vec<String>,
    hosts: BTreeMap<Fqdn, Vec<IpAddr>>,
}

impl System {
    /// Reads the system's settings; `--dns-server` takes the place of its servers.
    pub fn read(dns_server: Option<SocketAddr>) -> Self {
        let resolv = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let hosts = std::fs::read_to_string(hosts_path()).unwrap_or_default();
        let nsswitch = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        let (servers, search) = parse_resolv_conf(&resolv);
        let servers = match dns_server {
            Some(address) => vec![NameServer { address, source: "--dns-server".to_owned() }],
            None if cfg!(unix) => servers,
            None => system_servers(),
        };
        let hosts = if files_come_first(&nsswitch) { parse_hosts(&hosts) } else { BTreeMap::new() };
        Self { servers, search, hosts }
    }

    /// The addresses that the hosts file pins for a name.
    pub fn pinned(&self, name: &Fqdn) -> Vec<IpAddr> {
        self.hosts.get(name).cloned().unwrap_or_default()
    }

    /// Pins a name, as a line of the hosts file does.
    #[cfg(test)]
    pub(super) fn pin(&mut self, name: &Fqdn, ip: IpAddr) {
        self.hosts.entry(name.clone()).or_default().push(ip);
    }

    /// The entries of the hosts file that concern registries or the cloud's endpoints.
    fn relevant_hosts(&self, request: &ProbeRequest) -> BTreeMap<Fqdn, Vec<IpAddr>> {
        let cloud = &request.cloud;
        let controls = [cloud.authority.host_str(), cloud.resource_manager.host_str()];
        let concerns = |name: &Fqdn| {
            name.is_within(&cloud.registry_suffix)
                || name.is_within(&cloud.blob_suffix)
                || *name == request.login_server
                || controls.iter().flatten().any(|c| name.as_str() == *c)
        };
        self.hosts.iter().filter(|(name, _)| concerns(name)).map(|(n, ips)| (n.clone(), ips.clone())).collect()
    }
}

fn hosts_path() -> &'static str {
    if cfg!(windows) { r"C:\Windows\System32\drivers\etc\hosts" } else { "/etc/hosts" }
}

/// The servers of a system without resolv.conf, as hickory-resolver reads them.
fn system_servers() -> Vec<NameServer> {
    let Ok((config, _)) = hickory_resolver::system_conf::read_system_conf() else {
        return Vec::new();
    };
    config
        .name_servers()
        .iter()
        .map(|server| NameServer { address: SocketAddr::new(server.ip, 53), source: "system settings".to_owned() })
        .collect()
}

/// `nameserver` and `search` lines of resolv.conf(5); at most three servers count, as in the C library.
pub fn parse_resolv_conf(text: &str) -> (Vec<NameServer>, Vec<String>) {
    let mut servers = Vec::new();
    let mut search = Vec::new();
    for line in text.lines() {
        let line = line.split(['#', ';']).next().unwrap_or_default();
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => {
                // A zone index (fe80::1%eth0) is left to the routing table.
                let ip = words.next().and_then(|w| w.split('%').next()).and_then(|w| w.parse::<IpAddr>().ok());
                servers.extend(ip.map(|ip| NameServer { address: SocketAddr::new(ip, 53), source: source_of(ip) }));
            }
            Some("search" | "domain") => search = words.map(str::to_owned).collect(),
            _ => {}
        }
    }
    servers.truncate(3);
    (servers, search)
}

fn source_of(ip: IpAddr) -> String {
    if ip == IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)) {
        "systemd-resolved".to_owned()
    } else {
        "/etc/resolv.conf".to_owned()
    }
}

/// hosts(5): address, then names.
pub fn parse_hosts(text: &str) -> BTreeMap<Fqdn, Vec<IpAddr>> {
    let mut hosts: BTreeMap<Fqdn, Vec<IpAddr>> = BTreeMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(ip) = words.next().and_then(|w| w.parse::<IpAddr>().ok()) else { continue };
        for name in words.filter_map(|w| w.parse::<Fqdn>().ok()) {
            hosts.entry(name).or_default().push(ip);
        }
    }
    hosts
}

/// Whether nsswitch.conf(5) asks files for hosts before dns (or does not say: then it does).
pub fn files_come_first(nsswitch: &str) -> bool {
    let line = nsswitch.lines().find_map(|l| l.split('#').next().unwrap_or_default().trim().strip_prefix("hosts:"));
    line.is_none_or(|sources| {
        let position = |wanted: &str| sources.split_whitespace().position(|s| s == wanted);
        match (position("files"), position("dns")) {
            (Some(files), Some(dns)) => files < dns,
            (files, _) => files.is_some(),
        }
    })
}

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
        azure_vm: request.azure_vm.clone().unwrap_or_default(),
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
    fn resolv_conf_gives_servers_in_order_and_the_last_search_list() {
        let (servers, search) = parse_resolv_conf(
            "# c\nnameserver 10.0.0.4\nnameserver 127.0.0.53\nsearch a.b\nsearch c.d e.f\nnameserver nonsense\n",
        );
        let ips: Vec<String> = servers.iter().map(|s| s.address.to_string()).collect();
        assert_eq!(ips, ["10.0.0.4:53", "127.0.0.53:53"]);
        assert_eq!(servers[1].source, "systemd-resolved");
        assert_eq!(search, ["c.d", "e.f"]);
    }

    #[test]
    fn the_hosts_file_counts_only_where_nsswitch_says_so() {
        let hosts = parse_hosts("10.0.0.9 MyReg.azurecr.io alias # comment\nbad line\n");
        assert_eq!(hosts[&"myreg.azurecr.io".parse().unwrap()], ["10.0.0.9".parse::<IpAddr>().unwrap()]);
        assert!(
            files_come_first("")
                && files_come_first("hosts: files dns")
                && files_come_first("hosts:  files mymachines")
        );
        assert!(!files_come_first("hosts: dns files") && !files_come_first("hosts: dns"));
    }

    #[test]
    fn the_default_route_is_read_in_host_byte_order() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t0000010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\neth0\t00000000\t0100010A\t0003\t0\t0\t0\t00000000\n";
        assert_eq!(parse_default_route(table), Some("10.1.0.1".parse().unwrap()));
    }
}
