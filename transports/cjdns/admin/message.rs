//! Requests and replies of the admin interface as bytes; no socket here.
//!
//! A request that needs the password carries a cookie and a hash: first that of password and cookie, then, in its place,
//! that of the whole request with the first one in it. cjdns looks for the hash in the request as a C string would be
//! searched, so that a zero byte anywhere breaks it: arguments are printable ASCII. A reply repeats the request's txid.

use sha2::{Digest as _, Sha256};

use crate::CjdnsError;
use crate::bencode::{Dict, Value};
use crate::config::Password;

/// Longest text argument, in bytes. 256: a signature has 156, and cjdns up to 22.1 takes requests of at most 512 bytes.
const TEXT_MAX: usize = 256;

/// Most digits of a cookie; a u32 has ten.
const COOKIE_MAX: usize = 10;

/// Longest part of an error's text that is kept, in bytes: 40, so that it fits into a report's detail when every byte of
/// it has to be escaped.
const ERROR_MAX: usize = 40;

/// What a wrong password, a wrong hash and an old cookie are all answered with.
const AUTH_FAILED: &[u8] = b"Auth failed.";

/// How the answer begins to a call that does not exist, or is not for those without the password.
const NO_SUCH_CALL: &[u8] = b"No functions matched";

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg<'a> {
    Int(i64),
    Text(&'a str),
}

/// A call: the function's name and its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) function: &'a str,
    pub(super) args: &'a [(&'a str, Arg<'a>)],
}

impl<'a> Call<'a> {
    pub(super) const fn new(function: &'a str, args: &'a [(&'a str, Arg<'a>)]) -> Self {
        Self { function, args }
    }

    /// The request without a password.
    pub(super) fn plain(self, txid: &Txid) -> Result<Vec<u8>, CjdnsError> {
        let mut request = txid.put(Dict::default()).with("q", text(self.function));
        if !self.args.is_empty() {
            request = request.with("args", self.args()?);
        }
        Ok(request.to_text())
    }

    /// The request with the proof that we know the password.
    pub(super) fn authenticated(
        self,
        txid: &Txid,
        cookie: &Cookie,
        password: &Password,
    ) -> Result<Vec<u8>, CjdnsError> {
        let request = |hash: &str| {
            let head = Dict::default().with("q", text("auth")).with("aq", text(self.function));
            let body = txid.put(head).with("args", self.args()?).with("cookie", text(&cookie.0));
            Ok(body.with("hash", text(hash)).to_text())
        };
        let first = Sha256::new().chain_update(password.as_bytes()).chain_update(&cookie.0).finalize();
        let unhashed = request(&hex(&first))?;
        request(&hex(&Sha256::digest(unhashed)))
    }

    fn args(self) -> Result<Value<'a>, CjdnsError> {
        let mut dict = Dict::default();
        for (name, arg) in self.args {
            let value = match *arg {
                Arg::Int(number) => Value::Int(number),
                Arg::Text(words) if is_sendable(words) => text(words),
                Arg::Text(_) => return Err(CjdnsError::Argument),
            };
            dict = dict.with(name, value);
        }
        Ok(Value::Dict(dict))
    }
}

fn text(words: &str) -> Value<'_> {
    Value::Bytes(words.as_bytes())
}

fn is_sendable(words: &str) -> bool {
    (1..=TEXT_MAX).contains(&words.len()) && words.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What ties a reply to its request: nobody who does not see the request can guess it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Txid(String);

impl Txid {
    pub(super) fn draw() -> Result<Self, CjdnsError> {
        let number = getrandom::u64().map_err(|_| CjdnsError::NoRandomness)?;
        Ok(Self(format!("{number:016x}")))
    }

    fn put<'a>(&'a self, dict: Dict<'a>) -> Dict<'a> {
        dict.with("txid", text(&self.0))
    }

    /// Whether a reply is to this request.
    pub(super) fn is_in(&self, reply: &Dict<'_>) -> bool {
        reply.bytes("txid") == Some(self.0.as_bytes())
    }
}

/// What cjdns gave for one authenticated call.
#[derive(Clone, Debug)]
pub(super) struct Cookie(String);

impl Cookie {
    pub(super) fn of(reply: &Dict<'_>) -> Result<Self, CjdnsError> {
        reply
            .bytes("cookie")
            .filter(|cookie| (1..=COOKIE_MAX).contains(&cookie.len()))
            .filter(|cookie| cookie.iter().all(u8::is_ascii_digit))
            .map(|cookie| Self(cookie.escape_ascii().to_string()))
            .ok_or(CjdnsError::Garbled("no cookie"))
    }
}

/// What a reply comes to: its `error` is absent or `none`, or it is a refusal.
pub(super) fn refusal(reply: &Dict<'_>) -> Result<(), CjdnsError> {
    match reply.get("error").map(Value::as_bytes) {
        None | Some(Some(b"none")) => Ok(()),
        Some(Some(AUTH_FAILED)) => Err(CjdnsError::WrongPassword),
        Some(Some(words)) if words.starts_with(NO_SUCH_CALL) => Err(CjdnsError::NoSuchCall),
        Some(Some(words)) => {
            let words = words.get(..ERROR_MAX).unwrap_or(words);
            Err(CjdnsError::Refused(words.escape_ascii().to_string()))
        }
        Some(None) => Err(CjdnsError::Garbled("an error that is no text")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::fs;

    use super::*;

    /// A recorded request.
    fn recorded(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop-tests/fixtures/cjdns-22.1");
        fs::read(format!("{folder}/{name}.req")).unwrap()
    }

    fn txid(number: u32) -> Txid {
        Txid(format!("t{number}"))
    }

    fn lab_password() -> Password {
        Password::new("lab-admin-password".to_owned()).unwrap()
    }

    #[test]
    fn requests_are_written_as_they_were_recorded() {
        let none: &[(&str, Arg<'_>)] = &[];
        let page = [("page", Arg::Int(0))];
        let unknown = [("ip", Arg::Text("fc00:0000:0000:0000:0000:0000:0000:0001"))];
        for (name, function, args, number) in [
            ("ping", "ping", none, 1),
            ("cookie", "cookie", none, 2),
            ("Core_nodeInfo", "Core_nodeInfo", none, 20),
            ("InterfaceController_peerStats", "InterfaceController_peerStats", &page, 24),
            ("NodeStore_nodeForAddr-unknown", "NodeStore_nodeForAddr", &unknown, 34),
        ] {
            assert_eq!(Call::new(function, args).plain(&txid(number)).unwrap(), recorded(name), "{name}");
        }
    }

    #[test]
    fn hashes_come_out_as_they_were_recorded() {
        let sign = [("msgHash", Arg::Text("a1fafd4eb6a80bafebea149ef2f935eaf5f3b27b8924b3aeb34262ddf9176215"))];
        let none: &[(&str, Arg<'_>)] = &[];
        for (name, function, args, number, cookie) in [
            ("Core_nodeInfo-auth", "Core_nodeInfo", none, 22, "1753103204"),
            ("auth-cookie-reused", "Core_pid", none, 6, "1753103204"),
            ("Sign_sign", "Sign_sign", &sign, 81, "1753103206"),
        ] {
            let cookie = Cookie(cookie.to_owned());
            let request = Call::new(function, args).authenticated(&txid(number), &cookie, &lab_password());
            assert_eq!(request.unwrap(), recorded(name), "{name}");
        }
        let cookie = Cookie("1753103204".to_owned());
        let wrong = Password::new("wrong-password".to_owned()).unwrap();
        let request = Call::new("Core_pid", none).authenticated(&txid(5), &cookie, &wrong);
        assert_eq!(request.unwrap(), recorded("auth-wrong-password"));
    }

    #[test]
    fn only_printable_arguments_are_sent() {
        for bad in ["", "a\0b", "line\n", "caf\u{e9}", &"x".repeat(257)] {
            let args = [("msgHash", Arg::Text(bad))];
            let cookie = Cookie("1".to_owned());
            assert_eq!(Call::new("f", &args).plain(&txid(1)), Err(CjdnsError::Argument), "{bad:?}");
            let authenticated = Call::new("f", &args).authenticated(&txid(1), &cookie, &lab_password());
            assert_eq!(authenticated, Err(CjdnsError::Argument));
        }
    }

    #[test]
    fn a_txid_is_not_used_twice() {
        assert_ne!(Txid::draw().unwrap(), Txid::draw().unwrap());
        let mine = txid(1);
        assert!(mine.is_in(&Dict::read(b"d4:txid2:t1e").unwrap()));
        for other in [b"d4:txid2:t2e".as_slice(), b"d4:txidi1ee", b"de"] {
            assert!(!mine.is_in(&Dict::read(other).unwrap()));
        }
    }

    #[test]
    fn a_cookie_is_a_number_of_at_most_ten_digits() {
        assert_eq!(Cookie::of(&Dict::read(b"d000006:cookie10:1753103204e").unwrap()).unwrap().0, "1753103204");
        for bad in [b"de".as_slice(), b"d6:cookiei1ee", b"d6:cookie0:e", b"d6:cookie11:17531032041e", b"d6:cookie2:1 e"]
        {
            assert!(Cookie::of(&Dict::read(bad).unwrap()).is_err());
        }
    }

    #[test]
    fn errors_say_whose_they_are() {
        let of = |text: &[u8]| refusal(&Dict::read(text).unwrap());
        assert_eq!(of(b"de"), Ok(()));
        assert_eq!(of(b"d5:error4:nonee"), Ok(()));
        assert_eq!(of(b"d0000005:error12:Auth failed.e"), Err(CjdnsError::WrongPassword));
        assert_eq!(
            of(b"d5:error65:No functions matched your request, try Admin_availableFunctions()e"),
            Err(CjdnsError::NoSuchCall)
        );
        assert_eq!(of(b"d5:error5:\xff\n\x1bAAe"), Err(CjdnsError::Refused(r"\xff\n\x1bAA".to_owned())));
        assert_eq!(of(b"d5:errori1ee"), Err(CjdnsError::Garbled("an error that is no text")));
        let long = format!("d5:error500:{}e", "x".repeat(500));
        assert_eq!(of(long.as_bytes()), Err(CjdnsError::Refused("x".repeat(ERROR_MAX))));
    }
}
