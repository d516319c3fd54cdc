//! Looks from this machine, and only that: observations become facts.
