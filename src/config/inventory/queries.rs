//! The queries to Azure Resource Graph: as many as there are kinds of facts, however many registries there are.
//!
//! Those of several pages project `id`, without which Resource Graph gives no `$skipToken`, and are ordered: registries,
//! and what belongs to them, by the registry's id in lower case, so that they can be read side by side.

/// Registries, each with the API version by which Resource Graph read it (a documented column, null for some types).
pub(super) const REGISTRIES: &str = "\
resources
| where type =~ 'microsoft.containerregistry/registries'
| extend registry = tolower(id)
| project id, name, type, location, tags, sku, identity, properties, apiVersion, registry
| order by registry asc";

/// What lies below registries: each id begins with its registry's.
pub(super) const BELOW: &str = "\
resources
| where type in~ ('microsoft.containerregistry/registries/replications', \
'microsoft.containerregistry/registries/tasks', 'microsoft.containerregistry/registries/agentpools')
| extend below = tolower(id)
| project id, name, type, location, identity, properties, below
| order by below asc";

/// The kinds below registries that Resource Graph shows at all.
pub(super) const KINDS: &str = "\
resources
| where type startswith 'microsoft.containerregistry/registries/'
| summarize count() by type";

/// Private endpoints, each with its registry and the addresses on its interface.
pub(super) const PRIVATE_ENDPOINTS: &str = "\
resources
| where type =~ 'microsoft.network/privateendpoints'
| where tostring(properties.privateLinkServiceConnections) contains 'microsoft.containerregistry/registries' \
or tostring(properties.manualPrivateLinkServiceConnections) contains 'microsoft.containerregistry/registries'
| extend interface = tolower(tostring(properties.networkInterfaces[0].id))
| join kind=leftouter (resources
    | where type =~ 'microsoft.network/networkinterfaces'
    | where isnotnull(properties.privateEndpoint)
    | project interface = tolower(id), ipConfigurations = properties.ipConfigurations) on interface
| extend registry = tolower(iff(isempty(tostring(properties.privateLinkServiceConnections[0])), \
tostring(properties.manualPrivateLinkServiceConnections[0].properties.privateLinkServiceId), \
tostring(properties.privateLinkServiceConnections[0].properties.privateLinkServiceId)))
| project id, name, type, location, registry, ipConfigurations, properties = pack('subnet', properties.subnet, \
'customDnsConfigs', properties.customDnsConfigs, 'networkInterfaces', properties.networkInterfaces)
| order by registry asc, id asc";

/// Networks with a subnet that has a private endpoint or the registry's service endpoint.
pub(super) const NETWORKS: &str = "\
resources
| where type =~ 'microsoft.network/virtualnetworks'
| extend subnets = tostring(properties.subnets)
| where subnets contains 'Microsoft.ContainerRegistry' or subnets contains '/privateEndpoints/'
| project id, name, type, location, properties
| order by id asc";

/// The registries' private zones and their links. Records are in no table that we rely on.
pub(super) fn zones(private_zone: &str) -> String {
    format!(
        "\
resources
| where type in~ ('microsoft.network/privatednszones', 'microsoft.network/privatednszones/virtualnetworklinks')
| where id contains '{}'
| project id, name, type, location, properties
| order by id asc",
        literal(private_zone)
    )
}

/// Defender for Containers.
pub(super) const DEFENDER: &str = "\
securityresources
| where type =~ 'microsoft.security/pricings'
| where name =~ 'Containers'
| project id, name, type, properties
| order by id asc";

/// The subscriptions that this sign-in sees in the scope.
pub(super) const SUBSCRIPTIONS: &str = "\
resourcecontainers
| where type =~ 'microsoft.resources/subscriptions'
| project id, name, type, subscriptionId
| order by id asc";

/// Text within quotes: what would end them is left out (a custom cloud's file names the zone).
fn literal(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect()
}
