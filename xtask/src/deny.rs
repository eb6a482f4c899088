//! Licences, bans and sources of everything we build from, by the rules of `deny.toml`.
//!
//! With cargo-deny installed it does the work. Without it the same three rules are held here against cargo's own
//! metadata: building that tool costs more than building the project, and a check that is skipped on most machines
//! guards nothing. Advisories change by the day, so they are asked for only with `--online`, and only cargo-deny knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::metadata::{self, Package, Table};
use crate::stage::{Stage, Tally};
use crate::{licence, run};

/// The stage of `cargo xtask test`.
pub(crate) fn stage(stage: &mut Stage<'_>) -> Result<Tally> {
    let installed = run::answers(run::cargo().args(["deny", "--version"]));
    let mut tally = if installed {
        let mut command = run::cargo();
        command
            .args(["deny", "--workspace", "check", "licenses", "bans", "sources"])
            .current_dir(&stage.workspace.root);
        Tally::check(stage.log.run(&mut command)?.ok)
    } else {
        own_check(stage)?.note("cargo-deny is not installed (cargo install cargo-deny): its rules were held by xtask")
    };
    if stage.online {
        let advisories = advisories(stage, installed)?;
        tally.add_counts(&advisories);
        tally.notes.extend(advisories.notes);
    }
    Ok(tally)
}

/// Known vulnerabilities; a list that cannot be fetched is no finding.
fn advisories(stage: &mut Stage<'_>, installed: bool) -> Result<Tally> {
    if !installed {
        return Ok(Tally::skip("advisories need cargo-deny (cargo install cargo-deny)"));
    }
    let mut command = run::cargo();
    command.args(["deny", "--workspace", "check", "advisories"]).current_dir(&stage.workspace.root);
    let done = stage.log.run(&mut command)?;
    if !done.ok && done.text.contains("failed to fetch advisory database") {
        return Ok(Tally::skip("the list of advisories cannot be fetched"));
    }
    Ok(Tally::check(done.ok))
}

/// Licences, bans and sources count as one check each.
fn own_check(stage: &mut Stage<'_>) -> Result<Tally> {
    let root = &stage.workspace.root;
    let rules = Rules::load(&root.join("deny.toml"))?;
    let packages = metadata::whole_graph(root)?;
    let mut tally = Tally::default();
    for broken in [rules.licences(&packages), rules.bans(&packages), rules.sources(&packages)] {
        for line in &broken {
            stage.log.note(line)?;
        }
        tally.add_counts(&Tally::check(broken.is_empty()));
    }
    for line in twice(&packages) {
        stage.log.note(&format!("warning: {line}"))?;
    }
    Ok(tally.note(format!("{} packages, {} names in more than one version", packages.len(), twice(&packages).len())))
}

/// What of `deny.toml` is held here.
struct Rules {
    allowed: BTreeSet<String>,
    exceptions: BTreeMap<String, BTreeSet<String>>,
    banned: BTreeSet<String>,
}

impl Rules {
    fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let file: toml::Table = text.parse()?;
        let licences = file.get("licenses").context("deny.toml without [licenses]")?;
        let mut exceptions = BTreeMap::new();
        for entry in licences.get("exceptions").and_then(toml::Value::as_array).into_iter().flatten() {
            exceptions.insert(crate_name(entry).context("an exception without a crate")?, strings(entry.get("allow")));
        }
        let deny = file.get("bans").and_then(|bans| bans.get("deny")).and_then(toml::Value::as_array);
        Ok(Self {
            allowed: strings(licences.get("allow")),
            exceptions,
            banned: deny.into_iter().flatten().filter_map(crate_name).collect(),
        })
    }

    fn licences(&self, packages: &[Package]) -> Vec<String> {
        let mut broken = Vec::new();
        for package in packages {
            let mut allowed = self.allowed.clone();
            allowed.extend(self.exceptions.get(&package.name).into_iter().flatten().cloned());
            let expression = package.licence.as_deref().unwrap_or_default();
            match licence::is_met(expression, &allowed) {
                Ok(true) => {}
                Ok(false) => broken.push(format!("licence of {} {}: {expression}", package.name, package.version)),
                Err(error) => broken.push(format!("licence of {} {}: {error}", package.name, package.version)),
            }
        }
        broken
    }

    fn bans(&self, packages: &[Package]) -> Vec<String> {
        let mut broken = Vec::new();
        for package in packages {
            if self.banned.contains(&package.name) {
                broken.push(format!("{} {} is banned", package.name, package.version));
            }
            let ours = package.source.is_none();
            let any =
                |wanted: &&metadata::Dependency| wanted.wanted == "*" && !wanted.local && wanted.table != Table::Dev;
            for wanted in package.dependencies.iter().filter(any).filter(|_| ours) {
                broken.push(format!("{} takes {} in any version", package.name, wanted.name));
            }
        }
        broken
    }

    fn sources(&self, packages: &[Package]) -> Vec<String> {
        let foreign =
            packages.iter().filter(|package| package.source.as_deref().is_some_and(|from| !is_crates_io(from)));
        foreign.map(|package| format!("{} {} is not from crates.io", package.name, package.version)).collect()
    }
}

/// Cargo names crates.io by this word in metadata whatever mirror a machine fetches it from.
fn is_crates_io(source: &str) -> bool {
    source == "registry+https://github.com/rust-lang/crates.io-index" || source == "sparse+https://index.crates.io/"
}

fn twice(packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    let many = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    many.map(|(name, versions)| format!("{name} in versions {}", versions.join(", "))).collect()
}

fn crate_name(entry: &toml::Value) -> Option<String> {
    let name = entry.as_str().or_else(|| entry.get("crate").or_else(|| entry.get("name"))?.as_str())?;
    name.split('@').next().map(str::to_owned)
}

fn strings(value: Option<&toml::Value>) -> BTreeSet<String> {
    let list = value.and_then(toml::Value::as_array).into_iter().flatten();
    list.filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT"]
        exceptions = [{ crate = "odd", allow = ["OpenSSL"] }]
        [bans]
        deny = [{ crate = "openssl-sys" }, "native-tls"]
    "#;

    fn package(name: &str, licence: &str, source: Option<&str>) -> Package {
        Package {
            name: name.into(),
            version: "1.0.0".into(),
            licence: Some(licence.into()),
            source: source.map(str::to_owned),
            folder: "a".into(),
            bins: Vec::new(),
            dependencies: Vec::new(),
        }
    }

    #[test]
    fn a_licence_is_allowed_for_all_or_by_exception() {
        let rules = Rules::parse(RULES).unwrap();
        let held = [package("a", "MIT", None), package("odd", "MIT AND OpenSSL", None)];
        assert_eq!(rules.licences(&held), Vec::<String>::new());
        assert_eq!(rules.licences(&[package("b", "MIT AND OpenSSL", None), package("c", "", None)]).len(), 2);
    }

    #[test]
    fn a_banned_crate_is_named() {
        let rules = Rules::parse(RULES).unwrap();
        let broken = rules.bans(&[package("openssl-sys", "MIT", None), package("native-tls", "MIT", None)]);
        assert_eq!(broken.len(), 2);
    }

    #[test]
    fn only_crates_io_and_our_own_folders_are_sources() {
        let rules = Rules::parse(RULES).unwrap();
        let good = package("a", "MIT", Some("registry+https://github.com/rust-lang/crates.io-index"));
        assert_eq!(rules.sources(&[good, package("own", "MIT", None)]), Vec::<String>::new());
        assert_eq!(rules.sources(&[package("b", "MIT", Some("git+https://git.example/b"))]).len(), 1);
    }

    #[test]
    fn the_rules_of_this_repository_can_be_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let rules = Rules::load(&root.join("deny.toml")).unwrap();
        assert!(rules.allowed.contains("MIT") && !rules.allowed.contains("GPL-3.0-only"));
    }
}
