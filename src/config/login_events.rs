//! Login events from Log Analytics: the registry's diagnostic setting names a workspace, the workspace its own id, and the
//! query endpoint answers KQL (POST `v1/workspaces/{id}/query`; its tokens have an audience of their own).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::arm::{Arm, object};
use super::http::{BodyFailure, bounded_body, phrase};
use super::read_error::{ReadError, printable};
use super::sign_in::Session;
use crate::facts::config::ReadFailure;
use crate::facts::{Known, LoginEvent, RegistryConfig, ResourceId, Unknown, Unrecognised};

/// Microsoft.OperationalInsights/workspaces.
const WORKSPACES: &str = "2022-10-01";
/// What the query needs besides reading the workspace.
const QUERY_RIGHT: &str = "Microsoft.OperationalInsights/workspaces/query/read";
/// More groups than a person reads; the service itself cuts at 500,000 rows.
const MOST_ROWS: usize = 5000;
/// Bound of the answer: a row is below 2 KiB.
const ANSWER_LIMIT: usize = 16 << 20;

/// What the log gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginLog {
    /// Logins, alike ones as one, failures first; unknown with the reason where the log could not be asked.
    pub events: Known<Vec<LoginEvent>>,
    /// Why rows may be missing, where the service says so.
    pub incomplete: Option<String>,
}

impl LoginLog {
    fn unknown(why: Unknown) -> Self {
        Self { events: Known::Unknown(why), incomplete: None }
    }
}

/// Reads the logins at one registry in the last `hours`.
pub async fn read_login_events(
    session: &Session,
    registry: &RegistryConfig,
    hours: u32,
    deadline: Duration,
) -> LoginLog {
    let settings = match &registry.diagnostic_settings {
        Known::Known(settings) => settings,
        Known::Unknown(why) => return LoginLog::unknown(why.clone()),
    };
    let Some(workspace) = settings.iter().filter(|s| s.login_events).find_map(|s| s.workspace_id.as_ref()) else {
        let why = "no diagnostic setting sends ContainerRegistryLoginEvents to a Log Analytics workspace";
        return LoginLog::unknown(Unknown::needing(why, "a diagnostic setting (see logs/not-collected)"));
    };
    let asked = async {
        let id = customer_id(&Arm::new(session, deadline, 2), workspace).await?;
        query(session, &id, &kql(&registry.id), hours).await
    };
    match tokio::time::timeout(deadline, asked).await {
        Ok(Ok(answer)) => read_answer(&answer),
        Ok(Err(error)) => {
            let Unknown { why, needs } = error.unknown();
            LoginLog::unknown(Unknown { why: format!("workspace '{}': {why}", workspace.name()), needs })
        }
        Err(_) => LoginLog::unknown(Unknown::needing("the log did not answer before the deadline", "--timeout")),
    }
}

/// The id by which the query endpoint knows a workspace.
async fn customer_id(arm: &Arm, workspace: &ResourceId) -> Result<String, ReadError> {
    let document = arm.get(workspace.as_str(), WORKSPACES).await?;
    let id = document.pointer("/properties/customerId").and_then(Value::as_str).unwrap_or_default();
    // It becomes a part of a URL.
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        return Err(failure(workspace.as_str(), ReadFailure::Malformed, "the workspace has no customerId"));
    }
    Ok(id.to_owned())
}

/// Logins grouped by all that tells them apart; tables made before a column existed give it empty.
fn kql(registry: &ResourceId) -> String {
    let id = registry.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    let optional =
        ["Region", "UserAgent"].map(|column| format!("{column} = tostring(column_ifexists(\"{column}\", \"\"))"));
    format!(
        "ContainerRegistryLoginEvents\n\
         | where _ResourceId =~ \"{id}\"\n\
         | extend {}, ResultType = tostring(ResultType)\n\
         | summarize Count = count(), FirstSeen = min(TimeGenerated), LastSeen = max(TimeGenerated) \
         by CallerIpAddress, Identity, OperationName, ResultType, ResultDescription, Region, UserAgent\n\
         | extend Failed = iff(toint(ResultType) < 400, 0, 1)\n\
         | order by Failed desc, Count desc, LastSeen desc\n\
         | take {MOST_ROWS}",
        optional.join(", ")
    )
}

async fn query(session: &Session, workspace: &str, kql: &str, hours: u32) -> Result<Value, ReadError> {
    let home = &session.cloud().log_analytics;
    let resource = format!("/v1/workspaces/{workspace}/query");
    let url = query_url(home, &resource)?;
    let token = session
        .token(home.as_str())
        .await
        .map_err(|e| failure(&resource, ReadFailure::Unauthorized, format!("no token for Log Analytics: {e}")))?;
    let clients = session.clients().await.map_err(|why| failure(&resource, ReadFailure::Unreachable, why))?;
    let body = json!({ "query": kql, "timespan": format!("PT{hours}H") });
    let request = clients.for_url(&url).post(url.clone()).bearer_auth(token.reveal()).json(&body);
    let response = request.send().await.map_err(|e| failure(&resource, ReadFailure::Unreachable, phrase(e)))?;
    let status = response.status().as_u16();
    let bytes = bounded_body(response, ANSWER_LIMIT).await.map_err(|body| match body {
        BodyFailure::TooLarge => failure(&resource, ReadFailure::TooLarge, "the answer is larger than 16 MiB"),
        BodyFailure::Cut(why) => failure(&resource, ReadFailure::Malformed, format!("the answer broke off: {why}")),
    })?;
    match status {
        200..300 => object(&resource, &bytes),
        // A table comes to be with its first row.
        400 if String::from_utf8_lossy(&bytes).contains("named 'ContainerRegistryLoginEvents'") => Err(failure(
            &resource,
            ReadFailure::NotFound,
            "the workspace has no table ContainerRegistryLoginEvents yet: no login has been collected",
        )),
        _ => Err(ReadError::from_answer(&resource, status, &bytes).needing(QUERY_RIGHT)),
    }
}

/// The token goes by https only (or to this machine itself, where a cloud file says so).
fn query_url(home: &Url, path: &str) -> Result<Url, ReadError> {
    let own = matches!(home.host(), Some(url::Host::Ipv4(address)) if address.is_loopback());
    if home.scheme() != "https" && !own {
        let words = "the cloud's logAnalytics is not https, and a token is not sent in clear";
        return Err(failure(path, ReadFailure::Unreachable, words));
    }
    let mut url = home.clone();
    url.set_path(path);
    Ok(url)
}

fn failure(resource: &str, failure: ReadFailure, words: impl Into<String>) -> ReadError {
    ReadError::new(resource, failure, words)
}

/// An answer of the query endpoint (`v1/workspaces/{id}/query`).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LogAnswer {
    tables: Vec<LogTable>,
    #[serde(flatten)]
    rest: Unrecognised,
}

#[derive(Debug, Serialize, Deserialize)]
struct LogTable {
    columns: Vec<LogColumn>,
    rows: Vec<Value>,
    #[serde(flatten)]
    rest: Unrecognised,
}

#[derive(Debug, Serialize, Deserialize)]
struct LogColumn {
    name: String,
    #[serde(flatten)]
    rest: Unrecognised,
}

/// The first table's rows, by the names of its columns. Numbers and booleans may come as strings.
fn read_answer(answer: &Value) -> LoginLog {
    let no_table = || LoginLog::unknown(Unknown::because("the log's answer has no table"));
    let Ok(answer) = LogAnswer::deserialize(answer) else { return no_table() };
    let Some(table) = answer.tables.first() else { return no_table() };
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    let events = table.rows.iter().filter_map(|row| event(&names, row)).collect();
    let said = answer.rest.get("error").and_then(|error| error.get("message")).and_then(Value::as_str);
    let cut = (table.rows.len() >= MOST_ROWS).then(|| format!("only the first {MOST_ROWS} groups were read"));
    LoginLog { events: Known::Known(events), incomplete: said.map(|words| printable(words, 300)).or(cut) }
}

fn event(names: &[&str], row: &Value) -> Option<LoginEvent> {
    let text = |name: &str| {
        let index = names.iter().position(|n| n.eq_ignore_ascii_case(name))?;
        let text = match row.get(index)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then(|| printable(&text, 500))
    };
    Some(LoginEvent {
        time: text("LastSeen")?,
        first_seen: text("FirstSeen"),
        caller: text("CallerIpAddress").and_then(|ip| ip.parse().ok()),
        identity: text("Identity"),
        operation: text("OperationName"),
        result: text("ResultType").unwrap_or_default(),
        description: text("ResultDescription"),
        region: text("Region"),
        user_agent: text("UserAgent"),
        count: text("Count")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fake_arm::{FakeArm, Reply};
    use super::*;
    use crate::facts::Cloud;

    const WORKSPACE: &str =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/central";
    const CUSTOMER: &str = "0f2a6d1c-97c6-4b2b-9a55-0d2f0a7f5f11";

    fn table(rows: &Value) -> Value {
        let columns = [
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
        ];
        let columns: Vec<Value> = columns.iter().map(|name| json!({ "name": name, "type": "string" })).collect();
        json!({ "tables": [{ "name": "PrimaryResult", "columns": columns, "rows": rows }] })
    }

    #[test]
    fn counts_may_be_strings_and_what_is_empty_is_absent() {
        let rows = json!([
            [
                "203.0.113.9",
                "ci",
                "Login",
                "403",
                "not allowed access",
                "westeurope",
                "",
                "7",
                "2026-01-01T00:00:00Z",
                "2026-01-02T00:00:00Z"
            ],
            ["", "", "Login", 200, "", "", "docker/27", 3, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"],
            [null, null, null, null, null, null, null, null, null, null],
        ]);
        let LoginLog { events, incomplete } = read_answer(&table(&rows));
        let events = events.known().unwrap().clone();
        assert_eq!((events.len(), incomplete), (2, None));
        assert!(events[0].failed() && events[0].blocked() && events[0].count == 7);
        assert_eq!(events[0].user_agent, None);
        assert!(!events[1].failed() && events[1].count == 3 && events[1].caller.is_none());
    }

    #[test]
    fn a_partial_error_keeps_the_rows_and_is_said() {
        let mut answer = table(&json!([]));
        answer["error"] =
            json!({ "code": "PartialError", "message": "There were some errors when processing your query." });
        let log = read_answer(&answer);
        assert_eq!(log.events, Known::Known(Vec::new()));
        assert!(log.incomplete.unwrap().contains("some errors"));
        assert!(!read_answer(&json!({})).events.is_known());
    }

    /// A workspace and its query endpoint on one origin.
    async fn asked(reply: Reply) -> (FakeArm, Result<Value, ReadError>) {
        let fake = FakeArm::start(move |asked| {
            if asked.path().ends_with("/query") {
                return reply.clone();
            }
            Reply::ok(&json!({ "properties": { "customerId": CUSTOMER } }))
        })
        .await;
        let cloud = Cloud { log_analytics: fake.url.clone(), ..fake.cloud() };
        let session = Session::signed_in(cloud, "t0ken");
        let id =
            customer_id(&Arm::new(&session, Duration::from_secs(5), 2), &WORKSPACE.parse().unwrap()).await.unwrap();
        let answer = query(&session, &id, &kql(&WORKSPACE.parse().unwrap()), 24).await;
        (fake, answer)
    }

    #[tokio::test]
    async fn the_workspaces_own_id_is_asked_with_a_bounded_time() {
        let (fake, answer) = asked(Reply::ok(&table(&json!([])))).await;
        assert!(answer.is_ok());
        let last = fake.asked().pop().unwrap();
        assert_eq!(last.path(), format!("/v1/workspaces/{CUSTOMER}/query"));
        assert_eq!(last.authorization.as_deref(), Some("Bearer t0ken"));
        let body: Value = serde_json::from_slice(&last.body).unwrap();
        assert_eq!(body["timespan"], "PT24H");
        assert!(body["query"].as_str().unwrap().contains("_ResourceId =~ \"/subscriptions/s/"));
    }

    #[tokio::test]
    async fn a_refusal_names_the_right() {
        let reply = Reply::error(403, "InsufficientAccessError", "The provided credentials have insufficient access");
        let error = asked(reply).await.1.unwrap_err().unknown();
        assert_eq!(error, Unknown::needing("403 InsufficientAccessError", QUERY_RIGHT));
    }

    #[test]
    fn no_token_goes_out_in_clear() {
        assert!(query_url(&Url::parse("http://logs.example/").unwrap(), "/v1").is_err());
        assert!(query_url(&Url::parse("https://logs.example/").unwrap(), "/v1").is_ok());
    }
}
