//! A running Yggdrasil daemon as a host node.

use core::time::Duration;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use crosscast_stream::overlay::{Host, HostKey, Neighbour, Ownership, Sighting};
use crosscast_transport::{BoxFuture, Reporter};
use crosscast_wire::{Locator, Network, PeerFault, Scheme, WallMillis};
use tokio::sync;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use crate::admin::AdminError;
use crate::admin::client::{Budget, ask};
use crate::admin::place::AdminAddress;
use crate::admin::reply::{self, Dialect, OwnNode};
use crate::admin::request::Request;
use crate::look::{Failure, Findings, attached, without_admin};
use crate::survey::{Outcome, Survey};
use crate::{YggdrasilConfig, access, address, interfaces, marker};

/// 320 KiB for what a look asks, and for the daemon's lists: some 700 peers in the words of 0.5. A look and lists never
/// happen at once, so with [`REMOTE_BYTES`] for [`ASKED_AT_A_TIME`] and what is made of it all, less than 1 MB is held.
const LOCAL_BYTES: usize = 320 * 1024;

/// 48 KiB for what is asked of another node: NodeInfo has 16 at most, which the daemon indents.
const REMOTE_BYTES: usize = 48 * 1024;

/// 8 s for everything a look asks; the contract's ten leave room for a machine that is slow itself.
const LOOK_TIME: Duration = Duration::from_secs(8);

/// 3 s for each of the usual places, so that one that hangs does not hide the next.
const PLACE_TIME: Duration = Duration::from_secs(3);

/// 3 s for the daemon's own lists, before other nodes are asked.
const LISTS_TIME: Duration = Duration::from_secs(3);

/// 4 s in which other nodes begin to be asked. With the lists before and the last answer behind, 14 in all: whoever waits
/// for neighbours waits for 15.
const ASKING_TIME: Duration = Duration::from_secs(4);

/// 7 s for another node to answer through the network: the daemon itself gives up after 6.
const REMOTE_TIME: Duration = Duration::from_secs(7);

/// 4 asked at a time: each holds a connection to the daemon while it waits.
const ASKED_AT_A_TIME: usize = 4;

/// 16 asked for one list of neighbours, so that an hour's share is not gone with the first.
const ASKED_AT_ONCE: usize = 16;

/// A running Yggdrasil daemon, found by its admin socket or, failing that, by its interface.
#[derive(Debug)]
pub struct YggdrasilHost {
    places: Vec<AdminAddress>,
    named: bool,
    discover: bool,
    memory: Mutex<Memory>,
    /// Held while the daemon is asked for what may be long.
    long: sync::Mutex<()>,
    refusals: Arc<Refusals>,
}

/// What is remembered from look to look.
#[derive(Debug, Default)]
struct Memory {
    daemon: Option<Daemon>,
    /// Whether a daemon ever answered: one that is gone then is awaited.
    seen: bool,
    survey: Survey,
}

/// A daemon that answered, and how it is spoken to.
#[derive(Clone, Debug)]
struct Daemon {
    place: AdminAddress,
    dialect: Dialect,
    own: OwnNode,
}

/// Tells the node of NodeInfo that does not hold.
#[derive(Debug, Default)]
pub(crate) struct Refusals(OnceLock<Reporter>);

impl Refusals {
    /// Reports to this node from now on.
    pub(crate) fn report_to(&self, reporter: Reporter) {
        // A transport runs once.
        let _ = self.0.set(reporter);
    }

    fn refuse(&self, key: &HostKey, fault: PeerFault) {
        let from =
            address::address_of(key).and_then(|from| Locator::new(Scheme::Ygg, &format!("[{from}]:0"), None).ok());
        debug!(?from, %fault, "NodeInfo refused");
        if let (Some(reporter), Some(from)) = (self.0.get(), from) {
            reporter.refused(Scheme::Ygg, from, fault);
        }
    }
}

impl YggdrasilHost {
    /// Looks for the daemon where the configuration says.
    #[must_use]
    pub fn new(config: &YggdrasilConfig) -> Self {
        let places = config.admin.clone().map_or_else(AdminAddress::usual, |place| vec![place]);
        Self {
            places,
            named: config.admin.is_some(),
            discover: config.discover,
            memory: Mutex::default(),
            long: sync::Mutex::default(),
            refusals: Arc::default(),
        }
    }

    /// Where NodeInfo that does not hold is reported.
    pub(crate) fn refusals(&self) -> Arc<Refusals> {
        Arc::clone(&self.refusals)
    }

    async fn sight(&self) -> Sighting {
        let mut budget = Budget::new(LOCAL_BYTES, LOOK_TIME);
        // Whoever has it gives it back after [`LISTS_TIME`].
        let _long = self.long.lock().await;
        match self.find(&mut budget).await {
            Ok(daemon) => {
                let found = examine(&daemon, &mut budget).await;
                let seen = attached(&found);
                let mut memory = self.memory();
                memory.seen |= found.here;
                memory.daemon = Some(daemon);
                seen
            }
            Err(failure) => {
                let mut memory = self.memory();
                memory.daemon = None;
                without_admin(&failure, interfaces::find(), memory.seen)
            }
        }
    }

    /// The daemon that answered last, or the first that answers now.
    async fn find(&self, budget: &mut Budget) -> Result<Daemon, Failure> {
        let last = self.memory().daemon.clone();
        if let Some(daemon) = last {
            match own_node(&daemon.place, budget).await {
                Ok(own) => return Ok(Daemon { own, ..daemon }),
                Err(AdminError::Absent | AdminError::Refused) => {}
                Err(error) => return Err(failure(daemon.place, error)),
            }
        }
        let mut worst = Failure { place: None, error: AdminError::Absent, group: None };
        for place in &self.places {
            let mut share = if self.named { *budget } else { budget.share(PLACE_TIME) };
            let met = meet(place, &mut share).await;
            budget.spend(&share);
            match met {
                Ok(daemon) => return Ok(daemon),
                Err(error) if self.named => return Err(failure(place.clone(), error)),
                Err(error) if tells_more(place, &error, &worst.error) => worst = failure(place.clone(), error),
                Err(error) => debug!(%place, %error, "no daemon here"),
            }
            if !budget.lasts() {
                break;
            }
        }
        Err(worst)
    }

    async fn survey(&self) -> Vec<Neighbour> {
        let Some(daemon) = self.memory().daemon.clone() else { return Vec::new() };
        let linked = self.lists(&daemon).await;
        self.ask_around(&daemon, &linked).await;
        self.memory().survey.neighbours(wall(), &linked)
    }

    /// The nodes that the daemon is linked with; what else it lists is remembered.
    async fn lists(&self, daemon: &Daemon) -> Vec<HostKey> {
        let mut budget = Budget::new(LOCAL_BYTES, LISTS_TIME);
        // A look that takes all this time is none after which others are asked.
        let Some(_long) = budget.wait(self.long.lock()).await else { return Vec::new() };
        let linked = match ask(&daemon.place, Request::GetPeers, &mut budget).await.and_then(|said| reply::peers(&said))
        {
            Ok(peers) => peers.into_iter().filter(|peer| peer.up).filter_map(|peer| peer.key).collect(),
            Err(_) => Vec::new(),
        };
        if self.discover {
            for (request, read) in [
                (Request::GetSessions, reply::sessions as fn(&[u8]) -> Result<Vec<HostKey>, AdminError>),
                (Request::GetPaths, reply::paths),
            ] {
                if let Ok(nodes) = ask(&daemon.place, request, &mut budget).await.and_then(|said| read(&said)) {
                    self.memory().survey.hear_of(Instant::now(), nodes);
                }
            }
        }
        linked
    }

    /// Asks others what they have, the linked ones first.
    async fn ask_around(&self, daemon: &Daemon, linked: &[HostKey]) {
        let further = self.discover && daemon.dialect.remote_peers;
        let started = Instant::now();
        let mut asked = 0_usize;
        let mut visits = JoinSet::new();
        loop {
            while visits.len() < ASKED_AT_A_TIME && asked < ASKED_AT_ONCE && started.elapsed() < ASKING_TIME {
                let Some(key) = self.memory().survey.next(Instant::now(), &daemon.own.key, linked) else { break };
                visits.spawn(visit(daemon.place.clone(), key, further));
                asked = asked.saturating_add(1);
            }
            match visits.join_next().await {
                None => return,
                Some(Err(_)) => {}
                Some(Ok(visit)) => self.note(visit),
            }
        }
    }

    fn note(&self, Visit { key, found, peers }: Visit) {
        let outcome = found.unwrap_or_else(|fault| {
            self.refusals.refuse(&key, fault);
            Outcome::Nothing
        });
        let mut memory = self.memory();
        memory.survey.note(key, outcome);
        memory.survey.hear_of(Instant::now(), peers);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What is remembered holds in itself after any of its changes.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for YggdrasilHost {
    fn scheme(&self) -> Scheme {
        Scheme::Ygg
    }

    fn network(&self) -> Network {
        Network::Yggdrasil
    }

    fn look(&self) -> BoxFuture<'_, Sighting> {
        Box::pin(self.sight())
    }

    fn neighbours(&self) -> BoxFuture<'_, Vec<Neighbour>> {
        Box::pin(self.survey())
    }

    fn is_address(&self, address: Ipv6Addr) -> bool {
        address::is_address(address)
    }

    fn address_of(&self, key: &HostKey) -> Option<Ipv6Addr> {
        address::address_of(key)
    }

    fn owns(&self, key: &HostKey, address: Ipv6Addr) -> Ownership {
        address::owns(key, address)
    }
}

/// Learns who listens at a place and how it is spoken to.
async fn meet(place: &AdminAddress, budget: &mut Budget) -> Result<Daemon, AdminError> {
    let dialect = reply::dialect(&ask(place, Request::List, budget).await?)?;
    Ok(Daemon { place: place.clone(), dialect, own: own_node(place, budget).await? })
}

async fn own_node(place: &AdminAddress, budget: &mut Budget) -> Result<OwnNode, AdminError> {
    reply::own_node(&ask(place, Request::GetSelf, budget).await?)
}

/// Asks a daemon for the rest of what a look is about.
async fn examine<'a>(daemon: &'a Daemon, budget: &mut Budget) -> Findings<'a> {
    let tun = ask(&daemon.place, Request::GetTun, budget).await.and_then(|said| reply::tun(&said));
    let peers = ask(&daemon.place, Request::GetPeers, budget).await.and_then(|said| reply::peers(&said));
    Findings {
        place: &daemon.place,
        version: daemon.dialect.version,
        own: daemon.own,
        tun: tun.ok(),
        peers,
        here: interfaces::is_here(daemon.own.address),
    }
}

fn failure(place: AdminAddress, error: AdminError) -> Failure {
    let group = match (&place, &error) {
        (AdminAddress::Unix(path), AdminError::Denied) => access::group_of(path),
        (AdminAddress::Unix(_) | AdminAddress::Tcp { .. }, _) => None,
    };
    Failure { place: Some(place), error, group }
}

/// Whether what one of the usual places came to says more than what another did. What a TCP port of this machine says
/// counts for nothing: any other program may have it.
fn tells_more(place: &AdminAddress, error: &AdminError, than: &AdminError) -> bool {
    let weight = |error: &AdminError| match error {
        AdminError::Absent => 0,
        AdminError::Refused => 1,
        AdminError::Denied => 2,
        AdminError::Silent
        | AdminError::Slow
        | AdminError::CutShort
        | AdminError::TooLong
        | AdminError::Garbled(_)
        | AdminError::Declined(_) => 3,
    };
    matches!(place, AdminAddress::Unix(_)) && weight(error) > weight(than)
}

/// What a node that was asked through the network said.
struct Visit {
    key: HostKey,
    found: Result<Outcome, PeerFault>,
    peers: Vec<HostKey>,
}

async fn visit(place: AdminAddress, key: HostKey, further: bool) -> Visit {
    let mut budget = Budget::new(REMOTE_BYTES, REMOTE_TIME);
    let said = ask(&place, Request::GetNodeInfo(key), &mut budget).await;
    let found = said.and_then(|said| reply::node_info(&said, &key).map(|info| marker::read(info, &key, wall())));
    let found = match found {
        Err(_) => Ok(Outcome::Silent),
        Ok(read) => read.map(|marker| marker.map_or(Outcome::Nothing, Outcome::Marked)),
    };
    // Not at the same time: a daemon keeps one packet for a node that it has no session with yet, and drops the rest.
    let peers = if further && found != Ok(Outcome::Silent) {
        let said = ask(&place, Request::RemotePeers(key), &mut budget).await;
        said.and_then(|said| reply::remote_peers(&said, &key)).unwrap_or_default()
    } else {
        Vec::new()
    };
    Visit { key, found, peers }
}

fn wall() -> WallMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
