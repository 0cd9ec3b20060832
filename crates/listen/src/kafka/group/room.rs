//! How much of what groups hold still fits into one answer.

use kafka_protocol::ResponseError;

use crate::kafka::limits::GROUP_ANSWER_BYTES_MAX;

/// What an answer may still hold. When something did not fit, nothing does any more: what comes
/// after it is refused without being looked at.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    pub(super) fn new() -> Self {
        Self(GROUP_ANSWER_BYTES_MAX)
    }

    /// Takes so many bytes, if they are left. Clients do not try again what is refused by a policy.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), ResponseError> {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(0);
        left.map(drop).ok_or(ResponseError::PolicyViolation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_what_did_not_fit_nothing_fits() {
        let mut room = Room::new();
        assert_eq!(room.take(1), Ok(()));
        assert_eq!(room.take(GROUP_ANSWER_BYTES_MAX), Err(ResponseError::PolicyViolation));
        assert_eq!(room.take(1), Err(ResponseError::PolicyViolation));
    }
}
