//! examples/kubernetes: every document is what Kubernetes' own types hold, what one names another has, and the commands
//! do what they are there for, with the arguments, the environment and the volumes that they have there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, ServiceAccount};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::doctor::{Ran, doctor, finish, scratch};
use crate::fleet_server::{self, Server};
use crate::golden::path;
use crate::world::{Mode, World};

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

/// What a type does not know is lost on the way through it.
fn through<T: Serialize + DeserializeOwned>(document: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(document.clone()).unwrap()).unwrap()
}

#[test]
fn every_document_is_what_kubernetes_types_hold() {
    for (file, document) in documents() {
        let held = match text(&document, "/kind") {
            "Namespace" => through::<Namespace>(&document),
            "PersistentVolumeClaim" => through::<PersistentVolumeClaim>(&document),
            "ServiceAccount" => through::<ServiceAccount>(&document),
            "DaemonSet" => through::<DaemonSet>(&document),
            "Job" => through::<Job>(&document),
            other => panic!("{file}: {other}"),
        };
        assert_eq!(held, document, "{file}");
    }
}

/// The level `restricted` of Kubernetes' Pod Security Standards, but for the DaemonSet's network and view of the node.
#[test]
fn pods_have_no_more_rights_than_they_need() {
    let documents = documents();
    for pod in pods(&documents) {
        let rights = &pod["securityContext"];
        assert_eq!((&rights["runAsNonRoot"], &rights["runAsUser"]), (&json!(true), &json!(65532)));
        assert_eq!(rights["fsGroup"], rights["runAsGroup"], "the image's user must be able to write to a new volume");
        assert_eq!(rights["seccompProfile"]["type"], "RuntimeDefault");
        for container in containers(pod) {
            let rights = &container["securityContext"];
            assert_eq!(rights["allowPrivilegeEscalation"], false, "{container}");
            assert_eq!(rights["readOnlyRootFilesystem"], true);
            assert_eq!(rights["capabilities"]["drop"], json!(["ALL"]));
            assert!(container["resources"]["limits"]["memory"].is_string(), "{container}");
            for mount in list(container, "/volumeMounts").iter().filter(|m| m["name"] == "host") {
                assert_eq!(mount["readOnly"], true, "the node's own files are only read");
            }
        }
    }
    let user = std::fs::read_to_string(path("packaging/Dockerfile")).unwrap();
    assert!(user.contains("\nUSER 65532:65532\n"), "the image has another user");
    let node = &of_kind(&documents, "DaemonSet")[0]["spec"]["template"]["spec"];
    // With the node's network Kubernetes ignores ClusterFirst; Default is the node's own resolver, which the kubelet asks.
    assert_eq!((&node["hostNetwork"], &node["dnsPolicy"]), (&json!(true), &json!("Default")));
    assert_eq!(node["automountServiceAccountToken"], false);
    let namespace = of_kind(&documents, "Namespace")[0];
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "privileged");
}

#[test]
fn the_job_signs_in_by_workload_identity_and_is_not_tried_again_for_findings() {
    let documents = documents();
    let job = of_kind(&documents, "Job")[0];
    let template = &job["spec"]["template"];
    assert_eq!(template["metadata"]["labels"]["azure.workload.identity/use"], "true");
    let account = of_kind(&documents, "ServiceAccount")[0];
    assert_eq!(template["spec"]["serviceAccountName"], account["metadata"]["name"]);
    assert!(account["metadata"]["annotations"]["azure.workload.identity/client-id"].is_string());
    let rule = &job["spec"]["podFailurePolicy"]["rules"][0];
    assert_eq!((&rule["action"], &rule["onExitCodes"]["values"]), (&json!("FailJob"), &json!([1])));
    let audit = text(rule, "/onExitCodes/containerName");
    assert!(names(list(template, "/spec/containers")).contains(audit));
}

/// A machine with what the pods see of theirs: each volume a directory.
struct Cluster {
    volumes: BTreeMap<String, PathBuf>,
    /// Where the programs start; they have no right to write there.
    home: PathBuf,
    azure: Server,
}

impl Cluster {
    fn new(name: &str) -> Self {
        let directory = scratch(name);
        let volume = |name: &str| {
            let volume = directory.join(name);
            std::fs::create_dir_all(&volume).unwrap();
            (name.to_owned(), volume)
        };
        let volumes = BTreeMap::from([volume("snapshots"), volume("host")]);
        let world = World::new(1, 1, Mode::Graph, 0);
        let azure = fleet_server::start(Arc::new(world), Duration::ZERO, usize::MAX);
        std::fs::write(directory.join("cloud.json"), azure.cloud()).unwrap();
        Self { volumes, home: volume("home").1, azure }
    }

    fn snapshots(&self) -> &Path {
        &self.volumes["snapshots"]
    }

    /// A container's command as the kubelet starts it on a node, with the registry that Azure has here.
    fn command(&self, container: &Value, node: &str) -> Command {
        let mut environment = BTreeMap::new();
        for variable in list(container, "/env") {
            assert_eq!(variable.pointer("/valueFrom/fieldRef/fieldPath").unwrap(), "spec.nodeName");
            environment.insert(text(variable, "/name"), node);
        }
        let mut arguments: Vec<String> =
            list(container, "/args").iter().map(|a| a.as_str().unwrap().to_owned()).collect();
        for argument in &mut arguments {
            *argument = argument.replace("contosoapps", "fleet000000");
            for (name, value) in &environment {
                *argument = argument.replace(&format!("$({name})"), value);
            }
            for mount in list(container, "/volumeMounts") {
                let rest =
                    argument.strip_prefix(text(mount, "/mountPath")).filter(|r| r.is_empty() || r.starts_with('/'));
                if let Some(rest) = rest {
                    *argument = format!("{}{rest}", self.volumes[text(mount, "/name")].display());
                }
            }
        }
        let mut command = doctor(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        command.envs(environment).current_dir(&self.home);
        command
    }

    /// Nothing leaves this machine: the proxy does not exist.
    fn probe(&self, container: &Value, node: &str) -> Ran {
        finish(self.command(container, node).args(["--proxy", "http://127.0.0.1:9", "--timeout", "5"]))
    }

    /// The sign-in of the cluster's webhook is that of the machine here.
    fn config(&self, container: &Value) -> Ran {
        let mut command = self.command(container, "");
        command.env("IDENTITY_ENDPOINT", self.azure.identity()).env("IDENTITY_HEADER", "x");
        finish(command.arg("--cloud").arg(self.home.with_file_name("cloud.json")))
    }
}

/// On Kubernetes the host's name is the node's, for its network is.
fn name_the_host(snapshot: &Path, node: &str) {
    let mut document: Value = serde_json::from_slice(&std::fs::read(snapshot).unwrap()).unwrap();
    let host = document.pointer_mut("/facts/vantage/hostname").unwrap_or_else(|| panic!("no host in a probe snapshot"));
    *host = node.into();
    std::fs::write(snapshot, document.to_string()).unwrap();
}

#[test]
fn the_nodes_snapshots_and_the_jobs_make_one_report() {
    let (documents, cluster) = (documents(), Cluster::new("kubernetes"));
    let [daemon, job] = pods(&documents)[..] else { panic!("not two pods") };
    let probe = &daemon["initContainers"][0];
    for node in ["node-01", "node-02"] {
        let ran = cluster.probe(probe, node);
        assert_eq!(ran.code, 0, "an init container that fails is started again for ever: {ran:?}");
        name_the_host(&cluster.snapshots().join(format!("{node}.probe.json")), node);
    }
    let ran = cluster.config(&job["initContainers"][0]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let audit = finish(&mut cluster.command(&job["containers"][0], ""));
    assert_eq!(audit.code, 1, "the registry cannot be reached: {audit:?}");
    let written =
        std::fs::read_dir(cluster.snapshots()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let expected =
        ["contosoapps.config.json", "node-01.probe.json", "node-02.probe.json", "report.html", "report.sarif"];
    let expected: BTreeSet<String> = expected.iter().map(|name| name.replace("contosoapps", "fleet000000")).collect();
    assert_eq!(written.collect::<BTreeSet<_>>(), expected);
    assert!(std::fs::read_dir(&cluster.home).unwrap().next().is_none(), "the root file system cannot be written to");
    let html = std::fs::read_to_string(cluster.snapshots().join("report.html")).unwrap();
    assert!(html.contains("node-01") && html.contains("proxy/unreachable"));

    let mut joined = doctor(&["reconcile", "-o", "json"]);
    joined.arg("--config").arg(cluster.snapshots()).arg("--probe").arg(cluster.snapshots());
    let report: Value = serde_json::from_str(&finish(&mut joined).stdout).unwrap();
    let seen: Vec<(&str, bool)> = list(&report, "/registries")
        .iter()
        .map(|registry| (text(registry, "/seenFrom"), registry["id"].is_string()))
        .collect();
    assert_eq!(seen, [("node-01", true), ("node-02", true)], "each node's look at the registry that ARM told of");
}
