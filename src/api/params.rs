//! Query parameters, read strictly: an unknown one is an error, so that a misspelt option is never silently ignored.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use crosscast_wire::Class;
use std::time::Duration;

use crate::{ApiError, Code};

/// The query of a request, in order and with repetitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map(|Query(pairs)| Self(pairs))
            .map_err(|error| bad(format!("the query does not parse: {error}")))
    }
}

impl Params {
    /// Refuses parameters other than these.
    pub(crate) fn only(&self, names: &[&str]) -> Result<(), ApiError> {
        match self.0.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => Err(bad(format!("unknown parameter `{name}`; known here: {}", names.join(", ")))),
        }
    }

    /// The last value of a parameter.
    pub(crate) fn get(&self, wanted: &str) -> Option<&str> {
        self.0.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter.
    pub(crate) fn all<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// An entry key.
    pub(crate) fn entry_key(&self) -> Result<Option<[u8; 16]>, ApiError> {
        self.get("key").map(parse_entry_key).transpose()
    }

    /// A number of milliseconds.
    pub(crate) fn millis(&self, name: &str) -> Result<Option<Duration>, ApiError> {
        let parse = |value: &str| value.parse().map(Duration::from_millis);
        let value = self.get(name).map(parse).transpose();
        value.map_err(|_| bad(format!("`{name}` is a whole number of milliseconds")))
    }

    /// A class of urgency that applications may use; normal when absent.
    pub(crate) fn class(&self) -> Result<Class, ApiError> {
        parse_class(self.get("class"))
    }

    /// What to wait for; `sent` when absent.
    pub(crate) fn wait(&self) -> Result<Wait, ApiError> {
        Wait::parse(self.get("wait"))
    }
}

/// What the caller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The daemon has it.
    Accepted,
    /// A next hop has acknowledged it.
    Sent,
}

impl Wait {
    /// Reads the word; `sent` when absent.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        match text {
            None | Some("sent") => Ok(Self::Sent),
            Some("accepted") => Ok(Self::Accepted),
            Some(_) => Err(bad("`wait` is accepted or sent")),
        }
    }
}

/// Reads a class of urgency that applications may use; normal when absent.
pub(crate) fn parse_class(text: Option<&str>) -> Result<Class, ApiError> {
    match text.map(Class::from_word) {
        None => Ok(Class::Normal),
        Some(Some(class @ (Class::Urgent | Class::Normal | Class::Bulk | Class::Realtime))) => Ok(class),
        Some(Some(Class::Control) | None) => Err(bad("`class` is urgent, normal, bulk or realtime")),
    }
}

/// Reads an entry key: 32 hexadecimal digits, also in the form of a UUID, also in quotes as a header has it.
pub(crate) fn parse_entry_key(text: &str) -> Result<[u8; 16], ApiError> {
    let wrong = || ApiError::new(Code::BadEntryKey, format!("`{}` is no entry key", crate::text::shown(text)));
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let mut digits = quoted.unwrap_or(text).chars().filter(|letter| *letter != '-');
    let mut key = [0; 16];
    for byte in &mut key {
        let mut digit = || digits.next().and_then(|digit| digit.to_digit(16)).ok_or_else(wrong);
        *byte = u8::try_from(digit()? << 4 | digit()?).map_err(|_| wrong())?;
    }
    if digits.next().is_some() { Err(wrong()) } else { Ok(key) }
}

fn bad(cause: impl Into<String>) -> ApiError {
    ApiError::new(Code::BadRequest, cause)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn an_entry_key_is_sixteen_bytes_however_it_is_written() {
        let key = *b"\x8e\x03\x97\x8e\x40\xd5\x43\xdd\xbc\x93\x68\x94\xa5\x7f\x93\x24";
        for text in [
            "8e03978e40d543ddbc936894a57f9324",
            "8E03978E-40D5-43DD-BC93-6894A57F9324",
            "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"",
        ] {
            assert_eq!(parse_entry_key(text), Ok(key), "{text}");
        }
        for wrong in
            ["", "8e03", "8e03978e40d543ddbc936894a57f932", "8e03978e40d543ddbc936894a57f93244", "\"8e", "not a key"]
        {
            assert_eq!(parse_entry_key(wrong).unwrap_err().code, Code::BadEntryKey, "{wrong}");
        }
    }
}
