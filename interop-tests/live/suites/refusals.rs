//! Who must not get in, and whether it is said: a host with another key, a key file others can read, another user.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::client::run_within;
use crate::daemon::Daemon;
use crate::{Site, Size, Verdict, tools, until};

pub(super) fn run(site: &Site, _size: Size) -> Result<Verdict> {
    let wrong_key = wrong_key(site)?;
    let open_file = open_key_file(site)?;
    let stranger = stranger(site)?;
    let pass = wrong_key.pass && open_file.pass && stranger.as_ref().is_none_or(|stranger| stranger.pass);
    let stranger = stranger.map_or_else(|| "skipped: another user needs root".to_owned(), |stranger| stranger.said);
    Ok(Verdict::of(pass, json!({ "wrong_key": wrong_key.said, "open_key_file": open_file.said, "stranger": stranger })))
}

struct Refused {
    pass: bool,
    /// What the daemon or the verb said: a code, or a few words.
    said: String,
}

/// Dialling where another key answers: no link, and the reason in the log with both ends' keys.
fn wrong_key(site: &Site) -> Result<Refused> {
    let mut honest = Daemon::make(site, "honest", "127.0.0.1", &[])?;
    honest.start()?;
    let other = Daemon::make(site, "other", "127.0.0.1", &[])?;
    let locator = format!("{}#{}", honest.place()?, other.node());
    let mut caller = Daemon::make(site, "caller", "127.0.0.1", &[locator])?;
    caller.start()?;
    let mut said = String::new();
    let told = until("the caller says what is wrong", Duration::from_secs(10), || {
        said = caller.log_line("another key answered").unwrap_or_default();
        Ok(!said.is_empty())
    });
    let linked = caller.peers()?.len() + honest.peers()?.len();
    let names_it = said.contains(honest.node());
    if told.is_err() {
        eprintln!("{}", caller.log_tail(20));
    }
    // Without the moment and the keys, which are other ones each time.
    let said = if names_it { "another key answered, with both keys" } else { &said };
    Ok(Refused { pass: told.is_ok() && names_it && linked == 0, said: said.to_owned() })
}

/// A key that others may read is not used.
fn open_key_file(site: &Site) -> Result<Refused> {
    let daemon = Daemon::make(site, "careless", "127.0.0.1", &[])?;
    let key = daemon.home().join("identity.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644))?;
    let ran = daemon.run(&["run", "--until-stdin-ends", "--json"])?;
    let said = code(&ran.err);
    Ok(Refused { pass: ran.code != Some(0) && said == "key_mode", said })
}

/// The code of a refusal in JSON, or else all that was said.
fn code(said: &str) -> String {
    let last = said.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    let code = last.as_ref().and_then(|error| error.get("code")?.as_str());
    code.unwrap_or(said).to_owned()
}

/// Another user of the machine, let as far as the socket, is denied there; none without root.
fn stranger(site: &Site) -> Result<Option<Refused>> {
    if !tools::is_root() || !tools::has("setpriv", "--version") {
        return Ok(None);
    }
    let mut daemon = Daemon::make(site, "private", "127.0.0.1", &[])?;
    daemon.start()?;
    // The file system would stop a stranger first; what is asked here is whether the daemon would.
    for path in [site.dir(), daemon.home()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    fs::set_permissions(daemon.home().join("api.sock"), fs::Permissions::from_mode(0o666))?;
    let bin = site.dir().join("crosscast");
    fs::copy(site.bin(), &bin).context("a copy of the binary that others may run")?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.arg(bin).arg("--home").arg(daemon.home()).args(["status", "--json"]);
    let ran = run_within(&mut command, Duration::from_secs(30))?;
    let said = code(&ran.err);
    let denied = ran.code == Some(4) && said == "denied" && ran.out.is_empty();
    Ok(Some(Refused { pass: denied, said: format!("{said}, exit {:?}", ran.code.unwrap_or(-1)) }))
}
