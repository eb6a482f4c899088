//! Labs: the foreign networks themselves, each as real daemons in network namespaces that go with the lab.
//!
//! Nothing here knows Crosscast. A lab lays cables ([`net`]), starts the daemons of one network on them, waits until the
//! network carries packets from end to end, and takes everything down again when it is dropped: processes by their id,
//! namespaces by their name.

pub mod child;
pub mod cjdns;
pub mod libp2p;
pub mod net;
pub mod yggdrasil;
