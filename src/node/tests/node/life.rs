//! Starting, stopping, restarting.

use crosscast::{
    Error, Item, ListenError, Node, Policy, Scheme, SecretKey, Since, Source, StartError, Transport, TransportError,
};
use crosscast_memory::{Hub, Memory};
use crosscast_transport::{BoxFuture, Port};

use crate::support::{Folder, builder, neighbours, node, numbered, soon, texts};

const WINDOW: u32 = 1 << 20;

fn home() -> Folder {
    let folder = Folder::new();
    crosscast::Identity::new(SecretKey::new([7; 32])).save_new(&folder.path().join("identity.key")).unwrap();
    folder
}

async fn at_home(folder: &Folder, hub: &Hub) -> Node {
    let memory = Box::new(Memory::new(hub.clone()));
    let builder = Node::builder().home(folder.path()).transport(memory).listen("memory:home").attach("memory:n1");
    soon(builder.start()).await.unwrap()
}

#[tokio::test]
async fn a_restarted_node_has_its_groups_and_catches_up_on_what_it_missed() {
    let (hub, folder) = (Hub::new(), home());
    let a = node(&hub, 1, &[]).await;
    let (group, ticket) = a.create_group("lasting", Policy::Open, false).await.unwrap();

    let b = at_home(&folder, &hub).await;
    b.join(&ticket, None).await.unwrap();
    let mut reader = b.subscribe(Source::Group(group), Since::Oldest, WINDOW).await.unwrap();
    neighbours(&a, 1).await;
    for text in numbered(0..20) {
        soon(a.publish(group, text)).await.unwrap();
    }
    assert_eq!(texts(&mut reader, 20).await, numbered(0..20));
    let first_run = b.instance();
    soon(b.shutdown()).await;
    assert!(reader.next().await.is_none());
    drop((reader, b));

    for text in numbered(20..40) {
        soon(a.publish(group, text)).await.unwrap();
    }
    let b = at_home(&folder, &hub).await;
    assert_ne!(b.instance(), first_run);
    assert_eq!(b.groups().await.unwrap()[0].name, "lasting");
    let mut reader = b.subscribe(Source::Group(group), Since::Oldest, WINDOW).await.unwrap();
    assert_eq!(texts(&mut reader, 40).await, numbered(0..40));
}

#[tokio::test]
async fn a_reader_goes_on_after_the_cursor_it_kept() {
    let (hub, folder) = (Hub::new(), home());
    let a = at_home(&folder, &hub).await;
    let (group, _) = a.create_group("own", Policy::Open, false).await.unwrap();
    for text in numbered(0..10) {
        soon(a.publish(group, text)).await.unwrap();
    }
    let mut reader = a.subscribe(Source::Group(group), Since::Oldest, WINDOW).await.unwrap();
    let mut cursor = None;
    let mut seen = 0;
    while seen < 4 {
        let Some(Item::Delivery(delivery)) = soon(reader.next()).await else { panic!("after {seen}") };
        seen += delivery.entries.len();
        cursor = Some(delivery.cursor);
    }
    soon(a.shutdown()).await;
    drop((reader, a));
    let a = at_home(&folder, &hub).await;
    let mut reader = a.subscribe(Source::Group(group), Since::After(cursor.unwrap()), WINDOW).await.unwrap();
    assert_eq!(texts(&mut reader, 10 - seen).await, numbered(seen..10));
}

#[tokio::test]
async fn a_store_in_use_is_not_shared() {
    let (hub, folder) = (Hub::new(), home());
    let _a = at_home(&folder, &hub).await;
    let other = Hub::new();
    let again = Node::builder().home(folder.path()).transport(Box::new(Memory::new(other)));
    let error = soon(again.start()).await.unwrap_err();
    assert_eq!(error, StartError::Store(crosscast::StoreError::Locked));
    assert_eq!(error.to_string(), "the store is in use by another process");
}

#[tokio::test]
async fn a_start_that_lacks_something_says_what() {
    let hub = Hub::new();
    assert_eq!(soon(Node::builder().start()).await.unwrap_err(), StartError::NoIdentity);
    let text = soon(builder(&hub, 1).listen("here").start()).await.unwrap_err().to_string();
    assert!(text.starts_with("`here` is not a locator: expected tls://"), "{text}");
    let error = soon(builder(&hub, 1).attach("tls://host:1").start()).await.unwrap_err();
    assert!(matches!(error, StartError::NoTransport { scheme: Scheme::Tls, .. }));
    let twice = builder(&hub, 1).transport(Box::new(Memory::new(hub.clone())));
    assert_eq!(soon(twice.start()).await.unwrap_err(), StartError::TwoTransports(Scheme::Memory));
    let _taken = node(&hub, 1, &[]).await;
    let error = soon(builder(&hub, 2).listen("memory:n1").start()).await.unwrap_err();
    assert!(matches!(&error, StartError::Listen { reason: ListenError::AddressInUse, .. }), "{error}");
    assert_eq!(error.to_string(), "cannot listen on memory:n1: another program has the address");
}

/// A transport that cannot work.
struct Broken;

impl Transport for Broken {
    fn scheme(&self) -> Scheme {
        Scheme::Ygg
    }

    fn run(self: Box<Self>, _: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        Box::pin(async { Err(TransportError::Config("no daemon".to_owned())) })
    }
}

#[tokio::test]
async fn a_transport_that_cannot_work_is_named_with_its_reason() {
    let hub = Hub::new();
    let broken = || builder(&hub, 1).transport(Box::new(Broken));
    let error = soon(broken().listen("ygg://[200::1]:1").start()).await.unwrap_err();
    let words = "the transport for ygg locators cannot work: configuration cannot be used: no daemon";
    assert_eq!(error.to_string(), words);
    // Not listened on, it does not keep the others from working.
    let a = soon(broken().listen("memory:n1").start()).await.unwrap();
    let reason = TransportError::Config("no daemon".to_owned());
    soon(async {
        while a.failed_transports() != [(Scheme::Ygg, reason.clone())] {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(soon(a.listen("ygg://[200::1]:1")).await.unwrap_err().to_string(), words);
    assert_eq!(soon(a.status()).await.unwrap().listen.len(), 1);
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn everything_can_be_moved_between_threads() {
    let hub = Hub::new();
    let a = soon(is_send(builder(&hub, 1).start())).await.unwrap();
    let (group, _) = is_send(a.create_group("g", Policy::Open, false)).await.unwrap();
    let mut reader = is_send(is_send(a.subscribe(Source::Group(group), Since::Now, WINDOW)).await.unwrap());
    is_send(a.publisher(group, crosscast::PublishOptions::default()));
    soon(is_send(a.publish(group, "x"))).await.unwrap();
    assert!(soon(is_send(reader.next())).await.is_some());
    soon(is_send(a.shutdown())).await;
}

#[tokio::test]
async fn a_stopped_node_answers_everyone_that_it_has_stopped() {
    let hub = Hub::new();
    let a = node(&hub, 1, &[]).await;
    let (group, _) = a.create_group("g", Policy::Open, false).await.unwrap();
    let mut reader = a.subscribe(Source::Group(group), Since::Now, WINDOW).await.unwrap();
    let mut notices = a.notices();
    let waiting = tokio::spawn(async move { reader.next().await.is_none() });
    soon(a.shutdown()).await;
    assert!(soon(waiting).await.unwrap());
    while soon(notices.next()).await.is_some() {}
    assert_eq!(a.status().await.unwrap_err(), Error::Stopped);
    assert_eq!(a.publish(group, "x").await, Err(Error::Stopped));
    // Stopping twice is no harm.
    soon(a.shutdown()).await;
    // Its place is free again.
    let _again = node(&hub, 1, &[]).await;
}

#[tokio::test]
async fn a_node_that_nobody_holds_stops_and_frees_its_place() {
    let hub = Hub::new();
    let a = node(&hub, 1, &[]).await;
    let mut notices = a.notices();
    drop(a);
    while soon(notices.next()).await.is_some() {}
    let b = soon(async {
        loop {
            match builder(&hub, 2).listen("memory:n1").start().await {
                Ok(node) => return node,
                Err(StartError::Listen { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
    assert_eq!(b.status().await.unwrap().listen.len(), 1);
}

#[tokio::test]
async fn peers_hear_at_once_that_a_node_has_left() {
    let hub = Hub::new();
    let (a, b) = (node(&hub, 1, &[]).await, node(&hub, 2, &[1]).await);
    soon(async {
        while a.peers().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut notices = a.notices();
    soon(b.shutdown()).await;
    loop {
        if let Some(crosscast::Notice::PeerDown { node, code, .. }) = soon(notices.next()).await {
            assert_eq!((node, code), (b.node_id(), "going-down"));
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_on_a_runtime_of_several_threads_too() {
    let hub = Hub::new();
    let (a, b) = (node(&hub, 1, &[]).await, node(&hub, 2, &[1]).await);
    let (group, ticket) = a.create_group("threads", Policy::Open, true).await.unwrap();
    b.join(&ticket, None).await.unwrap();
    let mut reader = b.subscribe(Source::Group(group), Since::Now, WINDOW).await.unwrap();
    neighbours(&a, 1).await;
    for text in numbered(0..500) {
        soon(a.publish(group, text)).await.unwrap();
    }
    assert_eq!(texts(&mut reader, 500).await, numbered(0..500));
}
