//! The name of a refusal, as it stands in the vectors: the variant of the error that says it, in kebab case.

use core::fmt::Debug;

/// Variants that only say where an error was found, not what it is.
const WRAPPERS: [&str; 12] = [
    "Cbor",
    "Hello",
    "Chain",
    "Capability",
    "Floor",
    "Message",
    "Nested",
    "JoinRequest",
    "Successor",
    "Locate",
    "Equivocation",
    "Header",
];

/// The name of an error's innermost variant.
pub(crate) fn of(error: &impl Debug) -> String {
    let text = format!("{error:?}");
    let mut rest = text.as_str();
    while let Some((head, tail)) = rest.split_once('(')
        && WRAPPERS.contains(&head)
    {
        rest = tail;
    }
    let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    kebab(&name)
}

fn kebab(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::of;
    use crosscast_wire::{CapabilityError, CborError, ChainError, FrameCause, Lane};

    #[test]
    fn a_reason_is_the_innermost_variant() {
        let inner = ChainError::Capability(CapabilityError::Cbor(CborError::MissingKey(3)));
        assert_eq!(of(&FrameCause::Chain(inner)), "missing-key");
        assert_eq!(of(&FrameCause::WrongLane(Lane::Bulk)), "wrong-lane");
        assert_eq!(of(&FrameCause::TooLong), "too-long");
        assert_eq!(of(&ChainError::Root), "root");
    }
}
