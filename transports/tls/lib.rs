//! TLS 1.3 links over TCP, both sides authenticated by their NodeIds.
