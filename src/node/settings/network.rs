//! The tables `[network.*]`: what is said of a network beside which node of it to attach to.
//!
//! Each holds for the host node that `attach` names; without one it does nothing. What is left out is the transport's
//! own default.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::{Context, SettingsError};

/// 128: the longest name of a stream protocol; the ones in use have a tenth of that.
const PROTOCOL_MAX: usize = 128;

/// The tables `[network.*]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSettings {
    /// `[network.yggdrasil]`
    pub yggdrasil: YggdrasilSettings,
    /// `[network.cjdns]`
    pub cjdns: CjdnsSettings,
    /// `[network.libp2p]`
    pub libp2p: Libp2pSettings,
}

/// What is said of Yggdrasil.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct YggdrasilSettings {
    /// The port on the host node's address to listen on; 0 picks a free one.
    pub port: Option<u16>,
    /// Whether nodes are looked for beyond the host node's direct peers.
    pub discover: bool,
    /// Where the attestation stands; in `attestations/` of the home folder without.
    pub attestation: Option<PathBuf>,
}

/// What is said of cjdns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CjdnsSettings {
    /// The port on the host node's address to listen on; 0 picks a free one.
    pub port: Option<u16>,
    /// Whether nodes are looked for beyond the host node's direct peers.
    pub discover: bool,
    /// Where the attestation stands; in `attestations/` of the home folder without.
    pub attestation: Option<PathBuf>,
    /// Where the admin password stands; in the user's `.cjdnsadmin` without.
    pub password_file: Option<PathBuf>,
}

/// What is said of libp2p.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Libp2pSettings {
    /// Whether neighbours on the local network are looked for and told of this node.
    pub mdns: bool,
    /// Whether groups are carried by gossipsub among nodes that are met there.
    pub carrier: bool,
    /// Whether host nodes are asked to relay to this node.
    pub relay: bool,
    /// The protocol of the DHT that is asked for others; the public one's without.
    pub dht: Option<String>,
}

impl Default for Libp2pSettings {
    fn default() -> Self {
        // Off: it tells the local network that this node is here, which is the operator's to want.
        Self { mdns: false, carrier: true, relay: true, dht: None }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawNetworks {
    yggdrasil: RawYggdrasil,
    cjdns: RawCjdns,
    libp2p: RawLibp2p,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawYggdrasil {
    port: Option<Spanned<u64>>,
    discover: bool,
    attestation: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawCjdns {
    port: Option<Spanned<u64>>,
    discover: bool,
    attestation: Option<Spanned<String>>,
    password_file: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLibp2p {
    mdns: Option<bool>,
    carrier: Option<bool>,
    relay: Option<bool>,
    dht: Option<Spanned<String>>,
}

impl RawNetworks {
    pub(super) fn check(self, context: &Context<'_>) -> Result<NetworkSettings, SettingsError> {
        let Self { yggdrasil, cjdns, libp2p } = self;
        let defaults = Libp2pSettings::default();
        Ok(NetworkSettings {
            yggdrasil: YggdrasilSettings {
                port: port(context, "network.yggdrasil.port", yggdrasil.port.as_ref())?,
                discover: yggdrasil.discover,
                attestation: file(context, "network.yggdrasil.attestation", yggdrasil.attestation)?,
            },
            cjdns: CjdnsSettings {
                port: port(context, "network.cjdns.port", cjdns.port.as_ref())?,
                discover: cjdns.discover,
                attestation: file(context, "network.cjdns.attestation", cjdns.attestation)?,
                password_file: file(context, "network.cjdns.password_file", cjdns.password_file)?,
            },
            libp2p: Libp2pSettings {
                mdns: libp2p.mdns.unwrap_or(defaults.mdns),
                carrier: libp2p.carrier.unwrap_or(defaults.carrier),
                relay: libp2p.relay.unwrap_or(defaults.relay),
                dht: protocol(context, "network.libp2p.dht", libp2p.dht)?,
            },
        })
    }
}

fn port(context: &Context<'_>, key: &'static str, value: Option<&Spanned<u64>>) -> Result<Option<u16>, SettingsError> {
    let Some(value) = value else { return Ok(None) };
    let port = context.within(key, Some(value), (0, u16::MAX.into()), 0)?;
    Ok(u16::try_from(port).ok())
}

fn protocol(
    context: &Context<'_>,
    key: &'static str,
    value: Option<Spanned<String>>,
) -> Result<Option<String>, SettingsError> {
    match value {
        Some(text) if !is_protocol(text.get_ref()) => {
            Err(context.value(key, &text, format!("`{}` is no protocol: /ipfs/kad/1.0.0", text.get_ref())))
        }
        Some(text) => Ok(Some(text.into_inner())),
        None => Ok(None),
    }
}

/// Whether a text is one that a stream can be opened with.
fn is_protocol(text: &str) -> bool {
    text.len() <= PROTOCOL_MAX && text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn file(
    context: &Context<'_>,
    key: &'static str,
    value: Option<Spanned<String>>,
) -> Result<Option<PathBuf>, SettingsError> {
    match value {
        Some(text) if text.get_ref().is_empty() => {
            Err(context.value(key, &text, "the path of a file, or no such line".to_owned()))
        }
        Some(text) => Ok(Some(text.into_inner().into())),
        None => Ok(None),
    }
}
