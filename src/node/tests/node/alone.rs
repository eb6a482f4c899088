//! Entries that come alone are published by their publisher's own hands, and nothing is stuck between those and the task's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crosscast::{Entry, Item, Policy, PublishOptions, Since, Source};
use crosscast_memory::Hub;

use crate::support::{neighbours, node, soon, texts};

/// Longer than the time after which an entry comes alone, without giving the runtime a turn.
fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

#[tokio::test]
async fn a_lone_entry_is_with_its_readers_before_any_task_runs() {
    let hub = Hub::new();
    let a = node(&hub, 1, &[]).await;
    let (group, _) = a.create_group("calm", Policy::Open, false).await.unwrap();
    let mut reader = a.subscribe(Source::Group(group), Since::Now, 1 << 20).await.unwrap();
    let mut publisher = a.publisher(group, PublishOptions::default());
    for text in ["first", "second"] {
        soon(publisher.push(Entry::new(text.into()))).await.unwrap();
        pause();
    }
    assert_eq!(texts(&mut reader, 2).await, ["first", "second"]);
    pause();
    let mut cx = Context::from_waker(Waker::noop());
    for text in ["third", "fourth"] {
        assert_eq!(pin!(publisher.push(Entry::new(text.into()))).poll(&mut cx), Poll::Ready(Ok(())));
        let Poll::Ready(Some(Item::Delivery(got))) = pin!(reader.next()).poll(&mut cx) else {
            panic!("{text} waits for a task")
        };
        assert_eq!(got.entries.iter().map(|entry| entry.payload.to_vec()).collect::<Vec<_>>(), [text.as_bytes()]);
        pause();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_at_any_pace_from_several_threads_all_arrive() {
    const EACH: usize = 400;
    let hub = Hub::new();
    let a = node(&hub, 1, &[]).await;
    let b = node(&hub, 2, &[1]).await;
    let (group, ticket) = a.create_group("paces", Policy::Open, false).await.unwrap();
    b.join(&ticket, None).await.unwrap();
    neighbours(&a, 1).await;
    let mut reader = b.subscribe(Source::Group(group), Since::Now, 1 << 20).await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    let threads = (0..4u64).map(|who| {
        let (mut publisher, runtime) = (a.publisher(group, PublishOptions::default()), runtime.clone());
        std::thread::spawn(move || {
            for number in 0..EACH as u64 {
                // From bursts to calm and back, in a step of its own for each thread.
                std::thread::sleep(Duration::from_micros((number * (37 + 20 * who)) % 700));
                let entry = Entry::new(format!("{who} {number}").into());
                runtime.block_on(soon(publisher.push(entry))).unwrap();
            }
            runtime.block_on(soon(publisher.flush())).unwrap();
        })
    });
    let threads: Vec<_> = threads.collect();
    let got = texts(&mut reader, 4 * EACH).await;
    for who in 0..4 {
        let of: Vec<&String> = got.iter().filter(|text| text.starts_with(&format!("{who} "))).collect();
        assert_eq!(
            of,
            (0..EACH).map(|number| format!("{who} {number}")).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
