//! The local API without a library: one request, one answer, one connection.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// What the API answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; null when it is no JSON.
    pub body: Value,
}

/// Posts bytes to a path of the API behind a home's socket.
///
/// # Errors
/// When the socket cannot be used, or the answer is no HTTP.
pub fn post(home: &Path, path: &str, body: &[u8], within: Duration) -> Result<Answer> {
    let (status, body) = ask(home, "POST", path, body, within)?;
    Ok(Answer { status, body: serde_json::from_str(&body).unwrap_or(Value::Null) })
}

/// Asks in any method for any path; returns the HTTP status and the body as text.
///
/// # Errors
/// When the socket cannot be used, or the answer is no HTTP.
pub fn ask(home: &Path, method: &str, path: &str, body: &[u8], within: Duration) -> Result<(u16, String)> {
    let mut stream = UnixStream::connect(home.join("api.sock")).context("no daemon answers")?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    // Version 1.0, so that a body that is made while it is sent ends with the connection and comes in no chunks.
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without an end of its head")?;
    let status = head.split(' ').nth(1).context("an answer without a status")?.parse()?;
    Ok((status, body.to_owned()))
}
