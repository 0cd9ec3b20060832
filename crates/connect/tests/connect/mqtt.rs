//! The MQTT sink at a broker that answers as it is told: what no real one can be made to say.

use std::net::SocketAddr;

use pluvio_connect::{
    component::SinkConfig as _,
    mqtt::{Config, Mqtt},
};
use pluvio_runtime::{Failure as _, Outcome, Response, Writer as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::hand::{connected, records, standing, written};

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
                0x60 => vec![0x70, 2, body[0], body[1]],
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
    let told = written(&mut writer, &batch).await;
    assert!(matches!(told.outcome, Outcome::Answered), "{told:?}");
    assert_eq!((told.refused(), told.taken.len()), (vec![12], 9));
    writer.close().await;
}

#[tokio::test]
async fn a_full_quota_of_one_topic_asks_for_patience_and_all_others_have_arrived() {
    let reason = |count| if count == 3 { 0x97 } else { 0 };
    let address = broker(move |count, id| puback(id, reason(count))).await;
    let (mut writer, _) = connected(&sink(address, "a"), standing(1, 0)).await;
    let batch = records(10..=19).await;
    let told = written(&mut writer, &batch).await;
    assert_eq!(told.taken, [10, 11, 12, 14, 15, 16, 17, 18, 19]);
    let Outcome::Throttled { wait, why } = told.outcome else { unreachable!("{told:?}") };
    assert!(wait.is_zero());
    assert_eq!(why, "a quota is used up (0x97)");
}

#[tokio::test]
async fn a_topic_that_the_broker_does_not_have_is_one_events_fault_only_if_events_have_their_own() {
    let address = broker(|_, id| puback(id, 0x90)).await;
    let (mut writer, _) = connected(&sink(address, "a"), standing(1, 0)).await;
    let error = written(&mut writer, &records(1..=2).await).await.error();
    assert_eq!(error.remedy().as_deref(), Some("choose another `topic`"));

    let address = broker(|_, id| puback(id, 0x90)).await;
    let (mut writer, _) = connected(&sink(address, "{id}"), standing(1, 0)).await;
    let told = written(&mut writer, &records(1..=2).await).await;
    assert_eq!(told.refused(), [1, 2]);
}

#[tokio::test]
async fn who_may_not_publish_is_denied_and_a_cut_connection_is_tried_again() {
    let address = broker(|_, id| puback(id, 0x87)).await;
    let (mut writer, _) = connected(&sink(address, "a"), standing(1, 0)).await;
    let error = written(&mut writer, &records(1..=2).await).await.error();
    assert_eq!(error.response(), Response::Denied);
    assert_eq!(error.to_string(), "not allowed to publish to `a`");

    // That is no length.
    let address = broker(|_, _| vec![0x40, 0xff, 0xff, 0xff, 0xff]).await;
    let (mut writer, _) = connected(&sink(address, "a"), standing(1, 0)).await;
    let error = written(&mut writer, &records(1..=2).await).await.error();
    assert_eq!(error.response(), Response::Retry);
}

#[tokio::test]
async fn an_event_that_is_too_large_is_rejected_before_it_is_sent() {
    let address = broker(|_, id| puback(id, 0)).await;
    let mut config = Config::new(format!("mqtt://{address}"));
    config.packet_size_max = pluvio_net::unit::ByteSize(1024);
    config.topic = format!("{}/{{id}}", "t".repeat(1000));
    let (mut writer, _) = connected(&config.build().unwrap(), standing(1, 0)).await;
    let told = written(&mut writer, &records(1..=2).await).await;
    assert!(told.rejected[0].1.contains("the broker takes 1024"), "{told:?}");
}

#[tokio::test]
async fn what_was_acknowledged_before_the_connection_ended_stays_acknowledged() {
    let address = broker(|count, id| match count {
        // That is no length.
        3 => vec![0x40, 0xff, 0xff, 0xff, 0xff],
        _ => puback(id, 0),
    });
    let (mut writer, _) = connected(&sink(address.await, "a"), standing(1, 0)).await;
    let told = written(&mut writer, &records(10..=19).await).await;
    assert_eq!(told.taken, [10, 11, 12]);
    assert!(matches!(told.outcome, Outcome::NotConnected(_)), "{told:?}");
}

/// DISCONNECT with a reason.
fn disconnect(reason: u8) -> Vec<u8> {
    vec![0xe0, 2, reason, 0]
}

#[tokio::test]
async fn an_end_is_blamed_on_events_only_if_one_can_be_the_cause() {
    for (reason, is_suspicious) in [
        (0x80, true),
        (0x81, true),
        (0x82, true),
        (0x83, true),
        (0x99, true),
        (0x87, false),
        (0x89, false),
        (0x8b, false),
        (0x8e, false),
        (0x93, false),
        (0x97, false),
        (0x98, false),
        (0x9d, false),
    ] {
        let address = broker(move |count, id| match count {
            1 => disconnect(reason),
            _ => puback(id, 0),
        });
        let (mut writer, _) = connected(&sink(address.await, "a"), standing(1, 0)).await;
        let told = written(&mut writer, &records(10..=19).await).await;
        assert_eq!(told.taken, [10], "{reason:#x}");
        let is_broken = matches!(told.outcome, Outcome::Broken { .. });
        assert_eq!(is_broken, is_suspicious, "{reason:#x}: {told:?}");
    }
}

#[tokio::test]
async fn a_packet_that_is_too_large_for_the_broker_is_the_largest_without_an_answer() {
    let address = broker(|count, id| if count == 3 { disconnect(0x95) } else { puback(id, 0) });
    let config = Config {
        topic: "{subject}".to_owned(),
        ..Config::new(format!("mqtt://{}", address.await))
    };
    let (mut writer, _) = connected(&config.build().unwrap(), standing(1, 0)).await;
    let subject = |number| Some("s".repeat(if number == 13 { 900 } else { 3 }));
    let told = written(&mut writer, &crate::hand::records_of(10..=19, subject).await).await;
    assert_eq!((told.taken.clone(), told.refused()), (vec![10, 11, 12], vec![13]));
    assert!(told.rejected[0].1.contains("PacketTooLarge"), "{told:?}");
    assert!(matches!(told.outcome, Outcome::NotConnected(_)), "{told:?}");
}

#[tokio::test]
async fn messages_that_nobody_asked_for_are_left_aside_and_acknowledged_if_they_want_to_be() {
    let (asked, mut heard) = tokio::sync::mpsc::unbounded_channel();
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
                    let id = [body[2 + topic], body[3 + topic]];
                    count += 1;
                    let unasked = match count {
                        1 => vec![0x30, 6, 0, 1, b't', 0, b'h', b'i'],
                        2 => vec![0x32, 8, 0, 1, b't', 0, 9, 0, b'h', b'i'],
                        3 => vec![0x34, 8, 0, 1, b't', 0, 7, 0, b'h', b'i'],
                        // Of 300,000 bytes.
                        _ => [&[0x30, 0xe0, 0xa7, 0x12, 0, 1, b't'][..], &[7; 299_997]].concat(),
                    };
                    [unasked, puback(id, 0)].concat()
                }
                0x40 | 0x50 | 0x70 => {
                    asked.send((kind, body.clone())).unwrap();
                    if kind == 0x50 { vec![0x62, 2, body[0], body[1]] } else { Vec::new() }
                }
                _ => break,
            };
            if stream.write_all(&reply).await.is_err() {
                break;
            }
        }
    });
    let (mut writer, _) = connected(&sink(address, "a"), standing(1, 0)).await;
    let told = written(&mut writer, &records(10..=19).await).await;
    assert_eq!(told.taken.len(), 10, "{told:?}");
    let mut answers = vec![heard.recv().await.unwrap(), heard.recv().await.unwrap()];
    let _more = written(&mut writer, &records(20..=21).await).await;
    answers.push(heard.recv().await.unwrap());
    let kinds: Vec<_> = answers.iter().map(|(kind, body)| (*kind, body[1])).collect();
    assert_eq!(kinds, [(0x40, 9), (0x50, 7), (0x70, 7)]);
}

#[tokio::test]
async fn an_acknowledgement_that_comes_twice_takes_nothing_of_the_next_batch() {
    let twice = |packet: Vec<u8>| [packet.clone(), packet].concat();
    let once = broker(move |count, id| match count {
        0 => twice(puback(id, 0)),
        _ => disconnect(0x8b),
    });
    // Each PUBREC is answered by a PUBREL, and each PUBREL by a PUBCOMP.
    let exactly_once = broker(move |count, [high, low]| match count {
        0 => twice(vec![0x50, 2, high, low]),
        _ => disconnect(0x8b),
    });
    for (qos, address) in [("1", once.await), ("2", exactly_once.await)] {
        let qos = serde_json::from_str(qos).unwrap();
        let config = Config { qos, ..Config::new(format!("mqtt://{address}")) };
        let (mut writer, _) = connected(&config.build().unwrap(), standing(1, 0)).await;
        assert_eq!(written(&mut writer, &records(10..=10).await).await.taken, [10]);
        let told = written(&mut writer, &records(11..=11).await).await;
        assert!(told.taken.is_empty(), "{qos:?}: {told:?}");
        assert!(matches!(told.outcome, Outcome::NotConnected(_)), "{qos:?}: {told:?}");
    }
}

#[tokio::test]
async fn packet_ids_go_on_from_one_batch_to_the_next() {
    let (heard, mut ids) = tokio::sync::mpsc::unbounded_channel();
    let address = broker(move |_, id| {
        heard.send(u16::from_be_bytes(id)).unwrap();
        puback(id, 0)
    });
    let (mut writer, _) = connected(&sink(address.await, "a"), standing(1, 0)).await;
    for batch in [10..=11, 12..=14] {
        let told = written(&mut writer, &records(batch.clone()).await).await;
        assert_eq!(told.taken, Vec::from_iter(batch));
    }
    let ids: Vec<_> = std::iter::from_fn(|| ids.try_recv().ok()).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
}
