//! Fields that make a pair: one says what stands beside it, such as `key` and `value` of an option.
//!
//! Both the type table and what redacts ask for it, so it lies below them. It knows names only, and refuses to
//! judge values; [`looks_secret`](crate::telling::looks_secret) says whether a name is a secret's.

/// Fields that say what stands beside them.
const TELLING: [&str; 5] = ["key", "id", "name", "label", "type"];
/// What stands beside them.
const TOLD: [&str; 3] = ["value", "defaultValue", "prevState"];

/// Whether a field of this name says what stands beside it.
pub(super) fn tells(name: &str) -> bool {
    TELLING.iter().any(|telling| telling.eq_ignore_ascii_case(name))
}

/// Whether a field of this name is what one beside it names.
pub(super) fn is_told(name: &str) -> bool {
    TOLD.iter().any(|told| told.eq_ignore_ascii_case(name))
}
