//! Slow readers and eager writers: who waits, and that nothing grows or gets lost meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crosscast::{Entry, Error, Item, MemoryStore, Policy, PublishOptions, Since, Sizes, Source, Store, StoreError};
use crosscast_memory::Hub;
use crosscast_port::{OpId, Recovered, StoreOp, StoreOutcome};

use crate::support::{builder, neighbours, node, numbered, soon, texts};

#[tokio::test]
async fn a_reader_that_does_not_read_is_not_given_more_than_its_window_and_then_reads_everything() {
    const COUNT: usize = 400;
    let hub = Hub::new();
    let (a, b) = (node(&hub, 1, &[]).await, node(&hub, 2, &[1]).await);
    let (group, ticket) = a.create_group("slow", Policy::Open, false).await.unwrap();
    b.join(&ticket, None).await.unwrap();
    let mut slow = b.subscribe(Source::Group(group), Since::Now, 64 * 1024).await.unwrap();
    let mut quick = b.subscribe(Source::Group(group), Since::Now, 64 * 1024).await.unwrap();
    neighbours(&a, 1).await;
    let publishing = tokio::spawn(async move {
        for n in 0..COUNT {
            let mut payload = vec![0; 16 * 1024];
            payload[..8].copy_from_slice(&n.to_le_bytes());
            a.publish(group, payload).await.unwrap();
        }
        a
    });
    // The quick one gets everything, though the slow one stands still: 6 MiB pass by a window of 64 KiB.
    let mut seen = 0;
    while seen < COUNT {
        let Some(Item::Delivery(delivery)) = soon(quick.next()).await else { panic!("after {seen}") };
        seen += delivery.entries.len();
    }
    let _a = soon(publishing).await.unwrap();
    let mut waiting = 0;
    let mut expected = 0usize;
    let mut check = |item: Item| {
        let Item::Delivery(delivery) = item else { panic!("a gap after {expected}") };
        for entry in &delivery.entries {
            assert_eq!(entry.payload[..8], expected.to_le_bytes());
            expected += 1;
        }
        delivery.entries.len()
    };
    // What waits for the slow one without the node's help is a window and at most one message more.
    while let Some(item) = slow.try_next() {
        waiting += check(item) * 16 * 1024;
    }
    assert!(waiting <= 64 * 1024 + 256 * 1024, "{waiting} bytes were waiting");
    let mut rest = waiting / (16 * 1024);
    while rest < COUNT {
        rest += check(soon(slow.next()).await.unwrap());
    }
}

#[tokio::test]
async fn callers_wait_while_the_node_is_busy_and_are_served_in_order() {
    let hub = Hub::new();
    let sizes = Sizes { gather_bytes: 8 * 1024, ..Sizes::default() };
    let a = soon(builder(&hub, 1).sizes(sizes).listen("memory:n1").start()).await.unwrap();
    let b = node(&hub, 2, &[1]).await;
    let (group, ticket) = a.create_group("busy", Policy::Open, false).await.unwrap();
    b.join(&ticket, None).await.unwrap();
    let mut reader = b.subscribe(Source::Group(group), Since::Now, 1 << 20).await.unwrap();
    neighbours(&a, 1).await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let mut submitted = Vec::new();
    for n in 0..600usize {
        let mut payload = format!("line {n}").into_bytes();
        payload.resize(1024, b' ');
        let entries = vec![Entry::new(payload.into())];
        let answer = soon(a.submit(group, entries, PublishOptions::default())).await.unwrap();
        let accepted = Arc::clone(&accepted);
        submitted.push(tokio::spawn(async move {
            let published = answer.await.unwrap();
            (accepted.fetch_add(1, Ordering::Relaxed), published)
        }));
    }
    let got: Vec<String> = texts(&mut reader, 600).await.iter().map(|text| text.trim_end().to_owned()).collect();
    assert_eq!(got, numbered(0..600));
    let mut last = None;
    for answer in submitted {
        let (_, published) = soon(answer).await.unwrap();
        if let Some((id, index)) = last {
            assert!(id != published.id || index < published.index, "out of order within a message");
        }
        last = Some((published.id, published.index));
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 600);
}

#[tokio::test]
async fn a_publisher_holds_a_bounded_amount_while_nothing_moves_and_loses_none_of_it() {
    let (store, gate) = GatedStore::new();
    let hub = Hub::new();
    let a = soon(builder(&hub, 1).store(Box::new(store)).start()).await.unwrap();
    let (group, _) = a.create_group("stuck", Policy::Open, false).await.unwrap();
    let mut reader = a.subscribe(Source::Group(group), Since::Now, 1 << 20).await.unwrap();
    gate.shut();
    let mut publisher = a.publisher(group, PublishOptions::default());
    let mut pushed = 0usize;
    loop {
        let mut payload = format!("line {pushed}").into_bytes();
        payload.resize(1024, b' ');
        let push = publisher.push(Entry::new(payload.into()));
        if tokio::time::timeout(Duration::from_millis(300), push).await.is_err() {
            break;
        }
        pushed += 1;
    }
    // The publisher's own 2 MiB, a full gathering queue, and the messages that wait for the disk.
    assert!((1_000..8_000).contains(&pushed), "{pushed} KiB were taken");
    // A caller who waits behind it does not keep others from asking.
    let waiting = soon(a.submit(group, vec![Entry::new("last".into())], PublishOptions::default())).await.unwrap();
    assert_eq!(soon(a.status()).await.unwrap().groups, 1);
    gate.open();
    let tally = soon(publisher.flush()).await.unwrap();
    assert_eq!(tally.entries as usize, pushed);
    soon(waiting).await.unwrap();
    let got: Vec<String> = texts(&mut reader, pushed + 1).await.iter().map(|text| text.trim_end().to_owned()).collect();
    let (last, lines): (Vec<String>, Vec<String>) = got.into_iter().partition(|text| text == "last");
    assert_eq!((last.len(), lines), (1, numbered(0..pushed)));
}

#[tokio::test]
async fn a_stopped_node_refuses_a_publishers_entries() {
    let hub = Hub::new();
    let a = node(&hub, 1, &[]).await;
    let (group, _) = a.create_group("over", Policy::Open, false).await.unwrap();
    let mut publisher = a.publisher(group, PublishOptions::default());
    soon(publisher.push(Entry::new("in time".into()))).await.unwrap();
    soon(publisher.flush()).await.unwrap();
    soon(a.shutdown()).await;
    assert_eq!(soon(publisher.push(Entry::new("late".into()))).await, Err(Error::Stopped));
}

/// A store whose disk can be made to hang.
struct GatedStore {
    inner: MemoryStore,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn shut(&self) {
        *self.shut.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.shut.lock().unwrap() = false;
        self.opened.notify_all();
    }
}

impl GatedStore {
    fn new() -> (Self, Arc<Gate>) {
        let gate = Arc::new(Gate::default());
        (Self { inner: MemoryStore::default(), gate: Arc::clone(&gate) }, gate)
    }
}

impl Store for GatedStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.inner.recover()
    }

    fn apply(&mut self, ops: Vec<(OpId, StoreOp)>) -> Vec<(OpId, StoreOutcome)> {
        let shut = self.gate.shut.lock().unwrap();
        drop(self.gate.opened.wait_while(shut, |shut| *shut).unwrap());
        self.inner.apply(ops)
    }
}
