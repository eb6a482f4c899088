//! What stands where the making of shared keys was left out of the build, as it is unless asked for.

use crosscast_api::Code;

use super::Shared;
use crate::failure::Failure;

/// Says how to have it.
pub(crate) fn shared_key(_: u32) -> Result<Shared, Failure> {
    let cause = "this program has no feature `yggdrasil-keygen`; with it, the program as a whole is under the AGPL";
    Err(Failure::new(Code::NotBuilt, cause))
}
