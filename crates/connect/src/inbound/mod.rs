//! What sources remember: which cloud a position is of, and from when on the log knows ids.
//!
//! It refuses to know a cloud.

pub(crate) mod mark;
pub(crate) mod remembered;
