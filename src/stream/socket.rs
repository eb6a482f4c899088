//! The socket's few options, and writing to it without hiding a queue.
//!
//! `TCP_NOTSENT_LOWAT` bounds what waits in the kernel unsent, beside what is in flight. For small chunks `MSG_EOR` keeps
//! the kernel from adding them to one large buffer, whose length the bound does not see. Where a system lacks either,
//! links work, with longer queues.

use std::io::{self, IoSlice, Write};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Chunks from this size on are left to the kernel to join: as large as its own buffers.
const EOR_BELOW: usize = 32 * 1024;

/// Chunks from this size on, with more to come, leave their last bytes to be joined by the next: without that every chunk
/// ends in a packet of its own that is far from full. So large chunks come on fast links only, which may have many times
/// as much unsent as a packet holds, so that the rest never waits for itself.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MORE_FROM: usize = 128 * 1024;

/// `MSG_EOR` of Linux's `sys/socket.h`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MSG_EOR: i32 = 0x80;

/// `MSG_MORE` of Linux's `sys/socket.h`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MSG_MORE: i32 = 0x8000;

/// Sets what never changes; a failure costs only latency.
pub fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
}

/// Bounds the bytes that wait in the kernel for their first transmission.
pub fn bound_unsent(stream: &TcpStream, bytes: usize) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let _ = SockRef::from(stream).set_tcp_notsent_lowat(bytes);
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (stream, bytes);
}

/// A socket to which a chunk is written; never blocks.
#[derive(Debug)]
pub struct Socket<'a> {
    /// The connection.
    pub stream: &'a TcpStream,
    /// Length of a whole chunk in bytes: small ones are kept apart.
    pub chunk: usize,
    /// Whether another chunk follows at once.
    pub more: bool,
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = flags(self.chunk, self.more);
        self.stream.try_io(Interest::WRITABLE, || SockRef::from(self.stream).send_vectored_with_flags(slices, flags))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const fn flags(chunk: usize, more: bool) -> i32 {
    match chunk {
        ..EOR_BELOW => MSG_EOR,
        MORE_FROM.. if more => MSG_MORE,
        _ => 0,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const fn flags(_chunk: usize, _more: bool) -> i32 {
    0
}
