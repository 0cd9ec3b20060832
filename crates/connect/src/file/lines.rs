//! Lines of a batch, as they are appended to the file.
//!
//! It refuses records that are no event, for what stands in the file is found again by the attributes of events.

use pluvio_log::Offset;
use pluvio_runtime::{Chain, Delivered, Format};

/// Lines of a batch.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Offset and end of each line.
    ends: Vec<(Offset, usize)>,
}

impl Lines {
    /// Appends the line of `record`; or says why it has none.
    pub(super) fn push(&mut self, record: &Delivered) -> Result<(), String> {
        // A line that does not begin with the event's attributes could not be found again.
        record.event().ok_or("the record is no event")?;
        let line = Format::Cloudevents.line(record, &mut self.bytes);
        line.map_err(|error| Chain(&error).to_string())?;
        self.ends.push((record.offset(), self.bytes.len()));
        Ok(())
    }

    /// The first lines, as many as fit into `bytes_max`, but at least one; and the offset of the last
    /// of them.
    pub(super) fn fitting(&self, bytes_max: u64) -> Option<(&[u8], Offset)> {
        let fits = |(_, end): &(Offset, usize)| *end as u64 <= bytes_max;
        let count = self.ends.partition_point(fits).max(1);
        let (last, end) = self.ends.get(count - 1)?;
        Some((self.bytes.get(..*end)?, *last))
    }
}
