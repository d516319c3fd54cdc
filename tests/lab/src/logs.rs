//! Log Analytics: the logins of registries, as the query that the program sends groups them.
//!
//! A workspace's document holds them beside Azure's own members: `lab.logins` (`address`, `identity`, `operation`,
//! `result`, `description`, `region`, `agent`, `count`, `hoursAgo`), `lab.partial` (words of a partial error), and
//! `lab.table = false` where nothing has been collected yet.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::arm::{error, is_forbidden};
use crate::base;
use crate::documents::{items, text};
use crate::http::{Request, Response};
use crate::tokens;
use crate::world::World;

/// What the query summarises by, and what it counts.
const COLUMNS: [&str; 11] = [
    "CallerIpAddress",
    "Identity",
    "OperationName",
    "ResultType",
    "ResultDescription",
    "Region",
    "UserAgent",
    "Count",
    "FirstSeen",
    "LastSeen",
    "Failed",
];

/// Answers a request to `api.loganalytics.io`.
pub fn answer(world: &World, request: &Request) -> Response {
    let claims = request.bearer().and_then(tokens::open);
    if claims.as_ref().map(|c| text(c, "/aud")) != Some("https://api.loganalytics.io") {
        return error(401, "AuthorizationRequired", "Valid authentication was not provided");
    }
    let asked = request.path.strip_prefix("/v1/workspaces/").and_then(|rest| rest.strip_suffix("/query"));
    let (Some(asked), "POST") = (asked, request.method.as_str()) else {
        return error(404, "PathNotFoundError", "The requested path does not exist");
    };
    let mut workspaces = world.documents.of_type("Microsoft.OperationalInsights/workspaces");
    let Some(workspace) = workspaces.find(|w| text(w, "/properties/customerId") == asked) else {
        return error(404, "WorkspaceNotFoundError", "The workspace could not be found");
    };
    if is_forbidden(world, "Microsoft.OperationalInsights/workspaces/query/read") {
        let words = "The provided credentials have insufficient access to perform the requested operation";
        return error(403, "InsufficientAccessError", words);
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    if workspace.pointer("/lab/table") == Some(&json!(false)) {
        return no_table();
    }
    let query = text(&body, "/query");
    let own = format!("where _ResourceId =~ \"{}\"", base::registry_id());
    if !query.starts_with("ContainerRegistryLoginEvents\n") || !query.contains(&own) {
        return error(400, "BadArgumentError", "The request had some invalid properties");
    }
    let hours = text(&body, "/timespan").trim_start_matches("PT").trim_end_matches('H').parse().unwrap_or(0);
    let columns = COLUMNS.map(|name| json!({ "name": name, "type": "string" }));
    let rows: Vec<Value> = items(workspace, "/lab/logins").iter().filter_map(|login| row(login, hours)).collect();
    let mut answer = json!({ "tables": [{ "name": "PrimaryResult", "columns": columns, "rows": rows }] });
    if let (Some(words), Some(answer)) = (workspace.pointer("/lab/partial"), answer.as_object_mut()) {
        answer.insert("error".to_owned(), json!({ "code": "PartialError", "message": words }));
    }
    Response::json(200, &answer)
}

/// One group of alike logins, if it is young enough; the service gives numbers as strings where it likes.
fn row(login: &Value, hours: i64) -> Option<Value> {
    let age = login.get("hoursAgo").and_then(Value::as_i64).unwrap_or(1);
    let then = time::OffsetDateTime::from_unix_timestamp(tokens::now() - age * 3600).ok()?;
    let when = then.format(&Rfc3339).ok()?;
    let of = |name: &str| login.get(name).map_or(Value::String(String::new()), Clone::clone);
    let count = login.get("count").and_then(Value::as_u64).unwrap_or(1).to_string();
    let failed = text(login, "/result").parse::<u32>().is_ok_and(|status| status >= 400);
    (age < hours).then(|| {
        json!([
            of("address"),
            of("identity"),
            of("operation"),
            of("result"),
            of("description"),
            of("region"),
            of("agent"),
            count,
            when,
            when,
            u8::from(failed).to_string()
        ])
    })
}

/// Tables come to be with their first row.
fn no_table() -> Response {
    let words = "'where' operator: Failed to resolve table or column expression named 'ContainerRegistryLoginEvents'";
    Response::json(
        400,
        &json!({ "error": { "message": "The request had some invalid properties", "code": "BadArgumentError",
            "innererror": { "code": "SemanticError", "message": "A semantic error occurred.",
                "innererror": { "code": "SEM0100", "message": words } } } }),
    )
}
