//! acr-doctor says why an Azure container registry cannot be reached from here, and proves it with both
//! sides of the story. The modules, and who may import whom:
//!
//! | module | what it is | imports |
//! |---|---|---|
//! | [`facts`] | the vocabulary: plain data, no I/O | – |
//! | [`config`] | reads Azure Resource Manager, and only that | facts |
//! | [`probe`] | looks from this machine, and only that | facts |
//! | [`reconcile`] | pure: joins both halves into a report | facts |
//! | [`explain`] | pure: the page of a code; pasted errors to candidates | facts, reconcile |
//! | [`report`] | pure: renders a report | facts |
//! | [`fleet`] | many registries | facts, config, reconcile |
//! | [`cli`] | parses, wires and prints | all of them |
//!
//! The library is not a promised API: the stable surface is the command line, the JSON and the codes.

pub mod cli;
pub mod config;
pub mod explain;
pub mod facts;
pub mod fleet;
pub mod probe;
pub mod reconcile;
pub mod report;
