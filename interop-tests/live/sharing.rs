//! How daemons of a scenario come into one group.

use anyhow::{Context as _, Result};
use crosscast_wire::{Ticket, TicketFields};
use serde_json::Value;

use crate::daemon::Daemon;

/// The same ticket without places: who joins with one that has some dials them, and is a neighbour of its maker.
///
/// # Errors
/// When it is no ticket.
pub fn placeless(ticket: &str) -> Result<String> {
    let fields = Ticket::parse(ticket)?.fields().clone();
    Ok(Ticket::new(TicketFields { locators: Vec::new(), ..fields })?.to_text())
}

/// Makes a group on the first daemon and joins the others to it, over the links that there are.
///
/// # Errors
/// What the verbs say.
pub fn share_group(group: &str, daemons: &[Daemon]) -> Result<()> {
    let Some((first, others)) = daemons.split_first() else { return Ok(()) };
    let made = first.json(&["group", "create", group])?;
    let ticket = placeless(made.get("ticket").and_then(Value::as_str).context("no ticket")?)?;
    for other in others {
        other.json(&["group", "join", &ticket])?;
    }
    Ok(())
}
