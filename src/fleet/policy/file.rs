//! The file as it is written, and its way into a [`Policy`].

use std::collections::BTreeMap;

use serde::Deserialize;
use time::macros::format_description;
use time::{Date, Month};

use super::{CodePattern, FailFrom, Glob, Grade, Policy, PolicyError, Suppression, Thresholds};
use crate::facts::Severity;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    fail_on: Option<String>,
    #[serde(default)]
    broad_rule_prefix: Option<u8>,
    #[serde(default)]
    thresholds: FileThresholds,
    #[serde(default)]
    severity: BTreeMap<String, String>,
    #[serde(default)]
    suppress: Vec<FileSuppression>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileThresholds {
    errors: Option<usize>,
    warnings: Option<usize>,
    blocked: Option<usize>,
    unknown: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileSuppression {
    code: String,
    #[serde(default)]
    registry: Option<String>,
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    expires: Option<toml::Value>,
}

impl Policy {
    /// Reads a policy. `codes` are the codes that exist: a slip in a code would suppress nothing, in silence.
    ///
    /// # Errors
    /// [`PolicyError`], with the entry that is wrong.
    pub fn parse(text: &str, codes: &[&str]) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text).map_err(|error| shape(text, &error))?;
        let mut severity = BTreeMap::new();
        for (code, grade) in &file.severity {
            let entry = format!("severity '{code}'");
            severity.insert(pattern(&entry, code, codes)?, self::grade(&entry, grade)?);
        }
        let suppress = file.suppress.iter().enumerate();
        let suppress = suppress.map(|(index, entry)| suppression(index, entry, codes)).collect::<Result<_, _>>()?;
        let broad_rule_prefix = file.broad_rule_prefix.map(prefix).transpose()?;
        Ok(Self {
            fail_on: file.fail_on.as_deref().map(fail_from).transpose()?,
            thresholds: Thresholds {
                errors: file.thresholds.errors,
                warnings: file.thresholds.warnings,
                blocked: file.thresholds.blocked,
                unknown: file.thresholds.unknown,
            },
            broad_rule_prefix,
            severity,
            suppress,
        })
    }
}

/// A mistake in one line: where it is, and what.
fn shape(text: &str, error: &toml::de::Error) -> PolicyError {
    let before = error.span().and_then(|span| text.get(..span.start));
    let place = before.map(|before| {
        let column = before.rsplit('\n').next().unwrap_or_default();
        format!("line {}, column {}: ", before.matches('\n').count() + 1, column.chars().count() + 1)
    });
    PolicyError::Shape(format!("{}{}", place.unwrap_or_default(), error.message().trim()))
}

fn prefix(bits: u8) -> Result<u8, PolicyError> {
    let wrong =
        || PolicyError::Value { entry: "broad-rule-prefix".to_owned(), value: bits.to_string(), allowed: "0 to 32" };
    (bits <= 32).then_some(bits).ok_or_else(wrong)
}

fn fail_from(text: &str) -> Result<FailFrom, PolicyError> {
    if text.eq_ignore_ascii_case("never") {
        return Ok(FailFrom::Never);
    }
    let wrong = || PolicyError::Value {
        entry: "fail-on".to_owned(),
        value: text.to_owned(),
        allowed: "error, warning, info, never",
    };
    severity_of(text).map(FailFrom::Severity).ok_or_else(wrong)
}

fn severity_of(text: &str) -> Option<Severity> {
    match text.to_ascii_lowercase().as_str() {
        "error" => Some(Severity::Error),
        "warning" => Some(Severity::Warning),
        "info" => Some(Severity::Info),
        _ => None,
    }
}

fn grade(entry: &str, text: &str) -> Result<Grade, PolicyError> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(Grade::Off);
    }
    let wrong =
        || PolicyError::Value { entry: entry.to_owned(), value: text.to_owned(), allowed: "error, warning, info, off" };
    severity_of(text).map(Grade::Severity).ok_or_else(wrong)
}

fn pattern(entry: &str, text: &str, codes: &[&str]) -> Result<CodePattern, PolicyError> {
    let pattern = CodePattern(text.trim().to_ascii_lowercase());
    let exists = codes.iter().any(|code| pattern.matches(&(*code).into()));
    let shaped = pattern.0 == "*" || pattern.0.ends_with("/*") || !pattern.0.contains('*');
    let unknown = || PolicyError::UnknownCode { entry: entry.to_owned(), code: text.to_owned() };
    (exists && shaped).then_some(pattern).ok_or_else(unknown)
}

fn suppression(index: usize, written: &FileSuppression, codes: &[&str]) -> Result<Suppression, PolicyError> {
    let entry = format!("suppress #{}", index + 1);
    let code = pattern(&entry, &written.code, codes)?;
    if written.reason.trim().is_empty() {
        return Err(PolicyError::NoReason { entry });
    }
    let tag = written.tag.as_deref().map(|text| tag(&entry, text)).transpose()?;
    let expires = written.expires.as_ref().map(|value| date(&entry, value)).transpose()?;
    let registry = written.registry.as_deref().map(Glob::new);
    Ok(Suppression { code, registry, tag, reason: written.reason.trim().to_owned(), expires })
}

/// `key=value`; a key alone means any value.
fn tag(entry: &str, text: &str) -> Result<(String, Glob), PolicyError> {
    let (key, value) = text.split_once('=').unwrap_or((text, "*"));
    let key = key.trim();
    if key.is_empty() {
        let value = text.to_owned();
        return Err(PolicyError::Value { entry: entry.to_owned(), value, allowed: "key=value" });
    }
    Ok((key.to_owned(), Glob::new(value)))
}

/// A day: TOML's own date, or a text of the same form.
fn date(entry: &str, value: &toml::Value) -> Result<Date, PolicyError> {
    let read = match value {
        toml::Value::Datetime(written) => written.date.and_then(|day| {
            let month = Month::try_from(day.month).ok()?;
            Date::from_calendar_date(i32::from(day.year), month, day.day).ok()
        }),
        toml::Value::String(text) => Date::parse(text.trim(), format_description!("[year]-[month]-[day]")).ok(),
        _ => None,
    };
    let wrong = || PolicyError::Value {
        entry: entry.to_owned(),
        value: value.to_string(),
        allowed: "a day such as 2027-01-31",
    };
    read.ok_or_else(wrong)
}
