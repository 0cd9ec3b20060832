//! Rotten bytes.
