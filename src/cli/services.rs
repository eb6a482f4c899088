//! `crosscast serve` and `crosscast inbox --accept`: services of this node, and nodes that are strangers no more.

use crosscast_api::Code;
use serde::{Deserialize, Serialize};

use crate::Context;
use crate::args::ServeArgs;
use crate::client::{Client, escaped};
use crate::failure::Failure;

#[derive(Debug, Deserialize, Serialize)]
struct Service {
    service: String,
    name: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct Services {
    services: Vec<Service>,
}

#[derive(Debug, Serialize)]
struct Serve<'a> {
    name: &'a str,
}

#[derive(Debug, Deserialize, Serialize)]
struct Unserved {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Accepted {
    node: String,
}

/// Makes a service, lists them, or gives one up.
pub(crate) async fn serve(client: &Client, args: ServeArgs, context: &mut Context) -> Result<(), Failure> {
    match (args.name, args.stop) {
        (Some(name), false) => {
            let service: Service = client.post_json("/v1/services", &Serve { name: &name }).await?;
            if context.json { context.out.json(&service) } else { context.out.line(&service.service) }
        }
        (Some(name), true) => {
            let gone: Unserved = client.delete(&format!("/v1/services/{}", escaped(&name))).await?;
            if context.json { context.out.json(&gone) } else { Ok(()) }
        }
        (None, true) => Err(Failure::new(Code::Usage, "which service? `crosscast serve` lists them")),
        (None, false) => {
            let all: Services = client.get("/v1/services").await?;
            if context.json {
                return context.out.json(&all);
            }
            if all.services.is_empty() {
                context.note("this node serves nothing");
            }
            all.services
                .iter()
                .try_for_each(|service| context.out.line(&format!("{} {}", service.service, service.name)))
        }
    }
}

/// Takes a node for no stranger any more.
pub(crate) async fn accept(client: &Client, node: &str, context: &Context) -> Result<(), Failure> {
    let path = format!("/v1/contacts/{}", escaped(node));
    let Accepted { node } = client.post_json(&path, &()).await?;
    context.note(&format!("{node} is accepted"));
    Ok(())
}
