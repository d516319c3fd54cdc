//! Which route of the client's subnet traffic to a registry takes.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::facts::EndpointRole;
use crate::facts::network::{Route, RouteTable, Subnet};

use super::case::Case;

/// The route that a packet to a public address of an endpoint's kind takes: the most specific one.
fn route_for<'t>(table: &'t RouteTable, role: EndpointRole, destination: Option<IpAddr>) -> Option<&'t Route> {
    let tag = if role == EndpointRole::Storage { "Storage" } else { "AzureContainerRegistry" };
    let specificity = |route: &Route| -> Option<u16> {
        match (route.address_prefix.parse::<IpNet>(), destination) {
            (Ok(net), Some(ip)) => net.contains(&ip).then(|| u16::from(net.prefix_len())),
            (Ok(net), None) => (net.prefix_len() == 0).then_some(0),
            // A tag's ranges are narrower than any route of a person's; which is not known here.
            (Err(_), _) => route.address_prefix.split('.').next().filter(|p| p.eq_ignore_ascii_case(tag)).map(|_| 20),
        }
    };
    // Azure has no two routes for one prefix; of facts that have, whichever filters, and then any one, but always the same.
    let order = |&(specific, route): &(u16, &'t Route)| {
        (specific, leads_to_a_filter(route), &route.name, &route.next_hop_type, route.next_hop_address)
    };
    table.routes.iter().filter_map(|r| Some((specificity(r)?, r))).max_by_key(order).map(|(_, r)| r)
}

/// Whether traffic of a kind leaves by the subnet's service endpoint, whose routes win over the table's.
fn by_service_endpoint(subnet: &Subnet, role: EndpointRole) -> bool {
    match role {
        EndpointRole::Storage => subnet.service_endpoints.iter().any(|e| e.service.starts_with("Microsoft.Storage")),
        _ => subnet.has_registry_service_endpoint(),
    }
}

fn leads_to_a_filter(route: &Route) -> bool {
    ["VirtualAppliance", "VirtualNetworkGateway", "None"]
        .iter()
        .any(|hop| route.next_hop_type.eq_ignore_ascii_case(hop))
}

/// The table of the client's subnet and the route to an appliance that registry traffic takes.
pub fn filtering_route<'a>(
    case: &Case<'a>,
    role: EndpointRole,
    destination: Option<IpAddr>,
) -> Option<(&'a RouteTable, &'a Route)> {
    let (_, subnet) = case.client_subnet()?;
    let table = subnet.route_table.known()?.as_ref()?;
    let route = route_for(table, role, destination).filter(|r| leads_to_a_filter(r))?;
    (!by_service_endpoint(subnet, role)).then_some((table, route))
}
