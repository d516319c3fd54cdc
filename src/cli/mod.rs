//! Parses, wires and prints; no knowledge of Azure.
