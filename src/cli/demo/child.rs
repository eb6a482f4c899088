//! One node of the demonstration: a child process of this executable with a home folder of its own.
//!
//! A child ends when its standard input does, so none outlives the demonstration, however that ends. One that dies
//! before is started again with the same home and the same port. Children are ended by their handle, never by name.

use std::fs::OpenOptions;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crosscast::{Attach, Home, HostNode, Locator, Network, Scheme, Settings};
use crosscast_api::Code;
use crosscast_api::view::StatusView;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};

use crate::client::Client;
use crate::demo::Happening;
use crate::failure::Failure;
use crate::init;

/// How long a child may take to be ready. 20 s: it takes a tenth of a second, unless the machine is very busy.
const READY: Duration = Duration::from_secs(20);

/// How long it may take to end by itself. 5 s: it says goodbye within one.
const GOODBYE: Duration = Duration::from_secs(5);

/// Starts in a row that may fail. 3: what fails three times will fail again.
const ATTEMPTS: u32 = 3;

/// Where a node listens first; afterwards at the port it got.
const ON_TLS: &str = "tls://127.0.0.1:0";
const ON_LIBP2P: &str = "libp2p:/ip4/127.0.0.1/tcp/0";

/// What is known of a node from outside.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its number in the chain.
    pub(crate) number: usize,
    /// A letter.
    pub(crate) name: String,
    /// Its home folder.
    pub(crate) home: Home,
    /// The networks it has.
    pub(crate) networks: Vec<Network>,
}

impl Place {
    /// A client of its daemon.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.home.socket(), None)
    }
}

/// A node's process.
pub(crate) struct Node {
    place: Place,
    child: Child,
    /// Held apart from the child, since waiting for a child closes the input that it still has.
    life: Option<ChildStdin>,
    settings: Settings,
}

impl Node {
    /// Makes a home folder and starts a node in it.
    pub(crate) async fn start(place: Place) -> Result<(Self, StatusView), Failure> {
        let mut settings = first_settings(&place)?;
        init::make(&place.home, &settings)?;
        let mut child = spawn(&place)?;
        let status = ready(&place, &mut child).await?;
        // From now on always there, so that its neighbours find it again.
        stay(&mut settings, &status);
        let node = Self { place, life: child.stdin.take(), child, settings };
        std::fs::write(node.place.home.config(), node.settings.to_template())
            .map_err(|error| Failure::io(node.place.home.config().display(), &error))?;
        Ok((node, status))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Keeps it running until `stop`, then ends it.
    pub(crate) async fn keep(mut self, mut stop: watch::Receiver<bool>, to: mpsc::Sender<Happening>) {
        loop {
            tokio::select! {
                // An error means that the demonstration is gone; either way it is over.
                _ = stop.wait_for(|stop| *stop) => break,
                _ = self.child.wait() => {}
            }
            let (number, died) = (self.place.number, Instant::now());
            // Nobody listens any more when the demonstration is over.
            let _ = to.send(Happening::Died { node: number }).await;
            match self.restart(&stop).await {
                Ok(()) => {
                    let _ = to.send(Happening::Started { node: number, pid: self.pid(), after: died.elapsed() }).await;
                }
                Err(_) if *stop.borrow() => break,
                Err(failure) => {
                    let _ = to.send(Happening::Failed(failure)).await;
                    break;
                }
            }
        }
        self.end().await;
    }

    async fn restart(&mut self, stop: &watch::Receiver<bool>) -> Result<(), Failure> {
        let mut attempt = 1;
        loop {
            self.child = spawn(&self.place)?;
            self.life = self.child.stdin.take();
            match ready(&self.place, &mut self.child).await {
                Ok(_) => return Ok(()),
                Err(failure) if attempt >= ATTEMPTS || *stop.borrow() => return Err(failure),
                Err(_) => attempt = attempt.saturating_add(1),
            }
        }
    }

    /// Asks it to end, and ends it if it does not.
    pub(crate) async fn end(mut self) {
        drop(self.life.take());
        if tokio::time::timeout(GOODBYE, self.child.wait()).await.is_err() {
            // It is gone already, or the system will have told it so.
            let _ = self.child.kill().await;
        }
    }
}

/// What a node is told first: to listen on its networks wherever there is room.
fn first_settings(place: &Place) -> Result<Settings, Failure> {
    let mut settings = Settings { name: place.name.clone(), ..Settings::default() };
    for network in &place.networks {
        let anywhere = match network {
            Network::Tls => Some(ON_TLS),
            Network::Libp2p => Some(ON_LIBP2P),
            Network::Yggdrasil => {
                settings.attach.push(Attach::Host(HostNode::Yggdrasil(None)));
                settings.networks.yggdrasil.port = Some(0);
                None
            }
            Network::Cjdns => {
                settings.attach.push(Attach::Host(HostNode::Cjdns(None)));
                settings.networks.cjdns.port = Some(0);
                None
            }
            Network::Relay | Network::Memory => None,
        };
        let places = anywhere.into_iter().map(Locator::parse).collect::<Result<Vec<_>, _>>();
        settings.listen.extend(places.map_err(|error| Failure::new(Code::Internal, error.to_string()))?);
    }
    Ok(settings)
}

/// Where a node has got its places it stays when it is started again.
fn stay(settings: &mut Settings, status: &StatusView) {
    let places: Vec<Locator> = status.listen.iter().filter_map(|text| Locator::parse(text).ok()).collect();
    let port = |scheme: Scheme| {
        let place = places.iter().find(|place| place.scheme() == scheme);
        place.and_then(|place| place.host_port()).map(|(_, port)| port)
    };
    settings.networks.yggdrasil.port = port(Scheme::Ygg).or(settings.networks.yggdrasil.port);
    settings.networks.cjdns.port = port(Scheme::Cjdns).or(settings.networks.cjdns.port);
    let own = |place: &Locator| !matches!(place.scheme(), Scheme::Ygg | Scheme::Cjdns);
    settings.listen = places.into_iter().filter(own).collect();
}

/// Whether a node listens on every network it has.
fn listens(place: &Place, status: &StatusView) -> bool {
    let places: Vec<Locator> = status.listen.iter().filter_map(|text| Locator::parse(text).ok()).collect();
    place.networks.iter().all(|network| places.iter().any(|place| place.scheme().network() == *network))
}

fn spawn(place: &Place) -> Result<Child, Failure> {
    let failed = |error: std::io::Error| Failure::io(format!("node {}", place.name), &error);
    let log = OpenOptions::new().create(true).append(true).open(place.home.dir().join("log")).map_err(failed)?;
    Command::new(std::env::current_exe().map_err(failed)?)
        .arg("--home")
        .arg(place.home.dir())
        .args(["run", "--until-stdin-ends", "--log", "info"])
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)
}

/// Waits until it answers.
async fn ready(place: &Place, child: &mut Child) -> Result<StatusView, Failure> {
    let start = Instant::now();
    let client = place.client();
    loop {
        if let Ok(status) = client.get::<StatusView>("/v1/status").await
            && listens(place, &status)
        {
            return Ok(status);
        }
        let ended = child.try_wait().map_err(|error| Failure::io(format!("node {}", place.name), &error))?;
        if let Some(status) = ended {
            let cause = format!(
                "node {} ended while it was starting ({status}); see {}/log",
                place.name,
                place.home.dir().display()
            );
            return Err(Failure::new(Code::DemoFailed, cause));
        }
        if start.elapsed() > READY {
            let cause = format!("node {} was not ready within {} s", place.name, READY.as_secs());
            return Err(Failure::new(Code::DemoFailed, cause));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
