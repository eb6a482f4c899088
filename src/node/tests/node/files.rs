//! Key files and configuration files on a real disk.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crosscast::{Home, Identity, KeyFileError, Settings, SettingsError};

use crate::support::Folder;

#[test]
fn a_new_key_file_is_for_its_owner_only_and_is_read_back() {
    let folder = Folder::new();
    let path = folder.path().join("identity.key");
    let identity = Identity::generate().unwrap();
    identity.save_new(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let read = Identity::load(&path).unwrap();
    assert_eq!((read.node_id(), read.prekey()), (identity.node_id(), identity.prekey()));
    assert!(fs::read_to_string(&path).unwrap().contains(&identity.node_id().to_string()));
}

#[test]
fn a_key_file_is_never_overwritten() {
    let folder = Folder::new();
    let path = folder.path().join("identity.key");
    let first = Identity::generate().unwrap();
    first.save_new(&path).unwrap();
    let again = Identity::generate().unwrap().save_new(&path);
    assert_eq!(again, Err(KeyFileError::Exists(path.clone())));
    assert_eq!(Identity::load(&path).unwrap().node_id(), first.node_id());
}

#[test]
fn a_key_file_that_others_can_touch_is_refused_with_the_remedy() {
    let folder = Folder::new();
    let path = folder.path().join("identity.key");
    Identity::generate().unwrap().save_new(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Identity::load(&path).unwrap_err();
        assert_eq!(error, KeyFileError::Exposed { path: path.clone(), mode });
        let text = error.to_string();
        assert!(text.contains(&format!("{mode:04o}")) && text.contains("chmod 600") && text.contains("identity.key"));
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(Identity::load(&path).is_ok());
    }
}

#[test]
fn what_is_not_a_key_file_is_refused_by_reason() {
    let folder = Folder::new();
    let path = folder.path().join("identity.key");
    assert_eq!(Identity::load(&path).unwrap_err(), KeyFileError::Missing(path.clone()));
    let write = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Identity::load(&path).unwrap_err().to_string()
    };
    assert!(write(b"hello\n").contains("must start with cck1"));
    assert!(write(&[0xff; 10]).contains("not text"));
    assert!(write(&[b'#'; 5000]).contains("longer than a key file can be"));
    let directory = fs::create_dir(folder.path().join("d")).map(|()| folder.path().join("d")).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(Identity::load(&directory).unwrap_err().to_string().contains("not a regular file"));
}

#[test]
fn a_home_folder_is_made_for_its_owner_only() {
    let folder = Folder::new();
    let home = Home::at(folder.path().join("a/b"));
    home.create().unwrap();
    home.create().unwrap();
    assert_eq!(fs::metadata(home.dir()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(home.socket(), home.dir().join("api.sock"));
}

#[test]
fn a_configuration_is_read_from_its_file_and_errors_name_it() {
    let folder = Folder::new();
    let path = folder.path().join("config.toml");
    let missing = Settings::load(&path).unwrap_err();
    assert_eq!(missing, SettingsError::Read { path: path.clone(), kind: std::io::ErrorKind::NotFound });
    fs::write(&path, Settings::default().to_template()).unwrap();
    assert_eq!(Settings::load(&path).unwrap(), Settings::default());
    fs::write(&path, "name = 'n'\nlisten = 'tls://[::]:1'\n").unwrap();
    let text = Settings::load(&path).unwrap_err().to_string();
    assert!(text.starts_with(&format!("{}:2: invalid type: string", path.display())), "{text}");
}
