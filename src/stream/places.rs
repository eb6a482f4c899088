//! Places for links and for dials, the same for every protocol here: who has none is refused at once.
//!
//! A dial takes a place of each kind, so that one that succeeds has a place for its link; the link keeps that one.

use core::future::Future;
use std::sync::Arc;

use crosscast_port::{DialError, DialId};
use crosscast_transport::Reporter;
use crosscast_wire::Locator;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::debug;

use crate::Limits;

/// A place among the links, for as long as it is held.
pub type LinkPlace = OwnedSemaphorePermit;

/// What is left of the places of one transport.
#[derive(Clone, Debug)]
pub struct Places {
    links: Arc<Semaphore>,
    dials: Arc<Semaphore>,
}

impl Places {
    /// Makes the places of one transport.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { links: Arc::new(Semaphore::new(limits.links)), dials: Arc::new(Semaphore::new(limits.dials)) }
    }

    /// A place for a link that was accepted.
    #[must_use]
    pub fn for_link(&self) -> Option<LinkPlace> {
        Arc::clone(&self.links).try_acquire_owned().ok()
    }

    /// Places for a dial; without them it has failed.
    #[must_use]
    pub fn for_dial(&self, dial: DialId, reporter: &Reporter) -> Option<Dialling> {
        let place = Arc::clone(&self.dials).try_acquire_owned().ok();
        let Some((place, link)) = place.and_then(|place| Some((place, self.for_link()?))) else {
            reporter.dial_failed(dial, DialError::Full);
            return None;
        };
        Some(Dialling { dial, place, link })
    }
}

/// A dial under way: its place among the dials and one among the links.
#[derive(Debug)]
pub struct Dialling {
    dial: DialId,
    place: OwnedSemaphorePermit,
    link: LinkPlace,
}

impl Dialling {
    /// Waits for what comes of it, and says so when it failed.
    pub async fn end<C>(
        self,
        attempt: impl Future<Output = Result<C, DialError>>,
        locator: &Locator,
        reporter: &Reporter,
    ) -> Option<(C, LinkPlace)> {
        let Self { dial, place, link } = self;
        match attempt.await {
            Ok(channel) => {
                drop(place);
                Some((channel, link))
            }
            Err(error) => {
                debug!(%locator, ?error, "dial failed");
                reporter.dial_failed(dial, error);
                None
            }
        }
    }
}
