//! The host node as the transport needs it: who it is, whether its address is here, how it stands, whom it knows.
//!
//! A look needs no password: it asks the node who it is, sees whether the address that follows from its key is on this
//! machine, and asks for its peers. Where nobody answers, an interface that looks like cjdns's is taken for it; then
//! links work, and who checks us has to believe the address alone.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crosscast_stream::overlay::{Host, HostKey, Neighbour, Ownership, Sighting};
use crosscast_transport::BoxFuture;
use crosscast_wire::{Network, Scheme};
use tokio::time::Instant;
use tracing::debug;

use crate::address::{NodeAddr, Path, address_of, is_address};
use crate::admin::{Admin, NodeInfo};
use crate::config::{CjdnsConfig, Password};
use crate::discovery::Discovery;
use crate::error::CjdnsError;
use crate::interface;
use crate::look::{Trouble, attached, established, not_here, trouble_with_peers, without_admin};

/// Direct peers that are told of. 64: a node with more is a public one, and few of its peers run one of ours.
const PEERS_MAX: usize = 64;

/// Sessions that are asked about at a time: 16, each of which costs two exchanges.
const SESSIONS_MAX: usize = 16;

/// A running cjdns node.
#[derive(Debug)]
pub struct CjdnsHost {
    admin: SocketAddr,
    password: Option<Password>,
    discovery: Option<Mutex<Discovery>>,
    /// Whether its address was ever seen on this machine: then it is awaited when it is gone.
    was_here: AtomicBool,
}

impl CjdnsHost {
    /// The host node of a configuration.
    #[must_use]
    pub fn new(config: &CjdnsConfig) -> Self {
        let discovery = config.discover.then(|| Mutex::new(Discovery::new(Instant::now())));
        Self { admin: config.admin, password: config.password.clone(), discovery, was_here: AtomicBool::new(false) }
    }

    async fn open(&self) -> Result<Admin, CjdnsError> {
        Admin::open(self.admin, self.password.clone()).await
    }

    async fn look_now(&self) -> Sighting {
        match self.ask_who_it_is().await {
            Ok((mut admin, node)) => match interface::find(node.address) {
                Some(place) => {
                    self.was_here.store(true, Ordering::Relaxed);
                    attached(&node, &place, trouble(&mut admin).await)
                }
                None => not_here(&node, interface::is_local(self.admin.ip()), self.was_here()),
            },
            Err(error) => without_admin(&error, interface::scan().as_ref(), self.was_here()),
        }
    }

    fn was_here(&self) -> bool {
        self.was_here.load(Ordering::Relaxed)
    }

    async fn ask_who_it_is(&self) -> Result<(Admin, NodeInfo), CjdnsError> {
        let mut admin = self.open().await?;
        let node = admin.node_info().await?;
        Ok((admin, node))
    }

    async fn neighbours_now(&self) -> Result<Vec<Neighbour>, CjdnsError> {
        let (mut admin, node) = self.ask_who_it_is().await?;
        let mut peers: Vec<Ipv6Addr> = admin.peers(|_| false).await?.items.iter().filter_map(established).collect();
        peers.truncate(PEERS_MAX);
        let mut others = match &self.discovery {
            Some(discovery) if lock(discovery).is_open(Instant::now()) => find_others(&mut admin, discovery).await,
            Some(_) | None => Vec::new(),
        };
        others.retain(|address| *address != node.address && !peers.contains(address));
        if let Some(discovery) = &self.discovery {
            peers.extend(lock(discovery).pick_to_name(others));
        }
        Ok(peers.into_iter().map(|address| Neighbour { address, port: None, node: None }).collect())
    }
}

impl Host for CjdnsHost {
    fn scheme(&self) -> Scheme {
        Scheme::Cjdns
    }

    fn network(&self) -> Network {
        Network::Cjdns
    }

    fn look(&self) -> BoxFuture<'_, Sighting> {
        Box::pin(self.look_now())
    }

    /// Direct peers that are up; with `discover` also others, at most 64 an hour.
    fn neighbours(&self) -> BoxFuture<'_, Vec<Neighbour>> {
        Box::pin(async {
            self.neighbours_now().await.unwrap_or_else(|error| {
                debug!(%error, "no neighbours from the host node");
                Vec::new()
            })
        })
    }

    fn is_address(&self, address: Ipv6Addr) -> bool {
        is_address(address)
    }

    fn address_of(&self, key: &HostKey) -> Option<Ipv6Addr> {
        address_of(key)
    }

    fn owns(&self, key: &HostKey, address: Ipv6Addr) -> Ownership {
        if address_of(key) == Some(address) { Ownership::Node } else { Ownership::No }
    }
}

/// What is wrong with a node that is here.
async fn trouble(admin: &mut Admin) -> Option<Trouble> {
    let peers = admin.peers(|peer| established(peer).is_some()).await;
    match trouble_with_peers(&peers) {
        // Only then is the password worth a try: to have no peers is the greater trouble.
        None if admin.has_password() => admin.check_password().await.err().as_ref().map(Trouble::from),
        trouble => trouble,
    }
}

/// Nodes beyond the direct peers: who talks with this one, whom it knows, and whom some of those know. What is not told
/// is left out.
async fn find_others(admin: &mut Admin, discovery: &Mutex<Discovery>) -> Vec<Ipv6Addr> {
    let handles = admin.session_handles().await;
    // Who may not list sessions may not ask others either.
    let is_let_in = handles.is_ok();
    let mut found: Vec<NodeAddr> = Vec::new();
    for handle in handles.unwrap_or_default().into_iter().take(SESSIONS_MAX) {
        found.extend(admin.session(handle).await.ok().flatten().map(|session| session.node));
    }
    let mut known = admin.known_nodes().await.map(|listed| listed.items).unwrap_or_default();
    // Whom it knows itself was just asked.
    known.retain(|node| node.path != Path::SELF);
    let paths = if is_let_in { lock(discovery).pick_to_ask(&known) } else { Vec::new() };
    for path in paths {
        known.extend(admin.peers_of(path).await.unwrap_or_default().into_iter().take(PEERS_MAX));
    }
    found.extend(known);
    found.into_iter().map(|node| node.address).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is counted there is right even when a task that held it has panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
