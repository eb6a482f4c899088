//! Crosscast's sans-IO machine: links, groups, multicast, unicast.
