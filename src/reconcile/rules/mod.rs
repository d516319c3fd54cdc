//! Every rule, a file a family.

mod access;
mod access_plane;
mod access_scope;
mod auth;
mod auth_identity;
mod client;
mod cluster;
mod dns;
mod dns_address;
mod dns_dropped;
mod dns_local;
mod dns_mend;
mod dns_private;
mod dns_search;
mod dns_shared_zone;
mod dns_unseen;
mod dns_zone;
mod endpoint;
mod endpoint_regions;
mod firewall;
mod firewall_addresses;
mod firewall_effect;
mod firewall_rules;
mod logs;
mod network;
mod network_endpoint;
mod network_path;
mod network_rules;
mod private_link;
mod private_link_state;
mod proxy;
mod proxy_bypass;
mod proxy_daemon;
mod proxy_private;
mod proxy_upstream;
mod public_access;
mod service;
pub mod service_kinds;
mod service_reach;
pub(super) use cluster::{PULL, REPOSITORY_PULL};
pub(super) use service_kinds::{Passage, passage};
mod tls;
mod tls_handshake;
mod vnet;
mod vnet_endpoint;
mod vnet_support;

use super::rule::Rule;

/// All rules, family by family.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        access::RULES,
        access_plane::RULES,
        access_scope::RULES,
        dns::RULES,
        dns_private::RULES,
        dns_zone::RULES,
        dns_dropped::RULES,
        dns_address::RULES,
        dns_local::RULES,
        dns_search::RULES,
        network::RULES,
        network_endpoint::RULES,
        network_path::RULES,
        network_rules::RULES,
        proxy::RULES,
        proxy_upstream::RULES,
        proxy_bypass::RULES,
        proxy_private::RULES,
        proxy_daemon::RULES,
        tls::RULES,
        tls_handshake::RULES,
        firewall::RULES,
        firewall_effect::RULES,
        firewall_rules::RULES,
        vnet::RULES,
        vnet_endpoint::RULES,
        vnet_support::RULES,
        private_link::RULES,
        private_link_state::RULES,
        service::RULES,
        service_reach::RULES,
        auth::RULES,
        auth_identity::RULES,
        logs::RULES,
        endpoint::RULES,
        endpoint_regions::RULES,
        client::RULES,
        cluster::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
