//! Which cloud a position is of, and which part of it was read: short marks beside it.
//!
//! The mark of the `source` attribute tells whose events were read, so that a section that was renamed finds its
//! own place again and another cloud's is not believed ([`Resume::place`](pluvio_runtime::Resume::place)). The
//! mark of the scope tells what the list was narrowed to, so that what is not listed any more is not taken
//! for lost.
//!
//! They refuse to be identities: they tell the few positions of one log apart, and what they are made of
//! would not fit beside them.

use serde_json::json;
use uuid::Uuid;

/// Sixteen hexadecimal digits for a `source` attribute.
pub(crate) fn mark_of(source: &str) -> String {
    digits(source, 16)
}

/// Six hexadecimal digits for what a list is narrowed to: keys of the configuration and their values, in any
/// order. Few, because a place of a vCenter leaves room for no more.
pub(crate) fn scope_of(mut parts: Vec<(&str, &str)>) -> String {
    parts.sort_unstable();
    parts.dedup();
    digits(&json!(parts).to_string(), 6)
}

/// Notes the scope that is asked for from now on; whether another one was noted before.
pub(crate) fn note_scope(noted: &mut Option<String>, scope: &str) -> bool {
    noted.replace(scope.to_owned()).is_some_and(|before| before != scope)
}

fn digits(text: &str, count: usize) -> String {
    let mut mark = Uuid::new_v5(&Uuid::NAMESPACE_URL, text.as_bytes()).simple().to_string();
    mark.truncate(count);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_the_same_in_any_order_and_another_with_any_other_value() {
        let scope = scope_of(vec![("users", "a"), ("users", "b"), ("entity", "Folder:x")]);
        assert_eq!(
            scope,
            scope_of(vec![("entity", "Folder:x"), ("users", "b"), ("users", "a"), ("users", "a")])
        );
        for other in [
            vec![],
            vec![("users", "a"), ("entity", "Folder:x")],
            vec![("users", "a"), ("users", "b"), ("event_types", "Folder:x")],
        ] {
            assert_ne!(scope, scope_of(other));
        }
    }
}
