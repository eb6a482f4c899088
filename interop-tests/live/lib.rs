//! Scenarios with the shipped binary and real peers.
