//! That the table is whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
use std::collections::BTreeSet;

use crosscast_wire::{NetworkReason, PeerFault};

use super::*;

#[test]
fn every_code_has_one_word_and_advice() {
    for code in Code::ALL {
        assert_eq!(Code::from_word(code.word()), Some(*code));
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-';
        assert!(code.word().bytes().all(is_plain), "{}", code.word());
        assert!(!(code.word().contains('_') && code.word().contains('-')), "{}", code.word());
        assert!(code.means().ends_with('.') && code.next().ends_with('.'), "{}", code.word());
    }
    assert_eq!(Code::from_word("nonsense"), None);
}

#[test]
fn every_reason_of_a_network_and_every_fault_of_a_peer_is_a_code_and_no_other_has_dashes() {
    let reasons = NetworkReason::ALL.iter().map(|reason| reason.word());
    let words: BTreeSet<&str> = reasons.chain(PeerFault::ALL.iter().map(|fault| fault.word())).collect();
    let dashed: BTreeSet<&str> = Code::ALL.iter().map(|code| code.word()).filter(|word| word.contains('-')).collect();
    assert_eq!(dashed, words);
}

#[test]
fn exit_codes_are_the_documented_numbers() {
    let exits = [Exit::Ok, Exit::Failed, Exit::Usage, Exit::NotReachable, Exit::Denied, Exit::Timeout];
    assert_eq!(exits.map(Exit::number), [0, 1, 2, 3, 4, 5]);
    assert_eq!(Code::Timeout.exit(), Exit::Timeout);
    assert_eq!(Code::Denied.exit(), Exit::Denied);
    assert_eq!(Code::NoDaemon.exit(), Exit::NotReachable);
}
