//! The exam that every transport and store sits.
