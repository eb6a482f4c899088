//! Groups: make, list, show, join, invite, leave.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use crosscast::InviteOptions;
use crosscast_wire::{Locator, Policy};
use serde::{Deserialize, Serialize};

use crate::rights::{parse_life, parse_policy, parse_rights};
use crate::server::{App, Body, Reply, ok};
use crate::view::{GroupJson, TicketView};
use crate::{ApiError, Code};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    public: bool,
}

/// `POST /v1/groups`
pub(crate) async fn create(State(app): State<App>, body: Body) -> Reply {
    let Create { name, policy, public } = body.json().await?;
    let policy = parse_policy(policy.as_deref().unwrap_or(Policy::Open.word()))?;
    let (group, ticket) = app.node.create_group(&name, policy, public).await?;
    app.forget_groups();
    let made = TicketView { group: group.to_string(), name, ticket: Some(ticket) };
    ok(&made).map(|mut reply| {
        *reply.status_mut() = StatusCode::CREATED;
        reply
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    ticket: String,
    #[serde(default)]
    name: Option<String>,
}

/// `POST /v1/groups/join`
pub(crate) async fn join(State(app): State<App>, body: Body) -> Reply {
    let Join { ticket, name } = body.json().await?;
    let (group, name) = app.node.join(&ticket, name.as_deref()).await?;
    app.forget_groups();
    ok(&TicketView { group: group.to_string(), name, ticket: None })
}

#[derive(Debug, Serialize)]
struct List {
    groups: Vec<GroupJson>,
}

/// `GET /v1/groups`
pub(crate) async fn list(State(app): State<App>) -> Reply {
    ok(&List { groups: app.node.groups().await?.iter().map(GroupJson::of).collect() })
}

/// `GET /v1/groups/{g}`
pub(crate) async fn show(State(app): State<App>, Path(text): Path<String>) -> Reply {
    let group = app.group(&text).await?;
    let views = app.node.groups().await?;
    let view = views.iter().find(|view| view.group == group);
    ok(&GroupJson::of(view.ok_or_else(|| ApiError::new(Code::UnknownGroup, format!("{group} is not one of them")))?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Invite {
    locators: Vec<String>,
    offline: bool,
    rights: Option<Vec<String>>,
    uses: Option<u32>,
    valid: Option<String>,
    life: Option<String>,
}

/// `POST /v1/groups/{g}/invite`
pub(crate) async fn invite(State(app): State<App>, Path(text): Path<String>, body: Body) -> Reply {
    let Invite { locators, offline, rights, uses, valid, life } = body.json_or_default().await?;
    let group = app.group(&text).await?;
    let parse = |text: &String| {
        Locator::parse(text).map_err(|error| ApiError::new(Code::BadLocator, format!("`{text}`: {error}")))
    };
    let locators = locators.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let options = InviteOptions {
        locators,
        offline,
        rights: rights.as_deref().map(parse_rights).transpose()?,
        uses,
        valid_ms: valid.as_deref().map(parse_life).transpose()?,
        life_ms: life.as_deref().map(parse_life).transpose()?,
    };
    let ticket = app.node.invite_with(group, options).await?;
    let name = app.known(group, false).await?.map(|known| known.name).unwrap_or_default();
    ok(&TicketView { group: group.to_string(), name, ticket: Some(ticket) })
}

/// `DELETE /v1/groups/{g}`
pub(crate) async fn leave(State(app): State<App>, Path(text): Path<String>) -> Reply {
    let group = app.group(&text).await?;
    let name = app.known(group, false).await?.map(|known| known.name).unwrap_or_default();
    app.node.leave(group).await?;
    app.forget_groups();
    ok(&TicketView { group: group.to_string(), name, ticket: None })
}
