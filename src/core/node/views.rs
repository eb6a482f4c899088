//! What an operator sees: status, peers, groups.

use crosscast_port::LinkId;

use crate::group::Group;
use crate::view::{GroupView, PeerView, Status};
use crate::{CommandId, Node, Reply};

impl Node {
    pub(super) fn reply_status(&mut self, id: CommandId) {
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let status = Status {
            node: self.config.node,
            instance: self.config.instance,
            listen: self.listening.clone(),
            networks: self.networks.values().cloned().collect(),
            listen_failed: self.listen_failed.clone(),
            peers: count(self.peers.len()),
            groups: count(self.groups.len()),
            inbox_acknowledged: self.inbox.acknowledged,
            inbox_head: self.inbox.log.shown,
            rejects: self.rejects.words(),
        };
        self.reply(id, Reply::Status(Box::new(status)));
    }

    pub(super) fn reply_peers(&mut self, id: CommandId) {
        let leading = self.peers.values().filter_map(|links| links.first());
        let views = leading.filter_map(|link| self.view(*link)).collect();
        self.reply(id, Reply::Peers(views));
    }

    pub(super) fn reply_groups(&mut self, id: CommandId) {
        let wall = self.now.wall;
        let view = |group: &Group| {
            let (messages, bytes) = group.log.weight();
            GroupView {
                group: group.id,
                name: group.name.clone(),
                policy: group.policy(wall),
                sealed: group.is_sealed(),
                keyholder: group.secret.is_some(),
                floor: group.floor_number(),
                rights: group.rights(wall),
                rights_until: group.chain.as_ref().map(|chain| chain.leaf().fields().not_after),
                asking: self.wish(group.id),
                neighbours: u32::try_from(group.neighbours.len()).unwrap_or(u32::MAX),
                messages,
                bytes,
                head: group.log.shown,
            }
        };
        let views = self.groups.values().map(view).collect();
        self.reply(id, Reply::Groups(views));
    }

    /// A peer by one of its links.
    pub(super) fn view(&self, link: LinkId) -> Option<PeerView> {
        let link = self.links.get(&link)?;
        let (node, instance) = link.peer?;
        let hello = link.hello.as_ref()?.fields();
        let others = self.peers.get(&(node, instance)).into_iter().flatten().filter(|other| **other != link.id);
        let standby = others.filter_map(|other| Some(self.links.get(other)?.up.scheme.network()));
        Some(PeerView {
            node,
            instance,
            name: hello.name.clone().unwrap_or_default(),
            roles: hello.roles.bits(),
            network: link.up.scheme.network(),
            standby: standby.collect(),
            locator: link.up.locator.clone(),
            outbound: link.is_dialer(),
            path: link.up.path,
            reason: link.up.reason,
            rtt_us: link.rtt_us,
            rx_bytes: link.inn.bytes,
            tx_bytes: link.out.bytes,
            groups: u32::try_from(link.feeds.len()).unwrap_or(u32::MAX),
            agent: hello.agent.clone(),
            up_since: link.since,
            queued_bytes: link.out.queued_total(),
        })
    }
}
