//! The home folder: where it is and what lies where in it.
//!
//! `config.toml`, `identity.key`, `attestations/`, `store/`, `api.sock`. The folder is made for its owner only.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crosscast_wire::Network;

/// Why there is no home folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// Nothing says where it should be.
    #[error("no home folder: give --home, or set CROSSCAST_HOME, XDG_DATA_HOME or HOME")]
    Unknown,
    /// It cannot be made.
    #[error("cannot make {}: {kind}", .path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// The system's word.
        kind: io::ErrorKind,
    },
}

/// A node's home folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// The home folder at this place.
    #[must_use]
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The home folder: what was given, else `CROSSCAST_HOME`, else `crosscast` in the user's data folder
    /// (`XDG_DATA_HOME`, `~/.local/share` without).
    ///
    /// # Errors
    /// [`HomeError::Unknown`] when none of them is set.
    pub fn resolve(given: Option<PathBuf>) -> Result<Self, HomeError> {
        Self::resolve_in(given, |name| std::env::var_os(name))
    }

    fn resolve_in(given: Option<PathBuf>, env: impl Fn(&str) -> Option<OsString>) -> Result<Self, HomeError> {
        // An empty variable is an unset one (XDG Base Directory Specification); a relative XDG folder is to be ignored.
        let env = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let data = || {
            let xdg = env("XDG_DATA_HOME").filter(|path| path.is_absolute());
            xdg.or_else(|| env("HOME").map(|home| home.join(".local/share"))).map(|data| data.join("crosscast"))
        };
        given.or_else(|| env("CROSSCAST_HOME")).or_else(data).map(Self::at).ok_or(HomeError::Unknown)
    }

    /// Makes the folder, for its owner only, when it is not there.
    ///
    /// # Errors
    /// [`HomeError::Create`] with the system's reason.
    pub fn create(&self) -> Result<(), HomeError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.dir);
        made.map_err(|error| HomeError::Create { path: self.dir.clone(), kind: error.kind() })
    }

    /// The folder itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// The key file.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.dir.join("identity.key")
    }

    /// The record that names the key as another's successor, where the key was rotated.
    #[must_use]
    pub fn successor(&self) -> PathBuf {
        self.dir.join("identity.successor")
    }

    /// The attestation by this network's host node, where there is one.
    #[must_use]
    pub fn attestation(&self, network: Network) -> PathBuf {
        self.dir.join("attestations").join(network.word())
    }

    /// The store's folder.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// The socket of the local API.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join("api.sock")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn resolve(given: Option<&str>, env: &[(&str, &str)]) -> Result<PathBuf, HomeError> {
        let look = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        Home::resolve_in(given.map(PathBuf::from), look).map(|home| home.dir)
    }

    #[test]
    fn the_home_folder_is_found_in_the_order_of_how_explicit_it_is() {
        let all = [("CROSSCAST_HOME", "/c"), ("XDG_DATA_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(resolve(Some("g"), &all), Ok("g".into()));
        assert_eq!(resolve(None, &all), Ok("/c".into()));
        assert_eq!(resolve(None, &all[1..]), Ok("/x/crosscast".into()));
        assert_eq!(resolve(None, &all[2..]), Ok("/h/.local/share/crosscast".into()));
        assert_eq!(resolve(None, &[]), Err(HomeError::Unknown));
    }

    #[test]
    fn empty_and_relative_variables_count_as_unset() {
        assert_eq!(resolve(None, &[("CROSSCAST_HOME", ""), ("HOME", "/h")]), Ok("/h/.local/share/crosscast".into()));
        assert_eq!(resolve(None, &[("XDG_DATA_HOME", "x"), ("HOME", "/h")]), Ok("/h/.local/share/crosscast".into()));
        assert_eq!(resolve(None, &[("HOME", "")]), Err(HomeError::Unknown));
    }
}
