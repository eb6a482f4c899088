//! Services of this node, and nodes that are strangers no more.

use axum::extract::{Path, State};
use crosscast::ServiceView;
use crosscast_wire::ServiceId;
use serde::{Deserialize, Serialize};

use crate::inspect::node_id;
use crate::params::Params;
use crate::server::{App, Body, Reply, ok};

/// A service as programs read it.
#[derive(Debug, Serialize)]
struct Service {
    service: String,
    name: String,
}

#[derive(Debug, Serialize)]
struct Services {
    services: Vec<Service>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Serve {
    name: String,
}

#[derive(Debug, Serialize)]
struct Unserved {
    name: String,
}

#[derive(Debug, Serialize)]
struct Accepted {
    node: String,
}

fn view(service: ServiceView) -> Service {
    Service { service: ServiceId::new(*service.service.as_bytes()).to_string(), name: service.name }
}

/// `POST /v1/services` with `{"name": NAME}`: makes a service, or finds it again.
pub(crate) async fn serve(State(app): State<App>, body: Body) -> Reply {
    let Serve { name } = body.json().await?;
    ok(&view(app.node.serve(&name).await?))
}

/// `GET /v1/services`
pub(crate) async fn list(State(app): State<App>, params: Params) -> Reply {
    params.only(&[])?;
    let services = app.node.services().await?.into_iter().map(view).collect();
    ok(&Services { services })
}

/// `DELETE /v1/services/{name}`
pub(crate) async fn unserve(State(app): State<App>, Path(name): Path<String>) -> Reply {
    app.node.unserve(&name).await?;
    ok(&Unserved { name })
}

/// `POST /v1/contacts/{node}`: its messages are requests no more.
pub(crate) async fn accept(State(app): State<App>, Path(text): Path<String>) -> Reply {
    let node = node_id(&text)?;
    app.node.accept(node).await?;
    ok(&Accepted { node: node.to_string() })
}
