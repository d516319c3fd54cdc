//! Where an audit's report goes, and in which format.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::cli::exit::Failure;
use crate::facts::{Report, Severity};
use crate::fleet::lines;
use crate::reconcile::{Rule, rules};
use crate::report::{self, Style};

use super::args::ExportFormat;

/// A file and its format.
pub(super) struct Destination {
    path: PathBuf,
    format: FileFormat,
}

/// A format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileFormat {
    Export(ExportFormat),
    Json,
    JsonLines,
    Yaml,
    Tsv,
    Text,
}

impl Destination {
    /// The format goes by the file's extension. A directory that is not there is told before an hour's work.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        if path.parent().is_some_and(|directory| !directory.as_os_str().is_empty() && !directory.is_dir()) {
            return Err(Failure::WriteReport { path: path.to_owned(), source: ErrorKind::NotFound.into() });
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let format = match extension.as_str() {
            "html" | "htm" => FileFormat::Export(ExportFormat::Html),
            "sarif" => FileFormat::Export(ExportFormat::Sarif),
            "xml" => FileFormat::Export(ExportFormat::Junit),
            "md" | "markdown" => FileFormat::Export(ExportFormat::Markdown),
            "csv" => FileFormat::Export(ExportFormat::Csv),
            "json" => FileFormat::Json,
            "jsonl" | "ndjson" => FileFormat::JsonLines,
            "yaml" | "yml" => FileFormat::Yaml,
            "tsv" => FileFormat::Tsv,
            "txt" => FileFormat::Text,
            _ => return Err(Failure::ReportFormat { path: path.to_owned() }),
        };
        Ok(Self { path: path.to_owned(), format })
    }

    /// Writes the report, whole or not at all: a reader never sees half of it.
    pub(super) fn write(&self, report: &Report, fail_from: Option<Severity>) -> Result<(), Failure> {
        let failed = |source| Failure::WriteReport { path: self.path.clone(), source };
        let value = || serde_json::to_value(report).map_err(|e| failed(e.into()));
        let text = match self.format {
            FileFormat::Export(format) => export(report, format, fail_from),
            FileFormat::Json => report::json(&value()?, &Style::PLAIN),
            FileFormat::JsonLines => lines::lines(report).map_err(|e| failed(e.into()))?,
            FileFormat::Yaml => report::yaml(&value()?, &Style::PLAIN),
            FileFormat::Tsv => report::findings_tsv(report),
            FileFormat::Text => report::table(report, &Style::PLAIN),
        };
        let mut beside = self.path.clone().into_os_string();
        beside.push(".part");
        std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &self.path)).map_err(failed)
    }
}

/// The report in a format for other programs.
pub(super) fn export(report: &Report, format: ExportFormat, fail_from: Option<Severity>) -> String {
    let headline = |code: &str| rules::all().find(|rule| rule.code == code).map(Rule::headline);
    match format {
        ExportFormat::Sarif => report::sarif(report, &headline),
        ExportFormat::Junit => report::junit(report, fail_from),
        ExportFormat::Markdown => report::markdown(report),
        ExportFormat::Html => report::html(report),
        ExportFormat::Csv => report::csv(report),
    }
}
