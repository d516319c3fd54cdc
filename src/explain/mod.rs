//! Pure: the page of a code, and pasted error text to candidate codes.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod page;
