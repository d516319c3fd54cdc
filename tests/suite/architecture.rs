//! Who may import whom, how long a file is, which names are not used.

use std::collections::BTreeSet;
use std::path::PathBuf;

use syn::visit::{self, Visit};

use crate::golden::root;

/// The module, and what it may import of the others.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("facts", &[]),
    ("config", &["facts"]),
    ("probe", &["facts"]),
    ("report", &["facts"]),
    ("reconcile", &["facts"]),
    ("explain", &["facts", "reconcile"]),
    ("fleet", &["facts", "config", "reconcile"]),
    ("cli", &["facts", "config", "probe", "report", "reconcile", "explain", "fleet"]),
];

/// A screenful of screens; a little more is no reason to break what belongs together.
const LINES: usize = 420;

/// Names that say nothing of what is in the file.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "misc", "shared"];

fn sources(top: &str) -> Vec<PathBuf> {
    walkdir::WalkDir::new(root().join(top))
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.file_name() != "target")
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The first segments behind `crate::` in a file, wherever they stand.
#[derive(Default)]
struct Imports(BTreeSet<String>);

impl Imports {
    fn of(text: &str) -> BTreeSet<String> {
        let mut imports = Self::default();
        imports.visit_file(&syn::parse_file(text).unwrap());
        // Macro bodies are tokens to the parser: find `crate :: name` there as text.
        let mut rest = text;
        while let Some(at) = rest.find("crate::") {
            rest = &rest[at + "crate::".len()..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            imports.0.insert(name);
        }
        imports.0
    }

    fn tree(&mut self, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => drop(self.0.insert(path.ident.to_string())),
            syn::UseTree::Name(name) => drop(self.0.insert(name.ident.to_string())),
            syn::UseTree::Rename(rename) => drop(self.0.insert(rename.ident.to_string())),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(item)),
            syn::UseTree::Glob(_) => drop(self.0.insert("*".to_owned())),
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if let syn::UseTree::Path(path) = &item.tree
            && path.ident == "crate"
        {
            self.tree(&path.tree);
        }
        visit::visit_item_use(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter();
        if segments.next().is_some_and(|first| first.ident == "crate")
            && let Some(second) = segments.next()
        {
            self.0.insert(second.ident.to_string());
        }
        visit::visit_path(self, path);
    }
}

#[test]
fn modules_import_only_what_they_may() {
    let modules: Vec<&str> = MAY_IMPORT.iter().map(|(module, _)| *module).collect();
    let mut wrong = Vec::new();
    for path in sources("src") {
        let relative = path.strip_prefix(root().join("src")).unwrap();
        let own = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(module, _)| *module == own.trim_end_matches(".rs")) else {
            assert!(["lib.rs", "main.rs"].contains(&own.as_str()), "{own} is in no row of the import table");
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        for import in Imports::of(&text) {
            let foreign = modules.contains(&import.as_str()) && import != own && !allowed.contains(&import.as_str());
            if foreign || import == "*" {
                wrong.push(format!("{}: crate::{import}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not allowed by the import table:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_climbs_out_of_its_module_by_super() {
    for path in sources("src") {
        let relative = path.strip_prefix(root().join("src")).unwrap();
        let depth = relative.components().count() - usize::from(relative.ends_with("mod.rs"));
        let text = std::fs::read_to_string(&path).unwrap();
        // In src/<module>/<file>.rs, `super` is the module; one more is the crate. A test module adds one.
        let chain = ["super", &"::super".repeat(depth.max(1))].concat();
        assert!(!text.contains(&chain), "{} reaches the crate by {chain}", relative.display());
    }
}

#[test]
fn the_import_test_sees_nested_and_hidden_imports() {
    let text = "use crate::{facts::Fqdn, reconcile}; fn f() { crate::probe::run(); m!(crate::config::x) }";
    let seen = Imports::of(text);
    for module in ["facts", "reconcile", "probe", "config"] {
        assert!(seen.contains(module), "{module} not in {seen:?}");
    }
}

#[test]
fn files_are_short() {
    for path in sources("src").into_iter().chain(sources("tests")) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LINES, "{} has {lines} lines, {LINES} at most: split it by what it speaks of", path.display());
    }
}

#[test]
fn files_are_named_by_what_they_hold() {
    for path in sources("src").into_iter().chain(sources("tests")) {
        for part in path.strip_prefix(root()).unwrap().components() {
            let name = part.as_os_str().to_string_lossy();
            let name = name.trim_end_matches(".rs");
            assert!(!EMPTY_NAMES.contains(&name), "{} says nothing of what is in it", path.display());
        }
    }
}
