//! Who may use the local API: the daemon's user, root, and the members of one group of the system.
//!
//! The kernel names the caller (`SO_PEERCRED`); the system's own files name the group's members. Membership is looked up
//! at each connection, so that a change holds without a restart.

use std::fs;

/// Largest account file that is read, in bytes. 4 MiB: a hundred thousand accounts.
const ACCOUNTS_MAX: u64 = 4 << 20;

/// The caller at the other end of a connection, as the kernel names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User number.
    pub uid: u32,
    /// Primary group number.
    pub gid: u32,
    /// Whether the rules let it in.
    pub allowed: bool,
}

/// The rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The daemon's user.
    owner: u32,
    /// Name or number of the group whose members are let in.
    group: Option<String>,
}

impl Access {
    /// Lets in this process's user, root, and the members of `group`.
    #[must_use]
    pub fn new(group: Option<String>) -> Self {
        Self { owner: rustix::process::geteuid().as_raw(), group }
    }

    /// Judges a caller.
    #[must_use]
    pub fn judge(&self, uid: u32, gid: u32) -> Caller {
        let member = || {
            let group = self.group.as_deref()?;
            let (groups, users) = (read("/etc/group")?, read("/etc/passwd").unwrap_or_default());
            Some(is_member(&groups, &users, group, uid, gid))
        };
        Caller { uid, gid, allowed: uid == self.owner || uid == 0 || member().unwrap_or_default() }
    }

    /// The number of the group that the socket should belong to.
    #[must_use]
    pub fn group_number(&self) -> Option<u32> {
        find_group(&read("/etc/group")?, self.group.as_deref()?).map(|(gid, _)| gid)
    }

    /// The group's name or number as configured.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }
}

fn read(path: &str) -> Option<String> {
    let len = fs::metadata(path).ok()?.len();
    (len <= ACCOUNTS_MAX).then(|| fs::read_to_string(path).ok()).flatten()
}

/// Number and member names of a group, by name or number, in the text of `/etc/group`.
fn find_group<'a>(groups: &'a str, wanted: &str) -> Option<(u32, &'a str)> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, number, members) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (name == wanted || number == wanted).then(|| Some((number.parse().ok()?, members))).flatten()
    })
}

fn is_member(groups: &str, users: &str, wanted: &str, uid: u32, gid: u32) -> bool {
    let Some((number, members)) = find_group(groups, wanted) else { return false };
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid)).then_some(name)
    });
    number == gid || name.is_some_and(|name| members.split(',').any(|member| member == name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    const GROUPS: &str = "root:x:0:\nmesh:x:700:ann,bob\nempty:x:701:\nbroken\n";
    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\ncid:x:1002:1002::/:/bin/sh\n";

    #[test]
    fn a_group_lets_in_its_members_and_those_whose_own_group_it_is() {
        assert!(is_member(GROUPS, USERS, "mesh", 1000, 1000), "listed by name");
        assert!(is_member(GROUPS, USERS, "700", 1000, 1000), "the group by number");
        assert!(is_member(GROUPS, USERS, "mesh", 4242, 700), "primary group");
        assert!(!is_member(GROUPS, USERS, "mesh", 1002, 1002), "a user outside");
        assert!(!is_member(GROUPS, USERS, "mesh", 4242, 4242), "a user without account");
        assert!(!is_member(GROUPS, USERS, "empty", 1000, 1000), "an empty member list has no members");
        assert!(!is_member(GROUPS, USERS, "nobody-made-this", 1000, 1000), "an unknown group");
    }

    #[test]
    fn without_a_group_only_the_owner_and_root_come_in() {
        let access = Access { owner: 1000, group: None };
        assert!(access.judge(1000, 5).allowed && access.judge(0, 0).allowed);
        assert!(!access.judge(1001, 1000).allowed);
    }
}
