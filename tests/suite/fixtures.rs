//! Rule fixtures: a world of tests/worlds, changed, and the exact set of codes that it must give.
//!
//! A file tests/rules/<family>/<slug>.toml holds `[[case]]`s. What a case may say, in the order of application:
//!
//! | key | meaning |
//! |---|---|
//! | `name`, `world` | a sentence; a file of tests/worlds without `.json` |
//! | `faults` | list of `"CODE: NAME"`: what other cases change in their worlds, laid on this one |
//! | `config`, `probe` | JSON merge patch of that half (`probe = false`: nobody probed) |
//! | `registry` | merge patch of /config/registries/0 (`registry = false`: it was not read) |
//! | `login`, `data`, `replica` | merge patch of /probe/endpoints/0, 1, 2 |
//! | `authority`, `arm` | merge patch of /probe/controls/0, 1 |
//! | `set` | table: JSON pointer of the world = value (`/-` appends to an array; `"NULL"` is null) |
//! | `remove` | list of JSON pointers |
//! | `unknown` | list of JSON pointers that become `{ unknown = { why = "not allowed" } }`; `"POINTER needs ACTION"` |
//! | `meets` | list of `"<endpoint> <event> [argument]"`; what the client meets at an endpoint |
//! | `options` | `audit`, `used_by` |
//! | `expect`, `root_cause` | exact sets of codes; `root_cause` may be left out |
//! | `confidence` | table: code = `certain`, `likely` or `possible` |
//! | `severity` | table: code = `error`, `warning` or `info` |
//! | `unknowns` | what the report must list as unknown: parts of a fact's name or of what it needs |
//! | `command` | a command that one of the fixes prints |
//! | `says` | texts that the findings say: in a title, a detail or the summary of a fix |
//!
//! `<endpoint>`: `login`, `data`, `replica`, `authority`, `arm`, `all` (every registry endpoint), `controls`.
//! `<event>`: `dns OUTCOME` (nameNotFound, timedOut, serverFailure, …), `resolves ADDRESS` (the connection too),
//! `tcp OUTCOME`, `tls RESULT`, `closed`, `silent`, `denied ADDRESS` (`unnamed`: the refusal names none), `status NUMBER`, `untested`.
//! A merge patch that names `known` takes away `unknown`, and the other way round.

use acr_doctor::facts::{Confidence, ConfigFacts, ProbeFacts, Report, Severity};
use acr_doctor::reconcile::{Options, reconcile};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::macros::datetime;

use std::collections::BTreeMap;

use crate::{document, golden};

/// A case of a fixture file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) world: String,
    #[serde(default)]
    faults: Vec<String>,
    config: Option<Value>,
    probe: Option<Value>,
    registry: Option<Value>,
    login: Option<Value>,
    data: Option<Value>,
    replica: Option<Value>,
    authority: Option<Value>,
    arm: Option<Value>,
    #[serde(default)]
    set: BTreeMap<String, Value>,
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    unknown: Vec<String>,
    #[serde(default)]
    meets: Vec<String>,
    #[serde(default)]
    options: FixtureOptions,
    pub(crate) expect: Vec<String>,
    pub(crate) root_cause: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) confidence: BTreeMap<String, Confidence>,
    #[serde(default)]
    pub(crate) severity: BTreeMap<String, Severity>,
    #[serde(default)]
    pub(crate) unknowns: Vec<String>,
    pub(crate) command: Option<String>,
    #[serde(default)]
    pub(crate) says: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FixtureOptions {
    #[serde(default)]
    audit: bool,
    #[serde(default)]
    used_by: Vec<String>,
}

/// A fixture file: `dns/name-not-found`, and its cases.
#[derive(Debug)]
pub(crate) struct FixtureFile {
    pub(crate) code: String,
    pub(crate) cases: Vec<Fixture>,
}

/// Every fixture file.
pub(crate) fn all() -> Vec<FixtureFile> {
    let code = |path: &str| path.trim_start_matches("tests/rules/").trim_end_matches(".toml").to_owned();
    let files = golden::files("tests/rules", "toml").into_iter();
    files.map(|path| FixtureFile { code: code(&path), cases: read(&path) }).collect()
}

/// The cases of one file.
pub(crate) fn read(path: &str) -> Vec<Fixture> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        case: Vec<Fixture>,
    }
    let text = std::fs::read_to_string(golden::path(path)).expect("the fixture can be read");
    toml::from_str::<File>(&text).unwrap_or_else(|error| panic!("{path}: {error}")).case
}

/// What another case changes in its own world: `"CODE: NAME"`.
fn fault(reference: &str) -> Vec<document::Change> {
    let (code, name) = reference.split_once(": ").unwrap_or_else(|| panic!("'{reference}' is no CODE: NAME"));
    let cases = read(&format!("tests/rules/{code}.toml"));
    let case = cases.iter().find(|c| c.name == name).unwrap_or_else(|| panic!("{code} has no case '{name}'"));
    document::changes(&world(&case.world), &case.changed_world())
}

/// A world as it stands in its file: `{ "config": …, "probe": … }`.
pub(crate) fn world(name: &str) -> Value {
    let path = format!("tests/worlds/{name}.json");
    let text = std::fs::read_to_string(golden::path(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The facts of a world; no probe where it is null.
pub(crate) fn facts(world: &Value) -> Result<(ConfigFacts, Vec<ProbeFacts>), serde_json::Error> {
    let config = ConfigFacts::deserialize(&world["config"])?;
    let probe = Option::<ProbeFacts>::deserialize(&world["probe"])?;
    Ok((config, probe.into_iter().collect()))
}

/// The options that every fixture starts from.
pub(crate) fn options() -> Options {
    Options::at(datetime!(2026-11-24 01:00 UTC))
}

impl Fixture {
    /// The world of this case, changed.
    pub(crate) fn changed_world(&self) -> Value {
        let mut world = world(&self.world);
        for reference in &self.faults {
            document::apply(&mut world, &fault(reference));
        }
        let patches = [
            ("/config", &self.config),
            ("/probe", &self.probe),
            ("/config/registries/0", &self.registry),
            ("/probe/endpoints/0", &self.login),
            ("/probe/endpoints/1", &self.data),
            ("/probe/endpoints/2", &self.replica),
            ("/probe/controls/0", &self.authority),
            ("/probe/controls/1", &self.arm),
        ];
        for (pointer, patch) in patches {
            match patch {
                None => {}
                Some(Value::Bool(false)) if pointer == "/probe" => world["probe"] = Value::Null,
                Some(Value::Bool(false)) if pointer == "/config/registries/0" => {
                    world["config"]["registries"] = json!([]);
                }
                Some(patch) => merge(self.at(&mut world, pointer), patch),
            }
        }
        for (pointer, value) in &self.set {
            self.set(&mut world, pointer, with_nulls(value));
        }
        for pointer in &self.remove {
            self.remove(&mut world, pointer);
        }
        for line in &self.unknown {
            let (pointer, needs) = line.split_once(" needs ").map_or((line.as_str(), None), |(p, n)| (p, Some(n)));
            let why = needs.map_or(json!({ "why": "not allowed" }), |n| json!({ "why": "not allowed", "needs": n }));
            self.set(&mut world, pointer, json!({ "unknown": why }));
        }
        for event in &self.meets {
            self.meet(&mut world, event);
        }
        world
    }

    /// Whether it asks for more than the facts: an audit, or a service.
    pub(crate) fn has_options(&self) -> bool {
        self.options.audit || !self.options.used_by.is_empty()
    }

    /// What the engine says of it.
    pub(crate) fn report(&self) -> Report {
        self.report_of(&self.changed_world()).unwrap_or_else(|error| panic!("'{}': {error}", self.name))
    }

    /// What the engine says of a world, with the options of this case.
    pub(crate) fn report_of(&self, world: &Value) -> Result<Report, serde_json::Error> {
        let (config, probes) = facts(world)?;
        let mut options = options();
        options.audit = self.options.audit;
        options.used_by.clone_from(&self.options.used_by);
        Ok(reconcile(&config, &probes, &options))
    }

    fn at<'w>(&self, world: &'w mut Value, pointer: &str) -> &'w mut Value {
        world.pointer_mut(pointer).unwrap_or_else(|| panic!("'{}': the world has no {pointer}", self.name))
    }

    fn set(&self, world: &mut Value, pointer: &str, value: Value) {
        let (parent, key) = pointer.rsplit_once('/').expect("a JSON pointer begins with a slash");
        match self.at(world, parent) {
            Value::Array(list) if key == "-" => list.push(value),
            Value::Array(list) => list[key.parse::<usize>().expect("an index")] = value,
            Value::Object(map) => {
                map.insert(key.replace("~1", "/").replace("~0", "~"), value);
            }
            other => panic!("'{}': {parent} is {other}", self.name),
        }
    }

    fn remove(&self, world: &mut Value, pointer: &str) {
        let (parent, key) = pointer.rsplit_once('/').expect("a JSON pointer begins with a slash");
        match self.at(world, parent) {
            Value::Array(list) => {
                list.remove(key.parse::<usize>().expect("an index"));
            }
            Value::Object(map) => {
                map.shift_remove(key).unwrap_or_else(|| panic!("'{}': {pointer} is not there", self.name));
            }
            other => panic!("'{}': {parent} is {other}", self.name),
        }
    }

    fn meet(&self, world: &mut Value, line: &str) {
        let mut words = line.split_whitespace();
        let (who, what) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let argument = words.next();
        let list = if matches!(who, "authority" | "arm" | "controls") { "controls" } else { "endpoints" };
        let observations = world["probe"][list].as_array_mut().expect("endpoints");
        let chosen: Vec<usize> = match who {
            "login" | "authority" => vec![0],
            "data" | "arm" => vec![1],
            "replica" => vec![2],
            "all" | "controls" => (0..observations.len()).collect(),
            other => panic!("'{}': unknown endpoint '{other}'", self.name),
        };
        for index in chosen {
            let endpoint = observations[index].as_object_mut().expect("an endpoint");
            happen(endpoint, what, argument).unwrap_or_else(|| panic!("'{}': cannot play '{line}'", self.name));
        }
    }
}

/// Plays an event at an endpoint: what comes after the rung that breaks is not there.
pub(crate) fn happen(endpoint: &mut Map<String, Value>, what: &str, argument: Option<&str>) -> Option<()> {
    let forget = |endpoint: &mut Map<String, Value>, rungs: &[&str]| {
        for rung in rungs {
            endpoint.shift_remove(*rung);
        }
    };
    match what {
        "dns" => {
            let dns = endpoint.get_mut("dns")?;
            let answer = json!({ "outcome": argument?, "chain": dns["answer"]["chain"], "addresses": [] });
            let servers = dns["servers"].as_array_mut()?;
            for server in servers {
                server["answer"] = answer.clone();
            }
            dns["answer"] = answer;
            endpoint.insert("tcp".to_owned(), json!([]));
            forget(endpoint, &["tls", "http"]);
        }
        "resolves" => {
            let addresses = json!([{ "ip": argument?, "ttl": 60 }]);
            let dns = endpoint.get_mut("dns")?;
            dns["answer"]["addresses"] = addresses.clone();
            let servers = dns["servers"].as_array_mut()?;
            for server in servers {
                server["answer"]["addresses"] = addresses.clone();
            }
            endpoint.get_mut("tcp")?.get_mut(0)?["address"] = json!(argument?);
        }
        "tcp" => {
            endpoint.get_mut("tcp")?.as_array_mut()?.iter_mut().for_each(|tcp| tcp["outcome"] = json!(argument));
            forget(endpoint, &["tls", "http"]);
        }
        "tls" => {
            let tls = endpoint.get_mut("tls")?;
            tls["outcome"] = json!({ "result": argument? });
            if argument? == "unknownIssuer" {
                let chain = tls.get_mut("chain")?.as_array_mut()?;
                for certificate in chain {
                    certificate["issuer"] = json!("CN=Contoso Inspection CA, O=Contoso Ltd");
                }
            }
            forget(endpoint, &["http"]);
        }
        "closed" => endpoint.get_mut("http")?["outcome"] = json!({ "result": "closed" }),
        "silent" => endpoint.get_mut("http")?["outcome"] = json!({ "result": "timedOut" }),
        "denied" if argument? == "unnamed" => {
            endpoint.get_mut("http")?["outcome"] = json!({ "result": "answered", "with": {
                "status": 403, "contentType": "application/json", "isRegistry": true,
                "errors": [{ "code": "DENIED", "message": "requested access to the resource is denied" }] } });
        }
        "denied" => {
            let message = format!(
                "client with IP '{}' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.",
                argument?
            );
            endpoint.get_mut("http")?["outcome"] = json!({ "result": "answered", "with": {
                "status": 403, "contentType": "application/json", "isRegistry": true, "deniedClient": argument?,
                "errors": [{ "code": "DENIED", "message": message }] } });
        }
        "status" => {
            let status: u16 = argument?.parse().ok()?;
            let answer = endpoint.get_mut("http")?.get_mut("outcome")?.get_mut("with")?;
            answer["status"] = json!(status);
            answer["errors"] = json!([]);
        }
        "untested" => {
            endpoint.insert("tcp".to_owned(), json!([]));
            forget(endpoint, &["dns", "tls", "http"]);
        }
        _ => return None,
    }
    Some(())
}

/// TOML has no null: the text `NULL` stands for it.
fn with_nulls(value: &Value) -> Value {
    match value {
        Value::String(text) if text == "NULL" => Value::Null,
        Value::Array(list) => list.iter().map(with_nulls).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), with_nulls(value))).collect(),
        other => other.clone(),
    }
}

/// RFC 7396, with `known` and `unknown` taking each other's place.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let map = target.as_object_mut().expect("made above");
    for (given, other) in [("known", "unknown"), ("unknown", "known")] {
        if patch.contains_key(given) {
            map.shift_remove(other);
        }
    }
    for (key, value) in patch {
        if value.is_null() {
            map.shift_remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
