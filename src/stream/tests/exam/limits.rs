//! Limits and deadlines: links, dials that nobody answers, paths that swallow everything.

use std::time::Duration;

use crosscast_exam::transport::{limits, tcp};
use tokio::io::AsyncReadExt;

use crate::stranger::Stranger;
use crate::{ON_LOOPBACK, tuned};

#[tokio::test]
async fn a_server_that_never_answers_costs_a_dial_its_deadline() {
    let tuned = tuned(|config| config.timeouts.handshake = Duration::from_millis(300));
    tcp::a_server_that_never_answers_costs_a_dial_its_deadline(&tuned).await;
}

#[tokio::test]
async fn links_beyond_the_limit_are_refused_on_both_sides() {
    let tuned = tuned(|config| config.limits.links = 2);
    let full = limits::a_dial_beyond_the_limit_of_two_links_is_refused(&tuned).await;
    let (mut third, _) = Stranger::polite().dial(&full.at).await.unwrap();
    assert!(matches!(third.read(&mut [0; 8]).await, Ok(0) | Err(_)), "accepted beyond the limit");
}

#[tokio::test]
async fn a_link_makes_room_when_it_ends() {
    limits::a_link_makes_room_when_it_ends(&tuned(|config| config.limits.links = 1)).await;
}

#[tokio::test]
async fn a_path_that_swallows_everything_stalls_the_link() {
    let tuned = tuned(|config| config.timeouts.stall = Duration::from_millis(800));
    tcp::a_path_that_swallows_everything_stalls_the_link(&tuned).await;
}

#[tokio::test]
async fn a_flipped_bit_on_the_way_breaks_the_link() {
    tcp::a_flipped_bit_on_the_way_breaks_the_link(&ON_LOOPBACK).await;
}
