//! Azure Resource Graph and ARM of a small fleet.

use serde_json::{Value, json};

use crate::config::fake_arm::{Asked, Reply};

pub(super) const ONE: &str = "11111111-1111-1111-1111-111111111111";
pub(super) const TWO: &str = "22222222-2222-2222-2222-222222222222";
pub(super) const GRAPH: &str = "/providers/Microsoft.ResourceGraph/resources";
/// Rows of a page of the fake graph: fewer than asked for, so that small worlds have several pages.
pub(super) const ROWS: usize = 3;

/// Eight registries in two subscriptions: open ones, one sealed, one with a private endpoint, one with a subnet rule
/// that rows do not show.
#[derive(Clone)]
pub(super) struct World {
    pub(super) registries: Vec<Value>,
    pub(super) endpoints: Vec<Value>,
    /// Subscriptions that this sign-in may not read.
    pub(super) forbidden: Vec<&'static str>,
    pub(super) graph_denied: bool,
}

pub(super) fn id(subscription: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/{name}")
}

pub(super) fn registry(subscription: &str, name: &str, properties: impl Into<Value>) -> Value {
    let mut all = json!({ "loginServer": format!("{name}.azurecr.io"), "provisioningState": "Succeeded",
        "publicNetworkAccess": "Enabled", "networkRuleBypassOptions": "AzureServices", "dataEndpointEnabled": true,
        "networkRuleSet": { "defaultAction": "Allow", "ipRules": [] }, "privateEndpointConnections": [] });
    all.as_object_mut().unwrap().extend(properties.into().as_object().unwrap().clone());
    json!({ "id": id(subscription, name), "name": name, "type": "microsoft.containerregistry/registries",
        "location": "westeurope", "tags": { "env": if name.contains("dev") { "dev" } else { "prod" } },
        "sku": { "name": "Premium", "tier": "Premium" }, "properties": all })
}

impl World {
    pub(super) fn new() -> Self {
        let endpoint =
            format!("/subscriptions/{ONE}/resourceGroups/rg/providers/Microsoft.Network/privateEndpoints/pe");
        let connection = json!({ "id": format!("{}/privateEndpointConnections/c", id(ONE, "private1")), "properties": {
            "privateEndpoint": { "id": endpoint }, "provisioningState": "Succeeded",
            "privateLinkServiceConnectionState": { "status": "Approved" } } });
        let mut registries: Vec<Value> = (1..=5).map(|n| registry(ONE, &format!("devreg{n}"), json!({}))).collect();
        registries.push(registry(
            ONE,
            "private1",
            json!({ "publicNetworkAccess": "Disabled",
            "networkRuleSet": { "defaultAction": "Deny", "ipRules": [] }, "privateEndpointConnections": [connection] }),
        ));
        registries.push(registry(
            TWO,
            "sealed1",
            json!({ "publicNetworkAccess": "Disabled",
            "networkRuleSet": { "defaultAction": "Deny", "ipRules": [] } }),
        ));
        registries.push(registry(
            TWO,
            "subnets1",
            json!({
            "networkRuleSet": { "defaultAction": "Deny", "ipRules": [] } }),
        ));
        let configuration = json!({ "properties": { "privateIPAddress": "10.1.0.4", "privateLinkConnectionProperties": {
            "requiredMemberName": "registry", "fqdns": ["private1.azurecr.io"] } } });
        let row = json!({ "id": endpoint, "name": "pe", "type": "microsoft.network/privateendpoints",
            "location": "westeurope", "ipConfigurations": [configuration], "properties": { "networkInterfaces": [],
            "subnet": { "id": format!("/subscriptions/{ONE}/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s") } } });
        Self { registries, endpoints: vec![row], forbidden: Vec::new(), graph_denied: false }
    }

    pub(super) fn answer(&self, asked: &Asked) -> Reply {
        let path = asked.path();
        if path == GRAPH {
            return self.graph(&serde_json::from_slice(&asked.body).unwrap());
        }
        if path == "/subscriptions" {
            let all = [ONE, TWO].map(|s| json!({ "subscriptionId": s, "displayName": format!("Name of {s}") }));
            return Reply::ok(&json!({ "value": all }));
        }
        if path == "/providers/Microsoft.Management/managementGroups/platform/descendants" {
            let kind = "Microsoft.Management/managementGroups/subscriptions";
            let below = [ONE, TWO].map(|s| json!({ "name": s, "type": kind }));
            return Reply::ok(&json!({ "value": below }));
        }
        let subscription = path.split('/').nth(2).unwrap_or_default();
        if self.forbidden.contains(&subscription) {
            return Reply::error(
                403,
                "AuthorizationFailed",
                "does not have authorization to perform action \
                'Microsoft.ContainerRegistry/registries/read' over scope '/x'",
            );
        }
        let own = self.registries.iter().filter(|r| r["id"].as_str().unwrap().contains(subscription));
        if path.to_ascii_lowercase().ends_with("/providers/microsoft.containerregistry/registries") {
            return Reply::ok(&json!({ "value": own.map(with_rules).collect::<Vec<_>>() }));
        }
        match own.into_iter().find(|r| r["id"].as_str().unwrap().eq_ignore_ascii_case(path)) {
            Some(registry) => Reply::ok(&with_rules(registry)),
            None => Reply::error(404, "ResourceNotFound", "not found"),
        }
    }

    fn graph(&self, body: &Value) -> Reply {
        if self.graph_denied {
            return Reply::error(403, "AuthorizationFailed", "no Resource Graph for you");
        }
        let query = body["query"].as_str().unwrap();
        let scope: Vec<&str> = body["subscriptions"]
            .as_array()
            .map_or_else(|| vec![ONE, TWO], |ids| ids.iter().map(|id| id.as_str().unwrap()).collect());
        let readable: Vec<&str> = scope.into_iter().filter(|id| !self.forbidden.contains(id)).collect();
        let visible = |row: &&Value| readable.iter().any(|id| row["id"].as_str().unwrap().contains(id));
        let rows: Vec<Value> = if query.contains("type =~ 'microsoft.containerregistry/registries'") {
            self.registries.iter().filter(visible).cloned().collect()
        } else if query.contains("type =~ 'microsoft.network/privateendpoints'") {
            self.endpoints.iter().filter(visible).cloned().collect()
        } else if query.starts_with("resourcecontainers") {
            readable.iter().map(|id| json!({ "id": format!("/subscriptions/{id}"), "subscriptionId": id })).collect()
        } else {
            Vec::new()
        };
        let from: usize = body["options"]["$skipToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let page: Vec<Value> = rows.iter().skip(from).take(ROWS).cloned().collect();
        let mut answer =
            json!({ "totalRecords": rows.len(), "count": page.len(), "resultTruncated": "false", "data": page });
        if from + ROWS < rows.len() {
            answer["$skipToken"] = json!((from + ROWS).to_string());
        }
        Reply::ok(&answer)
    }
}

/// As ARM shows a registry at a version with subnet rules.
fn with_rules(row: &Value) -> Value {
    let mut document = row.clone();
    if document["name"] == "subnets1" {
        let subnet = format!(
            "/subscriptions/{TWO}/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/nodes"
        );
        document["properties"]["networkRuleSet"]["virtualNetworkRules"] =
            json!([{ "action": "Allow", "virtualNetworkSubnetResourceId": subnet }]);
    } else {
        document["properties"]["networkRuleSet"]["virtualNetworkRules"] = json!([]);
    }
    document
}
