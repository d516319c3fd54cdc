//! Which hosts NO_PROXY takes out of a proxy's way. There is no standard: programs read its forms differently.
//!
//! | entry | Go: docker, containerd, podman | curl | Python: az |
//! |---|---|---|---|
//! | `*` | every host | every host | every host |
//! | `example.com` | it, and all below | the same | the same, and every name that ends so |
//! | `.example.com` | all below | it, and all below | it, and all below |
//! | `*.example.com` | all below | nothing | nothing |
//! | `example.com:443` | as without, on that port | nothing | nothing, where the URL names no port |
//! | `a.example b.example` | nothing: only commas part entries | both | nothing |
//! | `10.0.0.0/8`, `fd00::/8`, `10.1.2.3`, `[::1]` | no name: names are not resolved for it | the same | the same |
//!
//! (golang.org/x/net/http/httpproxy; curl's noproxy.c; requests' `should_bypass_proxies` and urllib's `proxy_bypass`.)
//! Registries are named by host, so that addresses and ranges never count here.

use super::Fqdn;

/// The port that registries are asked on.
const PORT: u16 = 443;

/// Whether an entry takes a host out of the way of some program's proxy: what any of them understands.
pub fn covers(entry: &str, host: &Fqdn) -> bool {
    let Some(name) = on_our_port(entry) else { return false };
    let name = name.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
    name == "*" || (!name.is_empty() && host.is_within(name))
}

/// Whether an entry takes a host out of the way of the proxy of a program in Go, as container daemons are.
pub fn covers_in_go(entry: &str, host: &Fqdn) -> bool {
    let Some(name) = on_our_port(entry) else { return false };
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    match name.strip_prefix('.') {
        Some(domain) => !domain.is_empty() && host.is_within(domain) && host.as_str() != domain,
        None => covers(name, host),
    }
}

/// An entry in lower case without its port; `None`: it is for another port.
fn on_our_port(entry: &str) -> Option<&str> {
    let entry = entry.trim();
    match entry.rsplit_once(':').map(|(name, port)| (name, port.parse::<u16>())) {
        Some((name, Ok(port))) => (port == PORT).then_some(name),
        _ => Some(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entry; whether some program takes it so, and whether Go does: for a login server and for a data endpoint.
    const FORMS: &[(&str, [bool; 2], [bool; 2])] = &[
        ("*", [true, true], [true, true]),
        ("azurecr.io", [true, true], [true, true]),
        (" AzureCR.io. ", [true, true], [true, true]),
        (".azurecr.io", [true, true], [true, true]),
        ("*.azurecr.io", [true, true], [true, true]),
        ("azurecr.io:443", [true, true], [true, true]),
        ("*:443", [true, true], [true, true]),
        ("myreg.azurecr.io", [true, false], [true, false]),
        (".myreg.azurecr.io", [true, false], [false, false]),
        ("*.myreg.azurecr.io", [true, false], [false, false]),
        (".data.azurecr.io", [false, true], [false, true]),
        ("azurecr.io:8443", [false, false], [false, false]),
        ("zurecr.io", [false, false], [false, false]),
        ("localhost azurecr.io", [false, false], [false, false]),
        ("", [false, false], [false, false]),
        (".", [false, false], [false, false]),
        ("*.", [false, false], [false, false]),
        ("10.0.0.0/8", [false, false], [false, false]),
        ("10.1.2.3", [false, false], [false, false]),
        ("10.1.2.3:443", [false, false], [false, false]),
        ("fd00::/8", [false, false], [false, false]),
        ("fd00::443", [false, false], [false, false]),
        ("[fd00::1]:443", [false, false], [false, false]),
        ("[fd00::]/8", [false, false], [false, false]),
        ("::1", [false, false], [false, false]),
    ];

    #[test]
    fn each_form_is_taken_as_programs_take_it() {
        let login: Fqdn = "myreg.azurecr.io".parse().unwrap();
        let data: Fqdn = "other.westeurope.data.azurecr.io".parse().unwrap();
        for (entry, any, go) in FORMS {
            assert_eq!([covers(entry, &login), covers(entry, &data)], *any, "{entry:?}");
            assert_eq!([covers_in_go(entry, &login), covers_in_go(entry, &data)], *go, "{entry:?} in Go");
        }
    }

    proptest::proptest! {
        /// Whatever is written, Go takes no more hosts out than some program does.
        #[test]
        fn go_understands_no_more_than_some_program(entry in "[*a-z0-9.:\\[\\]/ ]{0,24}", host in "[a-z]{1,5}(\\.[a-z]{1,5}){1,3}") {
            let host: Fqdn = host.parse().unwrap();
            proptest::prop_assert!(covers(&entry, &host) || !covers_in_go(&entry, &host));
        }
    }
}
