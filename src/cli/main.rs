//! The crosscast binary: daemon, client, tools.
//!
//! The client verbs speak only the local API (`client/`), the daemon is put together in `run.rs`, and the networks of
//! this build are picked in `wings.rs`. Data goes to stdout, messages to stderr; every failure has a code, a cause and a
//! next step (`failure.rs`).

mod args;
mod attest;
mod client;
mod config;
mod demo;
mod explain;
mod failure;
mod groups;
mod inbox;
mod init;
mod inspect;
mod key;
mod notices;
mod notify;
mod out;
mod publish;
mod reload;
mod rights;
mod run;
mod services;
mod shell;
mod subscribe;
mod wings;

use std::process::ExitCode;

use clap::Parser as _;
use crosscast::Home;
use crosscast_api::{ApiError, Code, Exit};

use crate::args::{Cli, ConfigVerb, Global, Verb};
use crate::client::Client;
use crate::failure::Failure;
use crate::out::Out;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let json = cli.global.json;
    match verb(cli) {
        Ok(()) => ExitCode::from(Exit::Ok.number()),
        Err(failure) => {
            // Nobody is told that he stopped reading.
            if failure.exit != Exit::Ok {
                failure.tell(json);
            }
            ExitCode::from(failure.exit.number())
        }
    }
}

/// Shows help or version, or why the command line is refused.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Help that nobody reads any more is no failure.
        let _ = error.print();
        return ExitCode::from(Exit::Ok.number());
    }
    let text = error.render().to_string();
    let cause = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    if std::env::args_os().any(|arg| arg == "--json") {
        Failure::new(Code::Usage, cause.lines().next().unwrap_or_default()).tell(true);
    } else {
        eprintln!("error[{}]: {cause}", Code::Usage.word());
    }
    ExitCode::from(Exit::Usage.number())
}

fn verb(cli: Cli) -> Result<(), Failure> {
    let Cli { global, verb } = cli;
    match verb {
        Verb::Init(args) => init::init(&home(&global)?, &args, &mut Context::new(&global)),
        Verb::Run(args) => run::run(&home(&global)?, &args),
        Verb::Key(verb) => key::key(&home(&global)?, &verb, &mut Context::new(&global)),
        Verb::Config(ConfigVerb::Check) => config::check(&home(&global)?, &mut Context::new(&global)),
        Verb::Config(ConfigVerb::Show) => config::show(&home(&global)?, &mut Context::new(&global)),
        Verb::Explain(args) => explain::explain(args.code.as_deref(), &mut Context::new(&global)),
        Verb::Completion(args) => shell::completion(&args, &mut Context::new(&global)),
        Verb::Man(args) => shell::man(&args, &mut Context::new(&global)),
        Verb::Demo(args) => demo::demo(&args, &global),
        Verb::Status => ask(&global, async |client, context| inspect::status(&client, context).await),
        Verb::Peers(args) => ask(&global, async |client, context| inspect::peers(&client, &args, context).await),
        Verb::Peer(args) => ask(&global, async |client, context| inspect::peer(&client, &args, context).await),
        Verb::Trace(args) => ask(&global, async |client, context| inspect::trace(&client, &args, context).await),
        Verb::Ping(args) => ask(&global, async |client, context| inspect::ping(&client, &args, context).await),
        Verb::Group(verb) => ask(&global, async |client, context| groups::group(&client, verb, context).await),
        Verb::Pub(args) => ask(&global, async |client, context| publish::publish(&client, args, context).await),
        Verb::Sub(args) => ask(&global, async |client, context| subscribe::subscribe(client, &args, context).await),
        Verb::Send(args) => ask(&global, async |client, context| inbox::send(&client, args, context).await),
        Verb::Serve(args) => ask(&global, async |client, context| services::serve(&client, args, context).await),
        Verb::Inbox(args) => ask(&global, async |client, context| inbox::inbox(client, &args, context).await),
    }
}

/// How a verb reports.
pub(crate) struct Context {
    /// Whether data is JSON.
    pub(crate) json: bool,
    /// Where data goes.
    pub(crate) out: Out,
}

impl Context {
    fn new(global: &Global) -> Self {
        Self { json: global.json, out: Out::new() }
    }

    /// A message for the person at the terminal; none in JSON mode, where stderr holds failures only.
    pub(crate) fn note(&self, text: &str) {
        if !self.json {
            eprintln!("{}", crosscast_api::shown(text));
        }
    }
}

fn home(global: &Global) -> Result<Home, Failure> {
    Ok(Home::resolve(global.home.clone()).map_err(ApiError::from)?)
}

/// Runs a client verb.
fn ask(global: &Global, verb: impl AsyncFnOnce(Client, &mut Context) -> Result<(), Failure>) -> Result<(), Failure> {
    let socket = home(global)?.socket();
    crosscast_api::check_path(&socket)?;
    let client = Client::new(&socket, global.timeout);
    let mut context = Context::new(global);
    let runtime = runtime()?;
    let done = runtime.block_on(Box::pin(verb(client, &mut context)));
    let flushed = context.out.flush();
    // A thread that still reads standard input must not hold the process back.
    runtime.shutdown_background();
    done.and(flushed)
}

/// The small runtime of a client.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::io("the runtime", &error))
}
