//! The Azure metadata service (learn.microsoft.com: "Azure Instance Metadata Service", api-version 2021-02-01).
//!
//! Asked only where the machine itself says that it is in Azure, or the user says so with `--imds`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use serde_json::Value;
use tokio::time::Instant as Deadline;

use super::connect::connect;
use super::exchange::{Ask, Connection};
use super::host;
use crate::facts::vantage::AzureVm;
use crate::facts::{Known, Unknown};

/// The machine's own host: it accepts a connection within a millisecond or not at all.
const TO_CONNECT: Duration = Duration::from_millis(400);
/// What it may take to answer then.
const TO_ANSWER: Duration = Duration::from_millis(1500);
const SERVICE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);
const INSTANCE: &str = "/metadata/instance?api-version=2021-02-01";

/// What it says, asked once for all who want to know. `Known(None)`: the machine is not in Azure.
pub type Asked = Shared<BoxFuture<'static, Known<Option<AzureVm>>>>;

/// Asks about this machine, if that may be; the question is sent when the answer is first waited for.
pub fn ask(asked_for: bool) -> Asked {
    let asking = async move {
        if asked_for || host::says_azure() {
            return instance().await;
        }
        Known::Unknown(Unknown::needing("this machine does not say that it is an Azure VM", "--imds"))
    };
    asking.boxed().shared()
}

async fn instance() -> Known<Option<AzureVm>> {
    let unanswered = || Known::unknown("the metadata service at 169.254.169.254 does not answer");
    let connected = connect(SERVICE, Deadline::now() + TO_CONNECT).await.1;
    let (Some(stream), Ok(name)) = (connected, "metadata".parse()) else {
        return unanswered();
    };
    let Some(mut connection) = Connection::open(stream, &name).await else { return unanswered() };
    let deadline = Deadline::now() + TO_ANSWER;
    let (_, raw) = connection.send(Ask::get(INSTANCE).header("metadata", "true"), deadline).await;
    let document = raw.filter(|r| r.status.is_success()).and_then(|r| serde_json::from_slice::<Value>(&r.body).ok());
    match document.as_ref().and_then(read) {
        Some(vm) => Known::Known(Some(vm)),
        None => Known::unknown("the metadata service does not answer as documented"),
    }
}

/// `compute` and `network` of an instance document.
fn read(document: &Value) -> Option<AzureVm> {
    let compute = document.get("compute")?;
    let text = |name: &str| compute.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let interfaces = document.pointer("/network/interface").and_then(Value::as_array).into_iter().flatten();
    let ipv4: Vec<&Value> = interfaces.filter_map(|i| i.pointer("/ipv4/ipAddress")?.as_array()).flatten().collect();
    let all = |name: &str| ipv4.iter().filter_map(|a| a.get(name)?.as_str()?.parse().ok()).collect();
    Some(AzureVm {
        id: text("resourceId")?.parse().ok()?,
        subscription: text("subscriptionId")?,
        location: text("location")?,
        environment: text("azEnvironment"),
        private_addresses: all("privateIpAddress"),
        public_addresses: all("publicIpAddress"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_document_gives_id_and_addresses() {
        let document = serde_json::json!({
            "compute": { "resourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v",
                "subscriptionId": "s", "location": "westeurope", "azEnvironment": "AzurePublicCloud" },
            "network": { "interface": [ { "ipv4": { "ipAddress": [ { "privateIpAddress": "10.0.0.4", "publicIpAddress": "" } ] } } ] },
        });
        let vm = read(&document).unwrap();
        assert_eq!((vm.id.name(), vm.private_addresses.len(), vm.public_addresses.len()), ("v", 1, 0));
        assert_eq!(read(&serde_json::json!({ "compute": {} })), None);
    }
}
