//! Every rule, a file a family.

mod access;
mod auth;
mod client;
mod dns;
mod dns_private;
mod endpoint;
mod endpoint_regions;
mod firewall;
mod network;
mod network_rules;
mod private_link;
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
        network::RULES,
        network_rules::RULES,
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
