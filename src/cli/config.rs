//! `crosscast config check|show`, and the reading of a home folder that `run` shares with them.

use std::path::PathBuf;

use crosscast::{Home, Identity, NetworkSettings, Settings};
use crosscast_api::{ApiError, Code};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::wings::Site;
use crate::{Context, wings};

/// Reads and checks everything that a daemon needs from its home folder.
pub(crate) fn load(home: &Home) -> Result<(Settings, Identity), Failure> {
    crosscast_api::check_path(&home.socket())?;
    let settings = settings(home)?;
    let identity = Identity::load(&home.identity()).map_err(ApiError::from)?;
    Ok((settings, identity))
}

/// Reads and checks the configuration alone.
pub(crate) fn settings(home: &Home) -> Result<Settings, Failure> {
    let settings = Settings::load(&home.config()).map_err(ApiError::from)?;
    wings::check(&settings)?;
    if settings.api.tcp.is_some() {
        return Err(Failure::new(Code::Unsupported, "[api].tcp: this version serves its API on the socket only"));
    }
    if let Some(filter) = &settings.log {
        log_filter(filter).map_err(|error| Failure::new(Code::BadConfig, format!("log: {error}")))?;
    }
    Ok(settings)
}

/// Reads what is to be logged.
pub(crate) fn log_filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text).map_err(|error| format!("`{text}` is no filter: {error}"))
}

#[derive(Debug, Serialize)]
struct Checked {
    ok: bool,
    config: String,
    node: String,
}

/// Checks the configuration, the identity, and the files that the networks are set up from.
pub(crate) fn check(home: &Home, context: &mut Context) -> Result<(), Failure> {
    let (settings, identity) = load(home)?;
    drop(wings::transports(&Site { home, settings: &settings, identity: &identity })?);
    let config = home.config().display().to_string();
    if context.json {
        context.out.json(&Checked { ok: true, config, node: identity.node_id().to_string() })?;
    } else {
        context.out.line(&format!("{config} is fine"))?;
    }
    context.out.flush()
}

#[derive(Debug, Serialize)]
struct View {
    name: String,
    roles: Vec<&'static str>,
    listen: Vec<String>,
    attach: Vec<String>,
    log: Option<String>,
    limits: LimitsView,
    api: ApiView,
    network: NetworksView,
}

#[derive(Debug, Serialize)]
struct LimitsView {
    window_bytes: u64,
    window_seconds: u64,
    inbox_bytes: u64,
    store_bytes: u64,
    lan_budget: u32,
}

#[derive(Debug, Serialize)]
struct ApiView {
    socket: String,
    group: Option<String>,
}

#[derive(Debug, Serialize)]
struct NetworksView {
    yggdrasil: OverlayView,
    cjdns: CjdnsView,
    libp2p: Libp2pView,
}

#[derive(Debug, Serialize)]
struct OverlayView {
    port: Option<u16>,
    discover: bool,
    attestation: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct CjdnsView {
    #[serde(flatten)]
    overlay: OverlayView,
    password_file: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Libp2pView {
    mdns: bool,
    carrier: bool,
    relay: bool,
    dht: Option<String>,
}

impl NetworksView {
    fn of(networks: NetworkSettings) -> Self {
        let NetworkSettings { yggdrasil, cjdns, libp2p } = networks;
        let overlay = |port, discover, attestation| OverlayView { port, discover, attestation };
        Self {
            yggdrasil: overlay(yggdrasil.port, yggdrasil.discover, yggdrasil.attestation),
            cjdns: CjdnsView {
                overlay: overlay(cjdns.port, cjdns.discover, cjdns.attestation),
                password_file: cjdns.password_file,
            },
            libp2p: Libp2pView { mdns: libp2p.mdns, carrier: libp2p.carrier, relay: libp2p.relay, dht: libp2p.dht },
        }
    }
}

/// Prints the configuration in force, defaults included.
pub(crate) fn show(home: &Home, context: &mut Context) -> Result<(), Failure> {
    let settings = Settings::load(&home.config()).map_err(ApiError::from)?;
    if context.json {
        context.out.json(&View {
            name: settings.name,
            roles: settings.roles.words().collect(),
            listen: settings.listen.iter().map(ToString::to_string).collect(),
            attach: settings.attach.iter().map(ToString::to_string).collect(),
            log: settings.log,
            limits: LimitsView {
                window_bytes: settings.limits.window_bytes,
                window_seconds: settings.limits.window_ms / 1_000,
                inbox_bytes: settings.limits.inbox_bytes,
                store_bytes: settings.limits.store_bytes,
                lan_budget: settings.limits.lan_budget,
            },
            api: ApiView { socket: home.socket().display().to_string(), group: settings.api.group },
            network: NetworksView::of(settings.networks),
        })?;
    } else {
        // Made anew from what was understood, so that a reader sees what holds; the text is of our own making.
        context.out.write(settings.to_template().as_bytes())?;
    }
    context.out.flush()
}
