//! Somebody on a key-addressed network who says what is not so: in the introduction, or in the hello behind it.
//!
//! `pretend` reads one JSON object a line. `{"to", "node", "key", "attestation", "from"}` introduces itself so to an
//! address and says whether the other side ended it; `{"to", "again": true}` sends the bytes of the attempt before it once
//! more. `{"listen", "key"}` waits for a link, and keeps the hello and the proof that come over it; `{"to", "steal"}` then
//! dials with both, as the node whose they are.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use crosscast_port::{DialId, Report, Request};
use crosscast_seal::noise::{Handshake, NoiseSecret};
use crosscast_stream::overlay::{Host, HostKey, Introduction, Neighbour, Overlay, OverlayConfig, Ownership, Sighting};
use crosscast_transport::{BoxFuture, PortDriver, Transport as _};
use crosscast_wire::{Frame, Locator, Network, NetworkState, NodeId, RawFrame, Scheme, SecretKey, frame};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use super::{answer, from_hex};
use crate::raw::{dialled, our_hello};

/// What both sides of a handshake must mean alike.
const PROLOGUE: &[u8] = b"crosscast overlay v1\0ygg";

/// How long the other side may take to end what it does not believe. 8 s: longer than it waits itself.
const PATIENCE: Duration = Duration::from_secs(8);

pub(super) fn play(_args: &[String]) -> Result<()> {
    let (mut said, mut stolen) = (Vec::new(), None);
    answer(&json!({ "ready": true }))?;
    for line in std::io::stdin().lock().lines() {
        let wish: Value = serde_json::from_str(&line?)?;
        if let Some(listen) = wish.get("listen") {
            let hello = runtime()?.block_on(Box::pin(lure(listen.as_str().context("where")?, host_key(&wish)?)))?;
            answer(&json!({ "stole": hello.node.to_string() }))?;
            stolen = Some(hello);
        } else if wish.get("steal").is_some() {
            let stolen = stolen.as_ref().context("nothing was stolen")?;
            let to = Locator::parse(text(&wish, "to")?)?;
            let end = runtime()?.block_on(Box::pin(replay(to, host_key(&wish)?, own_address(&wish)?, stolen)))?;
            answer(&json!({ "ended": end }))?;
        } else {
            let end = introduce(&wish, &mut said)?;
            answer(&json!({ "ended": end }))?;
        }
    }
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn text<'a>(wish: &'a Value, name: &str) -> Result<&'a str> {
    wish.get(name).and_then(Value::as_str).with_context(|| format!("no {name}"))
}

fn host_key(wish: &Value) -> Result<HostKey> {
    from_hex(text(wish, "key")?)?.try_into().map_err(|_| anyhow::anyhow!("a key has 32 bytes"))
}

fn own_address(wish: &Value) -> Result<Ipv6Addr> {
    Ok(text(wish, "from")?.parse()?)
}

/// Shakes hands with an introduction of the caller's making; how it ended.
fn introduce(wish: &Value, said: &mut Vec<Vec<u8>>) -> Result<String> {
    let to: SocketAddr = text(wish, "to")?.parse()?;
    let from = wish.get("from").and_then(Value::as_str).map(str::parse::<IpAddr>).transpose()?;
    let mut stream = connect(from, to)?;
    if wish.get("again").is_some() {
        for message in said.iter() {
            stream.write_all(message)?;
        }
        hear(&mut stream)?;
        return ended(&mut stream);
    }
    let optional = |name: &str| wish.get(name).and_then(Value::as_str).map(from_hex).transpose();
    let key: Option<HostKey> = optional("key")?.and_then(|key| key.try_into().ok());
    let attestation = optional("attestation")?.map(Into::into);
    let introduction = Introduction { node: NodeId::parse(text(wish, "node")?)?, key, attestation };
    said.clear();
    let mut hands = Handshake::initiator(&NoiseSecret::new(random()?), &random()?, PROLOGUE)?;
    say(&mut stream, &hands.write(&[])?, said)?;
    Introduction::parse(&hands.read(&hear(&mut stream)?)?)?;
    say(&mut stream, &hands.write(&introduction.to_bytes())?, said)?;
    ended(&mut stream)
}

fn connect(from: Option<IpAddr>, to: SocketAddr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.connect_timeout(&to.into(), PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket.into())
}

fn say(stream: &mut TcpStream, message: &[u8], said: &mut Vec<Vec<u8>>) -> Result<()> {
    let framed = [&u16::try_from(message.len())?.to_be_bytes()[..], message].concat();
    stream.write_all(&framed)?;
    said.push(framed);
    Ok(())
}

/// Reads a message of the handshake.
fn hear(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(head))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// Reads on: the other side says hello when it believes what it was told, and nothing when it does not.
fn ended(stream: &mut TcpStream) -> Result<String> {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes);
    Ok(match end {
        Ok(_) if bytes.is_empty() => "closed".to_owned(),
        Err(error) if bytes.is_empty() && error.kind() == std::io::ErrorKind::ConnectionReset => "closed".to_owned(),
        _ => format!("{} bytes came", bytes.len()),
    })
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What one who is honest said to the listener.
struct Stolen {
    node: NodeId,
    hello: RawFrame,
    proof: RawFrame,
}

/// A host node of which only the address matters.
#[derive(Debug)]
struct Lie {
    address: Ipv6Addr,
    key: HostKey,
}

impl Host for Lie {
    fn scheme(&self) -> Scheme {
        Scheme::Ygg
    }

    fn network(&self) -> Network {
        Network::Yggdrasil
    }

    fn look(&self) -> BoxFuture<'_, Sighting> {
        let sighting = Sighting {
            state: NetworkState::Up,
            address: Some(self.address),
            key: Some(self.key),
            mtu: None,
            reason: None,
            detail: String::new(),
        };
        Box::pin(async move { sighting })
    }

    fn neighbours(&self) -> BoxFuture<'_, Vec<Neighbour>> {
        Box::pin(async { Vec::new() })
    }

    fn is_address(&self, address: Ipv6Addr) -> bool {
        crosscast_yggdrasil::is_address(address)
    }

    fn address_of(&self, key: &HostKey) -> Option<Ipv6Addr> {
        crosscast_yggdrasil::address_of(key)
    }

    fn owns(&self, _key: &HostKey, _address: Ipv6Addr) -> Ownership {
        Ownership::Node
    }
}

/// Listens, and takes the hello and the proof of the first node that comes.
async fn lure(listen: &str, key: HostKey) -> Result<Stolen> {
    let at: SocketAddr = listen.parse()?;
    let IpAddr::V6(address) = at.ip() else { bail!("an address of Yggdrasil") };
    let own = SecretKey::new(random()?);
    let mut driver = PortDriver::new();
    let config = OverlayConfig { port: at.port(), ..OverlayConfig::new(NodeId::new(own.public())) };
    let transport = Overlay::new(Lie { address, key }, config)?;
    let running = tokio::spawn(Box::new(transport).run(driver.attach(Scheme::Ygg)));
    let (hello, mut reports) = (our_hello(&own)?, Vec::new());
    let (mut greeted, mut theirs) = (false, Vec::new());
    loop {
        driver.recv(&mut reports).await;
        for report in std::mem::take(&mut reports) {
            if let Report::Listening { locator, .. } = &report {
                answer(&json!({ "listens": locator.to_string() }))?;
            }
            if let Report::Writable { link, .. } = report
                && !std::mem::replace(&mut greeted, true)
            {
                driver.request(Request::Send { link, frames: vec![frame::hello(&hello)] })?;
            }
            theirs.extend(frames_of(report));
        }
        if let [hello, proof, ..] = theirs.as_slice() {
            let (Frame::Hello(said), Frame::Proof(_)) = (Frame::parse(hello)?, Frame::parse(proof)?) else {
                bail!("no hello came")
            };
            running.abort();
            return Ok(Stolen { node: said.fields().node, hello: hello.clone(), proof: proof.clone() });
        }
    }
}

fn frames_of(report: Report) -> Vec<RawFrame> {
    if let Report::Frames { frames, .. } = report { frames } else { Vec::new() }
}

/// Dials as the node whose hello and proof were stolen, and shows them; how that ended.
async fn replay(to: Locator, key: HostKey, address: Ipv6Addr, stolen: &Stolen) -> Result<String> {
    let mut driver = PortDriver::new();
    let config = OverlayConfig { port: 0, ..OverlayConfig::new(stolen.node) };
    let transport = Overlay::new(Lie { address, key }, config)?;
    let running = tokio::spawn(Box::new(transport).run(driver.attach(Scheme::Ygg)));
    driver.request(Request::Dial { dial: DialId(1), locator: to })?;
    let (link, _, first) = tokio::time::timeout(PATIENCE, Box::pin(dialled(&mut driver))).await??;
    let frames = vec![stolen.hello.clone(), stolen.proof.clone()];
    driver.request(Request::Send { link, frames })?;
    let mut reports = first;
    let ending = async {
        loop {
            for report in std::mem::take(&mut reports) {
                if let Report::Down { reason, .. } = report {
                    return Ok::<_, anyhow::Error>(format!("{reason:?}"));
                }
                for raw in frames_of(report) {
                    if let Frame::Close { code, text, .. } = Frame::parse(&raw)? {
                        return Ok(format!("{code}: {text}"));
                    }
                }
            }
            driver.recv(&mut reports).await;
        }
    };
    let end = tokio::time::timeout(PATIENCE, ending).await.unwrap_or_else(|_| Ok("it was believed".to_owned()));
    running.abort();
    end
}
