//! What a broker's error code means to us.
//!
//! Codes that are not named here are worth another attempt: a new broker may have new ones.

use std::fmt;

use kafka_protocol::ResponseError;

/// No error.
pub(super) const NONE: i16 = 0;

/// An error code, printed as the protocol's documentation names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub(super) ResponseError);

/// What became of a piece, by the code of its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceResult {
    /// It is there.
    Arrived,
    /// It will never be taken.
    Rejected,
    /// It is too large; a smaller one may be taken.
    TooLarge,
    /// The broker does not know where the producer stands.
    Sequence,
    /// The outcome is not known (yet); resend with the same sequence number.
    Open,
}

impl Code {
    /// The code, unless it is "none".
    pub(super) fn of(code: i16) -> Option<Self> {
        ResponseError::try_from_code(code).map(Self)
    }

    /// What it means in an answer to Produce.
    pub(super) fn fate(code: Option<Self>) -> PieceResult {
        use ResponseError as E;
        match code.map(|code| code.0) {
            None | Some(E::DuplicateSequenceNumber) => PieceResult::Arrived,
            Some(E::MessageTooLarge | E::RecordListTooLarge) => PieceResult::TooLarge,
            Some(E::InvalidRecord | E::InvalidTimestamp) => PieceResult::Rejected,
            Some(
                E::OutOfOrderSequenceNumber
                | E::UnknownProducerId
                | E::InvalidProducerEpoch
                | E::InvalidProducerIdMapping,
            ) => PieceResult::Sequence,
            Some(_) => PieceResult::Open,
        }
    }

    /// Whether an account or its rights are what is wrong.
    pub(super) fn is_denied(self) -> bool {
        use ResponseError as E;
        matches!(
            self.0,
            E::TopicAuthorizationFailed
                | E::GroupAuthorizationFailed
                | E::ClusterAuthorizationFailed
                | E::TransactionalIdAuthorizationFailed
                | E::SaslAuthenticationFailed
        )
    }

    /// Whether it says only that a coordinator is not ready yet.
    pub(super) fn is_passing(self) -> bool {
        use ResponseError as E;
        matches!(
            self.0,
            E::CoordinatorNotAvailable
                | E::CoordinatorLoadInProgress
                | E::NotCoordinator
                | E::ConcurrentTransactions
        )
    }

    /// Whether a transaction of ours is still being finished.
    pub(super) fn is_concurrent(self) -> bool {
        self.0 == ResponseError::ConcurrentTransactions
    }

    /// Whether somebody else has taken our transactional id.
    pub(super) fn is_fenced(self) -> bool {
        use ResponseError as E;
        matches!(self.0, E::ProducerFenced | E::InvalidProducerEpoch)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ResponseError::Unknown(code) = self.0 {
            return write!(f, "error code {code}");
        }
        for (at, letter) in self.0.to_string().char_indices() {
            if at > 0 && letter.is_ascii_uppercase() {
                f.write_str("_")?;
            }
            write!(f, "{}", letter.to_ascii_uppercase())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_called_as_in_the_documentation() {
        let name = |code| Code::of(code).map(|code| code.to_string());
        assert_eq!(name(6).as_deref(), Some("NOT_LEADER_OR_FOLLOWER"));
        assert_eq!(name(20).as_deref(), Some("NOT_ENOUGH_REPLICAS_AFTER_APPEND"));
        assert_eq!(name(7777).as_deref(), Some("error code 7777"));
        assert_eq!(name(0), None);
    }

    #[test]
    fn what_is_there_already_has_arrived_and_what_is_new_is_tried_again() {
        for (code, fate) in [
            (0, PieceResult::Arrived),
            (46, PieceResult::Arrived),
            (10, PieceResult::TooLarge),
            (87, PieceResult::Rejected),
            (45, PieceResult::Sequence),
            (59, PieceResult::Sequence),
            (6, PieceResult::Open),
            (20, PieceResult::Open),
            (29, PieceResult::Open),
            (7777, PieceResult::Open),
        ] {
            assert_eq!(Code::fate(Code::of(code)), fate, "{code}");
        }
    }
}
