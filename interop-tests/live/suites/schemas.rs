//! What programs read: every object that a verb prints with `--json` or the local API answers fits its published schema.
//!
//! Two linked daemons are asked with every verb and at every endpoint that answers with JSON; a reader of JSON Schemas
//! that others wrote judges each object (`check_schemas.py`), and must refuse each kind of it once it is damaged.

mod socket;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::client::run_within;
use crate::daemon::Daemon;
use crate::{Site, Size, Verdict, http, tools, until};

const GROUP: &str = "talk";

/// A group that nobody else joins.
const ALONE: &str = "alone";

/// A group of capabilities.
const CLOSED: &str = "closed";

/// How long a verb or an answer may take.
const WITHIN: Duration = Duration::from_secs(60);

/// What an entry cannot hold, in bytes.
const TOO_LONG: usize = 70_000;

/// Lists, the member that holds them, and what they hold.
const LISTS: &[(&str, &str, &str)] = &[
    ("status", "networks", "network"),
    ("peers", "peers", "peer"),
    ("groups", "groups", "group"),
    ("sent-list", "messages", "sent-to"),
    ("services", "services", "service"),
    ("peer-detail", "instances", "peer"),
    ("trace", "links", "trace-link"),
    ("trace", "senders", "trace-sender"),
    ("inbox", "messages", "inbox-message"),
    ("explained-list", "codes", "explained"),
    ("attestations", "attestations", "attestation"),
    ("api-inbox", "messages", "api-inbox-message"),
    ("api-paths", "paths", "api-path"),
    ("api-published-list", "results", "published"),
];

pub(super) fn run(site: &Site, _: Size) -> Result<Verdict> {
    let Some(python) = tools::python_for_schemas()? else {
        return Ok(Verdict::skip("no Python with venv, or pip cannot fetch jsonschema"));
    };
    let mut near = Daemon::make(site, "near", "127.0.0.1", &[])?;
    near.start()?;
    let mut far = Daemon::make(site, "far", "127.0.0.1", &[near.locator()?])?;
    far.start()?;
    let mut taken = Taken { bin: site.bin().to_owned(), objects: Vec::new() };
    groups(&mut taken, &near, &far)?;
    nodes(&mut taken, &near, &far)?;
    messages(&mut taken, &near, &far)?;
    let talk = socket::begin(&mut taken, &near, &far)?;
    reload(&mut taken, &far)?;
    api(&mut taken, &near, &far)?;
    failures(&mut taken, &near, &far, site)?;
    demo(&mut taken)?;
    socket::end(&mut taken, talk)?;

    let schemas = schemas();
    let sums = check(&python, &schemas, &taken.objects)?;
    let count = |name: &str| sums.get(name).and_then(Value::as_array).map(Vec::len);
    let bad = broken(&taken)?;
    let caught = check(&python, &schemas, &bad)?;
    let caught = caught.get("problems").and_then(Value::as_array).map(Vec::len);
    let same_codes = codes_of(&taken)? == words_of(&schemas, "code")?;
    let pass = count("problems") == Some(0) && count("unused") == Some(0) && caught == Some(bad.len()) && same_codes;
    let value = json!({ "checked": sums, "broken": bad.len(), "broken_refused": caught, "same_codes": same_codes });
    Ok(Verdict::of(pass, value))
}

/// What verbs printed and endpoints answered, with the name of its schema.
struct Taken {
    bin: PathBuf,
    objects: Vec<Value>,
}

impl Taken {
    fn take(&mut self, schema: &str, from: &str, value: &Value) {
        self.objects.push(json!({ "schema": schema, "from": from, "value": value }));
        for (_, member, item) in LISTS.iter().filter(|(list, ..)| *list == schema) {
            for value in value.get(*member).and_then(Value::as_array).into_iter().flatten() {
                self.objects.push(json!({ "schema": item, "from": from, "value": value }));
            }
        }
    }

    fn take_lines(&mut self, schema: &str, from: &str, text: &str) -> Result<Vec<Value>> {
        let parse = |line| serde_json::from_str(line).with_context(|| format!("{from} printed `{line}`"));
        let values = text.lines().map(parse).collect::<Result<Vec<Value>>>()?;
        values.iter().for_each(|value| self.take(schema, from, value));
        Ok(values)
    }

    /// Runs a verb that ends with an exit code; its data fit `schema`, what it says on standard error are errors.
    fn verb(&mut self, home: &Path, args: &[&str], schema: &str, code: i32) -> Result<(Vec<Value>, Vec<Value>)> {
        let mut command = Command::new(&self.bin);
        command.arg("--home").arg(home).args(args).arg("--json").env_remove("NOTIFY_SOCKET");
        let ran = run_within(&mut command, WITHIN)?;
        let from = format!("crosscast {}", args.join(" "));
        ensure!(ran.code == Some(code), "{from} ended with {:?}, not {code}: {}", ran.code, ran.err);
        Ok((self.take_lines(schema, &from, &ran.out)?, self.take_lines("error", &from, &ran.err)?))
    }

    /// Runs a verb that prints exactly one object and nothing else.
    fn one(&mut self, home: &Path, args: &[&str], schema: &str) -> Result<Value> {
        let (mut data, errors) = self.verb(home, args, schema, 0)?;
        ensure!(data.len() == 1 && errors.is_empty(), "{args:?} printed {data:?} and said {errors:?}");
        data.pop().context("an object")
    }

    /// Runs a verb that prints no object and fails with a code.
    fn fails(&mut self, home: &Path, args: &[&str], word: &str, exit: i32) -> Result<()> {
        let (data, errors) = self.verb(home, args, "error", exit)?;
        let codes: Vec<&str> = errors.iter().filter_map(|error| error.get("code")?.as_str()).collect();
        ensure!(data.is_empty() && codes == [word], "{args:?} printed {data:?} and said {errors:?}");
        Ok(())
    }

    /// Asks the API for one object.
    fn ask(&mut self, home: &Path, request: (&str, &str), body: &[u8], schema: &str) -> Result<Value> {
        let (method, path) = request;
        let (status, text) = http::ask(home, method, path, body, WITHIN)?;
        let from = format!("{method} {path}");
        ensure!((schema == "error") == (status >= 400), "{from} answered {status} {text}");
        let mut values = self.take_lines(schema, &from, &text)?;
        ensure!(values.len() == 1, "{from} answered {text}");
        values.pop().context("an object")
    }
}

fn text_of<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value.get(name).and_then(Value::as_str).with_context(|| format!("no {name} in {value}"))
}

/// Lets a daemon read its configuration again.
fn reload(taken: &mut Taken, daemon: &Daemon) -> Result<()> {
    let pid = daemon.pid().context("a daemon that runs")?.to_string();
    ensure!(Command::new("kill").args(["-HUP", &pid]).status()?.success(), "no SIGHUP");
    let mut status = Value::Null;
    until("the configuration is read again", WITHIN, || {
        status = daemon.json(&["status"])?;
        Ok(status.get("reload").is_some_and(Value::is_object))
    })?;
    taken.take("status", "crosscast status", &status);
    taken.take("reload", "crosscast status", status.get("reload").context("a reading")?);
    Ok(())
}

fn groups(taken: &mut Taken, near: &Daemon, far: &Daemon) -> Result<()> {
    let made = taken.one(near.home(), &["group", "create", GROUP], "group-made")?;
    taken.one(far.home(), &["group", "join", text_of(&made, "ticket")?], "group-joined")?;
    taken.one(near.home(), &["group", "invite", GROUP], "group-made")?;
    taken.one(near.home(), &["group", "create", ALONE, "--policy", "keyholder", "--public"], "group-made")?;
    taken.one(near.home(), &["group", "create", CLOSED, "--policy", "capability"], "group-made")?;
    taken.one(near.home(), &["group", "grant", CLOSED, far.node()], "group-granted")?;
    taken.one(near.home(), &["group", "revoke", CLOSED, far.node()], "group-revoked")?;
    near.wait_neighbours(GROUP, 1)?;
    far.wait_neighbours(GROUP, 1)?;
    for home in [near.home(), far.home()] {
        taken.one(home, &["group", "ls"], "groups")?;
        taken.one(home, &["group", "show", GROUP], "group")?;
    }
    Ok(())
}

fn nodes(taken: &mut Taken, near: &Daemon, far: &Daemon) -> Result<()> {
    for (home, other) in [(near.home(), far.node()), (far.home(), near.node())] {
        taken.one(home, &["status"], "status")?;
        taken.one(home, &["ping", other], "pong")?;
        taken.one(home, &["peer", other], "peer-detail")?;
        taken.one(home, &["trace", other], "trace")?;
        taken.one(home, &["trace", GROUP], "trace")?;
        taken.one(home, &["peers"], "peers")?;
        taken.one(home, &["key", "show"], "key")?;
        taken.one(home, &["config", "show"], "config")?;
        taken.one(home, &["config", "check"], "config-check")?;
    }
    let (lists, errors) = taken.verb(near.home(), &["peers", "--watch", "--timeout", "1500ms"], "peers", 5)?;
    ensure!(lists.len() >= 2 && errors.len() == 1, "{lists:?} {errors:?}");
    taken.one(near.home(), &["explain"], "explained-list")?;
    taken.one(near.home(), &["explain", "no_daemon"], "explained")?;
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        taken.one(near.home(), &["completion", shell], "completion")?;
    }
    taken.one(near.home(), &["man"], "man")?;
    taken.one(near.home(), &["man", "group", "create"], "man")?;
    Ok(())
}

fn messages(taken: &mut Taken, near: &Daemon, far: &Daemon) -> Result<()> {
    let reader = far.subscribe(GROUP, "oldest")?;
    taken.one(near.home(), &["pub", GROUP, "a word"], "published")?;
    taken.one(near.home(), &["pub", GROUP, "a word on a subject", "--topic", "a/b"], "published")?;
    let printed = publish(near, b"a line\n\xff is no text\n\nafter an empty line\n")?;
    ensure!(taken.take_lines("published", "crosscast pub", &printed)?.len() == 4, "pub printed {printed}");
    until("the other node has every entry", Duration::from_secs(30), || Ok(reader.count() >= 6))?;
    taken.one(far.home(), &["trace", GROUP], "trace")?;
    let entries = reader.entries();
    entries.iter().for_each(|entry| taken.take("entry", "crosscast sub", entry));
    for name in ["topic", "payload", "payload_b64"] {
        ensure!(entries.iter().any(|entry| entry.get(name).is_some()), "no entry has {name}");
    }
    // Published here, and read as one of two groups.
    let both = ["sub", GROUP, ALONE, "--since", "oldest", "--count", "6"];
    ensure!(taken.verb(near.home(), &both, "entry", 0)?.0.len() == 6, "not every entry at home");

    taken.one(near.home(), &["send", far.node(), "to one"], "sent")?;
    let twice = format!("{},{}", far.node(), far.node());
    taken.one(near.home(), &["send", &twice, "to two"], "sent-list")?;
    let inbox = taken.one(far.home(), &["inbox"], "inbox")?;
    // The same node named twice is one recipient.
    ensure!(inbox.get("messages").and_then(Value::as_array).is_some_and(|list| list.len() == 2), "inbox: {inbox}");
    taken.ask(far.home(), ("GET", "/v1/inbox"), b"", "api-inbox")?;
    let followed = taken.verb(far.home(), &["inbox", "--follow", "--timeout", "1s"], "inbox-message", 5)?;
    ensure!(followed.0.len() == 2, "inbox --follow: {followed:?}");
    taken.one(far.home(), &["inbox", "--ack"], "inbox")?;
    services(taken, near, far)
}

/// Services, and what is sent to one.
fn services(taken: &mut Taken, near: &Daemon, far: &Daemon) -> Result<()> {
    let shop = taken.one(far.home(), &["serve", "shop"], "service")?;
    taken.one(near.home(), &["send", text_of(&shop, "service")?, "to a service"], "sent")?;
    let inbox = taken.one(far.home(), &["inbox", "--ack"], "inbox")?;
    let first = inbox.get("messages").and_then(Value::as_array).and_then(|list| list.first());
    ensure!(first.is_some_and(|message| message.get("service") == shop.get("service")), "inbox: {inbox}");
    taken.ask(far.home(), ("POST", "/v1/services"), br#"{"name":"other"}"#, "service")?;
    taken.ask(far.home(), ("GET", "/v1/services"), b"", "services")?;
    taken.one(far.home(), &["serve"], "services")?;
    taken.one(far.home(), &["serve", "shop", "--stop"], "service-stopped")?;
    taken.ask(far.home(), ("DELETE", "/v1/services/other"), b"", "service-stopped")?;
    taken.ask(far.home(), ("POST", &format!("/v1/contacts/{}", near.node())), b"", "api-accepted")?;
    let many = json!({ "to": [far.node(), near.node()], "payload": "to two" }).to_string();
    taken.ask(near.home(), ("POST", "/v1/send"), many.as_bytes(), "sent-list")?;
    for home in [near.home(), far.home()] {
        taken.one(home, &["inbox", "--ack"], "inbox")?;
    }
    Ok(())
}

/// Publishes lines of standard input.
fn publish(daemon: &Daemon, lines: &[u8]) -> Result<String> {
    let mut command = daemon.command();
    command.args(["pub", GROUP, "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn()?;
    child.stdin.take().context("a child without stdin")?.write_all(lines)?;
    Ok(String::from_utf8(child.wait_with_output()?.stdout)?)
}

fn api(taken: &mut Taken, near: &Daemon, far: &Daemon) -> Result<()> {
    let answers = [
        ("/v1/status", "status"),
        ("/v1/peers", "peers"),
        ("/v1/paths", "api-paths"),
        ("/v1/groups", "groups"),
        ("/v1/groups/talk", "group"),
        ("/v1/inbox", "api-inbox"),
        ("/healthz", "api-health"),
        ("/readyz", "api-health"),
        ("/v1/nothing", "error"),
        ("/v1/groups/nothing", "error"),
        ("/v1/groups/talk/invite", "error"),
    ];
    for (path, schema) in answers {
        taken.ask(near.home(), ("GET", path), b"", schema)?;
    }
    taken.ask(near.home(), ("POST", "/v1/groups"), br#"{"name":"by-api"}"#, "group-made")?;
    taken.ask(near.home(), ("POST", "/v1/groups/by-api/invite"), b"", "group-made")?;
    taken.ask(near.home(), ("DELETE", "/v1/groups/by-api"), b"", "group-joined")?;
    taken.ask(near.home(), ("POST", &format!("/v1/ping/{}", far.node())), b"", "pong")?;
    taken.ask(near.home(), ("POST", &format!("/v1/send/{}", far.node())), b"by API", "sent")?;
    let inbox = taken.ask(far.home(), ("GET", "/v1/inbox"), b"", "api-inbox")?;
    let last = inbox.get("messages").and_then(Value::as_array).and_then(|list| list.last()).context("a message")?;
    let through = json!({ "through": text_of(last, "cursor")? }).to_string();
    taken.ask(far.home(), ("POST", "/v1/inbox/ack"), through.as_bytes(), "api-acknowledged")?;

    let path = format!("/v1/groups/{GROUP}/messages");
    taken.ask(near.home(), ("POST", &path), b"by API", "published")?;
    let batch = format!("{path}?batch=lines");
    taken.ask(near.home(), ("POST", &batch), b"one\ntwo\n", "api-published-list")?;
    let lines = format!("short\n{}\n", "x".repeat(TOO_LONG));
    let (_, fates) = http::ask(near.home(), "POST", &format!("{path}?stream=lines"), lines.as_bytes(), WITHIN)?;
    let (first, second) = fates.split_once('\n').with_context(|| format!("one line came back: {fates}"))?;
    taken.take_lines("published", "POST ?stream=lines", first)?;
    ensure!(taken.take_lines("api-line-error", "POST ?stream=lines", second)?.len() == 1, "{fates}");
    Ok(())
}

fn failures(taken: &mut Taken, near: &Daemon, far: &Daemon, site: &Site) -> Result<()> {
    let third = site.dir().join("third");
    taken.fails(&third, &["key", "show"], "no_identity", 1)?;
    taken.one(&third, &["init", "--name", "third"], "init")?;
    let third_node = taken.one(&third, &["key", "show"], "key")?;
    taken.fails(&third, &["init"], "has_identity", 1)?;
    let copy = site.dir().join("third.key");
    taken.one(&third, &["key", "export", &copy.display().to_string()], "key")?;
    taken.one(&site.dir().join("fourth"), &["key", "import", &copy.display().to_string()], "key")?;
    taken.fails(&third, &["status"], "no_daemon", 3)?;
    host_keys(taken, &third, site)?;
    taken.fails(near.home(), &["serve", "nothing", "--stop"], "unknown_service", 1)?;
    taken.fails(near.home(), &["group", "show", "nothing"], "unknown_group", 1)?;
    taken.fails(near.home(), &["group", "join", "nonsense"], "bad_ticket", 2)?;
    taken.fails(near.home(), &["ping", "nonsense"], "bad_key", 2)?;
    taken.fails(near.home(), &["ping", text_of(&third_node, "node")?], "not_linked", 3)?;
    taken.fails(far.home(), &["no-such-verb"], "usage", 2)?;
    let (published, notices) = taken.verb(near.home(), &["pub", ALONE, "to nobody"], "published", 0)?;
    ensure!(published.len() == 1 && notices.len() == 1, "{published:?} {notices:?}");
    taken.one(near.home(), &["group", "leave", ALONE], "group-joined")?;
    Ok(())
}

/// A host node's word for this node, before and after the node's key was another.
fn host_keys(taken: &mut Taken, home: &Path, site: &Site) -> Result<()> {
    // The first test vector of RFC 8032 (section 7.1), seed and public key.
    let (seed, public) = (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    );
    let config = site.dir().join("yggdrasil.conf");
    std::fs::write(&config, json!({ "PrivateKey": format!("{seed}{public}") }).to_string())?;
    let config = config.display().to_string();
    taken.one(home, &["key", "attest", "yggdrasil", "--config", &config], "attestation")?;
    taken.one(home, &["key", "nodeinfo", "yggdrasil", "--config", &config], "nodeinfo")?;
    taken.one(home, &["key", "attest", "show"], "attestations")?;
    taken.one(home, &["key", "rotate"], "key-rotated")?;
    taken.one(home, &["key", "attest", "show"], "attestations")?;
    Ok(())
}

fn demo(taken: &mut Taken) -> Result<()> {
    let mut command = Command::new(&taken.bin);
    command.args(["demo", "--json", "--lines", "5"]).env_remove("NOTIFY_SOCKET");
    let printed = run_within(&mut command, Duration::from_secs(180))?.text()?;
    for line in printed.lines() {
        let value: Value = serde_json::from_str(line).with_context(|| format!("the demo printed `{line}`"))?;
        let schema = match value.get("event").and_then(Value::as_str) {
            Some("node") => "demo-node",
            Some("delivery") => "demo-delivery",
            Some(_) | None => "demo-totals",
        };
        taken.take(schema, "crosscast demo", &value);
    }
    Ok(())
}

fn schemas() -> PathBuf {
    Site::repository().join("docs/spec/json")
}

/// What the reader of schemas says of objects.
fn check(python: &Path, schemas: &Path, objects: &[Value]) -> Result<Value> {
    let script = Site::repository().join("interop-tests/live/check_schemas.py");
    let mut lines = String::new();
    for object in objects {
        writeln!(lines, "{object}")?;
    }
    let mut command = Command::new(python);
    command.arg(script).arg(schemas).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().context("cannot start Python")?;
    child.stdin.take().context("a child without stdin")?.write_all(lines.as_bytes())?;
    let done = child.wait_with_output()?;
    ensure!(done.status.success(), "check_schemas.py failed");
    Ok(serde_json::from_slice(&done.stdout)?)
}

/// Objects as they were taken, each damaged in one place: the check has to have a problem with every one of them.
fn broken(taken: &Taken) -> Result<Vec<Value>> {
    let damages: [(&str, &str, Option<Value>); 6] = [
        ("status", "node", None),
        ("status", "rejects", Some(json!({ "no-such-word": 1 }))),
        ("published", "state", Some(json!("lost"))),
        ("entry", "from", Some(json!("cn"))),
        ("entry", "hops", Some(json!("1"))),
        ("error", "code", Some(json!("no_such_code"))),
    ];
    let mut broken = Vec::new();
    for (schema, member, damage) in damages {
        let is_it = |object: &&Value| object.get("schema").and_then(Value::as_str) == Some(schema);
        let mut object = taken.objects.iter().find(is_it).with_context(|| format!("no {schema}"))?.clone();
        let value = object.get_mut("value").and_then(Value::as_object_mut).context("an object")?;
        match damage {
            Some(damage) => value.insert(member.to_owned(), damage),
            None => value.remove(member),
        };
        broken.push(object);
    }
    Ok(broken)
}

/// The codes that `explain` lists.
fn codes_of(taken: &Taken) -> Result<BTreeSet<String>> {
    let listed = taken.objects.iter().filter(|object| object.get("schema") == Some(&json!("explained")));
    listed.map(|object| Ok(text_of(object.get("value").context("a value")?, "code")?.to_owned())).collect()
}

/// The closed words of a name in the schemas.
fn words_of(schemas: &Path, name: &str) -> Result<BTreeSet<String>> {
    let common: Value = serde_json::from_str(&std::fs::read_to_string(schemas.join("common.schema.json"))?)?;
    let words = common.pointer(&format!("/$defs/{name}/enum")).and_then(Value::as_array);
    let words = words.with_context(|| format!("common.schema.json has no words for {name}"))?;
    words.iter().map(|word| Ok(word.as_str().context("a word")?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosscast_wire::{Network, Order, PathKind, PathReason, Policy, Roles, State};

    fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        words.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_closed_words_of_the_schemas_are_those_of_the_formats() {
        let words = |name| words_of(&schemas(), name).unwrap();
        assert_eq!(words("network"), set(Network::ALL.iter().map(|word| word.word())));
        assert_eq!(words("state"), set(State::ALL.iter().map(|word| word.word())));
        assert_eq!(words("path"), set(PathKind::ALL.iter().map(|word| word.word())));
        assert_eq!(words("reason"), set(PathReason::ALL.iter().map(|word| word.word())));
        assert_eq!(words("order"), set(Order::ALL.iter().map(|word| word.word())));
        assert_eq!(words("policy"), set(Policy::ALL.iter().map(|word| word.word())));
        assert_eq!(words("role"), set(Roles::ALL.words()));
    }

    #[test]
    fn the_refusals_of_the_schemas_are_those_that_status_counts() {
        let text = std::fs::read_to_string(Site::repository().join("src/core/reject.rs")).unwrap();
        let (_, table) = text.split_once("\nrejects! {").unwrap();
        let (table, _) = table.split_once("\n}").unwrap();
        let listed = set(table.lines().filter_map(|line| line.split('"').nth(1)));
        assert_eq!(words_of(&schemas(), "reject").unwrap(), listed);
    }

    #[test]
    fn the_table_of_schemas_names_every_file() {
        let table = std::fs::read_to_string(schemas().join("README.md")).unwrap();
        for entry in std::fs::read_dir(schemas()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name == "README.md" || table.contains(&format!("({name})")), "{name}");
        }
    }
}
