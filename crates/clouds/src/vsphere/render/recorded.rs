//! Secrets in the JSON of an event that was recorded before.
//!
//! A log may hold events whose recorder did not redact. Of such an event only the JSON is there: the class of a
//! field is not known, and which form it has neither.
//!
//! It refuses additions to the default list: they are the recorder's.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::changes::{CHANGED_PROPERTY, redact_changes};
use super::redact::{PROPERTY, REDACTED, Redaction, is_told_in};
use crate::telling::looks_secret;
use crate::vsphere::pair::tells;

/// The field of an appliance's property that no other class has.
const OF_PROPERTY: &str = "userConfigurable";

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
}
