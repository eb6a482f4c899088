//! A deterministic simulator that drives many cores over faulty links and stores.
