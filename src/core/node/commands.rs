//! Commands of the application: a table.

use crosscast_port::Request;
use crosscast_wire::NodeId;

use crate::{Command, CommandId, Node, Refusal, Reply};

impl Node {
    pub(super) fn on_command(&mut self, id: CommandId, command: Command) {
        if self.shutdown.is_some() {
            return self.reply(id, Reply::Refused(Refusal::ShuttingDown));
        }
        let writes = matches!(
            command,
            Command::CreateGroup { .. }
                | Command::JoinGroup { .. }
                | Command::LeaveGroup { .. }
                | Command::Invite { .. }
                | Command::Grant { .. }
                | Command::Revoke { .. }
                | Command::SetPolicy { .. }
                | Command::Send { .. }
                | Command::SendMany { .. }
                | Command::Accept { .. }
                | Command::Serve { .. }
                | Command::Unserve { .. }
                | Command::AcknowledgeInbox { .. }
                | Command::KeepCursor { .. }
        );
        if writes && self.is_store_failing() {
            return self.reply(id, Reply::Refused(Refusal::Store));
        }
        match command {
            Command::Publish { group, entries, class, life_ms } => self.on_publish(id, group, entries, class, life_ms),
            Command::CreateGroup { name, policy, public } => self.on_create_group(id, name, policy, public),
            Command::JoinGroup { ticket, name } => self.on_join_group(id, *ticket, name),
            Command::LeaveGroup { group } => {
                self.on_leave_group(id, group);
                self.abandon_keys(group, Refusal::UnknownGroup);
            }
            Command::Invite { group, options } => self.on_invite(id, group, &options),
            Command::Grant { group, subject, rights, depth, life_ms } => {
                let life_ms = life_ms.unwrap_or(super::granting::GRANT_LIFE_MS);
                let wanted = super::issuing::Wanted { subject, rights, depth, life_ms, invite: None };
                self.on_grant_command(id, group, wanted);
            }
            Command::Revoke { group, whom } => self.on_revoke(id, group, whom),
            Command::SetPolicy { group, policy } => self.on_set_policy(id, group, policy),
            Command::Subscribe { source, since, window_bytes } => self.on_reader(id, source, since, window_bytes),
            Command::Consumed { reader, bytes } => self.on_consumed(reader, bytes),
            Command::Unsubscribe { reader } => self.on_unsubscribe(id, reader),
            Command::Send { to, payload, life_ms } => self.on_send(id, to, payload, life_ms),
            Command::SendMany { to, payload, life_ms } => self.on_send_many(id, to, payload, life_ms),
            Command::Accept { node } => self.on_accept(id, node),
            Command::Serve { name } => self.on_serve(id, name),
            Command::Unserve { name } => self.on_unserve(id, &name),
            Command::Services => self.reply_services(id),
            Command::AcknowledgeInbox { through } => self.on_acknowledge_inbox(id, through),
            Command::Attach { locator } => {
                let reply = if self.attach(locator) { Reply::Done } else { Reply::Refused(Refusal::Limit) };
                self.reply(id, reply);
            }
            Command::Detach { locator } => self.on_detach(id, &locator),
            Command::Listen { locator } => {
                self.request(Request::Listen { locator });
                self.reply(id, Reply::Done);
            }
            Command::Ping { node } => self.on_ping_command(id, node),
            Command::Status => self.reply_status(id),
            Command::Peers => self.reply_peers(id),
            Command::Groups => self.reply_groups(id),
            Command::GroupPeers { group } => self.reply_group_peers(id, group),
            Command::GroupTrails { group } => self.reply_group_trails(id, group),
            Command::Tune(tuning) => self.on_tune(id, tuning),
            Command::KeepCursor { name, value } => self.on_keep_cursor(id, name, value),
            Command::Cursor { name } => self.reply_cursor(id, &name),
            Command::Shutdown => self.on_shutdown(id),
        }
    }

    fn on_ping_command(&mut self, id: CommandId, node: NodeId) {
        match self.link_to(&node) {
            Some(link) => self.ping(link, Some(id)),
            None => self.reply(id, Reply::Refused(Refusal::NotLinked)),
        }
    }
}
