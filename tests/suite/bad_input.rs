//! What bad input gets: one sentence with the file and the place, exit 2, no panic.

use std::fs::{self, File};
use std::path::Path;

use serde_json::{Value, json};

use crate::doctor::{Ran, golden, run, scratch};
use crate::golden::root;

fn reconcile(config: &Path) -> Ran {
    run(&["reconcile", "--config", config.to_str().unwrap()])
}

/// The sentence, with the scratch directory taken out of it.
fn sentence(ran: &Ran, directory: &Path) -> String {
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(ran.stdout, "", "nothing on standard output");
    ran.stderr.replace(&format!("{}/", directory.display()), "")
}

#[test]
fn each_mistake_in_a_snapshot_gets_its_own_sentence() {
    let directory = scratch("bad-snapshots");
    let good = fs::read_to_string(root().join("examples/subnet-rule-missing/config.json")).unwrap();
    let cut = &good[..good.len() / 2];
    let cases: &[(&str, Vec<u8>)] = &[
        ("empty.json", Vec::new()),
        ("html.json", b"<html><body>Sign in to Fabrikam WLAN</body></html>".to_vec()),
        ("truncated.json", cut.as_bytes().to_vec()),
        ("not-utf-8.json", b"{\"apiVersion\": \"\xff\xfe\"}".to_vec()),
        ("array.json", b"[1, 2, 3]".to_vec()),
        ("az-acr-show.json", br#"{"id": "/subscriptions/s", "name": "contoso"}"#.to_vec()),
        ("newer.json", good.replace("acr-doctor/v1", "acr-doctor/v9").into_bytes()),
        ("other-kind.json", good.replace("ConfigSnapshot", "ProbeSnapshot").into_bytes()),
        ("strange-kind.json", good.replace("ConfigSnapshot", "\\u001b[31mSnap\\u202eshot").into_bytes()),
        ("wrong-type.json", good.replace("\"location\": \"westeurope\"", "\"location\": 7").into_bytes()),
        ("bad-host.json", good.replace("contosoapps.azurecr.io", "contoso..io").into_bytes()),
        ("deep.json", "[".repeat(100_000).into_bytes()),
    ];
    let mut told = String::new();
    for (name, content) in cases {
        let file = directory.join(name);
        fs::write(&file, content).unwrap();
        told.push_str(&sentence(&reconcile(&file), &directory));
    }
    assert!(!told.contains('\u{1b}') && !told.contains('\u{202e}'), "terminal escapes come through: {told:?}");
    golden("bad-snapshots", &told);
}

#[test]
fn a_hundred_megabytes_of_noise_are_refused_unread() {
    let directory = scratch("noise");
    let file = directory.join("noise.json");
    File::create(&file).unwrap().set_len(100 * 1024 * 1024).unwrap();
    let told = sentence(&reconcile(&file), &directory);
    assert_eq!(told, "error: 'noise.json' is larger than 64 MiB, which no snapshot is\n");
}

#[cfg(unix)]
#[test]
fn an_endless_file_is_bounded() {
    let told = sentence(&reconcile(Path::new("/dev/zero")), Path::new("/none"));
    assert_eq!(told, "error: '/dev/zero' is larger than 64 MiB, which no snapshot is\n");
}

#[test]
fn a_file_or_directory_without_snapshots_is_named() {
    let directory = scratch("no-snapshots");
    let told = sentence(&reconcile(&directory.join("nowhere.json")), &directory);
    assert_eq!(told, "error: cannot read 'nowhere.json'\n  because: No such file or directory (os error 2)\n");
    let ran = reconcile(&directory);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("has no ConfigSnapshot in it"), "{}", ran.stderr);
}

#[test]
fn a_directory_stands_for_the_snapshots_of_each_kind_in_it() {
    let ran = run(&["reconcile", "--config", "examples/tls-intercepted", "--probe", "examples/tls-intercepted"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("tls/intercepted"), "{}", ran.stdout);
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    let directory = scratch("byte-order-mark");
    let good = fs::read(root().join("examples/subnet-rule-missing/config.json")).unwrap();
    let file = directory.join("config.json");
    fs::write(&file, [b"\xef\xbb\xbf".as_slice(), &good].concat()).unwrap();
    let ran = reconcile(&file);
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
}

type Change<'c> = &'c dyn Fn(&mut Value);

#[test]
fn a_file_that_describes_no_cloud_is_told_by_its_member() {
    let directory = scratch("bad-clouds");
    let config: Value =
        serde_json::from_slice(&fs::read(root().join("examples/subnet-rule-missing/config.json")).unwrap()).unwrap();
    let good = config["facts"]["cloud"].clone();
    let registry = directory.join("registry.json");
    let document = json!({ "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/contoso",
        "name": "contoso", "location": "westeurope", "loginServer": "contoso.azurecr.io" });
    fs::write(&registry, document.to_string()).unwrap();
    let asked = |name: &str, change: Change<'_>| {
        let (path, mut cloud) = (directory.join(name), good.clone());
        change(&mut cloud);
        fs::write(&path, format!("\u{feff}{cloud}")).unwrap();
        run(&["config", "--from", registry.to_str().unwrap(), "--cloud", path.to_str().unwrap(), "-o", "json"])
    };
    let dotted = asked("dotted.json", &|cloud| cloud["registrySuffix"] = ".AzureCR.io".into());
    assert!(dotted.code < 2 && dotted.stdout.contains("\"registrySuffix\": \"azurecr.io\""), "{dotted:?}");
    let mistakes: [(&str, Change<'_>, &str); 3] = [
        ("suffix.json", &|cloud| cloud["blobSuffix"] = "no name".into(), "blobSuffix"),
        ("url.json", &|cloud| cloud["resourceManager"] = "management".into(), "relative URL without a base"),
        ("without.json", &|cloud| drop(cloud.as_object_mut().unwrap().remove("privateZone")), "privateZone"),
    ];
    for (name, change, told) in mistakes {
        let ran = asked(name, change);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(told) && ran.stderr.contains(name), "{ran:?}");
    }
}
