//! Gathering what a node needs, and starting it.
//!
//! Starting recovers the store, draws the seeds from the operating system, spawns the driver and waits until every
//! listener is up; a start that fails leaves nothing running.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crosscast_core::{Config, Refusal, Sizes, Times};
use crosscast_port::{ListenError, StoreError};
use crosscast_store::{FileStore, FileStoreConfig, MemoryStore, Store};
use crosscast_transport::{Transport, TransportError};
use crosscast_wire::{Instance, Locator, LocatorError, NodeId, Scheme, SecretKey};
use tokio::sync::broadcast;

use crate::clock::Clock;
use crate::crypto::{CryptoPool, NodeCrypto};
use crate::driver::Parts;
use crate::error::listen_words;
use crate::intake::Intake;
use crate::keyfile::{Identity, KeyFileError};
use crate::node::Shared;
use crate::store_thread::{StoreHand, StoreSource, store_words};
use crate::watch::{NOTICES_KEPT, Notices, OUTCOMES_KEPT};
use crate::{Error, Home, Node, Settings, clock};

/// Why a node did not start.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Neither an identity nor a home folder was given.
    #[error("no identity: give one, or a home folder that has one")]
    NoIdentity,
    /// The home folder's key file cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The name is longer than 64 bytes or has control characters.
    #[error("a name has at most 64 bytes and no control characters")]
    Name,
    /// The store cannot be used.
    #[error("the store {}", store_words(.0))]
    Store(StoreError),
    /// A place to listen on or attach to is not a locator.
    #[error("`{text}` is not a locator: {reason}")]
    Locator {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: LocatorError,
    },
    /// No transport was given for a scheme that is listened on or attached to.
    #[error("no transport for {scheme} locators was given (needed for {locator})")]
    NoTransport {
        /// The scheme.
        scheme: Scheme,
        /// Where it is needed.
        locator: Locator,
    },
    /// Two transports were given for one scheme.
    #[error("two transports were given for {0} locators")]
    TwoTransports(Scheme),
    /// A listener could not be made.
    #[error("cannot listen on {locator}: {}", listen_words(.reason))]
    Listen {
        /// Where.
        locator: Locator,
        /// Why not.
        reason: ListenError,
    },
    /// A transport that is listened on cannot work at all.
    #[error("the transport for {scheme} locators cannot work: {error}")]
    Transport {
        /// Its scheme.
        scheme: Scheme,
        /// Why.
        error: TransportError,
    },
    /// The node refused a place to listen on or attach to.
    #[error("{locator}: {refusal}")]
    Refused {
        /// Where.
        locator: Locator,
        /// Why.
        refusal: Refusal,
    },
    /// The operating system refused something a node needs; the words are its own.
    #[error("the system refused: {0}")]
    System(String),
    /// The node stopped while it was starting.
    #[error("the node stopped while it was starting")]
    Stopped,
}

/// Gathers what a node needs; see [`Node::builder`].
#[derive(Default)]
pub struct Builder {
    identity: Option<SecretKey>,
    home: Option<PathBuf>,
    store: Option<StoreSource>,
    transports: Vec<Box<dyn Transport>>,
    listen: Vec<String>,
    attach: Vec<String>,
    name: String,
    agent: Option<String>,
    roles: u64,
    sizes: Sizes,
    times: Times,
    pool: Option<CryptoPool>,
    store_bytes: Option<u64>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("home", &self.home)
            .field("listen", &self.listen)
            .field("attach", &self.attach)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// The node's key; goes before a home folder's.
    #[must_use]
    pub fn identity(mut self, key: SecretKey) -> Self {
        self.identity = Some(key);
        self
    }

    /// A home folder, whose `identity.key` is the node's key unless one is given.
    #[must_use]
    pub fn home(mut self, dir: impl Into<PathBuf>) -> Self {
        self.home = Some(dir.into());
        self
    }

    /// Where messages and groups are kept, on a thread of its own; without one, in the home folder's `store`, else in
    /// memory.
    #[must_use]
    pub fn store(mut self, store: Box<dyn Store + 'static>) -> Self {
        self.store = Some(StoreSource::Open(Box::new(move || Ok(store))));
        self
    }

    /// Keeps messages and groups in memory, home folder or not.
    #[must_use]
    pub fn memory_store(mut self, store: MemoryStore) -> Self {
        self.store = Some(StoreSource::Memory(store));
        self
    }

    /// Most bytes that the home folder's store may need for what is wanted; no limit without.
    #[must_use]
    pub const fn store_bytes(mut self, bytes: u64) -> Self {
        self.store_bytes = Some(bytes);
        self
    }

    /// Takes name, roles, limits, the places to listen on and the peers that say where they are from a configuration.
    ///
    /// Transports are given by the caller, and so is what leads to the host nodes and to peers named by keys alone.
    #[must_use]
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.listen.extend(settings.listen.iter().map(ToString::to_string));
        self.attach.extend(settings.peers().map(ToString::to_string));
        self.name(settings.name.clone())
            .roles(settings.roles.bits())
            .sizes(settings.limits.sizes())
            .times(settings.limits.times())
            .store_bytes(settings.limits.store_bytes)
    }

    /// A way to reach peers; one for each scheme that is listened on or attached to.
    #[must_use]
    pub fn transport(mut self, transport: Box<dyn Transport>) -> Self {
        self.transports.push(transport);
        self
    }

    /// Listens here; starting fails when it cannot. Can be called several times.
    #[must_use]
    pub fn listen(mut self, locator: &str) -> Self {
        self.listen.push(locator.to_owned());
        self
    }

    /// Keeps a link to this locator, which need not answer yet. Can be called several times.
    #[must_use]
    pub fn attach(mut self, locator: &str) -> Self {
        self.attach.push(locator.to_owned());
        self
    }

    /// A name for peers to show, at most 64 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Program and version, shown to peers; this library's without.
    #[must_use]
    pub fn agent(mut self, agent: impl Into<String>) -> Self {
        self.agent = Some(agent.into());
        self
    }

    /// Role bits shown to peers: 1 core, 2 edge, 4 relay.
    #[must_use]
    pub const fn roles(mut self, roles: u64) -> Self {
        self.roles = roles;
        self
    }

    /// The core's tunable sizes.
    #[must_use]
    pub const fn sizes(mut self, sizes: Sizes) -> Self {
        self.sizes = sizes;
        self
    }

    /// The core's tunable times.
    #[must_use]
    pub const fn times(mut self, times: Times) -> Self {
        self.times = times;
        self
    }

    /// Threads for signatures, to be shared by the nodes of one process; without, the node has its own.
    #[must_use]
    pub fn crypto_pool(mut self, pool: CryptoPool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Starts the node on the current tokio runtime (with its timer enabled) and returns when every listener is up.
    ///
    /// # Errors
    /// [`StartError`] names what is missing or what failed.
    pub async fn start(self) -> Result<Node, StartError> {
        self.start_watched().await.map(|(node, _)| node)
    }

    /// Starts the node as [`Self::start`] does; beside it, what an operator should know from the first moment on, as far
    /// back as is kept for a slow onlooker.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_watched(mut self) -> Result<(Node, Notices), StartError> {
        let schemes = self.schemes()?;
        let listen = parse_all(&self.listen, &schemes)?;
        let attach = parse_all(&self.attach, &schemes)?;
        if self.name.len() > crosscast_wire::limits::NAME_MAX || self.name.chars().any(char::is_control) {
            return Err(StartError::Name);
        }
        let identity = self.load_identity()?;
        let store = self.store_source();
        let (parts, shared) = self.parts(identity, store, schemes).await?;
        let wheel = Arc::clone(&shared.wheel);
        let node = Node::from_shared(shared);
        let notices = node.notices();
        tokio::spawn(async move { wheel.run(parts).await });
        match bring_up(&node, listen, attach).await {
            Ok(()) => Ok((node, notices)),
            Err(error) => {
                node.shutdown().await;
                Err(error)
            }
        }
    }

    fn schemes(&self) -> Result<Vec<Scheme>, StartError> {
        let mut schemes = Vec::new();
        for scheme in self.transports.iter().map(|transport| transport.scheme()) {
            if schemes.contains(&scheme) {
                return Err(StartError::TwoTransports(scheme));
            }
            schemes.push(scheme);
        }
        Ok(schemes)
    }

    fn load_identity(&self) -> Result<Identity, StartError> {
        match (&self.identity, &self.home) {
            (Some(key), _) => Ok(Identity::new(key.clone())),
            (None, Some(home)) => Ok(Identity::load(&Home::at(home.clone()).identity())?),
            (None, None) => Err(StartError::NoIdentity),
        }
    }

    fn store_source(&mut self) -> StoreSource {
        match (self.store.take(), &self.home) {
            (Some(source), _) => source,
            (None, Some(home)) => {
                let dir = Home::at(home.clone()).store();
                let defaults = FileStoreConfig::default();
                let quota_bytes = self.store_bytes.unwrap_or(defaults.quota_bytes);
                StoreSource::Open(Box::new(move || {
                    let store = FileStore::open(&dir, FileStoreConfig { quota_bytes, ..defaults })?;
                    Ok(Box::new(store))
                }))
            }
            (None, None) => StoreSource::Memory(MemoryStore::default()),
        }
    }

    /// What the driver is made of, and what the handles share.
    async fn parts(
        self,
        identity: Identity,
        store: StoreSource,
        schemes: Vec<Scheme>,
    ) -> Result<(Parts, Arc<Shared>), StartError> {
        let intake = Arc::new(Intake::new());
        let leaf_bytes = matches!(store, StoreSource::Memory(_)).then_some(LEAF_BYTES);
        let (store, recovered) = StoreHand::start(store, Arc::clone(&intake)).await?;
        let clock = Clock::start();
        let node = NodeId::new(identity.key().public());
        let successor = match &self.home {
            Some(home) => crate::load_successor(&Home::at(home.clone()).successor(), &identity)?,
            None => None,
        };
        let instance = Instance::new(clock::wall_seconds(), u32::from_ne_bytes(random()?));
        let config = Config {
            node,
            instance,
            name: self.name.clone(),
            agent: self.agent.unwrap_or_else(|| concat!("crosscast/", env!("CARGO_PKG_VERSION")).to_owned()),
            roles: self.roles,
            choice_seed: random()?,
            key_seed: random()?,
            prekey: identity.prekey(),
            successor,
            crypto: Arc::new(NodeCrypto),
            times: self.times,
            sizes: Sizes { leaf_bytes: self.sizes.leaf_bytes.or(leaf_bytes), ..self.sizes },
        };
        let core = crosscast_core::Node::new(config, recovered, clock.now());
        let (notices, outcomes) = (broadcast::Sender::new(NOTICES_KEPT), broadcast::Sender::new(OUTCOMES_KEPT));
        let failed = Arc::default();
        let (weak_notices, weak_outcomes) = (notices.downgrade(), outcomes.downgrade());
        let pool = self.pool.unwrap_or_else(CryptoPool::for_this_machine);
        let parts = Parts {
            core,
            clock,
            intake: Arc::clone(&intake),
            crypto: pool.hand(identity.into_key(), Arc::clone(&intake)),
            store,
            transports: self.transports,
            failed: Arc::clone(&failed),
            notices,
            outcomes,
        };
        let shared = Shared {
            intake,
            wheel: Arc::default(),
            node,
            instance,
            name: self.name.into(),
            schemes,
            notices: weak_notices,
            outcomes: weak_outcomes,
            failed,
        };
        Ok((parts, Arc::new(shared)))
    }
}

/// What a leaf keeps of a group in memory, in bytes. 1 MiB: four of the largest messages, for whoever lost the same link.
const LEAF_BYTES: u64 = 1 << 20;

/// Bytes drawn from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StartError::System(format!("random numbers: {error}")))?;
    Ok(bytes)
}

fn parse_all(texts: &[String], schemes: &[Scheme]) -> Result<Vec<Locator>, StartError> {
    let parse = |text: &String| {
        let locator = Locator::parse(text).map_err(|reason| StartError::Locator { text: text.clone(), reason })?;
        let scheme = locator.scheme();
        if schemes.contains(&scheme) { Ok(locator) } else { Err(StartError::NoTransport { scheme, locator }) }
    };
    texts.iter().map(parse).collect()
}

async fn bring_up(node: &Node, listen: Vec<Locator>, attach: Vec<Locator>) -> Result<(), StartError> {
    for locator in listen {
        node.listen_on(locator.clone()).await.map_err(|error| blame(error, locator))?;
    }
    for locator in attach {
        node.attach_to(locator.clone()).await.map_err(|error| blame(error, locator))?;
    }
    Ok(())
}

fn blame(error: Error, locator: Locator) -> StartError {
    match error {
        Error::Refused(refusal) => StartError::Refused { locator, refusal },
        Error::Listen { locator, reason } => StartError::Listen { locator, reason },
        Error::Locator { text, reason } => StartError::Locator { text, reason },
        Error::NoTransport(scheme) => StartError::NoTransport { scheme, locator },
        Error::Transport { scheme, error } => StartError::Transport { scheme, error },
        Error::Ticket(_) | Error::Stopped => StartError::Stopped,
    }
}
