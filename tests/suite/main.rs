//! The integration tests that need no network, in one binary.
#![expect(clippy::indexing_slicing, reason = "a world without the place is a failing test, and says where")]

mod access_model;
mod audit_docs;
mod explain;
mod findings;
mod fixtures;
mod golden;
mod properties;
mod rule_pages;
