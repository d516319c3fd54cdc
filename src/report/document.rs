//! A value as a document: JSON and YAML, plain or with colours.

use serde_json::Value;

use super::terminal::{Ink, Style};

/// JSON, indented by two blanks, with a final line break. With colours this is the Azure CLI's `jsonc`.
pub fn json(value: &Value, style: &Style) -> String {
    let mut out = String::new();
    write_json(value, style, 0, &mut out);
    out.push('\n');
    out
}

fn write_json(value: &Value, style: &Style, depth: usize, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                new_line(out, index, depth);
                out.push_str(&style.paint(Ink::Strong, &quoted(name)));
                out.push_str(": ");
                write_json(member, style, depth + 1, out);
            }
            close(out, depth, '}');
        }
        Value::Array(elements) if !elements.is_empty() => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                new_line(out, index, depth);
                write_json(element, style, depth + 1, out);
            }
            close(out, depth, ']');
        }
        Value::String(text) => out.push_str(&style.paint(Ink::Good, &quoted(text))),
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&style.paint(Ink::Command, &value.to_string())),
    }
}

fn new_line(out: &mut String, index: usize, depth: usize) {
    out.push_str(if index == 0 { "\n" } else { ",\n" });
    out.push_str(&"  ".repeat(depth + 1));
}

fn close(out: &mut String, depth: usize, bracket: char) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(bracket);
}

fn quoted(text: &str) -> String {
    escaped(&Value::from(text).to_string())
}

/// JSON in which what a terminal would obey is escaped beyond what RFC 8259 demands: it stands in strings only.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() || super::terminal::is_deceptive(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let escape = format!("\\u{unit:04x}");
                out.push_str(&escape);
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// JSON, each element of a list on a line of its own.
pub fn json_lines(value: &Value) -> String {
    let elements = match value {
        Value::Array(elements) => elements.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut out = String::new();
    for element in elements {
        super::terminal::line(&mut out, &escaped(&element.to_string()));
    }
    out
}

/// YAML 1.2, in the document's own order. With colours (`yamlc`) the keys stand out.
pub fn yaml(value: &Value, style: &Style) -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let Ok(plain) = serde_saphyr::to_string_with_options(&harmless(value), options) else {
        // A JSON value has no shape that YAML lacks; JSON is YAML all the same (YAML 1.2, section 1.3).
        return json(value, style);
    };
    if !style.colour {
        return plain;
    }
    let mut out = String::with_capacity(plain.len() * 2);
    for line in plain.lines() {
        let start = line.len() - line.trim_start_matches([' ', '-']).len();
        let (indent, rest) = line.split_at(start);
        out.push_str(indent);
        match rest.split_once(':') {
            Some((key, value)) if !key.contains([' ', '"', '\'']) => {
                out.push_str(&style.paint(Ink::Strong, key));
                out.push(':');
                out.push_str(value);
            }
            _ => out.push_str(rest),
        }
        out.push('\n');
    }
    out
}

/// The value with deceptive characters spelled out: YAML lets most of them stand unquoted.
fn harmless(value: &Value) -> Value {
    match value {
        Value::String(text) if text.chars().any(super::terminal::is_deceptive) => {
            Value::String(super::terminal::sanitise(text).into_owned())
        }
        Value::Array(elements) => elements.iter().map(harmless).collect(),
        Value::Object(members) => {
            let member =
                |(name, value): (&String, &Value)| (super::terminal::sanitise(name).into_owned(), harmless(value));
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_without_colours_is_what_serde_writes() {
        let value = json!({"a": [1, 2.5, null, true], "b": {}, "c": [], "d": {"e": "x\n\"y\""}});
        assert_eq!(json(&value, &Style::PLAIN), serde_json::to_string_pretty(&value).unwrap() + "\n");
    }

    #[test]
    fn json_never_carries_what_a_terminal_obeys() {
        let value = json!({"a\u{9b}b": "x\u{1b}[2J\u{202e}\u{e0041}"});
        let text = json(&value, &Style::PLAIN);
        assert!(text.is_ascii(), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn yaml_keeps_the_documents_order_and_quotes_what_would_change_type() {
        let text = yaml(&json!({"b": "1", "a": "yes", "n": "null", "v": "2026-01-01"}), &Style::PLAIN);
        assert!(text.find("b:").unwrap() < text.find("a:").unwrap(), "{text}");
        assert!(!text.contains("b: 1\n") && !text.contains("n: null\n"), "{text}");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((".*", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect()))
            ]
        })
    }

    proptest! {
        #[test]
        fn json_comes_back_as_it_was(value in any_value()) {
            prop_assert_eq!(serde_json::from_str::<Value>(&json(&value, &Style::PLAIN)).unwrap(), value);
        }
    }
}
