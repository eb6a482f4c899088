//! `crosscast init`: an identity and a commented configuration in the home folder.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crosscast::{Attach, Home, HostNode, Identity, Locator, Network, Settings};
use crosscast_api::{ApiError, Code};
use serde::Serialize;

use crate::args::InitArgs;
use crate::failure::Failure;
use crate::wings::Shared;
use crate::{Context, wings};

/// Where the daemon's half of a shared key is written, in the home folder.
const DAEMON_KEY: &str = "yggdrasil.key.conf";

#[derive(Debug, Serialize)]
struct Made {
    node: String,
    home: String,
    /// Where the key is the Yggdrasil daemon's too.
    #[serde(skip_serializing_if = "Option::is_none")]
    yggdrasil: Option<SharedView>,
}

#[derive(Debug, Serialize)]
struct SharedView {
    address: String,
    strength: u32,
    /// What goes into the daemon's configuration.
    file: String,
}

/// Makes identity and configuration and prints the NodeId.
pub(crate) fn init(home: &Home, args: &InitArgs, context: &mut Context) -> Result<(), Failure> {
    let settings = Settings {
        name: args.name.clone().unwrap_or_default(),
        listen: locators(&args.listen)?,
        attach: args.attach.iter().map(|text| attach(text)).collect::<Result<_, _>>()?,
        ..Settings::default()
    };
    let made = if args.yggdrasil { shared(home, settings, args.strength)? } else { alone(home, &settings)? };
    if let Some(SharedView { address, file, .. }) = &made.yggdrasil {
        context.note(&format!("{file} has the line for the Yggdrasil daemon, whose address becomes {address}"));
    } else if args.listen.is_empty() && args.attach.is_empty() {
        context.note("it neither listens nor dials yet: set `listen` or `attach` in config.toml");
    }
    if context.json {
        context.out.json(&made)?;
    } else {
        context.out.line(&made.node)?;
    }
    context.out.flush()
}

/// With a key of its own.
fn alone(home: &Home, settings: &Settings) -> Result<Made, Failure> {
    wings::check(settings)?;
    let node = make(home, settings)?.node_id().to_string();
    Ok(Made { node, home: home.dir().display().to_string(), yggdrasil: None })
}

/// With a key that is the Yggdrasil daemon's too, which is attached to for that.
fn shared(home: &Home, mut settings: Settings, strength: u32) -> Result<Made, Failure> {
    if !settings.hosts().any(|host| host.network() == Network::Yggdrasil) {
        settings.attach.push(Attach::Host(HostNode::Yggdrasil(None)));
    }
    wings::check(&settings)?;
    let Shared { identity, daemon_config, address, strength } = wings::shared_key(strength)?;
    let file = home.dir().join(DAEMON_KEY);
    let text = prepare(home, &settings)?;
    write(home, &identity, &text)?;
    new_file(&file, daemon_config.as_bytes())?;
    Ok(Made {
        node: identity.node_id().to_string(),
        home: home.dir().display().to_string(),
        yggdrasil: Some(SharedView { address: address.to_string(), strength, file: file.display().to_string() }),
    })
}

/// Makes the folder and the two files; what exists is never overwritten.
pub(crate) fn make(home: &Home, settings: &Settings) -> Result<Identity, Failure> {
    let text = prepare(home, settings)?;
    let identity = Identity::generate().map_err(ApiError::from)?;
    write(home, &identity, &text)?;
    Ok(identity)
}

/// The text of the configuration, once nothing stands in the way of writing it.
fn prepare(home: &Home, settings: &Settings) -> Result<String, Failure> {
    crosscast_api::check_path(&home.socket())?;
    let text = settings.to_template();
    // What is written must be readable again: a name with a control character is refused here.
    Settings::parse(&text, &home.config()).map_err(ApiError::from)?;
    if home.config().exists() {
        return Err(Failure::new(Code::HasIdentity, format!("{} exists", home.config().display())));
    }
    Ok(text)
}

fn write(home: &Home, identity: &Identity, text: &str) -> Result<(), Failure> {
    home.create().map_err(ApiError::from)?;
    identity.save_new(&home.identity()).map_err(ApiError::from)?;
    new_file(&home.config(), text.as_bytes())
}

/// Writes a file that only its owner can read.
fn new_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io(path.display(), &error);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

fn locators(texts: &[String]) -> Result<Vec<Locator>, Failure> {
    let bad = |text, error| Failure::new(Code::BadLocator, format!("`{text}`: {error}"));
    texts.iter().map(|text| Locator::parse(text).map_err(|error| bad(text, error))).collect()
}

fn attach(text: &str) -> Result<Attach, Failure> {
    Attach::parse(text).map_err(|error| Failure::new(Code::BadLocator, format!("`{text}`: {error}")))
}
