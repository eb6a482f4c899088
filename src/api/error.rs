//! The one shape of a failure: `{code, cause, next}` with the status of its code.
//!
//! Every error of the node's handle is given its code here, so that client and daemon speak of it in the same words.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use crosscast::{Error, HomeError, KeyFileError, Refusal, SettingsError, StartError, StoreError};
use serde::{Deserialize, Serialize};

use crate::Code;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {cause}", code.word())]
pub struct ApiError {
    /// The closed word.
    pub code: Code,
    /// What happened this time, in a sentence without a full stop.
    pub cause: String,
}

impl ApiError {
    /// A failure with its particular cause.
    pub fn new(code: Code, cause: impl Into<String>) -> Self {
        Self { code, cause: cause.into() }
    }

    /// The shape on the wire.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        ErrorBody { code: self.code.word().to_owned(), cause: self.cause.clone(), next: self.code.next().to_owned() }
    }
}

/// A failure as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The word of a [`Code`].
    pub code: String,
    /// What happened.
    pub cause: String,
    /// What to do next.
    pub next: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = crate::text::json(&self.body()).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::UnknownGroup => Code::UnknownGroup,
            Refusal::NotLinked => Code::NotLinked,
            Refusal::NotFound => Code::NobodyAnswers,
            Refusal::Recipients => Code::BadRequest,
            Refusal::UnknownService => Code::UnknownService,
            Refusal::TooLarge => Code::TooLarge,
            Refusal::Empty => Code::Empty,
            Refusal::NotAllowed => Code::NotAllowed,
            Refusal::NoKey => Code::NoKey,
            Refusal::NoRight => Code::NoRight,
            Refusal::NoCapabilities => Code::NoCapabilities,
            Refusal::NobodyAdmits => Code::NobodyAdmits,
            Refusal::NotAdmitted | Refusal::InviteUsed | Refusal::InviteExpired => Code::NotAdmitted,
            Refusal::Busy => Code::Busy,
            Refusal::Limit => Code::Limit,
            Refusal::NameTaken => Code::NameTaken,
            Refusal::BadTicket => Code::BadTicket,
            Refusal::NoHistory => Code::NoHistory,
            Refusal::Unsupported => Code::Unsupported,
            Refusal::Store => Code::StoreFailed,
            Refusal::ShuttingDown => Code::ShuttingDown,
            Refusal::BadName => Code::BadRequest,
            // A reader that is gone is this crate's own mistake.
            Refusal::UnknownReader => Code::Internal,
            // The enum is open.
            _ => Code::Internal,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Refused(refusal) => return (*refusal).into(),
            Error::Ticket(_) => Code::BadTicket,
            Error::Locator { .. } => Code::BadLocator,
            Error::NoTransport(_) => Code::Unsupported,
            Error::Listen { .. } | Error::Transport { .. } => Code::ListenFailed,
            Error::Stopped => Code::ShuttingDown,
            // The enum is open.
            _ => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        let code = match &error {
            StartError::KeyFile(error) => return error.clone().into(),
            StartError::NoIdentity => Code::NoIdentity,
            StartError::Name
            | StartError::Locator { .. }
            | StartError::NoTransport { .. }
            | StartError::Refused { .. } => Code::BadConfig,
            StartError::Store(StoreError::Locked) => Code::AlreadyRunning,
            StartError::Store(_) => Code::StoreFailed,
            StartError::Listen { .. } | StartError::Transport { .. } => Code::ListenFailed,
            StartError::System(_) => Code::Io,
            StartError::TwoTransports(_) | StartError::Stopped => Code::Internal,
            // The enum is open.
            _ => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<KeyFileError> for ApiError {
    fn from(error: KeyFileError) -> Self {
        let code = match &error {
            KeyFileError::Missing(_) => Code::NoIdentity,
            KeyFileError::Exists(_) => Code::HasIdentity,
            KeyFileError::Exposed { .. } => Code::KeyMode,
            KeyFileError::Damaged { .. } | KeyFileError::System { .. } => Code::KeyFile,
            KeyFileError::Random => Code::Io,
            // The enum is open.
            _ => Code::KeyFile,
        };
        Self::new(code, error.to_string())
    }
}

impl From<SettingsError> for ApiError {
    fn from(error: SettingsError) -> Self {
        let code = match &error {
            SettingsError::Read { kind: std::io::ErrorKind::NotFound, .. } => Code::NoIdentity,
            SettingsError::Read { .. } => Code::Io,
            SettingsError::Syntax { .. } | SettingsError::Value { .. } => Code::BadConfig,
            // The enum is open.
            _ => Code::BadConfig,
        };
        Self::new(code, error.to_string())
    }
}

impl From<HomeError> for ApiError {
    fn from(error: HomeError) -> Self {
        let code = match &error {
            HomeError::Unknown => Code::Usage,
            HomeError::Create { .. } => Code::Io,
            // The enum is open.
            _ => Code::Io,
        };
        Self::new(code, error.to_string())
    }
}
