//! The client of the local API: HTTP/1.1 over the home folder's socket, one connection per request.
//!
//! Every verb but `init`, `run`, `key`, `config`, `explain` and `demo`'s own work goes through here, so what they can do,
//! any program on this machine can do.

mod sse;
mod watch;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crosscast_api::{Code, ErrorBody};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::failure::Failure;

pub(crate) use watch::{Occurrence, Watch};

/// How long an ordinary answer may take when the user names no time. 30 s: far above what any answer takes.
const ANSWER: Duration = Duration::from_secs(30);

/// Largest answer that is read as a whole, in bytes. 64 MiB: a full list of the largest node.
const ANSWER_MAX: usize = 64 << 20;

/// What requests carry.
pub(crate) type Payload = UnsyncBoxBody<Bytes, io::Error>;

/// A body that ends at once, or after these bytes.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Payload {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body of pieces as they come; it ends when their sender is gone.
pub(crate) fn pieces(from: mpsc::Receiver<Bytes>) -> Payload {
    let frames = futures_util::stream::unfold(from, |mut from| async {
        from.recv().await.map(|piece| (Ok(Frame::data(piece)), from))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// Makes requests.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    socket: PathBuf,
    deadline: Option<Instant>,
}

impl Client {
    /// A client of the daemon behind this socket; nothing may take longer than until `timeout` from now.
    pub(crate) fn new(socket: &Path, timeout: Option<Duration>) -> Self {
        Self { socket: socket.to_owned(), deadline: timeout.map(|timeout| Instant::now() + timeout) }
    }

    /// When the user wants it to be over.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Milliseconds the daemon may wait, a little less than the user's, so that its answer is still in time.
    pub(crate) fn wait_ms(&self) -> Option<u128> {
        let left = self.deadline?.saturating_duration_since(Instant::now());
        Some(left.as_millis().saturating_sub(20).max(1))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.answer(Method::GET, path, None, whole("")).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.answer(Method::DELETE, path, None, whole("")).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, bytes: Bytes) -> Result<T, Failure> {
        self.answer(Method::POST, path, Some("application/octet-stream"), whole(bytes)).await
    }

    pub(crate) async fn post_json<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        self.answer(Method::POST, path, Some("application/json"), whole(body)).await
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: Payload,
    ) -> Result<T, Failure> {
        let request = self.request(method, path, kind, body)?;
        let exchange = async {
            let response = self.exchange(request).await?;
            let body = collect(response.into_body()).await?;
            serde_json::from_slice(&body).map_err(|error| strange(&error))
        };
        match self.deadline {
            Some(_) => self.within(exchange).await,
            None => tokio::time::timeout(ANSWER, exchange).await.map_err(|_| {
                Failure::new(Code::Timeout, format!("the daemon did not answer within {} s", ANSWER.as_secs()))
            })?,
        }
    }

    /// Runs to the user's deadline at most.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        match self.deadline {
            None => work.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), work)
                .await
                .map_err(|_| Failure::new(Code::Timeout, "the time given with --timeout is over"))?,
        }
    }

    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: Payload,
    ) -> Result<Request<Payload>, Failure> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "crosscast");
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        request.body(body).map_err(|error| Failure::new(Code::BadRequest, format!("{path}: {error}")))
    }

    /// Connects, sends, and returns an answer whose status is a success.
    pub(crate) async fn exchange(&self, request: Request<Payload>) -> Result<Response<Incoming>, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| lost(&error))?;
        tokio::spawn(async move {
            // Its failure is the failure of the request that it carries.
            let _ = connection.await;
        });
        let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = collect(response.into_body()).await?;
        match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => Err(Failure::answered(body)),
            Err(_) => Err(Failure::new(Code::Internal, format!("the daemon answered {status}"))),
        }
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let place = self.socket.display();
        let kind = error.kind();
        if kind == io::ErrorKind::PermissionDenied {
            Failure::new(Code::Denied, format!("{place}: {error}"))
        } else if kind == io::ErrorKind::NotFound {
            Failure::new(Code::NoDaemon, format!("there is no socket {place}"))
        } else if kind == io::ErrorKind::ConnectionRefused {
            Failure::new(Code::NoDaemon, format!("nobody answers on {place}"))
        } else {
            Failure::new(Code::NoDaemon, format!("{place}: {error}"))
        }
    }
}

async fn collect(body: Incoming) -> Result<Bytes, Failure> {
    let collected = Limited::new(body, ANSWER_MAX).collect().await;
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| lost(&*error))
}

/// The connection broke.
pub(crate) fn lost(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(Code::ConnectionLost, format!("the daemon went away: {error}"))
}

fn strange(error: &serde_json::Error) -> Failure {
    Failure::new(Code::Internal, format!("the daemon's answer does not parse: {error}"))
}

/// A name or key as one segment of a path or one value of a query (RFC 3986).
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            safe.push_str(&format!("%{byte:02X}"));
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_name_of_any_kind_is_one_segment() {
        assert_eq!(escaped("a b/c?d=é&#%"), "a%20b%2Fc%3Fd%3D%C3%A9%26%23%25");
        assert_eq!(escaped("cg234-_.~Z"), "cg234-_.~Z");
    }
}
