//! `crosscast key show`: who this node is.

use crosscast::{Home, Identity};
use crosscast_api::ApiError;
use serde::Serialize;

use crate::Context;
use crate::failure::Failure;

#[derive(Debug, Serialize)]
struct Shown {
    node: String,
    file: String,
}

/// Prints the NodeId of the identity file; the secret is shown nowhere.
pub(crate) fn show(home: &Home, context: &mut Context) -> Result<(), Failure> {
    let identity = Identity::load(&home.identity()).map_err(ApiError::from)?;
    let node = identity.node_id().to_string();
    if context.json {
        context.out.json(&Shown { node, file: home.identity().display().to_string() })?;
    } else {
        context.out.line(&node)?;
    }
    context.out.flush()
}
