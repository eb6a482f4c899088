//! A plain TCP copy: what a path carries when nothing but the kernel stands between two programs.
//!
//! `copy sink ADDRESS` takes one connection after the other and says how many bytes each brought; `copy source ADDRESS`
//! sends as many 64 KiB pieces as each line of its input says.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::answer;

/// Bytes of a piece: as many as an entry holds.
const PIECE: usize = 64 << 10;

/// Bytes that are read at once.
const READ: usize = 1 << 20;

pub(super) fn play(args: &[String]) -> Result<()> {
    let [side, address] = args else { bail!("copy sink|source ADDRESS") };
    let address: SocketAddr = address.parse().context("an address")?;
    match side.as_str() {
        "sink" => sink(address),
        "source" => source(address),
        other => bail!("copy as `{other}`"),
    }
}

fn sink(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    // Its input says when to end.
    std::thread::spawn(|| {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    answer(&json!({ "listens": listener.local_addr()?.to_string() }))?;
    let mut buffer = vec![0; READ];
    loop {
        let (mut stream, _) = listener.accept()?;
        let mut taken = 0_usize;
        while let read @ 1.. = stream.read(&mut buffer)? {
            taken = taken.saturating_add(read);
        }
        answer(&json!({ "taken": taken }))?;
    }
}

fn source(address: SocketAddr) -> Result<()> {
    let piece = vec![0x78; PIECE];
    answer(&json!({ "ready": true }))?;
    for line in std::io::stdin().lock().lines() {
        let pieces: usize = line?.trim().parse().context("a number of pieces")?;
        let mut stream = TcpStream::connect(address)?;
        for _ in 0..pieces {
            stream.write_all(&piece)?;
        }
        answer(&json!({ "given": pieces.saturating_mul(PIECE) }))?;
    }
    Ok(())
}
