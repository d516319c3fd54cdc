//! Many registries: inventory, concurrency, throttling, resumption.
