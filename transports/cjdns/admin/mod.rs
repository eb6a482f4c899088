//! The admin interface of a cjdns node: calls over UDP, with a password where cjdns wants one.
//!
//! An [`Admin`] is one look at the host node: together its calls take at most ten seconds and hear at most 1 MiB, of
//! which they hold one datagram and what is made of it, whatever answers. Calls are typed and ask for what is used here
//! only; what a reply holds besides is not read. An attempt to authenticate lets whoever answers test guesses at the
//! password, so it is made only where a call needs it. Where none was given, that of cjdns's generated configuration is
//! tried, with which cjdns lets everyone in.

mod exchange;
#[doc(hidden)]
pub mod fuzzing;
mod message;
mod replies;

use std::net::{Ipv6Addr, SocketAddr};

use crosscast_stream::overlay::HostKey;

use crate::address::{NodeAddr, Path};
use crate::bencode::{Dict, Value};
use crate::config::{CjdnsConfig, Password};
use crate::error::CjdnsError;
use crate::sign::NodeSignature;
use exchange::{Exchange, Patience};
use message::{Arg, Call, Cookie, Txid, refusal};

pub use replies::{NodeInfo, Peer, PeerState, Session, StoredNode};

/// Most pages of a list that are read. 64: 384 peers or 256 known nodes, more than anyone is told of here.
pub const PAGES_MAX: u32 = 64;

/// Items after which no further page of a list is read. 512: more than [`PAGES_MAX`] pages have.
const ITEMS_MAX: usize = 512;

/// A list that was read page by page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// What is in it, as far as it was read.
    pub items: Vec<T>,
    /// Whether that is all: a list with more pages than [`PAGES_MAX`], or with fuller ones than cjdns has, is cut.
    pub whole: bool,
}

/// A conversation with the admin port of a cjdns node.
#[derive(Debug)]
pub struct Admin {
    exchange: Exchange,
    password: Option<Password>,
}

impl Admin {
    /// Begins a conversation; nothing is sent yet.
    ///
    /// # Errors
    /// When the system has no socket for it.
    pub async fn open(admin: SocketAddr, password: Option<Password>) -> Result<Self, CjdnsError> {
        Ok(Self { exchange: Exchange::open(admin).await?, password })
    }

    /// Begins a conversation with the host node of a configuration.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn of(config: &CjdnsConfig) -> Result<Self, CjdnsError> {
        Self::open(config.admin, config.password.clone()).await
    }

    /// Whether it was given a password to authenticate with.
    #[must_use]
    pub const fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Asks whether a cjdns node is there at all.
    ///
    /// # Errors
    /// What came instead of its answer.
    pub async fn ping(&mut self) -> Result<(), CjdnsError> {
        self.call(Call::new("ping", &[]), |reply| match reply.bytes("q") {
            Some(b"pong") => Ok(()),
            Some(_) | None => Err(CjdnsError::Garbled("no pong")),
        })
        .await
    }

    /// Asks whether the password is right.
    ///
    /// # Errors
    /// [`CjdnsError::WrongPassword`] when it is not, [`CjdnsError::NoPassword`] when none was given and one is needed.
    pub async fn check_password(&mut self) -> Result<(), CjdnsError> {
        // The cheapest call that nobody may make without it.
        self.authenticated(Call::new("Core_pid", &[]), Patience::LOCAL, |_| Ok(())).await
    }

    /// Asks the node who it is.
    ///
    /// # Errors
    /// [`CjdnsError::Garbled`] too when its address does not follow from its key.
    pub async fn node_info(&mut self) -> Result<NodeInfo, CjdnsError> {
        self.call(Call::new("Core_nodeInfo", &[]), NodeInfo::read).await
    }

    /// Lists the node's direct peers, up to the first that is enough for the asker.
    ///
    /// # Errors
    /// What came instead of the list.
    pub async fn peers(&mut self, is_enough: impl Fn(&Peer) -> bool) -> Result<Listed<Peer>, CjdnsError> {
        self.pages("InterfaceController_peerStats", "peers", Peer::read, is_enough).await
    }

    /// Lists the nodes that the node knows ways to, itself included.
    ///
    /// # Errors
    /// What came instead of the list.
    pub async fn known_nodes(&mut self) -> Result<Listed<NodeAddr>, CjdnsError> {
        self.pages("NodeStore_dumpTable", "routingTable", replies::table_entry, |_| false).await
    }

    /// What the node knows of an address; `None` when that is nothing.
    ///
    /// # Errors
    /// What came instead of an answer.
    pub async fn stored_node(&mut self, address: Ipv6Addr) -> Result<Option<StoredNode>, CjdnsError> {
        let text = full_text(address);
        let args = [("ip", Arg::Text(&text))];
        self.call(Call::new("NodeStore_nodeForAddr", &args), StoredNode::read).await
    }

    /// Lists the first page of handles of the node's sessions, 64 of them. Needs the password.
    ///
    /// # Errors
    /// What came instead of the list.
    pub async fn session_handles(&mut self) -> Result<Vec<i64>, CjdnsError> {
        let args = [("page", Arg::Int(0))];
        self.authenticated(Call::new("SessionManager_getHandles", &args), Patience::LOCAL, replies::handles).await
    }

    /// What is known of a session; `None` when it has ended. Needs the password.
    ///
    /// # Errors
    /// What came instead of an answer.
    pub async fn session(&mut self, handle: i64) -> Result<Option<Session>, CjdnsError> {
        let args = [("handle", Arg::Int(handle))];
        let call = Call::new("SessionManager_sessionStats", &args);
        Session::or_none(self.authenticated(call, Patience::LOCAL, Session::read).await)
    }

    /// The session with an address, which tells its full key; `None` when there is none. Needs the password.
    ///
    /// # Errors
    /// What came instead of an answer.
    pub async fn session_with(&mut self, address: Ipv6Addr) -> Result<Option<Session>, CjdnsError> {
        let text = full_text(address);
        let args = [("ip6", Arg::Text(&text))];
        let call = Call::new("SessionManager_sessionStatsByIP", &args);
        Session::or_none(self.authenticated(call, Patience::LOCAL, Session::read).await)
    }

    /// Has the node ask another one for its peers; none when that does not answer. Needs the password.
    ///
    /// # Errors
    /// What came instead of an answer.
    pub async fn peers_of(&mut self, path: Path) -> Result<Vec<NodeAddr>, CjdnsError> {
        let text = path.to_string();
        let args = [("path", Arg::Text(&text))];
        let call = Call::new("RouterModule_getPeers", &args);
        replies::or_nobody(self.authenticated(call, Patience::REMOTE, replies::peers_of).await)
    }

    /// Has the node sign 1 to 64 bytes of printable ASCII with its own key. Needs the password.
    ///
    /// # Errors
    /// What came instead of a signature; whether it holds is not looked at here.
    pub async fn sign(&mut self, message: &str) -> Result<NodeSignature, CjdnsError> {
        let args = [("msgHash", Arg::Text(message))];
        self.authenticated(Call::new("Sign_sign", &args), Patience::LOCAL, |reply| {
            reply.bytes("signature").and_then(NodeSignature::parse).ok_or(CjdnsError::Garbled("no signature"))
        })
        .await
    }

    /// Has the node check a signature: the key of the node that made it, or `None` when it does not hold.
    ///
    /// # Errors
    /// What came instead of an answer.
    pub async fn check_signature(
        &mut self,
        message: &str,
        signature: &NodeSignature,
    ) -> Result<Option<HostKey>, CjdnsError> {
        let text = signature.to_string();
        let args = [("msgHash", Arg::Text(message)), ("signature", Arg::Text(&text))];
        replies::signer_or_none(self.call(Call::new("Sign_checkSig", &args), replies::signer).await)
    }

    /// A call without the password.
    async fn call<T>(
        &mut self,
        call: Call<'_>,
        read: impl Fn(&Dict<'_>) -> Result<T, CjdnsError>,
    ) -> Result<T, CjdnsError> {
        let txid = Txid::draw()?;
        let request = call.plain(&txid)?;
        self.exchange.ask(&request, &txid, Patience::LOCAL, |reply| refusal(reply).and_then(|()| read(reply))).await
    }

    /// A call with the password, and with a cookie of its own.
    async fn authenticated<T>(
        &mut self,
        call: Call<'_>,
        patience: Patience,
        read: impl Fn(&Dict<'_>) -> Result<T, CjdnsError>,
    ) -> Result<T, CjdnsError> {
        let password = self.password.clone().unwrap_or_else(Password::of_generated_configuration);
        let mut asked_before = false;
        loop {
            let cookie = self.call(Call::new("cookie", &[]), Cookie::of).await?;
            let txid = Txid::draw()?;
            let request = call.authenticated(&txid, &cookie, &password)?;
            let read = |reply: &Dict<'_>| refusal(reply).and_then(|()| read(reply));
            match self.exchange.ask(&request, &txid, patience, read).await {
                // A cookie that grew old while the machine was busy is refused in the words of a wrong password.
                Err(CjdnsError::WrongPassword) if !asked_before => asked_before = true,
                Err(CjdnsError::WrongPassword) if self.password.is_none() => return Err(CjdnsError::NoPassword),
                outcome => return outcome,
            }
        }
    }

    /// Reads a list page by page, up to the first item that is enough; no more than [`PAGES_MAX`] of them.
    async fn pages<T>(
        &mut self,
        function: &str,
        list: &str,
        read: impl Fn(&Value<'_>) -> Result<Option<T>, CjdnsError>,
        is_enough: impl Fn(&T) -> bool,
    ) -> Result<Listed<T>, CjdnsError> {
        let mut items = Vec::new();
        for page in 0..PAGES_MAX {
            let args = [("page", Arg::Int(page.into()))];
            let page = |reply: &Dict<'_>| replies::page(reply, list, &read);
            let (more, is_last) = self.call(Call::new(function, &args), page).await?;
            let found = more.iter().any(&is_enough);
            items.extend(more);
            if is_last || found {
                return Ok(Listed { items, whole: is_last });
            }
            if items.len() >= ITEMS_MAX {
                break;
            }
        }
        Ok(Listed { items, whole: false })
    }
}

/// An address as cjdns writes it, with every zero.
fn full_text(address: Ipv6Addr) -> String {
    let groups: Vec<String> = address.segments().iter().map(|segment| format!("{segment:04x}")).collect();
    groups.join(":")
}
