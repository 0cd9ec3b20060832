//! One row of a list.

use std::fmt;

use serde_json::value::RawValue;

use super::super::{answer::Fields, time::Moment};

/// A larger row is refused: CloudStack's largest have some kilobytes (descriptions end at 1,024
/// characters), and a record of the log has a limit as well.
pub const ROW_BYTES_MAX: usize = 256 * 1024;

/// A kind of row.
pub trait Row: Sized {
    /// Reads a row, which is one JSON value.
    fn read(raw: &RawValue) -> Result<Self, RowFlaw>;

    /// What tells it from all others of its list.
    fn id(&self) -> String;
}

/// A row that cannot be read.
#[derive(Clone, thiserror::Error)]
#[error("failed to read a row of {bytes} bytes")]
pub struct MalformedRow {
    /// How long its text is.
    pub bytes: usize,
    /// What is wrong with it.
    #[source]
    pub reason: RowFlaw,
    raw: Box<RawValue>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowFlaw {
    /// It is text, a number, a list; or an object with a name that is no text.
    #[error("it is no object")]
    NotAnObject,
    /// It lacks what it cannot be used without.
    #[error("it has no valid `{0}`")]
    Lacks(&'static str),
    /// It is larger than [`ROW_BYTES_MAX`].
    #[error("it is larger than {ROW_BYTES_MAX} bytes")]
    TooLarge,
}

impl MalformedRow {
    /// Its JSON as it came, *with* its secrets: not to be stored or shown.
    pub fn raw(&self) -> &RawValue {
        &self.raw
    }

    /// The time that stands in its field `name`, if that can be read all the same.
    pub fn moment(&self, name: &str) -> Option<Moment> {
        let text = Fields::of(&self.raw).ok()?.text(name)?;
        Moment::parse(&text)
    }
}

/// Without its text, which may hold secrets.
impl fmt::Debug for MalformedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MalformedRow")
            .field("bytes", &self.bytes)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

pub(super) fn read<T: Row>(raw: &RawValue) -> Result<T, MalformedRow> {
    let text = raw.get();
    let row = match text.len() > ROW_BYTES_MAX {
        true => Err(RowFlaw::TooLarge),
        false => T::read(raw),
    };
    row.map_err(|reason| MalformedRow { bytes: text.len(), reason, raw: raw.to_owned() })
}

pub(in super::super) fn fields(raw: &RawValue) -> Result<Fields<'_>, RowFlaw> {
    Fields::of(raw).map_err(|_| RowFlaw::NotAnObject)
}
