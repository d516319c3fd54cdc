//! ARM templates: resources that do not exist yet, so names, ids and login servers are worked out.

use serde_json::{Map, Value, json};

use crate::config::wire::Fields;
use crate::facts::Cloud;

/// Templates nest deployments; deeper than this is no template that anyone wrote.
const DEEPEST: usize = 8;

pub(super) fn is_template(document: &Value) -> bool {
    let schema = document.get("$schema").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    schema.contains("deploymenttemplate")
        || (document.get("resources").is_some() && document.get("contentVersion").is_some())
}

/// The template's resources, nested deployments included, with what an existing resource would show besides.
pub(super) fn resources(template: &Value, cloud: &Cloud) -> Vec<Value> {
    let mut found = Vec::new();
    collect(template, "", cloud, &mut found, 0);
    found
}

fn collect(template: &Value, above: &str, cloud: &Cloud, found: &mut Vec<Value>, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    let items: Vec<&Value> = match template.get("resources") {
        Some(Value::Array(items)) => items.iter().collect(),
        // Bicep's symbolic names (languageVersion 2.0).
        Some(Value::Object(named)) => named.values().collect(),
        _ => return,
    };
    for item in items {
        let fields = Fields::of(item);
        let kind = fields.text("type").unwrap_or_default();
        let kind = if above.is_empty() || kind.contains('.') { kind.to_owned() } else { format!("{above}/{kind}") };
        if kind.eq_ignore_ascii_case("Microsoft.Resources/deployments") {
            if let Some(inner) = fields.get("template") {
                collect(inner, "", cloud, found, depth + 1);
            }
            continue;
        }
        if let Some(resource) = existing(item, &kind, template, cloud) {
            found.push(resource);
        }
        collect(item, &kind, cloud, found, depth + 1);
    }
}

/// The resource as it would be after the deployment.
fn existing(item: &Value, kind: &str, template: &Value, cloud: &Cloud) -> Option<Value> {
    let parameters = template.get("parameters");
    let mut resource: Map<String, Value> = item.as_object()?.clone();
    let name = plain(item.get("name")?.as_str()?, parameters);
    let (namespace, kinds) = kind.split_once('/')?;
    let mut id = format!("/subscriptions/template/resourceGroups/template/providers/{namespace}");
    for (kind, name) in kinds.split('/').zip(name.split('/').chain(std::iter::repeat("unnamed"))) {
        id = format!("{id}/{kind}/{name}");
    }
    let own_name = name.rsplit('/').next().unwrap_or_default().to_owned();
    resource.insert("type".to_owned(), json!(kind));
    resource.insert("id".to_owned(), json!(id));
    let location = item.get("location").and_then(Value::as_str).map(|l| plain(l, parameters));
    let location = location.filter(|l| l.chars().all(|c| c.is_ascii_alphanumeric() || c == ' '));
    resource.insert("location".to_owned(), json!(location.unwrap_or_else(|| "unknown".to_owned())));
    if kind.eq_ignore_ascii_case("Microsoft.ContainerRegistry/registries") {
        let letters: String = own_name.chars().filter(char::is_ascii_alphanumeric).take(50).collect();
        let name = if letters.len() < 5 { "unnamedregistry".to_owned() } else { letters.to_ascii_lowercase() };
        resource.insert("loginServer".to_owned(), json!(format!("{name}.{}", cloud.registry_suffix)));
        resource.insert("name".to_owned(), json!(name));
    } else {
        resource.insert("name".to_owned(), json!(own_name));
    }
    Some(Value::Object(resource))
}

/// `[parameters('x')]` as its default value or, where it has none, as the parameter's own name.
fn plain(text: &str, parameters: Option<&Value>) -> String {
    let inner = text.trim().strip_prefix("[parameters('").and_then(|t| t.strip_suffix("')]"));
    let Some(name) = inner else {
        return if text.starts_with('[') { "unnamed".to_owned() } else { text.to_owned() };
    };
    let default = parameters.and_then(|p| p.get(name)).and_then(|p| p.get("defaultValue")).and_then(Value::as_str);
    default.filter(|d| !d.starts_with('[')).unwrap_or(name).to_owned()
}
