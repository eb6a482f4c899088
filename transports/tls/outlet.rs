//! The writing half of a link, shared by its task and the node's own turn: frames to chunks, chunks to ciphertext,
//! ciphertext into the kernel.
//!
//! A chunk is chosen, encrypted and written only when the one before it is wholly in the kernel, so frames stay in
//! their lanes, where they can be overtaken, until the last moment. Whoever holds the lock writes; the node's turn only
//! tries for it, and leaves to the task whatever would have to wait.

use std::io::{self, IoSlice, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use crosscast_stream::pace::{CHUNK_MAX, Pace};
use crosscast_stream::socket::{Socket, bound_unsent, prepare};
use crosscast_transport::framing::FragmentWriter;
use crosscast_transport::{Express, Grants, PerLane};
use crosscast_wire::{Lane, RawFrame};
use rustls::Connection;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// What rustls may hold encrypted: one chunk and its records' overhead, and a key update.
const HELD_MAX: usize = CHUNK_MAX + 64 * 1024;

/// A connection as its two users see it.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<Outlet>);

/// The connection, and what is on its way into it.
pub(crate) struct Outlet {
    pub(crate) stream: TcpStream,
    pub(crate) connection: Connection,
    pub(crate) writer: FragmentWriter,
    pub(crate) grants: Grants,
    /// Whether frames are still taken.
    pub(crate) open: bool,
    pace: Pace,
    taken: u64,
    pieces: Vec<Bytes>,
    /// Body bytes of the chunk that is on its way into the kernel.
    leaving: PerLane<usize>,
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet").field("open", &self.open).finish_non_exhaustive()
    }
}

/// How far writing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The chunk is in the kernel.
    All,
    /// The kernel takes no more now.
    Full,
}

impl Shared {
    pub(crate) fn new(stream: TcpStream, mut connection: Connection) -> Self {
        prepare(&stream);
        connection.set_buffer_limit(Some(HELD_MAX));
        let pace = Pace::default();
        bound_unsent(&stream, pace.unsent());
        Self(Mutex::new(Outlet {
            stream,
            connection,
            writer: FragmentWriter::new(),
            grants: Grants::default(),
            open: true,
            pace,
            taken: 0,
            pieces: Vec::new(),
            leaving: PerLane::default(),
        }))
    }

    /// Locks, also after a panic elsewhere: a connection that broke half-way fails at its next use.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Outlet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Express for Shared {
    fn send(&self, frames: Vec<RawFrame>) -> Result<bool, Vec<RawFrame>> {
        let Ok(mut outlet) = self.0.try_lock() else { return Err(frames) };
        if !outlet.open || !outlet.is_empty() {
            return Err(frames);
        }
        outlet.pace.idle();
        frames.into_iter().for_each(|frame| outlet.writer.push(frame));
        // What fails here fails in the task's hands too, which then ends the link.
        let gone = outlet.write_all_now().unwrap_or(false);
        Ok(!gone || Lane::ALL.iter().any(|&lane| outlet.grants.is_due(lane)))
    }
}

impl Outlet {
    /// Whether nothing waits to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.writer.is_empty() && !self.connection.wants_write()
    }

    /// Bytes that the kernel has taken in the life of the link.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Notes that there was nothing to send.
    pub(crate) const fn idle(&mut self) {
        self.pace.idle();
    }

    /// Writes chunk after chunk without waiting; false when something is left.
    fn write_all_now(&mut self) -> io::Result<bool> {
        loop {
            if !self.connection.wants_write() {
                if self.writer.is_empty() {
                    return Ok(true);
                }
                // Asks no system: whether the kernel had room when last heard of.
                if self.stream.try_io(Interest::WRITABLE, || Ok(())).is_err() {
                    return Ok(false);
                }
                self.encrypt_chunk()?;
            }
            if self.write_chunk()? == Written::Full {
                return Ok(false);
            }
        }
    }

    /// Encrypts the next chunk.
    ///
    /// # Errors
    /// When TLS takes no more, which its limits rule out.
    pub(crate) fn encrypt_chunk(&mut self) -> io::Result<()> {
        self.leaving = self.writer.take(self.pace.chunk(), &mut self.pieces);
        let encrypted = encrypt(&mut self.connection, &self.pieces);
        self.pieces.clear();
        encrypted
    }

    /// Writes what is encrypted, as far as the kernel takes it.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(crate) fn write_chunk(&mut self) -> io::Result<Written> {
        while self.connection.wants_write() {
            let mut outlet = Socket { stream: &self.stream, chunk: self.pace.chunk(), more: false };
            match self.connection.write_tls(&mut outlet) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    self.pace.took(bytes);
                    self.taken = self.taken.saturating_add(bytes as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.note_full();
                    return Ok(Written::Full);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let leaving = core::mem::take(&mut self.leaving);
        for &lane in Lane::ALL {
            self.grants.left(lane, *leaving.get(lane));
        }
        Ok(Written::All)
    }

    fn note_full(&mut self) {
        let before = self.pace.unsent();
        if self.pace.full(std::time::Instant::now()) {
            let unsent = self.pace.unsent();
            // A small change is not worth a system call.
            if unsent.abs_diff(before) > before / 8 {
                bound_unsent(&self.stream, unsent);
            }
            self.grants.set_data_target(u32::try_from(self.pace.grant()).unwrap_or(u32::MAX));
        }
    }

    /// Tries to write the alert that rustls has prepared for a peer that broke the rules.
    pub(crate) fn say_why(&mut self) {
        let mut outlet = Socket { stream: &self.stream, chunk: CHUNK_MAX, more: false };
        while self.connection.wants_write() {
            if !matches!(self.connection.write_tls(&mut outlet), Ok(1..)) {
                return;
            }
        }
    }
}

/// Gives all pieces to rustls, which encrypts them into records without joining them first.
fn encrypt(connection: &mut Connection, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        // Less than everything is taken when a key update falls due.
        let taken = connection.writer().write_vectored(rest)?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut rest, taken);
    }
    Ok(())
}
