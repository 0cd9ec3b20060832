//! Routing keys: by a template, or as CloudStack makes them. Pure.

use pluvio_event::Event;

use crate::outbound::name_template::{InvalidTemplate, NameContext, Template};

/// The name of CloudStack's own scheme in a configuration.
const CLOUDSTACK: &str = "cloudstack";
/// What an absent word is, in CloudStack's scheme and in ours.
const ABSENT: &str = "*";
/// A short string of AMQP 0-9-1 is no longer.
pub(super) const KEY_BYTES_MAX: usize = 255;

/// How a routing key is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RoutingKey {
    /// `management-server.ActionEvent.VM-START.VirtualMachine.<uuid>`.
    Cloudstack,
    /// By a template.
    Template(Template),
}

impl RoutingKey {
    /// Checks what the configuration says.
    pub(super) fn new(text: &str) -> Result<Self, InvalidTemplate> {
        match text {
            CLOUDSTACK => Ok(Self::Cloudstack),
            text => Template::new(text).map(Self::Template),
        }
    }

    /// The key for `event`; or why there is none.
    pub(super) fn key(&self, event: &Event, place: NameContext<'_>) -> Result<String, String> {
        let key = match self {
            Self::Cloudstack => cloudstack(event),
            // `.` is between words, as in the event's type; the other two are for bindings.
            Self::Template(template) => template
                .name(event, place, ABSENT, '-', |c| !matches!(c, '*' | '#') && !c.is_control()),
        };
        if key.len() > KEY_BYTES_MAX {
            return Err(format!(
                "its routing key has {} bytes, and {KEY_BYTES_MAX} are the most",
                key.len()
            ));
        }
        Ok(key)
    }
}

/// As `RabbitMQEventBus` makes it: source, category, type, resource type and id; a `.` in one of them
/// is `-`, and what is not there is `*`.
fn cloudstack(event: &Event) -> String {
    let kind = event.event_type();
    let kind = kind.strip_prefix("org.apache.cloudstack.").unwrap_or(kind);
    let (resource, id) = event.subject().map_or((None, None), |subject| {
        let (resource, id) = subject.split_once('/').unwrap_or((subject, ""));
        (Some(resource), Some(id))
    });
    let word = |text: Option<&str>| match text {
        None | Some("") => ABSENT.to_owned(),
        Some(text) => text.replace('.', "-"),
    };
    let words = [Some("management-server"), Some("ActionEvent"), Some(kind), resource, id];
    words.map(word).join(".")
}

#[cfg(test)]
mod tests {
    use pluvio_event::EventBuilder;

    use super::*;

    fn key(text: &str, event: EventBuilder) -> Result<String, String> {
        let event = event.build().unwrap_or_else(|e| unreachable!("{e}"));
        let place =
            NameContext { stream: "events", sink: "bus", recorded: jiff::Timestamp::UNIX_EPOCH };
        RoutingKey::new(text).unwrap_or_else(|e| unreachable!("{e}")).key(&event, place)
    }

    #[test]
    fn cloudstacks_own_keys_have_five_words_whatever_is_missing() {
        let event = |kind: &str| Event::builder("1", "https://cloud/client/api", kind);
        let start = "org.apache.cloudstack.VM.START";
        for (event, expected) in [
            (
                event(start).subject("VirtualMachine/77aa"),
                "management-server.ActionEvent.VM-START.VirtualMachine.77aa",
            ),
            (event(start), "management-server.ActionEvent.VM-START.*.*"),
            (event("x").subject("Host/a.b"), "management-server.ActionEvent.x.Host.a-b"),
            (event("x").subject("Host"), "management-server.ActionEvent.x.Host.*"),
        ] {
            assert_eq!(key("cloudstack", event).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_template_keeps_the_words_and_leaves_wildcards_to_bindings() {
        let event = Event::builder("1", "urn:a", "com.example.Thing").subject("#1*");
        assert_eq!(key("{type}.{subject}", event).as_deref(), Ok("com.example.Thing.-1-"));
    }

    #[test]
    fn a_key_that_is_too_long_is_told() {
        let event = Event::builder("1", "urn:a", "t").subject("s".repeat(300));
        assert!(key("{subject}", event).is_err_and(|error| error.contains("300 bytes")));
    }
}
