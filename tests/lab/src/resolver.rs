//! Real name servers: the corporate resolver as dnsmasq or unbound, and the DNS64 of an IPv6-only network.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Child;

use crate::addresses::{AZURE_DNS, CORP_DNS, NAT64_PREFIX, PUBLIC_DNS, ROUTER_V6};
use crate::program::{DNSMASQ, Program, UNBOUND};
use crate::scenario::{ResolverProgram, ResolverSpec, Upstream};
use crate::world::{Told, World};
use crate::{LabError, namespaces};

/// The private networks of RFC 1918.
const PRIVATE: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

impl ResolverProgram {
    /// The program.
    pub fn program(self) -> Program {
        match self {
            Self::Dnsmasq => DNSMASQ,
            Self::Unbound => UNBOUND,
        }
    }
}

impl Upstream {
    fn address(self) -> Ipv4Addr {
        match self {
            Self::Azure => AZURE_DNS,
            Self::Public => PUBLIC_DNS,
        }
    }
}

/// Starts the corporate resolver, if the world's is a real program.
pub fn start(world: &World) -> Result<Option<Child>, LabError> {
    let Some(spec) = &world.resolver else { return Ok(None) };
    let program = spec.program.program();
    let path = format!("/run/lab/{}.conf", program.name);
    let mut command = program.command()?;
    let configuration = match spec.program {
        ResolverProgram::Dnsmasq => {
            command.args(["--keep-in-foreground", "--log-facility=-", &format!("--conf-file={path}")]);
            dnsmasq(spec, &world.told)
        }
        ResolverProgram::Unbound => {
            command.args(["-dd", "-c", &path]);
            unbound(spec, &world.told)
        }
    };
    fs::write(&path, configuration).map_err(LabError::io(path.clone()))?;
    namespaces::inside("corp", || program.start(command))?.map(Some)
}

/// Starts the DNS64 of the client's network on its router.
pub fn start_dns64() -> Result<Child, LabError> {
    let path = "/run/lab/dns64.conf";
    let mut configuration = server("dns64 iterator", ROUTER_V6.into());
    configuration.push_str(&format!("  dns64-prefix: {NAT64_PREFIX}/96\n"));
    configuration.push_str(&forward(AZURE_DNS));
    fs::write(path, configuration).map_err(LabError::io(path))?;
    let mut command = UNBOUND.command()?;
    command.args(["-dd", "-c", path]);
    namespaces::inside("router", || UNBOUND.start(command))?
}

/// The records that it answers by itself: its own, as they are after what it was told.
fn records<'a>(spec: &'a ResolverSpec, told: &'a Told) -> impl Iterator<Item = (&'a String, Ipv4Addr)> {
    let own = spec.records.iter().filter(|(host, _)| !told.records.contains_key(*host)).map(|(host, at)| (host, *at));
    own.chain(told.records.iter().filter_map(|(host, address)| Some((host, (*address)?))))
}

/// Its own empty zones; one that it forwards is none any more.
fn empty_zones<'a>(spec: &'a ResolverSpec, told: &'a Told) -> impl Iterator<Item = &'a String> {
    spec.nxdomain.iter().filter(|zone| !told.forwards.contains(zone))
}

fn dnsmasq(spec: &ResolverSpec, told: &Told) -> String {
    let mut lines = vec![
        format!("listen-address={CORP_DNS}\nbind-interfaces\nuser=root\ngroup=root\npid-file="),
        format!("no-resolv\nno-hosts\ncache-size=0\nserver={}", spec.forward.address()),
    ];
    lines.extend(records(spec, told).map(|(host, address)| format!("host-record={host},{address}")));
    lines.extend(empty_zones(spec, told).map(|zone| format!("local=/{zone}/")));
    lines.extend(told.forwards.iter().map(|zone| format!("server=/{zone}/{AZURE_DNS}")));
    lines.extend(told.private.iter().map(|zone| format!("rebind-domain-ok=/{zone}/")));
    if spec.drops_private {
        // It drops documentation networks too, which public addresses of a world are of; Azure's own names may pass.
        lines.push("stop-dns-rebind\nrebind-domain-ok=/microsoft.com/microsoftonline.com/azure.com/".to_owned());
    }
    lines.join("\n") + "\n"
}

fn unbound(spec: &ResolverSpec, told: &Told) -> String {
    let mut text = server("iterator", CORP_DNS.into());
    for (host, address) in records(spec, told) {
        text.push_str(&format!("  local-data: \"{host}. 3600 IN A {address}\"\n"));
    }
    for zone in empty_zones(spec, told) {
        text.push_str(&format!("  local-zone: \"{zone}.\" always_nxdomain\n"));
    }
    if spec.drops_private {
        text.push_str(&PRIVATE.map(|net| format!("  private-address: {net}\n")).concat());
    }
    text.extend(told.private.iter().map(|zone| format!("  private-domain: \"{zone}\"\n")));
    let forwards = told.forwards.iter().map(|zone| forward_zone(zone, AZURE_DNS));
    text + &forward(spec.forward.address()) + &forwards.collect::<String>()
}

/// unbound's `server` clause: at one address, for everybody, keeping nothing, so that a mended world shows at once.
fn server(modules: &str, at: IpAddr) -> String {
    format!(
        "server:\n  interface: {at}\n  access-control: 0.0.0.0/0 allow\n  access-control: ::0/0 allow\n  username: \"\"\n  \
         chroot: \"\"\n  directory: \"/run/lab\"\n  pidfile: \"\"\n  use-syslog: no\n  verbosity: 1\n  num-threads: 1\n  \
         module-config: \"{modules}\"\n  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n  do-ip6: yes\n"
    )
}

fn forward(to: Ipv4Addr) -> String {
    format!("remote-control:\n  control-enable: no\n{}", forward_zone(".", to))
}

fn forward_zone(zone: &str, to: Ipv4Addr) -> String {
    format!("forward-zone:\n  name: \"{zone}\"\n  forward-addr: {to}\n")
}
