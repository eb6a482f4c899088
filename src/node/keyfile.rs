//! The identity and its file: one secret, readable by its owner only.
//!
//! The file has comment lines and one line `cck1` ‖ hexadecimal of the 32-byte seed and of 4 checksum bytes (BLAKE3
//! derive-key "crosscast key file v1" of the seed). The X25519 prekey that others seal to comes from the seed too
//! (derive-key "crosscast prekey v1"), so there is one thing to keep. Nothing here is ever logged or shown.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crosscast_wire::{NodeId, SecretKey};
use zeroize::{Zeroize as _, Zeroizing};

/// What the line with the key starts with.
const PREFIX: &str = "cck1";
const CHECKSUM_CONTEXT: &str = "crosscast key file v1";
const PREKEY_CONTEXT: &str = "crosscast prekey v1";
const CHECKSUM_LEN: usize = 4;
/// Largest key file that is read. 4 KiB: a line and room for the owner's comments.
const FILE_MAX: u64 = 4 * 1024;

/// Why a key file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is none.
    #[error("there is no key file {}; `crosscast init` makes one", .0.display())]
    Missing(PathBuf),
    /// One exists, and is not overwritten.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// Others than its owner have access.
    #[error("{} has mode {mode:04o}: others than its owner can use it; run `chmod 600 {}`", .path.display(), .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not a key file, or is damaged.
    #[error("{}: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The system does not let it be read or written.
    #[error("{}: {kind}", .path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// The system's word.
        kind: io::ErrorKind,
    },
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    Random,
}

/// Who a node is.
#[derive(Clone, Debug)]
pub struct Identity {
    key: SecretKey,
}

impl Identity {
    /// The identity with this key.
    #[must_use]
    pub const fn new(key: SecretKey) -> Self {
        Self { key }
    }

    /// A new identity, drawn from the operating system.
    ///
    /// # Errors
    /// [`KeyFileError::Random`].
    pub fn generate() -> Result<Self, KeyFileError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|_| KeyFileError::Random)?;
        Ok(Self::new(SecretKey::new(*seed)))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyFileError`]; a file that others than its owner have any access to is refused.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let system = |error: io::Error| system(path, &error);
        let file = File::open(path).map_err(system)?;
        let metadata = file.metadata().map_err(system)?;
        if !metadata.is_file() {
            return Err(damaged(path, "not a regular file"));
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
        }
        // Room for all of it at once, so that growing leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(FILE_MAX as usize + 1));
        read(file, &mut text, path)
    }

    /// Reads what a key file holds from elsewhere, such as standard input; `name` stands for it in errors.
    ///
    /// # Errors
    /// [`KeyFileError::Damaged`], or the system's reason.
    pub fn read_from(source: impl io::Read, name: &Path) -> Result<Self, KeyFileError> {
        let mut text = Zeroizing::new(String::with_capacity(FILE_MAX as usize + 1));
        read(source, &mut text, name)
    }

    /// Writes what a key file holds elsewhere. Whoever reads it has the key.
    ///
    /// # Errors
    /// The writer's own.
    pub fn write_to(&self, writer: &mut impl io::Write) -> io::Result<()> {
        let text = Zeroizing::new(self.to_text());
        writer.write_all(text.as_bytes()).and_then(|()| writer.flush())
    }

    /// Writes a new key file with mode 0600; never overwrites.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`], or the system's reason.
    pub fn save_new(&self, path: &Path) -> Result<(), KeyFileError> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                KeyFileError::Exists(path.to_owned())
            } else {
                system(path, &error)
            }
        })?;
        let mut text = self.to_text();
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        text.zeroize();
        written.map_err(|error| system(path, &error))
    }

    /// The secret key.
    #[must_use]
    pub const fn key(&self) -> &SecretKey {
        &self.key
    }

    /// The secret key, taken out.
    #[must_use]
    pub fn into_key(self) -> SecretKey {
        self.key
    }

    /// The public key.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId::new(self.key.public())
    }

    /// The X25519 secret that others seal to this node with.
    #[must_use]
    pub fn prekey(&self) -> [u8; 32] {
        blake3::derive_key(PREKEY_CONTEXT, self.key.expose())
    }

    fn to_text(&self) -> String {
        let seed = self.key.expose();
        // Room for all of it at once, so that growing leaves no copy behind.
        let mut text = String::with_capacity(512);
        text.push_str(
            "# The secret key of a crosscast node. Whoever has it is this node: keep it, show it to nobody.\n",
        );
        let _ = writeln!(text, "# Its NodeId is {}", self.node_id());
        text.push_str(PREFIX);
        for byte in seed.iter().chain(&checksum(seed)) {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
        text
    }
}

fn read(source: impl io::Read, text: &mut Zeroizing<String>, path: &Path) -> Result<Identity, KeyFileError> {
    match source.take(FILE_MAX.saturating_add(1)).read_to_string(text) {
        Ok(len) if len as u64 > FILE_MAX => Err(damaged(path, "longer than a key file can be")),
        Ok(_) => parse(text).map_err(|what| damaged(path, what)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(damaged(path, "not text")),
        Err(error) => Err(system(path, &error)),
    }
}

fn checksum(seed: &[u8; 32]) -> [u8; CHECKSUM_LEN] {
    let [a, b, c, d, ..] = blake3::derive_key(CHECKSUM_CONTEXT, seed);
    [a, b, c, d]
}

fn parse(text: &str) -> Result<Identity, &'static str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().ok_or("there is no key in it")?;
    if lines.next().is_some() {
        return Err("there is more than one key in it");
    }
    let digits = line.strip_prefix(PREFIX).ok_or("the line with the key must start with cck1")?;
    let mut bytes = Zeroizing::new([0u8; 32 + CHECKSUM_LEN]);
    if digits.len() != bytes.len().saturating_mul(2) {
        return Err("the key has the wrong length: is the line complete?");
    }
    for (slot, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit.saturating_sub(b'0'),
                b'a'..=b'f' => digit.saturating_sub(b'a').saturating_add(10),
                _ => return Err("a key is written in 0 to 9 and a to f"),
            };
            *slot = (*slot << 4) | value;
        }
    }
    let Some((seed, sum)) = bytes.split_first_chunk::<32>() else { return Err("the key has the wrong length") };
    if *sum != checksum(seed) {
        return Err("the key's checksum does not hold: is a character wrong?");
    }
    Ok(Identity::new(SecretKey::new(*seed)))
}

pub(crate) fn damaged(path: &Path, what: &'static str) -> KeyFileError {
    KeyFileError::Damaged { path: path.to_owned(), what }
}

pub(crate) fn system(path: &Path, error: &io::Error) -> KeyFileError {
    let path = path.to_owned();
    if error.kind() == io::ErrorKind::NotFound {
        KeyFileError::Missing(path)
    } else {
        KeyFileError::System { path, kind: error.kind() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn an_identity_survives_its_text_and_no_typing_error_does() {
        let identity = Identity::new(SecretKey::new([0xa5; 32]));
        let text = identity.to_text();
        assert_eq!(parse(&text).unwrap().key.expose(), identity.key.expose());
        let start = text.find(PREFIX).unwrap();
        for at in start..text.trim_end().len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
            assert!(parse(&String::from_utf8(wrong).unwrap()).is_err());
        }
    }

    #[test]
    fn a_file_without_one_key_line_is_refused_by_reason() {
        let line = "cck1".to_owned() + &"0".repeat(72);
        assert_eq!(parse("# nothing\n\n").unwrap_err(), "there is no key in it");
        assert_eq!(parse(&format!("{line}\n{line}")).unwrap_err(), "there is more than one key in it");
        assert_eq!(parse("hello").unwrap_err(), "the line with the key must start with cck1");
        assert!(parse("cck100").unwrap_err().contains("wrong length"));
        assert!(parse(&line).unwrap_err().contains("checksum"));
        assert!(parse(&line.replace('0', "g")).unwrap_err().contains("0 to 9"));
    }

    #[test]
    fn the_secret_is_shown_nowhere() {
        let identity = Identity::new(SecretKey::new([0xa5; 32]));
        assert!(!format!("{identity:?}").contains("a5"));
        assert!(!format!("{identity:?}").contains("165"));
        assert_ne!(&identity.prekey(), identity.key.expose());
    }
}
