//! The instance metadata service of an Azure VM.

use serde_json::json;

use crate::documents::SUBSCRIPTION;
use crate::http::{Request, Response};
use crate::tokens;

/// What App Service's sign-in sends (`IDENTITY_HEADER`).
const IDENTITY_HEADER: &str = "lab-identity-header";

/// Answers a request to 169.254.169.254.
pub fn answer(request: &Request) -> Response {
    // App Service's protocol has a header of its own instead.
    let of_app_service = request.headers.get("x-identity-header").is_some_and(|secret| secret == IDENTITY_HEADER);
    if request.headers.get("metadata").map(String::as_str) != Some("true") && !of_app_service {
        return Response::json(400, &json!({ "error": "Bad request. Required metadata header not specified" }));
    }
    match request.path.as_str() {
        "/metadata/identity/oauth2/token" => {
            let resource = request.parameter("resource").unwrap_or_default();
            let expires = (tokens::now() + 86_399).to_string();
            Response::json(
                200,
                &json!({
                    "access_token": tokens::entra(resource.trim_end_matches('/')), "expires_in": "86399", "expires_on": expires,
                    "not_before": "0", "resource": resource, "token_type": "Bearer", "client_id": tokens::CLIENT_ID
                }),
            )
        }
        "/metadata/instance" => Response::json(
            200,
            &json!({
                "compute": {
                    "azEnvironment": "AzurePublicCloud", "location": "eastus", "name": "client", "subscriptionId": SUBSCRIPTION,
                    "resourceGroupName": "net", "vmId": "5e0c4b8a-0000-0000-0000-000000000000", "osType": "Linux",
                    "resourceId": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Compute/virtualMachines/client")
                },
                "network": { "interface": [{ "macAddress": "000D3A000001", "ipv6": { "ipAddress": [] }, "ipv4": {
                    "ipAddress": [{ "privateIpAddress": "10.20.1.4", "publicIpAddress": "" }],
                    "subnet": [{ "address": "10.20.1.0", "prefix": "24" }] } }] }
            }),
        ),
        _ => Response::json(404, &json!({ "error": "Not found" })),
    }
}
