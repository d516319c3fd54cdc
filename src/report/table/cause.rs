//! A root cause: its title, the evidence of both sides, and the command that mends it.

use serde_json::Value;

use crate::facts::finding::{Confidence, Evidence, Finding, Source};
use crate::facts::{Code, Fix, ResourceId};

use super::super::remedy;
use super::super::terminal::{Ink, Style, line, paragraph, paragraph_of, sanitise};

/// Evidence beyond this many pieces a side is left to the JSON.
const PIECES_A_SIDE: usize = 3;
/// Candidates beyond this many are counted only.
const CANDIDATES: usize = 4;
/// A piece of evidence is cut after this many lines; the JSON has all of it.
const LINES_A_PIECE: usize = 2;

/// Writes a root cause; `told` is what the headline has said already.
pub(super) fn write(finding: &Finding, told: &str, style: &Style, out: &mut String) {
    let label = match finding.confidence {
        Confidence::Certain => "ROOT CAUSE",
        Confidence::Likely => "LIKELY CAUSE",
        Confidence::Possible => "POSSIBLE CAUSE",
    };
    out.push_str(&style.paint(Ink::Bad, label));
    out.push_str("  ");
    out.push_str(&style.paint(Ink::Strong, &sanitise(finding.code.as_str())));
    out.push('\n');
    if !told.to_lowercase().contains(&finding.title.to_lowercase()) {
        paragraph(out, style, "  ", "  ", &finding.title);
    }
    if !finding.detail.is_empty() {
        paragraph(out, style, "  ", "  ", &finding.detail);
    }
    for source in [Source::Config, Source::Vantage, Source::Probe] {
        side(finding, source, style, out);
    }
    doubt(finding, style, out);
    fixes(&finding.fix, style, out);
    if !finding.docs.is_empty() {
        out.push_str(&style.paint(Ink::Faint, &format!("  docs: {}", sanitise(&finding.docs))));
        out.push('\n');
    }
}

/// Without which facts it is not sure, what it may be instead, and the command that decides.
fn doubt(finding: &Finding, style: &Style, out: &mut String) {
    let decider = finding.decided_by.as_ref();
    if let Some(fact) = decider.map(|decider| &decider.fact).or(finding.depends_on_unknown.first()) {
        let others = finding.depends_on_unknown.iter().filter(|other| *other != fact);
        let facts: Vec<&str> = std::iter::once(fact).chain(others).map(String::as_str).collect();
        let needs = decider.and_then(|decider| decider.needs.as_ref());
        let needs = needs.map(|needs| format!(" (needs {needs})")).unwrap_or_default();
        let label = match finding.confidence {
            Confidence::Possible => "  not sure without       ",
            Confidence::Likely | Confidence::Certain => "  not known besides      ",
        };
        paragraph(out, style, label, "    ", &format!("{}{needs}", facts.join(", ")));
    }
    let Some(decider) = decider else { return };
    if !decider.instead.is_empty() {
        let shown: Vec<&str> = decider.instead.iter().take(CANDIDATES).map(Code::as_str).collect();
        let more = decider.instead.len() - shown.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more (see -o json)") };
        paragraph(out, style, "  if not, it may be      ", "    ", &format!("{}{more}", shown.join(", ")));
    }
    if decider.command.is_some() {
        line(out, "  decide with");
        command(decider.command.as_deref(), style, out);
    }
}

fn side(finding: &Finding, source: Source, style: &Style, out: &mut String) {
    let says = match source {
        Source::Config => "  configuration says  ",
        Source::Vantage => "  this client         ",
        Source::Probe => "  from here           ",
    };
    let blank = " ".repeat(says.len());
    let all: Vec<&Evidence> = finding.evidence.iter().filter(|e| e.source == source).collect();
    for (index, evidence) in all.iter().take(PIECES_A_SIDE).enumerate() {
        let first = if index == 0 { style.paint(Ink::Faint, says).into_owned() } else { blank.clone() };
        paragraph_of(LINES_A_PIECE, out, style, &first, &format!("{blank}  "), &sentence(evidence));
    }
    if all.len() > PIECES_A_SIDE {
        line(out, &format!("{blank}and {} more (see -o json)", all.len() - PIECES_A_SIDE));
    }
}

/// One piece of evidence in words: where, then what.
fn sentence(evidence: &Evidence) -> String {
    let mut place = Vec::new();
    if let Some(endpoint) = &evidence.endpoint {
        place.push(endpoint.clone());
    }
    if let Some(stage) = evidence.stage {
        place.push(super::super::ladder::stage_name(stage).to_owned());
    }
    if let Some(resource) = &evidence.resource {
        place.push(short_resource(resource));
    }
    if let Some(pointer) = &evidence.pointer {
        place.push(pointer.trim_start_matches("/properties").trim_start_matches('/').replace('/', "."));
    }
    place.retain(|part| !part.is_empty());
    let what = in_words(&evidence.observed);
    if place.is_empty() { what } else { format!("{}: {what}", place.join(" ")) }
}

/// An ARM id by its last type and name, a subnet with its network; the whole id is in the JSON.
fn short_resource(resource: &str) -> String {
    let network = resource.parse::<ResourceId>().ok().and_then(|id| {
        let network = id.virtual_network().filter(|network| *network != id)?;
        Some(format!("{}/{}", network.name(), id.name()))
    });
    if let Some(subnet) = network {
        return subnet;
    }
    let mut from_the_end = resource.trim_end_matches('/').rsplit('/');
    match (resource.starts_with('/'), from_the_end.next(), from_the_end.next()) {
        (true, Some(name), Some(kind)) => format!("{kind}/{name}"),
        _ => resource.to_owned(),
    }
}

/// A word of a sentence, an ARM id among them shortened.
fn short_word(word: &str) -> String {
    if word.starts_with("/subscriptions/") { short_resource(word) } else { word.to_owned() }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.split(' ').map(short_word).collect::<Vec<_>>().join(" "),
        Value::Array(elements) if elements.is_empty() => "none".to_owned(),
        Value::Array(elements) if elements.iter().all(|e| !e.is_object() && !e.is_array()) => {
            elements.iter().map(in_words).collect::<Vec<_>>().join(", ")
        }
        Value::Object(members) => {
            members.iter().map(|(name, member)| format!("{name} {}", in_words(member))).collect::<Vec<_>>().join(", ")
        }
        Value::Array(elements) => elements.iter().map(|e| format!("({})", in_words(e))).collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// The first fix with its command in full; what else would help, each with its command.
fn fixes(fixes: &[Fix], style: &Style, out: &mut String) {
    for (index, fix) in fixes.iter().enumerate() {
        out.push('\n');
        let label = if index == 0 { "fix: " } else { "or: " };
        let lead = format!("  {}", style.paint(Ink::Good, label));
        for (place, part) in remedy::lines(fix).into_iter().enumerate() {
            paragraph(out, style, if place == 0 { &lead } else { "       " }, "       ", &part.text);
            command(part.command, style, out);
        }
    }
}

/// A command on lines of its own, never wrapped, so that it can be copied.
pub(super) fn command(command: Option<&str>, style: &Style, out: &mut String) {
    for part in command.iter().flat_map(|command| command.lines()) {
        out.push_str("    ");
        out.push_str(&style.paint(Ink::Command, &sanitise(part)));
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn observed_values_read_as_words() {
        assert_eq!(in_words(&json!([])), "none");
        assert_eq!(in_words(&json!(null)), "not set");
        assert_eq!(in_words(&json!(["203.0.113.7", "198.51.100.0/24"])), "203.0.113.7, 198.51.100.0/24");
        assert_eq!(in_words(&json!({"status": 403, "code": "DENIED"})), "status 403, code DENIED");
    }

    #[test]
    fn a_resource_is_named_by_its_type_and_name() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/contoso";
        assert_eq!(short_resource(id), "registries/contoso");
        assert_eq!(short_resource("resolv.conf"), "resolv.conf");
        let subnet = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/apps/subnets/nodes";
        assert_eq!(short_resource(subnet), "apps/nodes");
    }
}
