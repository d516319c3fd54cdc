//! Pure: renders a report and computes nothing.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]
