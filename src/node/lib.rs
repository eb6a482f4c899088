//! The embeddable Crosscast node: the tokio driver of the core.
