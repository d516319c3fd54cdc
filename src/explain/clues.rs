//! The clues in a line that decide between codes: whose name it is, which address, which port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use crate::facts::{Cloud, Fqdn};
use crate::reconcile::place::is_private;

/// The built-in clouds: a pasted text does not say which, its names do.
static CLOUDS: LazyLock<[Cloud; 3]> = LazyLock::new(|| [Cloud::public(), Cloud::us_government(), Cloud::china()]);

/// What a host name in a text belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostKind {
    /// `<registry>.azurecr.io`, or a regional endpoint.
    Login,
    /// `<registry>.<region>.data.azurecr.io`.
    Data,
    /// `….privatelink.azurecr.io`.
    PrivateLinkName,
    /// `<account>.blob.core.windows.net`.
    Storage,
    /// Microsoft Entra ID.
    Authority,
    /// Azure Resource Manager.
    ResourceManager,
    /// mcr.microsoft.com, which `az acr check-health` pulls from.
    MicrosoftRegistry,
    /// Anything else: the text is about another service.
    Foreign,
}

/// A host name and what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) kind: HostKind,
}

/// An address that was connected to, or that the registry saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) ip: IpAddr,
    pub(super) port: Option<u16>,
}

/// The clues of one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Clues {
    pub(super) hosts: Vec<Host>,
    pub(super) address: Option<Address>,
}

/// Sign-in authorities besides those of the built-in clouds (azure-cli core/cloud.py; older names).
const AUTHORITIES: [&str; 4] =
    ["login.windows.net", "sts.windows.net", "login.microsoft.com", "login.partner.microsoftonline.cn"];

/// Registries and sites that a log of image pulls names besides Azure's.
const OTHERS: [&str; 17] = [
    "docker.io",
    "docker.com",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "pkg.dev",
    "k8s.io",
    "amazonaws.com",
    "ecr.aws",
    "gitlab.com",
    "github.com",
    "pypi.org",
    "npmjs.org",
    "nuget.org",
    "debian.org",
    "ubuntu.com",
    "redhat.io",
];

/// Addresses of documentation in error texts, which nobody tried to reach.
const DOCUMENTATION: [&str; 8] = [
    "aka.ms",
    "learn.microsoft.com",
    "docs.microsoft.com",
    "go.microsoft.com",
    "docs.docker.com",
    "curl.se",
    "curl.haxx.se",
    "microsoft.com",
];

impl Clues {
    /// Takes the clues of a line that [`super::text::lines`] made.
    pub(super) fn of(line: &str) -> Self {
        Self { hosts: hosts(line), address: address(line) }
    }

    /// The first host of a kind.
    pub(super) fn host(&self, kind: HostKind) -> Option<&Host> {
        self.hosts.iter().find(|h| h.kind == kind)
    }

    /// Whether the line names a host that a registry's client needs.
    pub(super) fn is_related(&self) -> bool {
        self.hosts.iter().any(|h| h.kind != HostKind::Foreign)
    }

    /// Whether every host that the line names is somebody else's.
    pub(super) fn is_foreign(&self) -> bool {
        !self.hosts.is_empty() && !self.is_related()
    }

    /// Whether the address is private; `None`: there is none.
    pub(super) fn private(&self) -> Option<bool> {
        self.address.map(|a| is_private(a.ip))
    }
}

fn hosts(line: &str) -> Vec<Host> {
    let mut hosts: Vec<Host> = Vec::new();
    let mut note = |name: &str, kind: HostKind| {
        if !hosts.iter().any(|h| h.name == name) {
            hosts.push(Host { name: name.to_owned(), kind });
        }
    };
    for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))) {
        if let Some((name, kind)) = known_host(word) {
            note(&name, kind);
        }
    }
    for (at, mark) in line.match_indices("://").chain(line.match_indices("lookup ")) {
        let rest = line.get(at + mark.len()..).unwrap_or_default();
        // The proxy's own name on a proxy's line says nothing on whose registry it is.
        if mark == "lookup " && line.contains("proxy") {
            continue;
        }
        if let Some(name) = addressed(rest).filter(|name| known_host(name).is_none()) {
            note(&name, HostKind::Foreign);
        }
    }
    hosts
}

/// The host at the start of `rest`, as it stands after `://` or `lookup `; not documentation, not a placeholder.
fn addressed(rest: &str) -> Option<String> {
    let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'<>),;]".contains(c)).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let host = authority.rsplit('@').next()?.split(':').next()?.trim_end_matches('.');
    if DOCUMENTATION.iter().any(|site| host == *site || host.ends_with(&format!(".{site}"))) {
        return None;
    }
    // An address as the host is an API server or a service, not a registry: `https://10.0.0.1:443/api/v1/…`.
    if host.parse::<Ipv4Addr>().is_ok() {
        return (!rest.contains("/v2/")).then(|| host.to_owned());
    }
    host.contains('.').then(|| host.parse::<Fqdn>().ok().map(|name| name.as_str().to_owned()))?
}

/// A name of Azure's, or of a site that is known to be none.
fn known_host(word: &str) -> Option<(String, HostKind)> {
    // `***.azurecr.io` and `<registry>.azurecr.io` leave `.azurecr.io`.
    let word = word.trim_matches(['.', '-', '_']);
    if !word.contains('.') {
        return None;
    }
    let name: Fqdn = word.parse().ok()?;
    let kind = kind_of(&name)?;
    Some((name.as_str().to_owned(), kind))
}

fn kind_of(name: &Fqdn) -> Option<HostKind> {
    for cloud in CLOUDS.iter() {
        if name.is_within(&cloud.private_zone) {
            return Some(HostKind::PrivateLinkName);
        }
        if name.is_within(&cloud.data_endpoint_suffix) {
            return Some(HostKind::Data);
        }
        if name.is_within(&cloud.registry_suffix) {
            return Some(HostKind::Login);
        }
        if name.is_within(&cloud.blob_suffix) {
            return Some(HostKind::Storage);
        }
        if cloud.authority.host_str() == Some(name.as_str()) {
            return Some(HostKind::Authority);
        }
        if cloud.resource_manager.host_str() == Some(name.as_str()) {
            return Some(HostKind::ResourceManager);
        }
    }
    if name.is_within("azcr.io") {
        return Some(HostKind::Login);
    }
    if AUTHORITIES.contains(&name.as_str()) {
        return Some(HostKind::Authority);
    }
    if name.is_within("mcr.microsoft.com") || name.is_within("mcr.azure.cn") {
        return Some(HostKind::MicrosoftRegistry);
    }
    OTHERS.iter().any(|site| name.is_within(site)).then_some(HostKind::Foreign)
}

/// The address that the line is about: what the registry saw, what DNS gave, or what was dialled.
/// Resolvers, the source side of `A->B`, loopback and Azure's own service addresses are none.
fn address(line: &str) -> Option<Address> {
    let words = addresses(line);
    let telling = words.iter().find(|(start, _)| {
        let before = line.get(..*start).unwrap_or_default().trim_end_matches(['\'', '"', ' ', ':', '[']);
        before.ends_with("client with ip") || before.ends_with("actual")
    });
    telling.or(words.first()).map(|(_, address)| *address)
}

fn addresses(line: &str) -> Vec<(usize, Address)> {
    let mut found = Vec::new();
    let mut start = None;
    let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':');
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        match (in_word(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                start = None;
                let rest = line.get(at..).unwrap_or_default();
                if let Some(address) = line.get(from..at).and_then(|word| parse_address(word, rest)) {
                    found.push((from, address));
                }
            }
            _ => {}
        }
    }
    found.retain(|(_, a)| a.port != Some(53) && !of_no_interest(a.ip));
    found
}

/// `10.0.0.4`, `10.0.0.4:443`, `2603:1030::5`, and `[2603:1030::5]:443` without its brackets.
fn parse_address(word: &str, rest: &str) -> Option<Address> {
    let word = word.trim_end_matches([':', '.']).trim_start_matches('.');
    if rest.starts_with("->") || rest.starts_with("]:") && rest.get(2..).is_some_and(port_before_arrow) {
        return None;
    }
    if let Ok(ip) = word.parse::<Ipv4Addr>() {
        return Some(Address { ip: ip.into(), port: None });
    }
    if let Some((ip, port)) = word.split_once(':')
        && let Ok(ip) = ip.parse::<Ipv4Addr>()
    {
        // `20.1.2.3:443:` as Go prints it, or a port that is none.
        return Some(Address { ip: ip.into(), port: port.split(':').next().and_then(|p| p.parse().ok()) });
    }
    let ip: Ipv6Addr = word.parse().ok().filter(|_| word.matches(':').count() >= 2)?;
    let port = rest.strip_prefix("]:").map(|r| r.chars().take_while(char::is_ascii_digit).collect::<String>());
    Some(Address { ip: IpAddr::V6(ip).to_canonical(), port: port.and_then(|p| p.parse().ok()) })
}

fn port_before_arrow(rest: &str) -> bool {
    rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with("->")
}

fn of_no_interest(ip: IpAddr) -> bool {
    const WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    match ip {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_unspecified() || v4.is_link_local() || v4 == WIRE_SERVER,
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> (Option<String>, Option<u16>) {
        let address = Clues::of(line).address;
        (address.map(|a| a.ip.to_string()), address.and_then(|a| a.port))
    }

    #[test]
    fn the_address_that_was_dialled_is_found() {
        for (line, ip, port) in [
            ("dial tcp 10.1.0.4:443: i/o timeout", "10.1.0.4", Some(443)),
            ("client with ip '203.0.113.5' is not allowed access", "203.0.113.5", None),
            ("read tcp 172.17.0.2:51234->20.62.128.0:443: read: connection reset by peer", "20.62.128.0", Some(443)),
            ("read tcp [fd00::2]:51234->[2603:1030::5]:443: i/o timeout", "2603:1030::5", Some(443)),
            ("dial tcp [2603:1030::5]:443: connect: network is unreachable", "2603:1030::5", Some(443)),
            ("lookup a.azurecr.io on 10.0.0.4:53: client with ip 198.51.100.7.", "198.51.100.7", None),
            ("expect: 10.1.0.4, actual: 20.1.2.3", "20.1.2.3", None),
            ("client with ip '::ffff:10.1.2.3' is not allowed", "10.1.2.3", None),
        ] {
            assert_eq!(of(line), (Some(ip.to_owned()), port), "{line}");
        }
        for line in ["lookup x on 127.0.0.53:53: no such host", "at 15:53:55 v1.2.3 sha256:abc::", "11.4.0.6285"] {
            assert_eq!(of(line).0, None, "{line}");
        }
    }

    #[test]
    fn hosts_are_told_apart() {
        for (line, kind) in [
            ("https://contoso.azurecr.io/v2/", HostKind::Login),
            ("https://***.azurecr.io/v2/", HostKind::Login),
            ("contoso.westeurope.data.azurecr.io.", HostKind::Data),
            ("not contoso.privatelink.azurecr.io", HostKind::PrivateLinkName),
            ("contoso.westeurope.data.privatelink.azurecr.io", HostKind::PrivateLinkName),
            ("https://weumanaged15.blob.core.windows.net/x?sig=a", HostKind::Storage),
            ("host='login.microsoftonline.com', port=443", HostKind::Authority),
            ("management.usgovcloudapi.net", HostKind::ResourceManager),
            ("lookup registry-1.docker.io on", HostKind::Foreign),
            ("https://10.0.0.1:443/api/v1/pods", HostKind::Foreign),
            ("https://user:pass@host.example/x", HostKind::Foreign),
        ] {
            assert_eq!(Clues::of(line).hosts.first().map(|h| h.kind), Some(kind), "{line}");
        }
        for line in
            ["https://aka.ms/acr/firewall", "main.go:12", "https://<registry>/v2/", "a.b.c", "https://10.1.0.4/v2/"]
        {
            assert_eq!(Clues::of(line).hosts, [], "{line}");
        }
    }
}
