//! The closed vocabulary between the core and its links and stores.
