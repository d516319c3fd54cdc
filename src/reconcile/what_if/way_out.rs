//! What a client's own subnet does with the way to the registry, whoever the registry lets in.

use crate::facts::report::ExpectedPath;
use crate::facts::what_if::{Access, Admission};
use crate::facts::{EndpointRole, Known, RegistryConfig};
use crate::reconcile::case::Case;
use crate::reconcile::routes::filtering_route;
use crate::reconcile::security_rules::{Connection, Judgement, outbound};

/// The registry's admission, as far as the client gets there: a security group that denies the way, or a route that drops
/// it, decides against it. What cannot be told of them is said beside the admission.
pub(super) fn heeded(case: &Case<'_>, registry: &RegistryConfig, path: ExpectedPath, access: Access) -> Access {
    if access.access != Admission::Allowed {
        return access;
    }
    let mut doubts = Vec::new();
    for judged in [group(case, registry, path), route(case, path)] {
        match judged {
            Way::Open => {}
            Way::Shut(because) => return Access { access: Admission::Refused, because },
            Way::NotKnown(why) => doubts.push(why),
        }
    }
    let because = std::iter::once(access.because).chain(doubts).collect::<Vec<_>>().join("; ");
    Access { because, ..access }
}

/// Whether something on the way lets the client out.
enum Way {
    Open,
    Shut(String),
    NotKnown(String),
}

fn group(case: &Case<'_>, registry: &RegistryConfig, path: ExpectedPath) -> Way {
    let Some((id, subnet)) = case.client_subnet() else { return Way::Open };
    let group = match &subnet.network_security_group {
        Known::Known(Some(group)) => group,
        Known::Known(None) => return Way::Open,
        Known::Unknown(missing) => {
            return Way::NotKnown(format!("the security group of '{}' is not known: {}", id.name(), missing.why));
        }
    };
    let usable = case.usable();
    let private = usable.first().and_then(|(_, endpoint)| case.private_address_for(endpoint, &registry.login_server));
    let destination = private.filter(|_| path == ExpectedPath::PrivateLink);
    if path == ExpectedPath::PrivateLink && destination.is_none() {
        return Way::NotKnown("the private endpoint's address is not known".to_owned());
    }
    let connection = Connection {
        sources: &subnet.address_prefixes,
        destination,
        role: EndpointRole::Login,
        region: Some(&registry.location),
        tags: case.config.service_tags.known().map_or(&[], Vec::as_slice),
    };
    let name = group.id.name();
    match outbound(group, &connection) {
        Judgement::Allowed(_) => Way::Open,
        Judgement::Denied(rule) => {
            let rule = rule.map(|rule| format!(" (rule '{}')", rule.name)).unwrap_or_default();
            Way::Shut(format!("the security group '{name}' of its own subnet denies the way{rule}"))
        }
        Judgement::Undecided(rule) => Way::NotKnown(format!(
            "whether the security group '{name}' of its own subnet lets it out depends on the rule '{}'",
            rule.name
        )),
    }
}

/// Routes decide about public addresses alone: a private endpoint has a route of its own, narrower than a person's.
fn route(case: &Case<'_>, path: ExpectedPath) -> Way {
    let public = matches!(path, ExpectedPath::PublicAllowed);
    let Some((table, route)) = filtering_route(case, EndpointRole::Login, None).filter(|_| public) else {
        return Way::Open;
    };
    let (name, table) = (&route.name, table.id.name());
    if route.next_hop_type.eq_ignore_ascii_case("None") {
        return Way::Shut(format!("the route '{name}' of '{table}' drops what its subnet sends there"));
    }
    let hop = route.next_hop_address.map_or_else(|| route.next_hop_type.clone(), |address| address.to_string());
    Way::NotKnown(format!("the route '{name}' of '{table}' leads through {hop}, which must let it pass"))
}
