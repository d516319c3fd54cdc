//! Pure: joins the configuration with what a client met, and names the root cause.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]
