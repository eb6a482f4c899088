//! What a node can set for its links over cjdns, each default with its reason; and where the admin password comes from.

use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::{env, fmt};

use bytes::Bytes;
use crosscast_stream::overlay::DEFAULT_PORT;
use crosscast_wire::NodeId;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::PasswordError;

/// Longest admin password in bytes. cjdns puts password and cookie into a buffer of 63 characters; a cookie has 10.
pub const PASSWORD_MAX: usize = 53;

/// Where cjdns's own configuration puts its admin port.
pub const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 11234);

/// The file in a user's home folder where cjdns's tools look for the admin port and its password.
pub const ADMIN_FILE: &str = ".cjdnsadmin";

/// Longest password file, in bytes: far more than a password or the file of cjdns's tools needs.
const FILE_MAX: u64 = 4096;

/// Everything the transport is made from.
#[derive(Clone, Debug)]
pub struct CjdnsConfig {
    /// The NodeId that is introduced; the hello above the link proves it.
    pub node: NodeId,
    /// Where the host node's admin port is.
    pub admin: SocketAddr,
    /// Its password. Attaching needs none; signing does, and discovery beyond direct peers finds more with it.
    pub password: Option<Password>,
    /// The port on the host node's own address to listen on; 0 picks a free one.
    pub port: u16,
    /// Whether nodes that are not direct peers are looked for too. Off: they are other people's machines.
    pub discover: bool,
    /// This node's attestation, when there is one.
    pub attestation: Option<Bytes>,
}

impl CjdnsConfig {
    /// The defaults for a node.
    #[must_use]
    pub const fn new(node: NodeId) -> Self {
        Self { node, admin: DEFAULT_ADMIN, password: None, port: DEFAULT_PORT, discover: false, attestation: None }
    }
}

/// An admin password; wiped from memory when dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password.
    ///
    /// # Errors
    /// [`PasswordError::TooLong`] above [`PASSWORD_MAX`] bytes, [`PasswordError::Zero`] with a zero byte in it.
    pub fn new(password: String) -> Result<Self, PasswordError> {
        let password = Zeroizing::new(password);
        if password.len() > PASSWORD_MAX {
            return Err(PasswordError::TooLong);
        }
        if password.contains('\0') {
            return Err(PasswordError::Zero);
        }
        Ok(Self(password))
    }

    /// Reads a file that holds the password and nothing else but an end of line.
    ///
    /// # Errors
    /// [`PasswordError::File`] when it cannot be read, and as [`Self::new`].
    pub fn read(file: &Path) -> Result<Self, PasswordError> {
        let text = read(file)?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Self::new(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }

    /// What cjdns writes into a new configuration, and takes for the wish to have none.
    pub(crate) fn of_generated_configuration() -> Self {
        Self(Zeroizing::new("NONE".to_owned()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What the file of cjdns's tools says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminFile {
    /// Where the admin port is, when the file says both address and port.
    pub admin: Option<SocketAddr>,
    /// The password, when the file says one.
    pub password: Option<Password>,
}

impl AdminFile {
    /// Reads the file of the user in whose name this process runs; `None` when there is none.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of_user() -> Result<Option<Self>, PasswordError> {
        let Some(home) = env::var_os("HOME") else { return Ok(None) };
        let file = Path::new(&home).join(ADMIN_FILE);
        if file.exists() { Self::read(&file).map(Some) } else { Ok(None) }
    }

    /// Reads a file of this form.
    ///
    /// # Errors
    /// [`PasswordError::File`] when it cannot be read or is not of this form, and as [`Password::new`].
    pub fn read(file: &Path) -> Result<Self, PasswordError> {
        #[derive(Deserialize)]
        struct Fields {
            addr: Option<IpAddr>,
            port: Option<u16>,
            password: Option<String>,
        }
        let text = read(file)?;
        // The reader's own words may quote the file, and so the password.
        let fields: Fields = serde_json::from_str(&text)
            .map_err(|error| PasswordError::File(format!("not as expected in line {}", error.line())))?;
        let password = fields.password.map(Password::new).transpose()?;
        Ok(Self { admin: fields.addr.zip(fields.port).map(SocketAddr::from), password })
    }
}

fn read(file: &Path) -> Result<Zeroizing<String>, PasswordError> {
    let unusable = |problem: &str| PasswordError::File(problem.to_owned());
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(FILE_MAX).unwrap_or_default()));
    let opened = File::open(file).map_err(|error| unusable(&error.kind().to_string()))?;
    opened.take(FILE_MAX).read_to_string(&mut text).map_err(|error| unusable(&error.kind().to_string()))?;
    if text.len() as u64 == FILE_MAX { Err(unusable("it is too long")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A file of this test process; removed when dropped.
    struct Written(PathBuf);

    impl Written {
        fn new(name: &str, text: &str) -> Self {
            let path = env::temp_dir().join(format!("crosscast-cjdns-{}-{name}", std::process::id()));
            fs::write(&path, text).unwrap();
            Self(path)
        }
    }

    impl Drop for Written {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let mut config = CjdnsConfig::new(NodeId::new([1; 32]));
        config.password = Some(Password::new("hunter2".to_owned()).unwrap());
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_that_cjdns_would_cut_off_is_refused() {
        assert!(Password::new("p".repeat(PASSWORD_MAX)).is_ok());
        assert_eq!(Password::new("p".repeat(PASSWORD_MAX + 1)), Err(PasswordError::TooLong));
        assert_eq!(Password::new("p\0q".to_owned()), Err(PasswordError::Zero));
    }

    #[test]
    fn a_password_file_ends_with_its_line() {
        for (name, text) in [("unix", "secret\n"), ("dos", "secret\r\n"), ("bare", "secret")] {
            let file = Written::new(name, text);
            assert_eq!(Password::read(&file.0).unwrap().as_bytes(), b"secret");
        }
        let long = Written::new("long", &"x".repeat(5000));
        assert_eq!(Password::read(&long.0), Err(PasswordError::File("it is too long".to_owned())));
        assert!(matches!(Password::read(Path::new("/nowhere/at/all")), Err(PasswordError::File(_))));
    }

    #[test]
    fn the_file_of_cjdns_s_tools_is_read() {
        let text = r#"{ "addr": "127.0.0.1", "port": 11234, "password": "secret", "config": "/etc/cjdroute.conf" }"#;
        let file = AdminFile::read(&Written::new("tools", text).0).unwrap();
        assert_eq!(file.admin, Some(DEFAULT_ADMIN));
        assert_eq!(file.password.unwrap().as_bytes(), b"secret");
        let bare = AdminFile::read(&Written::new("empty", "{}").0).unwrap();
        assert_eq!(bare, AdminFile { admin: None, password: None });
    }

    #[test]
    fn a_file_that_is_not_as_expected_is_not_quoted() {
        let file = Written::new("broken", "{ \"password\": secret }");
        let error = AdminFile::read(&file.0).unwrap_err();
        assert_eq!(error, PasswordError::File("not as expected in line 1".to_owned()));
        let number = Written::new("number", "{\"port\": \"secret\"}");
        assert!(!AdminFile::read(&number.0).unwrap_err().to_string().contains("secret"));
    }
}
