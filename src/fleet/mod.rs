//! Many registries: an inventory, one report, a policy for it, and what is new since a baseline.

pub mod baseline;
pub mod glob;
pub mod policy;
