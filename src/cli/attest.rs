//! `crosscast key attest` and `key nodeinfo`: a host node's word that this node belongs to it, and this node's own.
//!
//! An attestation lies in `attestations/` of the home folder, where the daemon finds it and shows it to peers. It is no
//! secret; making one needs the host node's key, or its admin interface.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use crosscast::{Attestation, Home, Network, NodeCrypto, NodeId, WallMillis};
use crosscast_api::Code;
use serde::Serialize;

use crate::args::{AttestVerb, NodeinfoVerb};
use crate::failure::Failure;
use crate::out::table;
use crate::wings::{self, Site};
use crate::{Context, config};

/// How long an attestation and a marker in NodeInfo hold. A year: who runs a node renews it with other yearly things.
const LIFE_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// Longest file that is read as an attestation: one byte more than any has.
const FILE_MAX: u64 = 257;

/// The networks that have keys which sign.
const NETWORKS: [Network; 2] = [Network::Yggdrasil, Network::Cjdns];

/// From when until when.
#[cfg_attr(
    not(any(feature = "cjdns", feature = "yggdrasil")),
    allow(dead_code, reason = "a lean build has no use for it")
)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) not_before: WallMillis,
    pub(crate) not_after: WallMillis,
}

/// Whose word is asked for, and by which way.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Yggdrasil { config: PathBuf },
    Cjdns { password_file: Option<PathBuf>, admin: Option<SocketAddr> },
}

impl Asked {
    pub(crate) const fn network(&self) -> Network {
        match self {
            Self::Yggdrasil { .. } => Network::Yggdrasil,
            Self::Cjdns { .. } => Network::Cjdns,
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    network: &'static str,
    node: String,
    address: Option<String>,
    not_before: u64,
    not_after: u64,
    /// Why it is not shown to peers: the word of a fault.
    fault: Option<&'static str>,
    file: String,
}

#[derive(Debug, Serialize)]
struct Rows {
    attestations: Vec<Row>,
}

pub(crate) fn attest(home: &Home, verb: &AttestVerb, context: &mut Context) -> Result<(), Failure> {
    let asked = match verb {
        AttestVerb::Show => return show(home, context),
        AttestVerb::Yggdrasil { config } => Asked::Yggdrasil { config: config.clone() },
        AttestVerb::Cjdns { password_file, admin } => {
            Asked::Cjdns { password_file: password_file.clone(), admin: *admin }
        }
    };
    let (settings, identity) = config::load(home)?;
    let site = Site { home, settings: &settings, identity: &identity };
    let made = wings::attest(&site, &asked, life())?;
    let file = home.attestation(asked.network());
    write(&file, made.bytes())?;
    let row = row(&made, identity.node_id(), &file);
    if context.json {
        context.out.json(&row)?;
    } else {
        context.note(&format!("{} holds it; a running daemon shows it to peers after a restart", row.file));
        context.out.line(row.address.as_deref().unwrap_or("-"))?;
    }
    context.out.flush()
}

/// Lists what there is.
fn show(home: &Home, context: &mut Context) -> Result<(), Failure> {
    let (settings, identity) = config::load(home)?;
    let networks = &settings.networks;
    let mut rows = Vec::new();
    for network in NETWORKS {
        let set = match network {
            Network::Yggdrasil => networks.yggdrasil.attestation.as_deref(),
            Network::Cjdns => networks.cjdns.attestation.as_deref(),
            Network::Tls | Network::Libp2p | Network::Relay | Network::Memory => None,
        };
        let file = place(home, network, set);
        if let Some(found) = read(&file)? {
            rows.push(row(&found, identity.node_id(), &file));
        }
    }
    if context.json {
        context.out.json(&Rows { attestations: rows })?;
    } else if rows.is_empty() {
        context.note("there is none; `crosscast key attest yggdrasil` or `cjdns` makes one");
    } else {
        let cells = |row: &Row| {
            let state = row.fault.unwrap_or("valid").to_owned();
            let address = row.address.clone().unwrap_or_default();
            vec![row.network.to_owned(), address, state, row.not_after.to_string(), row.file.clone()]
        };
        let head = ["NETWORK", "ADDRESS", "STATE", "UNTIL", "FILE"].map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = [head].into_iter().chain(rows.iter().map(cells)).collect();
        table(&rows).iter().try_for_each(|line| context.out.line(line))?;
    }
    context.out.flush()
}

/// Prints what to put into a daemon's NodeInfo.
pub(crate) fn node_info(home: &Home, verb: &NodeinfoVerb, context: &mut Context) -> Result<(), Failure> {
    let NodeinfoVerb::Yggdrasil { config: file } = verb;
    let (settings, identity) = config::load(home)?;
    let site = Site { home, settings: &settings, identity: &identity };
    let text = wings::node_info(&site, file, life())?;
    context.note("put it into NodeInfo of the daemon's configuration, beside what is there, and restart the daemon");
    context.out.line(&text)?;
    context.out.flush()
}

/// The attestation that the transport shows to peers; one that does not hold now is left out, and logged.
#[cfg_attr(
    not(any(feature = "cjdns", feature = "yggdrasil")),
    allow(dead_code, reason = "a lean build has no use for it")
)]
pub(crate) fn load(site: &Site<'_>, network: Network, set: Option<&Path>) -> Result<Option<Bytes>, Failure> {
    let file = place(site.home, network, set);
    let Some(found) = read(&file)? else {
        return match set {
            Some(_) => Err(Failure::new(
                Code::BadConfig,
                format!("network.{network}.attestation: there is no {}", file.display()),
            )),
            None => Ok(None),
        };
    };
    let file = file.display();
    if found.fields().network != network {
        return Err(Failure::new(Code::BadConfig, format!("{file} is an attestation of another network")));
    }
    match found.verify(&NodeCrypto, &site.identity.node_id(), now()) {
        Ok(()) => Ok(Some(found.bytes().clone())),
        Err(fault) => {
            tracing::warn!(%network, %file, %fault, "an attestation is not shown to peers; `key attest` makes a new one");
            Ok(None)
        }
    }
}

fn row(attestation: &Attestation, node: NodeId, file: &Path) -> Row {
    let fields = attestation.fields();
    Row {
        network: fields.network.word(),
        node: fields.node.to_string(),
        address: wings::address(attestation).map(|address| address.to_string()),
        not_before: fields.not_before.0,
        not_after: fields.not_after.0,
        fault: attestation.verify(&NodeCrypto, &node, now()).err().map(|fault| fault.word()),
        file: file.display().to_string(),
    }
}

fn place(home: &Home, network: Network, set: Option<&Path>) -> PathBuf {
    set.map_or_else(|| home.attestation(network), |path| home.dir().join(path))
}

fn read(file: &Path) -> Result<Option<Attestation>, Failure> {
    let failed = |error: &io::Error| Failure::io(file.display(), error);
    let mut bytes = Vec::new();
    match fs::File::open(file) {
        Ok(open) => open.take(FILE_MAX).read_to_end(&mut bytes).map_err(|error| failed(&error))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let read = Attestation::parse(&bytes);
    read.map(Some).map_err(|error| Failure::new(Code::BadConfig, format!("{}: {error}", file.display())))
}

/// Replaces the file as a whole. Everybody may read it: it is shown to every peer, and may be made by another user than
/// the one who runs the daemon.
fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::io(file.display(), &error);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let fresh = file.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut open = options.write(true).create(true).truncate(true).mode(0o644).open(&fresh).map_err(failed)?;
    open.write_all(bytes).and_then(|()| open.sync_all()).and_then(|()| fs::rename(&fresh, file)).map_err(failed)
}

fn now() -> WallMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    WallMillis(u64::try_from(now).unwrap_or(u64::MAX))
}

fn life() -> Life {
    let not_before = now();
    Life { not_before, not_after: WallMillis(not_before.0.saturating_add(LIFE_MS)) }
}
