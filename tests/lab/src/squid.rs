//! The corporate proxy as a real squid: access lists, authentication, and decryption with the corporate authority.

use std::fs;
use std::process::{Child, Command};

use crate::addresses::{CORP_DNS, PROXY, PROXY_PORT};
use crate::authority::Authority;
use crate::program::{PATH, SQUID};
use crate::scenario::ProxySpec;
use crate::world::World;
use crate::{LabError, namespaces};

const DIRECTORY: &str = "/run/lab/squid";
const HELPERS: &str = "/usr/lib/squid";

/// Starts squid in the corporate namespace, if the world's proxy is one.
pub fn start(world: &World, authority: &Authority) -> Result<Option<Child>, LabError> {
    let Some(spec) = world.proxy.as_ref().filter(|proxy| proxy.squid && !proxy.dead) else { return Ok(None) };
    SQUID.path().map_err(LabError::Unsupported)?;
    fs::create_dir_all(DIRECTORY).map_err(LabError::io(DIRECTORY))?;
    write("squid.conf", &configuration(spec, &world.allowed))?;
    if let Some(credentials) = &spec.credentials {
        write("basic.sh", &basic_helper(credentials))?;
    }
    if spec.inspects {
        write("authority.pem", &authority.inspecting_with_key())?;
        certificate_store()?;
    }
    // squid refuses to be root, so it gets a user namespace where it is the user `proxy`.
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-user=13", "--map-group=13", SQUID.name, "-N", "-d", "1"]);
    command.args(["-f", &format!("{DIRECTORY}/squid.conf")]);
    command.env_clear().env("PATH", PATH).current_dir(DIRECTORY);
    namespaces::inside("corp", || SQUID.start(command))?.map(Some)
}

fn write(name: &str, content: &str) -> Result<(), LabError> {
    let path = format!("{DIRECTORY}/{name}");
    fs::write(&path, content).map_err(LabError::io(path))
}

/// The directory where certificates are kept that squid makes; it must be laid out before squid starts, once.
fn certificate_store() -> Result<(), LabError> {
    let store = format!("{DIRECTORY}/certificates");
    if fs::exists(&store).unwrap_or(false) {
        return Ok(());
    }
    let program = format!("{HELPERS}/security_file_certgen");
    let made = Command::new(&program).args(["-c", "-s", &store, "-M", "4MB"]).output();
    let made = made.map_err(LabError::io(program.clone()))?;
    if made.status.success() {
        return Ok(());
    }
    Err(LabError::Command { command: program, stderr: String::from_utf8_lossy(&made.stderr).into_owned() })
}

/// squid asks it `user password`, a line each.
fn basic_helper(credentials: &str) -> String {
    let quoted = credentials.replace('\'', r"'\''");
    format!("while read -r user password; do [ \"$user:$password\" = '{quoted}' ] && echo OK || echo ERR; done\n")
}

fn configuration(spec: &ProxySpec, allowed: &[String]) -> String {
    let mut lines = vec![
        listening(spec),
        format!("dns_nameservers {CORP_DNS}"),
        "hosts_file none".to_owned(),
        "visible_hostname proxy.corp.example".to_owned(),
        "pid_filename none\naccess_log none\ncache_log /dev/null\nlogfile_rotate 0".to_owned(),
        "cache deny all\ncache_mem 0\nnetdb_filename none\npinger_enable off".to_owned(),
        format!("coredump_dir {DIRECTORY}\nshutdown_lifetime 0 seconds"),
    ];
    if spec.inspects {
        lines.push(format!("sslcrtd_program {HELPERS}/security_file_certgen -s {DIRECTORY}/certificates -M 4MB"));
        lines.push("sslcrtd_children 2 startup=1 idle=1".to_owned());
        lines.push("tls_outgoing_options cafile=/run/lab/ca.pem".to_owned());
        lines.push("acl greeting at_step SslBump1\nssl_bump peek greeting".to_owned());
        if !allowed.is_empty() {
            lines.push(format!("acl untouched ssl::server_name {}\nssl_bump splice untouched", allowed.join(" ")));
        }
        lines.push("ssl_bump bump all".to_owned());
    }
    if spec.ntlm {
        lines.push(format!("auth_param ntlm program {HELPERS}/ntlm_fake_auth"));
        lines.push("auth_param ntlm children 1 startup=1 idle=1".to_owned());
    }
    if spec.credentials.is_some() {
        lines.push(format!("auth_param basic program /bin/sh {DIRECTORY}/basic.sh"));
        lines.push("auth_param basic children 1 startup=1 idle=1\nauth_param basic realm Contoso proxy".to_owned());
    }
    lines.extend(access(spec, allowed));
    lines.join("\n") + "\n"
}

fn listening(spec: &ProxySpec) -> String {
    let at = format!("http_port {PROXY}:{PROXY_PORT}");
    if spec.inspects {
        format!(
            "{at} ssl-bump tls-cert={DIRECTORY}/authority.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB"
        )
    } else {
        at
    }
}

/// Who may go where: what was allowed since the world began, then what is denied, then those who are known.
fn access(spec: &ProxySpec, allowed: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let wants_user = spec.credentials.is_some() || spec.ntlm;
    if wants_user {
        lines.push("acl known proxy_auth REQUIRED\nhttp_access deny !known".to_owned());
    }
    for (name, hosts, rule) in [("opened", allowed, "allow"), ("denied", spec.deny.as_slice(), "deny")] {
        let domains: Vec<&str> = hosts.iter().map(|host| host.strip_prefix('*').unwrap_or(host)).collect();
        if !domains.is_empty() {
            lines.push(format!("acl {name} dstdomain -n {}\nhttp_access {rule} {name}", domains.join(" ")));
        }
    }
    lines.push("http_access allow all".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_goes_before_what_is_denied() {
        let spec = ProxySpec { deny: vec!["*.data.azurecr.io".to_owned()], ..ProxySpec::default() };
        let lines = access(&spec, &["myreg.eastus.data.azurecr.io".to_owned()]);
        let opened = "acl opened dstdomain -n myreg.eastus.data.azurecr.io\nhttp_access allow opened";
        let denied = "acl denied dstdomain -n .data.azurecr.io\nhttp_access deny denied";
        assert_eq!(lines, [opened, denied, "http_access allow all"]);
    }
}
