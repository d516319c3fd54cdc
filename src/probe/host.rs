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

/// Whether the machine itself says that it is in Azure, whatever runs on it.
pub fn says_azure() -> bool {
    Machine { root: Path::new("/") }.says_azure()
}

/// What kind of machine this is, by the marks that each leaves.
pub fn host_kind() -> HostKind {
    Machine { root: Path::new("/") }.kind(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The marks of a machine below its root.
struct Machine<'r> {
    root: &'r Path,
}

impl Machine<'_> {
    fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    fn holds(&self, path: &str, needles: &[&str]) -> bool {
        let text = std::fs::read_to_string(self.root.join(path)).unwrap_or_default().to_ascii_lowercase();
        needles.iter().any(|needle| text.contains(needle))
    }

    fn says_azure(&self) -> bool {
        self.holds("sys/class/dmi/id/chassis_asset_tag", &[AZURE_ASSET_TAG])
    }

    /// By the files that runtimes leave, and by the control group of process 1 (which version 2 hides).
    fn is_container(&self) -> bool {
        let names = ["/docker/", "/docker-", "/containerd/", "/kubepods", "/libpod-", "/crio-", "/lxc/"];
        self.exists(".dockerenv") || self.exists("run/.containerenv") || self.holds("proc/1/cgroup", &names)
    }

    fn kind(&self, set: impl Fn(&str) -> bool) -> HostKind {
        if set("ACC_CLOUD") {
            HostKind::CloudShell
        } else if set("WEBSITE_INSTANCE_ID") || set("WEBSITE_SITE_NAME") {
            HostKind::AppService
        } else if set("Fabric_ApplicationName") && set("Fabric_CodePackageName") {
            HostKind::ContainerInstances
        } else if set("KUBERNETES_SERVICE_HOST") || self.exists("var/run/secrets/kubernetes.io/serviceaccount") {
            HostKind::KubernetesPod
        } else if set("container") || self.is_container() {
            HostKind::Container
        } else if self.exists("etc/kubernetes/azure.json") {
            HostKind::AksNode
        } else if self.says_azure() {
            HostKind::AzureVm
        } else if self.holds("proc/version", &["microsoft"]) {
            HostKind::Wsl
        } else {
            HostKind::Other
        }
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

    /// What a machine with these files and variables is.
    fn kind(name: &str, files: &[(&str, &str)], variables: &[&str]) -> (HostKind, bool) {
        let root = std::env::temp_dir().join(format!("acr-doctor-host-{}-{name}", std::process::id()));
        for (file, text) in files {
            let file = root.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let machine = Machine { root: &root };
        let seen = (machine.kind(|name| variables.contains(&name)), machine.says_azure());
        if !files.is_empty() {
            std::fs::remove_dir_all(&root).unwrap();
        }
        seen
    }

    #[test]
    fn each_kind_of_machine_is_known_by_its_marks() {
        let tag = ("sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n");
        let wsl = ("proc/version", "Linux version 5.15.167.4-microsoft-standard-WSL2 (root@f9c826d3017f)");
        let token = ("var/run/secrets/kubernetes.io/serviceaccount/token", "x");
        let node = ("etc/kubernetes/azure.json", "{}");
        let cgroup = ("proc/1/cgroup", "1:name=systemd:/docker/3f0e\n0::/system.slice/containerd.service\n");
        for (name, files, variables, expected, azure) in [
            ("nothing", &[][..], &[][..], HostKind::Other, false),
            ("vm", &[tag], &[], HostKind::AzureVm, true),
            ("wsl", &[wsl], &[], HostKind::Wsl, false),
            ("docker-in-wsl", &[wsl, (".dockerenv", "")], &[], HostKind::Container, false),
            ("podman", &[("run/.containerenv", "")], &[], HostKind::Container, false),
            ("cgroup", &[cgroup], &[], HostKind::Container, false),
            (
                "plain",
                &[("proc/1/cgroup", "0::/init.scope\n"), ("proc/version", "Linux version 6.1")],
                &[],
                HostKind::Other,
                false,
            ),
            ("nspawn", &[], &["container"], HostKind::Container, false),
            ("node", &[tag, node], &[], HostKind::AksNode, true),
            ("pod", &[tag, token], &[], HostKind::KubernetesPod, true),
            ("pod-by-variable", &[], &["KUBERNETES_SERVICE_HOST"], HostKind::KubernetesPod, false),
            ("app", &[(".dockerenv", "")], &["WEBSITE_INSTANCE_ID"], HostKind::AppService, false),
            (
                "instances",
                &[],
                &["Fabric_ApplicationName", "Fabric_CodePackageName"],
                HostKind::ContainerInstances,
                false,
            ),
            ("shell", &[tag], &["ACC_CLOUD"], HostKind::CloudShell, true),
        ] {
            assert_eq!(kind(name, files, variables), (expected, azure), "{name}");
        }
    }

    #[test]
    fn the_default_route_is_read_in_host_byte_order() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t0000010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\neth0\t00000000\t0100010A\t0003\t0\t0\t0\t00000000\n";
        assert_eq!(parse_default_route(table), Some("10.1.0.1".parse().unwrap()));
    }
}
