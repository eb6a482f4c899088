//! `config.toml`: what an operator tells a node.
//!
//! Unknown keys and impossible values are errors that name the file, the line, the key and what is allowed. Every value
//! has a default, so an empty file is a working one.

mod attach;
mod network;
mod template;

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crosscast_core::{Sizes, Times};
use crosscast_wire::limits::NAME_MAX;
use crosscast_wire::{Locator, NodeId, Roles};
use serde::Deserialize;
use toml::Spanned;

use self::network::RawNetworks;

pub use attach::{Attach, AttachError, HostNode};
pub use network::{CjdnsSettings, Libp2pSettings, NetworkSettings, YggdrasilSettings};

/// Largest configuration file that is read. 1 MiB: a long list of peers and its comments.
const FILE_MAX: u64 = 1024 * 1024;

/// Why a configuration cannot be used. `line` counts from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: {kind}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        kind: io::ErrorKind,
    },
    /// It is not TOML, or has a key that does not exist, or a value of the wrong type.
    #[error("{}:{line}: {what}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What is wrong, and what is allowed.
        what: String,
    },
    /// A value is not allowed.
    #[error("{}:{line}: {key}: {what}", .path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// The key, with its table.
        key: &'static str,
        /// What is wrong, and what is allowed.
        what: String,
    },
}

/// What a configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// A name for peers to show; may be empty.
    pub name: String,
    /// What the node does for others.
    pub roles: Roles,
    /// Where it listens.
    pub listen: Vec<Locator>,
    /// Whom it keeps a link to, and whose networks it uses.
    pub attach: Vec<Attach>,
    /// What is said of those networks.
    pub networks: NetworkSettings,
    /// How much it keeps.
    pub limits: LimitSettings,
    /// Who may use its local API.
    pub api: ApiSettings,
    /// What it logs: a level, or a filter; `None` is up to the program.
    pub log: Option<String>,
}

/// The table `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Bytes kept per group for peers and readers that come back.
    pub window_bytes: u64,
    /// How long they are kept, in milliseconds.
    pub window_ms: u64,
    /// Bytes kept in the inbox.
    pub inbox_bytes: u64,
    /// Bytes of the whole store on disk.
    pub store_bytes: u64,
    /// How many times the budgets of another network prefix a local one has (LAN and loopback).
    pub lan_budget: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        let (sizes, times) = (Sizes::default(), Times::default());
        Self {
            window_bytes: sizes.window_bytes,
            window_ms: times.window_ms,
            inbox_bytes: sizes.inbox_bytes,
            // 1 GiB: 64 groups with a full window.
            store_bytes: 1 << 30,
            lan_budget: sizes.lan_budget,
        }
    }
}

impl LimitSettings {
    /// The core's sizes with these limits.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes {
            window_bytes: self.window_bytes,
            inbox_bytes: self.inbox_bytes,
            lan_budget: self.lan_budget,
            ..Sizes::default()
        }
    }

    /// The core's times with these limits.
    #[must_use]
    pub fn times(&self) -> Times {
        Times { window_ms: self.window_ms, ..Times::default() }
    }
}

/// The table `[api]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiSettings {
    /// A system group whose members may use the socket, besides the node's user and root.
    pub group: Option<String>,
    /// A loopback address where the API listens too; nowhere without.
    pub tcp: Option<std::net::SocketAddr>,
}

impl Settings {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// [`SettingsError`] names the first thing that is wrong.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let read = |kind| SettingsError::Read { path: path.to_owned(), kind };
        let metadata = std::fs::metadata(path).map_err(|error| read(error.kind()))?;
        if metadata.len() > FILE_MAX {
            return Err(read(io::ErrorKind::FileTooLarge));
        }
        let text = std::fs::read_to_string(path).map_err(|error| read(error.kind()))?;
        Self::parse(&text, path)
    }

    /// Checks a configuration; `path` is only named in errors.
    ///
    /// # Errors
    /// [`SettingsError`] names the first thing that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let context = Context { text, path };
        let raw: Raw = toml::from_str(text).map_err(|error| context.syntax(&error))?;
        raw.check(&context)
    }

    /// The peers to keep a link to that say where they are.
    pub fn peers(&self) -> impl Iterator<Item = &Locator> {
        self.attach.iter().filter_map(|attach| match attach {
            Attach::Peer(locator) => Some(locator),
            Attach::Key(_) | Attach::Host(_) => None,
        })
    }

    /// The peers to keep a link to that are named by their keys alone.
    pub fn keys(&self) -> impl Iterator<Item = NodeId> {
        self.attach.iter().filter_map(|attach| match attach {
            Attach::Key(node) => Some(*node),
            Attach::Peer(_) | Attach::Host(_) => None,
        })
    }

    /// The nodes of other networks whose networks it uses.
    pub fn hosts(&self) -> impl Iterator<Item = &HostNode> {
        self.attach.iter().filter_map(|attach| match attach {
            Attach::Host(host) => Some(host),
            Attach::Peer(_) | Attach::Key(_) => None,
        })
    }

    /// A commented configuration file that says this.
    #[must_use]
    pub fn to_template(&self) -> String {
        template::render(self)
    }
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    name: Option<Spanned<String>>,
    roles: Vec<Spanned<String>>,
    listen: Vec<Spanned<String>>,
    attach: Vec<Spanned<String>>,
    log: Option<String>,
    limits: RawLimits,
    api: RawApi,
    network: RawNetworks,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    window_bytes: Option<Spanned<u64>>,
    window_seconds: Option<Spanned<u64>>,
    inbox_bytes: Option<Spanned<u64>>,
    store_bytes: Option<Spanned<u64>>,
    lan_budget: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawApi {
    group: Option<Spanned<String>>,
    tcp: Option<Spanned<String>>,
}

/// Where errors are.
struct Context<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Context<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        before.filter(|byte| **byte == b'\n').count().saturating_add(1)
    }

    fn syntax(&self, error: &toml::de::Error) -> SettingsError {
        let line = self.line(&error.span().unwrap_or(0..0));
        SettingsError::Syntax { path: self.path.to_owned(), line, what: error.message().to_owned() }
    }

    fn value<T>(&self, key: &'static str, at: &Spanned<T>, what: String) -> SettingsError {
        SettingsError::Value { path: self.path.to_owned(), line: self.line(&at.span()), key, what }
    }

    fn locators(&self, key: &'static str, texts: &[Spanned<String>]) -> Result<Vec<Locator>, SettingsError> {
        let parse = |text: &Spanned<String>| {
            Locator::parse(text.get_ref())
                .map_err(|error| self.value(key, text, format!("`{}` is not a locator: {error}", text.get_ref())))
        };
        texts.iter().map(parse).collect()
    }

    fn attach(&self, texts: &[Spanned<String>]) -> Result<Vec<Attach>, SettingsError> {
        let key = "attach";
        let mut hosts = BTreeSet::new();
        let parse = |text: &Spanned<String>| {
            let attach = Attach::parse(text.get_ref());
            let attach = attach.map_err(|error| self.value(key, text, format!("`{}`: {error}", text.get_ref())))?;
            let lone = match &attach {
                Attach::Host(host @ (HostNode::Yggdrasil(_) | HostNode::Cjdns(_))) => Some(host.network()),
                Attach::Host(HostNode::Libp2p(_)) | Attach::Peer(_) | Attach::Key(_) => None,
            };
            match lone.filter(|network| !hosts.insert(*network)) {
                Some(network) => Err(self.value(key, text, format!("there is one {network} node to attach to"))),
                None => Ok(attach),
            }
        };
        texts.iter().map(parse).collect()
    }

    fn within(
        &self,
        key: &'static str,
        value: Option<&Spanned<u64>>,
        (min, max): (u64, u64),
        default: u64,
    ) -> Result<u64, SettingsError> {
        match value {
            None => Ok(default),
            Some(value) if (min..=max).contains(value.get_ref()) => Ok(*value.get_ref()),
            Some(value) => Err(self.value(key, value, format!("{} is not allowed: {min} to {max}", value.get_ref()))),
        }
    }
}

impl Raw {
    fn check(self, context: &Context<'_>) -> Result<Settings, SettingsError> {
        if let Some(name) = &self.name
            && (name.get_ref().len() > NAME_MAX || name.get_ref().chars().any(char::is_control))
        {
            let what = format!("a name has at most {NAME_MAX} bytes and no control characters");
            return Err(context.value("name", name, what));
        }
        let mut roles = Roles::NONE;
        for role in &self.roles {
            let Some(bit) = Roles::from_word(role.get_ref()) else {
                let known: Vec<&str> = Roles::ALL.words().collect();
                let what = format!("`{}` is not a role: {}", role.get_ref(), known.join(", "));
                return Err(context.value("roles", role, what));
            };
            roles = roles.with(bit);
        }
        Ok(Settings {
            roles,
            listen: context.locators("listen", &self.listen)?,
            attach: context.attach(&self.attach)?,
            networks: self.network.check(context)?,
            limits: self.limits.check(context)?,
            api: self.api.check(context)?,
            log: self.log,
            name: self.name.map(Spanned::into_inner).unwrap_or_default(),
        })
    }
}

impl RawLimits {
    fn check(self, context: &Context<'_>) -> Result<LimitSettings, SettingsError> {
        let defaults = LimitSettings::default();
        // At least four full messages, so that a reader and a peer can be behind at once; at most what 32 bits count.
        let bytes = (1 << 20, 4 << 30);
        let window = self.window_seconds.as_ref();
        let window_seconds = context.within("limits.window_seconds", window, (1, 86_400), defaults.window_ms / 1000)?;
        let lan_budget =
            context.within("limits.lan_budget", self.lan_budget.as_ref(), (1, 1_000), defaults.lan_budget.into())?;
        Ok(LimitSettings {
            window_bytes: context.within(
                "limits.window_bytes",
                self.window_bytes.as_ref(),
                bytes,
                defaults.window_bytes,
            )?,
            window_ms: window_seconds.saturating_mul(1000),
            inbox_bytes: context.within(
                "limits.inbox_bytes",
                self.inbox_bytes.as_ref(),
                bytes,
                defaults.inbox_bytes,
            )?,
            store_bytes: context.within(
                "limits.store_bytes",
                self.store_bytes.as_ref(),
                (16 << 20, 1 << 50),
                defaults.store_bytes,
            )?,
            lan_budget: u32::try_from(lan_budget).unwrap_or(defaults.lan_budget),
        })
    }
}

impl RawApi {
    fn check(self, context: &Context<'_>) -> Result<ApiSettings, SettingsError> {
        let tcp = match &self.tcp {
            None => None,
            Some(text) => match text.get_ref().parse::<std::net::SocketAddr>() {
                Ok(address) if address.ip().is_loopback() => Some(address),
                Ok(_) | Err(_) => {
                    let what = format!("`{}` is not a loopback address with a port: 127.0.0.1:7780", text.get_ref());
                    return Err(context.value("api.tcp", text, what));
                }
            },
        };
        if let Some(group) = self.group.as_ref().filter(|group| group.get_ref().is_empty()) {
            return Err(context.value("api.group", group, "the name of a system group, or no such line".to_owned()));
        }
        Ok(ApiSettings { group: self.group.map(Spanned::into_inner), tcp })
    }
}

#[cfg(test)]
mod tests;
