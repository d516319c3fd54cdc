//! What a release is made of: manual pages, completions, archives, manifests, the image and the package.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use crate::doctor::{doctor, finish, run, scratch};
use crate::golden::{path, root};
use crate::tools::tool;

/// Every command that `--help` lists.
fn commands() -> Vec<String> {
    let help = run(&["--help"]).stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| line.starts_with("  "));
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned));
    names.filter(|name| !name.is_empty()).collect()
}

fn text(relative: &str) -> String {
    std::fs::read_to_string(path(relative)).unwrap()
}

fn ran(command: &mut Command) -> Output {
    command.current_dir(root()).output().unwrap()
}

#[test]
fn every_command_has_a_manual_page() {
    let directory = scratch("man");
    let written = run(&["man", "--dir", directory.to_str().unwrap()]);
    assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{}", written.stderr);
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for command in &commands {
        let page = std::fs::read_to_string(directory.join(format!("acr-doctor-{command}.1"))).unwrap();
        assert!(page.contains(".TH acr-doctor-") && page.contains(".SH NAME"), "{command}");
        assert_eq!(run(&["man", command]).stdout, page, "{command}");
    }
    let own = std::fs::read_to_string(directory.join("acr-doctor.1")).unwrap();
    assert_eq!(run(&["man"]).stdout, own);
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), commands.len() + 1);
    assert_eq!(run(&["man", "frobnicate"]).code, 2);
    let nowhere = run(&["man", "--dir", directory.join("missing").to_str().unwrap()]);
    assert_eq!(nowhere.code, 2, "{}", nowhere.stderr);
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]).stdout;
        for command in commands() {
            assert!(script.contains(&command), "{shell} does not know {command}");
        }
        // PowerShell's and Elvish's have no values of options.
        let values = !["powershell", "elvish"].contains(&shell);
        assert_eq!(script.contains("azure-firewall"), values, "{shell} and the values of --format");
    }
}

/// Each shell reads its own script, and refuses one that is cut off.
#[test]
fn shells_take_their_completions() {
    let directory = scratch("completions");
    for shell in ["bash", "zsh", "fish"] {
        let Some(program) = tool(&[shell]) else { continue };
        let takes = |script: &str| {
            let file = directory.join(shell);
            std::fs::write(&file, script).unwrap();
            ran(Command::new(&program).arg("-n").arg(&file)).status.success()
        };
        let script = run(&["completions", shell]).stdout;
        assert!(takes(&script), "{shell}");
        assert!(!takes(&format!("{script}\nif true")), "{shell} takes everything");
    }
}

#[test]
fn a_manual_page_has_no_error_of_roff() {
    let Some(mandoc) = tool(&["mandoc"]) else { return };
    let directory = scratch("roff");
    assert_eq!(run(&["man", "--dir", directory.to_str().unwrap()]).code, 0);
    let pages = std::fs::read_dir(&directory).unwrap().map(|page| page.unwrap().path());
    let lint = ran(Command::new(mandoc).args(["-T", "lint", "-W", "error"]).args(pages));
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
}

/// What the manifests are told: every archive that a release has.
fn sums() -> String {
    let targets =
        ["aarch64-unknown-linux-musl", "x86_64-unknown-linux-musl", "aarch64-apple-darwin", "x86_64-apple-darwin"];
    let archives = targets.iter().map(|target| format!("acr-doctor-1.2.3-{target}.tar.gz"));
    let archives = archives.chain(["acr-doctor-1.2.3-x86_64-pc-windows-msvc.zip".to_owned()]);
    let lines = archives.enumerate().map(|(index, name)| format!("{}  {name}", format!("{index:x}a").repeat(32)));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn manifests(directory: &Path, version: &str, sums: &str) -> Output {
    let file = directory.join("SHA256SUMS");
    std::fs::write(&file, sums).unwrap();
    let base = "https://example.com/acr-doctor/releases/download/v1.2.3/";
    ran(Command::new("packaging/manifests.sh").args([version, base]).arg(&file).arg(directory))
}

#[test]
fn manifests_hold_the_versions_addresses_and_checksums() {
    let directory = scratch("manifests");
    let made = manifests(&directory, "v1.2.3", &sums());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    let formula = read("homebrew/acr-doctor.rb");
    for (index, line) in sums().lines().take(4).enumerate() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert!(formula.contains(&format!("/download/v1.2.3/{name}\"\n      sha256 \"{sum}\"")), "{index}: {formula}");
    }
    assert!(formula.contains("homepage \"https://example.com/acr-doctor\"") && formula.contains("version \"1.2.3\""));
    let installer = read("winget/AcrDoctor.AcrDoctor.installer.yaml");
    assert!(installer.contains(&format!("InstallerSha256: {}", "4A".repeat(32))), "{installer}");
    for name in ["installer", "locale.en-US"].map(|kind| format!("winget/AcrDoctor.AcrDoctor.{kind}.yaml")) {
        assert!(read(&name).contains("PackageVersion: 1.2.3\n"), "{name}");
    }
    assert!(read("winget/AcrDoctor.AcrDoctor.yaml").contains("ManifestType: version"));
    assert!(!manifests(&directory, "1.2.3; rm -rf /", &sums()).status.success());
    let incomplete = manifests(&directory, "1.2.3", sums().split_once('\n').unwrap().1);
    assert!(!incomplete.status.success(), "an archive without a checksum");
    assert!(String::from_utf8_lossy(&incomplete.stderr).contains("no checksum of acr-doctor-1.2.3-aarch64"));
}

#[test]
fn an_archive_holds_what_a_user_installs() {
    let directory = scratch("archive");
    let binary = directory.join("acr-doctor");
    std::fs::write(&binary, "stands for the binary").unwrap();
    let pack = || {
        let runs = env!("CARGO_BIN_EXE_acr-doctor");
        let made = ran(Command::new("packaging/archive.sh")
            .env("RUNS", runs)
            .arg(&binary)
            .arg("x86_64-unknown-linux-musl")
            .arg(&directory));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        directory.join(Path::new(String::from_utf8(made.stdout).unwrap().trim()).file_name().unwrap())
    };
    let archive = pack();
    let name = format!("acr-doctor-{}-x86_64-unknown-linux-musl.tar.gz", env!("CARGO_PKG_VERSION"));
    assert_eq!(archive.file_name().unwrap().to_str(), Some(name.as_str()));
    let listed = String::from_utf8(ran(Command::new("tar").arg("-tzf").arg(&archive)).stdout).unwrap();
    let wanted = ["acr-doctor", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md", "man/acr-doctor-check.1"];
    let shells = ["acr-doctor.bash", "_acr-doctor", "acr-doctor.fish", "acr-doctor.ps1"];
    for file in wanted.into_iter().map(str::to_owned).chain(shells.map(|shell| format!("completions/{shell}"))) {
        assert!(listed.lines().any(|line| line == format!("./{file}")), "{file} is not in {listed}");
    }
    let first = std::fs::read(&archive).unwrap();
    assert_eq!(std::fs::read(pack()).unwrap(), first, "the same files give the same archive");
}

#[test]
fn the_workflow_builds_what_the_manifests_name() {
    let workflow = text(".github/workflows/release.yml");
    let built: BTreeSet<&str> =
        workflow.lines().filter_map(|line| line.trim().strip_prefix("- { target: ")?.split(',').next()).collect();
    for line in sums().lines() {
        let target = line.split("acr-doctor-1.2.3-").nth(1).unwrap();
        let target = target.trim_end_matches(".tar.gz").trim_end_matches(".zip");
        assert!(built.contains(target), "{target} is not built: {built:?}");
    }
    assert!(workflow.contains("check advisories"));
}

/// The workflow as YAML: each job waits for one that exists, each step has one thing to do, and what it runs of the
/// repository is there.
#[test]
fn every_step_of_the_workflow_can_be_taken() {
    let workflow: serde_json::Value = serde_saphyr::from_str(&text(".github/workflows/release.yml")).unwrap();
    let jobs = workflow["jobs"].as_object().unwrap();
    let mut ours = BTreeSet::new();
    for (name, job) in jobs {
        assert!(job["runs-on"].is_string(), "{name} runs nowhere");
        assert!(job.get("needs").is_none_or(|other| jobs.contains_key(other.as_str().unwrap())), "{name}");
        for step in job["steps"].as_array().unwrap() {
            assert_ne!(step["run"].is_string(), step["uses"].is_string(), "{name}: {step}");
            let words = step["run"].as_str().unwrap_or_default().split([' ', '\n', '"', '\'', '(', ')', ';']);
            let starts = ["packaging/", ".ci/", "tests/", "benches/", "docs/"];
            ours.extend(words.filter(|word| starts.iter().any(|start| word.starts_with(start))).map(str::to_owned));
        }
    }
    for file in &ours {
        assert!(path(file).exists(), "{file} is not there");
    }
    for file in [".ci/run", "packaging/archive.sh", "packaging/manifests.sh", "packaging/Dockerfile"] {
        assert!(ours.contains(file), "{file} is not used: {ours:?}");
    }
    // cargo reads .cargo/config.toml where it builds: in the checkout, and in the image's source.
    assert!(path(".cargo/config.toml").exists() && !text(".dockerignore").contains(".cargo"));
}

#[test]
fn the_image_is_the_static_binary_and_nothing_else() {
    let file = text("packaging/Dockerfile");
    let last = file.rsplit_once("FROM ").unwrap().1;
    assert!(last.starts_with("scratch\n") && last.contains("ENTRYPOINT [\"/acr-doctor\"]"), "{last}");
    assert!(!last.contains("RUN") && last.contains("USER 65532"), "{last}");
    assert!(file.contains("target-feature=+crt-static"));
}

/// `cargo package` takes what builds and documents the program, and none of the laboratory.
#[test]
fn the_package_is_clean() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let listed = ran(Command::new(cargo).args(["package", "--list", "--allow-dirty", "--offline", "-p", "acr-doctor"]));
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: BTreeSet<&str> = listed.lines().collect();
    for needed in
        ["Cargo.toml", "Cargo.lock", "README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "src/main.rs"]
    {
        assert!(files.contains(needed), "{needed} is not in the package");
    }
    let sources: Vec<String> =
        crate::golden::files("src", "rs").into_iter().chain(crate::golden::files("src", "toml")).collect();
    for source in &sources {
        assert!(files.contains(source.as_str()), "{source} is not in the package");
    }
    let foreign: Vec<&&str> = files
        .iter()
        .filter(|file| {
            ["tests/", "benches/", ".ci/", ".github/", "packaging/", "target/"].iter().any(|d| file.starts_with(d))
        })
        .collect();
    assert_eq!(foreign, [&""; 0], "not for users");
    assert!(!finish(&mut doctor(&["--version"])).stdout.is_empty());
}
