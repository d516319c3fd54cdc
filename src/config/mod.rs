//! Reads Azure Resource Manager, and only that: wire formats become facts.
