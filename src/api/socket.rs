//! The Unix socket: made with mode 0660, a dead one replaced, a living one never; each caller judged as it connects.
//!
//! A path that does not fit `sun_path` is refused with advice rather than by an obscure error of the system. The number
//! of connections is bounded; beyond it callers wait in the kernel's queue.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::{Access, Caller};
use crate::{ApiError, Code};

/// Longest path of the socket in bytes. The system's limit is 107; some have less.
pub const SOCKET_PATH_MAX: usize = 100;

/// Connections at once. 256: every stream of 64 applications and room to look around.
const CONNECTIONS: usize = 256;

/// Pause after a failed accept. A second: the system is out of descriptors, and asking faster frees none.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The listening socket; its file is removed when it is dropped.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    access: Access,
    permits: Arc<Semaphore>,
    file: SocketFile,
}

impl Door {
    /// Makes the socket.
    ///
    /// # Errors
    /// [`Code::SocketPath`] when the path is too long, [`Code::AlreadyRunning`] when somebody answers there,
    /// [`Code::BadConfig`] when the group does not exist, [`Code::SocketFailed`] for the system's own reasons.
    pub fn open(path: &Path, access: Access) -> Result<Self, ApiError> {
        check_path(path)?;
        clear_stale(path)?;
        let failed = |error: io::Error| ApiError::new(Code::SocketFailed, format!("{}: {error}", path.display()));
        let listener = UnixListener::bind(path).map_err(failed)?;
        let file = SocketFile::of(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(failed)?;
        if let Some(group) = access.group() {
            let number = access.group_number().ok_or_else(|| {
                ApiError::new(Code::BadConfig, format!("[api].group: the system has no group `{group}`"))
            })?;
            std::os::unix::fs::chown(path, None, Some(number)).map_err(failed)?;
        }
        Ok(Self { listener, access, permits: Arc::new(Semaphore::new(CONNECTIONS)), file })
    }

    /// Where the socket is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

/// Refuses a path that is too long for a socket.
///
/// # Errors
/// [`Code::SocketPath`] with the path and its length.
pub fn check_path(path: &Path) -> Result<(), ApiError> {
    let len = path.as_os_str().len();
    if len <= SOCKET_PATH_MAX {
        return Ok(());
    }
    let cause = format!("{} has {len} bytes, more than {SOCKET_PATH_MAX}", path.display());
    Err(ApiError::new(Code::SocketPath, cause))
}

/// Removes a socket on which nobody answers.
fn clear_stale(path: &Path) -> Result<(), ApiError> {
    let failed = |error: io::Error| ApiError::new(Code::SocketFailed, format!("{}: {error}", path.display()));
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !kind.is_socket() {
        return Err(ApiError::new(Code::SocketFailed, format!("{} exists and is not a socket", path.display())));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ApiError::new(Code::AlreadyRunning, format!("somebody answers on {}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

/// A socket file and which one it was (device and inode), so that another daemon's is never removed.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // Whoever starts next clears what is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Listener for Door {
    type Io = Guarded;
    type Addr = Caller;

    async fn accept(&mut self) -> (Guarded, Caller) {
        loop {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
                std::future::pending::<()>().await;
                continue;
            };
            let stream = match self.listener.accept().await {
                Ok((stream, _address)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the API socket takes no connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            match stream.peer_cred() {
                Ok(peer) => {
                    let caller = self.access.judge(peer.uid(), peer.gid());
                    return (Guarded { stream, _permit: permit }, caller);
                }
                Err(error) => tracing::warn!(%error, "a caller of the API has no credentials"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Caller> {
        let user = rustix::process::geteuid().as_raw();
        Ok(Caller { uid: user, gid: rustix::process::getegid().as_raw(), allowed: true })
    }
}

impl Connected<IncomingStream<'_, Door>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        *stream.remote_addr()
    }
}

/// A connection and its place among those allowed.
#[derive(Debug)]
pub struct Guarded {
    stream: UnixStream,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("cc-socket-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let folder = folder("stale");
        let path = folder.join("api.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the file outlives its listener");
        let door = Door::open(&path, Access::new(None)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        assert_eq!(Door::open(&path, Access::new(None)).unwrap_err().code, Code::AlreadyRunning);
        drop(door);
        assert!(!path.exists(), "the file goes with its door");
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn what_is_not_a_socket_and_what_is_another_daemons_is_left_alone() {
        let folder = folder("foreign");
        let path = folder.join("api.sock");
        fs::write(&path, "notes").unwrap();
        assert_eq!(Door::open(&path, Access::new(None)).unwrap_err().code, Code::SocketFailed);
        assert_eq!(fs::read_to_string(&path).unwrap(), "notes");
        fs::remove_file(&path).unwrap();
        let door = Door::open(&path, Access::new(None)).unwrap();
        fs::rename(&path, folder.join("moved")).unwrap();
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(door);
        assert!(path.exists(), "the other daemon's socket stays");
        drop(other);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_path_over_100_bytes_is_refused_with_its_length() {
        let path = PathBuf::from(format!("/{}", "x".repeat(100)));
        let error = check_path(&path).unwrap_err();
        assert_eq!(error.code, Code::SocketPath);
        assert!(error.cause.contains("101 bytes"), "{error}");
        assert_eq!(check_path(Path::new(&format!("/{}", "x".repeat(99)))), Ok(()));
    }
}
