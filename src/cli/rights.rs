//! `group invite|grant|revoke|policy`.

use crosscast_api::view::{GrantView, GroupJson, RevokedView};
use crosscast_api::{Code, TICKET_PREFIX};
use serde::Serialize;

use crate::Context;
use crate::args::{GrantArgs, InviteArgs, PolicyArg};
use crate::client::{Client, escaped};
use crate::failure::Failure;
use crate::groups::{given, ticket};

#[derive(Debug, Serialize)]
struct Invite {
    locators: Vec<String>,
    offline: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rights: Vec<String>,
    uses: Option<u32>,
    valid: Option<String>,
    life: Option<String>,
}

#[derive(Debug, Serialize)]
struct Grant {
    node: String,
    rights: Vec<String>,
    depth: u8,
    life: Option<String>,
}

#[derive(Debug, Serialize)]
struct Revoke<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Policy<'a> {
    policy: &'a str,
}

pub(crate) async fn invite(client: &Client, args: InviteArgs, context: &mut Context) -> Result<(), Failure> {
    let path = format!("/v1/groups/{}/invite", escaped(&args.group));
    let InviteArgs { locator, offline, rights, uses, valid, life, .. } = args;
    ticket(&client.post_json(&path, &Invite { locators: locator, offline, rights, uses, valid, life }).await?, context)
}

pub(crate) async fn grant(client: &Client, args: GrantArgs, context: &mut Context) -> Result<(), Failure> {
    let path = format!("/v1/groups/{}/grants", escaped(&args.group));
    let GrantArgs { node, rights, depth, life, .. } = args;
    let granted: GrantView = client.post_json(&path, &Grant { node, rights, depth, life }).await?;
    if context.json {
        return context.out.json(&granted);
    }
    context.note("it gets them at once when it is linked, else when it joins with a ticket");
    context.out.line(&granted.rights.join(","))
}

pub(crate) async fn revoke(client: &Client, group: &str, whom: &str, context: &mut Context) -> Result<(), Failure> {
    let whom = given(whom)?;
    if whom.is_empty() {
        return Err(Failure::new(Code::BadKey, "no key and no ticket was given"));
    }
    let is_ticket = whom.starts_with(TICKET_PREFIX);
    let body = Revoke { node: (!is_ticket).then_some(&whom), ticket: is_ticket.then_some(&whom) };
    let revoked: RevokedView = client.post_json(&format!("/v1/groups/{}/revoke", escaped(group)), &body).await?;
    if context.json {
        return context.out.json(&revoked);
    }
    context.note("revoked; within a minute the group uses a content key that it does not have");
    context.out.line(&revoked.group)
}

pub(crate) async fn policy(
    client: &Client,
    group: &str,
    policy: PolicyArg,
    context: &mut Context,
) -> Result<(), Failure> {
    let path = format!("/v1/groups/{}/policy", escaped(group));
    let changed: GroupJson = client.post_json(&path, &Policy { policy: policy.word() }).await?;
    if context.json { context.out.json(&changed) } else { context.out.line(&changed.policy) }
}
