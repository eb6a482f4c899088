//! What a transport has to bring to the exam, and the list of questions.

mod ends;
mod flow;
pub mod limits;
mod links;
pub mod loss;
pub mod measure;
pub mod path;
mod station;
pub mod tcp;

use crosscast_port::DialError;
use crosscast_transport::Transport;
use crosscast_wire::{Locator, NodeId};

pub use ends::*;
pub use flow::*;
pub use links::*;
pub use station::{Pair, Station, listening};

/// A transport that sits the exam. Nodes are numbered; each question starts its own.
pub trait Candidate: Send + Sync {
    /// The transport of a node.
    fn transport(&self, node: u8) -> Box<dyn Transport>;

    /// Where a node listens; a port of 0 is fine.
    fn listen_at(&self, node: u8) -> Locator;

    /// A node's key, where the transport authenticates it.
    fn key(&self, node: u8) -> Option<NodeId>;

    /// A place where nobody listens.
    fn nowhere(&self) -> Locator;

    /// What a dial to nowhere comes to: a refusal, where the network has such a thing, or silence.
    fn answer_of_nowhere(&self) -> DialError {
        DialError::Unreachable
    }
}

/// Makes a test of every question for the candidate that an expression gives.
#[macro_export]
macro_rules! sit_transport_exam {
    ($candidate:expr) => {
        $crate::sit_transport_exam!($candidate;
            frames_keep_their_order_within_each_lane,
            both_directions_can_be_saturated_at_once,
            a_frame_of_the_greatest_length_passes_and_a_longer_one_is_refused,
            control_overtakes_bulk_that_waits,
            a_reader_that_stops_dries_up_the_writer_and_loses_nothing,
            a_link_that_stands_still_holds_up_no_other,
            a_flood_over_many_links_stays_within_bounds,
            what_was_sent_before_a_close_arrives,
            a_close_ends_although_the_peer_reads_nothing,
            a_peer_that_vanishes_is_down,
            a_node_that_goes_ends_its_transport,
            a_closed_port_ends_its_links,
            both_ends_of_a_link_know_each_other,
            links_come_and_go_under_new_names,
            two_dials_to_one_peer_are_two_links,
            a_dial_to_nowhere_fails,
            a_dial_that_asks_for_another_key_fails,
            a_listener_cannot_take_a_place_twice,
        );
    };
    ($candidate:expr; $($question:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $question() {
                $crate::transport::$question(&$candidate).await;
            }
        )+
    };
}
