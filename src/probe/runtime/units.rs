//! Environment of services as systemd sets it: `Environment=` and `EnvironmentFile=` (systemd.exec(5)).

use std::collections::BTreeMap;

use super::bare;
use crate::facts::vantage::ProxySettings;

/// What a unit or a drop-in adds to a service's environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitEnvironment {
    /// The variables, later assignments winning.
    pub variables: BTreeMap<String, String>,
    /// The files named by `EnvironmentFile=`, without the leading `-`.
    pub files: Vec<String>,
}

impl UnitEnvironment {
    /// Applies one unit file or drop-in on top.
    pub fn apply(&mut self, unit: &str) {
        let mut in_service = false;
        for line in joined_lines(unit) {
            let line = line.trim();
            if line.starts_with('[') {
                in_service = line == "[Service]";
            } else if let Some((key, value)) = line.split_once('=').filter(|_| in_service) {
                match (key.trim(), value.trim()) {
                    ("Environment", "") => self.variables.clear(),
                    ("Environment", value) => {
                        self.variables.extend(words(value).iter().filter_map(|word| assignment(word)));
                    }
                    ("EnvironmentFile", "") => self.files.clear(),
                    ("EnvironmentFile", value) => self.files.push(value.trim_start_matches('-').to_owned()),
                    _ => {}
                }
            }
        }
    }

    /// Applies an environment file's lines; they win over `Environment=`.
    pub fn apply_file(&mut self, text: &str) {
        let lines = text.lines().map(str::trim).filter(|l| !l.starts_with(['#', ';']));
        self.variables.extend(lines.filter_map(assignment));
    }

    /// The proxy as programs in Go take it: the upper-case variable first.
    pub fn proxy(&self, source: &str) -> ProxySettings {
        let first = |names: [&str; 2]| names.iter().find_map(|n| self.variables.get(*n).filter(|v| !v.is_empty()));
        let https = first(["HTTPS_PROXY", "https_proxy"]);
        ProxySettings {
            https: https.map(|url| bare(url)),
            source: https.map(|_| source.to_owned()),
            no_proxy: first(["NO_PROXY", "no_proxy"]).map(|list| entries(list)).unwrap_or_default(),
            unusable: None,
        }
    }
}

/// The entries of a NO_PROXY list as programs in Go part them: at commas alone.
pub fn entries(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// Lines, with those that end in a backslash joined; comments left out.
fn joined_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines().filter(|l| !l.trim_start().starts_with(['#', ';'])) {
        let (part, continues) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        match lines.last_mut().filter(|_| open) {
            Some(last) => {
                last.push(' ');
                last.push_str(part);
            }
            None => lines.push(part.to_owned()),
        }
        open = continues;
    }
    lines
}

/// Words with systemd's quotes: `"A=b c" D=e`.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            (_, c) => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let value = value.trim();
    let unquoted = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value);
    Some((name.trim().to_owned(), unquoted.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_in_adds_and_an_empty_assignment_clears() {
        let mut unit = UnitEnvironment::default();
        unit.apply("[Unit]\nEnvironment=NO=1\n[Service]\nEnvironment=\"HTTPS_PROXY=http://u:hunter2@p:3128\" \\\n  'NO_PROXY=a,b'\nEnvironmentFile=-/etc/default/docker");
        let proxy = unit.proxy("drop-in");
        assert_eq!(proxy.no_proxy, ["a", "b"]);
        assert!(!format!("{proxy:?}").contains("hunter2"));
        assert_eq!(unit.files, ["/etc/default/docker"]);
        unit.apply_file("# x\nHTTPS_PROXY=\"http://q:1\"\n");
        assert_eq!(unit.proxy("").https.unwrap().trim_end_matches('/'), "http://q:1");
        unit.apply("[Service]\nEnvironment=\n");
        assert_eq!(unit.proxy("").https, None);
        assert!(!unit.variables.contains_key("NO"));
    }

    proptest::proptest! {
        #[test]
        fn any_unit_is_read(text in "(?s).{0,300}") {
            let mut unit = UnitEnvironment::default();
            unit.apply(&format!("[Service]\nEnvironment={text}"));
            unit.apply_file(&text);
        }
    }
}
