//! Errors of the disk.
