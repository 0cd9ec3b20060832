//! What a request consists of, as far as lengths go: enough to walk it, not to understand it.
//!
//! It refuses to give values: the codec does that, once the walk has shown that there is nothing to
//! be afraid of. Tagged fields are skipped whole, for none of those that the codec knows in a request
//! holds a list.

use super::{Malformed, Reader};
use crate::kafka::limits::{ITEMS_PER_TAG, REQUEST_ITEMS_MAX};

/// One part of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// A string, perhaps null.
    Text,
    /// Bytes, perhaps null.
    Blob,
    /// A list, perhaps null, of one kind of element.
    List(&'static Kind),
    /// A structure; in flexible versions it ends with tagged fields.
    Struct(&'static [Field]),
}

/// A part and the versions that have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    from: i16,
    to: i16,
    kind: Kind,
}

/// In every version.
pub(super) const fn all(kind: Kind) -> Field {
    within(0, i16::MAX, kind)
}

/// From this version on.
pub(super) const fn since(from: i16, kind: Kind) -> Field {
    within(from, i16::MAX, kind)
}

/// In these versions.
pub(super) const fn within(from: i16, to: i16, kind: Kind) -> Field {
    Field { from, to, kind }
}

/// Walks a request's body; how many elements it has, and tagged fields, each counted as several.
pub(super) fn walk(
    reader: &mut Reader<'_>,
    fields: &'static [Field],
    version: i16,
    is_flexible: bool,
) -> Result<usize, Malformed> {
    let mut walk = Walk { version, is_flexible, items: 0 };
    walk.part(reader, Kind::Struct(fields))?;
    Ok(walk.items)
}

struct Walk {
    version: i16,
    is_flexible: bool,
    items: usize,
}

impl Walk {
    fn part(&mut self, reader: &mut Reader<'_>, kind: Kind) -> Result<(), Malformed> {
        match kind {
            Kind::Fixed(bytes) => reader.take(bytes).map(drop),
            Kind::Text => {
                let bytes = match self.is_flexible {
                    true => reader.compact_count()?,
                    false => usize::try_from(reader.i16()?).unwrap_or(0),
                };
                reader.take(bytes).map(drop)
            }
            Kind::Blob => {
                let bytes = self.count(reader)?;
                reader.take(bytes).map(drop)
            }
            Kind::List(element) => {
                let count = self.count(reader)?;
                self.items = self.items.saturating_add(count);
                if self.items > REQUEST_ITEMS_MAX {
                    return Err(Malformed::TooMuch);
                }
                (0..count).try_for_each(|_| self.part(reader, *element))
            }
            Kind::Struct(fields) => {
                for field in fields {
                    if (field.from..=field.to).contains(&self.version) {
                        self.part(reader, field.kind)?;
                    }
                }
                if self.is_flexible {
                    let tags_max = (REQUEST_ITEMS_MAX - self.items) / ITEMS_PER_TAG;
                    self.items += reader.tags(tags_max)? * ITEMS_PER_TAG;
                }
                Ok(())
            }
        }
    }

    fn count(&self, reader: &mut Reader<'_>) -> Result<usize, Malformed> {
        match self.is_flexible {
            true => reader.compact_count(),
            false => Ok(usize::try_from(reader.i32()?).unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Kind = Kind::Struct(&[all(Kind::Text), since(2, Kind::Fixed(4))]);
    const SHAPE: &[Field] = &[all(Kind::List(&PAIR)), within(0, 1, Kind::Blob)];

    const LISTS: &[Field] = &[all(Kind::List(&PAIR))];

    fn walked(bytes: &[u8], version: i16, is_flexible: bool) -> Result<usize, Malformed> {
        let mut reader = Reader::new(bytes);
        walk(&mut reader, SHAPE, version, is_flexible).map(|_| reader.rest().len())
    }

    #[test]
    fn a_request_is_walked_to_its_end() {
        assert_eq!(walked(&[0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 2, 7, 7], 0, false), Ok(0));
        assert_eq!(walked(&[0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 0], 2, false), Ok(0));
        assert_eq!(walked(&[2, 2, b'a', 0, 0, 0, 0, 0, 0], 2, true), Ok(0));
        assert_eq!(walked(&[255, 255, 255, 255, 255, 255, 255, 255], 0, false), Ok(0), "nulls");
    }

    #[test]
    fn a_list_that_promises_more_than_there_is_is_refused_before_anything_is_allocated() {
        assert!(walked(&[0x7f, 255, 255, 255], 0, false).is_err());
        assert!(walked(&[0xff, 0xff, 0xff, 0xff, 0x0f], 2, true).is_err());
        let many = [&2501_i32.to_be_bytes()[..], &[0; 5006]].concat();
        assert_eq!(walked(&many, 0, false), Err(Malformed::TooMuch));
    }

    #[test]
    fn a_tagged_field_counts_for_what_it_takes() {
        let items = |tags: u16| {
            let [high, low] = [(tags >> 7) as u8, (tags & 0x7f) as u8];
            let body = [&[1, low | 0x80, high][..], &[7, 0].repeat(tags.into())].concat();
            walk(&mut Reader::new(&body), LISTS, 2, true)
        };
        assert_eq!((items(0), items(1), items(625)), (Ok(0), Ok(4), Ok(2500)));
        assert_eq!(items(626), Err(Malformed::TooMuch));
    }
}
