//! The admin server of Yggdrasil, replayed and hostile.
