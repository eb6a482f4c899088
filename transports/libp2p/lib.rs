//! Links over libp2p streams, beside or inside a libp2p node.
