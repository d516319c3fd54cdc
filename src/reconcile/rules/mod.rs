//! Every rule, a file a family.

mod access;
mod auth;
mod dns;
mod dns_private;
mod firewall;
mod network;
mod private_link;
mod service;
mod tls;
mod vnet;

use super::rule::Rule;

/// All rules, family by family.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        access::RULES,
        dns::RULES,
        dns_private::RULES,
        network::RULES,
        tls::RULES,
        firewall::RULES,
        vnet::RULES,
        private_link::RULES,
        service::RULES,
        auth::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
