//! Keys that are a node's and its Yggdrasil daemon's at once.
//!
//! With such a key the NodeId is the Yggdrasil key, and the address follows from it: a NodeId alone can be dialled. That
//! one key may sign for both is `docs/adr/0020-one-key-for-node-and-yggdrasil.md`. A *strong* key begins with many zero
//! bits; its address is shorter to say and has more of the rest of the key in it. Strong keys are found by trying.
//!
//! This crate is under the AGPL, as what it wraps, and so is every program that it is built into; nothing else of ours
//! depends on it, and the program takes it by a feature that is off unless asked for.

use std::fmt::Write as _;
use std::net::Ipv6Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, thread};

use crosscast_wire::SecretKey;
use ed25519_dalek::SigningKey;
use yggdrasil_keys::NodeIdentity;
use zeroize::Zeroizing;

/// Highest strength that can be asked for. A processor makes some 30,000 keys a second, so this one takes a day and a
/// half of one, and each more doubles that.
pub const STRENGTH_MAX: u32 = 32;

/// Threads that look for a strong key at most. 64: more processors than that in one machine find it soon enough.
const THREADS_MAX: usize = 64;

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeygenError {
    /// The caller: nobody would live to see it found.
    #[error("a strength is 0 to {STRENGTH_MAX}")]
    Strength,
    /// The system: it has no randomness; the words are its own.
    #[error("the system gave no random numbers: {0}")]
    Random(String),
}

/// A key pair that a node and its Yggdrasil daemon share; erased when dropped, never shown.
pub struct SharedKey(NodeIdentity);

impl SharedKey {
    /// Draws keys until one has at least this strength, on every processor of the machine.
    ///
    /// # Errors
    /// [`KeygenError`].
    pub fn generate(strength: u32) -> Result<Self, KeygenError> {
        if strength > STRENGTH_MAX {
            return Err(KeygenError::Strength);
        }
        let count = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        // Half of all keys have a strength of 0, and so on: few tries are not worth a thread.
        let count = if strength < 8 { 1 } else { count };
        let (found, done) = (Mutex::new(None), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..count {
                scope.spawn(|| look(strength, &found, &done));
            }
        });
        let found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        found.unwrap_or_else(|| Err(KeygenError::Random("nothing was drawn".to_owned())))
    }

    /// Takes a key that exists.
    #[must_use]
    pub fn of(key: &SecretKey) -> Self {
        Self(NodeIdentity { signing_keys: SigningKey::from_bytes(key.expose()) })
    }

    /// The key as the node has it.
    #[must_use]
    pub fn node_key(&self) -> SecretKey {
        SecretKey::new(self.0.signing_keys.to_bytes())
    }

    /// How many zero bits the public key begins with.
    #[must_use]
    pub fn strength(&self) -> u32 {
        self.0.strength()
    }

    /// The address on Yggdrasil.
    #[must_use]
    pub fn address(&self) -> Ipv6Addr {
        self.0.address()
    }

    /// First address of the subnet that the daemon routes.
    #[must_use]
    pub fn subnet(&self) -> Ipv6Addr {
        self.0.subnet().network()
    }

    /// What to put into the daemon's configuration, with what it is in comments. It holds the secret.
    #[must_use]
    pub fn daemon_config(&self) -> Zeroizing<String> {
        // Room for all of it at once, so that growing leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(1024));
        text.push_str(
            "# The key of this crosscast node, for the Yggdrasil daemon beside it: whoever has it is both. Put the\n",
        );
        text.push_str(
            "# line into the daemon's configuration in place of its own PrivateKey (and take PublicKey out, if it\n",
        );
        text.push_str("# is there), start the daemon anew, and remove this file.\n");
        let _ = writeln!(text, "# Its address is {}", self.address());
        text.push_str("  \"PrivateKey\": \"");
        for byte in self.0.signing_keys.as_bytes().iter().chain(self.0.signing_keys.verifying_key().as_bytes()) {
            let _ = write!(text, "{byte:02x}");
        }
        text.push_str("\",\n");
        text
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey(..)")
    }
}

type Found = Mutex<Option<Result<SharedKey, KeygenError>>>;

/// Draws keys until this thread or another has found one.
fn look(strength: u32, found: &Found, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let drawn = draw();
        if drawn.as_ref().is_ok_and(|key| key.strength() < strength) {
            continue;
        }
        done.store(true, Ordering::Relaxed);
        let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Two can find one at once.
        found.get_or_insert(drawn);
    }
}

fn draw() -> Result<SharedKey, KeygenError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|error| KeygenError::Random(error.to_string()))?;
    Ok(SharedKey(NodeIdentity { signing_keys: SigningKey::from_bytes(&seed) }))
}
