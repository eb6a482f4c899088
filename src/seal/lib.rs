//! Sealing: content keys, per-message AEAD keys, key wrap.
