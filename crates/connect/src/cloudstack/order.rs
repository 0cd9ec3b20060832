//! The order in which rows become records.
//!
//! Pages have none to rely on, and times have whole seconds. Within a second a job's events follow
//! its course; the id decides the rest, so that the same rows always come in the same order.

use pluvio_clouds::cloudstack::NativeEvent;

use super::unread::Unread;

/// A row of a page of events: boxed, for it is moved from list to list, and has half a kilobyte.
pub(super) type Row = Result<Box<NativeEvent>, Box<Unread>>;

/// Created, state, first event before those that name it, id.
type Key = (i64, u8, bool, (u64, String));

/// Sorts oldest first. Rows that cannot be read have no time: they come first, so that no record
/// behind them says that they were passed.
pub(super) fn sort(rows: &mut [Row]) {
    rows.sort_by_cached_key(key);
}

fn key(row: &Row) -> Key {
    match row {
        Ok(event) => (
            event.created.at.as_second(),
            rank(event.state.as_deref()),
            event.parent_id.is_some(),
            number_or_text(&event.id),
        ),
        Err(unread) => (i64::MIN, 0, false, (0, unread.id.clone())),
    }
}

fn rank(state: Option<&str>) -> u8 {
    match state {
        Some("Created") => 0,
        Some("Scheduled") => 1,
        Some("Started") => 2,
        _ => 3,
    }
}

/// Numbers of old servers grow; uuids only have to come in one order.
fn number_or_text(id: &str) -> (u64, String) {
    id.parse().map_or_else(|_| (u64::MAX, id.to_owned()), |number| (number, String::new()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use pluvio_clouds::cloudstack::Row as _;
    use serde_json::value::RawValue;

    use super::*;

    fn row(id: &str, created: &str, state: &str, parent: &str) -> Row {
        let text = format!(
            r#"{{"id":{id},"created":"2026-11-20T{created}+0000","state":"{state}","parentid":"{parent}"}}"#
        );
        Ok(Box::new(NativeEvent::read(&RawValue::from_string(text).unwrap()).unwrap()))
    }

    #[test]
    fn a_second_is_told_in_the_course_of_its_jobs() {
        let mut rows = [
            row("12", "10:00:01", "Created", "0"),
            row("11", "10:00:00", "Completed", "7"),
            row("10", "10:00:00", "Started", "7"),
            row("9", "10:00:00", "Completed", ""),
            row("8", "10:00:00", "Scheduled", "3"),
            row("100", "10:00:00", "Scheduled", ""),
            row("20", "10:00:00", "Scheduled", ""),
        ];
        sort(&mut rows);
        let ids: Vec<_> = rows.iter().map(|row| row.as_ref().unwrap().id.as_str()).collect();
        assert_eq!(ids, ["20", "100", "8", "10", "9", "11", "12"]);
    }
}
