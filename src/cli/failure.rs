//! How a verb fails: a code, a cause, a next step, and the exit code that goes with them.

use std::fmt;

use crosscast_api::{ApiError, Code, ErrorBody, Exit, shown};

/// A failure as the user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) cause: String,
    pub(crate) next: String,
    pub(crate) exit: Exit,
}

impl Failure {
    pub(crate) fn new(code: Code, cause: impl Into<String>) -> Self {
        Self { code: code.word().to_owned(), cause: cause.into(), next: code.next().to_owned(), exit: code.exit() }
    }

    /// What the system said about a file or stream.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(Code::Io, format!("{what}: {error}"))
    }

    /// What the daemon answered; a code of a newer daemon is passed on as it is.
    pub(crate) fn answered(body: ErrorBody) -> Self {
        let exit = Code::from_word(&body.code).map_or(Exit::Failed, Code::exit);
        Self { code: body.code, cause: body.cause, next: body.next, exit }
    }

    /// Whether it is this code.
    pub(crate) fn is(&self, code: Code) -> bool {
        self.code == code.word()
    }

    /// Tells it on stderr as something to know rather than a failure.
    pub(crate) fn tell_notice(&self, json: bool) {
        if json {
            self.tell(true);
        } else {
            eprintln!("note[{}]: {}\n  next: {}", shown(&self.code), shown(&self.cause), shown(&self.next));
        }
    }

    /// Tells it on stderr: as text, or as one JSON object.
    pub(crate) fn tell(&self, json: bool) {
        if json {
            let body = ErrorBody { code: self.code.clone(), cause: self.cause.clone(), next: self.next.clone() };
            eprintln!("{}", crosscast_api::json(&body).unwrap_or_default());
        } else {
            eprintln!("{self}");
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}\n  next: {}", shown(&self.code), shown(&self.cause), shown(&self.next))
    }
}

impl std::error::Error for Failure {}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::new(error.code, error.cause)
    }
}
