//! The local HTTP surface of a node on a Unix socket.
