//! A fleet: of ten registries four are open, two have IP rules, two a private endpoint and a replica, one is sealed,
//! one is Basic. Each subscription has a network, and one zone is linked to all of them. Where rows hide subnet rules, one registry in every tenth subscription has nothing but a subnet rule.

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Graph,
    Denied,
    Hidden,
    /// Every second subscription may not be read.
    Half,
}

impl Mode {
    pub(crate) fn named(text: &str) -> Self {
        match text {
            "graph" => Self::Graph,
            "denied" => Self::Denied,
            "hidden" => Self::Hidden,
            "half" => Self::Half,
            other => panic!("'{other}' is none of graph, denied, hidden, half"),
        }
    }
}

pub(crate) struct World {
    mode: Mode,
    faults: usize,
    /// The most rows of a page of Resource Graph.
    pub(crate) most_rows: usize,
    subscriptions: Vec<String>,
    registries: Vec<Value>,
    below: Vec<Value>,
    endpoints: Vec<Value>,
    plans: Vec<Value>,
    networks: Vec<Value>,
    zones: Vec<Value>,
}

fn subscription(n: usize) -> String {
    format!("00000000-0000-0000-0000-{n:012}")
}

impl World {
    pub(crate) fn new(registries: usize, subscriptions: usize, mode: Mode, faults: usize) -> Self {
        let ids: Vec<String> = (0..subscriptions).map(subscription).collect();
        let mut world = Self {
            mode,
            faults,
            most_rows: 1000,
            registries: Vec::new(),
            below: Vec::new(),
            endpoints: Vec::new(),
            plans: ids.iter().map(|id| plan(id)).collect(),
            networks: Vec::new(),
            zones: Vec::new(),
            subscriptions: ids,
        };
        let shown = |n: &usize| mode != Mode::Half || (n % subscriptions).is_multiple_of(2);
        world.add_networks((0..subscriptions).filter(shown));
        for n in (0..registries).filter(shown) {
            world.add(n);
        }
        let id = |row: &Value| row["id"].as_str().unwrap_or_default().to_ascii_lowercase();
        world.registries.sort_by_key(id);
        world.below.sort_by_key(id);
        world.endpoints.sort_by_key(|row| row["registry"].as_str().unwrap_or_default().to_owned());
        world
    }

    fn add_networks(&mut self, of: impl Iterator<Item = usize>) {
        let groups = of.map(|n| format!("/subscriptions/{}/resourceGroups/rg", subscription(n))).collect::<Vec<_>>();
        let hub = format!("/subscriptions/{}/resourceGroups/rg/providers/Microsoft.Network", subscription(0));
        let zone = format!("{hub}/privateDnsZones/privatelink.azurecr.io");
        self.zones.push(json!({ "id": zone, "name": "privatelink.azurecr.io", "location": "global",
            "type": "microsoft.network/privatednszones", "properties": { "provisioningState": "Succeeded" } }));
        for (n, group) in groups.iter().enumerate() {
            let network = format!("{group}/providers/Microsoft.Network/virtualNetworks/v");
            let interface =
                |i: usize| json!({ "id": format!("{group}/providers/Microsoft.Network/networkInterfaces/n{i}") });
            let subnet = json!({ "id": format!("{network}/subnets/s"), "name": "s", "properties": {
                "addressPrefix": "10.0.0.0/16", "provisioningState": "Succeeded", "delegations": [],
                "ipConfigurations": (0..20).map(interface).collect::<Vec<_>>() } });
            self.networks.push(json!({ "id": network, "name": "v", "location": "westeurope",
                "type": "microsoft.network/virtualnetworks", "properties": { "provisioningState": "Succeeded",
                "addressSpace": { "addressPrefixes": ["10.0.0.0/8"] }, "subnets": [subnet],
                "virtualNetworkPeerings": [] } }));
            self.zones.push(json!({ "id": format!("{zone}/virtualNetworkLinks/l{n}"), "name": format!("l{n}"),
                "location": "global", "type": "microsoft.network/privatednszones/virtualnetworklinks",
                "properties": { "provisioningState": "Succeeded", "registrationEnabled": false,
                "virtualNetworkLinkState": "Completed", "virtualNetwork": { "id": network } } }));
        }
    }

    fn add(&mut self, n: usize) {
        let group = format!("/subscriptions/{}/resourceGroups/rg", self.subscriptions[n % self.subscriptions.len()]);
        let name = format!("fleet{n:06}");
        let id = format!("{group}/providers/Microsoft.ContainerRegistry/registries/{name}");
        let endpoint = format!("{group}/providers/Microsoft.Network/privateEndpoints/pe{n}");
        let subnet = format!("{group}/providers/Microsoft.Network/virtualNetworks/v/subnets/s");
        let kind = n / self.subscriptions.len() % 10;
        let mut properties = json!({ "loginServer": format!("{name}.azurecr.io"), "provisioningState": "Succeeded",
            "adminUserEnabled": n.is_multiple_of(7), "anonymousPullEnabled": false, "dataEndpointEnabled": n.is_multiple_of(3),
            "dataEndpointHostNames": [], "encryption": { "status": "disabled" }, "publicNetworkAccess": "Enabled",
            "networkRuleBypassOptions": "AzureServices", "privateEndpointConnections": [], "zoneRedundancy": "Disabled",
            "policies": { "quarantinePolicy": { "status": "disabled" }, "exportPolicy": { "status": "enabled" } } });
        let deny = |ips: Value| json!({ "defaultAction": "Deny", "ipRules": ips });
        match kind {
            0..4 => properties["networkRuleSet"] = json!({ "defaultAction": "Allow", "ipRules": [] }),
            4 if self.has_only_a_subnet_rule(n) => properties["networkRuleSet"] = deny(json!([])),
            4 | 5 => properties["networkRuleSet"] = deny(json!([{ "action": "Allow", "value": "203.0.113.0/24" }])),
            6 | 7 => {
                properties["networkRuleSet"] = deny(json!([]));
                properties["publicNetworkAccess"] = json!("Disabled");
                properties["privateEndpointConnections"] = json!([{ "id": format!("{id}/privateEndpointConnections/c"),
                    "properties": { "provisioningState": "Succeeded", "privateEndpoint": { "id": endpoint },
                    "privateLinkServiceConnectionState": { "status": "Approved", "actionsRequired": "None" } } }]);
                self.below.push(json!({ "id": format!("{id}/replications/northeurope"), "name": "northeurope",
                    "type": "microsoft.containerregistry/registries/replications", "location": "northeurope",
                    "properties": { "provisioningState": "Succeeded", "regionEndpointEnabled": true } }));
                let address = format!("10.{}.{}.4", n / 250 % 250, n % 250);
                self.endpoints.push(json!({ "id": endpoint, "name": format!("pe{n}"), "location": "westeurope",
                    "registry": id.to_ascii_lowercase(), "type": "microsoft.network/privateendpoints", "properties": { "subnet": { "id": subnet },
                    "networkInterfaces": [], "customDnsConfigs": [] }, "ipConfigurations": [{ "properties": {
                    "privateIPAddress": address, "privateLinkConnectionProperties": { "groupId": "registry",
                    "requiredMemberName": "registry", "fqdns": [format!("{name}.azurecr.io")] } } }] }));
            }
            8 => {
                properties["networkRuleSet"] = deny(json!([]));
                properties["publicNetworkAccess"] = json!("Disabled");
            }
            _ => {}
        }
        let hidden = matches!(self.mode, Mode::Hidden | Mode::Denied);
        if !hidden && properties.get("networkRuleSet").is_some() {
            properties["networkRuleSet"]["virtualNetworkRules"] = json!([]);
        }
        let tier = if kind == 9 { "Basic" } else { "Premium" };
        self.registries.push(json!({ "id": id, "name": name, "location": "westeurope", "properties": properties,
            "type": "microsoft.containerregistry/registries",
            "apiVersion": if hidden { "2025-11-01" } else { "2026-09-01-preview" }, "tags": { "team": format!("team{}", n % 40) },
            "sku": { "name": tier, "tier": tier }, "identity": null }));
    }

    fn has_only_a_subnet_rule(&self, n: usize) -> bool {
        let count = self.subscriptions.len();
        self.mode == Mode::Hidden && n / count == 4 && (n % count).is_multiple_of(10)
    }

    /// What was asked for, the status, and the answer.
    pub(crate) fn answer(&self, path: &str, body: &Value) -> (&'static str, u16, Vec<u8>) {
        if path == "/providers/Microsoft.ResourceGraph/resources" {
            return self.graph(body);
        }
        if path == "/subscriptions" {
            let rows: Vec<Value> =
                self.subscriptions.iter().map(|id| json!({ "subscriptionId": id, "displayName": id })).collect();
            return ("subscription list", 200, json!({ "value": rows }).to_string().into_bytes());
        }
        let id = path.split('/').nth(2).unwrap_or_default();
        let list = |rows: &[Value]| {
            let own: Vec<&Value> = rows.iter().filter(|r| r["id"].as_str().is_some_and(|i| i.contains(id))).collect();
            json!({ "value": own }).to_string().into_bytes()
        };
        let lower = path.to_ascii_lowercase();
        if lower.contains("/registries/") {
            let found = self.registries.iter().find(|r| r["id"].as_str().is_some_and(|i| i.eq_ignore_ascii_case(path)));
            return ("registry", 200, found.map(with_subnet_rules).unwrap_or_default().to_string().into_bytes());
        }
        match lower.rsplit('/').next() {
            Some("registries") => {
                let own = self.registries.iter().filter(|r| r["id"].as_str().is_some_and(|i| i.contains(id)));
                let own: Vec<Value> = own.map(with_subnet_rules).collect();
                ("registry list", 200, json!({ "value": own }).to_string().into_bytes())
            }
            Some("privateendpoints") => ("private endpoint list", 200, list(&self.endpoints)),
            Some("networkinterfaces") => ("interface list", 200, list(&[])),
            Some("containers") => ("Defender plan", 200, plan(id).to_string().into_bytes()),
            _ => ("something else", 404, b"{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"\"}}".to_vec()),
        }
    }

    fn graph(&self, body: &Value) -> (&'static str, u16, Vec<u8>) {
        if self.mode == Mode::Denied {
            return ("graph page", 403, b"{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"no\"}}".to_vec());
        }
        let query = body["query"].as_str().unwrap_or_default();
        let shown: Vec<Value> = if query.starts_with("resourcecontainers") {
            self.subscriptions
                .iter()
                .step_by(if self.mode == Mode::Half { 2 } else { 1 })
                .map(|id| json!({ "id": format!("/subscriptions/{id}"), "subscriptionId": id }))
                .collect()
        } else {
            Vec::new()
        };
        let kinds =
            [json!({ "type": "microsoft.containerregistry/registries/replications", "count_": self.below.len() })];
        let rows = if query.contains("summarize count() by type") {
            &kinds[..]
        } else if query.contains("type =~ 'microsoft.containerregistry/registries'") {
            &self.registries[..]
        } else if query.contains("registries/replications") {
            &self.below[..]
        } else if query.contains("type =~ 'microsoft.network/privateendpoints'") {
            &self.endpoints[..]
        } else if query.contains("type =~ 'microsoft.network/virtualnetworks'") {
            &self.networks[..]
        } else if query.contains("microsoft.network/privatednszones") {
            &self.zones[..]
        } else if query.starts_with("securityresources") {
            &self.plans[..]
        } else {
            &shown[..]
        };
        let top = body["options"]["$top"]
            .as_u64()
            .and_then(|top| usize::try_from(top).ok())
            .unwrap_or(100)
            .min(self.most_rows);
        let from: usize = body["options"]["$skipToken"].as_str().and_then(|t| t.parse().ok()).unwrap_or(0);
        let page: Vec<&Value> = rows.iter().skip(from).take(top).collect();
        let mut answer =
            json!({ "totalRecords": rows.len(), "count": page.len(), "resultTruncated": "false", "data": page });
        if from + top < rows.len() {
            answer["$skipToken"] = json!((from + top).to_string());
        }
        ("graph page", 200, answer.to_string().into_bytes())
    }

    /// Every so many requests one fails.
    pub(crate) fn is_faulty(&self, served: usize) -> bool {
        self.faults > 0 && served * self.faults % 100 + self.faults >= 100
    }
}

fn plan(subscription: &str) -> Value {
    json!({ "id": format!("/subscriptions/{subscription}/providers/Microsoft.Security/pricings/Containers"),
        "name": "Containers", "type": "microsoft.security/pricings", "properties": { "pricingTier": "Standard" } })
}

/// As ARM shows a registry at a version with subnet rules.
fn with_subnet_rules(row: &Value) -> Value {
    let mut document = row.clone();
    let subnet = row["id"]
        .as_str()
        .unwrap_or_default()
        .replace("Microsoft.ContainerRegistry/registries", "Microsoft.Network/virtualNetworks/v/subnets");
    if let Some(set) = document["properties"].get_mut("networkRuleSet") {
        let only = set["defaultAction"] == "Deny" && set["ipRules"] == json!([]);
        let rules = if only { json!([{ "virtualNetworkSubnetResourceId": subnet }]) } else { json!([]) };
        set["virtualNetworkRules"] = rules;
    }
    document
}
