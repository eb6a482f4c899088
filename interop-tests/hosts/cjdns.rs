//! The admin server of cjdns, replayed and hostile.
//!
//! A replaying server knows the recorded requests and answers each with its recorded reply: what differs from run to
//! run in a request (txid, cookie, hash) is left out when requests are compared, and the reply gets the txid that was
//! asked with. The hash is checked as cjdns checks it, since that picks between two recorded replies. To a request that
//! was not recorded there is no answer. How replies are read here is on purpose not how the client reads them.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::fixture;

/// The recorded program's version.
pub const RECORDED: &str = "cjdns-22.1";

/// The recorded node's admin password.
pub const PASSWORD: &str = "lab-admin-password";

/// The recorded node's key, as cjdns writes it.
pub const KEY: &str = "gbd4bvfr35jxss35jzl2xl8l61l1xs1b1mfd5q1ksv5ylckx08y0.k";

/// The recorded node's address, as cjdns writes it.
pub const ADDRESS: &str = "fc01:0e84:9af2:08f9:7139:84bb:192e:95be";

/// Exchanges that are not about what is asked, but about how: no request is to be answered by them.
const ABOUT_FORM: &[&str] = &["auth-", "garbage", "no-", "txid-long", "unsorted-keys"];

/// How often a server looks whether it is to stop.
const TICK: Duration = Duration::from_millis(50);

/// A program at an admin port; stops when dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

/// A request as a server sees it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its entries, values in bencode.
    pub entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The function it calls, with a password or without.
    pub function: String,
    /// Its txid.
    pub txid: Vec<u8>,
}

/// What a server sends back: a datagram, so many times.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The datagram.
    pub datagram: Vec<u8>,
    /// How often it is sent.
    pub times: usize,
}

impl Answer {
    /// A datagram that is sent once.
    #[must_use]
    pub fn once(datagram: impl Into<Vec<u8>>) -> Self {
        Self { datagram: datagram.into(), times: 1 }
    }
}

impl Server {
    /// Starts a program on a free loopback port that answers each datagram as it is told to.
    pub fn start(answer: impl Fn(&Request) -> Vec<Answer> + Send + 'static) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), answer)
    }

    /// The same at a place of the caller's choice.
    pub fn start_at(address: SocketAddr, answer: impl Fn(&Request) -> Vec<Answer> + Send + 'static) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(TICK)).unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let thread = thread::spawn({
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            move || serve(&socket, &stop, &asked, answer)
        });
        Self { address, stop, asked, thread: Some(thread) }
    }

    /// The functions that were called so far, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

fn serve(socket: &UdpSocket, stop: &AtomicBool, asked: &Mutex<Vec<String>>, answer: impl Fn(&Request) -> Vec<Answer>) {
    let mut buffer = vec![0; 65_536];
    while !stop.load(Ordering::SeqCst) {
        let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
        let request = Request::read(&buffer[..len]);
        asked.lock().unwrap().push(request.function.clone());
        for Answer { datagram, times } in answer(&request) {
            for _ in 0..times {
                // Who asked may be gone already.
                let _ = socket.send_to(&datagram, from);
            }
        }
    }
}

impl Request {
    fn read(bytes: &[u8]) -> Self {
        let entries = entries(bytes).unwrap_or_default();
        let text = |key: &[u8]| entries.get(key).and_then(|value| string(value)).map(|(text, _)| text.to_vec());
        let function = text(b"aq").or_else(|| text(b"q")).unwrap_or_default();
        let function = String::from_utf8_lossy(&function).into_owned();
        Self { bytes: bytes.to_vec(), function, txid: text(b"txid").unwrap_or_default(), entries }
    }

    /// A reply to this request: one dictionary of these entries and the txid.
    #[must_use]
    pub fn reply(&self, entries: impl AsRef<[u8]>) -> Vec<u8> {
        let mut reply = b"d".to_vec();
        reply.extend(entries.as_ref());
        reply.extend(format!("4:txid{}:", self.txid.len()).into_bytes());
        reply.extend(&self.txid);
        reply.push(b'e');
        reply
    }

    /// What is asked, without what is new in every request.
    fn gist(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut gist = self.entries.clone();
        gist.retain(|key, _| ![b"txid".as_slice(), b"cookie", b"hash"].contains(&key.as_slice()));
        gist
    }

    /// Whether its hash shows that it knows the password; nothing is shown by a request without one.
    fn knows(&self, password: &str) -> Option<bool> {
        let field = |key: &[u8]| self.entries.get(key).and_then(|value| string(value)).map(|(text, _)| text);
        let (hash, cookie) = (field(b"hash")?, field(b"cookie")?);
        let first = Sha256::new().chain_update(password).chain_update(cookie).finalize();
        let before = replace(&self.bytes, hash, hex(&first).as_bytes());
        Some(cookie == recorded_cookie() && hash == hex(&Sha256::digest(before)).as_bytes())
    }
}

/// Who a node is, as cjdns writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its key.
    pub key: String,
    /// The address that follows from its key, if it is honest.
    pub address: String,
}

impl Default for Identity {
    /// The recorded node.
    fn default() -> Self {
        Self { key: KEY.to_owned(), address: ADDRESS.to_owned() }
    }
}

impl Identity {
    /// What the recorded node said, as if this one had said it.
    fn speak(&self, reply: &[u8]) -> Vec<u8> {
        assert!(self.key.len() == KEY.len() && self.address.len() == ADDRESS.len(), "lengths stand in the reply");
        let reply = replace(reply, KEY.as_bytes(), self.key.as_bytes());
        replace(&reply, ADDRESS.as_bytes(), self.address.as_bytes())
    }
}

/// How a replaying server differs from the recorded node.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Who it is.
    pub identity: Identity,
    /// Its admin password.
    pub password: &'static str,
    /// Whether the page of peers past the last is given for the first.
    pub without_peers: bool,
    /// How many authenticated calls are answered as those with an expired cookie were.
    pub expired_cookies: usize,
}

impl Default for Replay {
    /// In nothing.
    fn default() -> Self {
        Self { identity: Identity::default(), password: PASSWORD, without_peers: false, expired_cookies: 0 }
    }
}

impl Replay {
    /// Starts it.
    #[must_use]
    pub fn start(self) -> Server {
        let exchanges = Exchange::all();
        let expired = AtomicUsize::new(self.expired_cookies);
        Server::start(move |request| {
            let is_expired = || expired.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            let name = match request.knows(self.password) {
                Some(true) if is_expired().is_ok() => Some("auth-cookie-expired"),
                Some(false) => Some("auth-wrong-password"),
                Some(true) | None => None,
            };
            let named = |name: &str| exchanges.iter().find(|exchange| exchange.name == name);
            let found = match name {
                Some(name) => named(name),
                None => exchanges.iter().find(|exchange| !exchange.is_about_form() && exchange.is_asked_by(request)),
            };
            let found = match found {
                Some(found) if self.without_peers && found.name == "InterfaceController_peerStats" => {
                    named("InterfaceController_peerStats-page1")
                }
                other => other,
            };
            let reply = found.map(|exchange| self.identity.speak(&exchange.reply_to(&request.txid)));
            reply.filter(|reply| !reply.is_empty()).map(Answer::once).into_iter().collect()
        })
    }
}

/// A recorded request and the datagram that answered it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What it is called.
    pub name: String,
    /// The request.
    pub request: Vec<u8>,
    /// The reply; empty where none came.
    pub reply: Vec<u8>,
}

impl Exchange {
    /// All recorded ones, by name.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let folder = fixture(RECORDED);
        let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter_map(|name| name.strip_suffix(".req").map(str::to_owned)).collect();
        names.sort();
        let read = |name: &str, end: &str| fs::read(folder.join(format!("{name}.{end}"))).unwrap();
        names.into_iter().map(|name| Self { request: read(&name, "req"), reply: read(&name, "res"), name }).collect()
    }

    fn is_about_form(&self) -> bool {
        ABOUT_FORM.iter().any(|start| self.name.starts_with(start))
    }

    fn is_asked_by(&self, request: &Request) -> bool {
        Request::read(&self.request).gist() == request.gist()
    }

    /// The reply with another txid, its padding as recorded.
    fn reply_to(&self, txid: &[u8]) -> Vec<u8> {
        let recorded = Request::read(&self.request).txid;
        let field = |txid: &[u8]| [format!("4:txid{}:", txid.len()).as_bytes(), txid].concat();
        replace(&self.reply, &field(&recorded), &field(txid))
    }
}

/// What a hostile program does at an admin port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostile {
    /// It takes every request and says nothing.
    Silent,
    /// It answers in bytes that mean nothing.
    Garbage,
    /// It answers the right question in the wrong kinds of value.
    WrongKinds,
    /// It answers the right question in strings that are no text.
    NotText,
    /// It answers with lengths and numbers that no machine can hold.
    Overflow,
    /// It answers in dictionaries within dictionaries.
    Deep,
    /// It answers questions that were not asked.
    OtherTxid,
    /// It answers the right question 100 times in 60,000 bytes that are of no use.
    Flood,
    /// It answers questions that were not asked, 100 times in 60,000 bytes.
    FloodOfOthers,
    /// It answers with datagrams that hold nothing at all, 100,000 of them.
    EmptyFlood,
    /// It is the recorded node, and its lists have no last page.
    EndlessPages,
    /// The same, and every page is as long as a datagram can be.
    LongPages,
    /// The same, and every page is as full of nodes as a datagram can be, as are answers of other nodes.
    FullPages,
    /// It is the recorded node, and no password is right.
    NoPasswordIsRight,
}

impl Hostile {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Silent,
        Self::Garbage,
        Self::WrongKinds,
        Self::NotText,
        Self::Overflow,
        Self::Deep,
        Self::OtherTxid,
        Self::Flood,
        Self::FloodOfOthers,
        Self::EmptyFlood,
        Self::EndlessPages,
        Self::LongPages,
        Self::FullPages,
        Self::NoPasswordIsRight,
    ];

    /// Starts one on a free loopback port.
    #[must_use]
    pub fn start(self) -> Server {
        self.start_as(&Identity::default())
    }

    /// Starts one that is, where it is a node at all, this one instead of the recorded one.
    #[must_use]
    pub fn start_as(self, identity: &Identity) -> Server {
        self.start_as_at(identity, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts one at a place of the caller's choice.
    #[must_use]
    pub fn start_at(self, address: SocketAddr) -> Server {
        self.start_as_at(&Identity::default(), address)
    }

    fn start_as_at(self, identity: &Identity, address: SocketAddr) -> Server {
        let mut exchanges = Exchange::all();
        for exchange in &mut exchanges {
            exchange.reply = identity.speak(&exchange.reply);
        }
        Server::start_at(address, move |request| self.answer(request, &exchanges))
    }

    fn answer(self, request: &Request, exchanges: &[Exchange]) -> Vec<Answer> {
        const LONG: usize = 60_000;
        let junk = || format!("4:junk{LONG}:{}", "x".repeat(LONG));
        let flood = |datagram| vec![Answer { datagram, times: 100 }];
        match self {
            Self::Silent => Vec::new(),
            Self::Garbage => vec![Answer::once(*b"\x00\xff\x13this is not bencode\xfe")],
            Self::WrongKinds => {
                let entries =
                    "6:cookiei1e7:handlesd1:ai1ee6:myAddri1e5:myIp6le5:peers1:x1:qle6:result1:x9:signaturei0e";
                vec![Answer::once(request.reply(format!("{entries}12:routingTablei7e")))]
            }
            Self::NotText => {
                let mut entries = Vec::new();
                for key in ["6:cookie", "6:myAddr", "5:myIp6", "6:pubkey", "1:q", "9:signature"] {
                    entries.extend([key.as_bytes(), b"6:\xff\xfe\x00\xc3(\x1b"].concat());
                }
                vec![Answer::once(request.reply(entries))]
            }
            Self::Overflow => {
                let entries = ["1:a99999999999999999999:", "1:a18446744073709551615:", "1:ai99999999999999999999e"];
                entries.iter().map(|entry| Answer::once(request.reply(entry))).collect()
            }
            Self::Deep => vec![Answer::once(request.reply(format!("1:a{}", "d1:a".repeat(15_000))))],
            Self::OtherTxid => exchanges.iter().map(|exchange| Answer::once(exchange.reply.clone())).collect(),
            Self::Flood => flood(request.reply(junk())),
            Self::FloodOfOthers => flood(Request::default().reply(junk())),
            Self::EmptyFlood => vec![Answer { datagram: Vec::new(), times: 100_000 }],
            Self::EndlessPages => page(request, "", 1).unwrap_or_else(|| recorded(request, exchanges)),
            Self::LongPages => page(request, &junk(), 1).unwrap_or_else(|| recorded(request, exchanges)),
            // As many nodes as are read of one reply.
            Self::FullPages => page(request, "", 320).unwrap_or_else(|| recorded(request, exchanges)),
            Self::NoPasswordIsRight => match request.knows(PASSWORD) {
                Some(_) => vec![Answer::once(request.reply("5:error12:Auth failed."))],
                None => recorded(request, exchanges),
            },
        }
    }
}

/// One more page of a list, of so many entries and with more to come.
fn page(request: &Request, junk: &str, entries: usize) -> Option<Vec<Answer>> {
    let node = format!("{}:v22.0000.0000.0000.0013.{KEY}", KEY.len() + 24);
    let entry = format!("d4:addr{node}5:state4:INITe");
    let (list, entry) = match request.function.as_str() {
        "InterfaceController_peerStats" => ("5:peers", entry),
        "NodeStore_dumpTable" => ("12:routingTable", entry),
        "RouterModule_getPeers" if entries > 1 => ("5:peers", node),
        _ => return None,
    };
    Some(vec![Answer::once(request.reply(format!("{junk}4:morei1e{list}l{}e", entry.repeat(entries))))])
}

fn recorded(request: &Request, exchanges: &[Exchange]) -> Vec<Answer> {
    let found = exchanges.iter().find(|exchange| !exchange.is_about_form() && exchange.is_asked_by(request));
    found.map(|exchange| Answer::once(exchange.reply_to(&request.txid))).into_iter().collect()
}

fn recorded_cookie() -> Vec<u8> {
    let reply = fs::read(fixture(RECORDED).join("cookie.res")).unwrap();
    let entries = entries(&reply).unwrap();
    string(&entries[b"cookie".as_slice()]).unwrap().0.to_vec()
}

/// Replaces something wherever it stands.
fn replace(text: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if !what.is_empty() && rest.starts_with(what) {
            replaced.extend(with);
            rest = &rest[what.len()..];
        } else {
            replaced.push(rest[0]);
            rest = &rest[1..];
        }
    }
    replaced
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The entries of a dictionary, each value as it is written.
fn entries(text: &[u8]) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut rest = text.strip_prefix(b"d")?;
    let mut entries = BTreeMap::new();
    while !rest.starts_with(b"e") {
        let (key, behind) = string(rest)?;
        let end = behind.len() - past(behind)?.len();
        entries.insert(key.to_vec(), behind[..end].to_vec());
        rest = &behind[end..];
    }
    Some(entries)
}

/// A string, and what stands behind it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let len: usize = std::str::from_utf8(&text[..colon]).ok()?.parse().ok()?;
    text[colon + 1..].split_at_checked(len)
}

/// What stands behind a value.
fn past(text: &[u8]) -> Option<&[u8]> {
    match text.first()? {
        b'i' => text.iter().position(|byte| *byte == b'e').map(|end| &text[end + 1..]),
        b'l' | b'd' => {
            let mut rest = &text[1..];
            while !rest.starts_with(b"e") {
                rest = past(rest)?;
            }
            Some(&rest[1..])
        }
        _ => string(text).map(|(_, rest)| rest),
    }
}
