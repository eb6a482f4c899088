//! Nodes that the host node knows: each is told to the node once in a while, never more than it can look at.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use crosscast_transport::Reporter;
use crosscast_wire::Locator;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::sight::{Sight, attached};
use super::{DEFAULT_PORT, Host, Neighbour, OverlayConfig};
use crate::address::at;

/// For how long a neighbour that was told is no news: ten minutes, so that one that starts to run a node is found while
/// whoever started it still looks.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Neighbours remembered: 1,024, well above what a host node lists. What does not fit waits for others to be forgotten.
const REMEMBERED_MAX: usize = 1024;

/// Neighbours told at once: 32, so that a host node with many neighbours does not fill the dials.
const TOLD_MAX: usize = 32;

/// Longest wait for the host node's list.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Tells the node of neighbours until dropped.
pub(super) async fn keep_finding<H: Host>(host: &H, config: &OverlayConfig, mut sight: Sight, reporter: Reporter) {
    let mut told = Told::default();
    loop {
        let here = match sight.wait_for(|seen| seen.as_ref().is_some_and(|seen| attached(seen).is_some())).await {
            Ok(seen) => seen.as_ref().and_then(attached),
            Err(_) => return,
        };
        let neighbours = timeout(ANSWER_MAX, host.neighbours()).await.unwrap_or_default();
        let others = neighbours.into_iter().filter(|one| Some(one.address) != here && host.is_address(one.address));
        for news in told.news(others, Instant::now()) {
            if let Some(locator) = locator(host, config, &news) {
                debug!(%locator, "found");
                reporter.found(locator);
            }
        }
        sleep(config.looks.neighbours).await;
    }
}

fn locator<H: Host>(host: &H, config: &OverlayConfig, neighbour: &Neighbour) -> Option<Locator> {
    let usual = if config.port == 0 { DEFAULT_PORT } else { config.port };
    let address = SocketAddr::new(neighbour.address.into(), neighbour.port.unwrap_or(usual));
    let locator = at(host.scheme(), address)?;
    Some(match neighbour.node {
        Some(node) => locator.with_node(node),
        None => locator,
    })
}

/// Who was told, and when.
#[derive(Debug, Default)]
struct Told(BTreeMap<Neighbour, Instant>);

impl Told {
    /// Those of the neighbours that are news now; they are told then.
    fn news(&mut self, neighbours: impl Iterator<Item = Neighbour>, now: Instant) -> Vec<Neighbour> {
        self.0.retain(|_, told| now.saturating_duration_since(*told) < REMEMBERED);
        let mut news = Vec::new();
        for neighbour in neighbours {
            if news.len() >= TOLD_MAX || self.0.len() >= REMEMBERED_MAX {
                break;
            }
            if !self.0.contains_key(&neighbour) {
                self.0.insert(neighbour.clone(), now);
                news.push(neighbour);
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn neighbours(count: u16) -> impl Iterator<Item = Neighbour> {
        (0..count).map(|n| Neighbour {
            address: std::net::Ipv6Addr::from([0x200, 0, 0, 0, 0, 0, 0, n]),
            port: None,
            node: None,
        })
    }

    #[test]
    fn a_neighbour_is_told_once_in_ten_minutes_and_no_more_than_fits() {
        let (mut told, start) = (Told::default(), Instant::now());
        assert_eq!(told.news(neighbours(3), start).len(), 3);
        assert_eq!(told.news(neighbours(4), start + Duration::from_secs(599)).len(), 1);
        assert_eq!(told.news(neighbours(4), start + Duration::from_secs(600)).len(), 3);
        let most = TOLD_MAX + 4;
        assert_eq!(told.news(neighbours(2000), start + Duration::from_secs(601)).len(), TOLD_MAX);
        assert_eq!(told.0.len(), most);
        for _ in 0..100 {
            told.news(neighbours(2000), start + Duration::from_secs(602));
        }
        assert_eq!(told.0.len(), REMEMBERED_MAX);
        assert_eq!(told.news(neighbours(2000), start + Duration::from_secs(700)).len(), 0);
        assert_eq!(told.news(neighbours(2000), start + Duration::from_secs(1300)).len(), TOLD_MAX);
    }
}
