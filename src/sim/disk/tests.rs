//! The store model against the port's words.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use crosscast_port::{LogEntry, LogId, LogItem, LogPos, Space};
use crosscast_wire::{Instance, MessageId, NodeId, Seq, WallMillis};

use super::*;

const LOG: LogId = LogId([1; 32]);

fn record(pos: u64, released: Option<u64>, bytes: &'static str) -> Write {
    let entry = LogEntry {
        pos: LogPos(pos),
        id: MessageId::new([pos as u8; 32]),
        from: NodeId::new([2; 32]),
        instance: Instance(1),
        seq: Seq(pos),
        time: WallMillis(1),
        expires: WallMillis(2),
        arrived: WallMillis(1),
        released: released.map(LogPos),
        gap: false,
        len: bytes.len() as u32,
        tag: 0,
    };
    Write::Append { log: LOG, item: LogItem { entry, bytes: Bytes::from_static(bytes.as_bytes()) } }
}

fn disk(seed: u64) -> Disk {
    Disk::new(Prng::new(seed))
}

fn commit(disk: &mut Disk, now: Micros, writes: Vec<Write>, durability: Durability) -> StoreOutcome {
    disk.perform(now, StoreOp::Commit { writes, durability }).0
}

fn written(disk: &mut Disk, now: Micros, writes: Vec<Write>) -> StoreOutcome {
    commit(disk, now, writes, Durability::Written)
}

fn positions(outcome: StoreOutcome) -> (Vec<u64>, bool) {
    match outcome {
        StoreOutcome::Items { items, end } => (items.iter().map(|item| item.entry.pos.0).collect(), end),
        StoreOutcome::Committed | StoreOutcome::Failed(_) => panic!("not items"),
    }
}

fn read(disk: &mut Disk, after: u64, max_bytes: u32) -> (Vec<u64>, bool) {
    positions(disk.perform(0, StoreOp::Read { log: LOG, after: LogPos(after), max_bytes }).0)
}

fn read_released(disk: &mut Disk, after: u64, max_bytes: u32) -> (Vec<u64>, bool) {
    positions(disk.perform(0, StoreOp::ReadReleased { log: LOG, after: LogPos(after), max_bytes }).0)
}

#[test]
fn records_are_read_by_position_and_by_release() {
    let mut disk = disk(1);
    let release = Write::Release { log: LOG, pos: LogPos(1), released: LogPos(4), gap: true };
    assert_eq!(
        written(&mut disk, 0, vec![record(1, None, "a"), record(2, Some(2), "b"), record(3, None, "c"), release]),
        StoreOutcome::Committed
    );
    assert_eq!(read(&mut disk, 0, 100), (vec![1, 2, 3], true));
    assert_eq!(read_released(&mut disk, 0, 100), (vec![2, 1], true));
    assert_eq!(read_released(&mut disk, 2, 100), (vec![1], true));
    let entries = disk.recover().logs[0].1.clone();
    assert_eq!((entries[0].released, entries[0].gap, entries[2].released), (Some(LogPos(4)), true, None));
}

#[test]
fn a_read_stops_at_its_bytes_but_reads_at_least_one() {
    let mut disk = disk(1);
    written(&mut disk, 0, vec![record(1, Some(1), "aaaa"), record(2, Some(2), "bbbb"), record(3, Some(3), "cc")]);
    assert_eq!(read(&mut disk, 0, 1), (vec![1], false));
    assert_eq!(read(&mut disk, 0, 8), (vec![1, 2], false));
    assert_eq!(read(&mut disk, 1, 6), (vec![2, 3], true));
}

#[test]
fn trimming_frees_the_bytes_and_forgetting_drops_the_records() {
    let mut disk = disk(1);
    written(&mut disk, 0, vec![record(1, Some(1), "a"), record(2, None, "b"), record(3, Some(3), "c")]);
    written(&mut disk, 0, vec![Write::Trim { log: LOG, through: LogPos(2) }]);
    assert_eq!((read(&mut disk, 0, 100), disk.message_bytes()), ((vec![3], true), 1));
    let entries = disk.recover().logs[0].1.clone();
    assert_eq!(entries.iter().map(|entry| entry.len).collect::<Vec<_>>(), [0, 0, 1]);
    written(&mut disk, 0, vec![Write::Forget { log: LOG, through: LogPos(3) }]);
    let recovered = disk.recover();
    assert!(recovered.logs.is_empty());
    assert_eq!(recovered.next_pos, 4, "positions stay taken");
}

#[test]
fn pairs_are_put_replaced_and_deleted() {
    let mut disk = disk(1);
    let put = |value: &'static [u8]| Write::Put {
        space: Space::Meta,
        key: Bytes::from_static(b"k"),
        value: Bytes::from_static(value),
    };
    written(&mut disk, 0, vec![put(b"1"), put(b"2")]);
    assert_eq!(disk.recover().pairs, [(Space::Meta, Bytes::from_static(b"k"), Bytes::from_static(b"2"))]);
    written(&mut disk, 0, vec![Write::Delete { space: Space::Meta, key: Bytes::from_static(b"k") }]);
    assert!(disk.recover().pairs.is_empty());
}

#[test]
fn a_commit_that_breaks_a_rule_is_refused_whole() {
    let mut disk = disk(1);
    written(&mut disk, 0, vec![record(5, Some(5), "a")]);
    let bad = vec![record(6, Some(6), "b"), record(6, Some(6), "c")];
    let (outcome, rule) = disk.perform(0, StoreOp::Commit { writes: bad, durability: Durability::Written });
    assert!(matches!(outcome, StoreOutcome::Failed(StoreError::Io(_))));
    assert_eq!(rule, Some("a position is not above the last"));
    assert_eq!(read(&mut disk, 0, 100), (vec![5], true));
}

#[test]
fn a_killed_process_keeps_every_commit_that_was_done() {
    let mut disk = disk(1);
    for pos in 1..=10 {
        written(&mut disk, 0, vec![record(pos, Some(pos), "x")]);
    }
    disk.kill(1);
    assert_eq!(disk.recover().next_pos, 11);
}

#[test]
fn a_power_loss_leaves_a_prefix_that_has_everything_synced() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let mut disk = disk(seed);
        for pos in 1..=10 {
            let durability = if pos == 4 { Durability::Synced } else { Durability::Written };
            commit(&mut disk, 0, vec![record(pos, Some(pos), "x")], durability);
        }
        let lost = disk.lose_power(1);
        let (kept, end) = read(&mut disk, 0, 1_000);
        assert_eq!((kept.clone(), end), ((1..=kept.len() as u64).collect(), true), "a prefix");
        assert_eq!(kept.len() + lost, 10);
        assert_eq!(disk.recover().next_pos, kept.len() as u64 + 1);
        lengths.insert(kept.len());
    }
    assert_eq!(lengths, (4..=10).collect());
}

#[test]
fn the_operating_system_syncs_by_itself_after_a_while() {
    for seed in 0..50 {
        let mut disk = disk(seed);
        written(&mut disk, 0, vec![record(1, Some(1), "x")]);
        assert_eq!(disk.lose_power(FLUSH_US.1), 0);
        assert_eq!(read(&mut disk, 0, 10), (vec![1], true));
    }
}

#[test]
fn commits_of_a_power_loss_are_all_or_nothing() {
    for seed in 0..100 {
        let mut disk = disk(seed);
        for pos in [1, 3, 5] {
            written(&mut disk, 0, vec![record(pos, Some(pos), "x"), record(pos + 1, Some(pos + 1), "y")]);
        }
        disk.lose_power(1);
        assert_eq!(read(&mut disk, 0, 100).0.len() % 2, 0);
    }
}

#[test]
fn a_full_disk_refuses_what_grows_and_lets_go_of_what_shrinks() {
    let mut disk = disk(1);
    written(&mut disk, 0, vec![record(1, Some(1), "x")]);
    disk.set_mode(DiskMode::Full);
    assert_eq!(written(&mut disk, 0, vec![record(2, Some(2), "y")]), StoreOutcome::Failed(StoreError::Full));
    let trim = Write::Trim { log: LOG, through: LogPos(1) };
    assert_eq!(written(&mut disk, 0, vec![trim]), StoreOutcome::Committed);
    disk.set_mode(DiskMode::Failing);
    assert!(matches!(written(&mut disk, 0, vec![]), StoreOutcome::Failed(StoreError::Io(_))));
    disk.set_mode(DiskMode::Good);
    assert_eq!(written(&mut disk, 0, vec![record(2, Some(2), "y")]), StoreOutcome::Committed);
}

#[test]
fn operations_are_done_one_after_the_other_and_a_sync_takes_longer() {
    let mut disk = disk(1);
    let op = |durability| StoreOp::Commit { writes: vec![], durability };
    let first = disk.submit(100, &op(Durability::Written));
    let second = disk.submit(100, &op(Durability::Synced));
    let third = disk.submit(100, &op(Durability::Written));
    assert!(first > 100 && second >= first + SYNCED_US.0 && third > second);
    disk.set_slowness(1_000);
    assert!(disk.submit(100, &op(Durability::Written)) >= third + 1_000 * WRITTEN_US.0);
}
