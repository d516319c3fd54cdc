//! `-o` and `--query` as the Azure CLI writes them: knack, which az uses, is given the same document and query.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use acr_doctor_lab::az;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::{Found, root};

/// Scalars, lists, objects, hashes and their order, what is missing, what is empty, what is nested.
const QUERIES: [&str; 30] = [
    "registries[].name",
    "registries[0].name",
    "registries[0]",
    "registries[0].nothing",
    "registries[0].{verdict:verdict,name:name}",
    "registries[].{a:nothing,b:name}",
    "registries[].{Id:id,type:name,name:name}",
    "registries[?verdict=='none']",
    "registries[].findings[].{severity:severity,code:code,root:rootCause}",
    "registries[].findings[].[severity,code,rootCause]",
    "registries[].findings[?severity=='error'].code | [0]",
    "registries[0].findings[0].rootCause",
    "registries[0].paths[].{e:endpoint,s:stages}",
    "registries[0].paths[].stages[].ms",
    "[registries[0].name, null, summary.blocked]",
    "sort_by(registries[0].findings, &code)[].code",
    "registries[0].paths[*].endpoint | join(',', @)",
    "summary",
    "summary.blocked",
    "length(registries)",
    "{z:summary.blocked,a:summary.healthy}",
    "{a:{c:summary,b:summary.blocked}}",
    "vantage.addresses",
    "`1.0`",
    "`[]`",
    "`[[]]`",
    "`[null]`",
    "`[true,false]`",
    "`[[true,[1],{}]]`",
    "`[{\"a\":null},{\"a\":1}]`",
];

/// Reads document, query and format from standard input, and writes what az would.
const AS_AZ: &str = r#"
import collections, json, sys
import jmespath
from knack.output import OutputProducer
from knack.util import CommandResultItem
asked = json.load(sys.stdin)
result = jmespath.search(asked["query"], asked["document"], jmespath.Options(collections.OrderedDict))
if result is not None:
    sys.stdout.write(OutputProducer._FORMAT_DICT[asked["format"]](CommandResultItem(result, is_query_active=True)))
"#;

/// One trial for each format.
pub(crate) fn trials(found: &Found) -> Vec<Trial> {
    let trial = |format: &'static str| found.trial(format!("output/{format}"), found.az, move || compare(format));
    ["json", "yaml", "table", "tsv"].map(trial).into()
}

fn compare(format: &str) -> Result<(), Failed> {
    let document: Value = serde_json::from_str(&ours(&["-o", "json"])?)?;
    for query in QUERIES {
        let (ours, az) = (ours(&["-o", format, "--query", query])?, as_az(&document, query, format)?);
        // az sorts the members of JSON and YAML, and quotes in YAML what we do not.
        let same = match format {
            "json" | "yaml" => said(&ours)? == said(&az)?,
            _ => ours == az,
        };
        if !same {
            return Err(format!("--query \"{query}\" -o {format}\naz:\n{az}\nhere:\n{ours}").into());
        }
    }
    Ok(())
}

/// What a text says, JSON being YAML; an empty one nothing.
fn said(text: &str) -> Result<Option<Value>, Failed> {
    if text.is_empty() { Ok(None) } else { Ok(Some(serde_saphyr::from_str(text)?)) }
}

/// The report of an example, as this program writes it.
fn ours(more: &[&str]) -> Result<String, Failed> {
    let example = root().join("examples/tls-intercepted");
    let ran = Command::new(env!("CARGO_BIN_EXE_acr-doctor"))
        .arg("reconcile")
        .arg("--config")
        .arg(example.join("config.json"))
        .arg("--probe")
        .arg(example.join("probe.json"))
        .args(more)
        .output()?;
    Ok(String::from_utf8(ran.stdout)?)
}

fn as_az(document: &Value, query: &str, format: &str) -> Result<String, Failed> {
    let asked = serde_json::json!({ "document": document, "query": query, "format": format }).to_string();
    let mut python = Command::new(python(&az::program()?))
        .arg("-c")
        .arg(AS_AZ)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    python.stdin.take().ok_or("no standard input")?.write_all(asked.as_bytes())?;
    let ended = python.wait_with_output()?;
    if !ended.status.success() {
        return Err(format!("az has no answer to \"{query}\"").into());
    }
    Ok(String::from_utf8(ended.stdout)?)
}

/// The interpreter beside az in its virtual environment.
fn python(az: &Path) -> PathBuf {
    az.with_file_name("python")
}
