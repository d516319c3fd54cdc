//! The registry: its login server, its data endpoints and the storage behind it, which enforce the registry's own
//! documents.

use serde_json::{Value, json};

use crate::access::{self, Access};
use crate::backing;
use crate::blobs;
use crate::documents::text;
use crate::http::{Request, Response};
use crate::names::{self, Host, Role};
use crate::tokens::{self, SIGNATURE};
use crate::world::World;

/// Answers a request to one of a registry's hosts.
pub fn answer(world: &World, host: &Host, request: &Request) -> Response {
    let Some(registry) = world.documents.get(&host.registry) else {
        return Response::json(404, &json!({ "errors": [{ "code": "NAME_UNKNOWN", "message": "unknown registry" }] }));
    };
    if host.role == Role::Blob {
        return blob(world, request);
    }
    if access::decide(&world.documents, registry, request.source, request.destination) == Access::Denied {
        return denied(request);
    }
    if host.role == Role::Data {
        return blob(world, request);
    }
    match request.path.as_str() {
        "/v2/" | "/v2" => match request.bearer().and_then(tokens::open) {
            Some(_) => Response::json(200, &json!({})).with("docker-distribution-api-version", "registry/2.0"),
            None => challenge(registry, request, None),
        },
        "/oauth2/exchange" => exchange(world, registry, request),
        "/oauth2/token" => token(registry, request),
        _ => content(world, registry, host, request),
    }
}

/// The registry's own refusal of an address.
fn denied(request: &Request) -> Response {
    let source = request.source;
    let message =
        format!("client with IP '{source}' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.");
    Response::json(403, &json!({ "errors": [{ "code": "DENIED", "message": message }] }))
        .with("server", "openresty")
        .with("docker-distribution-api-version", "registry/2.0")
        .with("x-ms-correlation-request-id", "0e1d2c3b-0000-0000-0000-000000000003")
}

fn challenge(registry: &Value, request: &Request, scope: Option<&str>) -> Response {
    let login = text(registry, "/properties/loginServer").to_ascii_lowercase();
    let mut header = format!("Bearer realm=\"https://{}/oauth2/token\",service=\"{login}\"", request.host());
    if let Some(scope) = scope {
        header.push_str(&format!(",scope=\"{scope}\""));
        if request.bearer().is_some() {
            header.push_str(",error=\"insufficient_scope\"");
        }
    }
    let message = "authentication required, visit https://aka.ms/acr/authorization for more information.";
    Response::json(401, &json!({ "errors": [{ "code": "UNAUTHORIZED", "message": message, "detail": null }] }))
        .with("server", "openresty")
        .with("docker-distribution-api-version", "registry/2.0")
        .with("strict-transport-security", "max-age=31536000; includeSubDomains")
        .with("strict-transport-security", "max-age=31536000; includeSubDomains")
        .with("www-authenticate", header)
        .with("x-ms-correlation-request-id", "0e1d2c3b-0000-0000-0000-000000000004")
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!({ "errors": [{ "code": code, "message": message }] }))
}

/// The roles of the client's identity at the registry: the repository actions it has.
fn rights(registry: &Value) -> Vec<String> {
    let listed = registry.pointer("/lab/rights").and_then(Value::as_array);
    let all = || ["pull", "push", "delete", "metadata_read", "metadata_write"].map(str::to_owned).to_vec();
    listed.map_or_else(all, |l| l.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn exchange(world: &World, registry: &Value, request: &Request) -> Response {
    if let Some(status) = world.faults.exchange {
        return refuse(
            status,
            "UNAUTHORIZED",
            "authentication required, visit https://aka.ms/acr/authorization for more information.",
        );
    }
    let claims = request.field("access_token").as_deref().and_then(tokens::open);
    let audience = claims.as_ref().map(|c| text(c, "/aud").to_owned()).unwrap_or_default();
    let for_arm = ["https://management.azure.com", "https://management.core.windows.net"].contains(&audience.as_str());
    let arm_disabled = text(registry, "/properties/policies/azureADAuthenticationAsArmPolicy/status") == "disabled";
    let accepted = audience == "https://containerregistry.azure.net" || (for_arm && !arm_disabled);
    if request.method != "POST" || !accepted || rights(registry).is_empty() {
        return refuse(
            401,
            "UNAUTHORIZED",
            "authentication required, visit https://aka.ms/acr/authorization for more information.",
        );
    }
    let login = text(registry, "/properties/loginServer");
    let refresh =
        tokens::seal(&json!({ "aud": login, "iss": "Azure Container Registry", "exp": tokens::now() + 10_800,
        "grant_type": "refresh_token", "appid": tokens::CLIENT_ID, "permissions": { "actions": ["read", "write"] } }));
    Response::json(200, &json!({ "refresh_token": refresh }))
        .with("x-ms-ratelimit-remaining-calls-per-second", "333.316667")
}

fn token(registry: &Value, request: &Request) -> Response {
    let login = text(registry, "/properties/loginServer");
    let refresh = request.field("refresh_token").as_deref().and_then(tokens::open);
    let known = refresh.is_some_and(|c| text(&c, "/grant_type") == "refresh_token" && text(&c, "/aud") == login);
    let anonymous = registry.pointer("/properties/anonymousPullEnabled") == Some(&json!(true));
    if !known && !anonymous {
        return refuse(
            401,
            "UNAUTHORIZED",
            "authentication required, visit https://aka.ms/acr/authorization for more information.",
        );
    }
    let scope = request.field("scope").or_else(|| request.parameter("scope")).unwrap_or_default();
    let granted = if known { rights(registry) } else { vec!["pull".to_owned(), "metadata_read".to_owned()] };
    let access: Vec<Value> = scope.split(' ').filter_map(|s| grant(s, &granted)).collect();
    let token = tokens::seal(
        &json!({ "aud": login, "iss": "Azure Container Registry", "exp": tokens::now() + 4500, "access": access }),
    );
    Response::json(200, &json!({ "access_token": token })).with("x-ms-ratelimit-remaining-calls-per-second", "166.65")
}

/// What of a scope is granted.
fn grant(scope: &str, granted: &[String]) -> Option<Value> {
    let mut parts = scope.splitn(3, ':');
    let (kind, name, actions) = (parts.next()?, parts.next()?, parts.next()?);
    let allowed: Vec<&str> = actions.split(',').filter(|a| *a == "*" || granted.iter().any(|g| g == a)).collect();
    Some(json!({ "type": kind, "name": name, "actions": allowed }))
}

/// Whether a token lets its holder pull from a repository.
fn may_pull(request: &Request, repository: &str) -> bool {
    let claims = request.bearer().and_then(tokens::open);
    let access = claims.as_ref().and_then(|c| c.get("access")).and_then(Value::as_array).cloned().unwrap_or_default();
    access
        .iter()
        .any(|a| text(a, "/name") == repository && a["actions"].as_array().is_some_and(|x| x.contains(&json!("pull"))))
}

/// Manifests and blobs of the image `hello`.
fn content(world: &World, registry: &Value, host: &Host, request: &Request) -> Response {
    let path = request.path.trim_start_matches("/v2/");
    let Some((repository, kind, reference)) = split(path) else {
        return Response::json(404, &json!({ "errors": [{ "code": "NOT_FOUND", "message": "404 page not found" }] }));
    };
    if !may_pull(request, repository) {
        return challenge(registry, request, Some(&format!("repository:{repository}:pull")));
    }
    if world.real_registry && kind == "manifests" {
        return backing::relay(&request.path, request);
    }
    if repository != "hello" {
        return refuse(404, "NAME_UNKNOWN", "repository name not known to registry");
    }
    if kind == "manifests" {
        return match reference {
            "1" | "latest" => Response::new(200, blobs::MANIFEST_TYPE, blobs::manifest())
                .with("docker-distribution-api-version", "registry/2.0"),
            _ => refuse(404, "MANIFEST_UNKNOWN", &format!("manifest tagged by \"{reference}\" is not found")),
        };
    }
    if world.real_registry {
        let held = backing::relay(&request.path, request);
        if held.status >= 300 {
            return held;
        }
    } else if blobs::blob(reference).is_none() {
        return refuse(404, "BLOB_UNKNOWN", "blob unknown to registry");
    }
    let login = text(registry, "/properties/loginServer").to_ascii_lowercase();
    let stem = login.strip_suffix(".azurecr.io").unwrap_or(&login);
    let private =
        !world.documents.children(&format!("{}/privateEndpointConnections", text(registry, "/id"))).is_empty();
    let dedicated = registry.pointer("/properties/dataEndpointEnabled") == Some(&json!(true)) || private;
    let target = if dedicated {
        format!("{stem}.{}.data.azurecr.io", host.region)
    } else {
        format!("{}.blob.core.windows.net", names::blob_account(stem))
    };
    Response { status: 307, ..Response::default() }
        .with("location", format!("https://{target}/a1b2c3/docker/registry/v2/blobs/{reference}?se=2030-01-01T00%3A00%3A00Z&sig={SIGNATURE}%3D&sp=r&sv=2021-08-06"))
        .with("docker-distribution-api-version", "registry/2.0")
}

fn split(path: &str) -> Option<(&str, &str, &str)> {
    let kind = ["manifests", "blobs"].into_iter().find(|k| path.contains(&format!("/{k}/")))?;
    let (repository, reference) = path.split_once(&format!("/{kind}/"))?;
    Some((repository, kind, reference))
}

/// A blob by its signed address, whole or a range.
fn blob(world: &World, request: &Request) -> Response {
    let signed = request.parameter("sig").is_some_and(|s| s.contains(SIGNATURE));
    if !signed {
        let body = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.</Message></Error>";
        return Response::new(403, "application/xml", body)
            .with("x-ms-error-code", "AuthenticationFailed")
            .with("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0");
    }
    let digest = request.path.rsplit('/').next().unwrap_or_default();
    if world.real_registry {
        return backing::relay(&format!("/v2/hello/blobs/{digest}"), request);
    }
    let Some(bytes) = blobs::blob(digest) else {
        return Response::new(404, "application/xml", "<Error><Code>BlobNotFound</Code></Error>")
            .with("x-ms-error-code", "BlobNotFound");
    };
    let range = request.headers.get("range").and_then(|r| r.strip_prefix("bytes=")).and_then(|r| r.split_once('-'));
    let Some((from, to)) = range else { return Response::new(200, "application/octet-stream", bytes) };
    let from = from.parse::<usize>().unwrap_or(0);
    let to = to.parse::<usize>().unwrap_or(bytes.len()).min(bytes.len() - 1);
    let part = bytes.get(from..=to).unwrap_or_default();
    Response::new(206, "application/octet-stream", part)
        .with("content-range", format!("bytes {from}-{to}/{}", bytes.len()))
}
