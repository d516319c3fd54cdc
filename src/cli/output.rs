//! Standard output: format, `--query`, colours.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};

use jmespath::Expression;
use jmespath::ast::Ast;
use serde::Serialize;
use serde_json::Value;

use crate::facts::Report;
use crate::report::{self, Style};

use super::args::{Format, GlobalArguments};
use super::exit::Failure;

/// Columns where standard output is no terminal.
const PIPED: usize = 100;

/// How results are written.
pub(super) struct Output {
    format: Format,
    query: Option<Expression<'static>>,
    style: Style,
    quiet: bool,
    logs: bool,
}

impl Output {
    /// Reads the arguments and looks at standard output.
    pub(super) fn of(global: &GlobalArguments) -> Result<Self, Failure> {
        let compile = |text: &String| jmespath::compile(text).map_err(|e| Failure::Query(one_line(&e)));
        let query = global.query.as_ref().map(compile).transpose()?;
        Ok(Self {
            format: global.output.unwrap_or(Format::Table),
            query,
            style: style(global.no_color),
            quiet: global.only_show_errors,
            logs: global.debug || global.verbose,
        })
    }

    /// How to draw.
    pub(super) fn style(&self) -> Style {
        self.style
    }

    /// Whether to draw while the work goes on: not where the log would stand in between.
    pub(super) fn is_live(&self) -> bool {
        !self.quiet && !self.logs
    }

    /// Whether a report can be written registry by registry.
    pub(super) fn streams(&self) -> bool {
        self.format == Format::Jsonl && self.query.is_none()
    }

    /// Writes a report; `table` draws it for a person.
    pub(super) fn report(&self, report: &Report, table: impl Fn(&Style) -> String) -> Result<(), Failure> {
        let text = match (self.format, &self.query) {
            (Format::Table, None) => table(&self.style),
            (Format::Tsv, None) => report::findings_tsv(report),
            (Format::Jsonl, None) => {
                crate::fleet::lines::lines(report).map_err(|e| Failure::Write(io::Error::other(e)))?
            }
            (Format::None, _) => return Ok(()),
            _ => {
                let document = serde_json::to_value(report).map_err(|e| Failure::Write(io::Error::other(e)))?;
                self.document(&self.queried(document)?)
            }
        };
        write(&text)
    }

    /// Writes any other document; `table` draws it for a person.
    pub(super) fn value(&self, value: &impl Serialize, table: impl Fn(&Style) -> String) -> Result<(), Failure> {
        if self.format == Format::None {
            return Ok(());
        }
        if self.format == Format::Table && self.query.is_none() {
            return write(&table(&self.style));
        }
        let document = serde_json::to_value(value).map_err(|e| Failure::Write(io::Error::other(e)))?;
        write(&self.document(&self.queried(document)?))
    }

    /// Says something on standard error that is no part of the result.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "{}", report::terminal::sanitise(text));
        }
    }

    /// As [`say`], unless only errors are wanted.
    pub(super) fn lines(&self, lines: &str) {
        if !self.quiet {
            say(lines);
        }
    }

    /// Whether a program reads the result.
    pub(super) fn is_document(&self) -> bool {
        self.query.is_some() || !matches!(self.format, Format::Table | Format::None)
    }

    fn queried(&self, document: Value) -> Result<Value, Failure> {
        let Some(query) = &self.query else { return Ok(document) };
        let result = query.search(&document).map_err(|e| Failure::QueryRun(one_line(&e)))?;
        let mut value = serde_json::to_value(&*result).map_err(|e| Failure::QueryRun(e.to_string()))?;
        let mut orders = Orders::default();
        orders.of_query(query.as_ast());
        // az sorts a document's own members in tsv, and keeps their order in tables.
        if self.format != Format::Tsv {
            orders.of_document(&document);
        }
        orders.restore(&mut value);
        Ok(value)
    }

    fn document(&self, value: &Value) -> String {
        // As az: a query that finds nothing prints nothing.
        if value.is_null() {
            return String::new();
        }
        let plain = Style { colour: false, ..self.style };
        match self.format {
            Format::Json => report::json(value, &plain),
            Format::Jsonc => report::json(value, &self.style),
            Format::Jsonl => report::json_lines(value),
            Format::Yaml => report::yaml(value, &plain),
            Format::Yamlc => report::yaml(value, &self.style),
            Format::Table => report::grid(value),
            Format::Tsv => report::value_tsv(value),
            Format::None => String::new(),
        }
    }
}

/// Says lines on standard error, however quiet; foreign text in them is made harmless.
pub(super) fn say(lines: &str) {
    let clean: Vec<_> = lines.split('\n').map(report::terminal::sanitise).collect();
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "{}", clean.join("\n"));
}

/// Writes to standard output.
pub(super) fn write(text: &str) -> Result<(), Failure> {
    write_bytes(text.as_bytes())
}

/// Writes to standard output.
pub(super) fn write_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Failure::Write)
}

/// A JMESPath error's first line; the others draw a caret under the expression.
fn one_line(error: &jmespath::JmespathError) -> String {
    error.to_string().lines().next().unwrap_or_default().trim().to_owned()
}

/// Colours and glyphs on a terminal, unless NO_COLOR (no-color.org), `--no-color` or TERM=dumb say no;
/// CLICOLOR_FORCE says yes to both without a terminal (bixense.com/clicolors).
fn style(no_color: bool) -> Style {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    let terminal = io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let refused = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = !refused && (terminal || set("CLICOLOR_FORCE"));
    let columns = console::Term::stdout().size_checked().map_or(PIPED, |(_rows, columns)| usize::from(columns));
    let width = if io::stdout().is_terminal() { columns.clamp(40, 160) } else { PIPED };
    Style { width, colour, glyphs: colour && speaks_unicode() }
}

/// Whether the locale can show more than ASCII (POSIX: LC_ALL, then LC_CTYPE, then LANG).
fn speaks_unicode() -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    locale.is_none_or(|locale| !matches!(locale.as_str(), "C" | "POSIX"))
}

/// The order of an object's members, by their names in alphabetical order. JMESPath's objects have no order; az keeps
/// the query's and the document's, and so do we.
#[derive(Default)]
struct Orders(HashMap<Vec<String>, Vec<String>>);

impl Orders {
    /// The first who names the same members decides.
    fn note<'n>(&mut self, names: impl Iterator<Item = &'n String>) {
        let order: Vec<String> = names.cloned().collect();
        let mut key = order.clone();
        key.sort_unstable();
        self.0.entry(key).or_insert(order);
    }

    /// Takes the multi-select hashes of a query.
    fn of_query(&mut self, ast: &Ast) {
        match ast {
            Ast::MultiHash { elements, .. } => {
                self.note(elements.iter().map(|pair| &pair.key));
                for pair in elements {
                    self.of_query(&pair.value);
                }
            }
            Ast::Comparison { lhs, rhs, .. }
            | Ast::And { lhs, rhs, .. }
            | Ast::Or { lhs, rhs, .. }
            | Ast::Projection { lhs, rhs, .. }
            | Ast::Subexpr { lhs, rhs, .. } => {
                self.of_query(lhs);
                self.of_query(rhs);
            }
            Ast::Condition { predicate, then, .. } => {
                self.of_query(predicate);
                self.of_query(then);
            }
            Ast::Expref { ast: node, .. }
            | Ast::Flatten { node, .. }
            | Ast::Not { node, .. }
            | Ast::ObjectValues { node, .. } => self.of_query(node),
            Ast::Function { args: nodes, .. } | Ast::MultiList { elements: nodes, .. } => {
                for node in nodes {
                    self.of_query(node);
                }
            }
            Ast::Field { .. } | Ast::Identity { .. } | Ast::Index { .. } | Ast::Literal { .. } | Ast::Slice { .. } => {}
        }
    }

    /// Takes the objects of a document.
    fn of_document(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                self.note(members.keys());
                for member in members.values() {
                    self.of_document(member);
                }
            }
            Value::Array(elements) => elements.iter().for_each(|element| self.of_document(element)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn restore(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for member in members.values_mut() {
                    self.restore(member);
                }
                // JMESPath's names are in alphabetical order: they are the key.
                if let Some(order) = self.0.get(&members.keys().cloned().collect::<Vec<_>>()) {
                    let mut member = |name: &String| members.remove(name).map(|member| (name.clone(), member));
                    *members = order.iter().filter_map(&mut member).collect();
                }
            }
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.restore(element)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
