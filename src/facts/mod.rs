//! The vocabulary: plain data that config, probe, reconcile and report exchange. No I/O.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod audit;
pub mod cloud;
pub mod cluster;
pub mod config;
pub mod dns;
pub mod endpoints;
pub mod finding;
pub mod fix;
pub mod hosts;
pub mod http;
pub mod image;
mod join;
pub mod known;
pub mod login_events;
pub mod names;
pub mod network;
pub mod no_proxy;
mod open_enum;
mod other_registries;
pub mod probe;
pub mod reference;
pub mod registry;
pub mod report;
pub mod runtime;
pub mod secret;
pub mod snapshot;
pub mod timings;
pub mod tls;
pub mod vantage;
pub mod what_if;

pub use audit::Audit;
pub use cloud::Cloud;
pub use config::ConfigFacts;
pub use finding::{Code, Confidence, Evidence, Finding, Severity, Source, Stage};
pub use fix::{Change, Fix, Step};
pub use hosts::HostGroup;
pub use image::ImageReference;
pub use known::{Known, Unknown};
pub use login_events::LoginEvent;
pub use names::{Fqdn, LoginServer, NameError, Region, RegistryName, ResourceId};
pub use probe::{EndpointObservation, EndpointRole, ProbeFacts};
pub use reference::{ReferenceError, RegistryReference};
pub use registry::RegistryConfig;
pub use report::{RegistryReport, Report, Verdict};
pub use secret::Secret;
pub use snapshot::{Snapshot, SnapshotError};
pub use vantage::Vantage;

/// Members of a document of Azure's that became no fact, kept as they were written, so that a snapshot loses nothing that
/// a later version could use.
pub type Unrecognised = serde_json::Map<String, serde_json::Value>;
