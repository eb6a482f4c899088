//! What a package really links: `cargo tree` for that package alone.
//!
//! The resolve graph of `cargo metadata` is no help here: there the features of a shared crate are the sum over the
//! whole workspace, so a pure room would be blamed for what the node switches on.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::run;

/// One package in the tree with the way that leads to it, the asked-for package first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linked {
    /// Its name.
    pub(crate) name: String,
    /// Names from the root of the tree down to it.
    pub(crate) way: Vec<String>,
}

/// Everything `package` links through normal dependencies on this platform; procedural macros are not linked.
pub(crate) fn linked(root: &Path, package: &str) -> Result<Vec<Linked>> {
    let mut command = run::cargo();
    command
        .args([
            "tree",
            "--package",
            package,
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "depth",
            "--format",
            " {p}",
        ])
        .current_dir(root);
    parse(&run::output(&mut command)?)
}

/// Reads lines such as `2 cfg-if v1.0.4`, where the number is the depth.
fn parse(text: &str) -> Result<Vec<Linked>> {
    let mut way: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let depth: usize = words.next().and_then(|word| word.parse().ok()).context("cargo tree without a depth")?;
        let name = words.next().context("cargo tree without a name")?.to_owned();
        way.truncate(depth);
        way.push(name.clone());
        all.push(Linked { name, way: way.clone() });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_a_package_follows_the_depths() {
        let tree = parse("0 a v1 (/x)\n1 b v1\n2 c v1\n1 d v1 (*)\n").unwrap_or_default();
        let ways: Vec<String> = tree.iter().map(|linked| linked.way.join(">")).collect();
        assert_eq!(ways, ["a", "a>b", "a>b>c", "a>d"]);
    }
}
