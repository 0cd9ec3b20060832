//! Who is let in, and what each sees.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use kafka_protocol::{
    ResponseError,
    messages::{
        ListGroupsRequest, MetadataRequest, SaslAuthenticateRequest, SaslAuthenticateResponse,
        SaslHandshakeRequest,
    },
};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha512};

use crate::{
    client::{Client, text},
    house::{House, append, plan, table},
    topics::{metadata, shown},
    versions::{commit_one, committed},
};

async fn closed_house() -> House {
    let house = plan().access(table()).open().await;
    append(&house.log, "events", &[(1, None)]).await;
    append(&house.log, "public", &[(1, None)]).await;
    house
}

async fn say(client: &mut Client, message: &[u8]) -> SaslAuthenticateResponse {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(message.to_vec().into());
    client.ask(2, &request).await
}

async fn agree(client: &mut Client, mechanism: &str) -> i16 {
    let request = SaslHandshakeRequest::default().with_mechanism(text(mechanism));
    client.ask(1, &request).await.error_code
}

/// Logs in with PLAIN; the error code.
async fn plain(client: &mut Client, user: &str, password: &str) -> i16 {
    assert_eq!(agree(client, "PLAIN").await, 0);
    say(client, format!("\0{user}\0{password}").as_bytes()).await.error_code
}

pub(crate) async fn known(house: &House, name: &str) -> Client {
    let mut client = house.client().await;
    assert_eq!(plain(&mut client, name, name).await, 0);
    client
}

type Hash = fn(&[u8]) -> Vec<u8>;

/// The client's side of SCRAM, by the book: proof, and the signature it must get back.
fn prove(is_512: bool, password: &str, salt: &[u8], rounds: u32, said: &str) -> (String, String) {
    fn keyed<M: Mac + KeyInit>(key: &[u8], text: &str) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
    let hmac = |key: &[u8], text: &str| match is_512 {
        true => keyed::<Hmac<Sha512>>(key, text),
        false => keyed::<Hmac<Sha256>>(key, text),
    };
    let (mut salted, hash): (_, Hash) = match is_512 {
        true => (vec![0; 64], |bytes| Sha512::digest(bytes).to_vec()),
        false => (vec![0; 32], |bytes| Sha256::digest(bytes).to_vec()),
    };
    match is_512 {
        true => pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, rounds, &mut salted),
        false => pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, rounds, &mut salted),
    }
    let client = hmac(&salted, "Client Key");
    let signature = hmac(&hash(&client), said);
    let proof: Vec<u8> = client.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let server = hmac(&hmac(&salted, "Server Key"), said);
    (BASE64_STANDARD.encode(proof), BASE64_STANDARD.encode(server))
}

/// Logs in with SCRAM; the error code.
async fn scram(client: &mut Client, is_512: bool, user: &str, password: &str) -> i16 {
    let mechanism = if is_512 { "SCRAM-SHA-512" } else { "SCRAM-SHA-256" };
    assert_eq!(agree(client, mechanism).await, 0);
    let first = format!("n={user},r=abc");
    let challenge = say(client, format!("n,,{first}").as_bytes()).await;
    assert_eq!(challenge.error_code, 0, "nothing is told before the proof");
    let challenge = String::from_utf8(challenge.auth_bytes.to_vec()).unwrap();
    let mut parts = challenge.split(',');
    let mut next = |name| parts.next().and_then(|part| part.strip_prefix(name)).unwrap();
    let (nonce, salt, rounds) = (next("r="), next("s="), next("i="));
    assert!(nonce.starts_with("abc") && nonce.len() > 20);
    let salt = BASE64_STANDARD.decode(salt).unwrap();
    let without_proof = format!("c=biws,r={nonce}");
    let said = format!("{first},{challenge},{without_proof}");
    let (proof, signature) = prove(is_512, password, &salt, rounds.parse().unwrap(), &said);
    let answer = say(client, format!("{without_proof},p={proof}").as_bytes()).await;
    if answer.error_code == 0 {
        assert_eq!(&*answer.auth_bytes, format!("v={signature}").as_bytes());
    }
    answer.error_code
}

#[tokio::test]
async fn the_right_password_lets_in_by_every_mechanism() {
    let house = closed_house().await;
    for is_512 in [false, true] {
        let mut client = house.client().await;
        assert_eq!(scram(&mut client, is_512, "operator", "operator").await, 0);
        assert_eq!(metadata(&mut client, &[]).await.topics.len(), 2);
    }
    assert_eq!(metadata(&mut known(&house, "operator").await, &[]).await.topics.len(), 2);
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_are_refused_alike_and_the_connection_ends() {
    let house = closed_house().await;
    let denied = ResponseError::SaslAuthenticationFailed.code();
    for (user, password) in [("operator", "wrong"), ("nobody", "operator"), ("", "")] {
        let mut client = house.client().await;
        assert_eq!(plain(&mut client, user, password).await, denied, "{user}");
        assert!(client.is_closed().await);
    }
    for (user, password) in [("operator", "wrong"), ("nobody", "operator")] {
        for is_512 in [false, true] {
            let mut client = house.client().await;
            assert_eq!(scram(&mut client, is_512, user, password).await, denied, "{user}");
            assert!(client.is_closed().await);
        }
    }
}

#[tokio::test]
async fn guessing_is_refused_unseen_after_a_while_and_who_is_logged_in_does_not_notice() {
    let house = closed_house().await;
    let mut friend = known(&house, "operator").await;
    let told = loop {
        let mut client = house.client().await;
        assert_eq!(agree(&mut client, "PLAIN").await, 0);
        let reply = say(&mut client, b"\0guest\0wrong").await;
        assert_eq!(reply.error_code, ResponseError::SaslAuthenticationFailed.code());
        let told = reply.error_message.unwrap();
        if told.starts_with("too many wrong credentials") {
            break told;
        }
    };
    assert!(told.contains("try again in"), "{told}");
    let mut client = house.client().await;
    let denied = ResponseError::SaslAuthenticationFailed.code();
    assert_eq!(plain(&mut client, "guest", "guest").await, denied);
    assert_eq!(metadata(&mut friend, &[]).await.topics.len(), 2);
}

#[tokio::test]
async fn before_a_login_nothing_else_is_answered() {
    let house = closed_house().await;
    let mut client = house.client().await;
    client.send(12, &MetadataRequest::default()).await;
    assert!(client.is_closed().await);
    let mut client = house.client().await;
    let unsupported = ResponseError::UnsupportedSaslMechanism.code();
    assert_eq!(agree(&mut client, "GSSAPI").await, unsupported);
    let illegal = ResponseError::IllegalSaslState.code();
    assert_eq!(say(&mut client, b"\0operator\0operator").await.error_code, illegal);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn streams_that_a_principal_may_not_read_do_not_exist() {
    let house = closed_house().await;
    let mut guest = known(&house, "guest").await;
    assert_eq!(shown(&metadata(&mut guest, &[]).await), [("public".to_owned(), 0)]);
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let asked = metadata(&mut guest, &["events"]).await;
    assert_eq!(shown(&asked), [("events".to_owned(), unknown)]);
    assert_eq!(guest.fetch(0).await.error_code, unknown);
    assert_eq!(commit_one(&mut guest, 9, "g", 1).await, unknown);
}

#[tokio::test]
async fn a_principal_with_a_filter_is_refused_by_name_and_shown_no_list() {
    let house = closed_house().await;
    let mut tenant = known(&house, "tenant").await;
    assert_eq!(metadata(&mut tenant, &[]).await.topics.len(), 0);
    let refused = ResponseError::TopicAuthorizationFailed.code();
    let asked = metadata(&mut tenant, &["events"]).await;
    assert_eq!(shown(&asked), [("events".to_owned(), refused)]);
    let data = tenant.fetch(0).await;
    assert_eq!((data.error_code, data.records.unwrap().len()), (refused, 0));
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(shown(&metadata(&mut tenant, &["nope"]).await), [("nope".to_owned(), unknown)]);
}

#[tokio::test]
async fn groups_of_one_space_are_not_seen_from_another() {
    let house = closed_house().await;
    let mut operator = known(&house, "operator").await;
    assert_eq!(commit_one(&mut operator, 9, "g", 1).await, 0);
    assert_eq!(committed(&mut operator, 9, "g").await.0, 1);
    let mut guest = known(&house, "guest").await;
    assert_eq!(guest.ask(4, &ListGroupsRequest::default()).await.groups.len(), 0);
    assert_eq!(operator.ask(4, &ListGroupsRequest::default()).await.groups.len(), 1);
    assert_eq!(committed(&mut guest, 9, "g").await.0, -1);
}
