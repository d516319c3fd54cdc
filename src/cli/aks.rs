//! `check --from aks`: whether the nodes of a cluster may pull, as the configuration says, and the command that looks from
//! one of them.

use std::time::Duration;

use time::OffsetDateTime;

use crate::config::{self, ClientHints, ClusterReference, ReadRequest, Session, Target, read_cluster, read_roles};
use crate::facts::report::NodesReport;
use crate::facts::{ConfigFacts, Known, Report};
use crate::reconcile::{Options, command, reconcile};
use crate::report;

use super::args::CheckArguments;
use super::check::{MAX_IN_FLIGHT, http_settings};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::reconcile::decided;
use super::snapshot_file::save;
use super::target::{Aim, aim};

/// How long each of the three reads may take: the cluster, the registry, the roles.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run(arguments: &CheckArguments, output: &Output) -> Result<Outcome, Failure> {
    let registry = &arguments.registry;
    let asked = registry.name.as_deref().ok_or(Failure::Missing("check needs a registry: --name NAME"))?;
    let aim = aim(asked, registry.cloud.as_deref())?;
    let (Some(resource_group), Some(name)) = (registry.resource_group.clone(), arguments.cluster.clone()) else {
        return Err(Failure::Missing("--from aks needs a cluster: --cluster NAME --resource-group GROUP"));
    };
    let cluster = ClusterReference { resource_group, name, subscription: registry.subscription.clone() };
    let vantage = &arguments.vantage;
    let http = http_settings(vantage.proxy.as_ref(), vantage.ca_file.as_deref(), PATIENCE)?;
    let session =
        Session::new(aim.cloud.clone(), http, registry.tenant.clone()).for_subscription(registry.subscription.clone());
    let facts = tokio::select! {
        // First and in this order, so that the signal is caught from the beginning.
        biased;
        _ = tokio::signal::ctrl_c() => return Ok(Outcome::Interrupted),
        facts = Box::pin(read(&session, &aim, &cluster)) => facts?,
    };
    let report = judge(&facts, &arguments.used_by, probe_command(&aim, arguments.probe_image.as_deref()));
    output.report(&report, |style| format!("{}\n{}", report::nodes(&report, style), report::table(&report, style)))?;
    let outcome = Outcome::of(&report, arguments.verdict.fail_on, decided(&facts));
    if let Some(file) = &arguments.save {
        save(facts, file, output)?;
    }
    Ok(outcome)
}

/// The registry as seen from the cluster's subnets, and the cluster.
async fn read(session: &Session, aim: &Aim, reference: &ClusterReference) -> Result<ConfigFacts, Failure> {
    let mut cluster = read_cluster(session, reference, PATIENCE)
        .await
        .map_err(|why| Failure::Cluster { name: reference.name.clone(), why })?;
    let mut subnets = cluster.node_subnets().into_iter().cloned();
    let client = ClientHints { subnet: subnets.next(), more_subnets: subnets.collect(), ..ClientHints::default() };
    let request = ReadRequest {
        cloud: aim.cloud.clone(),
        target: Target::Registry(aim.reference.clone()),
        subscription: reference.subscription.clone(),
        // The group is the cluster's.
        resource_group: None,
        client,
        deadline: PATIENCE,
        max_in_flight: MAX_IN_FLIGHT,
    };
    let mut facts = config::read(&request, session).await;
    if let Some(registry) = facts.registries.first() {
        cluster.roles = read_roles(session, &registry.id, &cluster.kubelet_identity, PATIENCE).await;
    }
    facts.cluster = Some(cluster);
    Ok(facts)
}

/// The report from the first node subnet, with what only another one shows.
fn judge(facts: &ConfigFacts, used_by: &[String], probe_command: String) -> Report {
    let options = Options { used_by: used_by.to_vec(), ..Options::at(OffsetDateTime::now_utc()) };
    let mut report = reconcile(facts, &[], &options);
    let Some(cluster) = &facts.cluster else { return report };
    for subnet in cluster.node_subnets().into_iter().skip(1) {
        let elsewhere = ConfigFacts {
            client_subnet: Known::Known(Some(subnet.clone())),
            client_virtual_network: Known::Known(subnet.virtual_network()),
            ..facts.clone()
        };
        report.add_findings(reconcile(&elsewhere, &[], &options));
    }
    report.nodes = Some(NodesReport { cluster: cluster.clone(), probe_command });
    report
}

/// `kubectl run`: on a node's own network, with its resolver, its trust and its runtime's files; the snapshot comes back
/// on standard output.
fn probe_command(aim: &Aim, image: Option<&str>) -> String {
    let overrides = serde_json::json!({ "spec": {
        "hostNetwork": true, "dnsPolicy": "Default", "automountServiceAccountToken": false,
        "nodeSelector": { "kubernetes.io/os": "linux" }, "tolerations": [{ "operator": "Exists" }],
        "volumes": [{ "name": "host", "hostPath": { "path": "/" } }, { "name": "trust", "hostPath": { "path": "/etc/ssl/certs" } }],
        "containers": [{
            "name": "acr-doctor", "image": image.unwrap_or("IMAGE"),
            "args": ["probe", aim.login_server.as_str(), "--runtime-root", "/host", "--save", "/dev/stdout", "-o", "none",
                     "--only-show-errors", "--fail-on", "never"],
            "volumeMounts": [{ "name": "host", "mountPath": "/host", "readOnly": true },
                             { "name": "trust", "mountPath": "/etc/ssl/certs", "readOnly": true }]
        }]
    } });
    let overrides = format!("--overrides={overrides}");
    let image = format!("--image={}", image.unwrap_or("IMAGE"));
    let words = [
        "kubectl",
        "run",
        "acr-doctor",
        "--rm",
        "-i",
        "--quiet",
        "--restart=Never",
        image.as_str(),
        overrides.as_str(),
    ];
    format!("{} > node.probe.json", command::line(words))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::Value;

    use super::*;
    use crate::cli::args::Arguments;

    /// What `kubectl` is given must be JSON, and what the pod runs must be a command of this program.
    #[test]
    fn the_pod_runs_what_this_program_understands() {
        let command = probe_command(&aim("contoso", None).unwrap(), Some("contoso.azurecr.io/acr-doctor:1"));
        let overrides = command.split("'--overrides=").nth(1).unwrap().split('\'').next().unwrap();
        let pod: Value = serde_json::from_str(overrides).unwrap();
        let container = pod.pointer("/spec/containers/0").unwrap();
        assert_eq!(container["image"], "contoso.azurecr.io/acr-doctor:1");
        let arguments = container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let parsed = Arguments::try_parse_from(std::iter::once("acr-doctor").chain(arguments));
        assert!(parsed.is_ok(), "{:?}", parsed.err());
        let mounted: Vec<&Value> = container["volumeMounts"].as_array().unwrap().iter().map(|m| &m["name"]).collect();
        let volumes: Vec<&Value> =
            pod.pointer("/spec/volumes").unwrap().as_array().unwrap().iter().map(|v| &v["name"]).collect();
        assert_eq!(mounted, volumes);
        assert!(command.ends_with(" > node.probe.json") && command.starts_with("kubectl run acr-doctor "));
    }
}
