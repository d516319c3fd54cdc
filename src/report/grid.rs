//! Plain tables: our own columns, and the Azure CLI's table of any value (for `--query`).

use serde_json::Value;
use tabled::builder::Builder;
use tabled::settings::{Padding, Style as Lines};

use super::terminal::{line, sanitise};

/// Rows in aligned columns two blanks apart, without lines around them.
pub(super) fn columns(rows: Vec<Vec<String>>) -> String {
    let mut table = Builder::from_iter(rows).build();
    table.with(Lines::empty()).with(Padding::new(0, 2, 0, 0));
    lines_without_trail(&table.to_string())
}

fn lines_without_trail(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for drawn in text.lines() {
        line(&mut out, drawn.trim_end());
    }
    out
}

/// What the Azure CLI leaves out of every table.
const LEFT_OUT: [&str; 3] = ["id", "type", "etag"];

/// Any value as the Azure CLI draws it: a row an element, a column a scalar member that some element has, without
/// `id`, `type` and `etag`; lists get `Column1`, …, anything else `Result`. An empty list is an empty line.
pub fn grid(value: &Value) -> String {
    let elements = match value {
        Value::Array(elements) => elements.as_slice(),
        one => std::slice::from_ref(one),
    };
    let rows: Vec<Vec<(String, String)>> = elements.iter().map(cells).collect();
    let mut heads: Vec<String> = Vec::new();
    for (head, _) in rows.iter().flatten() {
        if !heads.contains(head) {
            heads.push(head.clone());
        }
    }
    if heads.is_empty() {
        return "\n".to_owned();
    }
    let mut drawn = vec![heads.clone()];
    let widths = heads.iter().map(|head| {
        let cells = rows.iter().flatten().filter(|(name, _)| name == head);
        let widest = cells.map(|(_, cell)| console::measure_text_width(cell)).max().unwrap_or(0);
        // As tabulate, which draws az's tables: a head has two blanks of its own.
        widest.max(console::measure_text_width(head) + 2)
    });
    drawn.push(widths.map(|width| "-".repeat(width)).collect());
    for row in rows {
        let cell = |head: &String| row.iter().find(|(name, _)| name == head).map(|(_, cell)| cell.clone());
        drawn.push(heads.iter().map(|head| cell(head).unwrap_or_default()).collect());
    }
    columns(drawn)
}

fn cells(element: &Value) -> Vec<(String, String)> {
    match element {
        Value::Object(members) => members
            .iter()
            .filter(|(name, member)| {
                !(LEFT_OUT.contains(&name.as_str()) || member.is_null() || member.is_object() || member.is_array())
            })
            .map(|(name, member)| (capital(name), scalar(member)))
            .collect(),
        Value::Array(elements) => {
            elements.iter().enumerate().map(|(index, e)| (format!("Column{}", index + 1), scalar(e))).collect()
        }
        other => vec![("Result".to_owned(), scalar(other))],
    }
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    sanitise(&(first + chars.as_str())).into_owned()
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => sanitise(text).into_owned(),
        other => sanitise(&other.to_string()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_lists_and_scalars_are_drawn_as_az_draws_them() {
        let objects = json!([{"id": "/s", "code": "dns/name-not-found", "n": 1, "deep": {}}, {"code": "x", "ok": true, "no": null}]);
        assert_eq!(
            grid(&objects),
            "Code                N    Ok\n------------------  ---  ----\ndns/name-not-found  1\nx                        True\n"
        );
        assert_eq!(grid(&json!([["a", 1]])), "Column1    Column2\n---------  ---------\na          1\n");
        assert_eq!(grid(&json!("one")), "Result\n--------\none\n");
        assert_eq!(grid(&json!([])), "\n");
    }
}
