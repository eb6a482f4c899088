//! `group create|ls|show|join|leave`; what is about rights is in the file beside this one.

use std::io::Read as _;

use crosscast_api::Code;
use crosscast_api::view::{GroupJson, TicketView};
use serde::{Deserialize, Serialize};

use crate::Context;
use crate::args::{CreateArgs, GroupVerb};
use crate::client::{Client, escaped};
use crate::failure::Failure;
use crate::out::table;
use crate::rights;

/// Longest ticket that is read from standard input, in bytes. 16 KiB: a ticket has at most 6.
const TICKET_MAX: u64 = 16 << 10;

#[derive(Debug, Serialize)]
struct Create<'a> {
    name: &'a str,
    policy: &'a str,
    public: bool,
}

#[derive(Debug, Serialize)]
struct Join<'a> {
    ticket: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Debug, Serialize, Deserialize)]
struct List {
    groups: Vec<GroupJson>,
}

/// Does what the verb says.
pub(crate) async fn group(client: &Client, verb: GroupVerb, context: &mut Context) -> Result<(), Failure> {
    match verb {
        GroupVerb::Create(args) => create(client, &args, context).await,
        GroupVerb::Ls => list(client, context).await,
        GroupVerb::Show { group } => show(client, &group, context).await,
        GroupVerb::Invite(args) => rights::invite(client, args, context).await,
        GroupVerb::Grant(args) => rights::grant(client, args, context).await,
        GroupVerb::Revoke { group, whom } => rights::revoke(client, &group, &whom, context).await,
        GroupVerb::Policy { group, policy } => rights::policy(client, &group, policy, context).await,
        GroupVerb::Join { ticket, name } => join(client, &ticket, name.as_deref(), context).await,
        GroupVerb::Leave { group } => {
            let left: TicketView = client.delete(&format!("/v1/groups/{}", escaped(&group))).await?;
            if context.json { context.out.json(&left) } else { context.out.line(&left.group) }
        }
    }
}

async fn create(client: &Client, args: &CreateArgs, context: &mut Context) -> Result<(), Failure> {
    let body = Create { name: &args.name, policy: args.policy.word(), public: args.public };
    ticket(&client.post_json("/v1/groups", &body).await?, context)
}

/// In text the ticket is all there is, so that it can be piped.
pub(crate) fn ticket(made: &TicketView, context: &mut Context) -> Result<(), Failure> {
    if context.json {
        return context.out.json(made);
    }
    context.out.line(made.ticket.as_deref().unwrap_or_default())
}

async fn join(client: &Client, text: &str, name: Option<&str>, context: &mut Context) -> Result<(), Failure> {
    let ticket = given(text)?;
    if ticket.is_empty() {
        return Err(Failure::new(Code::BadTicket, "no ticket was given"));
    }
    let ticket = ticket.as_str();
    let joined: TicketView = client.post_json("/v1/groups/join", &Join { ticket, name }).await?;
    if context.json {
        return context.out.json(&joined);
    }
    context.note(&format!("joined `{}`", joined.name));
    context.out.line(&joined.group)
}

/// What was given as an argument, or on standard input for `-`: a ticket is a secret, and arguments can be seen by others.
pub(crate) fn given(text: &str) -> Result<String, Failure> {
    let mut given = text.to_owned();
    if text == "-" {
        given.clear();
        let read = std::io::stdin().take(TICKET_MAX).read_to_string(&mut given);
        read.map_err(|error| Failure::io("standard input", &error))?;
    }
    Ok(given.trim().to_owned())
}

async fn list(client: &Client, context: &mut Context) -> Result<(), Failure> {
    let list: List = client.get("/v1/groups").await?;
    if context.json {
        return context.out.json(&list);
    }
    if list.groups.is_empty() {
        context.note("no group here; `crosscast group create NAME` makes one");
        return Ok(());
    }
    let head = ["NAME", "POLICY", "SEALED", "NEIGHBOURS", "MESSAGES", "BYTES", "GROUP"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(list.groups.iter().map(|group| {
        vec![
            group.name.clone(),
            group.policy.clone(),
            yes(group.sealed),
            group.neighbours.to_string(),
            group.messages.to_string(),
            group.bytes.to_string(),
            group.group.clone(),
        ]
    }));
    table(&rows).iter().try_for_each(|line| context.out.line(line))
}

async fn show(client: &Client, name: &str, context: &mut Context) -> Result<(), Failure> {
    let group: GroupJson = client.get(&format!("/v1/groups/{}", escaped(name))).await?;
    if context.json {
        return context.out.json(&group);
    }
    let rows = [
        ("group", group.group),
        ("name", group.name),
        ("policy", group.policy),
        ("sealed", yes(group.sealed)),
        ("keyholder", yes(group.keyholder)),
        ("floor", group.floor.to_string()),
        ("rights", group.rights.join(",")),
        ("asking", group.asking.unwrap_or_default()),
        ("neighbours", group.neighbours.to_string()),
        ("messages", group.messages.to_string()),
        ("bytes", group.bytes.to_string()),
        ("head", group.head),
    ];
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    table(&rows).iter().try_for_each(|line| context.out.line(line))
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
