//! One event as it is stored: 24 bytes, because a history has millions of them.
//!
//! Everything that can be computed is not stored: the identifier comes from the number, the
//! description from the kind, the state and the resource.

use serde::{Deserialize, Serialize};

/// How bad an event is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Nothing bad.
    #[default]
    Info,
    /// Worth a look.
    Warn,
    /// An operation failed.
    Error,
}

impl Level {
    /// The level that the API spells so; any other is nothing bad.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "ERROR" => Self::Error,
            "WARN" => Self::Warn,
            _ => Self::Info,
        }
    }

    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Where in the course of an operation an event stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// The resource exists as a record.
    Created,
    /// The job waits.
    Scheduled,
    /// The job runs.
    Started,
    /// The job has ended, well or badly.
    #[default]
    Completed,
}

impl State {
    /// The state that the API spells so; any other is the end.
    pub(crate) fn of(name: &str) -> Self {
        let states = [Self::Created, Self::Scheduled, Self::Started];
        states.into_iter().find(|state| state.name() == name).unwrap_or(Self::Completed)
    }

    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Scheduled => "Scheduled",
            Self::Started => "Started",
            Self::Completed => "Completed",
        }
    }
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Seconds since 1970, as the management server's clock said.
    pub(crate) created: i64,
    /// One more than the number of the first event of the operation; 0 for none.
    pub(crate) parent: u32,
    /// One more than the index of the resource; 0 for none.
    pub(crate) resource: u32,
    pub(crate) kind: u16,
    pub(crate) account: u16,
    pub(crate) user: u16,
    pub(crate) level: Level,
    pub(crate) mark: Mark,
}

/// The state of an event and what was done to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(u8);

impl Mark {
    const ARCHIVED: u8 = 4;
    const HIDDEN: u8 = 8;

    pub(crate) fn new(state: State, hidden: bool) -> Self {
        Self(state as u8 | if hidden { Self::HIDDEN } else { 0 })
    }

    pub(crate) fn state(self) -> State {
        match self.0 & 3 {
            0 => State::Created,
            1 => State::Scheduled,
            2 => State::Started,
            _ => State::Completed,
        }
    }

    pub(crate) fn is_archived(self) -> bool {
        self.0 & Self::ARCHIVED != 0
    }

    /// Whether only admins see it (`display=false`).
    pub(crate) fn is_hidden(self) -> bool {
        self.0 & Self::HIDDEN != 0
    }

    pub(crate) fn archive(&mut self) {
        self.0 |= Self::ARCHIVED;
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, Row, State};

    #[test]
    fn a_row_is_small_and_keeps_its_state_when_archived() {
        assert!(size_of::<Row>() <= 24);
        let mut mark = Mark::new(State::Started, true);
        mark.archive();
        assert_eq!(mark.state(), State::Started);
        assert!(mark.is_archived() && mark.is_hidden());
    }
}
