//! Looking into a chain of errors, by type or as text.
//!
//! Libraries wrap the error that matters three layers deep. Searching by type, never by text, keeps
//! working when they change their words.

use std::error::Error as StdError;

/// All errors of one type in a chain, outermost first; looks also into what an `io::Error` holds,
/// which `source()` hides.
pub(crate) fn of_type<'a, E: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a E> {
    std::iter::successors(Some(error), |error| cause(*error))
        .filter_map(|error| error.downcast_ref::<E>())
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(held) => Some(held),
        None => error.source(),
    }
}

/// An error with its causes, `: ` between them.
pub(crate) fn text(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
