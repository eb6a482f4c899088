//! `crosscast run`: the daemon. Puts node, networks and API together, and takes them apart in order. SIGHUP makes it read
//! its configuration again (`reload.rs`).

use std::io::Read as _;
use std::time::Duration;

use crosscast::{Home, Locator, Node, Notices, Settings};
use crosscast_api::{About, Access, ApiError, Code, Door, Reloads};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::args::RunArgs;
use crate::failure::Failure;
use crate::notices::tell_notices;
use crate::reload::{LogSwitch, Reloader};
use crate::wings::Site;
use crate::{config, notify, wings};

/// Threads that run tasks. 2: one for the node, one for everything else; signing and storing have their own.
const WORKERS: usize = 2;

/// How long requests may take to finish when the daemon stops. 2 s: streams are ended, the rest takes milliseconds.
const FAREWELL: Duration = Duration::from_secs(2);

/// Program and version, shown to peers.
pub(crate) const AGENT: &str = concat!("crosscast/", env!("CARGO_PKG_VERSION"));

/// Runs until a signal, or only checks the configuration.
pub(crate) fn run(home: &Home, args: &RunArgs) -> Result<(), Failure> {
    let log = start_log(args.log.as_deref())?;
    let (settings, identity) = config::load(home)?;
    log.set(settings.log.as_deref());
    let transports = wings::transports(&Site { home, settings: &settings, identity: &identity })?;
    drop(identity);
    if args.check {
        eprintln!("{} is fine", home.config().display());
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("the runtime", &error))?;
    let done = runtime.block_on(Box::pin(daemon(home, settings, transports, log, args.until_stdin_ends)));
    // What is left are connections whose callers do not read; they end with the process.
    runtime.shutdown_background();
    done
}

async fn daemon(
    home: &Home,
    settings: Settings,
    transports: Vec<Box<dyn crosscast::Transport>>,
    log: LogSwitch,
    until_stdin_ends: bool,
) -> Result<(), Failure> {
    // The signals first: one that arrives while starting must not be lost.
    let mut end = End::new(until_stdin_ends)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| Failure::io("signals", &error))?;
    let door = Door::open(&home.socket(), Access::new(settings.api.group.clone()))?;
    let (node, notices) = start(home, &settings, transports).await?;
    let about = About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        agent: AGENT.to_owned(),
        roles: settings.roles.bits(),
        networks: wings::networks(&settings),
    };
    let attached: Vec<String> = settings.hosts().map(|host| host.network().to_string()).collect();
    let (stop, stopping) = watch::channel(false);
    let reloads = Reloads::default();
    let server = tokio::spawn(crosscast_api::serve(door, node.clone(), about, reloads.clone(), stopping));
    let mut reloader = Reloader { home: home.clone(), settings, log, reloads };
    let ready = ready_line(&node, attached).await?;
    eprintln!("{ready}");
    notify::notify("READY=1");
    let mut notices = std::pin::pin!(tell_notices(notices));
    let cause = loop {
        tokio::select! {
            () = end.wait() => break Ok(()),
            () = &mut notices => {
                break Err(Failure::new(Code::Internal, "the node stopped by itself; see the log"));
            }
            _ = hangup.recv() => Box::pin(reloader.reload(&node)).await,
        }
    };
    notify::notify("STOPPING=1");
    tracing::info!("stopping");
    stop.send_replace(true);
    let goodbye = async {
        node.shutdown().await;
        if tokio::time::timeout(FAREWELL, server).await.is_err() {
            tracing::warn!("a caller of the API did not take its answer in time");
        }
    };
    tokio::select! {
        () = goodbye => {}
        () = end.wait() => tracing::warn!("stopped without finishing, since it was asked twice"),
    }
    cause
}

async fn start(
    home: &Home,
    settings: &Settings,
    transports: Vec<Box<dyn crosscast::Transport>>,
) -> Result<(Node, Notices), Failure> {
    let mut builder = Node::builder()
        .home(home.dir())
        .name(settings.name.clone())
        .agent(AGENT)
        .roles(settings.roles.bits())
        .sizes(settings.limits.sizes())
        .times(settings.limits.times())
        .store_bytes(settings.limits.store_bytes);
    for transport in transports {
        builder = builder.transport(transport);
    }
    for locator in &settings.listen {
        builder = builder.listen(&locator.to_string());
    }
    for locator in wings::dialled(settings)? {
        builder = builder.attach(&locator.to_string());
    }
    Ok(Box::pin(builder.start_watched()).await.map_err(ApiError::from)?)
}

async fn ready_line(node: &Node, attached: Vec<String>) -> Result<String, Failure> {
    let status = node.status().await.map_err(ApiError::from)?;
    Ok(ready_words(&status.node.to_string(), &status.listen, attached))
}

/// Where the node is from now on: what it listens on, and the networks it attaches to, however those stand yet.
fn ready_words(node: &str, listen: &[Locator], mut attached: Vec<String>) -> String {
    let places: Vec<String> = listen.iter().map(ToString::to_string).collect();
    let listens = (!places.is_empty()).then(|| format!("listens on {}", places.join(" ")));
    attached.dedup();
    let attaches = (!attached.is_empty()).then(|| format!("attaches to {}", attached.join(" ")));
    let words: Vec<String> = listens.into_iter().chain(attaches).collect();
    let words = if words.is_empty() { "only dials".to_owned() } else { words.join(", ") };
    format!("ready: {node} {words}")
}

/// What ends the daemon: SIGTERM, SIGINT, or the end of standard input when asked to watch it.
struct End {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    stdin: Option<oneshot::Receiver<()>>,
}

impl End {
    fn new(watch_stdin: bool) -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::io("signals", &error));
        let stdin = watch_stdin.then(|| {
            let (ended, end) = oneshot::channel();
            // A thread of its own, since reading standard input cannot be cancelled.
            std::thread::spawn(move || {
                let mut input = std::io::stdin().lock();
                let mut ignored = [0; 256];
                while matches!(input.read(&mut ignored), Ok(1..)) {}
                // Nobody listens any more when the daemon already ends.
                let _ = ended.send(());
            });
            end
        });
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())?, stdin })
    }

    async fn wait(&mut self) {
        let stdin = async {
            match &mut self.stdin {
                Some(end) => {
                    // Either way the thread is gone.
                    let _ = end.await;
                    self.stdin = None;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = stdin => {}
        }
    }
}

/// Logs to stderr, without colour. What the command line names stays, whatever the configuration says.
fn start_log(fixed: Option<&str>) -> Result<LogSwitch, Failure> {
    let filter = config::log_filter(fixed.unwrap_or(LogSwitch::DEFAULT));
    let filter = filter.map_err(|error| Failure::new(Code::Usage, format!("--log: {error}")))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let subscriber = subscriber.with_filter_reloading();
    let handle = subscriber.reload_handle();
    subscriber.try_init().map_err(|error| Failure::new(Code::Internal, format!("the log: {error}")))?;
    let change = move |filter| handle.reload(filter).map_err(|error| error.to_string());
    Ok(LogSwitch::new(fixed.is_some(), Box::new(change)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_ready_line_says_where_the_node_listens_and_what_it_attaches_to() {
        let tls = Locator::parse("tls://127.0.0.1:7700").unwrap();
        let words = |listen: &[Locator], attached: &[&str]| {
            ready_words("n", listen, attached.iter().map(|word| (*word).to_owned()).collect())
        };
        assert_eq!(words(&[], &[]), "ready: n only dials");
        assert_eq!(words(&[], &["yggdrasil", "cjdns"]), "ready: n attaches to yggdrasil cjdns");
        assert_eq!(words(&[], &["libp2p", "libp2p"]), "ready: n attaches to libp2p");
        let both = "ready: n listens on tls://127.0.0.1:7700, attaches to yggdrasil";
        assert_eq!(words(&[tls], &["yggdrasil"]), both);
    }
}
