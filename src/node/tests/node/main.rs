//! The node as an application sees it: real drivers over the memory transport, real stores, real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod alone;
mod backpressure;
mod files;
mod groups;
mod life;
mod support;
