//! resolv.conf(5): servers, search list and options, as the C library takes them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use super::interfaces::Interfaces;

/// The C library asks no more servers than this (MAXNS).
const MAX_SERVERS: usize = 3;

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// In the order that they are asked; at most three count.
    pub servers: Vec<SocketAddr>,
    /// The search list: the last line wins.
    pub search: Vec<String>,
    /// The options that change how a server is asked.
    pub options: AskOptions,
}

/// How a server is asked, and when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskOptions {
    /// `timeout:n`, 5 s if not given, at most 30 s.
    pub timeout: Duration,
    /// `attempts:n`, 2 if not given, at most 5.
    pub attempts: u32,
    /// `use-vc`: over TCP from the first.
    pub use_vc: bool,
    /// `edns0`: with an OPT record (RFC 6891).
    pub edns0: bool,
    /// `no-aaaa`: IPv6 addresses are not asked for.
    pub no_aaaa: bool,
    /// `ndots:n`, 1 if not given, at most 15: names with fewer dots are completed by the search list first.
    pub ndots: u32,
}

impl Default for AskOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), attempts: 2, use_vc: false, edns0: false, no_aaaa: false, ndots: 1 }
    }
}

impl AskOptions {
    /// How long a program on this host waits for one server in all.
    pub fn patience(&self) -> Duration {
        self.timeout * self.attempts
    }

    /// Reads one word of an `options` line or of `RES_OPTIONS`. Those that only change which server is asked first
    /// (`rotate`), or how sockets are used, change nothing where every server is asked.
    fn read(&mut self, word: &str) {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        match (name, value.parse::<u32>()) {
            ("timeout", Ok(seconds)) => self.timeout = Duration::from_secs(u64::from(seconds.clamp(1, 30))),
            ("attempts", Ok(attempts)) => self.attempts = attempts.clamp(1, 5),
            ("ndots", Ok(dots)) => self.ndots = dots.min(15),
            ("use-vc", _) => self.use_vc = true,
            ("edns0", _) => self.edns0 = true,
            ("no-aaaa", _) => self.no_aaaa = true,
            _ => {}
        }
    }
}

/// Reads the file's text, then the variables `LOCALDOMAIN` and `RES_OPTIONS`, which win over it.
pub fn parse(text: &str, environment: impl Fn(&str) -> Option<String>, interfaces: &Interfaces) -> ResolvConf {
    let mut read = ResolvConf::default();
    for line in text.lines() {
        let line = line.split(['#', ';']).next().unwrap_or_default();
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => read.servers.extend(words.next().and_then(|word| server(word, interfaces))),
            Some("search" | "domain") => read.search = words.map(str::to_owned).collect(),
            Some("options") => words.for_each(|word| read.options.read(word)),
            _ => {}
        }
    }
    read.servers.truncate(MAX_SERVERS);
    if let Some(list) = environment("LOCALDOMAIN") {
        read.search = list.split_whitespace().map(str::to_owned).collect();
    }
    environment("RES_OPTIONS").unwrap_or_default().split_whitespace().for_each(|word| read.options.read(word));
    read
}

/// Whom the C library asks where no server is named: the one on this host.
pub fn default_server() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53)
}

/// An address with port 53; a link-local one with its zone, by number or by interface (RFC 4007, section 11).
pub fn server(word: &str, interfaces: &Interfaces) -> Option<SocketAddr> {
    let (address, zone) = word.split_once('%').map_or((word, None), |(address, zone)| (address, Some(zone)));
    match address.parse().ok()? {
        IpAddr::V4(ip) => Some(SocketAddr::new(IpAddr::V4(ip), 53)),
        IpAddr::V6(ip) => {
            let scope = zone.and_then(|zone| zone.parse().ok().or_else(|| interfaces.index_of(zone)));
            Some(SocketAddr::V6(SocketAddrV6::new(ip, 53, 0, scope.unwrap_or_default())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ResolvConf {
        parse(text, |_| None, &Interfaces::of([("eth0", 7)]))
    }

    #[test]
    fn servers_stand_in_order_and_the_last_search_list_counts() {
        let file = read(
            "# c\nnameserver 10.0.0.4\nnameserver 127.0.0.53 ; stub\nsearch a.b\nsearch c.d e.f\nnameserver nonsense\n",
        );
        assert_eq!(file.servers, ["10.0.0.4:53".parse().unwrap(), "127.0.0.53:53".parse().unwrap()]);
        assert_eq!(file.search, ["c.d", "e.f"]);
        assert_eq!(file.options, AskOptions::default());
        let many = read("nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n");
        assert_eq!(many.servers.len(), 3);
    }

    #[test]
    fn a_link_local_server_keeps_its_zone() {
        let file = read("nameserver fe80::1%eth0\nnameserver fe80::2%4\nnameserver fe80::3%gone\n");
        let shown: Vec<String> = file.servers.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["[fe80::1%7]:53", "[fe80::2%4]:53", "[fe80::3]:53"]);
    }

    #[test]
    fn options_are_bounded_as_in_the_c_library_and_the_environment_wins() {
        let file = read("options timeout:1 attempts:9 rotate use-vc\noptions edns0 ndots:5 timeout:x\n");
        assert_eq!((file.options.timeout, file.options.attempts), (Duration::from_secs(1), 5));
        assert!(file.options.use_vc && file.options.edns0 && !file.options.no_aaaa);
        assert_eq!((file.options.ndots, read("").options.ndots, read("options ndots:99").options.ndots), (5, 1, 15));
        let variables = |name: &str| match name {
            "RES_OPTIONS" => Some("timeout:99 no-aaaa".to_owned()),
            "LOCALDOMAIN" => Some("x.y".to_owned()),
            _ => None,
        };
        let file = parse("options timeout:0\nsearch a.b\n", variables, &Interfaces::default());
        assert_eq!(file.options.patience(), Duration::from_secs(60));
        assert!(file.options.no_aaaa && file.search == ["x.y"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,300}", word in "[0-9a-f:%.#\\[\\]]{0,40}") {
            read(&text);
            read(&format!("nameserver {word}\noptions {word} timeout:{word}"));
        }
    }
}
