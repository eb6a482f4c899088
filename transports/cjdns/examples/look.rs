//! Shows what this node would see of a running cjdns node, and tries it: signs with it, links two nodes over it.
//!
//! ```text
//! look [--admin ADDRESS:PORT] [--password-file FILE] [--discover] [--sign TEXT] [--listen | --dial LOCATOR]
//! ```
//!
//! Without `--password-file` the password is that of the user's `.cjdnsadmin`, if there is one. `--listen` waits for a
//! link on port 7700 of the node's address, and `--dial` opens one there; each says a word and shows the other's.

use std::env;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crosscast_cjdns::address::key_text;
use crosscast_cjdns::{AdminFile, CjdnsConfig, CjdnsHost, NodeSignature, Password, sign, transport};
use crosscast_port::{DialId, Report, Request};
use crosscast_stream::overlay::Host as _;
use crosscast_transport::PortDriver;
use crosscast_wire::{FrameType, Lane, Locator, NetworkReason, NodeId, RawFrame, Scheme, SecretKey};

/// What the command line asks for.
#[derive(Default)]
struct Wish {
    sign: Option<String>,
    listen: bool,
    dial: Option<Locator>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (config, wish) = read_arguments()?;
    let host = CjdnsHost::new(&config);
    let seen = host.look().await;
    let mut out = std::io::stdout();
    writeln!(out, "state     {} {}", seen.state, seen.reason.map_or("", NetworkReason::word))?;
    writeln!(out, "detail    {}", seen.detail)?;
    writeln!(out, "address   {}", seen.address.map_or_else(|| "none here".to_owned(), |address| address.to_string()))?;
    writeln!(out, "key       {}", seen.key.map_or_else(|| "unknown".to_owned(), |key| key_text(&key)))?;
    writeln!(out, "mtu       {}", seen.mtu.map_or_else(|| "unknown".to_owned(), |mtu| mtu.to_string()))?;
    for neighbour in host.neighbours().await {
        writeln!(out, "neighbour {}", neighbour.address)?;
    }
    if let Some(text) = wish.sign {
        let (key, signature) = sign(&config, &text).await?;
        writeln!(out, "signature {}", NodeSignature { key, signature })?;
    }
    if wish.listen || wish.dial.is_some() {
        link(config, wish.dial, &mut out).await?;
    }
    Ok(())
}

fn read_arguments() -> Result<(CjdnsConfig, Wish), Box<dyn Error>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
    let mut config = CjdnsConfig::new(NodeId::new(SecretKey::new(seed).public()));
    if let Some(file) = AdminFile::of_user()? {
        config.admin = file.admin.unwrap_or(config.admin);
        config.password = file.password;
    }
    let mut wish = Wish::default();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--admin" => config.admin = value()?.parse()?,
            "--password-file" => config.password = Some(Password::read(Path::new(&value()?))?),
            "--discover" => config.discover = true,
            "--sign" => wish.sign = Some(value()?),
            "--listen" => wish.listen = true,
            "--dial" => wish.dial = Some(Locator::parse(&value()?)?),
            _ => return Err(format!("unknown argument {argument}").into()),
        }
    }
    Ok((config, wish))
}

/// Opens a link or waits for one, says a word over it, and shows the first that comes back.
async fn link(config: CjdnsConfig, dial: Option<Locator>, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let node = config.node;
    let transport = transport(config)?;
    let mut driver = PortDriver::new();
    let running = tokio::spawn(transport.run(driver.attach(Scheme::Cjdns)));
    let start = Instant::now();
    if let Some(locator) = dial {
        driver.request(Request::Dial { dial: DialId(1), locator })?;
    }
    let (mut waits, mut heard) = (true, false);
    let mut reports = Vec::new();
    while !heard {
        driver.recv(&mut reports).await;
        for report in reports.drain(..) {
            if let Report::Up { up, .. } = &report {
                writeln!(out, "up        {} after {:?}", up.locator, start.elapsed())?;
            } else if let Report::Writable { link, lane: Lane::Normal, .. } = &report {
                if waits {
                    let word = Bytes::from(format!("hello from {node}"));
                    let frames = vec![RawFrame::new(FrameType::MESSAGE, Lane::Normal, word)];
                    driver.request(Request::Send { link: *link, frames })?;
                    waits = false;
                }
            } else if let Report::Frames { frames, .. } = &report {
                for frame in frames {
                    writeln!(out, "heard     {}", frame.tail.escape_ascii())?;
                }
                heard = true;
            } else if let Report::DialFailed { error, .. } = &report {
                return Err(format!("the dial failed: {error:?}").into());
            } else {
                writeln!(out, "report    {report:?}")?;
            }
        }
    }
    // What was said is on its way; the other end ends too when it has it.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(driver);
    running.await??;
    Ok(())
}
