//! Groups across nodes: publishing, subscribing, tracking, unicast.

use crosscast::{Entry, Error, Item, Policy, PublishOptions, Refusal, Since, Source, State};
use crosscast_memory::Hub;

use crate::support::{neighbours, node, numbered, soon, texts};

const WINDOW: u32 = 1 << 20;

#[tokio::test]
async fn what_one_publishes_all_three_read_in_order_and_once() {
    let hub = Hub::new();
    let (a, b, c) = (node(&hub, 1, &[]).await, node(&hub, 2, &[1]).await, node(&hub, 3, &[2]).await);
    let (group, ticket) = a.create_group("lines", Policy::Open, false).await.unwrap();
    assert_eq!(b.join(&ticket, None).await.unwrap(), (group, "lines".to_owned()));
    assert_eq!(c.join(&ticket, Some("elsewhere")).await.unwrap(), (group, "elsewhere".to_owned()));
    let mut readers = Vec::new();
    for node in [&a, &b, &c] {
        readers.push(node.subscribe(Source::Group(group), Since::Now, WINDOW).await.unwrap());
    }
    neighbours(&a, 1).await;
    neighbours(&b, 2).await;
    for text in numbered(0..100) {
        soon(a.publish(group, text)).await.unwrap();
    }
    for text in numbered(100..150) {
        soon(c.publish(group, text)).await.unwrap();
    }
    for reader in &mut readers {
        let mut got = texts(reader, 150).await;
        // Two senders: each in its own order.
        got.sort_by_key(|text| text["line ".len()..].parse::<usize>().unwrap() >= 100);
        assert_eq!(got, numbered(0..150));
        assert!(reader.try_next().is_none());
    }
}

#[tokio::test]
async fn a_publisher_fills_messages_and_loses_nothing() {
    let hub = Hub::new();
    let (a, b) = (node(&hub, 1, &[]).await, node(&hub, 2, &[1]).await);
    let (group, ticket) = a.create_group("fast", Policy::Open, false).await.unwrap();
    b.join(&ticket, None).await.unwrap();
    let mut reader = b.subscribe(Source::Group(group), Since::Now, WINDOW).await.unwrap();
    neighbours(&a, 1).await;
    let publishing = tokio::spawn({
        let mut publisher = a.publisher(group, PublishOptions::default());
        async move {
            for text in numbered(0..20_000) {
                publisher.push(Entry::new(text.into())).await.unwrap();
            }
            publisher.flush().await.unwrap()
        }
    });
    assert_eq!(texts(&mut reader, 20_000).await, numbered(0..20_000));
    let tally = soon(publishing).await.unwrap();
    assert_eq!((tally.entries, tally.refused), (20_000, 0));
    assert!(tally.messages < 2_000, "{} messages: entries do not gather", tally.messages);
}

#[tokio::test]
async fn a_tracked_message_is_told_to_be_sent_when_a_neighbour_has_it() {
    let hub = Hub::new();
    let (a, b) = (node(&hub, 1, &[]).await, node(&hub, 2, &[1]).await);
    let (group, ticket) = a.create_group("tracked", Policy::Open, false).await.unwrap();
    b.join(&ticket, None).await.unwrap();
    neighbours(&a, 1).await;
    let mut outcomes = a.outcomes();
    let entries = vec![Entry::new("hello".into())];
    let mut tracked = soon(a.publish_tracked(group, entries, PublishOptions::default())).await.unwrap();
    let outcome = soon(tracked.outcome()).await.unwrap();
    assert_eq!((outcome.id, outcome.state, outcome.links), (tracked.published().id, State::Sent, 1));
    assert_eq!(soon(outcomes.next()).await.unwrap(), outcome);
}

#[tokio::test]
async fn a_keyholders_group_takes_publications_of_its_maker_only() {
    let hub = Hub::new();
    let (a, b) = (node(&hub, 1, &[]).await, node(&hub, 2, &[1]).await);
    let (group, ticket) = a.create_group("mine", Policy::Keyholder, false).await.unwrap();
    b.join(&ticket, None).await.unwrap();
    assert_eq!(b.publish(group, "no").await, Err(Error::Refused(Refusal::NotAllowed)));
    let mut reader = b.subscribe(Source::Group(group), Since::Now, WINDOW).await.unwrap();
    neighbours(&a, 1).await;
    soon(a.publish(group, "yes")).await.unwrap();
    assert_eq!(texts(&mut reader, 1).await, ["yes"]);
}

#[tokio::test]
async fn what_is_sent_to_one_node_is_in_its_inbox_until_it_is_acknowledged() {
    let hub = Hub::new();
    let (a, b) = (node(&hub, 1, &[]).await, node(&hub, 2, &[1]).await);
    let pong = soon(async {
        loop {
            match b.ping(a.node_id()).await {
                Ok(pong) => return pong,
                Err(Error::Refused(Refusal::NotLinked)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
    assert!(pong.rtt.as_secs() < 5);
    assert_eq!(b.peers().await.unwrap()[0].node, a.node_id());
    let id = soon(b.send(a.node_id(), "for you", None)).await.unwrap();
    let mut inbox = a.inbox(WINDOW).await.unwrap();
    let Some(Item::Delivery(delivery)) = soon(inbox.next()).await else { panic!("nothing came") };
    assert_eq!((delivery.id, delivery.from, delivery.source), (id, b.node_id(), Source::Inbox));
    // Unacknowledged, it is there for the next reader too.
    assert_eq!(texts(&mut a.inbox(WINDOW).await.unwrap(), 1).await, ["for you"]);
    a.acknowledge_inbox(delivery.cursor).await.unwrap();
    let mut later = a.inbox(WINDOW).await.unwrap();
    soon(b.send(a.node_id(), "more", None)).await.unwrap();
    assert_eq!(texts(&mut later, 1).await, ["more"]);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_by_its_reason() {
    let hub = Hub::new();
    let a = node(&hub, 1, &[]).await;
    let (group, ticket) = a.create_group("one", Policy::Open, true).await.unwrap();
    assert_eq!(a.create_group("one", Policy::Open, true).await, Err(Error::Refused(Refusal::NameTaken)));
    assert!(matches!(a.join("not a ticket", None).await, Err(Error::Ticket(_))));
    assert_eq!(a.publish(group, vec![0; 64 * 1024 + 1]).await, Err(Error::Refused(Refusal::TooLarge)));
    let none = a.publish_entries(group, Vec::new(), PublishOptions::default()).await;
    assert_eq!(none, Err(Error::Refused(Refusal::Empty)));
    assert!(a.attach("nowhere").await.unwrap_err().to_string().starts_with("`nowhere` is not a locator"));
    assert_eq!(a.attach("tls://host:1").await, Err(Error::NoTransport(crosscast::Scheme::Tls)));
    let other = crosscast::GroupId::new([3; 32]);
    assert_eq!(a.publish(other, "x").await, Err(Error::Refused(Refusal::UnknownGroup)));
    assert_eq!(a.leave(other).await, Err(Error::Refused(Refusal::UnknownGroup)));
    let missing = a.subscribe(Source::Group(other), Since::Now, WINDOW).await;
    assert_eq!(missing.err(), Some(Error::Refused(Refusal::UnknownGroup)));
    assert!(a.invite(group, Vec::new()).await.unwrap().starts_with("cct1."));
    assert!(ticket.starts_with("cct1."));
}
