//! The named base worlds that scenarios start from. Each is healthy.

use serde_json::{Value, json};

use crate::LabError;
use crate::documents::{Documents, SUBSCRIPTION};
use crate::spokes;

/// A base world.
#[derive(Debug, Clone)]
pub struct Base {
    /// ARM.
    pub documents: Documents,
    /// Whether the client says with `--subnet` that it stands in the subnet `clients`.
    pub in_subnet: bool,
}

/// What a base world is made of.
#[expect(clippy::struct_excessive_bools, reason = "each is a part that a world has or lacks")]
struct Plan {
    default_action: &'static str,
    public_access: &'static str,
    ip_rule: bool,
    subnet_rule: bool,
    private_endpoint: bool,
    data_endpoints: bool,
    replica: bool,
    in_subnet: bool,
    /// Private endpoints besides the client's, each in a network of its own.
    spokes: usize,
    /// Where the network `app` stands; the client is in it when this is `10.20`.
    prefix: &'static str,
}

const PUBLIC: Plan = Plan {
    default_action: "Allow",
    public_access: "Enabled",
    ip_rule: false,
    subnet_rule: false,
    private_endpoint: false,
    data_endpoints: false,
    replica: false,
    in_subnet: false,
    spokes: 0,
    prefix: "10.20",
};

/// The base world of that name.
pub fn world(name: &str) -> Result<Base, LabError> {
    let plan = match name {
        "public" => PUBLIC,
        "public-data-endpoints" => Plan { data_endpoints: true, ..PUBLIC },
        "public-geo" => Plan { data_endpoints: true, replica: true, ..PUBLIC },
        "public-vnet" => Plan { data_endpoints: true, in_subnet: true, ..PUBLIC },
        "ip-rule" => Plan { default_action: "Deny", ip_rule: true, data_endpoints: true, ..PUBLIC },
        "ip-rule-vnet" => {
            Plan { default_action: "Deny", ip_rule: true, data_endpoints: true, in_subnet: true, ..PUBLIC }
        }
        "service-endpoint" => {
            Plan { default_action: "Deny", subnet_rule: true, data_endpoints: true, in_subnet: true, ..PUBLIC }
        }
        "private-link" => Plan {
            default_action: "Deny",
            public_access: "Disabled",
            private_endpoint: true,
            data_endpoints: true,
            in_subnet: true,
            ..PUBLIC
        },
        "private-link-elsewhere" => Plan {
            default_action: "Deny",
            public_access: "Disabled",
            private_endpoint: true,
            data_endpoints: true,
            prefix: "10.50",
            ..PUBLIC
        },
        "private-link-geo" => Plan {
            default_action: "Deny",
            public_access: "Disabled",
            private_endpoint: true,
            data_endpoints: true,
            replica: true,
            in_subnet: true,
            ..PUBLIC
        },
        "private-link-many" => Plan {
            default_action: "Deny",
            public_access: "Disabled",
            private_endpoint: true,
            data_endpoints: true,
            in_subnet: true,
            spokes: 20,
            ..PUBLIC
        },
        other => return Err(LabError::Scenario(format!("no base world is called {other}"))),
    };
    Ok(Base { documents: plan.documents(), in_subnet: plan.in_subnet })
}

/// An id of a resource of Microsoft.Network in the group `net`.
pub fn network_id(rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/{rest}")
}

/// The id of the registry `myreg`.
pub fn registry_id() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/apps/providers/Microsoft.ContainerRegistry/registries/myreg")
}

/// The id of the client's subnet.
pub fn client_subnet() -> String {
    network_id("virtualNetworks/app/subnets/clients")
}

impl Plan {
    fn documents(&self) -> Documents {
        let mut all = Documents::default();
        self.registry(&mut all);
        surroundings(&mut all);
        self.network(&mut all);
        if self.private_endpoint {
            self.private_endpoint(&mut all);
            private_zone(&mut all, self);
        }
        for number in 1..=self.spokes {
            spokes::add(&mut all, number);
        }
        all
    }

    fn registry(&self, all: &mut Documents) {
        let hosts = ["eastus", "westus"].map(|region| format!("myreg.{region}.data.azurecr.io"));
        let hosts = if self.replica { &hosts[..] } else { hosts.get(..1).unwrap_or_default() };
        let ip_rules = if self.ip_rule { json!([{ "action": "Allow", "value": "203.0.113.50" }]) } else { json!([]) };
        let subnet_rules =
            if self.subnet_rule { json!([{ "action": "Allow", "id": client_subnet() }]) } else { json!([]) };
        all.put(&registry_id(), json!({
            "location": "eastus", "tags": {}, "sku": { "name": "Premium", "tier": "Premium" },
            "properties": {
                "loginServer": "myreg.azurecr.io", "creationDate": "2025-03-11T08:14:20.7843812Z",
                "provisioningState": "Succeeded", "adminUserEnabled": false, "status": null,
                "networkRuleSet": { "defaultAction": self.default_action, "ipRules": ip_rules, "virtualNetworkRules": subnet_rules },
                "policies": {
                    "quarantinePolicy": { "status": "disabled" }, "trustPolicy": { "type": "Notary", "status": "disabled" },
                    "retentionPolicy": { "days": 7, "lastUpdatedTime": "2025-03-11T08:14:42.3882014+00:00", "status": "disabled" },
                    "exportPolicy": { "status": "enabled" }, "azureADAuthenticationAsArmPolicy": { "status": "enabled" },
                    "softDeletePolicy": { "retentionDays": 7, "lastUpdatedTime": "2025-03-11T08:14:42.3882395+00:00", "status": "disabled" }
                },
                "encryption": { "status": "disabled" },
                "dataEndpointEnabled": self.data_endpoints,
                "dataEndpointHostNames": if self.data_endpoints { json!(hosts) } else { json!([]) },
                "publicNetworkAccess": self.public_access, "networkRuleBypassOptions": "AzureServices",
                "networkRuleBypassAllowedForTasks": false, "zoneRedundancy": "Enabled", "anonymousPullEnabled": false,
                "metadataSearch": "Disabled", "autoGeneratedDomainNameLabelScope": "Unsecure",
                "roleAssignmentMode": "LegacyRegistryPermissions", "regionalEndpoints": "Disabled",
                "regionalEndpointHostNames": [], "endpointProtocol": "IPv4", "writableCacheRepos": "Disabled"
            }
        }));
        let mut regions = vec!["eastus"];
        if self.replica {
            regions.push("westus");
            all.put(&format!("{}/replications/westus", registry_id()), replication("westus"));
        }
        let data = regions.iter().map(|r| format!("registry_data_{r}"));
        let members: Vec<String> = std::iter::once("registry".to_owned()).chain(data).collect();
        all.put(
            &format!("{}/privateLinkResources/registry", registry_id()),
            json!({ "properties": {
            "groupId": "registry", "requiredMembers": members,
            "requiredZoneNames": ["privatelink.azurecr.io"]
        } }),
        );
        all.put(&format!("{}/replications/eastus", registry_id()), replication("eastus"));
    }

    fn network(&self, all: &mut Documents) {
        all.put(
            &network_id("virtualNetworks/app"),
            json!({ "location": "eastus", "properties": {
            "provisioningState": "Succeeded", "addressSpace": { "addressPrefixes": [format!("{}.0.0/16", self.prefix)] },
            "dhcpOptions": { "dnsServers": [] }, "enableDdosProtection": false
        } }),
        );
        let endpoints = if self.subnet_rule {
            json!([{ "service": "Microsoft.ContainerRegistry", "locations": ["*"], "provisioningState": "Succeeded" }])
        } else {
            json!([])
        };
        all.put(&client_subnet(), json!({ "properties": {
            "provisioningState": "Succeeded", "addressPrefix": format!("{}.1.0/24", self.prefix), "serviceEndpoints": endpoints, "delegations": [],
            "networkSecurityGroup": { "id": network_id("networkSecurityGroups/clients") },
            "privateEndpointNetworkPolicies": "Disabled", "privateLinkServiceNetworkPolicies": "Enabled"
        } }));
        all.put(&network_id("networkSecurityGroups/clients"), security_group());
        all.put(&network_id("virtualNetworks/app/subnets/endpoints"), json!({ "properties": {
            "provisioningState": "Succeeded", "addressPrefix": format!("{}.2.0/24", self.prefix), "serviceEndpoints": [], "delegations": [],
            "privateEndpointNetworkPolicies": "Disabled", "privateLinkServiceNetworkPolicies": "Enabled"
        } }));
    }

    /// Names and addresses of the private endpoint, in the order in which Azure gives them out.
    fn private_records(&self) -> Vec<(&'static str, &'static str, String)> {
        let at = |host: u8| format!("{}.2.{host}", self.prefix);
        let mut all = vec![("registry_data_eastus", "myreg.eastus.data", at(4)), ("registry", "myreg", at(5))];
        if self.replica {
            all.push(("registry_data_westus", "myreg.westus.data", at(6)));
        }
        all
    }

    fn private_endpoint(&self, all: &mut Documents) {
        let (endpoint, nic) = (network_id("privateEndpoints/pe"), network_id("networkInterfaces/pe.nic.5f2c"));
        let subnet = network_id("virtualNetworks/app/subnets/endpoints");
        let state = json!({ "status": "Approved", "description": "Auto-approved", "actionsRequired": "None" });
        all.put(&format!("{}/privateEndpointConnections/pe.conn", registry_id()), json!({ "properties": {
            "privateEndpoint": { "id": endpoint }, "privateLinkServiceConnectionState": state, "provisioningState": "Succeeded"
        } }));
        all.put(&endpoint, json!({ "location": "eastus", "properties": {
            "provisioningState": "Succeeded", "manualPrivateLinkServiceConnections": [], "customNetworkInterfaceName": "",
            "privateLinkServiceConnections": [{ "name": "pe", "properties": {
                "provisioningState": "Succeeded", "privateLinkServiceId": registry_id(), "groupIds": ["registry"],
                "privateLinkServiceConnectionState": state } }],
            "subnet": { "id": subnet }, "ipConfigurations": [], "networkInterfaces": [{ "id": nic }], "customDnsConfigs": []
        } }));
        let configurations = self.private_records().into_iter().map(|(member, name, address)| json!({
            "name": format!("privateEndpointIpConfig.{member}"),
            "properties": {
                "provisioningState": "Succeeded", "privateIPAddress": address, "privateIPAllocationMethod": "Dynamic",
                "subnet": { "id": subnet }, "primary": member == "registry", "privateIPAddressVersion": "IPv4",
                "privateLinkConnectionProperties": {
                    "groupId": "registry", "requiredMemberName": member, "fqdns": [format!("{name}.azurecr.io")] }
            }
        }));
        all.put(
            &nic,
            json!({ "location": "eastus", "properties": {
            "provisioningState": "Succeeded", "ipConfigurations": configurations.collect::<Vec<Value>>(),
            "privateEndpoint": { "id": endpoint }, "enableIPForwarding": false
        } }),
        );
    }
}

fn private_zone(all: &mut Documents, plan: &Plan) {
    let zone = network_id("privateDnsZones/privatelink.azurecr.io");
    all.put(
        &zone,
        json!({ "location": "global", "properties": { "provisioningState": "Succeeded", "numberOfRecordSets": 3 } }),
    );
    all.put(
        &format!("{zone}/virtualNetworkLinks/app"),
        json!({ "location": "global", "properties": {
        "provisioningState": "Succeeded", "registrationEnabled": false, "resolutionPolicy": "Default",
        "virtualNetwork": { "id": network_id("virtualNetworks/app") }, "virtualNetworkLinkState": "Completed"
    } }),
    );
    let mut sets = Vec::new();
    for (_, name, address) in plan.private_records() {
        all.put(
            &format!("{zone}/A/{name}"),
            json!({ "type": "Microsoft.Network/privateDnsZones/A", "properties": {
            "aRecords": [{ "ipv4Address": address }], "fqdn": format!("{name}.privatelink.azurecr.io."),
            "isAutoRegistered": false, "ttl": 10
        } }),
        );
        sets.push(json!({ "recordType": "A", "recordSetName": name, "fqdn": format!("{name}.privatelink.azurecr.io"),
            "ttl": 10, "ipAddresses": [address] }));
    }
    all.put(&network_id("privateEndpoints/pe/privateDnsZoneGroups/default"), json!({ "properties": {
        "provisioningState": "Succeeded",
        "privateDnsZoneConfigs": [{ "name": "privatelink-azurecr-io", "properties": { "privateDnsZoneId": zone, "recordSets": sets } }]
    } }));
}

fn replication(region: &str) -> Value {
    json!({ "location": region, "properties": {
        "provisioningState": "Succeeded", "regionEndpointEnabled": true, "zoneRedundancy": "Disabled",
        "status": { "displayStatus": "Ready", "timestamp": "2025-03-11T08:16:01.1234567Z" }
    } })
}

fn security_group() -> Value {
    let rule = |name: &str, direction: &str, from: &str, to: &str, access: &str, priority: u32| {
        json!({ "name": name, "properties": {
            "provisioningState": "Succeeded", "protocol": "*", "sourcePortRange": "*", "destinationPortRange": "*",
            "sourceAddressPrefix": from, "destinationAddressPrefix": to, "access": access, "priority": priority,
            "direction": direction, "sourcePortRanges": [], "destinationPortRanges": [], "sourceAddressPrefixes": [],
            "destinationAddressPrefixes": [] } })
    };
    json!({ "location": "eastus", "properties": { "provisioningState": "Succeeded", "securityRules": [], "defaultSecurityRules": [
        rule("AllowVnetInBound", "Inbound", "VirtualNetwork", "VirtualNetwork", "Allow", 65000),
        rule("AllowAzureLoadBalancerInBound", "Inbound", "AzureLoadBalancer", "*", "Allow", 65001),
        rule("DenyAllInBound", "Inbound", "*", "*", "Deny", 65500),
        rule("AllowVnetOutBound", "Outbound", "VirtualNetwork", "VirtualNetwork", "Allow", 65000),
        rule("AllowInternetOutBound", "Outbound", "*", "Internet", "Allow", 65001),
        rule("DenyAllOutBound", "Outbound", "*", "*", "Deny", 65500)
    ] } })
}

/// What stands around a registry in a well-kept subscription.
fn surroundings(all: &mut Documents) {
    let scope = format!("/subscriptions/{SUBSCRIPTION}");
    all.put(
        &scope,
        json!({ "subscriptionId": SUBSCRIPTION, "displayName": "Shop", "state": "Enabled",
        "tenantId": crate::tokens::TENANT }),
    );
    all.put(
        &format!("{scope}/providers/Microsoft.Security/pricings/Containers"),
        json!({
        "type": "Microsoft.Security/pricings",
        "properties": { "pricingTier": "Standard", "inherited": "False", "extensions": [
            { "name": "ContainerRegistriesVulnerabilityAssessments", "isEnabled": "True" }] } }),
    );
    all.put(
        &format!("{}/providers/Microsoft.Insights/diagnosticSettings/logs", registry_id()),
        json!({ "properties": {
        "workspaceId": format!("{scope}/resourceGroups/apps/providers/Microsoft.OperationalInsights/workspaces/logs"),
        "logs": [{ "category": "ContainerRegistryLoginEvents", "enabled": true },
                 { "category": "ContainerRegistryRepositoryEvents", "enabled": true }], "metrics": []
    } }),
    );
    all.put(
        &format!("{scope}/resourceGroups/apps/providers/Microsoft.OperationalInsights/workspaces/logs"),
        json!({ "location": "eastus", "properties": { "provisioningState": "Succeeded", "retentionInDays": 30,
            "customerId": "0f2a6d1c-97c6-4b2b-9a55-0d2f0a7f5f11", "sku": { "name": "PerGB2018" } },
            "lab": { "logins": [{ "address": "203.0.113.50", "identity": "shop", "operation": "Login", "result": "200",
                "region": "eastus", "agent": "docker/27.0", "count": 41 }] } }),
    );
    cluster(all);
    let tag = |name: &str, region: &str, prefix: &str| {
        json!({ "name": name, "id": name, "properties": {
        "changeNumber": "63", "region": region, "systemService": name.split('.').next(), "addressPrefixes": [prefix] } })
    };
    all.put(&format!("{scope}/providers/Microsoft.Network/locations/eastus/serviceTags"), json!({
        "name": "Public", "type": "Microsoft.Network/serviceTags", "changeNumber": "63", "cloud": "Public", "values": [
            tag("AzureContainerRegistry", "", "198.51.100.0/24"), tag("AzureContainerRegistry.EastUS", "eastus", "198.51.100.0/24"),
            tag("Storage", "", "198.51.100.0/24"), tag("AzureActiveDirectory", "", "192.0.2.10/32"),
            tag("AzureResourceManager", "", "192.0.2.20/32")] }));
}

/// The object id of the kubelet identity of the cluster `prod`.
const KUBELET: &str = "55555555-5555-5555-5555-555555555555";

/// An AKS cluster in the client's subnet, which may pull.
fn cluster(all: &mut Documents) {
    let address = network_id("publicIPAddresses/aks-outbound");
    all.put(
        &address,
        json!({ "location": "eastus", "properties": { "provisioningState": "Succeeded", "ipAddress": "203.0.113.50" } }),
    );
    let pool = |name: &str| json!({ "name": name, "count": 3, "osType": "Linux", "vnetSubnetID": client_subnet() });
    all.put(
        &format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.ContainerService/managedClusters/prod"
        ),
        json!({ "location": "eastus", "properties": {
            "provisioningState": "Succeeded", "nodeResourceGroup": "MC_net_prod_eastus",
            "agentPoolProfiles": [pool("system"), pool("user")],
            "identityProfile": { "kubeletidentity": { "objectId": KUBELET, "clientId": "66666666-6666-6666-6666-666666666666" } },
            "networkProfile": { "networkPlugin": "azure", "outboundType": "loadBalancer",
                "loadBalancerProfile": { "effectiveOutboundIPs": [{ "id": address }] } } } }),
    );
    let definition = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
    all.put(
        &format!("{}/providers/Microsoft.Authorization/roleAssignments/aks-acrpull", registry_id()),
        json!({ "properties": {
            "principalId": KUBELET, "principalType": "ServicePrincipal", "scope": registry_id(),
            "roleDefinitionId": format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{definition}") } }),
    );
}
