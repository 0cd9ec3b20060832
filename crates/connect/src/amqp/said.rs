//! What a peer says when it rejects a message, or ends a link, a session or the connection.
//!
//! The conditions are the standard's and those of Azure's services. It refuses to decide what follows: an
//! [error](super::Error) and the messages on their way do, each for itself.

use fe2o3_amqp_types::{
    definitions::{self, AmqpError, ErrorCondition},
    primitives::Symbol,
};

/// What a peer says of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What kind it is, for example `amqp:not-found`.
    pub condition: String,
    /// In words.
    pub description: Option<String>,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.description {
            Some(description) => write!(f, "{description} ({})", self.condition),
            None => f.write_str(&self.condition),
        }
    }
}

impl From<&definitions::Error> for Said {
    fn from(error: &definitions::Error) -> Self {
        let symbol = match &error.condition {
            ErrorCondition::AmqpError(condition) => Symbol::from(condition),
            ErrorCondition::ConnectionError(condition) => Symbol::from(condition),
            ErrorCondition::SessionError(condition) => Symbol::from(condition),
            ErrorCondition::LinkError(condition) => Symbol::from(condition),
            ErrorCondition::Custom(symbol) => symbol.clone(),
        };
        Self { condition: symbol.as_str().to_owned(), description: error.description.clone() }
    }
}

impl Said {
    pub(super) fn is(&self, error: &AmqpError) -> bool {
        self.condition == Symbol::from(error).as_str()
    }

    /// Whether this would be said of any message.
    pub(super) fn is_about_all(&self) -> bool {
        self.is(&AmqpError::UnauthorizedAccess)
            || self.is(&AmqpError::NotFound)
            || self.is(&AmqpError::NotAllowed)
            || self.is(&AmqpError::NotImplemented)
            || self.is(&AmqpError::ResourceDeleted)
            || ABOUT_ALL.contains(&self.condition.as_str())
    }

    /// Whether the same message may be taken later: the peer is busy, full, or in trouble.
    pub(super) fn is_about_now(&self) -> bool {
        self.is(&AmqpError::ResourceLimitExceeded)
            || self.is(&AmqpError::InternalError)
            || self.is(&AmqpError::ResourceLocked)
            || self.is(&AmqpError::IllegalState)
            || NOT_NOW.contains(&self.condition.as_str())
    }

    /// Whether it is about a message's size.
    pub(super) fn is_about_size(&self) -> bool {
        self.condition == MESSAGE_SIZE
    }

    /// Whether a peer that ends a link, a session or a connection so may do that because of a message.
    pub(super) fn is_about_some(&self) -> bool {
        self.is(&AmqpError::DecodeError)
            || self.is(&AmqpError::InvalidField)
            || self.is(&AmqpError::InternalError)
            || self.is(&AmqpError::PreconditionFailed)
            || self.condition == "amqp:connection:framing-error"
    }
}

/// A message is larger than the link takes.
const MESSAGE_SIZE: &str = "amqp:link:message-size-exceeded";
/// What Azure's services say beside the standard, of a queue as a whole.
const ABOUT_ALL: [&str; 4] = [
    "com.microsoft:auth-failed",
    "com.microsoft:entity-disabled",
    "com.microsoft:publisher-revoked",
    "com.microsoft:address-already-in-use",
];
/// What peers say that are busy: Azure's services reject messages when they throttle, and so do peers
/// that move a link elsewhere.
pub(super) const NOT_NOW: [&str; 9] = [
    "com.microsoft:server-busy",
    "com.microsoft:timeout",
    "com.microsoft:operation-cancelled",
    "com.microsoft:quota-exceeded",
    "com.microsoft:container-close",
    "com.microsoft:partition-not-owned",
    "amqp:connection:forced",
    "amqp:link:detach-forced",
    "amqp:link:transfer-limit-exceeded",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_decides_who_is_to_blame() {
        for (condition, is_about_all, is_about_now) in [
            ("amqp:unauthorized-access", true, false),
            ("amqp:not-found", true, false),
            ("amqp:not-allowed", true, false),
            ("amqp:not-implemented", true, false),
            ("amqp:resource-deleted", true, false),
            ("com.microsoft:auth-failed", true, false),
            ("com.microsoft:entity-disabled", true, false),
            ("amqp:resource-limit-exceeded", false, true),
            ("amqp:resource-locked", false, true),
            ("amqp:internal-error", false, true),
            ("amqp:illegal-state", false, true),
            ("amqp:connection:forced", false, true),
            ("com.microsoft:server-busy", false, true),
            ("com.microsoft:timeout", false, true),
            ("com.microsoft:operation-cancelled", false, true),
            ("com.microsoft:quota-exceeded", false, true),
            // One message's own.
            ("amqp:invalid-field", false, false),
            ("amqp:decode-error", false, false),
            ("amqp:precondition-failed", false, false),
            ("amqp:link:message-size-exceeded", false, false),
            ("com.microsoft:argument-error", false, false),
        ] {
            let condition = ErrorCondition::Custom(Symbol::from(condition));
            let error = definitions::Error::new(condition, Some("no".to_owned()), None);
            let said = Said::from(&error);
            assert_eq!(said.is_about_all(), is_about_all, "{said}");
            assert_eq!(said.is_about_now(), is_about_now, "{said}");
        }
    }
}
