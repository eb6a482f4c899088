//! Rights in a group: grant, revoke, policy.

use axum::extract::{Path, State};
use crosscast::{Grant, Revoked};
use crosscast_wire::{NodeId, Policy, Rights, Ticket};
use serde::Deserialize;

use crate::server::{App, Body, Reply, ok};
use crate::view::{GrantView, GroupJson, RevokedView};
use crate::{ApiError, Code, parse_duration_ms};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantBody {
    node: String,
    #[serde(default)]
    rights: Option<Vec<String>>,
    #[serde(default)]
    depth: u8,
    #[serde(default)]
    life: Option<String>,
}

/// `POST /v1/groups/{g}/grants`
pub(crate) async fn grant(State(app): State<App>, Path(text): Path<String>, body: Body) -> Reply {
    let GrantBody { node, rights, depth, life } = body.json().await?;
    let group = app.group(&text).await?;
    let subject = parse_node(&node)?;
    let rights = rights.as_deref().map(parse_rights).transpose()?.unwrap_or(Rights::PUBLISH | Rights::SUBSCRIBE);
    let life_ms = life.as_deref().map(parse_life).transpose()?;
    let granted = app.node.grant(group, Grant { subject, rights, depth, life_ms }).await?;
    ok(&GrantView {
        group: group.to_string(),
        node: granted.subject.to_string(),
        rights: granted.rights.words().map(str::to_owned).collect(),
        until: granted.not_after.0,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    #[serde(default)]
    node: Option<String>,
    #[serde(default)]
    ticket: Option<String>,
}

/// `POST /v1/groups/{g}/revoke`
pub(crate) async fn revoke(State(app): State<App>, Path(text): Path<String>, body: Body) -> Reply {
    let body: RevokeBody = body.json().await?;
    let group = app.group(&text).await?;
    let whom = match (&body.node, &body.ticket) {
        (Some(node), None) => Revoked::Subject(parse_node(node)?),
        (None, Some(ticket)) => Revoked::Invite(invite_of(ticket)?),
        (Some(_), Some(_)) | (None, None) => {
            return Err(ApiError::new(Code::BadRequest, "give one of `node` and `ticket`"));
        }
    };
    app.node.revoke(group, whom).await?;
    ok(&RevokedView { group: group.to_string(), node: body.node, invite: body.ticket.is_some() })
}

/// The invite inside a ticket: its secret part stays here.
fn invite_of(ticket: &str) -> Result<[u8; 32], ApiError> {
    let ticket = Ticket::parse(ticket.trim()).map_err(|error| ApiError::new(Code::BadTicket, error.to_string()))?;
    let invite = ticket.fields().invite.as_ref().map(crosscast_wire::SecretKey::public);
    invite.ok_or_else(|| ApiError::new(Code::BadTicket, "the ticket has no invite in it that could be revoked"))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyBody {
    policy: String,
}

/// `POST /v1/groups/{g}/policy`
pub(crate) async fn policy(State(app): State<App>, Path(text): Path<String>, body: Body) -> Reply {
    let PolicyBody { policy } = body.json().await?;
    let group = app.group(&text).await?;
    app.node.set_policy(group, parse_policy(&policy)?).await?;
    let views = app.node.groups().await?;
    let view = views.iter().find(|view| view.group == group);
    ok(&GroupJson::of(view.ok_or_else(|| ApiError::new(Code::UnknownGroup, format!("{group} is not one of them")))?))
}

/// Reads a policy's word.
pub(crate) fn parse_policy(word: &str) -> Result<Policy, ApiError> {
    Policy::from_word(word).ok_or_else(|| ApiError::new(Code::BadRequest, "`policy` is open, keyholder or capability"))
}

/// Reads words of rights.
pub(crate) fn parse_rights(words: &[String]) -> Result<Rights, ApiError> {
    let known = || Rights::ALL.words().collect::<Vec<_>>().join(", ");
    let mut rights = Rights::NONE;
    for word in words {
        let right = Rights::from_word(word);
        rights = rights | right.ok_or_else(|| ApiError::new(Code::BadRequest, format!("rights are: {}", known())))?;
    }
    if rights.is_empty() {
        Err(ApiError::new(Code::BadRequest, format!("rights are: {}", known())))
    } else {
        Ok(rights)
    }
}

/// Reads a duration in milliseconds.
pub(crate) fn parse_life(text: &str) -> Result<u64, ApiError> {
    parse_duration_ms(text)
        .ok_or_else(|| ApiError::new(Code::BadRequest, "a duration is a number and a unit: 500ms, 5s, 2m, 1h, 30d"))
}

fn parse_node(text: &str) -> Result<NodeId, ApiError> {
    text.parse().map_err(|error| ApiError::new(Code::BadKey, format!("`node`: {error}")))
}
