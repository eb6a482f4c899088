//! What a drill measured, and whether that is enough.

use std::fmt::Write as _;

/// Times in milliseconds, from the least to the most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Millis {
    sorted: Vec<u64>,
}

impl Millis {
    /// Of times in microseconds.
    #[must_use]
    pub fn of_micros(times: impl IntoIterator<Item = u64>) -> Self {
        let mut sorted: Vec<u64> = times.into_iter().map(|micros| micros.div_ceil(1_000)).collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.sorted.len() as u64
    }

    /// The time that so many of a hundred stay within; 0 of none.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> u64 {
        let rank = self.count().saturating_mul(percent).div_ceil(100).max(1);
        let at = usize::try_from(rank.saturating_sub(1)).unwrap_or(usize::MAX);
        self.sorted.get(at).or(self.sorted.last()).copied().unwrap_or(0)
    }

    /// How many stay within a time.
    #[must_use]
    pub fn within(&self, millis: u64) -> u64 {
        self.sorted.partition_point(|time| *time <= millis) as u64
    }

    fn json(&self) -> String {
        let (count, p50, p95, max) = (self.count(), self.percentile(50), self.percentile(95), self.percentile(100));
        format!("{{\"count\":{count},\"p50\":{p50},\"p95\":{p95},\"max\":{max}}}")
    }
}

/// Rights taken back while a quarter of a mesh is away for an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocation {
    /// Its seed.
    pub seed: u64,
    /// Honest nodes.
    pub nodes: u64,
    /// Pairs of them that attach to each other.
    pub edges: u64,
    /// Most links between the maker and a node.
    pub depth: u64,
    /// Members, and how many of them were let in by an invite over the network, by an offline ticket, by their key.
    pub admitted: (u64, u64, u64, u64),
    /// Nodes that are away, and those that are connected with the revoker meanwhile.
    pub away: u64,
    /// See [`Self::away`].
    pub connected: u64,
    /// Whether a holder of `revoke` took the rights back, and not the maker.
    pub by_holder: bool,
    /// From the command to the floor record in force at a connected node.
    pub floor: Millis,
    /// From the command to the new content key at a connected node.
    pub key: Millis,
    /// At nodes that were away and have a link of their own to one that was not: from link-up to the floor record.
    pub floor_after_link: Millis,
    /// How many of them took longer than a round trip of that link, its jitter and two checks: a packet was lost.
    pub slow_after_link: u64,
    /// The same in round trips of that link, in thousandths.
    pub round_trips_milli: Millis,
    /// At all nodes that were away: from the first link-up of their part of the network to the floor record.
    pub floor_after_return: Millis,
    /// The same to the new content key.
    pub key_after_return: Millis,
    /// From the healed path to the first link-up of a part: how long redialling waits.
    pub return_wait: Millis,
    /// Messages that members published.
    pub published: u64,
    /// Pairs of message and member that had to be, and those that were not.
    pub required: u64,
    /// See [`Self::required`].
    pub lost: u64,
    /// Publishes of members with rights that were refused, beyond half a minute around the return.
    pub refused: u64,
    /// What the removed member opens with every key it ever had: of what connected nodes published within the
    /// minute, and later.
    pub opened_in_time: u64,
    /// See [`Self::opened_in_time`]: must be none.
    pub opened_late: u64,
    /// Of what those away published before they were back and a minute more, who could not know: unavoidable.
    pub opened_away: u64,
    /// Of what those who were away published later than a minute after their return: must be none.
    pub opened_after_return: u64,
    /// Messages whose secrecy that judges.
    pub sealed_late: u64,
    /// What was delivered to the removed member of what was published a minute after the revocation and later.
    pub delivered_to_removed: u64,
    /// Messages of rogues, and how many were kept before their rights were taken back.
    pub rogue_messages: u64,
    /// See [`Self::rogue_messages`].
    pub rogue_kept_in_time: u64,
    /// Unauthorised messages that honest nodes kept, sent on, delivered: must be none.
    pub unauthorised: (u64, u64, u64),
    /// Floor records that loosened the one in force: must be none.
    pub loosened: u64,
    /// How long it took, in virtual seconds.
    pub virtual_s: u64,
    /// Breaches of the door or the ports.
    pub breaches: u64,
    /// The first message that was lost, in words.
    pub first_lost: Option<String>,
    /// What was not as it has to be.
    pub failures: Vec<&'static str>,
}

impl Revocation {
    /// Whether everything was as it has to be.
    #[must_use]
    pub fn pass(&self) -> bool {
        self.failures.is_empty()
    }

    /// One JSON object on one line.
    #[must_use]
    pub fn json(&self) -> String {
        let (all, invited, offline, by_key) = self.admitted;
        let (kept, sent, delivered) = self.unauthorised;
        let mut text = format!(
            "{{\"drill\":\"revocation\",\"pass\":{},\"seed\":{},\"nodes\":{},\"edges\":{},\"depth\":{},\
             \"admitted\":{all},\"invited\":{invited},\"offline\":{offline},\"by_key\":{by_key},\"away\":{},\
             \"connected\":{},\"by_holder\":{}",
            self.pass(),
            self.seed,
            self.nodes,
            self.edges,
            self.depth,
            self.away,
            self.connected,
            self.by_holder,
        );
        let times = [
            ("floor_ms", &self.floor),
            ("key_ms", &self.key),
            ("floor_after_link_ms", &self.floor_after_link),
            ("floor_after_link_rtt_milli", &self.round_trips_milli),
            ("floor_after_return_ms", &self.floor_after_return),
            ("key_after_return_ms", &self.key_after_return),
            ("return_wait_ms", &self.return_wait),
        ];
        let within = self.floor.within(60_000).saturating_mul(1_000).checked_div(self.connected).unwrap_or(0);
        let numbers = [
            ("floor_within_60s_milli", within),
            ("slow_after_link", self.slow_after_link),
            ("published", self.published),
            ("required", self.required),
            ("lost", self.lost),
            ("refused", self.refused),
            ("opened_in_time", self.opened_in_time),
            ("opened_late", self.opened_late),
            ("opened_away", self.opened_away),
            ("opened_after_return", self.opened_after_return),
            ("sealed_late", self.sealed_late),
            ("delivered_to_removed", self.delivered_to_removed),
            ("rogue_messages", self.rogue_messages),
            ("rogue_kept_in_time", self.rogue_kept_in_time),
            ("unauthorised_kept", kept),
            ("unauthorised_sent", sent),
            ("unauthorised_delivered", delivered),
            ("loosened", self.loosened),
            ("breaches", self.breaches),
            ("virtual_s", self.virtual_s),
        ];
        for (name, millis) in times {
            // Writing to a String cannot fail.
            let _ = write!(text, ",\"{name}\":{}", millis.json());
        }
        if let Some(lost) = &self.first_lost {
            let _ = write!(text, ",\"first_lost\":\"{lost}\"");
        }
        finish(text, &numbers, &self.failures)
    }
}

/// The maker of a group away for two weeks, an edge of it for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Absence {
    /// Its seed.
    pub seed: u64,
    /// Nodes.
    pub nodes: u64,
    /// Members that were let in.
    pub admitted: u64,
    /// Pairs of message and member that had to be, over all times at which everybody present publishes once, and those
    /// that were not.
    pub required: u64,
    /// See [`Self::required`].
    pub lost: u64,
    /// Publishes that were refused.
    pub refused: u64,
    /// Times at which a member's rights were not those it had been given.
    pub rights_differ: u64,
    /// Members whose capability runs longer at the end than the one they were given.
    pub renewed: u64,
    /// From link-up to the first message that the edge got after its week.
    pub edge_hears_ms: u64,
    /// The same of the maker after its two weeks.
    pub maker_hears_ms: u64,
    /// How long it took, in virtual hours.
    pub virtual_h: u64,
    /// Breaches of the door or the ports.
    pub breaches: u64,
    /// What was not as it has to be.
    pub failures: Vec<&'static str>,
}

impl Absence {
    /// Whether everything was as it has to be.
    #[must_use]
    pub fn pass(&self) -> bool {
        self.failures.is_empty()
    }

    /// One JSON object on one line.
    #[must_use]
    pub fn json(&self) -> String {
        let text = format!("{{\"drill\":\"absence\",\"pass\":{},\"seed\":{}", self.pass(), self.seed);
        let numbers = [
            ("nodes", self.nodes),
            ("admitted", self.admitted),
            ("required", self.required),
            ("lost", self.lost),
            ("refused", self.refused),
            ("rights_differ", self.rights_differ),
            ("renewed", self.renewed),
            ("edge_hears_ms", self.edge_hears_ms),
            ("maker_hears_ms", self.maker_hears_ms),
            ("breaches", self.breaches),
            ("virtual_h", self.virtual_h),
        ];
        finish(text, &numbers, &self.failures)
    }
}

fn finish(mut text: String, numbers: &[(&str, u64)], failures: &[&'static str]) -> String {
    for (name, value) in numbers {
        // Writing to a String cannot fail.
        let _ = write!(text, ",\"{name}\":{value}");
    }
    let words: Vec<String> = failures.iter().map(|word| format!("\"{word}\"")).collect();
    let _ = write!(text, ",\"failures\":[{}]}}", words.join(","));
    text
}
