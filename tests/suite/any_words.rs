//! The words that drawn facts are made of: few of each kind, so that one fact names what another has, and odd ones.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "/subscriptions/3f0c8a54-9d1e-4c57-8b0a-6a2f5d7e1b90";

const HOSTS: [&str; 7] = [
    "myregistry.azurecr.io",
    "myregistry.westeurope.data.azurecr.io",
    "myregistry.northeurope.data.azurecr.io",
    "myregistry.westeurope.geo.azurecr.io",
    "weumanaged15.blob.core.windows.net",
    "myregistry-a1b2c3d4e5f6.azurecr.io",
    "localhost",
];

const ADDRESSES: [&str; 16] = [
    "10.20.1.4",
    "10.20.1.5",
    "10.20.2.4",
    "10.30.1.4",
    "203.0.113.7",
    "198.51.100.9",
    "100.64.0.1",
    "168.63.129.16",
    "127.0.0.53",
    "0.0.0.0",
    "255.255.255.255",
    "::1",
    "fd00::7",
    "fe80::1",
    "2001:db8::7",
    "2603:1020::1",
];

const RANGES: [&str; 8] = [
    "10.20.1.0/24",
    "10.20.0.0/16",
    "10.30.0.0/16",
    "203.0.113.7/32",
    "198.51.100.0/24",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/64",
];

const PREFIXES: [&str; 9] = [
    "*",
    "VirtualNetwork",
    "Internet",
    "AzureContainerRegistry",
    "AzureContainerRegistry.WestEurope",
    "Storage",
    "10.20.0.0/16",
    "0.0.0.0/0",
    "",
];

const TIMES: [&str; 4] =
    ["2026-11-24T00:00:00Z", "2030-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"];

const STATES: [&str; 8] =
    ["Succeeded", "Failed", "Ready", "Connected", "Completed", "Registered", "Disabled", "enabled"];

/// Texts that nobody expects: nothing, blanks, quotes, controls, marks that turn the writing round, and length.
const ODD: [&str; 6] = ["", " ", "it's \"quoted\" $(x)", "\u{1b}[31m\u{7}\u{0}", "\u{202e}gnirts", "ἀ—😀"];

fn texts<const N: usize>(words: [&'static str; N]) -> BoxedStrategy<Value> {
    select(words.map(|word| json!(word)).to_vec()).boxed()
}

fn ids<const N: usize>(paths: [&'static str; N]) -> BoxedStrategy<Value> {
    select(paths.map(|path| json!(format!("{SUBSCRIPTION}/{path}"))).to_vec()).boxed()
}

fn networks() -> BoxedStrategy<Value> {
    ids([
        "resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/app",
        "resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/hub",
    ])
}

fn subnets() -> BoxedStrategy<Value> {
    ids([
        "resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/app/subnets/nodes",
        "resourceGroups/RG/providers/Microsoft.Network/virtualNetworks/APP/subnets/NODES",
        "resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/app/subnets/endpoints",
        "resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/hub/subnets/endpoints",
    ])
}

/// Members that name a network.
const NETWORKS: [&str; 4] = [
    "VirtualNetworkLink.virtualNetwork",
    "Peering.remote",
    "ConfigFacts.clientVirtualNetwork",
    "Vantage.virtualNetwork",
];

/// The words of a type of names.
pub(crate) fn of_type(name: &str, place: &str) -> Option<BoxedStrategy<Value>> {
    Some(match (name, place) {
        ("RegistryName", _) => texts(["myregistry", "myregistri"]),
        ("Region", _) => texts(["westeurope", "northeurope"]),
        ("Fqdn", "PrivateDnsZone.name") => {
            texts(["privatelink.azurecr.io", "azurecr.io", "westeurope.data.privatelink.azurecr.io"])
        }
        ("Fqdn", "Alias.to") => texts([
            "myregistry.privatelink.azurecr.io",
            "r1weu.azurecr.io",
            "myregistry.westeurope.data.privatelink.azurecr.io",
        ]),
        ("Fqdn", "RegistryConfig.loginServer" | "ProbeFacts.loginServer") => {
            texts([HOSTS[0], HOSTS[0], HOSTS[5], "myregistry.privatelink.azurecr.io"])
        }
        ("Fqdn", _) => texts(HOSTS),
        ("ResourceId", place) if place.starts_with("VirtualNetworkRead.") || NETWORKS.contains(&place) => networks(),
        ("ResourceId", place) if place.to_ascii_lowercase().contains("subnet") => subnets(),
        ("ResourceId", "RegistryConfig.id") => {
            ids(["resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/myregistry"])
        }
        ("ResourceId", _) => prop_oneof![
            subnets(),
            networks(),
            ids(["resourceGroups/rg/providers/Microsoft.Network/things/one", "resourceGroups/it's/x", ""]),
        ]
        .boxed(),
        _ => return None,
    })
}

/// A text at a place: what belongs there, now and then something odd.
pub(crate) fn text(place: &str, format: Option<&str>) -> BoxedStrategy<Value> {
    if let Some(strict) = strict_text(place, format) {
        return strict;
    }
    let member = place.split('.').next_back().unwrap_or_default();
    let usual = match member {
        "sourceAddressPrefixes" | "destinationAddressPrefixes" | "addressPrefix" => texts(PREFIXES),
        "destinationPortRanges" => texts(["*", "443", "80", "400-500", "x-"]),
        "direction" => texts(["Outbound", "Inbound"]),
        "access" => texts(["Deny", "Allow"]),
        "protocol" => texts(["*", "Tcp", "Udp"]),
        "nextHopType" => texts(["VirtualAppliance", "Internet", "None"]),
        "service" => texts(["Microsoft.ContainerRegistry", "Microsoft.Storage"]),
        "delegations" => texts(["Microsoft.ContainerInstance/containerGroups", "Microsoft.Web/serverFarms"]),
        "privateEndpointNetworkPolicies" => texts(["Disabled", "Enabled", "NetworkSecurityGroupEnabled"]),
        "url" | "https" => texts(["http://10.20.1.5:3128", "https://proxy:3128", "proxy:3128"]),
        "noProxy" => texts(["*", "azurecr.io", "myregistry.azurecr.io"]),
        "code" => texts(["DENIED", "UNAUTHORIZED", "AuthorizationFailure"]),
        "contentType" => texts(["text/html", "application/json"]),
        "effect" => texts(["deny", "modify", "audit"]),
        "level" => texts(["ReadOnly", "CanNotDelete"]),
        "pricingTier" => texts(["Standard", "Free"]),
        "roleAssignmentMode" => texts(["AbacRepositoryPermissions", "LegacyRegistryPermissions"]),
        "member" => texts(["registry", "registry_data_westeurope", "registry_data_northeurope"]),
        "issuer" => texts(["CN=DigiCert Global Root G2", "CN=Corp"]),
        "audience" => texts(["https://containerregistry.azure.net", "https://management.azure.com/"]),
        "asked" if place == "RegistryLookup.asked" => return texts(["myregistry"]),
        "asked" => texts(["myregistry", "myregistry.privatelink.azurecr.io"]),
        "name" => texts(["myregistry", "myregistry.westeurope.data", "AzureContainerRegistry", "443"]),
        "value" => texts(["203.0.113.7", "10.0.0.0/8", "::1"]),
        _ => texts(STATES),
    };
    let long = Just(json!("x".repeat(300)));
    prop_oneof![8 => usual, 1 => texts(ODD), 1 => long].boxed()
}

/// Texts that a type reads, so that nothing else may stand there.
fn strict_text(place: &str, format: Option<&str>) -> Option<BoxedStrategy<Value>> {
    Some(match (place, format) {
        (_, Some("ip")) => texts(ADDRESSES),
        (_, Some(other)) => panic!("{place}: texts of the format {other} are not drawn"),
        ("ServerAnswer.server" | "Vantage.resolvers", _) => {
            texts(["10.20.1.5:53", "168.63.129.16:53", "127.0.0.53:53", "[fd00::7]:53"])
        }
        ("IpRule.range", _) => texts(["203.0.113.7/32", "10.0.0.0/8", "0.0.0.0/0", "198.51.100.0/24"]),
        ("Subnet.addressPrefixes" | "VirtualNetwork.addressSpace" | "Vantage.addresses" | "ServiceTag.prefixes", _) => {
            prop_oneof![3 => texts(RANGES), 1 => texts(["10.20.1.4/24", "203.0.113.7/8"])].boxed()
        }
        ("Subnet.natGatewayAddresses" | "EgressFirewall.publicAddresses", _) => texts(RANGES),
        ("ProbeFacts.startedAt" | "Certificate.notBefore" | "Certificate.notAfter" | "HttpAnswer.date", _) => {
            texts(TIMES)
        }
        _ => return None,
    })
}

/// A number at a place: small ones, those that mean something there, and the ends of its type.
pub(crate) fn number(place: &str, format: &str) -> BoxedStrategy<Value> {
    let usual: Vec<Value> = match place {
        "HttpAnswer.status" | "ProxyOutcome.status" => {
            [200, 307, 401, 403, 404, 407, 429, 500, 503, 511].map(Value::from).to_vec()
        }
        "SecurityRule.priority" => [100, 101, 4096, 65000].map(Value::from).to_vec(),
        _ => [0, 1, 256].map(Value::from).to_vec(),
    };
    let ends = match format {
        "uint16" => [json!(0), json!(u16::MAX)],
        "uint32" => [json!(0), json!(u32::MAX)],
        "uint64" => [json!(0), json!(u64::MAX)],
        "int64" => [json!(i64::MIN), json!(i64::MAX)],
        other => panic!("{place}: numbers of the format {other} are not drawn"),
    };
    prop_oneof![4 => select(usual), 1 => select(ends.to_vec())].boxed()
}

/// A key of a map.
pub(crate) fn key(place: &str) -> BoxedStrategy<String> {
    let keys: &[&str] = if place == "Vantage.hostsFile" { &HOSTS } else { &["team", "Microsoft.x/y"] };
    select(keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()).boxed()
}
