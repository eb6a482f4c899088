//! The rooms and their walls: which of our packages may import which, and what a pure room must never link.
//!
//! The table is the drawing in `docs/ARCHITECTURE.md` in another form. Imports between our own packages are held
//! exactly; what third-party crates a room uses is its own business unless it is on the room's list of what it must
//! never see. Runs as a verb, as a stage of `test`, and as a unit test.

use anyhow::Result;

use crate::metadata::{Package, Table, Workspace};
use crate::tree;

/// One room.
struct Room {
    /// The package's name.
    package: &'static str,
    /// The package's folder.
    place: &'static str,
    /// Our own packages that it may import.
    imports: &'static [&'static str],
    /// What must not be linked into it, by any way; a trailing `*` stands for any ending.
    never: &'static [&'static str],
}

/// Clocks, chance, sockets and tasks come in through the door of a pure room, as values.
const IMPURE: &[&str] =
    &["tokio*", "mio", "socket2", "rand", "getrandom", "fastrand", "futures*", "async-*", "smol", "chrono", "time"];

/// A contract says what happens on sockets without opening any.
const SOCKETS: &[&str] = &["mio", "socket2"];

const WIRE: &str = "crosscast-wire";
const PORT: &str = "crosscast-port";
const SEAL: &str = "crosscast-seal";
const CORE: &str = "crosscast-core";
const TRANSPORT: &str = "crosscast-transport";
const STREAM: &str = "crosscast-stream";
const STORE: &str = "crosscast-store";
const BRIDGE: &str = "crosscast-bridge";
const NODE: &str = "crosscast";

const ROOMS: &[Room] = &[
    Room { package: WIRE, place: "src/wire", imports: &[], never: IMPURE },
    Room { package: PORT, place: "src/port", imports: &[WIRE], never: IMPURE },
    Room { package: SEAL, place: "src/seal", imports: &[WIRE], never: IMPURE },
    Room { package: CORE, place: "src/core", imports: &[WIRE, PORT, SEAL], never: IMPURE },
    Room { package: "crosscast-sim", place: "src/sim", imports: &[WIRE, PORT, SEAL, CORE], never: IMPURE },
    Room { package: TRANSPORT, place: "src/transport", imports: &[WIRE, PORT], never: SOCKETS },
    Room { package: STREAM, place: "src/stream", imports: &[WIRE, PORT, SEAL, TRANSPORT], never: &[] },
    Room { package: BRIDGE, place: "src/bridge", imports: &[WIRE, PORT], never: SOCKETS },
    Room { package: STORE, place: "src/store", imports: &[WIRE, PORT], never: SOCKETS },
    Room { package: NODE, place: "src/node", imports: &[WIRE, PORT, SEAL, CORE, TRANSPORT, STORE, BRIDGE], never: &[] },
    Room { package: "crosscast-api", place: "src/api", imports: &[NODE, WIRE], never: &[] },
    Room { package: "xtask", place: "xtask", imports: &[], never: &[] },
];

/// A wing sees one contract and the words; never the core, the node or another wing.
const WINGS: &[(&str, &[&str])] =
    &[("transports/", &[WIRE, PORT, SEAL, TRANSPORT, STREAM]), ("bridges/", &[WIRE, PORT, SEAL, BRIDGE])];

/// The pure rooms; even their tests see only each other.
const PURE: &[&str] = &[WIRE, PORT, SEAL, CORE, "crosscast-sim"];

/// Crates that change the whole build or its licence, so that one package alone may ask for them.
const SOLE_USERS: &[(&str, &str)] =
    &[("tokio-xmpp", "crosscast-bridge-xmpp"), ("yggdrasil-keys", "crosscast-yggdrasil-keygen")];

/// The binary, and what is not in it unless somebody asks for the feature: its terms would become the program's.
const BINARY: &str = "crosscast-cli";
const BY_FEATURE_ONLY: &[&str] = &["yggdrasil-keys"];

/// Errors are typed everywhere but at the edge, where a person reads them.
const ANYHOW_PLACES: &[&str] = &["", "xtask", "interop-tests/"];

/// Prints what breaks the walls; true when nothing does.
pub(crate) fn main() -> Result<bool> {
    let workspace = Workspace::load()?;
    let broken = broken_walls(&workspace)?;
    for line in &broken {
        println!("{line}");
    }
    println!("rooms: {} packages, {} broken walls", workspace.members.len(), broken.len());
    Ok(broken.is_empty())
}

/// Every broken wall, one sentence each.
pub(crate) fn broken_walls(workspace: &Workspace) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for member in &workspace.members {
        let place = workspace.place(member);
        broken.extend(check_imports(workspace, member, &place));
        broken.extend(check_sole_users(member, &place));
        broken.extend(check_lints(member, &place)?);
        if let Some(room) = room(&member.name) {
            broken.extend(check_never(workspace, room.package, room.never)?);
        }
    }
    broken.extend(check_never(workspace, BINARY, BY_FEATURE_ONLY)?);
    Ok(broken)
}

fn room(package: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.package == package)
}

fn check_imports(workspace: &Workspace, member: &Package, place: &str) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(room) = room(&member.name)
        && room.place != place
    {
        broken.push(format!("{}: lies in {place}, its room is {}", member.name, room.place));
    }
    let Some(allowed) = may_import(member, place) else {
        broken.push(format!("{}: {place} is no room of the table in xtask/src/rooms.rs", member.name));
        return broken;
    };
    for dependency in &member.dependencies {
        let Some(other) = workspace.member(&dependency.name) else { continue };
        let fine = match dependency.table {
            Table::Normal | Table::Build => allowed.permits(workspace, other),
            Table::Dev => !PURE.contains(&member.name.as_str()) || PURE.contains(&other.name.as_str()),
        };
        if !fine {
            broken.push(format!("{}: must not import {}", member.name, other.name));
        }
    }
    broken
}

/// What of ours a package may import.
enum Allowed {
    /// These packages.
    Only(&'static [&'static str]),
    /// Anything but exams and tools.
    Rooms,
    /// Anything.
    All,
}

impl Allowed {
    fn permits(&self, workspace: &Workspace, other: &Package) -> bool {
        match self {
            Self::Only(names) => names.contains(&other.name.as_str()),
            Self::Rooms => !workspace.place(other).starts_with("interop-tests/") && other.name != "xtask",
            Self::All => true,
        }
    }
}

fn may_import(member: &Package, place: &str) -> Option<Allowed> {
    if let Some(room) = room(&member.name) {
        return Some(Allowed::Only(room.imports));
    }
    if let Some((_, names)) = WINGS.iter().find(|(wing, _)| place.starts_with(wing)) {
        return Some(Allowed::Only(names));
    }
    match place {
        "" => Some(Allowed::Rooms),
        _ if place.starts_with("interop-tests/") => Some(Allowed::All),
        _ => None,
    }
}

fn check_sole_users(member: &Package, place: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for dependency in &member.dependencies {
        for (name, user) in SOLE_USERS {
            if dependency.name == *name && member.name != *user {
                broken.push(format!("{}: only {user} may import {name}", member.name));
            }
        }
        let at_the_edge = ANYHOW_PLACES.iter().any(|edge| match edge.strip_suffix('/') {
            Some(_) => place.starts_with(edge),
            None => place == *edge,
        });
        if dependency.name == "anyhow" && !at_the_edge {
            broken
                .push(format!("{}: a library names its errors; anyhow stays in the binary and the tools", member.name));
        }
    }
    broken
}

fn check_lints(member: &Package, place: &str) -> Result<Vec<String>> {
    let manifest: toml::Table = std::fs::read_to_string(member.folder.join("Cargo.toml"))?.parse()?;
    let inherits =
        manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool).unwrap_or(false);
    Ok(if inherits {
        Vec::new()
    } else {
        vec![format!("{}: {place} does not take the workspace's lints", member.name)]
    })
}

fn check_never(workspace: &Workspace, package: &str, never: &[&str]) -> Result<Vec<String>> {
    if never.is_empty() {
        return Ok(Vec::new());
    }
    let linked = tree::linked(&workspace.root, package)?;
    let seen = linked.iter().filter(|linked| never.iter().any(|pattern| matches(pattern, &linked.name)));
    Ok(seen.map(|linked| format!("{package}: must never see {} ({})", linked.name, linked.way.join(" > "))).collect())
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::metadata::Dependency;

    #[test]
    fn the_rooms_keep_their_walls() {
        let workspace = Workspace::load().unwrap();
        assert_eq!(broken_walls(&workspace).unwrap(), Vec::<String>::new());
    }

    fn with_import(workspace: &mut Workspace, of: &str, name: &str, table: Table) {
        let member = workspace.members.iter_mut().find(|member| member.name == of).unwrap();
        member.dependencies.push(Dependency { name: name.into(), table, wanted: "*".into(), local: true });
    }

    #[test]
    fn a_wall_that_is_broken_on_purpose_is_named() {
        for (of, name, table) in [
            (CORE, TRANSPORT, Table::Normal),
            (WIRE, PORT, Table::Build),
            ("crosscast-tls", CORE, Table::Normal),
            ("crosscast-tls", "crosscast-memory", Table::Normal),
            (NODE, "crosscast-tls", Table::Normal),
            (CORE, NODE, Table::Dev),
            ("crosscast-cli", "crosscast-exam", Table::Normal),
        ] {
            let mut workspace = Workspace::load().unwrap();
            with_import(&mut workspace, of, name, table);
            let member = workspace.member(of).unwrap();
            let broken = check_imports(&workspace, member, &workspace.place(member));
            assert!(broken.contains(&format!("{of}: must not import {name}")), "{of} -> {name}: {broken:?}");
        }
    }

    #[test]
    fn an_error_of_no_type_stays_at_the_edge() {
        let mut workspace = Workspace::load().unwrap();
        with_import(&mut workspace, CORE, "anyhow", Table::Normal);
        let member = workspace.member(CORE).unwrap();
        assert_eq!(check_sole_users(member, &workspace.place(member)).len(), 1);
    }

    #[test]
    fn a_star_stands_for_any_ending() {
        assert!(matches("futures*", "futures-core") && matches("rand", "rand") && !matches("rand", "rand_core"));
    }
}
