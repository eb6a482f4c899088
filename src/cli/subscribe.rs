//! `crosscast sub`: entries of groups as they come, through restarts of the daemon.

use crosscast_api::view::EntryView;
use crosscast_api::{Code, Filters, parse_start};

use crate::Context;
use crate::args::SubArgs;
use crate::client::{Client, Occurrence, Watch, escaped};
use crate::failure::Failure;

/// Prints what is published.
pub(crate) async fn subscribe(client: Client, args: &SubArgs, context: &mut Context) -> Result<(), Failure> {
    Filters::parse(args.topic.iter().map(String::as_str))?;
    if let Some(wrong) = args.since.as_ref().filter(|since| parse_start(since).is_none()) {
        return Err(Failure::new(Code::BadSince, format!("`{wrong}`")));
    }
    let mut query: Vec<String> = args.groups.iter().map(|group| format!("group={}", escaped(group))).collect();
    query.extend(args.topic.iter().map(|filter| format!("topic={}", escaped(filter))));
    query.extend(args.since.as_ref().map(|since| format!("since={}", escaped(since))));
    let path = format!("/v1/stream?{}", query.join("&"));
    let work = read(client.clone(), path, args, context);
    client.within(work).await
}

async fn read(client: Client, path: String, args: &SubArgs, context: &mut Context) -> Result<(), Failure> {
    let mut left = args.count;
    if left == Some(0) {
        return Ok(());
    }
    let mut watch = Watch::open(client, path).await?;
    loop {
        match watch.next().await? {
            Occurrence::Data(data) => {
                show(&data, args, context)?;
                left = left.map(|left| left.saturating_sub(1));
                if left == Some(0) {
                    return Ok(());
                }
            }
            Occurrence::Gap(data) => {
                Failure::new(Code::Gap, format!("entries are missing here: {data}")).tell_notice(context.json);
            }
            Occurrence::Lost => context.note("the daemon went away; waiting for it"),
            Occurrence::Back => context.note("the daemon is back; resumed where it ended"),
        }
        if !watch.has_more() {
            context.out.flush()?;
        }
    }
}

/// Prints an entry.
fn show(data: &str, args: &SubArgs, context: &mut Context) -> Result<(), Failure> {
    let strange = || Failure::new(Code::Internal, "an entry of the daemon does not parse");
    let view: EntryView = serde_json::from_str(data).map_err(|_| strange())?;
    if context.json {
        context.out.json(&view)?;
    } else {
        let payload = view.payload.bytes().ok_or_else(strange)?;
        if args.groups.len() > 1 {
            context.out.write(format!("{} ", view.group).as_bytes())?;
        }
        context.out.payload(&payload)?;
    }
    Ok(())
}
