//! The clouds and their names (azure-cli `core/cloud.py`; container-registry-private-link docs).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// One Azure cloud: where to sign in, where ARM is, and which names its registries have.
///
/// A file with this shape describes a custom cloud (`--cloud FILE`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cloud {
    /// `AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`, or a name of one's own.
    pub name: String,
    /// Azure Resource Manager, e.g. `https://management.azure.com/`.
    pub resource_manager: Url,
    /// The audience of ARM tokens, e.g. `https://management.azure.com/`.
    pub resource_manager_audience: String,
    /// The sign-in authority, e.g. `https://login.microsoftonline.com/`.
    pub authority: Url,
    /// What login servers end in, without a leading dot: `azurecr.io`.
    pub registry_suffix: String,
    /// What data endpoints end in: `data.azurecr.io` in `<registry>.<region>.data.azurecr.io`.
    pub data_endpoint_suffix: String,
    /// What regional endpoints end in: `geo.azurecr.io`; unknown in sovereign clouds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regional_endpoint_suffix: Option<String>,
    /// The private DNS zone of registries: `privatelink.azurecr.io`.
    pub private_zone: String,
    /// What storage accounts' blob hosts end in: `blob.core.windows.net`.
    pub blob_suffix: String,
    /// The Log Analytics query endpoint.
    pub log_analytics: Url,
    /// The audience of registry tokens: `https://containerregistry.azure.net`.
    #[serde(default = "registry_audience")]
    pub registry_audience: String,
    /// Whether Microsoft.ContainerRegistry service endpoints exist here
    /// (not in US Government and China: container-registry-vnet).
    #[serde(default = "yes")]
    pub service_endpoints: bool,
}

fn registry_audience() -> String {
    "https://containerregistry.azure.net".to_owned()
}

fn yes() -> bool {
    true
}

impl Cloud {
    /// The public cloud.
    pub fn public() -> Self {
        Self::of(
            "AzureCloud",
            ["https://management.azure.com/", "https://login.microsoftonline.com/", "https://api.loganalytics.io/"],
            ["azurecr.io", "blob.core.windows.net"],
            true,
        )
    }

    /// Azure for US Government.
    pub fn us_government() -> Self {
        Self::of(
            "AzureUSGovernment",
            [
                "https://management.usgovcloudapi.net/",
                "https://login.microsoftonline.us/",
                "https://api.loganalytics.us/",
            ],
            ["azurecr.us", "blob.core.usgovcloudapi.net"],
            false,
        )
    }

    /// Azure operated by 21Vianet in China.
    pub fn china() -> Self {
        Self::of(
            "AzureChinaCloud",
            [
                "https://management.chinacloudapi.cn/",
                "https://login.chinacloudapi.cn/",
                "https://api.loganalytics.azure.cn/",
            ],
            ["azurecr.cn", "blob.core.chinacloudapi.cn"],
            false,
        )
    }

    /// A built-in cloud by the name that the Azure CLI gives it, in any letter case.
    pub fn named(name: &str) -> Option<Self> {
        [Self::public(), Self::us_government(), Self::china()].into_iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// The built-in cloud whose registries end as `host` does.
    pub fn of_registry_host(host: &super::Fqdn) -> Option<Self> {
        [Self::public(), Self::us_government(), Self::china()].into_iter().find(|c| host.is_within(&c.registry_suffix))
    }

    #[expect(clippy::expect_used, reason = "the three built-in clouds are literals, and a test builds them all")]
    fn of(name: &str, urls: [&str; 3], suffixes: [&str; 2], service_endpoints: bool) -> Self {
        let [arm, authority, logs] = urls;
        let [registry, blob] = suffixes;
        let url = |text: &str| Url::parse(text).expect("a literal URL");
        Self {
            name: name.to_owned(),
            resource_manager: url(arm),
            resource_manager_audience: arm.to_owned(),
            authority: url(authority),
            registry_suffix: registry.to_owned(),
            data_endpoint_suffix: format!("data.{registry}"),
            regional_endpoint_suffix: (name == "AzureCloud").then(|| format!("geo.{registry}")),
            private_zone: format!("privatelink.{registry}"),
            blob_suffix: blob.to_owned(),
            log_analytics: url(logs),
            registry_audience: registry_audience(),
            service_endpoints,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_clouds_are_found_by_name_and_by_host() {
        assert_eq!(Cloud::named("azurecloud"), Some(Cloud::public()));
        for cloud in [Cloud::public(), Cloud::us_government(), Cloud::china()] {
            let host = format!("myreg.{}", cloud.registry_suffix).parse().unwrap();
            assert_eq!(Cloud::of_registry_host(&host), Some(cloud));
        }
    }
}
