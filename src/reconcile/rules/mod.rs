//! Every rule, a file a family.

mod access;
mod auth;
mod client;
mod dns;
mod dns_address;
mod dns_local;
mod dns_private;
mod dns_zone;
mod endpoint;
mod endpoint_regions;
mod firewall;
mod network;
mod network_path;
mod network_rules;
mod private_link;
mod proxy;
mod proxy_daemon;
mod proxy_private;
mod service;
mod tls;
mod tls_handshake;
mod vnet;

use super::rule::Rule;

/// All rules, family by family.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        access::RULES,
        dns::RULES,
        dns_private::RULES,
        dns_zone::RULES,
        dns_address::RULES,
        dns_local::RULES,
        network::RULES,
        network_path::RULES,
        network_rules::RULES,
        proxy::RULES,
        proxy_private::RULES,
        proxy_daemon::RULES,
        tls::RULES,
        tls_handshake::RULES,
        firewall::RULES,
        vnet::RULES,
        private_link::RULES,
        service::RULES,
        auth::RULES,
        endpoint::RULES,
        endpoint_regions::RULES,
        client::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
