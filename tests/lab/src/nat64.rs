//! The router of an IPv6-only network: unbound makes AAAA records of A records (DNS64), tayga translates packets
//! (NAT64), and the router's own translation gives them the network's public address.

use std::fs;
use std::process::{Child, Command};

use crate::addresses::{NAT64_POOL, NAT64_PREFIX};
use crate::program::{PATH, TAYGA};
use crate::{LabError, namespaces, resolver};

/// Starts both programs in the router's namespace.
pub fn start() -> Result<Vec<Child>, LabError> {
    let directory = "/run/lab/tayga";
    fs::create_dir_all(directory).map_err(LabError::io(directory))?;
    let path = format!("{directory}/tayga.conf");
    let configuration = format!(
        "tun-device nat64\nipv4-addr 192.168.255.1\nipv6-addr 2001:db8:64:1::1\nprefix {NAT64_PREFIX}/96\n\
         dynamic-pool {NAT64_POOL}\ndata-dir {directory}\n"
    );
    fs::write(&path, configuration).map_err(LabError::io(path.clone()))?;
    let mut device = TAYGA.command()?;
    device.args(["-c", &path, "--mktun"]);
    let made = namespaces::inside("router", || device.output())?.map_err(LabError::io(TAYGA.name))?;
    if !made.status.success() {
        let stderr = String::from_utf8_lossy(&made.stderr).into_owned();
        return Err(LabError::Command { command: "tayga --mktun".to_owned(), stderr });
    }
    namespaces::batch(
        "router",
        &format!("link set nat64 up\nroute add {NAT64_POOL} dev nat64\nroute add {NAT64_PREFIX}/96 dev nat64\n"),
    )?;
    // Its output goes to a pipe, where it would be kept back.
    let mut command = Command::new("stdbuf");
    command.args(["-oL", TAYGA.name, "-c", &path, "-d"]).env_clear().env("PATH", PATH);
    let translator = namespaces::inside("router", || TAYGA.start(command))??;
    Ok(vec![translator, resolver::start_dns64()?])
}
