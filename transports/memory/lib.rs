//! An in-process transport.
