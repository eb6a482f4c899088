//! The workspace as cargo sees it: packages, what they depend on, where they lie.
//!
//! Read from `cargo metadata`; only the fields that the other files ask for are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::run;

/// The workspace and everything it is built from.
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// Our own packages.
    pub(crate) members: Vec<Package>,
}

/// A package.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// The licence expression of its manifest.
    pub(crate) licence: Option<String>,
    /// Where cargo had it from; `None` for a folder.
    pub(crate) source: Option<String>,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Names of its executables.
    pub(crate) bins: Vec<String>,
    /// What its manifest asks for.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependency tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package's own name, not what it may be renamed to.
    pub(crate) name: String,
    /// Which table it stands in.
    pub(crate) table: Table,
    /// The version that is asked for, as text.
    pub(crate) wanted: String,
    /// Whether it is a folder of this repository.
    pub(crate) local: bool,
}

/// A manifest's dependency tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// `[dependencies]`
    Normal,
    /// `[build-dependencies]`
    Build,
    /// `[dev-dependencies]`
    Dev,
}

impl Workspace {
    /// Asks cargo, without touching the network.
    pub(crate) fn load() -> Result<Self> {
        let mut command = run::cargo();
        command.args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        let value: Value = serde_json::from_str(&run::output(&mut command)?)?;
        Ok(Self {
            root: text(&value, "workspace_root")?.into(),
            target: text(&value, "target_directory")?.into(),
            members: list(&value, "packages")?.iter().map(package).collect::<Result<_>>()?,
        })
    }

    /// The member with this name.
    pub(crate) fn member(&self, name: &str) -> Option<&Package> {
        self.members.iter().find(|member| member.name == name)
    }

    /// A member's folder relative to the root, with forward slashes; empty for the root package.
    pub(crate) fn place(&self, package: &Package) -> String {
        package.folder.strip_prefix(&self.root).unwrap_or(&package.folder).to_string_lossy().replace('\\', "/")
    }
}

/// Every package that takes part in a build of the workspace (tests too), once each, in order of name.
pub(crate) fn whole_graph(root: &Path) -> Result<Vec<Package>> {
    let mut command = run::cargo();
    command.args(["metadata", "--format-version", "1", "--locked"]).current_dir(root);
    let value: Value = serde_json::from_str(&run::output(&mut command)?)?;
    let resolve = value.get("resolve").context("cargo metadata without `resolve`")?;
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in list(resolve, "nodes")? {
        let targets = list(node, "deps")?.iter().map(|dep| text(dep, "pkg")).collect::<Result<_>>()?;
        edges.insert(text(node, "id")?, targets);
    }
    let mut open: Vec<&str> = list(&value, "workspace_members")?.iter().filter_map(Value::as_str).collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(edges.get(id).into_iter().flatten());
        }
    }
    // The metadata also has what weak features (`name?/feature`) would turn on; the tree has what is built.
    let mut tree = run::cargo();
    tree.args(["tree", "--workspace", "--locked", "--target", "all", "--edges", "normal,build,dev"]).current_dir(root);
    tree.args(["--prefix", "none", "--format", "{p}"]);
    let tree = run::output(&mut tree)?;
    let built: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, rest)| Some((name, rest.split(' ').next()?.trim_start_matches('v'))))
        .collect();
    let mut packages = Vec::new();
    for entry in list(&value, "packages")? {
        if reached.contains(text(entry, "id")?) && built.contains(&(text(entry, "name")?, text(entry, "version")?)) {
            packages.push(package(entry)?);
        }
    }
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(packages)
}

fn package(value: &Value) -> Result<Package> {
    let manifest = Path::new(text(value, "manifest_path")?);
    let is_bin = |target: &&Value| {
        target.get("kind").and_then(Value::as_array).is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"))
    };
    Ok(Package {
        name: text(value, "name")?.to_owned(),
        version: text(value, "version")?.to_owned(),
        licence: value.get("license").and_then(Value::as_str).map(str::to_owned),
        source: value.get("source").and_then(Value::as_str).map(str::to_owned),
        folder: manifest.parent().context("a manifest without a folder")?.to_owned(),
        bins: list(value, "targets")?
            .iter()
            .filter(is_bin)
            .map(|target| Ok(text(target, "name")?.to_owned()))
            .collect::<Result<_>>()?,
        dependencies: list(value, "dependencies")?.iter().map(dependency).collect::<Result<_>>()?,
    })
}

fn dependency(value: &Value) -> Result<Dependency> {
    let table = match value.get("kind").and_then(Value::as_str) {
        Some("dev") => Table::Dev,
        Some("build") => Table::Build,
        Some(_) | None => Table::Normal,
    };
    Ok(Dependency {
        name: text(value, "name")?.to_owned(),
        table,
        wanted: text(value, "req")?.to_owned(),
        local: value.get("path").is_some_and(Value::is_string),
    })
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("cargo metadata without `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value.get(key).and_then(Value::as_array).with_context(|| format!("cargo metadata without `{key}`"))
}
