//! What decides name resolution on this host: the order of sources, the hosts file, the name servers.

mod interfaces;
pub mod nsswitch;
pub mod resolv_conf;
pub mod resolved;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::request::ProbeRequest;
use crate::facts::Fqdn;
use crate::facts::dns::STUBS;
use interfaces::Interfaces;
use nsswitch::{Source, Step};
use resolv_conf::AskOptions;
use resolved::{Routing, Upstream};

/// There while systemd-resolved runs: by this the C library's `resolve` asks it.
const RESOLVED_SOCKET: &str = "/run/systemd/resolve/io.systemd.Resolve";

/// One configured name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// Address and port.
    pub address: SocketAddr,
    /// Where it is configured.
    pub source: String,
}

/// What decides name resolution on this host.
#[derive(Debug, Clone)]
pub struct System {
    /// In the order that the system asks them.
    pub servers: Vec<NameServer>,
    /// The search list: never applied to what is looked at; where programs on this host apply it, that is told.
    pub search: Vec<String>,
    /// How each of the servers is asked.
    pub options: AskOptions,
    order: Vec<Step>,
    /// Which of the servers answer for `resolve`, and for `dns`.
    resolve: Vec<usize>,
    dns: Vec<usize>,
    hosts: BTreeMap<Fqdn, Vec<IpAddr>>,
    routing: Routing,
}

impl System {
    /// Reads the system's settings; `--dns-server` takes the place of its servers.
    pub fn read(dns_server: Option<SocketAddr>) -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let hosts = parse_hosts(&text(hosts_path()));
        if let Some(address) = dns_server {
            let server = NameServer { address, source: "--dns-server".to_owned() };
            return Self { hosts, ..Self::of_servers(vec![server]) };
        }
        if !cfg!(unix) {
            return Self { hosts, ..Self::of_servers(system_servers()) };
        }
        let interfaces = Interfaces::read();
        let file = resolv_conf::parse(&text("/etc/resolv.conf"), |name| std::env::var(name).ok(), &interfaces);
        let order = nsswitch::parse(&text("/etc/nsswitch.conf"));
        let mut system = Self::of_servers(named_servers(&file.servers));
        system.hosts = hosts;
        system.search = file.search;
        system.options = file.options;
        system.order = order;
        if Path::new(RESOLVED_SOCKET).exists() {
            system.ask_resolved_first();
        }
        if system.servers.iter().any(is_stub) {
            system.routing = Routing::read(Path::new("/"), &interfaces);
        }
        system
    }

    /// A system with these servers, and all else as usual.
    pub fn of_servers(servers: Vec<NameServer>) -> Self {
        Self {
            dns: (0..servers.len()).collect(),
            servers,
            search: Vec::new(),
            options: AskOptions::default(),
            order: nsswitch::default_order(),
            resolve: Vec::new(),
            hosts: BTreeMap::new(),
            routing: Routing::default(),
        }
    }

    /// Where `resolve` stands in the order, systemd-resolved is asked even if resolv.conf names others.
    fn ask_resolved_first(&mut self) {
        if !self.order.iter().any(|step| step.source == Source::Resolve) {
            return;
        }
        let known = self.servers.iter().position(is_stub);
        let at = known.unwrap_or_else(|| {
            let address = SocketAddr::new(IpAddr::V4(STUBS[0]), 53);
            self.servers.insert(0, NameServer { address, source: source_of(address.ip()) });
            self.dns.iter_mut().for_each(|index| *index += 1);
            0
        });
        self.resolve = vec![at];
    }

    /// Who is asked, in which order.
    pub fn order(&self) -> &[Step] {
        &self.order
    }

    /// Which of the servers a source is made of.
    pub fn servers_of(&self, source: Source) -> &[usize] {
        match source {
            Source::Files => &[],
            Source::Resolve => &self.resolve,
            Source::Dns => &self.dns,
        }
    }

    /// The servers that a local stub asks in turn for a name.
    pub fn upstreams(&self, name: &Fqdn) -> Vec<Upstream> {
        let mut upstreams = self.routing.for_name(name);
        upstreams.retain(|upstream| self.servers.iter().all(|server| server.address != upstream.address));
        upstreams
    }

    /// The addresses that the hosts file pins for a name.
    pub fn pinned(&self, name: &Fqdn) -> Vec<IpAddr> {
        self.hosts.get(name).cloned().unwrap_or_default()
    }

    /// The entries of the hosts file that concern registries or the cloud's endpoints.
    pub fn relevant_hosts(&self, request: &ProbeRequest) -> BTreeMap<Fqdn, Vec<IpAddr>> {
        let cloud = &request.cloud;
        let controls = [cloud.authority.host_str(), cloud.resource_manager.host_str()];
        let concerns = |name: &Fqdn| {
            name.is_within(&cloud.registry_suffix)
                || name.is_within(&cloud.blob_suffix)
                || *name == request.login_server
                || controls.iter().flatten().any(|c| name.as_str() == *c)
        };
        let is_read = self.order.iter().any(|step| step.source == Source::Files);
        let relevant = self.hosts.iter().filter(|(name, _)| is_read && concerns(name));
        relevant.map(|(name, ips)| (name.clone(), ips.clone())).collect()
    }
}

fn is_stub(server: &NameServer) -> bool {
    STUBS.iter().any(|stub| server.address.ip() == IpAddr::V4(*stub))
}

fn named_servers(addresses: &[SocketAddr]) -> Vec<NameServer> {
    if addresses.is_empty() {
        let source = "the default, as /etc/resolv.conf names none".to_owned();
        return vec![NameServer { address: resolv_conf::default_server(), source }];
    }
    addresses.iter().map(|address| NameServer { address: *address, source: source_of(address.ip()) }).collect()
}

fn source_of(ip: IpAddr) -> String {
    let is_stub = STUBS.iter().any(|stub| ip == IpAddr::V4(*stub));
    if is_stub { "systemd-resolved".to_owned() } else { "/etc/resolv.conf".to_owned() }
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

/// hosts(5): address, then names.
pub fn parse_hosts(text: &str) -> BTreeMap<Fqdn, Vec<IpAddr>> {
    let mut hosts: BTreeMap<Fqdn, Vec<IpAddr>> = BTreeMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        // A zone index has no meaning outside this host; the address is what is pinned.
        let address = words.next().and_then(|word| word.split('%').next());
        let Some(ip) = address.and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        for name in words.filter_map(|w| w.parse::<Fqdn>().ok()) {
            hosts.entry(name).or_default().push(ip);
        }
    }
    hosts
}

#[cfg(test)]
impl System {
    /// Pins a name, as a line of the hosts file does.
    pub(super) fn pin(&mut self, name: &Fqdn, ip: IpAddr) {
        self.hosts.entry(name.clone()).or_default().push(ip);
    }

    /// Asks the sources in the order of a `hosts:` line; the first server answers for `resolve`.
    pub(super) fn switch(&mut self, hosts: &str) {
        self.order = nsswitch::parse(&format!("hosts: {hosts}"));
        self.ask_resolved_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_is_read_name_by_name() {
        let hosts = parse_hosts("10.0.0.9 MyReg.azurecr.io alias # comment\nbad line\nfe80::1%eth0 x.azurecr.io\n");
        assert_eq!(hosts[&"myreg.azurecr.io".parse().unwrap()], ["10.0.0.9".parse::<IpAddr>().unwrap()]);
        assert_eq!(hosts[&"x.azurecr.io".parse().unwrap()], ["fe80::1".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn resolved_is_asked_where_the_order_says_so_even_if_resolv_conf_does_not() {
        let mut system = System::of_servers(named_servers(&["10.0.0.4:53".parse().unwrap()]));
        system.switch("files resolve [!UNAVAIL=return] dns");
        let sources: Vec<&str> = system.servers.iter().map(|s| s.source.as_str()).collect();
        assert_eq!(sources, ["systemd-resolved", "/etc/resolv.conf"]);
        assert_eq!((system.servers_of(Source::Resolve), system.servers_of(Source::Dns)), (&[0][..], &[1][..]));
        let mut stub = System::of_servers(named_servers(&["127.0.0.53:53".parse().unwrap()]));
        stub.switch("files resolve dns");
        assert_eq!((stub.servers.len(), stub.servers_of(Source::Resolve)), (1, &[0][..]));
    }

    #[test]
    fn without_a_named_server_this_host_is_asked() {
        let servers = named_servers(&[]);
        assert_eq!(servers[0].address, "127.0.0.1:53".parse().unwrap());
    }

    proptest::proptest! {
        #[test]
        fn any_hosts_file_is_read(text in "(?s).{0,200}") {
            parse_hosts(&text);
        }
    }
}
