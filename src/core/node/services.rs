//! Services of this node, each under a key of its own; and whom this node knows.
//!
//! Whoever looks for a service's key is answered under that key, so that what is sent to it finds its way like anything
//! sent to a node. Its prekey follows from its key: nodes that share the key open the same messages.

use crosscast_port::{Space, Write};
use crosscast_wire::{NodeId, SecretKey};

use crate::auth::replay::Windows;
use crate::view::ServiceView;
use crate::{CommandId, Node, Refusal, Reply, SignKey, limits};

use super::commit::After;

/// A service of this node.
pub(super) struct Service {
    /// What its messages are marked with in the inbox; from 1.
    number: u16,
    pub(super) name: String,
    secret: SecretKey,
    pub(super) windows: Windows,
}

impl Service {
    /// The X25519 secret that is sealed to.
    pub(super) fn prekey(&self) -> [u8; 32] {
        blake3::derive_key("crosscast service prekey v1", self.secret.expose())
    }
}

impl Node {
    pub(super) fn on_serve(&mut self, command: CommandId, name: String) {
        let legal = (1..=64).contains(&name.len()) && !name.chars().any(char::is_control);
        if !legal {
            return self.reply(command, Reply::Refused(Refusal::BadName));
        }
        if let Some((key, _)) = self.services.iter().find(|(_, service)| service.name == name) {
            let view = ServiceView { service: *key, name };
            return self.reply(command, Reply::Service(view));
        }
        let number = self.services.values().map(|service| service.number).max().unwrap_or(0).checked_add(1);
        let Some(number) = number.filter(|_| self.services.len() < limits::SERVICES) else {
            return self.reply(command, Reply::Refused(Refusal::Limit));
        };
        let secret = SecretKey::new(self.keys.bytes());
        let key = NodeId::new(secret.public());
        let value = [number.to_be_bytes().as_slice(), secret.expose()].concat();
        self.put(Space::Meta, &service_key(&name), value);
        let view = ServiceView { service: key, name: name.clone() };
        self.services.insert(key, Service { number, name, secret, windows: Windows::default() });
        self.after_commit(After::Reply(command, Reply::Service(view)));
    }

    pub(super) fn on_unserve(&mut self, command: CommandId, name: &str) {
        let key = self.services.iter().find(|(_, service)| service.name == name).map(|(key, _)| *key);
        let Some(key) = key else { return self.reply(command, Reply::Refused(Refusal::UnknownService)) };
        self.services.remove(&key);
        self.records.remove(&key);
        self.write(Write::Delete { space: Space::Meta, key: service_key(name).into() });
        self.after_commit(After::Reply(command, Reply::Done));
    }

    pub(super) fn reply_services(&mut self, command: CommandId) {
        let view = |(key, service): (&NodeId, &Service)| ServiceView { service: *key, name: service.name.clone() };
        let views = self.services.iter().map(view).collect();
        self.reply(command, Reply::Services(views));
    }

    /// The number of the service with this key; 0 for anything else.
    pub(super) fn service_number(&self, key: &NodeId) -> u16 {
        self.services.get(key).map_or(0, |service| service.number)
    }

    /// The key of the service with this number.
    pub(super) fn service_with(&self, number: u16) -> Option<NodeId> {
        self.services.iter().find(|(_, service)| service.number == number).map(|(key, _)| *key)
    }

    /// The X25519 secret that this node, or a service of it, is sealed to.
    pub(super) fn own_prekey(&self, key: &NodeId) -> Option<[u8; 32]> {
        let service = self.services.get(key).map(Service::prekey);
        service.or_else(|| (*key == self.config.node).then_some(self.config.prekey))
    }

    /// What signs for this node, or for a service of it.
    pub(super) fn letter_signer(&self, key: &NodeId) -> Option<SignKey> {
        match self.services.get(key) {
            Some(service) => Some(SignKey::Group(Box::new(service.secret.clone()))),
            None => (*key == self.config.node).then_some(SignKey::Node),
        }
    }

    /// Counts a node among those that are no strangers, for good.
    pub(super) fn know(&mut self, node: NodeId) {
        if !self.is_here(&node) && self.inbox.contacts.accept(node) {
            let since = self.now.wall.0.to_be_bytes().to_vec();
            self.put(Space::Meta, &[CONTACT, node.as_bytes()].concat(), since);
        }
    }

    pub(super) fn on_accept(&mut self, command: CommandId, node: NodeId) {
        self.know(node);
        self.after_commit(After::Reply(command, Reply::Done));
    }

    /// Services and contacts as the store kept them.
    pub(super) fn restore_meta(&mut self, key: &[u8], value: &[u8]) {
        if let Some(node) = key.strip_prefix(CONTACT).and_then(|node| <[u8; 32]>::try_from(node).ok()) {
            self.inbox.contacts.accept(NodeId::new(node));
        }
        let name = key.strip_prefix(SERVICE).and_then(|name| std::str::from_utf8(name).ok());
        let parts = value.split_first_chunk::<2>().and_then(|(number, secret)| {
            Some((u16::from_be_bytes(*number), SecretKey::new(<[u8; 32]>::try_from(secret).ok()?)))
        });
        if let Some((name, (number, secret))) = name.zip(parts) {
            let service = Service { number, name: name.to_owned(), secret, windows: Windows::default() };
            self.services.insert(NodeId::new(service.secret.public()), service);
        }
    }
}

/// Names of services in the store begin with it.
const SERVICE: &[u8] = b"service/";
/// Keys of contacts in the store begin with it.
const CONTACT: &[u8] = b"contact/";

fn service_key(name: &str) -> Vec<u8> {
    [SERVICE, name.as_bytes()].concat()
}
