//! Whom systemd-resolved asks in turn: the servers of its links and of its own configuration, and which of them it asks
//! for a name (resolved.conf(5), systemd.network(5) `DNS=`, `Domains=`, `DNSDefaultRoute=`).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::path::{Path, PathBuf};

use super::interfaces::Interfaces;
use super::resolv_conf;
use crate::facts::{Fqdn, Known};

/// Where the running service keeps what it and systemd-networkd know; the later wins.
const LINK_STATES: [&str; 2] = ["run/systemd/netif/links", "run/systemd/resolve/netif"];
/// All servers that it knows, without saying which is asked for what.
const ALL_SERVERS: &str = "run/systemd/resolve/resolv.conf";
/// Its own configuration, before the drop-ins in `resolved.conf.d` beside each; the later wins.
const SETTINGS: [&str; 4] = ["usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd"];

/// A server behind the stub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its address.
    pub address: SocketAddr,
    /// The link that it belongs to; `Known(None)`: to the whole host.
    pub link: Known<Option<String>>,
}

impl Upstream {
    /// Where it is configured.
    pub fn source(&self) -> String {
        match &self.link {
            Known::Known(Some(link)) => format!("systemd-resolved, link {link}"),
            Known::Known(None) => "resolved.conf".to_owned(),
            Known::Unknown(_) => format!("/{ALL_SERVERS}"),
        }
    }
}

/// Which servers are asked for which names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    scopes: Vec<Scope>,
    unplaced: Vec<SocketAddr>,
}

/// The servers of a link, or of the host, and the names that they are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Scope {
    link: Option<String>,
    servers: Vec<SocketAddr>,
    /// Without `~`; `.` is every name.
    domains: Vec<String>,
    takes_the_rest: bool,
}

impl Scope {
    /// How many labels of the name its best domain covers.
    fn match_of(&self, name: &Fqdn) -> Option<usize> {
        let covers = |domain: &&String| domain.as_str() == "." || name.is_within(domain);
        let labels = |domain: &String| domain.split('.').filter(|label| !label.is_empty()).count();
        self.domains.iter().filter(covers).map(labels).max()
    }
}

impl Routing {
    /// Reads the service's state and settings below a root.
    pub fn read(root: &Path, interfaces: &Interfaces) -> Self {
        let mut links: BTreeMap<u32, Scope> = BTreeMap::new();
        for directory in LINK_STATES {
            for (index, text) in numbered_files(&root.join(directory)) {
                let name = interfaces.name_of(index).map_or_else(|| index.to_string(), str::to_owned);
                links.extend(link(&text, index, name, interfaces).map(|scope| (index, scope)));
            }
        }
        let mut scopes: Vec<Scope> = links.into_values().collect();
        let settings: Vec<String> =
            settings_files(root).iter().filter_map(|f| std::fs::read_to_string(f).ok()).collect();
        scopes.extend(host(&settings, interfaces));
        let all = std::fs::read_to_string(root.join(ALL_SERVERS)).unwrap_or_default();
        Self::new(scopes, &all, interfaces)
    }

    fn new(scopes: Vec<Scope>, all: &str, interfaces: &Interfaces) -> Self {
        let lines = all.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
        let mut unplaced: Vec<SocketAddr> =
            lines.filter_map(|words| resolv_conf::server(words.trim(), interfaces)).collect();
        unplaced.retain(|server| scopes.iter().all(|s| s.servers.iter().all(|known| known.ip() != server.ip())));
        Self { scopes, unplaced }
    }

    /// The servers that are asked for a name: those of the scopes whose domains fit best, else of all that take the
    /// rest; and those of which it is not known.
    pub fn for_name(&self, name: &Fqdn) -> Vec<Upstream> {
        let best = self.scopes.iter().filter_map(|scope| scope.match_of(name)).max();
        let is_asked =
            |scope: &&Scope| if best.is_some() { scope.match_of(name) == best } else { scope.takes_the_rest };
        let mut servers: Vec<Upstream> = Vec::new();
        for scope in self.scopes.iter().filter(is_asked) {
            let of_scope =
                |address: &SocketAddr| Upstream { address: *address, link: Known::Known(scope.link.clone()) };
            servers.extend(scope.servers.iter().map(of_scope));
        }
        let unplaced = |address: &SocketAddr| Upstream {
            address: *address,
            link: Known::unknown("systemd-resolved's state does not show for which names it asks this server"),
        };
        servers.extend(self.unplaced.iter().map(unplaced));
        let mut seen: Vec<SocketAddr> = Vec::new();
        servers.retain(|server| {
            let is_new = !seen.contains(&server.address);
            seen.push(server.address);
            is_new
        });
        servers
    }
}

fn numbered_files(directory: &Path) -> Vec<(u32, String)> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let read = |entry: std::fs::DirEntry| {
        Some((entry.file_name().to_str()?.parse().ok()?, std::fs::read_to_string(entry.path()).ok()?))
    };
    entries.filter_map(read).collect()
}

fn settings_files(root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = SETTINGS.iter().map(|d| root.join(d).join("resolved.conf")).collect();
    let directories = SETTINGS.iter().map(|d| root.join(d).join("resolved.conf.d"));
    let mut drop_ins: Vec<PathBuf> = directories
        .flat_map(|directory| std::fs::read_dir(directory).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "conf"))
        .collect();
    drop_ins.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    files.extend(drop_ins);
    files
}

/// A link's state: networkd's `DNS`, `DOMAINS`, `ROUTE_DOMAINS`, `DNS_DEFAULT_ROUTE`, or resolved's own `SERVERS`,
/// `DOMAINS` (with `~`), `DEFAULT_ROUTE`. `None`: it has no servers.
fn link(text: &str, index: u32, name: String, interfaces: &Interfaces) -> Option<Scope> {
    let (mut servers, mut domains, mut routed, mut default_route) = (Vec::new(), Vec::new(), false, None);
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let words = || value.split_whitespace();
        match key.trim() {
            "DNS" | "SERVERS" => servers.extend(words().filter_map(|w| server(w, Some(index), interfaces))),
            "DOMAINS" => {
                routed |= words().any(|word| word.starts_with('~'));
                domains.extend(words().map(domain));
            }
            "ROUTE_DOMAINS" => {
                routed |= words().next().is_some();
                domains.extend(words().map(domain));
            }
            "DNS_DEFAULT_ROUTE" | "DEFAULT_ROUTE" => {
                default_route = Some(matches!(value.trim(), "1" | "yes" | "true" | "on"));
            }
            _ => {}
        }
    }
    let scope = Scope { link: Some(name), servers, domains, takes_the_rest: default_route.unwrap_or(!routed) };
    (!scope.servers.is_empty()).then_some(scope)
}

/// The host's own servers: `DNS=` and `Domains=` of `[Resolve]`; an empty value clears what stood before.
fn host(files: &[String], interfaces: &Interfaces) -> Option<Scope> {
    let mut scope = Scope { takes_the_rest: true, ..Scope::default() };
    for (key, value) in files.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once('=')) {
        match (key.trim(), value.trim()) {
            ("DNS", "") => scope.servers.clear(),
            ("DNS", list) => scope.servers.extend(list.split_whitespace().filter_map(|w| server(w, None, interfaces))),
            ("Domains", "") => scope.domains.clear(),
            ("Domains", list) => scope.domains.extend(list.split_whitespace().map(domain)),
            _ => {}
        }
    }
    (!scope.servers.is_empty()).then_some(scope)
}

fn domain(word: &str) -> String {
    match word.trim_start_matches('~').trim_matches('.') {
        "" => ".".to_owned(),
        name => name.to_ascii_lowercase(),
    }
}

/// `ADDRESS[:PORT][%INTERFACE][#NAME]`; a link-local address of a link is on that link.
fn server(word: &str, index: Option<u32>, interfaces: &Interfaces) -> Option<SocketAddr> {
    let word = word.split('#').next().unwrap_or_default();
    let (address, zone) = word.split_once('%').map_or((word, None), |(address, zone)| (address, Some(zone)));
    let parsed = address.parse::<SocketAddr>().or_else(|_| address.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)));
    match parsed.ok()? {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => {
            let scope = zone.and_then(|zone| zone.parse().ok().or_else(|| interfaces.index_of(zone))).or(index);
            Some(SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope.unwrap_or_default())))
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(routing: &Routing, name: &str) -> Vec<String> {
        routing.for_name(&name.parse().unwrap()).iter().map(|u| u.address.ip().to_string()).collect()
    }

    fn scope(text: &str, index: u32) -> Scope {
        link(text, index, format!("eth{index}"), &Interfaces::default()).unwrap()
    }

    #[test]
    fn the_link_whose_domain_fits_best_is_asked_and_no_other() {
        let ethernet = scope("OPER_STATE=routable\nDNS=168.63.129.16\nDOMAINS=internal.cloudapp.net\n", 2);
        let tunnel = scope("SERVERS=10.30.0.53\nDOMAINS=~azurecr.io ~corp.example\n", 5);
        let routing = Routing::new(vec![ethernet.clone(), tunnel.clone()], "", &Interfaces::default());
        assert_eq!(asked(&routing, "myreg.azurecr.io"), ["10.30.0.53"]);
        assert_eq!(asked(&routing, "login.microsoftonline.com"), ["168.63.129.16"], "the tunnel is for its names only");
        assert_eq!(routing.for_name(&"myreg.azurecr.io".parse().unwrap())[0].source(), "systemd-resolved, link eth5");
        let all = scope("SERVERS=10.9.9.9\nDOMAINS=~.\n", 6);
        let routing = Routing::new(vec![ethernet, tunnel, all], "", &Interfaces::default());
        assert_eq!(asked(&routing, "management.azure.com"), ["10.9.9.9"]);
    }

    #[test]
    fn a_default_route_is_as_said_and_else_given_by_the_lack_of_routing_domains() {
        let both = Routing::new(
            vec![scope("DNS=10.0.0.1\n", 2), scope("DNS=10.0.0.2\nDNS_DEFAULT_ROUTE=no\n", 3)],
            "nameserver 10.0.0.1\nnameserver 10.0.0.3\n",
            &Interfaces::default(),
        );
        assert_eq!(asked(&both, "myreg.azurecr.io"), ["10.0.0.1", "10.0.0.3"], "of the last nobody knows");
        let last = both.for_name(&"myreg.azurecr.io".parse().unwrap()).pop().unwrap();
        assert!(!last.link.is_known() && last.source() == "/run/systemd/resolve/resolv.conf");
    }

    #[test]
    fn servers_are_written_in_several_ways() {
        let interfaces = Interfaces::of([("eth1", 9)]);
        let shown = |word| server(word, Some(3), &interfaces).map(|s| s.to_string());
        assert_eq!(shown("10.0.0.4:5353#dns.example").as_deref(), Some("10.0.0.4:5353"));
        assert_eq!(shown("fe80::1").as_deref(), Some("[fe80::1%3]:53"));
        assert_eq!(shown("[fe80::1]:54%eth1").as_deref(), Some("[fe80::1%9]:54"));
        assert_eq!(shown("dns.example"), None);
        let files = ["[Resolve]\nDNS=1.1.1.1\n#DNS=9.9.9.9".to_owned(), "DNS=\nDNS=10.0.0.7 \nDomains=~.".to_owned()];
        let scope = host(&files, &interfaces).unwrap();
        assert_eq!((scope.servers.len(), scope.servers[0].to_string().as_str()), (1, "10.0.0.7:53"));
        assert_eq!(scope.domains, ["."]);
        assert_eq!(host(&[], &interfaces), None);
    }

    proptest::proptest! {
        #[test]
        fn any_state_is_read(text in "(?s).{0,200}", word in "[0-9a-f:%.#~\\[\\]]{0,40}") {
            let interfaces = Interfaces::default();
            link(&text, 1, String::new(), &interfaces);
            let scope = link(&format!("DNS={word}\nDOMAINS={word}"), 1, String::new(), &interfaces);
            let routing = Routing::new(scope.into_iter().collect(), &text, &interfaces);
            routing.for_name(&"myreg.azurecr.io".parse().unwrap());
            host(&[text], &interfaces);
        }
    }
}
