//! Stores: in memory, and an append-only durable one.
