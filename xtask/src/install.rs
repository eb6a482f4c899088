//! What the live suites need of the system beyond a compiler: fetched by the system's own package client when root.
//!
//! Only what is missing is fetched, without recommended packages, and no service of it is started. Nothing here is ever
//! fatal: what cannot be installed is said, with the command that would, and the suites that need it skip themselves by
//! name. What comes from npm or PyPI is fetched by the suites, below the build folder.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::run::Log;

/// A package, and a program of it that a suite runs.
const PACKAGES: &[(&str, &str)] =
    &[("yggdrasil", "yggdrasil"), ("iproute2", "ip"), ("iputils-ping", "ping"), ("nftables", "nft")];

/// Where programs lie, also those that only root has in its path.
const FOLDERS: &[&str] = &["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/// Asked by Debian's packages before they start a service; 101 is its word for no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing; a line for whoever reads the run, when there is something to say.
pub(crate) fn for_live(log: &mut Log) -> Result<Option<String>> {
    let absent = missing(|program| FOLDERS.iter().any(|folder| Path::new(folder).join(program).exists()));
    if absent.is_empty() {
        return Ok(None);
    }
    let list = absent.join(" ");
    let advice = format!("suites need more of the system: apt-get install --no-install-recommends {list}");
    if !is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return Ok(Some(advice));
    }
    let policy = Policy::forbid()?;
    let mut installed = apt(log, &absent)?;
    if !installed {
        // Old lists name files that are gone.
        let mut update = Command::new("apt-get");
        update.args(["update", "--quiet"]);
        installed = log.run(&mut update)?.ok && apt(log, &absent)?;
    }
    drop(policy);
    Ok(Some(if installed { format!("installed {list}") } else { format!("could not install; {advice}") }))
}

fn missing(has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    PACKAGES.iter().filter(|(_, program)| !has(program)).map(|(package, _)| *package).collect()
}

fn apt(log: &mut Log, packages: &[&str]) -> Result<bool> {
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(log.run(&mut install)?.ok)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Forbids services to start as long as it lives, unless the system has a policy of its own.
struct Policy(Option<PathBuf>);

impl Policy {
    fn forbid() -> Result<Self> {
        let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(POLICY);
        Ok(match made {
            Ok(mut file) => {
                let policy = Self(Some(POLICY.into()));
                std::io::Write::write_all(&mut file, b"#!/bin/sh\nexit 101\n")?;
                policy
            }
            Err(_) => Self(None),
        })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = fs::remove_file(path)
        {
            eprintln!("{}: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_asked_for() {
        assert_eq!(missing(|program| program != "nft"), ["nftables"]);
        assert!(missing(|_| true).is_empty());
        assert_eq!(missing(|_| false).len(), PACKAGES.len());
    }
}
