//! Resource Graph, page by page.

use serde_json::{Value, json};

use super::super::arm::Arm;
use super::super::read_error::ReadError;
use super::Scope;
use crate::facts::config::ReadFailure;

const PATH: &str = "/providers/Microsoft.ResourceGraph/resources";
const VERSION: &str = "2022-10-01";
/// The most rows that a page may have.
const ROWS: usize = 1000;
/// The most subscriptions that one request may name.
const SUBSCRIPTIONS: usize = 1000;
/// A query that has more pages than this never ends.
const MOST_PAGES: usize = 10_000;

/// A query over a scope, read page by page.
pub(super) struct Pages<'a> {
    arm: &'a Arm,
    query: &'a str,
    /// The parts of the scope that are left, the current one last.
    parts: Vec<Value>,
    token: Option<String>,
    count: usize,
    announced: usize,
    /// How many rows the next page may have: fewer once a page was too large for one answer.
    most_rows: usize,
}

impl<'a> Pages<'a> {
    pub(super) fn new(arm: &'a Arm, query: &'a str, scope: &Scope) -> Self {
        let mut parts = parts_of(scope);
        parts.reverse();
        Self::of(arm, query, parts)
    }

    /// The query over each part of the scope by itself.
    pub(super) fn of_each_part(arm: &'a Arm, query: &'a str, scope: &Scope) -> Vec<Self> {
        parts_of(scope).into_iter().map(|part| Self::of(arm, query, vec![part])).collect()
    }

    fn of(arm: &'a Arm, query: &'a str, parts: Vec<Value>) -> Self {
        Self { arm, query, parts, token: None, count: 0, announced: 0, most_rows: ROWS }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Value>>, ReadError> {
        let Some(part) = self.parts.last().cloned() else { return Ok(None) };
        self.count += 1;
        if self.count > MOST_PAGES {
            return Err(ReadError::new(PATH, ReadFailure::Malformed, "the query does not end"));
        }
        let mut page = self.answer(part).await?;
        let Some(Value::Array(rows)) = page.get_mut("data").map(Value::take) else {
            return Err(ReadError::new(PATH, ReadFailure::Malformed, "the answer has no list in 'data'"));
        };
        if self.token.is_none() {
            let all = page.get("totalRecords").and_then(Value::as_u64).and_then(|all| usize::try_from(all).ok());
            self.announced += all.unwrap_or_default();
        }
        let token = page.get("$skipToken").and_then(Value::as_str).filter(|token| !token.is_empty());
        let cut = page.get("resultTruncated").is_some_and(|v| v == "true" || v == &Value::Bool(true));
        if token.is_none() && cut {
            let words = "the answer is cut off and names no continuation";
            return Err(ReadError::new(PATH, ReadFailure::Malformed, words));
        }
        if token.is_some() && token == self.token.as_deref() {
            return Err(ReadError::new(PATH, ReadFailure::Malformed, "the continuation leads back"));
        }
        self.token = token.map(str::to_owned);
        if self.token.is_none() {
            self.parts.pop();
        }
        Ok(Some(rows))
    }

    /// The answer to the query from where it stands, with fewer rows where they are too large for one answer.
    async fn answer(&mut self, part: Value) -> Result<Value, ReadError> {
        let mut body = part;
        loop {
            let mut options = json!({ "$top": self.most_rows, "resultFormat": "objectArray" });
            if let (Some(token), Value::Object(options)) = (&self.token, &mut options) {
                options.insert("$skipToken".to_owned(), token.clone().into());
            }
            if let Value::Object(body) = &mut body {
                body.insert("query".to_owned(), self.query.into());
                body.insert("options".to_owned(), options);
            }
            match self.arm.query(PATH, VERSION, &body).await {
                Err(error) if is_too_large(&error) && self.most_rows > 1 => self.most_rows = self.most_rows.div_ceil(4),
                answer => return answer,
            }
        }
    }

    /// The rows that there are, as the first page of each part of the scope told.
    pub(super) fn announced(&self) -> usize {
        self.announced
    }

    /// Every row through `take`.
    pub(super) async fn each(mut self, mut take: impl FnMut(Value)) -> Result<(), ReadError> {
        while let Some(rows) = self.next().await? {
            rows.into_iter().for_each(&mut take);
        }
        Ok(())
    }
}

/// Whether the rows asked for are more than one answer holds: "Response payload size is 24813879, and has exceeded the
/// limit of 16777216", a detail of a 400 that itself says nothing.
pub(super) fn is_too_large(error: &ReadError) -> bool {
    error.failure == ReadFailure::TooLarge || (error.status == Some(400) && error.has_detail("ResponsePayloadTooLarge"))
}

/// The scope in parts of which one request may name each.
fn parts_of(scope: &Scope) -> Vec<Value> {
    match scope {
        Scope::ManagementGroup(group) => vec![json!({ "managementGroups": [group] })],
        Scope::Subscriptions(ids) => ids.chunks(SUBSCRIPTIONS).map(|part| json!({ "subscriptions": part })).collect(),
    }
}
