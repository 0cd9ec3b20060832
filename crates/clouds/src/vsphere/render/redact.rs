//! What never leaves an event: passwords and their like.
//!
//! vCenter puts some secrets into events (the password of `AccountCreatedEvent.spec`, a VNC
//! password among a virtual machine's options), and a log would keep them for its whole retention.
//! So the default list is always on: a field is secret when [its name tells](crate::telling::looks_secret), and so is a value
//! that a field beside it names so: `value` of an option whose `key` does, of an appliance's property whose
//! `type` is `password`, of a custom field by its `name`. Numbers, flags and times are not touched. The
//! whole value, an object too, becomes [`REDACTED`], and each one is counted.
//!
//! The text of a virtual machine's changes tells them once more: [`changes`](super::changes).
//!
//! More can be named: an element's name (`annotation`) or the end of a path (`spec.description`).
//!
//! What becomes no JSON is redacted in [`markup`](super::markup), what a log holds in
//! [`recorded`](super::recorded).

use crate::vsphere::pair::is_told;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// An event's text, in which a value beside a telling name is told again.
const MESSAGE: &str = "fullFormattedMessage";

/// What an appliance is told, such as its root password. Who changes one need not say its type once more.
pub(super) const PROPERTY: &str = "VAppPropertyInfo";

/// Whether a field of this name is what one beside it names, or a text that tells it once more.
pub(super) fn is_told_in(name: &str) -> bool {
    is_told(name) || name.eq_ignore_ascii_case(MESSAGE)
}

/// Which values are replaced, beyond the default list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Paths, each as its parts from the last to the first.
    extra: Vec<Vec<String>>,
}

impl Redaction {
    /// The default list and these names or path ends, compared without regard to case.
    pub fn with(extra: impl IntoIterator<Item = impl AsRef<str>>) -> Redaction {
        let parts = |path: &str| path.rsplit('.').map(str::to_owned).collect();
        Redaction { extra: extra.into_iter().map(|path| parts(path.as_ref())).collect() }
    }

    /// Whether `name`, found below `path`, is named by the additions; the name of an option has a path of its
    /// own in it, such as `guestinfo.userdata`.
    pub(super) fn names(&self, path: &[&str], name: &str) -> bool {
        self.extra.iter().any(|extra| {
            let mut found = name.rsplit('.').chain(path.iter().rev().copied());
            extra
                .iter()
                .all(|part| found.next().is_some_and(|name| part.eq_ignore_ascii_case(name)))
        })
    }

    /// Whether `name` is named by the additions, were it found in the right place.
    pub(super) fn may_name(&self, name: &str) -> bool {
        let name = name.rsplit('.').next().unwrap_or_default();
        let mut last = self.extra.iter().filter_map(|extra| extra.first());
        last.any(|part| part.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addition_is_a_name_or_the_end_of_a_path() {
        let redaction = Redaction::with(["annotation", "spec.description"]);
        assert!(redaction.names(&["config"], "Annotation"));
        assert!(redaction.names(&["a", "spec"], "description"));
        assert!(!redaction.names(&["a"], "description"));
        assert!(!redaction.names(&[], "description"));
        assert!(redaction.names(&[], "guestinfo.annotation"), "an option's name");
        assert!(redaction.names(&["a"], "x.spec.description"));
        assert!(!redaction.names(&["a"], "x.description"));
    }
}
