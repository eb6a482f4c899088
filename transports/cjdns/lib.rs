//! Links over a running cjdns node.
