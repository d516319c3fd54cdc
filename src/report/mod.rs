//! Pure: renders a report and computes nothing.
//!
//! Every renderer is a function from data and a [`Style`] to text; writing it is the caller's part.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod allow;
mod document;
mod export;
mod grid;
pub mod health;
pub mod ladder;
pub mod logins;
mod nodes;
mod remedy;
mod stance;
mod table;
pub mod terminal;
mod timings;
mod tsv;
mod what_if;

pub use document::{json, json_lines, yaml};
pub use export::{csv, html, junit, markdown, sarif};
pub use grid::grid;
pub use nodes::nodes;
pub use stance::stance;
pub use table::table;
pub use terminal::Style;
pub use tsv::{findings_tsv, value_tsv};
pub use what_if::what_if;
