//! The admin server of cjdns, replayed and hostile.
