//! The folder and its files: names, modes, positioned reads and writes, what an operating system's error means.
//!
//! Old segments are opened when read and a few stay open; the one being written belongs to the engine.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crosscast_port::StoreError;

use super::frame::Header;

/// Old segments open at once: a few readers at different places, far below any limit on open files.
const OPEN_FILES_MAX: usize = 16;
const SUFFIX: &str = ".seg";

/// The folder of a store.
pub(crate) struct Disk {
    dir: PathBuf,
    handle: File,
    /// Least recently used first.
    pub(crate) open: VecDeque<(u32, File)>,
    /// Bytes that may still be written before the disk counts as full.
    #[cfg(test)]
    pub(crate) room: Option<u64>,
}

/// Makes the folder if need be and takes its lock, which is held as long as the file is open.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| failed(&error))?;
    std::fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(|error| failed(&error))?;
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(dir.join("lock"));
    let file = file.map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}

/// What an operating system's error means to the core.
pub(crate) fn failed(error: &io::Error) -> StoreError {
    match error.raw_os_error() {
        _ if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => StoreError::Full,
        _ => StoreError::Io(error.kind().to_string()),
    }
}

/// The name of a segment's file.
pub(crate) fn name(number: u32) -> String {
    format!("{number:010}{SUFFIX}")
}

/// Damage at an offset of a segment.
pub(crate) fn corrupt(number: u32, offset: u32, what: &str) -> StoreError {
    StoreError::Corrupt(format!("{} at offset {offset}: {what}", name(number)))
}

impl Disk {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let handle = File::open(dir)?;
        let disk = Self {
            dir: dir.to_path_buf(),
            handle,
            open: VecDeque::new(),
            #[cfg(test)]
            room: None,
        };
        Ok(disk)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.dir.join(name(number))
    }

    /// The numbers of the segments that are there, ascending.
    pub(crate) fn list(&self) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).filter(|digits| digits.len() == 10);
            numbers.extend(digits.and_then(|digits| digits.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A whole segment and its file, ready to be written on.
    pub(crate) fn load(&self, number: u32, len_max: u64) -> io::Result<(File, Option<Vec<u8>>)> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(number))?;
        let len = file.metadata()?.len();
        if len > len_max {
            return Ok((file, None));
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, 0)?;
        Ok((file, Some(bytes)))
    }

    /// Begins a segment; its header and its name are on the disk when this returns.
    pub(crate) fn create(&mut self, header: &Header) -> io::Result<File> {
        let path = self.path(header.number);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let written = match self.write(&file, &header.encode(), 0) {
            (_, None) => file.sync_all().and_then(|()| self.handle.sync_all()),
            (_, Some(error)) => Err(error),
        };
        if let Err(error) = written {
            // half a segment must not stand in the way of the next attempt
            std::fs::remove_file(&path)?;
            return Err(error);
        }
        Ok(file)
    }

    /// Removes a segment; that it is gone is on the disk when this returns.
    pub(crate) fn remove(&mut self, number: u32) -> io::Result<()> {
        self.open.retain(|(open, _)| *open != number);
        std::fs::remove_file(self.path(number))?;
        self.handle.sync_all()
    }

    /// Writes all of `bytes` at `offset`; otherwise says how many were written and why no more.
    pub(crate) fn write(&mut self, file: &File, bytes: &[u8], offset: u64) -> (usize, Option<io::Error>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let done = bytes.len().saturating_sub(rest.len());
            match self.write_some(file, rest, offset.saturating_add(done as u64)) {
                Ok(0) => return (done, Some(io::ErrorKind::WriteZero.into())),
                Ok(more) => rest = rest.get(more..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (done, Some(error)),
            }
        }
        (bytes.len(), None)
    }

    #[cfg(not(test))]
    fn write_some(&mut self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }

    #[cfg(test)]
    fn write_some(&mut self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let room = self.room.map_or(bytes.len(), |room| bytes.len().min(room as usize));
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let done = file.write_at(bytes.get(..room).unwrap_or_default(), offset)?;
        self.room = self.room.map(|room| room - done as u64);
        Ok(done)
    }

    /// Reads `len` bytes at `offset` of a segment.
    pub(crate) fn read(&mut self, number: u32, offset: u32, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.file(number)?.read_exact_at(&mut bytes, offset.into())?;
        Ok(bytes)
    }

    fn file(&mut self, number: u32) -> io::Result<&File> {
        let file = match self.open.iter().position(|(open, _)| *open == number).and_then(|at| self.open.remove(at)) {
            Some((_, file)) => file,
            None => File::open(self.path(number))?,
        };
        if self.open.len() >= OPEN_FILES_MAX {
            self.open.pop_front();
        }
        self.open.push_back((number, file));
        self.open.back().map(|(_, file)| file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
