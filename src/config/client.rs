//! The client's own subnet and network: named by the user, or found from the machine's interfaces.

use futures::future::join_all;
use ipnet::IpNet;
use serde_json::Value;

use super::networks::Extent;
use super::read_error::ReadError;
use super::reader::{NETWORK, Reader};
use super::wire::network::service_tags;
use super::wire::{Fields, ranges};
use crate::facts::config::ClientInterface;
use crate::facts::vantage::AzureVm;
use crate::facts::{Known, ResourceId, Unknown};

/// Where the client stands, as far as it can be known.
pub(super) struct ClientNetwork {
    pub(super) subnet: Known<Option<ResourceId>>,
    pub(super) virtual_network: Known<Option<ResourceId>>,
    pub(super) interface: Known<ClientInterface>,
}

/// How a machine stands in its network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Attachment {
    subnet: ResourceId,
    interface: ResourceId,
    /// The interface's own, beside the subnet's.
    security_group: Option<ResourceId>,
}

impl Reader<'_> {
    /// Finds and reads the client's subnet and network.
    pub(super) async fn client(&self) -> ClientNetwork {
        let hints = &self.request.client;
        let machine = match &hints.azure_vm {
            Some(asked) if hints.subnet.is_none() => asked.clone().await,
            _ => None,
        };
        let attachment = match &machine {
            Some(machine) => Some((machine, self.attachment(machine).await)),
            None => None,
        };
        let subnet = match (&hints.subnet, &attachment, &hints.vnet) {
            (Some(subnet), ..) => Known::Known(Some(subnet.clone())),
            (None, Some((_, attachment)), _) => attachment.as_ref().map(|found| Some(found.subnet.clone())),
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
        let guarded = attachment.as_ref().and_then(|(_, found)| found.known()?.security_group.as_ref());
        let own = async {
            if let Known::Known(Some(subnet)) = &subnet {
                futures::join!(self.subnet(subnet, Extent::Client), self.tags_for(subnet, guarded.is_some()));
            }
        };
        let more = join_all(hints.more_subnets.iter().map(|subnet| async {
            futures::join!(
                self.subnet(subnet, Extent::Client),
                self.network_of(subnet),
                self.zones_of(subnet.subscription())
            );
        }));
        let interface = self.interface(attachment.as_ref());
        let ((), (), _, interface) = futures::join!(zones, own, more, interface);
        ClientNetwork { subnet, virtual_network, interface }
    }

    /// The machine's interface with its security group.
    async fn interface(&self, found: Option<&(&AzureVm, Known<Attachment>)>) -> Known<ClientInterface> {
        let Some((machine, attachment)) = found else {
            let why =
                "the client's network interface was not looked for: the client is no Azure VM, or its subnet was told";
            return Known::unknown(why);
        };
        match attachment {
            Known::Known(attachment) => Known::Known(ClientInterface {
                machine: machine.id.clone(),
                id: attachment.interface.clone(),
                network_security_group: self.security_group(attachment.security_group.as_ref()).await,
            }),
            Known::Unknown(unknown) => Known::Unknown(unknown.clone()),
        }
    }

    /// Service tags, only where a security group on the client's interface or subnet may use them: the answer is several
    /// MiB.
    async fn tags_for(&self, subnet: &ResourceId, guarded: bool) {
        let Some(network) = subnet.virtual_network() else { return };
        let (own, network) =
            futures::join!(self.arm.get(subnet.as_str(), NETWORK), self.arm.get(network.as_str(), NETWORK));
        let guarded = guarded || own.is_ok_and(|d| Fields::of(&d).reference("networkSecurityGroup").is_some());
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

    /// The interface of an Azure VM that has one of the machine's addresses, and its subnet.
    async fn attachment(&self, machine: &AzureVm) -> Known<Attachment> {
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
        let mut candidates: Vec<(bool, Attachment)> =
            own.into_iter().flat_map(|nic| attachments(Fields::of(nic), machine)).collect();
        candidates.sort();
        match candidates.into_iter().next() {
            Some((_, attachment)) => Known::Known(attachment),
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

/// What an interface says of its places, those with one of the machine's addresses first (`false` sorts before `true`).
fn attachments(nic: Fields<'_>, machine: &AzureVm) -> Vec<(bool, Attachment)> {
    let Some(interface) = nic.id("id") else { return Vec::new() };
    let security_group = nic.reference("networkSecurityGroup");
    let of = |configuration: &Value| {
        let configuration = Fields::of(configuration);
        let address = configuration.text("privateIPAddress").and_then(|a| a.parse().ok());
        let other = !address.is_some_and(|a| machine.private_addresses.contains(&a));
        let subnet = configuration.reference("subnet")?;
        Some((other, Attachment { subnet, interface: interface.clone(), security_group: security_group.clone() }))
    };
    nic.list("ipConfigurations").iter().filter_map(of).collect()
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
