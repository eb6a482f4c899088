//! gossipsub as a carrier needs it: strictly signed, nothing passed on that was not judged, and only our topics.

use crosscast_transport::TransportError;
use libp2p::gossipsub::{
    Behaviour, ConfigBuilder, IdentityTransform, MaxCountSubscriptionFilter, Message, MessageAuthenticity, MessageId,
    TopicHash, TopicSubscriptionFilter, ValidationMode,
};
use libp2p::identity::Keypair;

use super::codec::is_topic;

/// The BLAKE3 derive-key context of what gossipsub calls a payload: topic ‖ 0 ‖ payload.
pub(crate) const ID_CONTEXT: &str = "crosscast carrier id v1";

/// Topics of ours that one neighbour may have. 1,024: twice what this node itself may meet under; the library's 100 is
/// less than a node of many groups has.
const TOPICS_PER_PEER: usize = 1_024;
/// Subscriptions in one message of a neighbour, of whatever topics. 4,096: a message holds fewer.
const TOPICS_PER_REQUEST: usize = 4_096;

/// gossipsub with our topics only.
pub(crate) type Gossip = Behaviour<IdentityTransform, MaxCountSubscriptionFilter<Topics>>;

/// Lets topics of ours pass, whatever the name: a neighbour may have joined one before this node does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Topics;

impl TopicSubscriptionFilter for Topics {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        is_topic(topic.as_str())
    }
}

/// Sets gossipsub up.
///
/// # Errors
/// When the library does not take its own configuration.
pub(crate) fn behaviour(keypair: &Keypair) -> Result<Gossip, TransportError> {
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(id)
        .build()
        .map_err(|error| TransportError::Config(error.to_string()))?;
    let topics = MaxCountSubscriptionFilter {
        filter: Topics,
        max_subscribed_topics: TOPICS_PER_PEER,
        max_subscriptions_per_request: TOPICS_PER_REQUEST,
    };
    let author = MessageAuthenticity::Signed(keypair.clone());
    Behaviour::new_with_subscription_filter(author, config, topics)
        .map_err(|error| TransportError::Config(error.to_owned()))
}

/// Of everything that can make a payload good or bad: a forgery is never taken for the message it was made from, nor the
/// message for the forgery.
fn id(message: &Message) -> MessageId {
    let mut hasher = blake3::Hasher::new_derive_key(ID_CONTEXT);
    hasher.update(message.topic.as_str().as_bytes()).update(&[0]).update(&message.data);
    MessageId::new(hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::carrier::codec::topic;
    use crosscast_wire::Rendezvous;
    use libp2p::PeerId;

    #[test]
    fn a_payload_has_one_id_whoever_publishes_it_and_no_other_payload_has_it() {
        let message = |topic: &str, data: &[u8]| Message {
            source: Some(PeerId::random()),
            data: data.to_vec(),
            sequence_number: Some(7),
            topic: TopicHash::from_raw(topic),
        };
        assert_eq!(id(&message("a", b"one")), id(&message("a", b"one")));
        for other in [message("a", b"two"), message("b", b"one"), message("a", b""), message("a\0", b"one")] {
            assert_ne!(id(&message("a", b"one")), id(&other));
        }
    }

    #[test]
    fn topics_of_others_are_neither_joined_nor_remembered() {
        let ours = TopicHash::from_raw(topic(&Rendezvous::new([1; 32])));
        assert!(Topics.can_subscribe(&ours) && !Topics.can_subscribe(&TopicHash::from_raw("eth/blocks")));
        assert!(behaviour(&Keypair::generate_ed25519()).is_ok());
    }
}
