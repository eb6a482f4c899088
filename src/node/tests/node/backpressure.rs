//! Slow readers and eager writers: who waits, and that nothing grows or gets lost meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crosscast::{Entry, Item, Policy, PublishOptions, Since, Sizes, Source};
use crosscast_memory::Hub;

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
async fn a_publisher_holds_a_bounded_amount_when_nothing_moves() {
    // Without a peer messages go to the log at once; with one that takes nothing they wait for it.
    let hub = Hub::new();
    let a = node(&hub, 1, &[]).await;
    let (group, _) = a.create_group("stuck", Policy::Open, false).await.unwrap();
    a.shutdown().await;
    let mut publisher = a.publisher(group, PublishOptions::default());
    let pushing = async {
        loop {
            if publisher.push(Entry::new(vec![0; 1024].into())).await.is_err() {
                return;
            }
        }
    };
    // A stopped node refuses instead of gathering for ever.
    tokio::time::timeout(Duration::from_secs(5), pushing).await.expect("a stopped node took entries for ever");
}
