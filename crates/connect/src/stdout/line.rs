//! One event as one readable line, also for `pluvio tail` and `pluvio demo`.
//!
//! `10:31:22 VmPoweredOnEvent  VirtualMachine/vm-57  web-1 on esx-3 is powered on  (Administrator)`

use anstyle::{AnsiColor, Style};
use jiff::{Timestamp, tz::TimeZone};
use pluvio_event::{AttributeValue, Event, shown, whole_characters};

/// Styles, or none of them.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    time: Style,
    event_type: Style,
    subject: Style,
    who: Style,
    warning: Style,
    error: Style,
}

impl Palette {
    /// Colours where standard output is a terminal and `NO_COLOR` is not set.
    pub fn of_stdout() -> Self {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if is_plain || !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            return Self::plain();
        }
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        Self {
            time: Style::new().dimmed(),
            event_type: Style::new().bold(),
            subject: color(AnsiColor::Cyan),
            who: Style::new().dimmed(),
            warning: color(AnsiColor::Yellow).bold(),
            error: color(AnsiColor::Red).bold(),
        }
    }

    /// No colours.
    pub fn plain() -> Self {
        let none = Style::new();
        Self { time: none, event_type: none, subject: none, who: none, warning: none, error: none }
    }
}

/// The line, without its end.
pub fn line(event: &Event, palette: Palette, zone: &TimeZone) -> String {
    let time = event.time().unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone());
    let time = painted(palette.time, &time.strftime("%H:%M:%S").to_string());
    let severity = match event.extension("severitynumber") {
        Some(AttributeValue::Integer(17..)) => palette.error,
        Some(AttributeValue::Integer(13..)) => palette.warning,
        _ => palette.event_type,
    };
    let mut line =
        format!("{time} {}", painted(severity, &format!("{:<28}", shown(short_type(event)))));
    if let Some(subject) = event.subject() {
        line.push_str(&format!("  {}", painted(palette.subject, &shown(subject))));
    }
    if let Some(message) = message(event) {
        line.push_str(&format!("  {}", shown(&message)));
    }
    if let Some(AttributeValue::String(who)) = event.extension("authid") {
        line.push_str(&format!("  {}", painted(palette.who, &format!("({})", shown(who)))));
    }
    line
}

/// `VmPoweredOnEvent` of `com.vmware.vsphere.VmPoweredOnEvent.v0`, `VM.START` of
/// `org.apache.cloudstack.VM.START`; what else comes stays whole.
fn short_type(event: &Event) -> &str {
    let event_type = event.event_type();
    let prefixes = ["com.vmware.vsphere.", "org.apache.cloudstack."];
    let name = prefixes.iter().find_map(|prefix| event_type.strip_prefix(prefix));
    let name = name.unwrap_or(event_type);
    name.strip_suffix(".v0").unwrap_or(name)
}

/// The cloud's own words, wherever it keeps them.
fn message(event: &Event) -> Option<String> {
    const KEYS: [&str; 5] =
        ["FullFormattedMessage", "fullFormattedMessage", "description", "message", "reason"];
    let data = std::str::from_utf8(event.data()?.as_bytes()).ok()?;
    let data: serde_json::Value = serde_json::from_str(&whole_characters(data)).ok()?;
    KEYS.iter()
        .find_map(|key| data[*key].as_str())
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn painted(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use pluvio_event::{AttributeName, Data};

    use super::*;

    #[test]
    fn a_line_tells_when_what_to_whom_in_which_words_by_whom() {
        let event_type = "com.vmware.vsphere.VmPowered\u{1b}[1mOnEvent.v0";
        let event = Event::builder("7", "https://vc/sdk", event_type)
            .subject("VirtualMachine/vm-57\u{9b}1m")
            .time("2026-11-20T10:31:22Z".parse().unwrap_or(Timestamp::UNIX_EPOCH))
            .extension(
                AttributeName::new("authid").unwrap_or_else(|e| unreachable!("{e}")),
                "ad\u{202e}min",
            )
            .data(
                Data::json(r#"{"FullFormattedMessage":"web-1 is\npowered\u001b[1m on"}"#)
                    .unwrap_or_else(|e| unreachable!("{e}")),
            )
            .build()
            .unwrap_or_else(|e| unreachable!("{e}"));
        assert_eq!(
            line(&event, Palette::plain(), &TimeZone::UTC),
            "10:31:22 VmPowered\\u001b[1mOnEvent     VirtualMachine/vm-57\\u009b1m  \
             web-1 is\\npowered\\u001b[1m on  (ad\\u202emin)"
        );
    }
}
