//! Admin servers that no daemon would be: too long, too slow, wrong in every way.

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
}

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
    ];

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
        }
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
