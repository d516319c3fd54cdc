//! Many registries: an inventory, one report, a policy for it, and what is new since a baseline.

pub mod audit;
pub mod baseline;
pub mod glob;
pub mod judge;
pub mod lines;
pub mod policy;
pub mod resume;
#[cfg(test)]
mod tests;

pub use audit::{AuditRequest, Filter, Prober, audit};
pub use judge::{Judge, by_severity};
