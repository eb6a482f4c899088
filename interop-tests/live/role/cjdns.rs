//! What cjdns's own starter does for its core: gives it a key over its pipe, then sets it up over its admin port.
//!
//! That port is of the core's network namespace, so a process there has to do it. `cjdns PLAN` takes one JSON object:
//! `pipe`, `private_key`, `password`, and how it peers, `bind`, `accepts` and `dials`. Everything is in bencode, each call with a
//! cookie and a hash of the password.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::answer;
use crate::until;

/// Where the core's admin port is.
const ADMIN: &str = "127.0.0.1:11234";

/// How long the core may take to have its pipe.
const START: Duration = Duration::from_secs(10);

/// What it says to a call of a function that it does not know, or not yet.
const NO_FUNCTION: &str = "No functions matched";

/// The interface it makes.
const DEVICE: &str = "cjd0";

pub(super) fn play(args: &[String]) -> Result<()> {
    let [plan] = args else { bail!("cjdns PLAN") };
    let plan: Value = serde_json::from_str(plan)?;
    let text = |name: &str| plan.get(name).and_then(Value::as_str).with_context(|| format!("no {name}"));
    configure(text("pipe")?, text("private_key")?, text("password")?)?;
    let admin = Admin::open(text("password")?)?;
    admin.call(
        "AuthorizedPasswords_add",
        &[("authType", int(1)), ("displayName", str("lab")), ("password", str(text("accepts")?)), ("user", str("lab"))],
    )?;
    let made = admin.call("UDPInterface_new", &[("bindAddress", str(text("bind")?))])?;
    let number = made.get("interfaceNumber").context("no interface")?.clone();
    for peer in plan.get("dials").and_then(Value::as_array).into_iter().flatten() {
        let of = |name: &str| peer.get(name).and_then(Value::as_str).map(str).with_context(|| format!("no {name}"));
        let args = [
            ("address", of("address")?),
            ("interfaceNumber", number.clone()),
            ("login", str("lab")),
            ("password", of("password")?),
            ("peerName", str("lab")),
            ("publicKey", of("public_key")?),
        ];
        admin.call("UDPInterface_beginConnection", &args)?;
    }
    admin.call("Core_initTunnel", &[("desiredTunName", str(DEVICE))])?;
    let user = admin.call("Security_getUser", &[("user", str("nobody"))])?;
    let uid = user.get("uid").context("no uid")?.clone();
    let gid = user.get("gid").cloned().unwrap_or_else(|| uid.clone());
    admin.call("Security_setUser", &[("gid", gid), ("keepNetAdmin", int(1)), ("uid", uid)])?;
    admin.call("Security_noforks", &[])?;
    admin.call("Security_setupComplete", &[])?;
    answer(&json!({ "ready": true }))
}

/// The key, the admin port and its password go in over the pipe.
fn configure(pipe: &str, private_key: &str, password: &str) -> Result<()> {
    let mut stream = None;
    until("the core has its pipe", START, || {
        stream = UnixStream::connect(pipe).ok();
        Ok(stream.is_some())
    })?;
    let mut stream = stream.context("a pipe")?;
    let admin = dict(&[("bind", str(ADMIN)), ("pass", str(password))]);
    let all = dict(&[("admin", admin), ("logging", dict(&[])), ("privateKey", str(private_key))]);
    stream.write_all(&all)?;
    stream.set_read_timeout(Some(START))?;
    let mut said = vec![0; 4_096];
    let read = stream.read(&mut said)?;
    said.truncate(read);
    check("the pipe", &entries(&said)?)
}

struct Admin {
    socket: UdpSocket,
    password: String,
}

type Entries = BTreeMap<String, Vec<u8>>;

impl Admin {
    fn open(password: &str) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(ADMIN)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let admin = Self { socket, password: password.to_owned() };
        until("the admin port answers", START, || Ok(admin.ask(&[("q", str("ping")), ("txid", str("t"))]).is_ok()))?;
        admin.socket.set_read_timeout(Some(START))?;
        Ok(admin)
    }

    fn ask(&self, request: &[(&str, Vec<u8>)]) -> Result<Entries> {
        self.socket.send(&dict(request))?;
        let mut said = vec![0; 65_535];
        let read = self.socket.recv(&mut said)?;
        said.truncate(read);
        entries(&said)
    }

    /// The answer to a call. A core answers before it knows its own functions, some of which come 1.5 s later.
    fn call(&self, name: &str, args: &[(&str, Vec<u8>)]) -> Result<Entries> {
        let mut answer = Entries::new();
        until("the core knows its functions", START, || {
            answer = self.authenticated(name, args)?;
            let error = answer.get("error").map(|error| String::from_utf8_lossy(error));
            Ok(!error.is_some_and(|error| error.contains(NO_FUNCTION)))
        })?;
        check(name, &answer)?;
        Ok(answer)
    }

    fn authenticated(&self, name: &str, args: &[(&str, Vec<u8>)]) -> Result<Entries> {
        let cookie = self.ask(&[("q", str("cookie")), ("txid", str("t"))])?;
        let (cookie, _) = string(cookie.get("cookie").context("no cookie")?)?;
        let cookie = String::from_utf8_lossy(cookie).into_owned();
        let hash = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let request = |hash: &str| {
            let fields = [
                ("aq", str(name)),
                ("args", dict(args)),
                ("cookie", str(&cookie)),
                ("hash", str(hash)),
                ("q", str("auth")),
                ("txid", str("t")),
            ];
            fields.to_vec()
        };
        let first = hash(format!("{}{cookie}", self.password).as_bytes());
        let whole = hash(&dict(&request(&first)));
        self.ask(&request(&whole))
    }
}

fn check(what: &str, answer: &Entries) -> Result<()> {
    let error = answer.get("error").map(|error| string(error)).transpose()?;
    let error = error.map_or("none".to_owned(), |(text, _)| String::from_utf8_lossy(text).into_owned());
    ensure!(error == "none", "{what}: {error}");
    Ok(())
}

fn str(text: &str) -> Vec<u8> {
    format!("{}:{text}", text.len()).into_bytes()
}

fn int(number: u32) -> Vec<u8> {
    format!("i{number}e").into_bytes()
}

/// A dictionary of values in bencode, its keys in the order given.
fn dict(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = b"d".to_vec();
    for (key, value) in fields {
        out.extend(str(key));
        out.extend(value);
    }
    out.push(b'e');
    out
}

/// The entries of a dictionary, values as they stand.
fn entries(bytes: &[u8]) -> Result<Entries> {
    let mut rest = bytes.strip_prefix(b"d").context("no dictionary")?;
    let mut entries = Entries::new();
    while !rest.starts_with(b"e") {
        let (key, behind) = string(rest)?;
        let len = length(behind)?;
        let (value, behind) = behind.split_at_checked(len).context("cut off")?;
        entries.insert(String::from_utf8_lossy(key).into_owned(), value.to_vec());
        rest = behind;
    }
    Ok(entries)
}

/// A string, whose length may have zeros before it, and what is behind.
fn string(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let colon = bytes.iter().position(|byte| *byte == b':').context("no string")?;
    let (len, rest) = bytes.split_at_checked(colon).context("no string")?;
    let len: usize = std::str::from_utf8(len)?.parse().context("no length")?;
    rest.get(1..).and_then(|rest| rest.split_at_checked(len)).context("cut off")
}

/// How many bytes the first value takes.
fn length(bytes: &[u8]) -> Result<usize> {
    match bytes.first().context("cut off")? {
        b'i' => Ok(bytes.iter().position(|byte| *byte == b'e').context("no end")? + 1),
        b'l' | b'd' => {
            let mut taken = 1;
            loop {
                let rest = bytes.get(taken..).context("cut off")?;
                if rest.starts_with(b"e") {
                    return Ok(taken + 1);
                }
                taken += length(rest)?;
            }
        }
        _ => string(bytes).map(|(_, rest)| bytes.len() - rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_core_answers_is_read_with_its_padding() {
        let said = entries(b"d00000006:cookie10:17530991434:listli1e3:abce4:txid2:t1e").unwrap();
        assert_eq!(string(&said["cookie"]).unwrap().0, b"1753099143");
        assert_eq!(said["list"], b"li1e3:abce");
        assert!(check("x", &said).is_ok());
        assert!(check("x", &entries(b"d0000005:error12:Auth failed.e").unwrap()).is_err());
    }
}
