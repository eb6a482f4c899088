//! One key for this node and the Yggdrasil daemon beside it.

use crosscast::Identity;
use crosscast_api::Code;
use crosscast_yggdrasil_keygen::{KeygenError, SharedKey};

use super::Shared;
use crate::failure::Failure;

/// Makes one that begins with at least so many zero bits.
pub(crate) fn shared_key(strength: u32) -> Result<Shared, Failure> {
    let key = SharedKey::generate(strength).map_err(|error| {
        let code = if error == KeygenError::Strength { Code::Usage } else { Code::Io };
        Failure::new(code, error.to_string())
    })?;
    Ok(Shared {
        identity: Identity::new(key.node_key()),
        daemon_config: key.daemon_config(),
        address: key.address(),
        strength: key.strength(),
    })
}
