//! The same facts from files: what `az acr show`, `az rest`, Resource Graph and ARM templates write.

mod join;
mod template;
mod text;

use serde_json::Value;
use thiserror::Error;

use super::arm::next_link;
use super::read_error::printable;
use super::wire::Fields;
use crate::facts::{Cloud, ConfigFacts};
use join::Join;

/// Why documents give no facts. Each is one sentence that names the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// Not JSON, or cut off.
    #[error("{file} is not JSON at line {line}, column {column}: {message}")]
    NotJson {
        /// The file's name.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The parser's words.
        message: String,
    },
    /// JSON without any resource that decides about a registry's network.
    #[error(
        "{file} holds no resource that is known here; expected the output of `az acr show`, `az rest`, `az graph query`, or an ARM template"
    )]
    NothingKnown {
        /// The file's name.
        file: String,
    },
    /// A snapshot of this program, which another command reads.
    #[error("{file} is an acr-doctor {kind}; give it to `acr-doctor reconcile`")]
    Snapshot {
        /// The file's name.
        file: String,
        /// Its kind.
        kind: String,
    },
    /// A registry without the members that every registry has.
    #[error("{file} holds {lacks}")]
    Registry {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        lacks: String,
    },
    /// No file, or files without a registry.
    #[error("none of the files holds a registry (Microsoft.ContainerRegistry/registries)")]
    NoRegistry,
}

/// Facts from documents on disk, joined by their ids: a registry, its replications, private endpoints, zones, subnets.
///
/// # Errors
/// [`DocumentError`], one variant a mistake. What the documents do not say is Unknown in the facts.
pub fn from_documents(documents: &[(String, Vec<u8>)], cloud: &Cloud) -> Result<ConfigFacts, DocumentError> {
    let mut join = Join::new(cloud.clone());
    for (file, bytes) in documents {
        for document in text::values(file, bytes)? {
            take(&mut join, file, &document, cloud)?;
        }
    }
    let facts = join.into_facts();
    if facts.registries.is_empty() { Err(DocumentError::NoRegistry) } else { Ok(facts) }
}

/// Takes one value of a file.
fn take(join: &mut Join, file: &str, document: &Value, cloud: &Cloud) -> Result<(), DocumentError> {
    if let (Some(version), Some(kind)) = (document.get("apiVersion"), document.get("kind"))
        && version.as_str().is_some_and(|v| v.starts_with("acr-doctor/"))
    {
        let kind = printable(kind.as_str().unwrap_or("document"), 60);
        return Err(DocumentError::Snapshot { file: file.to_owned(), kind });
    }
    let mut taken = 0;
    for resource in resources(document, cloud) {
        let known = join.take(&resource).map_err(|lacks| DocumentError::Registry { file: file.to_owned(), lacks })?;
        taken += usize::from(known);
    }
    if taken == 0 && !is_empty_list(document) {
        return Err(DocumentError::NothingKnown { file: file.to_owned() });
    }
    Ok(())
}

fn is_empty_list(document: &Value) -> bool {
    let list = document.get("value").or_else(|| document.get("data")).unwrap_or(document);
    list.as_array().is_some_and(Vec::is_empty)
}

/// The resources in a document, whichever way they are wrapped.
fn resources(document: &Value, cloud: &Cloud) -> Vec<Value> {
    if template::is_template(document) {
        return template::resources(document, cloud);
    }
    let wrapped = ["value", "data"].iter().find_map(|member| document.get(*member));
    match (document, wrapped) {
        (Value::Array(items), _) | (_, Some(Value::Array(items))) if !is_single(document) => {
            if next_link(document).is_some() {
                tracing::warn!("a list has a nextLink: the document is one page of several");
            }
            items.clone()
        }
        // `az deployment group export` and `az group export` write templates; a lone resource may carry one too.
        _ => vec![document.clone()],
    }
}

/// Whether the document is itself a resource, though it has a member `value` or `data`.
fn is_single(document: &Value) -> bool {
    let fields = Fields::of(document);
    fields.text("id").is_some() && fields.text("name").is_some()
}
