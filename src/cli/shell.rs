//! `crosscast completion SHELL` and `crosscast man [VERB..]`: made from the command line's own types.

use clap::CommandFactory as _;
use crosscast_api::Code;
use serde::Serialize;

use crate::Context;
use crate::args::{Cli, CompletionArgs, ManArgs};
use crate::failure::Failure;

/// The program's name.
const NAME: &str = "crosscast";

#[derive(Debug, Serialize)]
struct Completion {
    shell: String,
    script: String,
}

/// Prints a completion script.
pub(crate) fn completion(args: &CompletionArgs, context: &mut Context) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    if context.json {
        let script = String::from_utf8_lossy(&script).into_owned();
        context.out.json(&Completion { shell: args.shell.to_string(), script })?;
    } else {
        context.out.write(&script)?;
    }
    context.out.flush()
}

#[derive(Debug, Serialize)]
struct Page {
    name: String,
    section: u8,
    roff: String,
}

/// Prints a manual page.
pub(crate) fn man(args: &ManArgs, context: &mut Context) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let mut name = NAME.to_owned();
    for verb in &args.verb {
        let found = command.find_subcommand(verb).cloned();
        command = found.ok_or_else(|| Failure::new(Code::Usage, format!("{name} has no verb `{verb}`")))?;
        name = format!("{name}-{verb}");
    }
    let mut roff = Vec::new();
    let page = clap_mangen::Man::new(command.display_name(name.clone())).title(name.clone());
    page.render(&mut roff).map_err(|error| Failure::io("the page", &error))?;
    if context.json {
        context.out.json(&Page { name, section: 1, roff: String::from_utf8_lossy(&roff).into_owned() })?;
    } else {
        context.out.write(&roff)?;
    }
    context.out.flush()
}
