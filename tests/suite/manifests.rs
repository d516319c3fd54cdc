//! examples/kubernetes: every document is YAML of the shape that Kubernetes takes, and what one names another has.

use std::collections::BTreeSet;

use acr_doctor::cli::args::Arguments;
use clap::Parser;
use serde_json::Value;

use crate::golden::path;

const FILES: [&str; 3] = ["snapshots.yaml", "daemonset.yaml", "job.yaml"];

/// All documents, aliases resolved, with the files that hold them.
fn documents() -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for file in FILES {
        let text = std::fs::read_to_string(path("examples/kubernetes").join(file)).unwrap();
        let read: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        all.extend(read.into_iter().map(|document| (file, document)));
    }
    all
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn names(values: &[Value]) -> BTreeSet<&str> {
    values.iter().map(|v| text(v, "/name")).collect()
}

/// The pods' specifications.
fn pods<'d>(documents: &'d [(&'static str, Value)]) -> Vec<&'d Value> {
    documents.iter().filter_map(|(_, d)| d.pointer("/spec/template/spec")).collect()
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "/initContainers").iter().chain(list(pod, "/containers"))
}

fn of_kind<'d>(documents: &'d [(&'static str, Value)], kind: &str) -> Vec<&'d Value> {
    documents.iter().map(|(_, d)| d).filter(|d| d["kind"] == kind).collect()
}

#[test]
fn every_document_is_of_a_kind_and_has_a_name_in_the_namespace() {
    let documents = documents();
    let kinds: Vec<(&str, &str)> = documents.iter().map(|(_, d)| (text(d, "/apiVersion"), text(d, "/kind"))).collect();
    assert_eq!(
        kinds,
        [
            ("v1", "Namespace"),
            ("v1", "PersistentVolumeClaim"),
            ("apps/v1", "DaemonSet"),
            ("v1", "ServiceAccount"),
            ("batch/v1", "Job")
        ]
    );
    for (file, document) in &documents {
        let name = text(document, "/metadata/name");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{file}: {name}");
        let allowed = ["apiVersion", "kind", "metadata", "spec"];
        assert!(document.as_object().unwrap().keys().all(|k| allowed.contains(&k.as_str())), "{file}: {document}");
        if document["kind"] != "Namespace" {
            assert_eq!(text(document, "/metadata/namespace"), "acr-doctor", "{file}");
        }
    }
}

#[test]
fn what_a_pod_names_is_there() {
    let documents = documents();
    let claims: BTreeSet<&str> =
        of_kind(&documents, "PersistentVolumeClaim").into_iter().map(|d| text(d, "/metadata/name")).collect();
    let accounts: BTreeSet<&str> =
        of_kind(&documents, "ServiceAccount").into_iter().map(|d| text(d, "/metadata/name")).collect();
    assert_eq!(pods(&documents).len(), 2);
    for pod in pods(&documents) {
        let volumes = list(pod, "/volumes");
        for volume in volumes.iter().filter(|v| v.get("persistentVolumeClaim").is_some()) {
            assert!(claims.contains(text(volume, "/persistentVolumeClaim/claimName")));
        }
        if let Some(account) = pod.get("serviceAccountName").and_then(Value::as_str) {
            assert!(accounts.contains(account), "{account}");
        }
        for container in containers(pod) {
            let mounted = names(list(container, "/volumeMounts"));
            assert!(mounted.is_subset(&names(volumes)), "{container}");
            let set: BTreeSet<&str> = names(list(container, "/env"));
            for argument in list(container, "/args").iter().filter_map(Value::as_str) {
                for used in argument.split("$(").skip(1) {
                    assert!(set.contains(used.split(')').next().unwrap()), "{argument}");
                }
            }
        }
    }
    for set in of_kind(&documents, "DaemonSet") {
        let wanted = set["spec"]["selector"]["matchLabels"].as_object().unwrap();
        let labels = &set["spec"]["template"]["metadata"]["labels"];
        assert!(!wanted.is_empty() && wanted.iter().all(|(key, value)| labels[key] == *value));
    }
    // What several nodes write must be writable by several nodes; a job's pods do not start again by themselves.
    assert_eq!(of_kind(&documents, "PersistentVolumeClaim")[0]["spec"]["accessModes"][0], "ReadWriteMany");
    assert_eq!(of_kind(&documents, "Job")[0]["spec"]["template"]["spec"]["restartPolicy"], "Never");
}

#[test]
fn containers_have_only_members_that_kubernetes_knows_and_no_more_rights_than_they_need() {
    let known =
        ["name", "image", "args", "command", "env", "resources", "securityContext", "volumeMounts", "workingDir"];
    for pod in pods(&documents()) {
        for container in containers(pod) {
            let members = container.as_object().unwrap();
            assert!(members.keys().all(|k| known.contains(&k.as_str())), "{container}");
            assert!(!text(container, "/image").is_empty());
            if text(container, "/image") != "IMAGE" {
                continue;
            }
            let rights = &container["securityContext"];
            assert_eq!(rights["allowPrivilegeEscalation"], false, "{container}");
            assert_eq!(rights["readOnlyRootFilesystem"], true);
            assert_eq!(rights["capabilities"]["drop"], serde_json::json!(["ALL"]));
            for mount in list(container, "/volumeMounts").iter().filter(|m| m["name"] == "host") {
                assert_eq!(mount["readOnly"], true, "the node's own files are only read");
            }
        }
    }
}

#[test]
fn the_commands_are_commands() {
    let documents = documents();
    let mut seen = 0;
    for container in pods(&documents).into_iter().flat_map(containers).filter(|c| c["image"] == "IMAGE") {
        let arguments = list(container, "/args").iter().map(|a| a.as_str().expect("a text").to_owned());
        let parsed = Arguments::try_parse_from(std::iter::once("acr-doctor".to_owned()).chain(arguments));
        assert!(parsed.is_ok(), "{container}: {}", parsed.unwrap_err());
        seen += 1;
    }
    assert_eq!(seen, 3);
}
