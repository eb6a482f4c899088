//! What lies between frames and the bytes of a stream.

/// Turns the bytes of frames into the bytes of a stream and back.
pub trait Codec: Send {}

/// For a stream that is encrypted and authenticated already: nothing lies between, and its end in order is the peer's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Codec for Plain {}
