//! Admin servers that no daemon would be: too long, too slow, wrong in every way.
//!
//! Some behave in a look, as the node of [`Hostile::ADDRESS`], and are hostile to whoever asks what other nodes have.

use std::net::Ipv6Addr;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Caller, Recording};

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostile {
    /// Answers with a legal object of ten megabytes.
    LongReply,
    /// Begins an answer that never ends.
    Endless,
    /// Says nothing but white space, for ever.
    EndlessSpace,
    /// Says a legal answer, a byte every half second.
    Drip,
    /// Says bytes that are no JSON.
    Garbage,
    /// Answers in the right form, with every field of another type.
    WrongTypes,
    /// The same, but with a list of requests as it should be.
    WrongTypesButList,
    /// Nests a hundred thousand lists.
    Deep,
    /// Stops in the middle of an answer and closes.
    Truncated,
    /// Closes before it has read a byte.
    ClosesAtOnce,
    /// Takes the request and never answers.
    NeverAnswers,
    /// Says no to everything.
    SaysNo,
    /// Behaves in a look, but its lists are as full of peers, and these of words, as most that is read.
    FullLists,
    /// Behaves in a look; answers of other nodes are of ten megabytes.
    FloodsInSurvey,
    /// Behaves in two looks; answers of other nodes, and of peers from then on, come at once up to shortly before what is
    /// too long, and drip from there.
    HoardsInSurvey,
}

/// Bytes of a list that is not too long yet, and of an answer of another node.
const LIST: usize = 310 * 1024;
const REMOTE: usize = 44 * 1024;

impl Hostile {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::LongReply,
        Self::Endless,
        Self::EndlessSpace,
        Self::Drip,
        Self::Garbage,
        Self::WrongTypes,
        Self::WrongTypesButList,
        Self::Deep,
        Self::Truncated,
        Self::ClosesAtOnce,
        Self::NeverAnswers,
        Self::SaysNo,
        Self::FullLists,
        Self::FloodsInSurvey,
        Self::HoardsInSurvey,
    ];

    /// The address of those that behave in a look: where this machine has it, they are asked about other nodes.
    pub const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x201, 0x2222, 0x2222, 0x2222, 0x2222, 0x2222, 0x2222, 0x2222);

    /// Whether it behaves in a look.
    #[must_use]
    pub fn behaves_in_a_look(self) -> bool {
        matches!(self, Self::FullLists | Self::FloodsInSurvey | Self::HoardsInSurvey)
    }

    pub(super) fn serve(self, caller: &mut Caller) {
        if self == Self::ClosesAtOnce {
            return;
        }
        let Some(request) = caller.hear_object() else { return };
        match self {
            Self::LongReply => long_reply(caller, 10_000_000),
            Self::Endless => {
                let filling = [b'a'; 64 * 1024];
                caller.say(br#"{"status":"success","response":{"list":[""#);
                while caller.say(&filling) {}
            }
            Self::EndlessSpace => while caller.say(&[b' '; 64 * 1024]) {},
            Self::Drip => {
                for byte in Recording::of("0.5.14").answer("list") {
                    if !caller.say(&[*byte]) || !caller.rest(Duration::from_millis(500)) {
                        return;
                    }
                }
            }
            Self::Garbage => {
                caller.say(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\0\xff\xfe");
            }
            Self::WrongTypes => wrong(caller, &request, false),
            Self::WrongTypesButList => wrong(caller, &request, true),
            Self::Deep => {
                let deep = format!(r#"{{"status":"success","response":{{"list":{}"#, "[".repeat(100_000));
                caller.say(format!("{deep}{}}}}}", "]".repeat(100_000)).as_bytes());
            }
            Self::Truncated => {
                let answer = Recording::of("0.5.14").answer("list").to_vec();
                caller.say(&answer[..answer.len() / 2]);
            }
            Self::ClosesAtOnce => {}
            Self::NeverAnswers => while caller.rest(Duration::from_secs(1)) {},
            Self::SaysNo => {
                caller.say(br#"{"status":"error","error":"go away\u001b[31m","request":null,"response":null}"#);
            }
            Self::FullLists | Self::FloodsInSurvey | Self::HoardsInSurvey => self.behave(caller, &request),
        }
    }

    /// Answers as the node of [`Self::ADDRESS`], up to what it is hostile in.
    fn behave(self, caller: &mut Caller, request: &str) {
        let asked: Value = serde_json::from_str(request).unwrap_or_default();
        let (name, of) = (asked["request"].as_str().unwrap_or_default(), asked["arguments"]["key"].as_str());
        let peer = |number: u8| json!({"up": true, "key": key(number), "remote": "tls://[::1]:1"});
        let response = match (self, name) {
            (_, "list") => json!({"list": ["getself", "gettree", "debug_remotegetpeers"]}),
            (_, "getself") => json!({"key": key(0x77), "address": Self::ADDRESS.to_string()}),
            (_, "gettun") => json!({"enabled": true, "mtu": 65535}),
            (Self::FullLists, _) => return full(caller),
            (Self::FloodsInSurvey, "getpeers") => json!({"peers": (0x10..0x50).map(peer).collect::<Vec<_>>()}),
            (Self::HoardsInSurvey, "getpeers") if caller.times_heard(r#""getpeers""#) <= 2 => {
                json!({"peers": (0x10..0x50).map(peer).collect::<Vec<_>>()})
            }
            (Self::HoardsInSurvey, "getpeers") => return hoard(caller, "peers", LIST),
            (Self::HoardsInSurvey, _) => return hoard(caller, of.unwrap_or("sessions"), REMOTE),
            (_, _) => return hoard(caller, of.unwrap_or("sessions"), 10_000_000),
        };
        caller.say(json!({"status": "success", "request": asked, "response": response}).to_string().as_bytes());
    }
}

/// The key of a node that never was.
fn key(number: u8) -> String {
    format!("{number:02x}").repeat(32)
}

/// Says peers, all down, of which each says why.
fn full(caller: &mut Caller) {
    let peer = br#"{"up":false,"key":"1111111111111111111111111111111111111111111111111111111111111111","remote":"tls://[2001:db8:2222:3333:4444:5555:6666:7777]:65535/a/path/as/long/as/is/shown/of/one/or/longer","last_error":"dial tcp [2001:db8:2222:3333:4444:5555:6666:7777]:65535: connect: connection refused"},"#;
    let mut going = caller.say(br#"{"status":"success","response":{"peers":["#);
    for _ in 0..LIST / peer.len() {
        going = going && caller.say(peer);
    }
    caller.say(br#"{"up":false}]}}"#);
}

/// Says an answer that is legal up to there in so many bytes, and drips on for ever.
fn hoard(caller: &mut Caller, name: &str, bytes: usize) {
    let piece = [b'a'; 1024];
    let mut going = caller.say(format!(r#"{{"status":"success","response":{{"{name}":{{"x":[""#).as_bytes());
    for _ in 0..bytes / (piece.len() + 3) {
        going = going && caller.say(&piece) && caller.say(br#"",""#);
    }
    while going && caller.rest(Duration::from_millis(500)) {
        going = caller.say(b"a");
    }
}

/// Says a legal list of requests of at least this many bytes.
fn long_reply(caller: &mut Caller, bytes: usize) {
    let entry = br#"{"command":"getself","description":"Show details about this node"},"#;
    let piece = entry.repeat(1000);
    let mut going = caller.say(br#"{"status":"success","request":null,"response":{"list":["#);
    let mut left = bytes;
    while going && left > 0 {
        going = caller.say(&piece);
        left = left.saturating_sub(piece.len());
    }
    caller.say(br#"{"command":"getpeers"}]}}"#);
}

/// Says what was recorded, with everything below the response turned into another type.
fn wrong(caller: &mut Caller, request: &str, but_list: bool) {
    let asked: Value = serde_json::from_str(request).unwrap_or_default();
    let name = asked["request"].as_str().unwrap_or_default();
    let recording = Recording::of("0.5.14");
    let name = recording.names().find(|own| *own == name).unwrap_or("unknown-action").to_owned();
    let mut answer: Value = serde_json::from_slice(recording.answer(&name)).unwrap();
    if name != "list" || !but_list {
        answer["response"] = turned(&answer["response"]);
    }
    caller.say(answer.to_string().as_bytes());
}

fn turned(value: &Value) -> Value {
    match value {
        Value::Null => json!([null]),
        Value::Bool(own) => json!(own.to_string()),
        Value::Number(own) => json!({ "number": own }),
        Value::String(own) => json!([own]),
        Value::Array(items) => json!({ "items": items.len() }),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), turned(value))).collect(),
    }
}
