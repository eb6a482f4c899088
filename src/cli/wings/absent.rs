//! What stands where a network was left out of the build: it refuses everything.
//!
//! It looks like each of the other modules here, so that what uses them need not ask which of them there are.
#![allow(dead_code, reason = "no network has all of it")]

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;

use crosscast::{Attach, Attestation, Locator, NodeId, Transport};
use crosscast_api::Code;

use super::Site;
use crate::attest::Life;
use crate::failure::Failure;

fn absent<T>() -> Result<T, Failure> {
    Err(Failure::new(Code::NotBuilt, "this program was built without that network"))
}

pub(super) fn check(_: &Attach) -> Result<(), Failure> {
    absent()
}

pub(super) fn transport(_: &Site<'_>) -> Result<Box<dyn Transport>, Failure> {
    absent()
}

pub(super) fn locate(_: NodeId) -> Result<Locator, Failure> {
    absent()
}

pub(super) fn attest_by_key(_: &Site<'_>, _: &Path, _: Life) -> Result<Attestation, Failure> {
    absent()
}

pub(super) fn attest_by_admin(
    _: &Site<'_>,
    _: Option<&Path>,
    _: Option<SocketAddr>,
    _: Life,
) -> Result<Attestation, Failure> {
    absent()
}

pub(super) fn node_info(_: &Site<'_>, _: &Path, _: Life) -> Result<String, Failure> {
    absent()
}

pub(super) fn address(_: &[u8; 32]) -> Option<Ipv6Addr> {
    None
}

pub(super) async fn is_here() -> bool {
    false
}
