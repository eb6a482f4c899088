//! Measures the durable store: records of 1 KiB a second, by how many share a batch; then reading and opening.
//!
//! `cargo run --release -p crosscast-store --example append [folder]`
#![allow(clippy::expect_used, reason = "an example may stop where it fails")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crosscast_port::{Durability, LogEntry, LogId, LogItem, LogPos, OpId, StoreOp, StoreOutcome, Write};
use crosscast_store::{FileStore, FileStoreConfig, MemoryStore, Store};
use crosscast_wire::{Instance, MessageId, NodeId, Seq, WallMillis};

const LOG: LogId = LogId([1; 32]);
const TIME: Duration = Duration::from_secs(2);

fn append(pos: u64, durability: Durability) -> StoreOp {
    let entry = LogEntry {
        pos: LogPos(pos),
        id: MessageId::new([2; 32]),
        from: NodeId::new([3; 32]),
        instance: Instance(4),
        seq: Seq(pos),
        time: WallMillis(5),
        expires: WallMillis(6),
        arrived: WallMillis(7),
        released: Some(LogPos(pos)),
        gap: false,
        len: 1024,
        tag: 8,
    };
    let item = LogItem { entry, bytes: vec![9; 1024].into() };
    StoreOp::Commit { writes: vec![Write::Append { log: LOG, item }], durability }
}

/// Appends for a while, one commit a record, forgetting all but the last hundred thousand; prints the rate.
fn measure(name: &str, store: &mut impl Store, pos: &mut u64, batch: u64, durability: Durability) {
    let (started, first) = (Instant::now(), *pos);
    let (mut busy, mut slowest) = (Duration::ZERO, Duration::ZERO);
    while started.elapsed() < TIME {
        let mut ops: Vec<(OpId, StoreOp)> = (0..batch).map(|at| (OpId(at), append(*pos + at, durability))).collect();
        *pos += batch;
        if *pos / 1024 != (*pos - batch) / 1024 {
            let through = LogPos(pos.saturating_sub(100_000));
            let writes = vec![Write::Forget { log: LOG, through }];
            ops.push((OpId(batch), StoreOp::Commit { writes, durability }));
        }
        let before = Instant::now();
        let answers = store.apply(ops);
        let took = before.elapsed();
        assert!(answers.iter().all(|(_, outcome)| *outcome == StoreOutcome::Committed));
        busy += took;
        slowest = slowest.max(took);
    }
    let rate = (*pos - first) as f64 / busy.as_secs_f64();
    println!("{name} {durability:?} batch {batch}: {rate:.0} records/s, slowest batch {slowest:.1?}");
}

fn read_all(store: &mut impl Store) {
    let (started, mut after, mut count) = (Instant::now(), LogPos(0), 0);
    loop {
        let op = StoreOp::ReadReleased { log: LOG, after, max_bytes: 256 * 1024 };
        let answers = store.apply(vec![(OpId(1), op)]);
        let Some((_, StoreOutcome::Items { items, end })) = answers.into_iter().next() else { return };
        count += items.len();
        after = items.last().map_or(after, |item| item.entry.pos);
        if end {
            break;
        }
    }
    println!("read {count} records in order: {:.0} records/s", count as f64 / started.elapsed().as_secs_f64());
}

fn main() {
    let given = std::env::args().nth(1).map(PathBuf::from);
    let dir = given.unwrap_or_else(|| std::env::temp_dir().join(format!("crosscast-append-{}", std::process::id())));
    let mut pos = 1;
    {
        let mut store = FileStore::open(&dir, FileStoreConfig::default()).expect("a folder of its own");
        store.recover().expect("an empty folder");
        for batch in [1, 64, 1024] {
            measure("file", &mut store, &mut pos, batch, Durability::Written);
        }
        for batch in [1, 64, 1024] {
            measure("file", &mut store, &mut pos, batch, Durability::Synced);
        }
        println!("disk {} MiB for {} MiB live", store.disk_bytes() >> 20, store.live_bytes() >> 20);
        read_all(&mut store);
    }
    let started = Instant::now();
    let mut store = FileStore::open(&dir, FileStoreConfig::default()).expect("a folder of its own");
    let recovered = store.recover().expect("what was written");
    let entries: usize = recovered.logs.iter().map(|(_, entries)| entries.len()).sum();
    println!("opened with {entries} entries in {:.1?}", started.elapsed());
    drop(store);
    std::fs::remove_dir_all(&dir).expect("a folder that can go");
    measure("memory", &mut MemoryStore::default(), &mut 1, 64, Durability::Written);
}
