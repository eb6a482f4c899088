//! cjdns, as a configuration asks for it.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;

use crosscast::{
    Attach, Attestation, AttestationDraft, AttestationFields, HostNode, Network, NodeCrypto, NodeId, Transport,
};
use crosscast_api::Code;
use crosscast_cjdns::{AdminFile, CjdnsConfig, CjdnsError, Password, PasswordError, sign};

use super::{Site, refused};
use crate::attest::{self, Life};
use crate::failure::Failure;

/// Whether a node answers on this machine that others can be reached through.
pub(super) async fn is_here() -> bool {
    // A look does not depend on who looks.
    crosscast_cjdns::answers(&CjdnsConfig::new(NodeId::new([0; 32]))).await
}

/// Refuses what the transport could not use.
pub(super) fn check(attach: &Attach) -> Result<(), Failure> {
    match attach {
        // What the settings have read is what the transport takes.
        Attach::Host(HostNode::Cjdns(_) | HostNode::Yggdrasil(_) | HostNode::Libp2p(_))
        | Attach::Peer(_)
        | Attach::Key(_) => Ok(()),
    }
}

/// The transport over the cjdns node that is attached.
pub(super) fn transport(site: &Site<'_>) -> Result<Box<dyn Transport>, Failure> {
    let set = &site.settings.networks.cjdns;
    let mut config = config(site, None, None)?;
    config.port = set.port.unwrap_or(config.port);
    config.discover = set.discover;
    config.attestation = attest::load(site, Network::Cjdns, set.attestation.as_deref())?;
    crosscast_cjdns::transport(config).map_err(|error| Failure::new(Code::BadConfig, format!("cjdns: {error}")))
}

/// Where the admin interface is and what its password is: as given here, else as configured, else as the file of cjdns's
/// own tools says.
fn config(site: &Site<'_>, file: Option<&Path>, admin: Option<SocketAddr>) -> Result<CjdnsConfig, Failure> {
    let attached = site.settings.hosts().find_map(|host| match host {
        HostNode::Cjdns(admin) => *admin,
        HostNode::Yggdrasil(_) | HostNode::Libp2p(_) => None,
    });
    let set = site.settings.networks.cjdns.password_file.as_ref().map(|path| site.home.dir().join(path));
    let set = set.as_deref().map(|path| ("network.cjdns.password_file", path));
    let tools = match AdminFile::of_user() {
        Ok(tools) => tools,
        // Nobody asked for it, and attaching needs no password.
        Err(error) => {
            tracing::warn!(%error, "the file of cjdns's tools is left alone");
            None
        }
    };
    let mut config = CjdnsConfig::new(site.identity.node_id());
    let (tools_admin, tools_password) = tools.map_or((None, None), |tools| (tools.admin, tools.password));
    config.admin = admin.or(attached).or(tools_admin).unwrap_or(config.admin);
    config.password = match file.map(|path| ("--password-file", path)).or(set) {
        Some((key, path)) => {
            let unusable = |error: PasswordError| refused(format!("{key} ({})", path.display()), &error.to_string());
            Some(Password::read(path).map_err(unusable)?)
        }
        None => tools_password,
    };
    Ok(config)
}

/// Has the host node sign, through its admin interface, that it belongs to this node.
pub(super) fn attest_by_admin(
    site: &Site<'_>,
    password_file: Option<&Path>,
    admin: Option<SocketAddr>,
    life: Life,
) -> Result<Attestation, Failure> {
    let config = config(site, password_file, admin)?;
    let runtime = crate::runtime()?;
    let failed = |error: CjdnsError| coded(&error);
    // The key that signs is seen in what it signs, and what it is to sign names the key.
    let (key, _) = runtime.block_on(sign(&config, PROBE)).map_err(failed)?;
    let Life { not_before, not_after } = life;
    let fields =
        AttestationFields { network: Network::Cjdns, key, node: site.identity.node_id(), not_before, not_after };
    let unusable = |error| Failure::new(Code::Internal, format!("cjdns: {error}"));
    let draft = AttestationDraft::new(fields).map_err(unusable)?;
    let digits = String::from_utf8(draft.host_bytes()).unwrap_or_default();
    let (_, signature) = runtime.block_on(sign(&config, &digits)).map_err(failed)?;
    draft.finish(&signature, site.identity.key(), &NodeCrypto).map_err(unusable)
}

/// What is signed for the sake of the key alone. It is no hash in hexadecimal digits, so it stands for nothing.
const PROBE: &str = "crosscast asks for the key that signs";

fn coded(error: &CjdnsError) -> Failure {
    let code = Code::from_word(error.reason().word()).unwrap_or(Code::Internal);
    Failure::new(code, error.to_string())
}

/// The address that is made of a host node's key.
pub(super) fn address(host: &[u8; 32]) -> Option<Ipv6Addr> {
    crosscast_cjdns::address::address_of(host)
}
