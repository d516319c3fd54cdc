//! The integration tests that need no network, in one binary.

mod findings;
mod fixtures;
mod golden;
mod rule_pages;
