//! The sign-in authority: discovery, and tokens for client credentials.

use serde_json::json;

use crate::http::{Request, Response};
use crate::tokens::{self, CLIENT_ID, SECRET, TENANT};
use crate::world::World;

/// Answers a request to `login.microsoftonline.com`.
pub fn answer(world: &World, request: &Request) -> Response {
    let base = "https://login.microsoftonline.com";
    if request.path == "/common/discovery/instance" {
        return Response::json(
            200,
            &json!({
                "tenant_discovery_endpoint": format!("{base}/{TENANT}/v2.0/.well-known/openid-configuration"),
                "api-version": "1.1",
                "metadata": [{ "preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net",
                               "aliases": ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"] }]
            }),
        );
    }
    if request.path.ends_with("/.well-known/openid-configuration") {
        return Response::json(
            200,
            &json!({
                "token_endpoint": format!("{base}/{TENANT}/oauth2/v2.0/token"), "issuer": format!("{base}/{TENANT}/v2.0"),
                "authorization_endpoint": format!("{base}/{TENANT}/oauth2/v2.0/authorize"),
                "device_authorization_endpoint": format!("{base}/{TENANT}/oauth2/v2.0/devicecode"),
                "jwks_uri": format!("{base}/{TENANT}/discovery/v2.0/keys"), "tenant_region_scope": "NA",
                "cloud_instance_name": "microsoftonline.com", "response_modes_supported": ["query", "fragment", "form_post"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"]
            }),
        );
    }
    if request.method == "POST" && request.path.ends_with("/token") {
        return token(world, request);
    }
    Response::new(404, "text/html", "<html><body>AADSTS90002</body></html>")
}

fn token(world: &World, request: &Request) -> Response {
    if let Some(code) = &world.faults.entra {
        return refuse(code, "the request was refused.");
    }
    let tenant = request.path.split('/').nth(1).unwrap_or_default();
    if tenant != TENANT {
        return refuse("AADSTS90002", &format!("Tenant '{tenant}' not found."));
    }
    if request.field("client_id").as_deref() != Some(CLIENT_ID) {
        return refuse("AADSTS700016", "Application was not found in the directory 'Contoso'.");
    }
    let assertion = request.field("client_assertion").is_some_and(|a| !a.is_empty());
    if !assertion && request.field("client_secret").as_deref() != Some(SECRET) {
        return refuse("AADSTS7000215", "Invalid client secret provided.");
    }
    let scope = request.field("scope").or_else(|| request.field("resource")).unwrap_or_default();
    let audience = scope.split(' ').find(|s| s.contains("://")).unwrap_or(&scope);
    let audience = audience.trim_end_matches(".default").trim_end_matches('/');
    Response::json(
        200,
        &json!({
            "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": tokens::entra(audience)
        }),
    )
}

fn refuse(code: &str, what: &str) -> Response {
    let number = code.trim_start_matches("AADSTS").parse::<u32>().unwrap_or(50000);
    Response::json(
        401,
        &json!({
            "error": if number == 90002 { "invalid_request" } else { "invalid_client" },
            "error_description": format!("{code}: {what} Trace ID: 0e1d2c3b-0000-0000-0000-000000000000"),
            "error_codes": [number], "timestamp": "2026-11-23 10:00:00Z", "trace_id": "0e1d2c3b-0000-0000-0000-000000000000",
            "correlation_id": "0e1d2c3b-0000-0000-0000-000000000001"
        }),
    )
}
