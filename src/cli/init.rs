//! `crosscast init`: an identity and a commented configuration in the home folder.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use crosscast::{Attach, Home, Identity, Locator, Settings};
use crosscast_api::{ApiError, Code};
use serde::Serialize;

use crate::args::InitArgs;
use crate::failure::Failure;
use crate::{Context, wings};

#[derive(Debug, Serialize)]
struct Made {
    node: String,
    home: String,
}

/// Makes identity and configuration and prints the NodeId.
pub(crate) fn init(home: &Home, args: &InitArgs, context: &mut Context) -> Result<(), Failure> {
    let settings = Settings {
        name: args.name.clone().unwrap_or_default(),
        listen: locators(&args.listen)?,
        attach: args.attach.iter().map(|text| attach(text)).collect::<Result<_, _>>()?,
        ..Settings::default()
    };
    wings::check(&settings)?;
    let identity = make(home, &settings)?;
    if settings.listen.is_empty() && settings.attach.is_empty() {
        context.note("it neither listens nor dials yet: set `listen` or `attach` in config.toml");
    }
    let node = identity.node_id().to_string();
    if context.json {
        context.out.json(&Made { node, home: home.dir().display().to_string() })?;
    } else {
        context.out.line(&node)?;
    }
    context.out.flush()
}

/// Makes the folder and the two files; what exists is never overwritten.
pub(crate) fn make(home: &Home, settings: &Settings) -> Result<Identity, Failure> {
    crosscast_api::check_path(&home.socket())?;
    let text = settings.to_template();
    // What is written must be readable again: a name with a control character is refused here.
    Settings::parse(&text, &home.config()).map_err(ApiError::from)?;
    if home.config().exists() {
        return Err(Failure::new(Code::HasIdentity, format!("{} exists", home.config().display())));
    }
    home.create().map_err(ApiError::from)?;
    let identity = Identity::generate().map_err(ApiError::from)?;
    identity.save_new(&home.identity()).map_err(ApiError::from)?;
    let failed = |error: std::io::Error| Failure::io(home.config().display(), &error);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(home.config()).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(identity)
}

fn locators(texts: &[String]) -> Result<Vec<Locator>, Failure> {
    let bad = |text, error| Failure::new(Code::BadLocator, format!("`{text}`: {error}"));
    texts.iter().map(|text| Locator::parse(text).map_err(|error| bad(text, error))).collect()
}

fn attach(text: &str) -> Result<Attach, Failure> {
    Attach::parse(text).map_err(|error| Failure::new(Code::BadLocator, format!("`{text}`: {error}")))
}
