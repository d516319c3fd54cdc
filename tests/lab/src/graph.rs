//! Azure Resource Graph, as far as queries by resource type and name go.

use serde_json::{Value, json};

use crate::arm;
use crate::documents::text;
use crate::http::{Request, Response};
use crate::world::World;

/// Answers a query.
pub fn answer(world: &World, request: &Request) -> Response {
    if arm::is_forbidden(world, "Microsoft.ResourceGraph/resources/read") {
        return arm::error(
            403,
            "AuthorizationFailed",
            "The client does not have authorization to perform action 'Microsoft.ResourceGraph/resources/read'.",
        );
    }
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return arm::error(400, "BadRequest", "The request body is not JSON.");
    };
    let query = text(&body, "/query").to_ascii_lowercase();
    let quoted: Vec<&str> = query.split(['\'', '"']).skip(1).step_by(2).collect();
    let kinds: Vec<&str> = quoted.iter().copied().filter(|q| q.starts_with("microsoft.")).collect();
    let names: Vec<&str> = if query.contains("name =~") || query.contains("name in~") {
        quoted.iter().copied().filter(|q| !q.contains('/')).collect()
    } else {
        Vec::new()
    };
    let wanted = |id: &str, document: &Value| {
        kinds.iter().any(|k| text(document, "/type").eq_ignore_ascii_case(k))
            && (names.is_empty() || names.iter().any(|n| id.ends_with(&format!("/{n}"))))
            && !arm::is_forbidden(world, &format!("{}/read", text(document, "/type")))
    };
    let rows: Vec<Value> = world.documents.all().filter(|(id, d)| wanted(id, d)).map(|(_, d)| row(world, d)).collect();
    let top =
        body.pointer("/options/$top").and_then(Value::as_u64).and_then(|t| usize::try_from(t).ok()).unwrap_or(100);
    let top = if world.faults.arm.page_size > 0 { top.min(world.faults.arm.page_size) } else { top };
    let start: usize =
        body.pointer("/options/$skipToken").and_then(Value::as_str).and_then(|t| t.parse().ok()).unwrap_or(0);
    let data: Vec<&Value> = rows.iter().skip(start).take(top).collect();
    let mut answer = json!({ "totalRecords": rows.len(), "count": data.len(), "resultTruncated": "false", "facets": [], "data": data });
    if let Some(answer) = answer.as_object_mut().filter(|_| start + top < rows.len()) {
        answer.insert("$skipToken".to_owned(), json!((start + top).to_string()));
    }
    Response::json(200, &answer)
        .with("x-ms-user-quota-remaining", "14")
        .with("x-ms-user-quota-resets-after", "00:00:05")
}

/// A row: the document with its type in lower case, and its place.
fn row(world: &World, document: &Value) -> Value {
    let mut row = arm::shown(world, document, "2025-11-01");
    let id: Vec<String> = text(document, "/id").split('/').map(str::to_owned).collect();
    if let Some(members) = row.as_object_mut() {
        members.insert("type".to_owned(), json!(text(document, "/type").to_ascii_lowercase()));
        members.insert("apiVersion".to_owned(), json!("2025-11-01"));
        members.insert("subscriptionId".to_owned(), json!(id.get(2)));
        members.insert("resourceGroup".to_owned(), json!(id.get(4).map(|g| g.to_ascii_lowercase())));
        members.insert("tenantId".to_owned(), json!(crate::tokens::TENANT));
    }
    row
}
