//! The exam that every store sits: a simple model beside it, random operations, reopening, a full store, churn.
//!
//! The model keeps everything in plain vectors and counts from scratch, so that it shares neither code nor cleverness
//! with what it examines. Everything is decided by a seed that a failure prints. Crashes are examined where the bytes
//! are, beside the durable store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "failing is a panic"
)]

mod chance;
mod model;

pub use chance::{Chance, chance_op, record};
pub use model::Model;

use bytes::Bytes;
use crosscast_port::{Durability, LogId, LogPos, OpId, Recovered, Space, StoreError, StoreOp, StoreOutcome, Write};

use crate::{ENTRY_COST, Store};

/// A kind of store that sits the exam.
pub trait Examinee {
    /// What it opens.
    type Store: Store;

    /// A new and empty store.
    fn open(&mut self, quota_bytes: u64) -> Self::Store;

    /// The same store after its process ended in peace.
    fn reopen(&mut self, store: Self::Store) -> Self::Store;

    /// Bytes on disk and bytes in a segment, of a store that has such.
    fn disk_and_segment(&self, store: &Self::Store) -> Option<(u64, u64)>;
}

/// Sits every part of the exam.
pub fn sit(examinee: &mut impl Examinee) {
    let refused: u32 = (0..24).map(|seed| agrees_with_the_model(examinee, seed, 150)).sum();
    assert!(refused > 100, "the quota was reached {refused} times only");
    a_full_store_takes_what_frees_and_then_records_again(examinee);
    trimming_ahead_frees_only_what_is_there(examinee);
    positions_never_return(examinee);
    reading_stops_at_the_limit_and_goes_on_there(examinee);
    churn_does_not_fill_the_disk(examinee);
}

/// A commit that need only be written.
#[must_use]
pub fn commit(writes: Vec<Write>) -> StoreOp {
    StoreOp::Commit { writes, durability: Durability::Written }
}

/// Does one operation.
pub fn ask(store: &mut impl Store, op: StoreOp) -> StoreOutcome {
    let mut answers = store.apply(vec![(OpId(9), op)]);
    assert_eq!(answers.len(), 1);
    let (id, outcome) = answers.remove(0);
    assert_eq!(id, OpId(9));
    outcome
}

fn same(outcome: &StoreOutcome, expected: &StoreOutcome) -> bool {
    match (outcome, expected) {
        (StoreOutcome::Failed(StoreError::Io(_)), StoreOutcome::Failed(StoreError::Io(_))) => true,
        (outcome, expected) => outcome == expected,
    }
}

/// Random operations in batches, with reopening in between; returns how many commits met a full store.
pub fn agrees_with_the_model(examinee: &mut impl Examinee, seed: u64, batches: u32) -> u32 {
    let mut chance = Chance(seed);
    let quota = [20_000, 60_000, u64::MAX][chance.below(3) as usize];
    let mut model = Model::new(quota);
    let mut store = examinee.open(quota);
    let mut refused = 0;
    assert_eq!(store.recover(), Ok(model.recovered()), "seed {seed}");
    for batch in 0..batches {
        let mut ops = Vec::new();
        let mut expected = Vec::new();
        for number in 0..chance.below(6) {
            let op = chance_op(&mut chance, &model);
            expected.push((OpId(number), model.answer(&op)));
            ops.push((OpId(number), op));
        }
        let answers = store.apply(ops.clone());
        assert_eq!(answers.len(), expected.len(), "seed {seed} batch {batch}");
        for ((answer, wanted), op) in answers.iter().zip(&expected).zip(&ops) {
            let equal = answer.0 == wanted.0 && same(&answer.1, &wanted.1);
            assert!(equal, "seed {seed} batch {batch}: {op:?} was answered {answer:?}, not {wanted:?}");
            refused += u32::from(answer.1 == StoreOutcome::Failed(StoreError::Full));
        }
        if chance.below(12) == 0 {
            store = examinee.reopen(store);
            assert_eq!(store.recover(), Ok(model.recovered()), "seed {seed} batch {batch}");
        }
    }
    // left alone, the store tidies up
    (0..100).for_each(|_| assert!(store.apply(Vec::new()).is_empty()));
    if let Some((disk, segment)) = examinee.disk_and_segment(&store) {
        let live = model.live_bytes();
        assert!(disk <= 2 * live + 2 * segment, "seed {seed}: {disk} bytes on disk for {live}");
    }
    let mut store = examinee.reopen(store);
    assert_eq!(store.recover(), Ok(model.recovered()), "seed {seed} at the end");
    refused
}

/// Refusing is not the end: what frees is always taken, and pairs have a reserve.
pub fn a_full_store_takes_what_frees_and_then_records_again(examinee: &mut impl Examinee) {
    let mut store = examinee.open(10_000);
    store.recover().unwrap();
    let log = LogId([1; 32]);
    let append = |pos| commit(vec![Write::Append { log, item: record(pos, Some(pos), 1_000) }]);
    let taken = (1..=20).take_while(|pos| ask(&mut store, append(*pos)) == StoreOutcome::Committed).count() as u64;
    assert_eq!(taken, 10_000 / (ENTRY_COST + 1_000));
    assert_eq!(ask(&mut store, append(taken + 1)), StoreOutcome::Failed(StoreError::Full));
    let put = Write::Put { space: Space::Cursor, key: b"reader"[..].into(), value: vec![7; 900].into() };
    assert_eq!(ask(&mut store, commit(vec![put])), StoreOutcome::Committed);
    assert_eq!(ask(&mut store, append(taken + 1)), StoreOutcome::Failed(StoreError::Full));
    assert_eq!(ask(&mut store, commit(vec![Write::Trim { log, through: LogPos(2) }])), StoreOutcome::Committed);
    assert_eq!(ask(&mut store, append(taken + 1)), StoreOutcome::Committed);
    // a log of fixed size: what goes makes room for what comes with it
    for pos in 100..200 {
        let item = record(pos, Some(pos), 1_000);
        let writes = vec![Write::Append { log, item }, Write::Forget { log, through: LogPos(pos - 5) }];
        assert_eq!(ask(&mut store, commit(writes)), StoreOutcome::Committed);
    }
}

/// What comes after a trim stays, though the trim named a later position, until it is trimmed itself.
pub fn trimming_ahead_frees_only_what_is_there(examinee: &mut impl Examinee) {
    let mut store = examinee.open(u64::MAX);
    store.recover().unwrap();
    let mut model = Model::new(u64::MAX);
    let log = LogId([1; 32]);
    let append = |pos| Write::Append { log, item: record(pos, Some(pos), 100) };
    let trim = |through| Write::Trim { log, through: LogPos(through) };
    for write in
        [append(1), trim(100), append(50), append(55), trim(52), append(60), trim(40), trim(u64::MAX), append(70)]
    {
        let op = commit(vec![write]);
        assert_eq!(ask(&mut store, op.clone()), model.answer(&op));
        store = examinee.reopen(store);
        assert_eq!(store.recover(), Ok(model.recovered()));
        let read = StoreOp::Read { log, after: LogPos(0), max_bytes: u32::MAX };
        assert_eq!(ask(&mut store, read.clone()), model.answer(&read));
    }
}

/// A position is given once, also when everything under it was forgotten and the store reopened.
pub fn positions_never_return(examinee: &mut impl Examinee) {
    let mut store = examinee.open(u64::MAX);
    store.recover().unwrap();
    let log = LogId([1; 32]);
    for round in 0..200 {
        let pos = round * 10 + 1;
        let item = record(pos, None, 400);
        let release = Write::Release { log, pos: LogPos(pos), released: LogPos(pos + 5), gap: false };
        let writes = vec![Write::Append { log, item }, release, Write::Forget { log, through: LogPos(pos) }];
        assert_eq!(ask(&mut store, commit(writes)), StoreOutcome::Committed);
        if round % 50 == 0 {
            store = examinee.reopen(store);
            assert_eq!(store.recover().unwrap(), Recovered { next_pos: pos + 6, ..Recovered::default() });
        }
    }
    // then for long nothing that has a position, so that whatever named one is gone
    for round in 0..400u64 {
        let put = Write::Put { space: Space::Meta, key: Bytes::new(), value: vec![round as u8; 300].into() };
        assert_eq!(ask(&mut store, commit(vec![put])), StoreOutcome::Committed);
    }
    let mut store = examinee.reopen(store);
    assert_eq!(store.recover().unwrap().next_pos, 1_997);
    let late = commit(vec![Write::Append { log, item: record(1_996, None, 1) }]);
    assert!(matches!(ask(&mut store, late), StoreOutcome::Failed(StoreError::Io(_))));
}

/// Pages of a log join without a gap or an overlap, in either order.
pub fn reading_stops_at_the_limit_and_goes_on_there(examinee: &mut impl Examinee) {
    let mut store = examinee.open(u64::MAX);
    store.recover().unwrap();
    let log = LogId([1; 32]);
    // odd positions are held back and released later, in reverse
    let mut writes: Vec<Write> =
        (1..=100u64).map(|pos| Write::Append { log, item: record(pos, (pos % 2 == 0).then_some(pos), 100) }).collect();
    writes.extend((0..50u64).map(|at| Write::Release {
        log,
        pos: LogPos(99 - 2 * at),
        released: LogPos(101 + at),
        gap: false,
    }));
    assert_eq!(ask(&mut store, commit(writes)), StoreOutcome::Committed);
    let in_place: Vec<u64> = (1..=100).collect();
    let by_release: Vec<u64> = (1..=50).map(|at| at * 2).chain((0..50).map(|at| 99 - 2 * at)).collect();
    for (released, expected) in [(false, in_place), (true, by_release)] {
        let (mut seen, mut after, mut ended) = (Vec::new(), LogPos(0), false);
        while !ended {
            let op = if released {
                StoreOp::ReadReleased { log, after, max_bytes: 350 }
            } else {
                StoreOp::Read { log, after, max_bytes: 350 }
            };
            let StoreOutcome::Items { items, end } = ask(&mut store, op) else { panic!("not read") };
            assert!(items.len() == 3 || end);
            assert!(items.iter().all(|item| item.bytes == record(item.entry.pos.0, None, 100).bytes));
            seen.extend(items.iter().map(|item| item.entry.pos.0));
            let last = &items.last().unwrap().entry;
            after = if released { last.released.unwrap() } else { last.pos };
            ended = end;
        }
        assert_eq!(seen, expected);
    }
}

/// Records come and go for long, beside some that stay and pairs that change: the disk follows what is wanted.
pub fn churn_does_not_fill_the_disk(examinee: &mut impl Examinee) {
    let mut store = examinee.open(u64::MAX);
    store.recover().unwrap();
    let mut model = Model::new(u64::MAX);
    let mut chance = Chance(7);
    for round in 0..3_000u64 {
        let log = LogId([(round % 4) as u8; 32]);
        let pos = model.next_pos;
        let len = 100 + chance.below(900) as usize;
        let mut writes = vec![Write::Append { log, item: record(pos, Some(pos), len) }];
        // three logs are short, the fourth keeps its entries long after their bytes
        writes.push(Write::Trim { log, through: LogPos(pos.saturating_sub(80)) });
        let keep = if round % 4 == 3 { 1_500 } else { 120 };
        writes.push(Write::Forget { log, through: LogPos(pos.saturating_sub(keep)) });
        let key = vec![chance.below(40) as u8].into();
        writes.push(Write::Put { space: Space::Window, key, value: vec![round as u8; 60].into() });
        let op = commit(writes);
        assert_eq!(model.answer(&op), StoreOutcome::Committed);
        assert_eq!(ask(&mut store, op), StoreOutcome::Committed);
        if let Some((disk, segment)) = examinee.disk_and_segment(&store) {
            let live = model.live_bytes();
            assert!(disk <= 2 * live + 2 * segment, "round {round}: {disk} bytes on disk for {live}");
        }
    }
    let mut store = examinee.reopen(store);
    assert_eq!(store.recover(), Ok(model.recovered()));
}
