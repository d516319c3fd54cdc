//! The integration tests that need no network, in one binary: it links once.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails, and says where")]

mod access_model;
mod any_facts;
mod any_words;
mod architecture;
mod audit_cli;
mod audit_docs;
mod az_extension;
mod bad_input;
mod book;
mod check_secrets;
mod cli;
mod doctor;
mod document;
mod documented_commands;
mod endpoints;
mod examples;
mod explain;
mod exports;
mod findings;
mod fixes;
mod fixtures;
#[path = "../../examples/fleet/server.rs"]
mod fleet_server;
mod generated;
mod golden;
mod hosts;
mod logs;
mod manifests;
mod missing_facts;
mod mutations;
mod packaging;
mod pairs;
mod picture;
mod properties;
mod report;
mod rights;
mod rule_pages;
mod secrets;
mod services;
mod snapshots;
mod stopped_audits;
mod tools;
mod watching;
mod what_if;
mod widening;
#[path = "../../examples/fleet/world.rs"]
mod world;
mod worlds;
