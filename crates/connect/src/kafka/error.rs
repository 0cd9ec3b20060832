//! What can go wrong with a Kafka cluster, and what the supervisor and the operator should do.

use std::{io, time::Duration};

use kafka_protocol::ResponseError;
use pluvio_net::{DialError, TlsError};
use pluvio_runtime::{Failure, Response};
use pluvio_secret::SecretError;

use super::{code::Code, scram::ScramError};

/// Why a Kafka cluster could not be written to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// User name or password cannot be read.
    #[error("failed to read `{key}`")]
    Secret {
        /// The key in the configuration.
        key: &'static str,
        /// What is wrong with the place.
        source: SecretError,
    },
    /// A certificate file changed for the worse since the start.
    #[error("failed to prepare TLS")]
    Tls(#[from] TlsError),
    /// A broker cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection ended before the answer.
    #[error("connection to {peer} ended during {api}")]
    Cut {
        /// The broker.
        peer: String,
        /// What was asked.
        api: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// No answer came in time.
    #[error("{peer} did not answer {api} within {}s", timeout.as_secs())]
    Slow {
        /// The broker.
        peer: String,
        /// What was asked.
        api: &'static str,
        /// How long was waited.
        timeout: Duration,
    },
    /// What came is no answer.
    #[error("the answer of {peer} to {api} is malformed: {why}")]
    Answer {
        /// The broker.
        peer: String,
        /// What was asked.
        api: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The broker is older than 2.1, or newer than everything known.
    #[error("{peer} speaks no version of {api} that is spoken here")]
    Versions {
        /// The broker.
        peer: String,
        /// The API.
        api: &'static str,
    },
    /// The mechanism is not offered.
    #[error("{peer} does not offer {mechanism}, but: {offered}")]
    Mechanism {
        /// The broker.
        peer: String,
        /// What was asked for.
        mechanism: &'static str,
        /// What there is.
        offered: String,
    },
    /// Name or password is wrong.
    #[error("login at {peer} was refused: {said}")]
    Login {
        /// The broker.
        peer: String,
        /// In its words.
        said: String,
    },
    /// The exchange of proofs failed on our side.
    #[error("login at {peer} failed")]
    Scram {
        /// The broker.
        peer: String,
        /// What is wrong.
        source: ScramError,
    },
    /// There is no such topic, or none that we may see.
    #[error("topic `{topic}` does not exist")]
    NoTopic {
        /// Its name.
        topic: String,
    },
    /// A partition has no leader, or none that is known.
    #[error("partition {partition} of topic `{topic}` has no leader")]
    NoLeader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// A node is named, and not where it is.
    #[error("no broker tells where node {node} is")]
    NoNode {
        /// Its id.
        node: i32,
    },
    /// A broker said no, or not now.
    #[error("{api} of {object} failed: {code}")]
    Refused {
        /// What was asked.
        api: &'static str,
        /// Of which topic, group or transactional id.
        object: String,
        /// The broker's code.
        code: Code,
    },
    /// An answer says nothing about some partitions.
    #[error("the answer to Produce leaves partitions out")]
    Partial,
    /// The broker does not know where the producer stands.
    #[error("partition {partition} of topic `{topic}` does not know the producer any more: {code}")]
    Sequence {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The broker's code.
        code: Code,
    },
    /// The account may write, by what the broker tells, to nothing there.
    #[error("the account may not write to topic `{topic}`")]
    MayNotWrite {
        /// The topic.
        topic: String,
    },
    /// Another producer took the transactional id.
    #[error("another producer took the transactional id `{id}`")]
    Fenced {
        /// The id.
        id: String,
    },
}

/// How long a fenced producer stays away: two that fence each other get nowhere.
const FENCED_PAUSE: Duration = Duration::from_secs(10);

/// How soon a coordinator that is being found or is reading its log is asked again: that takes
/// seconds, and growing back-off would make minutes of it.
const COORDINATOR_PAUSE: Duration = Duration::from_secs(1);

impl Error {
    /// Whether a broker knows us and says no: another broker would say the same.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::Dial(_) | Self::Cut { .. } | Self::Slow { .. } | Self::Answer { .. })
    }
}

impl Failure for Error {
    fn response(&self) -> Response {
        match self {
            Self::Mechanism { .. } | Self::Login { .. } | Self::Scram { .. } => Response::Denied,
            Self::MayNotWrite { .. } => Response::Denied,
            Self::Refused { code, .. } if code.is_denied() => Response::Denied,
            Self::Refused { code, .. } if code.is_passing() => Response::Wait(COORDINATOR_PAUSE),
            Self::Fenced { .. } => Response::Wait(FENCED_PAUSE),
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::Dial(error) => return error.remedy(),
            Self::Cut { .. } => {
                "check that the broker runs, and `tls`: a port that speaks TLS closes connections \
                 without it"
                    .to_owned()
            }
            Self::Answer { .. } => {
                "check that `brokers` names ports of Kafka, and `tls`".to_owned()
            }
            Self::Slow { .. } => {
                "look at the broker's load and log; raise `timeout` if it is only slow".to_owned()
            }
            Self::Versions { .. } => "use brokers from Kafka 2.1 to 4".to_owned(),
            Self::Mechanism { .. } => "set `mechanism` to one that is offered".to_owned(),
            Self::Login { .. } => {
                "check `username`, `password` and `mechanism`: for SCRAM the user must be made with \
                 kafka-configs --add-config 'SCRAM-SHA-512=[password=…]'"
                    .to_owned()
            }
            Self::NoTopic { topic } => format!(
                "make it: kafka-topics --create --topic {topic}; if it is there, allow the account \
                 to see it"
            ),
            Self::NoLeader { .. } => {
                "look which brokers are down: kafka-topics --describe --unavailable-partitions"
                    .to_owned()
            }
            Self::Refused { object, code, .. } => return refused(object, *code),
            Self::MayNotWrite { topic } => write_remedy(topic),
            Self::Sequence { .. } => {
                "nothing to do: a new producer goes on; single events may be there twice".to_owned()
            }
            Self::Fenced { .. } => {
                "let only one Pluvio have this sink, or give each its own `transactional_id`"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

fn write_remedy(topic: &str) -> String {
    format!("allow it: kafka-acls --add --allow-principal User:… --operation Write --topic {topic}")
}

fn refused(object: &str, code: Code) -> Option<String> {
    use ResponseError as E;
    // `object` reads "topic `name`" or the like; the name is what a command wants.
    let name = object.split('`').nth(1).unwrap_or(object);
    Some(match code.0 {
        E::TopicAuthorizationFailed => write_remedy(name),
        E::ClusterAuthorizationFailed => {
            "allow it: kafka-acls --add --allow-principal User:… --operation IdempotentWrite \
             --cluster"
                .to_owned()
        }
        E::TransactionalIdAuthorizationFailed => format!(
            "allow it: kafka-acls --add --allow-principal User:… --operation Write \
             --transactional-id {name}"
        ),
        E::GroupAuthorizationFailed => format!(
            "allow it: kafka-acls --add --allow-principal User:… --operation Read --group {name}; \
             the cursor of a transactional sink is kept there"
        ),
        E::NotEnoughReplicas | E::NotEnoughReplicasAfterAppend => {
            "bring back the brokers that are down, or lower min.insync.replicas of the topic"
                .to_owned()
        }
        E::UnknownTopicOrPartition => format!(
            "make the topic if it was deleted: kafka-topics --create --topic {name}; otherwise \
             wait until the brokers know it"
        ),
        E::CoordinatorNotAvailable | E::CoordinatorLoadInProgress | E::NotCoordinator => {
            "nothing to do: the brokers are finding out who coordinates; if it lasts, see that as many \
             brokers run as offsets.topic.replication.factor and \
             transaction.state.log.replication.factor want"
                .to_owned()
        }
        E::KafkaStorageError => "look at the broker's disks".to_owned(),
        E::UnsupportedCompressionType => "set `compression` to \"none\"".to_owned(),
        E::InvalidTransactionTimeout => {
            "raise transaction.max.timeout.ms of the brokers, or lower `timeout`".to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(object: &str, code: ResponseError) -> Error {
        Error::Refused { api: "Produce", object: object.to_owned(), code: Code(code) }
    }

    #[test]
    fn missing_rights_are_denied_and_name_the_acl() {
        let error = refused("topic `rain`", ResponseError::TopicAuthorizationFailed);
        assert_eq!(error.response(), Response::Denied);
        assert!(error.remedy().is_some_and(|it| it.ends_with("--operation Write --topic rain")));
        let text = "Produce of topic `rain` failed: TOPIC_AUTHORIZATION_FAILED";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn brokers_that_are_away_are_tried_again() {
        for code in [
            ResponseError::NotEnoughReplicas,
            ResponseError::NotLeaderOrFollower,
            ResponseError::RequestTimedOut,
            ResponseError::KafkaStorageError,
        ] {
            assert_eq!(refused("topic `rain`", code).response(), Response::Retry, "{code}");
        }
    }

    #[test]
    fn a_coordinator_that_is_coming_is_waited_for_without_growing_back_off() {
        let error = refused("`pluvio-a`", ResponseError::CoordinatorLoadInProgress);
        assert_eq!(error.response(), Response::Wait(COORDINATOR_PAUSE));
    }

    #[test]
    fn a_missing_topic_names_the_command_that_makes_it() {
        let error = Error::NoTopic { topic: "rain".to_owned() };
        let begins = "make it: kafka-topics --create --topic rain";
        assert!(error.remedy().is_some_and(|remedy| remedy.starts_with(begins)));
    }
}
