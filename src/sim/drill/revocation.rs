//! Rights taken back in a mesh of the world's regions while a quarter of it is away.
//!
//! A group of policy `capability` grows over many hops: by an invite, by offline tickets, by keys. Then a quarter of the
//! nodes is cut off, and in the same moment the maker, or a holder of `revoke`, takes a member's rights back, and those
//! of two rogues. What is measured: when the new floor record is in force at those who are connected, and at those who
//! were away once they are back; what the removed member could still open; what members lost, which must be nothing; and
//! that nobody listens to the rogues.

use crosscast_core::{Command, InviteOptions, Reply, Revoked, Since, Times};
use crosscast_wire::{GroupId, Policy, Rights, Ticket, TicketFields};

use super::judge::Timeline;
use super::mesh::{Map, cuts_none};
use super::outcome::Revocation;
use super::rogues::Pretext;
use super::stage::Stage;
use crate::agenda::{MILLI, Micros, SECOND};
use crate::net::NetParams;
use crate::prng::Prng;
use crate::world::HostId;

/// The maker of the group, and the holder of `revoke`.
const MAKER: HostId = HostId(0);
const HOLDER: HostId = HostId(1);
/// Most that is added to a parcel's delay.
pub(super) const JITTER: Micros = 3 * MILLI;
/// How often a publisher says something when it matters, and between.
const OFTEN: Micros = 4 * SECOND;
const SELDOM: Micros = 90 * SECOND;
/// How long it matters, after the revocation and after the return.
const WATCHED: Micros = 150 * SECOND;

/// The drill, set up.
pub(super) struct Play {
    pub(super) stage: Stage,
    pub(super) map: Map,
    group: GroupId,
    foreign: GroupId,
    rogues: [HostId; 3],
    pub(super) victim: HostId,
    pub(super) revoker: HostId,
    said: u64,
    pub(super) out: Revocation,
}

/// Runs it: `nodes` members (at least 12), a quarter of them away for so many seconds.
#[must_use]
pub fn revocation(seed: u64, nodes: u32, away_s: u64) -> Revocation {
    let nodes = nodes.max(12);
    let Some(mut play) = Play::set_up(seed, nodes) else {
        return Revocation { seed, failures: vec!["no-group"], ..Revocation::default() };
    };
    play.admit();
    play.begin();
    let begun = play.stage.world.now();
    play.chat(begun.saturating_add(20 * SECOND));
    let revoked = play.part_and_revoke();
    play.chat(revoked.saturating_add(WATCHED));
    play.pace(SELDOM);
    let back = revoked.saturating_add(away_s.saturating_mul(SECOND).max(WATCHED));
    play.stage.run_until(back.saturating_sub(40 * SECOND));
    play.pace(OFTEN);
    play.chat(back);
    play.unite();
    play.chat(back.saturating_add(WATCHED));
    for host in play.stage.hosts() {
        play.stage.hush(host);
    }
    play.stage.run_for(30 * SECOND);
    play.judge(&Timeline { begun, revoked, back })
}

impl Play {
    fn set_up(seed: u64, nodes: u32) -> Option<Self> {
        let mut prng = Prng::new(seed ^ 0x4e70_ca11);
        let mut map = Map::draw(&mut prng, nodes);
        let net = NetParams {
            delay_us: (MILLI, 10 * MILLI),
            regions: NetParams::latency_map(),
            jitter_us: JITTER,
            loss_ppm: 1_000,
            bytes_per_s: (1 << 20, 50 << 20),
            lanes_apart: prng.chance(crate::PPM / 2),
            ..NetParams::default()
        };
        let mut stage = Stage::new(seed, net, Times::default(), nodes, 3);
        let rogues = [0, 1, 2].map(|number| HostId(nodes.saturating_add(number)));
        let (away, here): (Vec<HostId>, Vec<HostId>) = stage.hosts().partition(|host| map.away.contains(host));
        for (rogue, side) in rogues.into_iter().zip([&here, &here, &away]) {
            for _ in 0..3 {
                let host = prng.pick(side).copied()?;
                map.dials.entry(host).or_default().insert(rogue);
            }
        }
        map.away.extend(rogues.last());
        for host in stage.hosts().chain(rogues).collect::<Vec<_>>() {
            let skew = i64::try_from(prng.below(6_000)).unwrap_or(0).saturating_sub(3_000);
            stage.world.set_skew(host, skew);
            let dials: Vec<HostId> = map.dials.get(&host).into_iter().flatten().copied().collect();
            stage.start(host, &dials);
        }
        stage.run_until(4 * SECOND);
        let revoker = if seed.is_multiple_of(2) { MAKER } else { HOLDER };
        let connected = map.reach(revoker, |host| !map.away.contains(&host));
        let removable: Vec<HostId> = connected
            .keys()
            .copied()
            .filter(|host| ![MAKER, HOLDER].contains(host) && cuts_none(&map, MAKER, *host))
            .collect();
        let victim = prng.pick(&removable).copied()?;
        let node = stage.node(victim);
        stage.book.tapped = Some((node, victim, stage.prekey(victim)));
        let group = make(&mut stage, "group")?;
        let foreign = make(&mut stage, "foreign")?;
        stage.book.group = Some(group);
        let mut out =
            Revocation { seed, nodes: u64::from(nodes), by_holder: revoker == HOLDER, ..Revocation::default() };
        out.edges = map.links.values().map(|others| others.len() as u64).sum::<u64>() / 2;
        Some(Self { stage, map, group, foreign, rogues, victim, revoker, said: 0, out })
    }

    /// Lets everybody in, from the maker outwards.
    fn admit(&mut self) {
        let layers = self.map.reach(MAKER, |_| true);
        self.out.depth = layers.values().copied().max().unwrap_or(0);
        let group = self.group;
        let ticket = |options| Command::Invite { group, options };
        let many = InviteOptions { uses: Some(u32::MAX), ..InviteOptions::default() };
        let alone = InviteOptions { offline: true, ..InviteOptions::default() };
        let (Some(Reply::Ticket(invite)), Some(Reply::Ticket(offline))) =
            (self.stage.ask(MAKER, ticket(many)), self.stage.ask(MAKER, ticket(alone)))
        else {
            return self.out.failures.push("no-ticket");
        };
        let (_, foreign) = self.foreign_ticket();
        let mut asked = Vec::new();
        for hops in 1..=self.out.depth {
            let layer: Vec<HostId> = layers.iter().filter(|(_, at)| **at == hops).map(|(host, _)| *host).collect();
            for host in layer {
                let way = if host == HOLDER { 2 } else { host.0 % 3 };
                let ticket = match way {
                    0 => Some((*invite).clone()),
                    1 => Some((*offline).clone()),
                    _ => self.by_key(host, &invite),
                };
                if let Some(ticket) = ticket {
                    let join = Command::JoinGroup { ticket: Box::new(ticket), name: None };
                    asked.push((way, self.stage.post(host, join)));
                }
                if let Some(ticket) = foreign.clone().filter(|_| self.hears(host)) {
                    self.stage.post(host, Command::JoinGroup { ticket, name: None });
                }
            }
            self.stage.run_for(2 * SECOND);
        }
        self.stage.run_for(15 * SECOND);
        let admitted = |id| matches!(self.stage.reply(id), Some(Reply::Group { .. }));
        let count = |wanted| asked.iter().filter(|(way, id)| *way == wanted && admitted(*id)).count() as u64;
        let (invited, offline, by_key) = (count(0), count(1), count(2));
        let all = invited.saturating_add(offline).saturating_add(by_key).saturating_add(1);
        self.out.admitted = (all, invited, offline, by_key);
        if all < self.out.nodes {
            self.out.failures.push("not-admitted");
        }
    }

    /// Whether a host is linked with the first rogue.
    fn hears(&self, host: HostId) -> bool {
        let [liar, ..] = self.rogues;
        self.map.dials.get(&host).is_some_and(|dials| dials.contains(&liar))
    }

    fn foreign_ticket(&mut self) -> (GroupId, Option<Box<Ticket>>) {
        let options = InviteOptions { offline: true, ..InviteOptions::default() };
        match self.stage.ask(MAKER, Command::Invite { group: self.foreign, options }) {
            Some(Reply::Ticket(ticket)) => (self.foreign, Some(ticket)),
            _ => (self.foreign, None),
        }
    }

    /// Grants a host rights by its key; its ticket holds no secret.
    fn by_key(&mut self, host: HostId, like: &Ticket) -> Option<Ticket> {
        let both = Rights::PUBLISH | Rights::SUBSCRIBE;
        let rights = if host == HOLDER { both | Rights::REVOKE } else { both };
        let subject = self.stage.node(host);
        let grant = Command::Grant { group: self.group, subject, rights, depth: 0, life_ms: None };
        let granted = matches!(self.stage.ask(MAKER, grant), Some(Reply::Granted { .. }));
        let fields = TicketFields { invite: None, invite_until: None, ..like.fields().clone() };
        Ticket::new(fields).ok().filter(|_| granted)
    }

    /// Everybody reads, some publish.
    fn begin(&mut self) {
        for host in self.stage.hosts() {
            self.stage.read(host, self.group, Since::Oldest);
        }
        self.pace(OFTEN);
    }

    /// A fifth of the members publish, the removed one among them.
    fn pace(&mut self, every: Micros) {
        for host in self.stage.hosts() {
            if host.0 % 5 == 1 || host == self.victim {
                self.stage.beat(host, every);
            }
        }
    }

    /// Lets the world run while the rogues talk.
    fn chat(&mut self, until: Micros) {
        let [liar, here, away] = self.rogues;
        while self.stage.world.now() < until {
            for pretext in Pretext::FALSE {
                self.said = self.said.saturating_add(1);
                self.stage.pretend(liar, pretext, self.foreign, self.said);
            }
            for rogue in [here, away] {
                self.said = self.said.saturating_add(1);
                self.stage.pretend(rogue, Pretext::Own, self.foreign, self.said);
            }
            let next = self.stage.world.now().saturating_add(5 * SECOND).min(until);
            self.stage.run_until(next);
        }
    }

    fn split(&mut self, each: impl Fn(&mut Stage, HostId, HostId)) {
        let all = self.stage.hosts().chain(self.rogues);
        let (away, here): (Vec<HostId>, Vec<HostId>) = all.partition(|host| self.map.away.contains(host));
        for a in &away {
            for b in &here {
                each(&mut self.stage, *a, *b);
                each(&mut self.stage, *b, *a);
            }
        }
    }

    /// Cuts off those who go away and, in the same moment, takes rights back. Returns when.
    fn part_and_revoke(&mut self) -> Micros {
        self.split(|stage, a, b| stage.world.block(a, b));
        let now = self.stage.world.now();
        let [_, here, away] = self.rogues;
        for host in [self.victim, here, away] {
            let whom = Revoked::Subject(self.stage.node(host));
            self.stage.post(self.revoker, Command::Revoke { group: self.group, whom });
        }
        now
    }

    fn unite(&mut self) {
        self.split(|stage, a, b| stage.world.unblock(a, b));
    }
}

fn make(stage: &mut Stage, name: &str) -> Option<GroupId> {
    let create = Command::CreateGroup { name: name.to_owned(), policy: Policy::Capability, public: false };
    let Reply::Group { group, .. } = stage.ask(MAKER, create)? else { return None };
    Some(group)
}
