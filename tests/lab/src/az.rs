//! The real Azure CLI in a world's client: where it is, what it is told, and its sign-in as the service principal.

use std::path::{Path, PathBuf};

use crate::tokens::{CLIENT_ID, SECRET, TENANT};

/// The secret's file in the client: command lines are shown, so the secret does not stand in one.
pub const SECRET_FILE: &str = "/run/lab/home/secret";
/// Where Debian's package, a virtual environment, and `pip install` by root put it.
const PLACES: [&str; 3] = ["/usr/bin", "/opt/az/bin", "/usr/local/bin"];

/// Where the Azure CLI is on this machine, or what is missing.
pub fn program() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(PLACES.iter().map(PathBuf::from));
    let found = places.map(|place| place.join("az")).find(|az| az.is_file());
    found.ok_or_else(|| "the Azure CLI, `az`, is not installed".to_owned())
}

/// What it needs in a world: the world's authorities, a configuration of its own, and no word to anybody else.
pub fn environment() -> Vec<(String, String)> {
    let all = [
        ("REQUESTS_CA_BUNDLE", "/run/lab/ca.pem"),
        ("AZURE_CONFIG_DIR", "/run/lab/home/.azure"),
        ("AZURE_CORE_COLLECT_TELEMETRY", "false"),
        ("AZURE_CORE_NO_COLOR", "true"),
        ("AZURE_CORE_SURVEY_MESSAGE", "false"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ];
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// The secret that the client's file holds.
pub fn secret(given: Option<&str>) -> &str {
    given.unwrap_or(SECRET)
}

/// The command line of its sign-in.
pub fn sign_in(az: &Path) -> Vec<String> {
    let password = format!("@{SECRET_FILE}");
    let words = ["login", "--service-principal", "-u", CLIENT_ID, "-p", &password, "--tenant", TENANT, "-o", "none"];
    std::iter::once(az.display().to_string()).chain(words.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_does_not_stand_in_the_command_line() {
        let line = sign_in(Path::new("/usr/bin/az"));
        assert_eq!(line.first().map(String::as_str), Some("/usr/bin/az"));
        assert!(line.contains(&format!("@{SECRET_FILE}")), "{line:?}");
        assert!(!line.iter().any(|word| word.contains(SECRET)), "{line:?}");
    }
}
