//! The commands of the API: who may call them, what they take, what they answer.
//!
//! `table` lists them; one file a family holds what they do. Everything here works on decoded
//! parameters and a known caller: signatures, sessions and spelling are the server's.

mod call;
mod changes;
mod dates;
mod discovery;
mod events;
mod groups;
mod jobs;
mod lists;
mod machines;
mod page;
mod people;
mod scope;
mod table;
mod usage;
mod volumes;

pub(crate) use call::{Answer, ApiError, Call, Caller};
pub(crate) use dates::parse_with_offset;
pub(crate) use groups::result as group_result;
pub(crate) use machines::result as machine_result;
pub(crate) use table::{Command, find};
pub(crate) use volumes::result as volume_result;
