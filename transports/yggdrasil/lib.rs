//! Links over a running Yggdrasil node.
