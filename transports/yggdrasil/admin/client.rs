//! One exchange with an admin socket, within bytes and time that several exchanges may share.

use core::time::Duration;
use std::io::ErrorKind;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use super::AdminError;
use super::object::ObjectEnd;
use super::place::AdminAddress;
use super::request::Request;

/// 4 KiB at a time: a usual answer in one piece.
const PIECE: usize = 4 * 1024;

/// 32 KiB for one string: twice the longest NodeInfo. A parser may have to copy one.
const TEXT_MAX: usize = 32 * 1024;

/// What several exchanges may take together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    bytes: usize,
    until: Instant,
}

impl Budget {
    /// So many bytes within this time from now. What the daemon says beyond that is not read.
    pub(crate) fn new(bytes: usize, time: Duration) -> Self {
        let now = Instant::now();
        Self { bytes, until: now.checked_add(time).unwrap_or(now) }
    }

    /// The same bytes within this time from now, and no longer than before.
    pub(crate) fn share(&self, time: Duration) -> Self {
        Self { until: Self::new(self.bytes, time).until.min(self.until), ..*self }
    }

    /// Takes off what a share has used.
    pub(crate) const fn spend(&mut self, share: &Self) {
        self.bytes = share.bytes;
    }

    /// Whether anything is left.
    pub(crate) fn lasts(&self) -> bool {
        self.bytes > 0 && Instant::now() < self.until
    }

    /// Waits for something as long as there is time.
    pub(crate) async fn wait<T>(&self, something: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.until, something).await.ok()
    }
}

/// Asks once, over a connection of its own; the answer is one JSON object.
///
/// # Errors
/// Who is to blame that there is none.
pub(crate) async fn ask(place: &AdminAddress, request: Request, budget: &mut Budget) -> Result<Vec<u8>, AdminError> {
    let mut answer = Vec::new();
    let until = budget.until;
    let asked = timeout_at(until, async {
        match place {
            AdminAddress::Unix(path) => exchange(UnixStream::connect(path).await, request, budget, &mut answer).await,
            AdminAddress::Tcp { host, port } => {
                let connected = TcpStream::connect((host.as_str(), *port)).await;
                exchange(connected, request, budget, &mut answer).await
            }
        }
    });
    match asked.await {
        Ok(done) => done.map(|()| answer),
        Err(_) if answer.is_empty() => Err(AdminError::Silent),
        Err(_) => Err(AdminError::Slow),
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    connected: std::io::Result<S>,
    request: Request,
    budget: &mut Budget,
    answer: &mut Vec<u8>,
) -> Result<(), AdminError> {
    let mut stream = connected.map_err(|error| not_connected(error.kind()))?;
    // Whoever closes before it has read the request may have answered all the same.
    let _ = stream.write_all(request.json().as_bytes()).await;
    let mut end = ObjectEnd::default();
    let mut piece = vec![0; PIECE];
    loop {
        let room = piece.len().min(budget.bytes);
        let Some(room) = piece.get_mut(..room).filter(|room| !room.is_empty()) else { return Err(AdminError::TooLong) };
        let read = stream.read(room).await.map_err(|_| AdminError::CutShort)?;
        let read = room.get(..read).filter(|read| !read.is_empty()).ok_or(AdminError::CutShort)?;
        budget.bytes = budget.bytes.saturating_sub(read.len());
        let len = end.look(read)?;
        append(answer, read.get(..len.unwrap_or(read.len())).unwrap_or_default(), budget.bytes);
        if len.is_some() {
            return Ok(());
        }
        if end.text() > TEXT_MAX {
            return Err(AdminError::TooLong);
        }
    }
}

/// Appends without ever reserving more than the answer may still have.
fn append(answer: &mut Vec<u8>, bytes: &[u8], left: usize) {
    let wanted = answer.len().saturating_add(bytes.len());
    if wanted > answer.capacity() {
        let grown = answer.capacity().saturating_mul(2).clamp(wanted, wanted.saturating_add(left));
        answer.reserve_exact(grown.saturating_sub(answer.len()));
    }
    answer.extend_from_slice(bytes);
}

fn not_connected(kind: ErrorKind) -> AdminError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system's kinds of error have no end")]
    match kind {
        ErrorKind::NotFound => AdminError::Absent,
        ErrorKind::PermissionDenied => AdminError::Denied,
        // A full queue of connections: it is there and takes none.
        ErrorKind::WouldBlock | ErrorKind::TimedOut => AdminError::Silent,
        _ => AdminError::Refused,
    }
}
