//! Files that the program's own text makes: compared, and written anew with `UPDATE=1`.

use std::path::{Path, PathBuf};

/// The project's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file or folder of the project.
pub(crate) fn path(relative: &str) -> PathBuf {
    root().join(relative)
}

/// Compares a checked-in file with what it should be, or writes it where `UPDATE` is set.
pub(crate) fn check(relative: &str, wanted: &str) {
    let path = path(relative);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("the folder can be made");
        std::fs::write(&path, wanted).expect("the file can be written");
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{relative} is not current; `UPDATE=1 cargo test` writes it anew. It should be:\n{wanted}"
    );
}

/// Every file below a folder with an extension, sorted, relative to the root.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut files: Vec<String> = walkdir::WalkDir::new(path(folder))
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|e| e == extension))
        .map(|entry| entry.path().strip_prefix(root()).expect("below the root").display().to_string())
        .collect();
    files.sort();
    files
}
