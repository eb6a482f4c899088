//! A group of capabilities over a router that cannot read it: let in over two hops, heard, revoked, shut out.
//!
//! The maker and three members are linked to the router only, which has the right to relay and no content key. One member
//! is revoked while everyone publishes; a minute later the group uses a key that it has never had.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::client::Subscriber;
use crate::daemon::Daemon;
use crate::sharing::placeless;
use crate::{Site, Size, Verdict, until};

const GROUP: &str = "closed";
const WITHIN: Duration = Duration::from_secs(20);

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    let mut router = Daemon::make(site, "router", "127.0.0.1", &[])?;
    router.start()?;
    let mut members = Vec::new();
    for name in ["maker", "first", "second", "mole"] {
        let mut member = Daemon::make(site, name, "127.0.0.1", &[router.locator()?])?;
        member.start()?;
        members.push(member);
    }
    let [maker, first, second, mole] = &members[..] else { unreachable!("four were made") };
    maker.json(&["group", "create", GROUP, "--policy", "capability"])?;
    let relay = maker.json(&["group", "invite", GROUP, "--rights", "relay"])?;
    router.json(&["group", "join", &ticket(&relay)?])?;
    for member in [first, second, mole] {
        let invite = maker.json(&["group", "invite", GROUP])?;
        member.json(&["group", "join", &ticket(&invite)?])?;
    }
    router.wait_neighbours(GROUP, 4)?;
    members.iter().try_for_each(|member| member.ensure_links(1))?;
    let readers =
        members.iter().map(|member| member.subscribe(GROUP, "oldest")).collect::<Result<Vec<Subscriber>>>()?;
    let said = |when: &str| members.iter().map(|member| format!("{when} from {}", member.name())).collect::<Vec<_>>();
    let before = said("before");
    for (member, line) in members.iter().zip(&before) {
        member.run(&["pub", GROUP, line])?.text()?;
    }
    let wanted: Vec<&str> = before.iter().map(String::as_str).collect();
    until("everyone hears everyone", WITHIN, || Ok(readers.iter().all(|reader| reader.tally(&wanted).lost == 0)))
        .with_context(|| router.log_tail(30))?;

    let revoked = Instant::now();
    maker.json(&["group", "revoke", GROUP, mole.node()])?;
    until("the revocation is known everywhere", WITHIN, || {
        let floors = [maker, first, second, &router, mole].map(|daemon| show(daemon, "floor"));
        Ok(floors.into_iter().collect::<Result<Vec<_>>>()?.iter().all(|floor| *floor == json!(2)))
    })?;
    let known_ms = revoked.elapsed().as_millis();
    let refused = mole.run(&["pub", GROUP, "from a mole"])?;
    ensure!(refused.text().is_err(), "the revoked member still publishes");
    // Members publish all the time across the change of key; the mole hears none of it.
    let span = Duration::from_secs(size.pick(35, 75));
    let (mut lines, mut round) = (Vec::new(), 0_u32);
    while revoked.elapsed() < span {
        for member in [maker, first, second] {
            let line = format!("{round} from {}", member.name());
            member.run(&["pub", GROUP, &line])?.text()?;
            lines.push(line);
        }
        round += 1;
        thread::sleep(Duration::from_millis(500));
    }
    let wanted: Vec<&str> = lines.iter().map(String::as_str).collect();
    let staying = readers.get(..3).context("three readers")?;
    let _ = until("every line is with the members", WITHIN, || {
        Ok(staying.iter().all(|reader| reader.tally(&wanted).lost == 0))
    });
    let tallies: Vec<_> = staying.iter().map(|reader| reader.tally(&wanted)).collect();
    let lost: usize = tallies.iter().map(|tally| tally.lost).sum();
    let duplicates: usize = tallies.iter().map(|tally| tally.duplicates).sum();
    let leaked = readers.last().map_or(0, |reader| lines.iter().filter(|line| reader.has(line)).count());
    let heard = staying.iter().filter(|reader| reader.has("from a mole")).count();
    let asking = [maker, first, second].map(|daemon| show(daemon, "asking")).into_iter().collect::<Result<Vec<_>>>()?;
    let settled = asking.iter().all(Value::is_null);
    let blind = router.json(&["sub", GROUP, "--since", "oldest", "-n", "1", "--timeout", "1s"]).is_err();
    let pass = lost + duplicates + leaked + heard == 0 && settled && blind;
    if !pass {
        members.iter().chain([&router]).for_each(|daemon| eprintln!("{}", daemon.log_tail(30)));
    }
    let value = json!({
        "lines": lines.len(), "lost": lost, "duplicates": duplicates, "known_ms": known_ms, "read_by_the_revoked": leaked,
        "heard_of_the_revoked": heard, "members_have_the_key": settled, "router_is_blind": blind,
    });
    Ok(Verdict::of(pass, value))
}

/// Without places: else members would be linked to the maker, and not to the router only.
fn ticket(made: &Value) -> Result<String> {
    placeless(made.get("ticket").and_then(Value::as_str).context("no ticket")?)
}

fn show(daemon: &Daemon, field: &str) -> Result<Value> {
    daemon.json(&["group", "show", GROUP])?.get(field).cloned().with_context(|| format!("no {field}"))
}
