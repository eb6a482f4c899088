//! Crosscast's formats: ids, keys, canonical CBOR, messages, records, frames.
