//! Days of UTC, which are the windows of the usage server's records.

pub(super) const DAY_S: i64 = 86_400;

/// The second at which the day of a second begins.
pub(super) fn day_of(second: i64) -> i64 {
    second.div_euclid(DAY_S) * DAY_S
}
