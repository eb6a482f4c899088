//! `crosscast key`: who this node is, and its secret taken out, in, or replaced. The secret is never shown or logged.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crosscast::{Home, Identity, WallMillis, rotate};
use crosscast_api::{ApiError, Code};
use serde::Serialize;

use crate::args::KeyVerb;
use crate::failure::Failure;
use crate::{Context, attest};

#[derive(Debug, Serialize)]
struct Shown {
    node: String,
    file: String,
}

#[derive(Debug, Serialize)]
struct Replaced {
    old: String,
    new: String,
    old_file: String,
    successor: String,
}

/// Standard input or output, where a file is named.
const STANDARD: &str = "-";

pub(crate) fn key(home: &Home, verb: &KeyVerb, context: &mut Context) -> Result<(), Failure> {
    match verb {
        KeyVerb::Show => show(home, context),
        KeyVerb::Export { file } => export(home, file, context),
        KeyVerb::Import { file } => import(home, file, context),
        KeyVerb::Rotate => replace(home, context),
        KeyVerb::Attest(verb) => attest::attest(home, verb, context),
        KeyVerb::Nodeinfo(verb) => attest::node_info(home, verb, context),
    }
}

/// Prints the NodeId of the identity file.
fn show(home: &Home, context: &mut Context) -> Result<(), Failure> {
    let identity = Identity::load(&home.identity()).map_err(ApiError::from)?;
    tell(&identity, &home.identity(), context)
}

fn tell(identity: &Identity, file: &Path, context: &mut Context) -> Result<(), Failure> {
    let node = identity.node_id().to_string();
    if context.json {
        context.out.json(&Shown { node, file: file.display().to_string() })?;
    } else {
        context.out.line(&node)?;
    }
    context.out.flush()
}

fn export(home: &Home, file: &Path, context: &mut Context) -> Result<(), Failure> {
    let identity = Identity::load(&home.identity()).map_err(ApiError::from)?;
    if file == Path::new(STANDARD) {
        if io::stdout().is_terminal() {
            let cause = "the secret key is not shown on a terminal; name a file, or pipe it";
            return Err(Failure::new(Code::Usage, cause));
        }
        return identity.write_to(&mut io::stdout()).map_err(|error| Failure::io("standard output", &error));
    }
    identity.save_new(file).map_err(ApiError::from)?;
    context.note("whoever has this file is this node: keep it where nobody else can read it");
    tell(&identity, file, context)
}

fn import(home: &Home, file: &Path, context: &mut Context) -> Result<(), Failure> {
    let identity =
        if file == Path::new(STANDARD) { Identity::read_from(io::stdin(), file) } else { Identity::load(file) };
    let identity = identity.map_err(ApiError::from)?;
    home.create().map_err(ApiError::from)?;
    identity.save_new(&home.identity()).map_err(ApiError::from)?;
    tell(&identity, &home.identity(), context)
}

fn replace(home: &Home, context: &mut Context) -> Result<(), Failure> {
    if std::os::unix::net::UnixStream::connect(home.socket()).is_ok() {
        let cause = "the daemon of this home folder runs with the old key; stop it first";
        return Err(Failure::new(Code::AlreadyRunning, cause));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = WallMillis(u64::try_from(now).unwrap_or(u64::MAX));
    let rotated = rotate(home, now).map_err(ApiError::from)?;
    let (old, new) = (rotated.old.to_string(), rotated.new.to_string());
    let old_file = rotated.old_file.display().to_string();
    let successor = rotated.successor_file.display().to_string();
    if context.json {
        context.out.json(&Replaced { old, new, old_file, successor })?;
    } else {
        context.note(&format!("the old key is kept in {old_file}; who dials this node by its old key has to be told"));
        context.out.line(&format!("{old} {new}"))?;
    }
    context.out.flush()
}
