//! Private namespaces: three or four networks, and a machine's /etc and /run of its own.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{getgid, getuid};

use crate::addresses::{AZURE, CLIENT, CLIENT_GATEWAY, CLIENT_V6, CORP_DNS, CORP_GATEWAY, PROXY, ROUTER, ROUTER_V6};
use crate::world::World;
use crate::{LabError, link};

/// Leaves the machine's namespaces for private ones. The process must have one thread only.
pub fn leave() -> Result<(), LabError> {
    let (user, group) = (getuid(), getgid());
    let mut flags =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS;
    if !user.is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags).map_err(LabError::system("unshare of user, mount, network and process namespaces"))?;
    if !user.is_root() {
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/uid_map", &format!("0 {user} 1"))?;
        write("/proc/self/gid_map", &format!("0 {group} 1"))?;
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).map_err(LabError::system("make mounts private"))
}

/// Gives the new process namespace its own /proc, and the world an empty /run and a writable /etc.
pub fn furnish(world: &World) -> Result<(), LabError> {
    // Without an own /proc the client sees the machine's processes, which matters to few scenarios.
    let _ = mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), None::<&str>);
    tmpfs("/run")?;
    for directory in ["/run/netns", "/run/lab", "/run/lab/home", "/run/lab/etc", "/run/lab/work"] {
        fs::create_dir_all(directory).map_err(LabError::io(directory))?;
    }
    let layers = "lowerdir=/etc,upperdir=/run/lab/etc,workdir=/run/lab/work";
    mount(Some("overlay"), "/etc", Some("overlay"), MsFlags::empty(), Some(layers))
        .map_err(LabError::system("overlay over /etc"))?;
    hide_container_runtimes()?;
    client_files(world)
}

/// Writes the client's files: its resolvers, its hosts file, and what the scenario gives it.
pub fn client_files(world: &World) -> Result<(), LabError> {
    let named = world.client.resolvers.iter().map(|name| match name.as_str() {
        "azure" => crate::addresses::AZURE_DNS.to_string(),
        "corp" | "corp-forwarding" => CORP_DNS.to_string(),
        address => address.to_owned(),
    });
    let resolvers = if world.client.nat64 { vec![ROUTER_V6.to_string()] } else { named.collect() };
    let resolv: Vec<String> = resolvers.into_iter().map(|r| format!("nameserver {r}")).collect();
    replace("/etc/resolv.conf", &format!("{}\noptions timeout:2 attempts:2\n", resolv.join("\n")))?;
    replace("/etc/hosts", &format!("127.0.0.1 localhost\n{}\n", world.client.hosts.join("\n")))?;
    replace("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")?;
    for (path, content) in &world.client.files {
        if !["/etc/", "/run/"].iter().any(|own| path.starts_with(own)) {
            return Err(LabError::Scenario(format!("{path} is not below /etc or /run, which are the world's own")));
        }
        if let Some(parent) = Path::new(path).parent() {
            fs::create_dir_all(parent).map_err(LabError::io(path.clone()))?;
        }
        write(path, content)?;
    }
    Ok(())
}

/// Covers the machine's own container runtimes: a world has what its scenario says, wherever it is held.
fn hide_container_runtimes() -> Result<(), LabError> {
    for directory in ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/bin", "/opt/bin"] {
        for name in ["docker", "dockerd", "podman", "nerdctl", "containerd", "crio"] {
            let program = Path::new(directory).join(name);
            if program.is_file() {
                mount(Some("/dev/null"), &program, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                    .map_err(LabError::system("hide a container runtime"))?;
            }
        }
    }
    Ok(())
}

fn tmpfs(path: &str) -> Result<(), LabError> {
    mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).map_err(LabError::system("tmpfs"))
}

/// Writes a file anew: the overlay must not write through a bind mount of the machine's own file.
fn replace(path: &str, content: &str) -> Result<(), LabError> {
    // Absent is as good as removed; a file that stays is reported by the write below.
    let _ = nix::mount::umount2(path, nix::mount::MntFlags::MNT_DETACH);
    let _ = fs::remove_file(path);
    write(path, content)
}

fn write(path: &str, content: &str) -> Result<(), LabError> {
    fs::write(path, content).map_err(LabError::io(path))
}

/// Makes the networks and joins them.
pub fn connect(world: &World) -> Result<(), LabError> {
    feed("ip", &["-batch", "-"], "netns add client\nnetns add router\nnetns add azure\nnetns add corp\n")?;
    let link = |one: &str, at: &str, other: &str, there: &str| {
        format!("link add {one} netns {at} type veth peer name {other} netns {there}\n")
    };
    let client = if world.link.is_some() { String::new() } else { link("eth0", "client", "c0", "router") };
    let links = client + &link("a0", "router", "eth0", "azure") + &link("p0", "router", "eth0", "corp");
    feed("ip", &["-batch", "-"], &links)?;
    if let Some(link) = &world.link {
        link::start(link)?;
    }
    let default = if world.client.no_default_route {
        "route add 168.63.129.16/32".to_owned()
    } else {
        "route add default".to_owned()
    };
    let address = if world.client.nat64 {
        format!(
            "addr add {CLIENT_V6}/64 dev eth0 nodad\nlink set lo up\nlink set eth0 up\nroute add default via {ROUTER_V6}\n"
        )
    } else {
        format!("addr add {CLIENT}/24 dev eth0\nlink set lo up\nlink set eth0 up\n{default} via {CLIENT_GATEWAY}\n")
    };
    batch("client", &address)?;
    if let Some(address) = world.client.ipv6 {
        // Without duplicate address detection the address can be used at once.
        batch("client", &format!("addr add {address}/64 dev eth0 nodad\nroute add ::/0 dev eth0\n"))?;
    }
    for route in &world.client.routes {
        batch("client", &format!("route add {}\n", crate::router::with_addresses(world, route)))?;
    }
    set_client(world)?;
    let azure_side = ["10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "168.63.129.16/32"];
    let mut routes: Vec<String> = azure_side.iter().map(|net| format!("route add {net} via {AZURE}")).collect();
    if world.client.imds {
        routes.push(format!("route add 169.254.169.254/32 via {AZURE}"));
    }
    batch(
        "router",
        &format!(
            "link set lo up\naddr add {CLIENT_GATEWAY}/24 dev c0\naddr add {ROUTER}/30 dev a0\naddr add {CORP_GATEWAY}/24 dev p0\n\
         link set c0 up\nlink set a0 up\nlink set p0 up\n{}\n",
            routes.join("\n")
        ),
    )?;
    // Whole networks are local to Azure, so that any address of them answers.
    let local: Vec<String> =
        azure_side.iter().chain(&["169.254.169.254/32"]).map(|net| format!("route add local {net} dev lo")).collect();
    let back = "route add 10.20.1.0/24 via 100.64.0.1\nroute add 10.30.0.0/24 via 100.64.0.1\n";
    batch(
        "azure",
        &format!(
            "link set lo up\naddr add {AZURE}/30 dev eth0\nlink set eth0 up\n{}\n{back}route add default via {ROUTER}\n",
            local.join("\n")
        ),
    )?;
    batch(
        "corp",
        &format!(
            "link set lo up\naddr add {PROXY}/24 dev eth0\naddr add {CORP_DNS}/24 dev eth0\nlink set eth0 up\nroute add default via {CORP_GATEWAY}\n"
        ),
    )?;
    inside("router", || write("/proc/sys/net/ipv4/ip_forward", "1"))??;
    if world.client.nat64 {
        batch("router", &format!("addr add {ROUTER_V6}/64 dev c0 nodad\n"))?;
        inside("router", || write("/proc/sys/net/ipv6/conf/all/forwarding", "1"))??;
    }
    set_rules(world)
}

/// Loads the rules of the client's own firewall anew, and sets what its kernel is to have otherwise.
pub fn set_client(world: &World) -> Result<(), LabError> {
    if let Some(rules) = crate::router::client_ruleset(world) {
        inside("client", || feed("nft", &["-f", "-"], &rules))??;
    }
    for (name, value) in &world.sysctls {
        // Those of the network are the namespace's own; all others are the machine's.
        if !name.starts_with("net.") || name.contains('/') {
            return Err(LabError::Scenario(format!("{name} is no setting of a network namespace")));
        }
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        inside("client", || write(&path, value))??;
    }
    Ok(())
}

/// Loads the router's rules anew.
pub fn set_rules(world: &World) -> Result<(), LabError> {
    let rules = crate::router::ruleset(world);
    inside("router", || feed("nft", &["-f", "-"], &rules))??;
    // A private endpoint in the client's own subnet is on its link: the router answers for it.
    let near = crate::router::private_on_link(world);
    if near.is_empty() {
        return Ok(());
    }
    let routes: Vec<String> = near.iter().map(|ip| format!("route replace {ip}/32 via {AZURE}")).collect();
    batch("router", &routes.join("\n"))?;
    let local: Vec<String> = near.iter().map(|ip| format!("route replace local {ip}/32 dev lo")).collect();
    batch("azure", &local.join("\n"))?;
    inside("router", || write("/proc/sys/net/ipv4/conf/c0/proxy_arp", "1"))?
}

/// Runs `ip` with these commands in a namespace.
pub fn batch(namespace: &str, commands: &str) -> Result<(), LabError> {
    feed("ip", &["-n", namespace, "-batch", "-"], commands)
}

/// Runs a program with this input.
fn feed(program: &str, arguments: &[&str], input: &str) -> Result<(), LabError> {
    let command = format!("{program} {}", arguments.join(" "));
    let missing = |e: std::io::Error| LabError::Unsupported(format!("`{program}` cannot be run: {e}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(LabError::io(command.clone()))?;
    }
    let output = child.wait_with_output().map_err(LabError::io(command.clone()))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = format!("{}\n{input}", String::from_utf8_lossy(&output.stderr));
    Err(LabError::Command { command, stderr })
}

/// Puts this thread, and the processes and sockets that it will make, into a network namespace.
pub fn enter(namespace: &str) -> Result<(), LabError> {
    let path = format!("/run/netns/{namespace}");
    let file = File::open(&path).map_err(LabError::io(path))?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(LabError::system("setns"))
}

/// Runs something on a thread in a network namespace.
pub fn inside<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| enter(namespace).map(|()| work()));
        thread.join().map_err(|_| LabError::Scenario(format!("a thread in {namespace} panicked")))?
    })
}
