//! Replacing a node's key: a new one takes the old one's place, and both say so.
//!
//! The old key file stays beside the new one under a name of its own. The successor record, signed by the old key and
//! consented to by the new one, is what makes others re-issue to the new key what the old one was granted. Whatever
//! breaks off half-way leaves either the old identity or the new one in force, never none.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crosscast_wire::{Crypto, NodeId, RustCrypto, Successor, SuccessorFields, WallMillis};

use crate::keyfile::{damaged, system};
use crate::{Home, Identity, KeyFileError};

/// A key that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The key until now.
    pub old: NodeId,
    /// The key from now on.
    pub new: NodeId,
    /// Where the old key is kept.
    pub old_file: PathBuf,
    /// Where the record stands that names the new one.
    pub successor_file: PathBuf,
}

/// Replaces the identity of a home folder whose daemon is stopped; `now` is when.
///
/// # Errors
/// [`KeyFileError`].
pub fn rotate(home: &Home, now: WallMillis) -> Result<Rotated, KeyFileError> {
    let (file, crypto) = (home.identity(), RustCrypto);
    let old = Identity::load(&file)?;
    let new = Identity::generate()?;
    let record = succeed(&crypto, &old, &new, now).ok_or_else(|| damaged(&file, "no successor can be named"))?;
    let short: String = old.node_id().to_string().chars().take(12).collect();
    let old_file = home.dir().join(format!("identity-{short}.key"));
    let fresh = home.dir().join("identity.key.new");
    // What an attempt that broke off has left is no identity yet.
    let _ = fs::remove_file(&fresh);
    new.save_new(&fresh)?;
    match old.save_new(&old_file) {
        Ok(()) | Err(KeyFileError::Exists(_)) => {}
        Err(error) => return Err(error),
    }
    let successor_file = home.successor();
    replace(&successor_file, &record)?;
    fs::rename(&fresh, &file).and_then(|()| sync(home.dir())).map_err(|error| system(&file, &error))?;
    Ok(Rotated { old: old.node_id(), new: new.node_id(), old_file, successor_file })
}

/// The record that names this identity as the successor of another; `None` when there is none, or one that names another
/// identity or is not signed.
///
/// # Errors
/// [`KeyFileError`] when there is a file that is no such record.
pub fn load_successor(file: &Path, identity: &Identity) -> Result<Option<Successor>, KeyFileError> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(system(file, &error)),
    };
    let record = Successor::parse(&bytes).map_err(|_| damaged(file, "not a successor record"))?;
    // A rotation that broke off before the new key was in force.
    Ok(Some(record).filter(|record| record.fields().new == identity.node_id() && record.verify(&RustCrypto)))
}

fn succeed(crypto: &dyn Crypto, old: &Identity, new: &Identity, issued: WallMillis) -> Option<Vec<u8>> {
    let consent = Successor::consent(crypto, new.key(), &old.node_id(), issued);
    let fields = SuccessorFields { old: old.node_id(), new: new.node_id(), issued, consent };
    Successor::issue(fields, crypto, old.key()).ok().map(|record| record.bytes().to_vec())
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let fresh = path.with_extension("new");
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh);
    let written = written.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&fresh, path)).map_err(|error| system(path, &error))
}

fn sync(dir: &Path) -> std::io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn home(name: &str) -> Home {
        let dir = std::env::temp_dir().join(format!("crosscast-rotate-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let home = Home::at(dir);
        home.create().unwrap();
        home
    }

    #[test]
    fn a_rotated_key_is_named_by_the_old_one_which_is_kept() {
        let home = home("once");
        let first = Identity::generate().unwrap();
        first.save_new(&home.identity()).unwrap();
        assert_eq!(load_successor(&home.successor(), &first), Ok(None));
        let rotated = rotate(&home, WallMillis(5)).unwrap();
        let second = Identity::load(&home.identity()).unwrap();
        assert_eq!((rotated.old, rotated.new), (first.node_id(), second.node_id()));
        assert_eq!(Identity::load(&rotated.old_file).unwrap().node_id(), first.node_id());
        let record = load_successor(&home.successor(), &second).unwrap().unwrap();
        assert_eq!((record.fields().old, record.fields().new), (first.node_id(), second.node_id()));
        assert_eq!(load_successor(&home.successor(), &first), Ok(None), "it is another's");
        let again = rotate(&home, WallMillis(6)).unwrap();
        assert_eq!(again.old, second.node_id());
        assert!(rotated.old_file.exists() && again.old_file != rotated.old_file);
        fs::remove_dir_all(home.dir()).unwrap();
    }

    #[test]
    fn an_exported_key_is_imported_as_it_was() {
        let identity = Identity::generate().unwrap();
        let mut text = Vec::new();
        identity.write_to(&mut text).unwrap();
        let read = Identity::read_from(text.as_slice(), Path::new("-")).unwrap();
        assert_eq!(read.node_id(), identity.node_id());
        assert!(Identity::read_from(&text[..text.len() - 10], Path::new("-")).is_err());
    }
}
