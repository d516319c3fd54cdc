//! The client's own subnet and network: named by the user, or found from the machine's interfaces.

use futures::future::join_all;
use ipnet::IpNet;
use serde_json::Value;

use super::networks::Extent;
use super::read_error::ReadError;
use super::reader::{NETWORK, Reader};
use super::wire::network::service_tags;
use super::wire::{Fields, ranges};
use crate::facts::vantage::AzureVm;
use crate::facts::{Known, ResourceId, Unknown};

/// Where the client stands, as far as it can be known.
pub(super) struct ClientNetwork {
    pub(super) subnet: Known<Option<ResourceId>>,
    pub(super) virtual_network: Known<Option<ResourceId>>,
}

impl Reader<'_> {
    /// Finds and reads the client's subnet and network.
    pub(super) async fn client(&self) -> ClientNetwork {
        let hints = &self.request.client;
        let subnet = match (&hints.subnet, &hints.azure_vm, &hints.vnet) {
            (Some(subnet), ..) => Known::Known(Some(subnet.clone())),
            (None, Some(machine), _) => self.subnet_of_machine(machine).await,
            (None, None, Some(network)) => self.subnet_in(network).await,
            (None, None, None) => Known::Unknown(Unknown::needing("the client's subnet was not told", "--subnet")),
        };
        let virtual_network = match (&subnet, &hints.vnet) {
            (Known::Known(Some(subnet)), _) => Known::Known(subnet.virtual_network()),
            (_, Some(network)) => Known::Known(Some(network.clone())),
            (Known::Known(None), None) => Known::Known(None),
            (Known::Unknown(unknown), None) => Known::Unknown(unknown.clone()),
        };
        let zones = async {
            if let Known::Known(Some(network)) = &virtual_network {
                futures::join!(self.zones_of(network.subscription()), self.network(network));
            }
        };
        let own = async {
            if let Known::Known(Some(subnet)) = &subnet {
                futures::join!(self.subnet(subnet, Extent::Client), self.tags_for(subnet));
            }
        };
        let more = join_all(hints.more_subnets.iter().map(|subnet| async {
            futures::join!(
                self.subnet(subnet, Extent::Client),
                self.network_of(subnet),
                self.zones_of(subnet.subscription())
            );
        }));
        futures::join!(zones, own, more);
        ClientNetwork { subnet, virtual_network }
    }

    /// Service tags, only where a security group on the client's subnet may use them: the answer is several MiB.
    async fn tags_for(&self, subnet: &ResourceId) {
        let Some(network) = subnet.virtual_network() else { return };
        let (own, network) =
            futures::join!(self.arm.get(subnet.as_str(), NETWORK), self.arm.get(network.as_str(), NETWORK));
        let guarded = own.is_ok_and(|d| Fields::of(&d).reference("networkSecurityGroup").is_some());
        let location = network.ok().and_then(|d| Fields::of(&d).owned("location"));
        let (true, Some(location)) = (guarded, location) else { return };
        let path = format!(
            "/subscriptions/{}/providers/Microsoft.Network/locations/{location}/serviceTags",
            subnet.subscription()
        );
        let read = || async {
            let read = self.arm.get_large(&path, NETWORK).await;
            self.arm.known("service tags", read, |document| service_tags(&document))
        };
        self.service_tags.once("tags", read).await;
    }

    /// The subnet of an Azure VM's interface that has one of the machine's addresses.
    async fn subnet_of_machine(&self, machine: &AzureVm) -> Known<Option<ResourceId>> {
        let id = machine.id.as_str();
        let in_scale_set = machine.id.key().contains("/virtualmachinescalesets/");
        let listing = if in_scale_set {
            self.arm.list(&format!("{id}/networkInterfaces"), "2018-10-01").await
        } else {
            // Interfaces are nearly always in the machine's group, and a list of them saves the machine's own GET.
            let group = machine.id.resource_group().unwrap_or_default();
            let path = format!(
                "/subscriptions/{}/resourceGroups/{group}/providers/Microsoft.Network/networkInterfaces",
                machine.id.subscription()
            );
            self.arm.list(&path, NETWORK).await
        };
        if let Some(error) = &listing.error {
            self.arm.note(&format!("network interfaces of '{}'", machine.id.name()), error);
            return error.known();
        }
        let of_machine =
            |d: &&Value| in_scale_set || Fields::of(d).reference("virtualMachine").is_some_and(|vm| vm == machine.id);
        let own: Vec<&Value> = listing.items.iter().filter(of_machine).collect();
        let subnets = own.iter().flat_map(|d| Fields::of(d).list("ipConfigurations")).map(Fields::of);
        let mut candidates: Vec<(bool, ResourceId)> = subnets
            .filter_map(|configuration| {
                let address = configuration.text("privateIPAddress").and_then(|a| a.parse().ok());
                let ours = address.is_some_and(|a| machine.private_addresses.contains(&a));
                Some((!ours, configuration.reference("subnet")?))
            })
            .collect();
        candidates.sort();
        match candidates.into_iter().next() {
            Some((_, subnet)) => Known::Known(Some(subnet)),
            None => Known::Unknown(Unknown::needing(
                "no network interface of this machine is in its resource group",
                "--subnet",
            )),
        }
    }

    /// The subnet of a network whose range holds one of the client's addresses.
    async fn subnet_in(&self, network: &ResourceId) -> Known<Option<ResourceId>> {
        match self.arm.get(network.as_str(), NETWORK).await {
            Ok(document) => match subnet_holding(&document, &self.request.client.addresses) {
                Some(subnet) => Known::Known(Some(subnet)),
                None => Known::Unknown(Unknown::needing(
                    "no subnet of the network holds one of this machine's addresses",
                    "--subnet",
                )),
            },
            Err(error) => error.known(),
        }
    }
}

fn subnet_holding(network: &Value, addresses: &[IpNet]) -> Option<ResourceId> {
    Fields::of(network).list("subnets").iter().find_map(|subnet| {
        let fields = Fields::of(subnet);
        let own = ranges(&[fields.texts("addressPrefix"), fields.texts("addressPrefixes")].concat());
        let holds = addresses.iter().any(|a| own.iter().any(|range| range.contains(&a.addr())));
        holds.then(|| fields.id("id"))?
    })
}

impl super::arm::Arm {
    /// A document as large as a page.
    async fn get_large(&self, path: &str, api_version: &str) -> Result<Value, ReadError> {
        let bytes = self.fetch_page(self.url(path, &[("api-version", api_version)])).await?;
        super::arm::object(path, &bytes)
    }
}
