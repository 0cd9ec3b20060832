//! The MQTT sink at a broker that answers as it is told: what no real one can be made to say.

use std::net::SocketAddr;

use pluvio_connect::mqtt::{Config, Mqtt};
use pluvio_log::Offset;
use pluvio_runtime::{Failure as _, Outcome, Response, Writer as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::hand::{connected, records, standing};

const GRANTED: &[u8] = b"\x20\x06\x00\x00\x03\x21\x00\x04";

/// A broker of one connection, which lets in whoever comes and answers publishes by `answer`, which is
/// told how many came before.
async fn broker(answer: impl Fn(usize, [u8; 2]) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut count = 0;
        while let Some((kind, body)) = packet(&mut stream).await {
            let reply = match kind & 0xf0 {
                0x10 => GRANTED.to_vec(),
                0x30 => {
                    let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                    count += 1;
                    answer(count - 1, [body[2 + topic], body[3 + topic]])
                }
                0xc0 => b"\xd0\x00".to_vec(),
                _ => break,
            };
            if stream.write_all(&reply).await.is_err() {
                break;
            }
        }
    });
    address
}

async fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await.ok()?;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let byte = stream.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((kind, body))
}

fn puback([high, low]: [u8; 2], reason: u8) -> Vec<u8> {
    vec![0x40, 4, high, low, reason, 0]
}

fn sink(address: SocketAddr, topic: &str) -> Mqtt {
    let mut config = Config::new(format!("mqtt://{address}"));
    config.topic = topic.to_owned();
    config.build().unwrap()
}

#[tokio::test]
async fn one_bad_event_is_named_and_the_others_have_arrived() {
    let reason = |count| if count == 2 { 0x99 } else { 0x10 };
    let address = broker(move |count, id| puback(id, reason(count))).await;
    let (mut writer, cursor) = connected(&sink(address, "a"), standing(1, 0)).await;
    assert_eq!(cursor, None);
    let batch = records(10..=19).await;
    let Outcome::Rejected(rejected) = writer.write(&batch).await else { unreachable!() };
    let offsets: Vec<_> = rejected.iter().map(|rejected| rejected.offset.get()).collect();
    assert_eq!(offsets, [12]);
    writer.close().await;
}

#[tokio::test]
async fn a_full_quota_asks_for_patience_behind_what_has_arrived() {
    let reason = |count| if count >= 3 { 0x97 } else { 0 };
    let address = broker(move |count, id| puback(id, reason(count))).await;
    let (mut writer, _) = connected(&sink(address, "a"), standing(1, 0)).await;
    let batch = records(10..=19).await;
    let outcome = writer.write(&batch).await;
    assert!(matches!(outcome, Outcome::AckedTo(at) if at == Offset::new(12).unwrap()));
    let outcome = writer.write(&batch[3..]).await;
    assert!(matches!(outcome, Outcome::Throttled(wait) if wait.is_zero()));
}

#[tokio::test]
async fn a_topic_that_the_broker_does_not_have_is_one_events_fault_only_if_events_have_their_own() {
    let address = broker(|_, id| puback(id, 0x90)).await;
    let (mut writer, _) = connected(&sink(address, "a"), standing(1, 0)).await;
    let Outcome::NotConnected(error) = writer.write(&records(1..=2).await).await else {
        unreachable!()
    };
    assert_eq!(error.remedy().as_deref(), Some("choose another `topic`"));

    let address = broker(|_, id| puback(id, 0x90)).await;
    let (mut writer, _) = connected(&sink(address, "{id}"), standing(1, 0)).await;
    let outcome = writer.write(&records(1..=2).await).await;
    assert!(matches!(outcome, Outcome::Rejected(rejected) if rejected.len() == 2));
}

#[tokio::test]
async fn who_may_not_publish_is_denied_and_a_cut_connection_is_tried_again() {
    let address = broker(|_, id| puback(id, 0x87)).await;
    let (mut writer, _) = connected(&sink(address, "a"), standing(1, 0)).await;
    let Outcome::NotConnected(error) = writer.write(&records(1..=2).await).await else {
        unreachable!()
    };
    assert_eq!(error.response(), Response::Denied);
    assert_eq!(error.to_string(), "not allowed to publish to `a`");

    // That is no length.
    let address = broker(|_, _| vec![0x40, 0xff, 0xff, 0xff, 0xff]).await;
    let (mut writer, _) = connected(&sink(address, "a"), standing(1, 0)).await;
    let Outcome::NotConnected(error) = writer.write(&records(1..=2).await).await else {
        unreachable!()
    };
    assert_eq!(error.response(), Response::Retry);
}

#[tokio::test]
async fn an_event_that_is_too_large_is_rejected_before_it_is_sent() {
    let address = broker(|_, id| puback(id, 0)).await;
    let mut config = Config::new(format!("mqtt://{address}"));
    config.packet_size_max = pluvio_runtime::unit::ByteSize(1024);
    config.topic = format!("{}/{{id}}", "t".repeat(1000));
    let (mut writer, _) = connected(&config.build().unwrap(), standing(1, 0)).await;
    let Outcome::Rejected(rejected) = writer.write(&records(1..=2).await).await else {
        unreachable!()
    };
    assert!(rejected[0].reason.contains("the broker takes 1024"), "{rejected:?}");
}
