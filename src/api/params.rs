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

    /// A number of milliseconds.
    pub(crate) fn millis(&self, name: &str) -> Result<Option<Duration>, ApiError> {
        let parse = |value: &str| value.parse().map(Duration::from_millis);
        let value = self.get(name).map(parse).transpose();
        value.map_err(|_| bad(format!("`{name}` is a whole number of milliseconds")))
    }

    /// A class of urgency that applications may use; normal when absent.
    pub(crate) fn class(&self) -> Result<Class, ApiError> {
        match self.get("class").map(Class::from_word) {
            None => Ok(Class::Normal),
            Some(Some(class @ (Class::Urgent | Class::Normal | Class::Bulk | Class::Realtime))) => Ok(class),
            Some(Some(Class::Control) | None) => Err(bad("`class` is urgent, normal, bulk or realtime")),
        }
    }

    /// What to wait for; `sent` when absent.
    pub(crate) fn wait(&self) -> Result<Wait, ApiError> {
        match self.get("wait") {
            None | Some("sent") => Ok(Wait::Sent),
            Some("accepted") => Ok(Wait::Accepted),
            Some(_) => Err(bad("`wait` is accepted or sent")),
        }
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

fn bad(cause: impl Into<String>) -> ApiError {
    ApiError::new(Code::BadRequest, cause)
}
