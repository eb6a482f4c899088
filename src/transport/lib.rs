//! The contract every transport fulfils, with the stream framing they share.
