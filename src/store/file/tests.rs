//! The exam, and what only a disk can do: crashes, damage, lack of room, other processes.
//!
//! A crash is a file cut at some byte, or a process killed at some moment; a full disk is a limit on what is written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crosscast_port::{LogId, LogPos, Write};

use super::*;
use crate::exam::{self, Chance, Examinee, Model, ask, chance_op, commit, record};

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A folder that goes away again.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        // in memory where there is such a place: what is examined is the order of things, not the disk
        let memory = PathBuf::from("/dev/shm");
        let root = if memory.is_dir() { memory } else { std::env::temp_dir() };
        Self(root.join(format!("crosscast-store-{}-{number}", std::process::id())))
    }

    fn copy(&self) -> Self {
        let copy = Self::new();
        std::fs::create_dir(&copy.0).unwrap();
        for entry in std::fs::read_dir(&self.0).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.0.join(path.file_name().unwrap())).unwrap();
        }
        copy
    }

    fn open(&self, segment_bytes: u32) -> FileStore {
        let mut store = FileStore::open(&self.0, FileStoreConfig { segment_bytes, quota_bytes: u64::MAX }).unwrap();
        store.recover().unwrap();
        store
    }

    fn recover(&self, segment_bytes: u32) -> Result<(FileStore, Recovered), StoreError> {
        let mut store = FileStore::open(&self.0, FileStoreConfig { segment_bytes, quota_bytes: u64::MAX })?;
        store.recover().map(|recovered| (store, recovered))
    }

    fn segments(&self) -> Vec<PathBuf> {
        let paths = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some()).collect();
        paths.sort();
        paths
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn engine(store: &mut FileStore) -> &mut Engine {
    store.engine.as_mut().unwrap()
}

const LOG: LogId = LogId([1; 32]);

fn append(pos: u64, len: usize) -> Write {
    Write::Append { log: LOG, item: record(pos, Some(pos), len) }
}

fn forget(through: u64) -> Write {
    Write::Forget { log: LOG, through: LogPos(through) }
}

fn synced(writes: Vec<Write>) -> StoreOp {
    StoreOp::Commit { writes, durability: Durability::Synced }
}

struct Files(Vec<Folder>, u32);

impl Examinee for Files {
    type Store = FileStore;

    fn open(&mut self, quota_bytes: u64) -> FileStore {
        self.0.push(Folder::new());
        FileStore::open(&self.0.last().unwrap().0, FileStoreConfig { segment_bytes: self.1, quota_bytes }).unwrap()
    }

    fn reopen(&mut self, store: FileStore) -> FileStore {
        let (dir, config) = (store.dir.clone(), store.config);
        drop(store);
        FileStore::open(dir, config).unwrap()
    }

    fn disk_and_segment(&self, store: &FileStore) -> Option<(u64, u64)> {
        let files = std::fs::read_dir(&store.dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        let disk = files.sum();
        assert_eq!(disk, store.disk_bytes());
        Some((disk, self.1.into()))
    }
}

#[test]
fn the_durable_store_passes_the_exam() {
    exam::sit(&mut Files(Vec::new(), 16 * 1024));
}

#[test]
fn the_durable_store_counts_what_is_live_as_the_model_does() {
    let folder = Folder::new();
    let (mut store, mut model, mut chance) = (folder.open(16 * 1024), Model::new(u64::MAX), Chance(5));
    for _ in 0..600 {
        let op = chance_op(&mut chance, &model);
        model.answer(&op);
        ask(&mut store, op);
        assert_eq!(store.live_bytes(), model.live_bytes());
        let ledger = &engine(&mut store).shelf.ledger;
        assert_eq!(ledger.live, ledger.segments.values().map(|usage| usage.live).sum::<u64>());
    }
}

#[test]
fn a_file_cut_at_any_byte_recovers_to_a_prefix_of_the_commits() {
    for seed in 0..2 {
        let folder = Folder::new();
        let (mut store, mut model, mut chance) = (folder.open(8 * 1024), Model::new(u64::MAX), Chance(seed));
        let mut states = vec![model.recovered()];
        // until enough was written since something last had to be on the disk
        while states.len() < 60 || engine(&mut store).head.len - engine(&mut store).head.synced < 3_000 {
            let StoreOp::Commit { writes, .. } = chance_op(&mut chance, &model) else { continue };
            let op = commit(writes);
            model.answer(&op);
            ask(&mut store, op);
            states.push(model.recovered());
        }
        let head = &engine(&mut store).head;
        let (synced, len) = (u64::from(head.synced), u64::from(head.len));
        drop(store);
        let last = folder.segments().pop().unwrap();
        let mut earlier = states.len() - 1;
        for cut in (synced..=len).rev() {
            let copy = folder.copy();
            let file = File::options().write(true).open(copy.0.join(last.file_name().unwrap())).unwrap();
            file.set_len(cut).unwrap();
            let (mut store, mut recovered) = copy.recover(8 * 1024).unwrap();
            let torn = std::mem::take(&mut recovered.torn_bytes);
            assert!(cut < len || torn == 0);
            earlier = (0..=earlier).rev().find(|at| states[*at] == recovered).expect("not a prefix");
            assert!(cut < len || earlier == states.len() - 1);
            if cut % 97 == 0 {
                // and life goes on from there
                let next = recovered.next_pos;
                assert_eq!(ask(&mut store, commit(vec![append(next, 50)])), StoreOutcome::Committed);
                drop(store);
                let again = copy.recover(8 * 1024).unwrap().1;
                assert_eq!((again.next_pos, again.torn_bytes), (next + 1, 0));
            }
        }
        assert!(earlier < states.len() - 1, "nothing was cut");
    }
}

#[test]
fn a_segment_that_was_only_begun_is_begun_again() {
    let folder = Folder::new();
    let mut store = folder.open(4 * 1024);
    let mut pos = 0;
    while folder.segments().len() < 3 {
        pos += 1;
        ask(&mut store, commit(vec![append(pos, 500)]));
    }
    drop(store);
    let whole = folder.recover(4 * 1024).unwrap().1;
    let next = folder.0.join(disk::name(4));
    for len in 0..=u64::from(frame::HEADER_LEN) {
        let copy = folder.copy();
        let next = copy.0.join(next.file_name().unwrap());
        std::fs::write(&next, vec![0; len as usize]).unwrap();
        let (mut store, recovered) = copy.recover(4 * 1024).unwrap();
        assert_eq!(recovered, Recovered { torn_bytes: len, ..whole.clone() });
        (1..30).for_each(|more| {
            assert_eq!(ask(&mut store, commit(vec![append(pos + more, 500)])), StoreOutcome::Committed)
        });
    }
}

/// Writes without end what a seed decides and tells after each commit how many were answered.
fn write_until_killed(dir: &str) {
    let store = FileStore::open(dir, FileStoreConfig { segment_bytes: 32 * 1024, quota_bytes: u64::MAX });
    let (mut store, mut model, mut chance) = (store.unwrap(), Model::new(u64::MAX), Chance(77));
    store.recover().unwrap();
    let mut out = std::io::stdout().lock();
    for answered in 1u64.. {
        let op = chance_op(&mut chance, &model);
        assert_eq!(std::mem::discriminant(&model.answer(&op)), std::mem::discriminant(&ask(&mut store, op)));
        writeln!(out, "answered {answered}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_killed_process_loses_nothing_that_was_answered() {
    const DIR: &str = "CROSSCAST_STORE_KILLED_DIR";
    if let Ok(dir) = std::env::var(DIR) {
        return write_until_killed(&dir);
    }
    for round in 0..6u64 {
        let folder = Folder::new();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "file::tests::a_killed_process_loses_nothing_that_was_answered"])
            .env(DIR, &folder.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.ends_with("answered 30")), "the child did not write");
        let reader =
            std::thread::spawn(move || lines.filter_map(|line| line.strip_prefix("answered ")?.parse().ok()).last());
        std::thread::sleep(Duration::from_millis(20 + round * 37));
        child.kill().unwrap();
        child.wait().unwrap();
        let answered: u64 = reader.join().unwrap().unwrap_or(30);
        let mut recovered = folder.recover(32 * 1024).unwrap().1;
        recovered.torn_bytes = 0;

        let (mut model, mut chance) = (Model::new(u64::MAX), Chance(77));
        let mut held = None;
        for done in 1..=answered + 1 {
            let op = chance_op(&mut chance, &model);
            model.answer(&op);
            if done >= answered && model.recovered() == recovered {
                held = Some(done);
            }
        }
        assert!(held.is_some(), "round {round}: {answered} were answered and the store holds something else");
    }
}

#[test]
fn a_full_disk_fails_the_commits_that_do_not_fit_and_no_others() {
    for room in (0..3_000u64).step_by(97) {
        let folder = Folder::new();
        let (mut store, mut model) = (folder.open(4 * 1024), Model::new(u64::MAX));
        let first = commit(vec![append(1, 300)]);
        model.answer(&first);
        assert_eq!(ask(&mut store, first), StoreOutcome::Committed);
        engine(&mut store).disk.room = Some(room);
        let ops: Vec<(OpId, StoreOp)> = (2..8).map(|pos| (OpId(pos), commit(vec![append(pos, 300)]))).collect();
        let answers = store.apply(ops.clone());
        let stood = answers.iter().take_while(|(_, outcome)| *outcome == StoreOutcome::Committed).count();
        assert!(stood as u64 == (room / 486).min(6), "{stood} of {room}");
        assert!(answers.iter().skip(stood).all(|(_, outcome)| *outcome == StoreOutcome::Failed(StoreError::Full)));
        ops.iter().take(stood).for_each(|(_, op)| drop(model.answer(op)));
        let read = StoreOp::Read { log: LOG, after: LogPos(0), max_bytes: u32::MAX };
        assert_eq!(ask(&mut store, read.clone()), model.answer(&read));
        // a crash now finds the same
        assert_eq!(folder.copy().recover(4 * 1024).unwrap().1, model.recovered());
        // and with room again all goes on
        engine(&mut store).disk.room = None;
        for pos in 100..140 {
            let op = synced(vec![append(pos, 300)]);
            assert_eq!(ask(&mut store, op.clone()), model.answer(&op));
        }
        drop(store);
        assert_eq!(folder.recover(4 * 1024).unwrap().1, model.recovered());
    }
}

#[test]
fn a_full_disk_stops_neither_reading_nor_what_is_already_kept() {
    let folder = Folder::new();
    let mut store = folder.open(4 * 1024);
    (1..100).for_each(|pos| drop(ask(&mut store, commit(vec![append(pos, 400)]))));
    engine(&mut store).disk.room = Some(0);
    // emptying segments needs room too, and waits
    (0..20).for_each(|_| drop(ask(&mut store, commit(vec![forget(60)]))));
    let read = StoreOp::Read { log: LOG, after: LogPos(0), max_bytes: u32::MAX };
    let StoreOutcome::Items { items, .. } = ask(&mut store, read) else { panic!("not read") };
    assert_eq!(items.len(), 99);
    engine(&mut store).disk.room = None;
    assert_eq!(ask(&mut store, commit(vec![forget(90)])), StoreOutcome::Committed);
    (0..20).for_each(|_| drop(store.apply(Vec::new())));
    assert!(store.disk_bytes() <= 2 * store.live_bytes() + 2 * 4 * 1024);
}

#[test]
fn damage_is_told_with_file_and_offset_and_nothing_is_touched() {
    let folder = Folder::new();
    let mut store = folder.open(4 * 1024);
    // the last segment ends with a frame that knows those before it to be synced
    (1..14).for_each(|pos| drop(ask(&mut store, synced(vec![append(pos, 500)]))));
    drop(store);
    let segments = folder.segments();
    assert!(segments.len() >= 2);
    for (number, path) in segments.iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        let last_frame = if number + 1 == segments.len() { 686 } else { 0 };
        for at in (0..bytes.len() - last_frame).step_by(41) {
            let copy = folder.copy();
            let path = copy.0.join(path.file_name().unwrap());
            let mut altered = bytes.clone();
            altered[at] ^= 0x40;
            std::fs::write(&path, &altered).unwrap();
            let Err(StoreError::Corrupt(told)) = copy.recover(4 * 1024).map(|_| ()) else {
                panic!("byte {at} was missed")
            };
            let frame = if at < 40 { 0 } else { 40 + (at - 40) / 686 * 686 };
            assert!(told.starts_with(&format!("{} at offset {frame}: ", disk::name(number as u32 + 1))), "{told}");
            assert_eq!(std::fs::read(&path).unwrap(), altered);
        }
    }
    std::fs::remove_file(&segments[0]).unwrap();
    std::fs::rename(&segments[1], &segments[0]).unwrap();
    assert!(matches!(folder.recover(4 * 1024), Err(StoreError::Corrupt(_))));
}

#[test]
fn a_missing_segment_is_damage() {
    let folder = Folder::new();
    let mut store = folder.open(4 * 1024);
    (1..30).for_each(|pos| drop(ask(&mut store, commit(vec![append(pos, 500)]))));
    drop(store);
    std::fs::remove_file(folder.0.join(disk::name(2))).unwrap();
    let Err(StoreError::Corrupt(told)) = folder.recover(4 * 1024).map(|_| ()) else { panic!("not missed") };
    assert!(told.starts_with(&disk::name(2)), "{told}");
}

#[test]
fn a_hole_in_what_nobody_waited_for_is_cut_off_even_when_messages_look_like_frames() {
    let folder = Folder::new();
    let mut store = folder.open(64 * 1024);
    ask(&mut store, synced(vec![append(1, 500)]));
    ask(&mut store, commit(vec![append(2, 500)]));
    // a sender that has seen the file sends its frames
    let frames = std::fs::read(folder.segments().pop().unwrap()).unwrap().split_off(40);
    let mut item = record(3, Some(3), 0);
    (item.entry.len, item.bytes) = (frames.len() as u32, frames.into());
    ask(&mut store, commit(vec![Write::Append { log: LOG, item }]));
    drop(store);
    let path = folder.segments().pop().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40 + 686 + 300] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let recovered = folder.recover(64 * 1024).unwrap().1;
    assert_eq!((recovered.next_pos, recovered.torn_bytes), (2, bytes.len() as u64 - 40 - 686));
}

#[test]
fn a_store_is_open_once_and_its_owners_alone() {
    let folder = Folder::new();
    let store = folder.open(4 * 1024);
    assert!(matches!(FileStore::open(&folder.0, FileStoreConfig::default()), Err(StoreError::Locked)));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    drop(store);
    assert!(FileStore::open(&folder.0, FileStoreConfig::default()).is_ok());
}

#[test]
fn reclaiming_never_holds_up_a_batch_for_long() {
    let folder = Folder::new();
    let mut store = folder.open(256 * 1024);
    // every second record belongs to a log that will be forgotten at once
    let item = |pos: u64| record(pos, Some(pos), 1_000);
    for pos in (1..16_000).step_by(2) {
        let kept = Write::Append { log: LogId([2; 32]), item: item(pos) };
        ask(&mut store, commit(vec![kept, Write::Append { log: LOG, item: item(pos + 1) }]));
    }
    let most = |store: &mut FileStore, writes: Vec<Write>| {
        let before = engine(store).written;
        assert_eq!(ask(store, commit(writes)), StoreOutcome::Committed);
        engine(store).written - before
    };
    let disk = store.disk_bytes();
    assert!(most(&mut store, vec![forget(u64::MAX)]) < 256 * 1024);
    // a batch that writes much pays with much, but not with more than a MiB or twice its own
    let large = (0..400).map(|at| append(19_000 + at, 1_000)).collect();
    let written = most(&mut store, large);
    assert!((1_000 * 1024..400 * 1_200 + 1_400 * 1024).contains(&written), "{written}");
    for pos in 20_000..20_400 {
        assert!(most(&mut store, vec![append(pos, 20)]) < 256 * 1024);
    }
    assert!(store.disk_bytes() < disk * 4 / 5);
    assert!(store.disk_bytes() <= 2 * store.live_bytes() + 2 * 256 * 1024);
}

#[test]
fn reclaiming_keeps_up_with_large_batches() {
    let folder = Folder::new();
    let mut store = folder.open(64 * 1024);
    let keep = LogId([2; 32]);
    for round in 0..60u64 {
        let positions = round * 600 + 1..=round * 600 + 600;
        let mut ops: Vec<(OpId, StoreOp)> = positions
            .map(|pos| {
                let log = if pos % 10 == 0 { keep } else { LOG };
                let item = record(pos, Some(pos), 1_000);
                (OpId(pos), commit(vec![Write::Append { log, item }]))
            })
            .collect();
        let old = Write::Forget { log: keep, through: LogPos((round * 600).saturating_sub(6_000)) };
        ops.push((OpId(0), commit(vec![forget(round * 600), old])));
        assert!(store.apply(ops).iter().all(|(_, outcome)| *outcome == StoreOutcome::Committed));
        let (disk, live) = (store.disk_bytes(), store.live_bytes());
        assert!(disk <= 2 * live + 2 * 64 * 1024, "round {round}: {disk} bytes on disk for {live}");
    }
}

#[test]
fn a_reader_just_behind_needs_no_disk() {
    let folder = Folder::new();
    let mut store = folder.open(64 * 1024);
    for pos in 1..=1_000 {
        ask(&mut store, commit(vec![append(pos, 1_000)]));
        let read = StoreOp::ReadReleased { log: LOG, after: LogPos(pos.saturating_sub(100)), max_bytes: u32::MAX };
        let StoreOutcome::Items { items, end } = ask(&mut store, read) else { panic!("not read") };
        assert!(end && items.len() as u64 == pos.min(100));
    }
    assert!(engine(&mut store).disk.open.is_empty());
}

#[test]
fn a_commit_too_large_is_refused_whole() {
    let folder = Folder::new();
    let mut store = folder.open(64 * 1024);
    let writes = (1..=70).map(|pos| append(pos, 1_000_000)).collect();
    assert!(matches!(ask(&mut store, commit(writes)), StoreOutcome::Failed(StoreError::Io(_))));
    let writes = (1..=60).map(|pos| append(pos, 1_000_000)).collect();
    assert_eq!(ask(&mut store, commit(writes)), StoreOutcome::Committed);
    drop(store);
    assert_eq!(folder.recover(64 * 1024).unwrap().1.logs[0].1.len(), 60);
}
