//! The crosscast binary.
fn main() {}
