//! Azure Resource Manager: documents by id, lists by type, versions, rights, throttling and paging.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::documents::text;
use crate::graph;
use crate::http::{Request, Response};
use crate::tokens;
use crate::versions;
use crate::world::{Lab, World};

/// Answers a request to `management.azure.com`.
pub fn answer(lab: &Lab, request: &Request) -> Response {
    let world = lab.world();
    if world.faults.arm.throttle > lab.throttled.load(Ordering::Relaxed) {
        lab.throttled.fetch_add(1, Ordering::Relaxed);
        return error(429, "TooManyRequests", "The request is being throttled.").with("retry-after", "1");
    }
    if request.path == "/metadata/endpoints" {
        return Response::json(
            200,
            &json!({ "resourceManager": "https://management.azure.com",
            "authentication": { "loginEndpoint": "https://login.microsoftonline.com", "audiences": ["https://management.azure.com/"] },
            "suffixes": { "acrLoginServer": "azurecr.io" }, "name": "AzureCloud" }),
        );
    }
    let claims = request.bearer().and_then(tokens::open);
    let audience = claims.as_ref().map(|c| text(c, "/aud").to_owned()).unwrap_or_default();
    if !["https://management.azure.com", "https://management.core.windows.net"].contains(&audience.as_str()) {
        return error(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing or invalid.",
        )
        .with(
            "www-authenticate",
            format!("Bearer authorization_uri=\"https://login.microsoftonline.com/{}\"", tokens::TENANT),
        );
    }
    let version = request.parameter("api-version").unwrap_or_default();
    if version.is_empty() {
        return error(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        );
    }
    let path = request.path.trim_end_matches('/').replace("%20", " ").replace("//", "/");
    if path.eq_ignore_ascii_case("/providers/Microsoft.ResourceGraph/resources") {
        return graph::answer(&world, request);
    }
    if let Some(refusal) = refused(&world, &path, &version) {
        return refusal;
    }
    read(&world, request, &path, &version).with("x-ms-ratelimit-remaining-subscription-reads", "11999")
}

/// An ARM error.
pub fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!({ "error": { "code": code, "message": message } }))
}

/// The action that reading a path needs, and the scope of its refusal.
fn action(path: &str) -> (String, String) {
    let Some(at) = path.to_ascii_lowercase().rfind("/providers/") else {
        return ("Microsoft.Resources/subscriptions/read".to_owned(), path.to_owned());
    };
    let mut segments = path.get(at + "/providers/".len()..).unwrap_or_default().split('/');
    let provider = segments.next().unwrap_or_default();
    let kinds: Vec<&str> = segments.step_by(2).collect();
    if kinds.is_empty() {
        return ("Microsoft.Resources/subscriptions/providers/read".to_owned(), path.to_owned());
    }
    (format!("{provider}/{}/read", kinds.join("/")), path.to_owned())
}

/// Whether this identity lacks the action of a resource type's path.
pub fn is_forbidden(world: &World, action: &str) -> bool {
    if world.granted.iter().any(|granted| granted.eq_ignore_ascii_case(action)) {
        return false;
    }
    crate::scenario::any_matches(
        &world.faults.arm.forbid.iter().map(|f| turned(f)).collect::<Vec<_>>(),
        &turned(action),
    )
}

/// Action patterns end in `*` where host patterns begin with it.
fn turned(text: &str) -> String {
    text.chars().rev().collect()
}

fn refused(world: &World, path: &str, version: &str) -> Option<Response> {
    let (action, scope) = action(path);
    if is_forbidden(world, &action) {
        let message = format!(
            "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the \
             scope is invalid. If access was recently granted, please refresh your credentials.",
            tokens::CLIENT_ID,
            tokens::OBJECT_ID
        );
        return Some(error(403, "AuthorizationFailed", &message));
    }
    let registry = action.to_ascii_lowercase().starts_with("microsoft.containerregistry/");
    let offered = offered(world);
    if registry && !offered.iter().any(|v| v == version) {
        let message = format!(
            "No registered resource provider found for location 'eastus' and API version '{version}' for type 'registries'. The \
             supported api-versions are '{}'. The supported locations are 'eastus, westus'.",
            offered.join(", ")
        );
        return Some(error(400, "NoRegisteredProviderFound", &message));
    }
    None
}

/// The versions of the registry API that this world's cloud has.
fn offered(world: &World) -> Vec<String> {
    let configured = &world.faults.arm.api_versions;
    if configured.is_empty() { versions::KNOWN.iter().map(|v| (*v).to_owned()).collect() } else { configured.clone() }
}

fn read(world: &World, request: &Request, path: &str, version: &str) -> Response {
    let lower = path.to_ascii_lowercase();
    let segments: Vec<&str> = lower.trim_start_matches('/').split('/').collect();
    if request.method == "POST" && lower.ends_with("/checknameavailability") {
        return Response::json(200, &name_availability(world, request));
    }
    if lower == "/subscriptions" {
        let all = world.documents.all().filter(|(id, _)| id.matches('/').count() == 2).map(|(_, d)| d.clone());
        return page(world, request, &all.collect::<Vec<_>>());
    }
    if let ["subscriptions", subscription, ..] = segments.as_slice()
        && world.documents.get(&format!("/subscriptions/{subscription}")).is_none()
    {
        let message = format!("The subscription '{subscription}' could not be found.");
        return error(404, "SubscriptionNotFound", &message);
    }
    if let ["subscriptions", _, "resources"] = segments.as_slice() {
        let filter = request.parameter("$filter").unwrap_or_default();
        let kind = filter.split('\'').nth(1).unwrap_or_default().to_owned();
        return page(world, request, &world.documents.of_type(&kind).map(summary).collect::<Vec<_>>());
    }
    if let ["subscriptions", subscription, "providers", "microsoft.containerregistry"] = segments.as_slice() {
        return Response::json(200, &provider(world, subscription));
    }
    if let Some(document) = world.documents.get(path) {
        return Response::json(200, &shown(world, document, version));
    }
    list(world, request, path, version)
}

/// A name is taken where any registry of the world has it, whoever may see that.
fn name_availability(world: &World, request: &Request) -> Value {
    let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let mut registries = world.documents.of_type("Microsoft.ContainerRegistry/registries");
    if registries.any(|d| text(d, "/name").eq_ignore_ascii_case(text(&asked, "/name"))) {
        json!({ "nameAvailable": false, "reason": "AlreadyExists", "message": "The registry is in use." })
    } else {
        json!({ "nameAvailable": true })
    }
}

fn summary(document: &Value) -> Value {
    json!({ "id": document["id"], "name": document["name"], "type": document["type"], "location": document["location"],
            "sku": document["sku"], "tags": document["tags"] })
}

fn provider(world: &World, subscription: &str) -> Value {
    let id = format!("/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry");
    let state = world.documents.get(&id).map_or("Registered", |d| text(d, "/registrationState"));
    let mut versions = offered(world);
    versions.reverse();
    let kinds =
        ["registries", "registries/replications", "registries/privateEndpointConnections", "registries/listUsages"];
    let kind =
        |kind: &str| json!({ "resourceType": kind, "locations": ["East US", "West US"], "apiVersions": versions });
    json!({ "id": id, "namespace": "Microsoft.ContainerRegistry", "registrationState": state,
            "registrationPolicy": "RegistrationRequired", "resourceTypes": kinds.map(kind) })
}

/// A document as an API version shows it, with the parts that are stored on their own.
pub fn shown(world: &World, document: &Value, version: &str) -> Value {
    let mut document = document.clone();
    if let Some(members) = document.as_object_mut() {
        // What the laboratory keeps beside a document is not Azure's.
        members.remove("lab");
    }
    let (id, kind) = (text(&document, "/id").to_owned(), text(&document, "/type").to_ascii_lowercase());
    let parts: &[(&str, &str)] = match kind.as_str() {
        "microsoft.containerregistry/registries" => &[("privateEndpointConnections", "privateEndpointConnections")],
        "microsoft.network/virtualnetworks" => {
            &[("subnets", "subnets"), ("virtualNetworkPeerings", "virtualNetworkPeerings")]
        }
        _ => &[],
    };
    for (member, below) in parts {
        let children: Vec<Value> = world.documents.children(&format!("{id}/{below}")).into_iter().cloned().collect();
        if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
            properties.entry(*member).or_insert_with(|| json!(children));
        }
    }
    if kind == "microsoft.containerregistry/registries" { versions::show(&document, version) } else { document }
}

fn list(world: &World, request: &Request, path: &str, version: &str) -> Response {
    let lower = path.to_ascii_lowercase();
    let Some(at) = lower.rfind("/providers/") else {
        return error(404, "ResourceGroupNotFound", "Resource group could not be found.");
    };
    let (scope, rest) = (path.get(..at).unwrap_or_default(), path.get(at + "/providers/".len()..).unwrap_or_default());
    let segments: Vec<&str> = rest.split('/').collect();
    if segments.len() % 2 == 1 {
        return not_found(path);
    }
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let everywhere = scope.matches('/').count() == 2 && segments.len() == 2;
    let extension = segments
        .first()
        .is_some_and(|p| ["microsoft.authorization", "microsoft.insights"].contains(&p.to_ascii_lowercase().as_str()));
    let kind = segments.join("/");
    let found: Vec<&Value> = if extension {
        extensions(world, scope, rest)
    } else if everywhere {
        let scope = format!("{}/", scope.to_ascii_lowercase());
        world.documents.of_type(&kind).filter(|d| text(d, "/id").to_ascii_lowercase().starts_with(&scope)).collect()
    } else if lower.ends_with("/all") && lower.contains("/privatednszones/") {
        let kinds = ["A", "AAAA", "CNAME"].map(|k| world.documents.children(&format!("{parent}/{k}")));
        kinds.into_iter().flatten().collect()
    } else if segments.len() > 2 && world.documents.get(parent).is_none() {
        return not_found(parent);
    } else {
        world.documents.children(path)
    };
    let filter = request.parameter("$filter").unwrap_or_default();
    let principal = filter.split("assignedTo('").nth(1).and_then(|rest| rest.split('\'').next());
    let found = found.into_iter().filter(|d| principal.is_none_or(|p| text(d, "/properties/principalId") == p));
    page(world, request, &found.map(|d| shown(world, d, version)).collect::<Vec<_>>())
}

/// Locks, policy assignments and settings at a scope; a list of assignments shows inherited ones too.
fn extensions<'a>(world: &'a World, scope: &str, rest: &str) -> Vec<&'a Value> {
    let kind = format!("/providers/{rest}/").to_ascii_lowercase();
    let scope = scope.to_ascii_lowercase();
    let concerns = |id: &str| {
        let at = id.find(&kind).and_then(|at| id.get(..at));
        at.is_some_and(|at| {
            let inherited = kind.contains("policy") || kind.contains("roleassignments");
            at == scope
                || (at.starts_with(&format!("{scope}/")) && !kind.contains("roleassignments"))
                || (inherited && scope.starts_with(at))
        })
    };
    world.documents.all().filter(|(id, _)| concerns(id)).map(|(_, d)| d).collect()
}

fn not_found(path: &str) -> Response {
    let resource = path.split("/providers/").last().unwrap_or_default();
    let message = format!(
        "The Resource '{resource}' under resource group 'net' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    );
    error(404, "ResourceNotFound", &message)
}

fn page(world: &World, request: &Request, items: &[Value]) -> Response {
    let size = world.faults.arm.page_size;
    if size == 0 || items.len() <= size {
        return Response::json(200, &json!({ "value": items }));
    }
    let start: usize = request.parameter("$skiptoken").and_then(|t| t.parse().ok()).unwrap_or(0);
    let mut body = json!({ "value": items.iter().skip(start).take(size).collect::<Vec<_>>() });
    if start + size < items.len() {
        let version = request.parameter("api-version").unwrap_or_default();
        let next =
            format!("https://management.azure.com{}?api-version={version}&$skiptoken={}", request.path, start + size);
        if let Some(body) = body.as_object_mut() {
            body.insert("nextLink".to_owned(), json!(next));
        }
    }
    Response::json(200, &body)
}
