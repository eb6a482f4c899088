//! `crosscast send` and `crosscast inbox`: messages from node to node.

use bytes::Bytes;
use crosscast_api::Code;
use crosscast_api::view::{InboxView, PayloadView, SentListView, SentToView, SentView};
use serde::{Deserialize, Serialize};

use crate::Context;
use crate::args::{InboxArgs, SendArgs, WaitArg};
use crate::client::{Client, Occurrence, Watch, escaped};
use crate::failure::Failure;
use crate::publish::{all_of_standard_input, wait_word};

/// Largest message in bytes: an entry's limit.
const MESSAGE_MAX: u64 = 64 << 10;

/// What `POST /v1/send` takes.
#[derive(Debug, Serialize)]
struct ToMany<'a> {
    to: &'a [&'a str],
    #[serde(flatten)]
    payload: PayloadView,
}

/// Sends to one node, or one message to several.
pub(crate) async fn send(client: &Client, args: SendArgs, context: &mut Context) -> Result<(), Failure> {
    let payload = match args.text {
        Some(text) => Bytes::from(text),
        None => all_of_standard_input(MESSAGE_MAX)?,
    };
    let nodes: Vec<&str> = args.nodes.split(',').map(str::trim).collect();
    let mut query = vec![format!("wait={}", wait_word(args.wait))];
    query.extend(client.wait_ms().map(|wait| format!("timeout_ms={wait}")));
    query.extend(args.life.map(|life| format!("life_ms={}", life.as_millis())));
    let query = query.join("&");
    let sent = match nodes.as_slice() {
        [node] => {
            let sent: SentView = client.post(&format!("/v1/send/{}?{query}", escaped(node)), payload).await?;
            vec![SentToView { node: (*node).to_owned(), sent, code: None }]
        }
        nodes => {
            let body = ToMany { to: nodes, payload: PayloadView::of(&payload) };
            let list: SentListView = client.post_json(&format!("/v1/send?{query}"), &body).await?;
            list.messages
        }
    };
    let ending = ending(&sent, args.wait, context.json);
    match sent.as_slice() {
        [only] if context.json => context.out.json(&only.sent)?,
        _ if context.json => context.out.json(&SentListView { messages: sent })?,
        [only] => context.out.line(&format!("{} {}", only.sent.id, only.sent.state))?,
        all => all.iter().try_for_each(|one| {
            let code = one.code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
            context.out.line(&format!("{} {} {}{code}", one.sent.id, one.sent.state, one.node))
        })?,
    }
    ending
}

fn ending(sent: &[SentToView], wait: WaitArg, json: bool) -> Result<(), Failure> {
    for SentToView { node, sent, code } in sent {
        let failure = match sent.state.as_str() {
            "accepted" if wait == WaitArg::Sent => {
                let cause = format!("{node} has not acknowledged it yet");
                Failure::new(Code::NotAcknowledged, cause).tell_notice(json);
                continue;
            }
            "expired" => Code::Expired,
            "refused" => Code::Refused,
            "dropped" => Code::Dropped,
            _ => continue,
        };
        let why = code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
        return Err(Failure::new(failure, format!("message {} to {node} was {}{why}", sent.id, sent.state)));
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
struct List {
    messages: Vec<InboxView>,
}

/// A message as the verb prints it.
#[derive(Debug, Serialize)]
struct Message {
    id: String,
    from: String,
    seq: u64,
    time: u64,
    #[serde(flatten)]
    payload: PayloadView,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    request: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recipients: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Messages {
    messages: Vec<Message>,
}

#[derive(Debug, Serialize)]
struct Acknowledge {
    through: String,
}

#[derive(Debug, Deserialize)]
struct Acknowledged {}

/// Lists the inbox, or follows it.
pub(crate) async fn inbox(client: Client, args: &InboxArgs, context: &mut Context) -> Result<(), Failure> {
    if let Some(node) = &args.accept {
        return crate::services::accept(&client, node, context).await;
    }
    if args.follow {
        let work = follow(client.clone(), args.ack, context);
        return client.within(work).await;
    }
    let List { messages } = client.get("/v1/inbox").await?;
    let last = messages.last().map(|message| message.cursor.clone());
    if context.json {
        context.out.json(&Messages { messages: messages.into_iter().map(message).collect() })?;
    } else {
        if messages.is_empty() {
            context.note("the inbox is empty");
        }
        messages.iter().try_for_each(|message| show(message, context))?;
    }
    context.out.flush()?;
    acknowledge(&client, last.filter(|_| args.ack)).await
}

async fn follow(client: Client, ack: bool, context: &mut Context) -> Result<(), Failure> {
    let mut watch = Watch::open(client.clone(), "/v1/inbox/stream".to_owned()).await?;
    let mut last = None;
    loop {
        match watch.next().await? {
            Occurrence::Data(data) => {
                let view: InboxView = serde_json::from_str(&data)
                    .map_err(|_| Failure::new(Code::Internal, "a message of the daemon does not parse"))?;
                last = Some(view.cursor.clone());
                if context.json { context.out.json(&message(view))? } else { show(&view, context)? }
            }
            Occurrence::Gap(_) => Failure::new(Code::Gap, "messages are missing here").tell_notice(context.json),
            Occurrence::Lost => context.note("the daemon went away; waiting for it"),
            Occurrence::Back => context.note("the daemon is back; resumed where it ended"),
        }
        if !watch.has_more() {
            // Printed before it is acknowledged: what was acknowledged is not sent again.
            context.out.flush()?;
            acknowledge(&client, last.take().filter(|_| ack)).await?;
        }
    }
}

async fn acknowledge(client: &Client, through: Option<String>) -> Result<(), Failure> {
    let Some(through) = through else { return Ok(()) };
    let Acknowledged {} = client.post_json("/v1/inbox/ack", &Acknowledge { through }).await?;
    Ok(())
}

fn message(view: InboxView) -> Message {
    let InboxView { id, from, seq, time, payload, request, service, recipients, cursor: _ } = view;
    Message { id, from, seq, time, payload, request, service, recipients }
}

fn show(view: &InboxView, context: &mut Context) -> Result<(), Failure> {
    let strange = || Failure::new(Code::Internal, "a message of the daemon does not parse");
    let payload = view.payload.bytes().ok_or_else(strange)?;
    let mark = if view.request { "request " } else { "" };
    let service = view.service.as_ref().map(|service| format!("{service} ")).unwrap_or_default();
    context.out.write(format!("{} {mark}{service}", view.from).as_bytes())?;
    context.out.payload(&payload)
}
