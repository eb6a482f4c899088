//! Waiting for what becomes of a message to several nodes, each for itself.

use std::collections::BTreeMap;
use std::time::Instant;

use crosscast::{NodeId, Outcome, Outcomes};
use crosscast_wire::{MessageId, State};

use crate::settle::Patience;
use crate::view::{SentToView, SentView};

/// Waits until something is known of every recipient, or as long as the caller wants; `outcomes` was taken before the
/// message was sent.
pub(crate) async fn settle_list(
    mut outcomes: Outcomes,
    id: MessageId,
    nodes: Vec<(String, NodeId)>,
    patience: Patience,
) -> Vec<SentToView> {
    let mut known: BTreeMap<NodeId, Outcome> = BTreeMap::new();
    let deadline = Instant::now() + patience.most();
    while patience.waits() && nodes.iter().any(|(_, node)| !known.contains_key(node)) {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, outcomes.next()).await {
            Ok(Some(outcome)) if outcome.id == id => {
                known.extend(outcome.to.map(|to| (to, outcome)));
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    let view = |(text, node): (String, NodeId)| {
        let outcome = known.get(&node);
        SentToView {
            node: text,
            sent: SentView::of(id, outcome.map_or(State::Accepted, |outcome| outcome.state)),
            code: outcome.and_then(|outcome| outcome.code).map(|code| code.word().to_owned()),
        }
    };
    nodes.into_iter().map(view).collect()
}
