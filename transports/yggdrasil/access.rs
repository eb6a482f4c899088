//! Whose a socket is that this process may not use, so that the operator can be told which group to join.

use std::fs::{File, metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// 1 MiB of `/etc/group`: ten thousand groups.
const GROUPS_MAX: u64 = 1024 * 1024;

/// The name of the group that a socket, or the folder that hides it, belongs to.
pub(crate) fn group_of(socket: &Path) -> Option<String> {
    let found = metadata(socket).or_else(|_| metadata(socket.parent().unwrap_or(socket))).ok()?;
    let mut groups = String::new();
    File::open("/etc/group").ok()?.take(GROUPS_MAX).read_to_string(&mut groups).ok()?;
    name_of(&groups, found.gid()).map(str::to_owned)
}

/// Looks up a group's name in the text of `/etc/group` (group(5)).
fn name_of(groups: &str, gid: u32) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(gid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_group_is_found_by_its_number() {
        let groups = "root:x:0:\n\nbad\nyggdrasil:x:112:ann,bob\nother:x:113:\n";
        assert_eq!(name_of(groups, 112), Some("yggdrasil"));
        assert_eq!(name_of(groups, 11), None);
    }
}
