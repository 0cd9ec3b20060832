//! One request to one answer: the table of who answers what.
//!
//! It refuses to answer anything but the login before somebody is known, and to guess: bytes that
//! are not what their head says end the connection.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, SaslAuthenticateRequest, SaslHandshakeRequest},
    protocol::Encodable,
};
use metrics::counter;
use pluvio_runtime::{Credential, Principal};
use tracing::{debug, error};

use super::{
    body::Body,
    caller::Caller,
    describe, fetch, group,
    hangup::Hangup,
    limits::{ANSWER_BYTES_FREE, FRAME_BYTES_FREE, REQUEST_ITEMS_CHEAP},
    metadata, meter, offsets, refuse,
    sasl::{Outcome, Sasl},
    server::Server,
    turn::Turn,
    versions,
    wire::{Api, Head, Reader, framed},
};
use crate::{holder::Holder, room::Held};

/// What goes back to the client.
pub(super) struct Answer {
    pub(super) pieces: Vec<Bytes>,
    /// Held until the answer is sent.
    pub(super) _held: Option<Held>,
    /// Why the connection ends after this answer.
    pub(super) last: Option<Hangup>,
}

/// Who is at the other end, as far as is known.
pub(super) struct Session {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    known: Option<Known>,
    sasl: Sasl,
    /// Whom the client claims to be, as soon as it has said so.
    claimed: Option<String>,
}

/// Who somebody is, and whose the connection.
struct Known {
    principal: Arc<Principal>,
    holder: Holder,
}

/// A request whose bytes have been checked.
pub(super) struct Request {
    pub(super) api: &'static Api,
    pub(super) version: i16,
    correlation: i32,
    client: String,
    body: Body,
    /// How much it names: see [`Api::check`].
    items: usize,
}

impl Request {
    /// Reads a frame, whose place is `held`. `Ok(Err(_))`: it is answered already.
    pub(super) fn read(frame: &Bytes, held: Option<Held>) -> Result<Result<Self, Answer>, Hangup> {
        let mut reader = Reader::new(frame);
        let is_flexible = |key, version| {
            Api::of(key).is_some_and(|api| api.has(version) && api.is_flexible(version))
        };
        let head = Head::read(&mut reader, is_flexible)?;
        let api = Api::of(head.key).ok_or(Hangup::UnknownApi)?;
        counter!(meter::REQUESTS, "api" => api.name).increment(1);
        if !api.has(head.version) {
            return match api.key {
                ApiKey::ApiVersions => {
                    let body = encoded(&versions::too_new(), 0)?;
                    let pieces =
                        framed(head.correlation, false, body).ok_or(Hangup::Unencodable)?;
                    Ok(Err(Answer { pieces, _held: None, last: None }))
                }
                _ => Err(Hangup::UnsupportedVersion),
            };
        }
        let body = frame.slice_ref(reader.rest());
        let items = api.check(head.version, &body)?;
        let Head { version, correlation, client, .. } = head;
        let body = Body::new(body, version, held);
        Ok(Ok(Self { api, version, correlation, client, body, items }))
    }

    /// Whether it may wait for something to happen or search for long, so that somebody should look
    /// after the socket.
    pub(super) fn may_wait(&self) -> bool {
        use ApiKey::{Fetch, JoinGroup, ListOffsets, SyncGroup};
        matches!(self.api.key, Fetch | JoinGroup | ListOffsets | SyncGroup)
    }

    /// Whether it is worked on in its client's turn: it says much, or may be answered with much. A login is
    /// not, whatever it says: one behind wrong ones waits by itself.
    pub(super) fn is_dear(&self) -> bool {
        use ApiKey::{
            ApiVersions, DescribeGroups, ListGroups, OffsetFetch, SaslAuthenticate, SaslHandshake,
        };
        match self.api.key {
            ApiVersions | SaslHandshake | SaslAuthenticate => false,
            DescribeGroups | ListGroups | OffsetFetch => true,
            _ => self.items > REQUEST_ITEMS_CHEAP || self.body.bytes().len() > FRAME_BYTES_FREE,
        }
    }

    fn framed(&self, body: Vec<Bytes>) -> Result<Vec<Bytes>, Hangup> {
        let has_tags = self.api.answers_with_tags(self.version);
        framed(self.correlation, has_tags, body).ok_or(Hangup::Unencodable)
    }
}

fn encoded<M: Encodable>(message: &M, version: i16) -> Result<Vec<Bytes>, Hangup> {
    // A large answer is not copied while it grows.
    let bytes = message.compute_size(version).unwrap_or(0);
    let mut body = BytesMut::with_capacity(bytes);
    message.encode(&mut body, version).map_err(|error| {
        error!(%error, version, message = std::any::type_name::<M>(), "failed to encode an answer");
        Hangup::Unencodable
    })?;
    Ok(vec![body.freeze()])
}

impl Session {
    pub(super) fn new(server: &Server, peer: SocketAddr, local: SocketAddr) -> Self {
        let principal = server.context.access.table().authenticate(Credential::None).ok();
        let known = principal.map(|principal| Known { principal, holder: Holder::at(peer.ip()) });
        Self { peer, local, known, sasl: Sasl::Begin, claimed: None }
    }

    /// Whether nobody is known yet.
    pub(super) fn is_unknown(&self) -> bool {
        self.known.is_none()
    }

    /// Whose the connection is, if that is known.
    pub(super) fn holder(&self) -> Option<&Holder> {
        self.known.as_ref().map(|known| &known.holder)
    }

    /// Answers a request in its turn; `None`: nothing is to be answered.
    pub(super) async fn answer(
        &mut self,
        server: &Server,
        request: &mut Request,
        mut turn: Turn,
    ) -> Result<Option<Answer>, Hangup> {
        let mut answer = Answer { pieces: Vec::new(), _held: None, last: None };
        let version = request.version;
        let body = match (request.api.key, &self.known) {
            (ApiKey::ApiVersions, _) => encoded(&versions::answer(), version)?,
            (ApiKey::SaslHandshake, _) => {
                let wanted: SaslHandshakeRequest = request.body.decoded()?;
                let table = server.context.access.table();
                encoded(&self.sasl.handshake(&table, &wanted.mechanism), version)?
            }
            (ApiKey::SaslAuthenticate, _) => {
                let (body, last) = self.authenticate(server, request).await?;
                answer.last = last;
                body
            }
            (_, None) => return Err(Hangup::NotAuthenticated),
            (ApiKey::Fetch, Some(known)) => {
                let wanted = request.body.reduced(fetch::Wanted::of)?;
                let caller = self.caller(server, known, &request.client, version);
                let sending = fetch::answer(&caller, wanted, turn).await;
                answer._held = sending.held;
                sending.pieces
            }
            (_, Some(known)) => {
                let Request { api, client, body, .. } = request;
                let caller = self.caller(server, known, client, version);
                match answer_known(&caller, api.key, body, &mut turn).await? {
                    Some(body) => body,
                    None => return Ok(None),
                }
            }
        };
        answer.pieces = request.framed(body)?;
        if answer._held.is_none() {
            let bytes = answer.pieces.iter().map(Bytes::len).sum();
            if bytes > ANSWER_BYTES_FREE {
                let held = match self.holder() {
                    Some(holder) => server.room.try_take_of(&server.parts.of(holder), bytes),
                    None => server.room.try_take(bytes),
                };
                answer._held = Some(held.ok_or(Hangup::NoRoom)?);
            }
        }
        Ok(Some(answer))
    }

    fn caller<'a>(
        &self,
        server: &'a Server,
        known: &'a Known,
        client: &'a str,
        version: i16,
    ) -> Caller<'a> {
        let Known { principal, holder } = known;
        let (peer, local, by_id) = (self.peer, self.local, OnceLock::new());
        Caller { server, principal, holder, client, peer, local, version, by_id }
    }

    async fn authenticate(
        &mut self,
        server: &Server,
        request: &Request,
    ) -> Result<(Vec<Bytes>, Option<Hangup>), Hangup> {
        // It may wait for its turn to guess: nothing else of the request does.
        let said = request.body.decoded::<SaslAuthenticateRequest>()?.auth_bytes;
        let (access, address) = (&server.context.access, self.peer.ip());
        self.claimed = self.sasl.claimed(&said).or(self.claimed.take());
        let admitted = access.guesses().admit(address, self.claimed.as_deref()).await;
        let step = match admitted {
            Ok(()) => self.sasl.authenticate(&access.table(), &said),
            Err(too_many) => self.sasl.refuse(&too_many),
        };
        let last = match step.outcome {
            Outcome::More => None,
            Outcome::Known(principal) => {
                let holder = Holder::Principal(principal.name.clone());
                self.known = Some(Known { principal, holder });
                None
            }
            Outcome::Denied => {
                if admitted.is_ok() {
                    access.guesses().failed(address, self.claimed.as_deref());
                }
                counter!(meter::DENIED).increment(1);
                debug!(peer = %self.peer, client = request.client, "denied a kafka client's login");
                Some(Hangup::Denied)
            }
        };
        Ok((encoded(&step.response, request.version)?, last))
    }
}

/// Answers what somebody asks who is known.
async fn answer_known(
    caller: &Caller<'_>,
    key: ApiKey,
    request: &mut Body,
    turn: &mut Turn,
) -> Result<Option<Vec<Bytes>>, Hangup> {
    let version = caller.version;
    let body = match key {
        ApiKey::Metadata => encoded(&metadata::answer(caller, request.decoded()?).await, version),
        ApiKey::DescribeCluster => {
            encoded(&metadata::cluster(caller, &request.decoded()?), version)
        }
        ApiKey::DescribeConfigs => {
            encoded(&describe::answer(caller, request.decoded()?).await, version)
        }
        ApiKey::ListOffsets => {
            encoded(&offsets::list(caller, request.decoded_for_disk(turn)?).await, version)
        }
        ApiKey::OffsetForLeaderEpoch => {
            encoded(&offsets::of_epoch(caller, request.decoded()?).await, version)
        }
        ApiKey::FindCoordinator => {
            encoded(&group::find_coordinator(caller, request.decoded()?), version)
        }
        ApiKey::JoinGroup => {
            let keep = |request: &_| group::Joining::of(caller, request);
            let joining = request.reduced_for_others(turn, keep)?;
            encoded(&group::join(caller, joining).await, version)
        }
        ApiKey::SyncGroup => {
            let keep = |request: &_| group::Syncing::of(caller, request);
            let syncing = request.reduced_for_others(turn, keep)?;
            encoded(&group::sync(caller, syncing).await, version)
        }
        ApiKey::Heartbeat => encoded(&group::heartbeat(caller, &request.decoded()?), version),
        ApiKey::LeaveGroup => encoded(&group::leave(caller, request.decoded()?).await, version),
        ApiKey::OffsetCommit => {
            encoded(&group::commit(caller, request.decoded_for_disk(turn)?).await, version)
        }
        ApiKey::OffsetFetch => encoded(&group::fetch(caller, request.decoded()?).await, version),
        ApiKey::ListGroups => encoded(&group::list(caller, &request.decoded()?), version),
        ApiKey::DescribeGroups => {
            encoded(&group::describe(caller, request.decoded()?).await, version)
        }
        ApiKey::DeleteGroups => {
            encoded(&group::delete(caller, request.decoded_for_disk(turn)?).await, version)
        }
        ApiKey::OffsetDelete => {
            encoded(&group::delete_offsets(caller, request.decoded_for_disk(turn)?).await, version)
        }
        ApiKey::ConsumerGroupHeartbeat => encoded(&refuse::new_groups(), version),
        ApiKey::InitProducerId => encoded(&refuse::producer_id(&request.decoded()?), version),
        ApiKey::Produce => {
            let body = match version {
                refuse::CODEC_SINCE.. => match refuse::produce(request.decoded()?) {
                    Some(response) => Some(encoded(&response, version)?),
                    None => None,
                },
                _ => {
                    let answered = refuse::produce_old(request.bytes(), version);
                    answered?.map(|body| vec![body])
                }
            };
            return body.map(Some).ok_or(Hangup::UnansweredProduce);
        }
        _ => Err(Hangup::UnknownApi),
    };
    body.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request of an API in version 1, whose body is a list of so many names.
    fn naming(key: ApiKey, names: i32, name: &str) -> Result<bool, Hangup> {
        let mut frame = Vec::new();
        frame.extend((key as i16).to_be_bytes());
        frame.extend([0, 1, 0, 0, 0, 7, 255, 255]);
        frame.extend(names.to_be_bytes());
        for _ in 0..names {
            frame.extend(i16::try_from(name.len()).unwrap_or(i16::MAX).to_be_bytes());
            frame.extend(name.as_bytes());
        }
        let read = Request::read(&Bytes::from(frame), None)?;
        Ok(read.is_ok_and(|request| request.is_dear()))
    }

    #[test]
    fn what_says_much_or_may_be_answered_with_much_is_dear_and_what_consumers_ask_is_not() {
        assert_eq!(naming(ApiKey::Metadata, 100, "events"), Ok(false));
        assert_eq!(naming(ApiKey::Metadata, 101, "events"), Ok(true));
        assert_eq!(naming(ApiKey::Metadata, 1, &"n".repeat(17_000)), Ok(true));
        assert_eq!(naming(ApiKey::DescribeGroups, 1, "g"), Ok(true));
        assert_eq!(naming(ApiKey::Metadata, 2501, "events"), Err(Hangup::TooMuch));
        let login = [&[0, 36, 0, 1, 0, 0, 0, 7, 255, 255, 0, 0, 70, 80][..], &[7; 18_000]].concat();
        let login = Request::read(&Bytes::from(login), None);
        assert!(matches!(login, Ok(Ok(request)) if !request.is_dear()), "it may wait by itself");
    }
}
