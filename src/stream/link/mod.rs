//! The task of a link over a stream of bytes.
//!
//! The caller has opened the link's port and reported it up; [`run`] drives it to its end and reports that. What is
//! between frames and bytes is a [`Codec`]: [`Plain`] where the stream is encrypted and authenticated already.

mod codec;

use crosscast_port::DownReason;
use crosscast_transport::LinkPort;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Timeouts;

pub use codec::{Codec, Plain};

/// Runs a link over a stream to its end.
///
/// A stream that ends in order between two frames is down as [`DownReason::PeerClosed`], any other end as
/// [`DownReason::Broken`]; what "in order" is, the codec says.
pub async fn run<S, C>(port: LinkPort, stream: S, codec: C, timeouts: Timeouts)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    C: Codec,
{
    let _ = (stream, codec, timeouts);
    port.down(DownReason::Broken);
}
