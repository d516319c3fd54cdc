//! The Azure CLI's config file: what Python's `configparser` makes of it.

use std::collections::BTreeMap;

/// Values by section and key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ini(BTreeMap<(String, String), String>);

/// The section whose values hold in every other.
const EVERYWHERE: &str = "DEFAULT";

impl Ini {
    /// Reads a file's text. A line that says nothing is passed over: a doctor does not stop at another tool's file.
    pub(super) fn parse(text: &str) -> Self {
        let mut values: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut section = None;
        let mut last: Option<(String, String)> = None;
        for line in text.trim_start_matches('\u{feff}').lines() {
            let word = line.trim();
            if word.is_empty() || word.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with(char::is_whitespace)
                && let Some(value) = last.as_ref().and_then(|key| values.get_mut(key))
            {
                value.push('\n');
                value.push_str(word);
                continue;
            }
            last = None;
            if let Some(name) = word.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                section = Some(name.to_owned());
                continue;
            }
            if let (Some(section), Some((key, value))) = (&section, word.split_once(['=', ':'])) {
                let key = (section.clone(), key.trim().to_lowercase());
                // `%%` is a percent sign; other interpolation is not used in this file.
                values.entry(key.clone()).or_insert_with(|| value.trim().replace("%%", "%"));
                last = Some(key);
            }
        }
        Self(values)
    }

    /// The value of a key, in lower case, in a section.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        let of = |section: &str| self.0.get(&(section.to_owned(), key.to_owned()));
        of(section).or_else(|| of(EVERYWHERE)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_configparser_reads_it() {
        let text = "\u{feff}[DEFAULT]\nregion = here\n[core]\n# a comment\nOutput: json\nno_color=Yes\n\n\
                    [defaults]\nacr = contoso ; no comment\nlong = one\n  two\nquoted = 100%%\nnothing\n= x\n";
        let ini = Ini::parse(text);
        for (section, key, value) in [
            ("core", "output", "json"),
            ("core", "no_color", "Yes"),
            ("core", "region", "here"),
            ("defaults", "acr", "contoso ; no comment"),
            ("defaults", "long", "one\ntwo"),
            ("defaults", "quoted", "100%"),
        ] {
            assert_eq!(ini.get(section, key), Some(value), "{section}.{key}");
        }
        for (section, key) in [("core", "acr"), ("defaults", "nothing"), ("missing", "output")] {
            assert_eq!(ini.get(section, key), None, "{section}.{key}");
        }
        for broken in ["", "acr = nowhere", "[", "[]\n=\n:\n \n[x", "\u{0}\n[core]\noutput"] {
            assert_eq!(Ini::parse(broken).get("core", "output"), None, "{broken:?}");
        }
    }
}
