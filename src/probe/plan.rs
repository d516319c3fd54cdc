//! Which endpoints are climbed, decided before the first packet.

use crate::facts::endpoints::region_of;
use crate::facts::{Cloud, EndpointRole, Fqdn};

use super::request::PlannedEndpoint;

/// Whether a role is a control target: needed by the check anyway, and no part of the registry.
pub(super) fn is_control(role: EndpointRole) -> bool {
    matches!(role, EndpointRole::Authority | EndpointRole::ResourceManager)
}

/// The sign-in authority and ARM of a cloud, up to TLS.
pub(super) fn controls(cloud: &Cloud) -> Vec<PlannedEndpoint> {
    [(&cloud.authority, EndpointRole::Authority), (&cloud.resource_manager, EndpointRole::ResourceManager)]
        .into_iter()
        .filter_map(|(url, role)| Some(PlannedEndpoint { host: url.host_str()?.parse().ok()?, role, region: None }))
        .collect()
}

/// What a redirect's host is for, and its region where the name tells.
pub(super) fn redirect_target(host: &Fqdn, cloud: &Cloud) -> PlannedEndpoint {
    let is_data = host.is_within(&cloud.data_endpoint_suffix);
    let region = is_data.then(|| region_of(host)).flatten();
    PlannedEndpoint {
        host: host.clone(),
        role: if is_data { EndpointRole::Data } else { EndpointRole::Storage },
        region,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_tells_data_endpoint_from_storage() {
        let cloud = Cloud::public();
        let data = redirect_target(&"myreg.westeurope.data.azurecr.io".parse().unwrap(), &cloud);
        assert_eq!((data.role, data.region.unwrap().as_str()), (EndpointRole::Data, "westeurope"));
        let blob = redirect_target(&"weumanaged15.blob.core.windows.net".parse().unwrap(), &cloud);
        assert_eq!((blob.role, blob.region), (EndpointRole::Storage, None));
        assert_eq!(controls(&cloud).len(), 2);
    }
}
