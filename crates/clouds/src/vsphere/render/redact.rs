//! What never leaves an event: passwords and their like.
//!
//! vCenter puts some secrets into events (the password of `AccountCreatedEvent.spec`, a VNC
//! password among a virtual machine's options), and a log would keep them for its whole retention.
//! So the default list is always on: a field is secret when [its name tells](looks_secret), and so is a value
//! that a field beside it names so: `value` of an option whose `key` does, of an appliance's property whose
//! `type` is `password`, of a custom field by its `name`. Numbers, flags and times are not touched. The
//! whole value, an object too, becomes [`REDACTED`], and each one is counted.
//!
//! The text of a virtual machine's changes tells them once more: [`changes`](super::changes).
//!
//! More can be named: an element's name (`annotation`) or the end of a path (`spec.description`).
//!
//! What becomes no JSON is redacted in [`markup`](super::markup).

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::changes::{CHANGED_PROPERTY, redact_changes};
pub(in super::super) use crate::telling::looks_secret;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Fields that say what stands beside them.
const TELLING: [&str; 5] = ["key", "id", "name", "label", "type"];
/// What stands beside them.
const TOLD: [&str; 3] = ["value", "defaultValue", "prevState"];
/// An event's text, in which a value beside a telling name is told again.
const MESSAGE: &str = "fullFormattedMessage";

/// What an appliance is told, such as its root password. Who changes one need not say its type once more.
pub(super) const PROPERTY: &str = "VAppPropertyInfo";
const OF_PROPERTY: &str = "userConfigurable";

/// Whether a field of this name says what stands beside it.
pub(in super::super) fn tells(name: &str) -> bool {
    TELLING.iter().any(|telling| telling.eq_ignore_ascii_case(name))
}

/// Whether a field of this name is what one beside it names.
pub(in super::super) fn is_told(name: &str) -> bool {
    TOLD.iter().any(|told| told.eq_ignore_ascii_case(name))
}

/// The same, or a text that tells it once more.
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

/// The JSON of an event, in either form, without its secrets, and how many there were; `None` if there are
/// none that the default list has and that stand there. For a log of whoever did not redact.
///
/// The class of a field is not known here, so a time under a secret name is known by its looks.
pub fn redact_recorded(json: &str) -> Option<(String, usize)> {
    let may_hold_property = json.contains(PROPERTY) || json.contains(CHANGED_PROPERTY) || {
        // In either form: its first letter is written small or large.
        json.contains(&OF_PROPERTY[1..])
    };
    if !may_hold_property && !looks_secret(json) {
        return None;
    }
    let mut value: Value = serde_json::from_str(json).ok()?;
    let count = redact_value(&mut value);
    (count > 0).then(|| (value.to_string(), count))
}

fn redact_value(value: &mut Value) -> usize {
    match value {
        Value::Array(values) => values.iter_mut().map(redact_value).sum(),
        Value::Object(members) => {
            let mut names = members.iter().filter(|(name, _)| tells(name));
            let pair_is_secret = names.any(|(_, name)| name.as_str().is_some_and(looks_secret))
                || is_untyped_property(members);
            let mut count = 0;
            for (name, value) in members {
                let of_pair = pair_is_secret && is_told_in(name);
                if of_pair || (looks_secret(name) && may_be_secret(value)) {
                    if !is_nothing(value) {
                        *value = Value::from(REDACTED);
                        count += 1;
                    }
                } else {
                    count += redact_value(value);
                }
            }
            count
        }
        Value::String(text) => match redact_changes(text, &Redaction::default()) {
            Some((redacted, count)) => {
                *text = redacted;
                count
            }
            None => 0,
        },
        _ => 0,
    }
}

/// Whether it is an appliance's property of which nothing tells that it is no password.
fn is_untyped_property(members: &Map<String, Value>) -> bool {
    let get = |wanted: &str| {
        let mut found = members.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value)
    };
    let is_property =
        get("_typeName").and_then(Value::as_str) == Some(PROPERTY) || get(OF_PROPERTY).is_some();
    is_property && get("type").and_then(Value::as_str).unwrap_or_default().is_empty()
}

/// Numbers, flags and times are not.
fn may_be_secret(value: &Value) -> bool {
    match value {
        Value::Number(_) | Value::Bool(_) => false,
        Value::String(text) => text.parse::<Timestamp>().is_err(),
        _ => true,
    }
}

/// Whether a value holds nothing, or no longer does.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text == REDACTED,
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.iter().all(|(name, value)| {
            name == "_typeName" || is_nothing(value) || matches!(value, Value::Bool(false))
        }),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_with_its_secrets_loses_them() {
        let json = r#"{"Spec":{"Id":"x","Password":"hunter2"},"TokenAge":5,"Options":
            [{"Key":"vnc.password","Value":7},{"Key":"a","Value":"b"}],"Secret":null,
            "CredentialTime":"2026-11-20T04:17:06Z","privateKey":{"data":"hunter3"}}"#;
        let (redacted, count) = redact_recorded(json).unwrap_or_default();
        let expected = concat!(
            r#"{"Spec":{"Id":"x","Password":"[redacted]"},"TokenAge":5,"Options":"#,
            r#"[{"Key":"vnc.password","Value":"[redacted]"},{"Key":"a","Value":"b"}],"#,
            r#""Secret":null,"CredentialTime":"2026-11-20T04:17:06Z","privateKey":"[redacted]"}"#
        );
        assert_eq!((redacted.as_str(), count), (expected, 3));
        assert_eq!(redact_recorded(expected), None, "once is enough");
    }

    #[test]
    fn an_appliances_property_without_its_type_loses_its_value_though_no_name_tells() {
        for json in [
            r#"{"Info":{"Key":4,"Type":"","UserConfigurable":null,"Value":"hunter2"}}"#,
            r#"{"info":{"_typeName":"VAppPropertyInfo","key":4,"value":"hunter2"}}"#,
            r#"{"Modified":"config.vAppConfig.property(4).value: \"hunter2\" -> \"\""}"#,
        ] {
            let (redacted, count) = redact_recorded(json).unwrap_or_default();
            assert!(count == 1 && !redacted.contains("hunter2"), "{redacted}");
        }
        let typed = r#"{"Type":"string","UserConfigurable":true,"Value":"shown"}"#;
        assert_eq!(redact_recorded(typed), None);
    }

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
