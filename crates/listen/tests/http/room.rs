//! What readers who take nothing, or never end their sentence, may hold in all; and that others go on.

use std::time::Duration;

use pluvio_event::{Data, Event};
use pluvio_log::{LogHandle, Memory, MemoryConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{
    access::{ACME, OPERATOR},
    client::{Reply, send_over, within},
    house::{House, plan, time},
};

/// An unfinished head, a little shorter than the longest, from one of the addresses of this machine.
async fn large_head(house: &House, from: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, from], 0).into()).unwrap();
    let mut stream = socket.connect(house.address).await.unwrap();
    let head = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx-a: {}", "a".repeat(60_000));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn large_heads_share_a_room_and_who_finds_none_is_told() {
    let house = plan().open().await;
    let mut streams = Vec::new();
    for nth in 0..300_u16 {
        streams.push(large_head(&house, 1 + u8::from(nth % 2 == 1)).await);
    }
    let mut refused = 0;
    for stream in &mut streams {
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        if tokio::time::timeout(Duration::from_millis(20), reading).await.is_ok() {
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.contains("urn:pluvio:problem:full"), "{answer}");
            refused += 1;
        }
    }
    assert!((100..250).contains(&refused), "{refused} of 300");
    assert_eq!(house.get("/livez").await.status, 200);
    drop(streams);
    within(async {
        loop {
            let mut stream = large_head(&house, 1).await;
            // The one that finds no room may be closed before it has said all.
            let _ = stream.write_all(b"\r\n\r\n").await;
            let mut answer = [0; 12];
            let read = stream.read_exact(&mut answer).await;
            if read.is_ok() && &answer == b"HTTP/1.1 200" {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn large_heads_of_one_address_leave_room_for_those_of_others() {
    let house = plan().open().await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(large_head(&house, 1).await);
    }
    let mut other = large_head(&house, 2).await;
    other.write_all(b"\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    other.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

fn large(id: i64) -> Event {
    large_of(id, 40_000)
}

/// An event with so many bytes of text.
fn large_of(id: i64, bytes: usize) -> Event {
    let data = format!("{{\"Key\":{id},\"Text\":\"{}\"}}", "ab".repeat(bytes / 2));
    Event::builder(id.to_string(), "https://vc.example.org/sdk", "com.vmware.vsphere.Large.v0")
        .time(time(id))
        .data(Data::json(data).unwrap())
        .build()
        .unwrap()
}

/// Asks and reads nothing of the answer.
async fn stuck(house: &House, target: &str) -> TcpStream {
    stuck_from(house, 1, target).await
}

/// The same from one of the addresses of this machine.
async fn stuck_from(house: &House, from: u8, target: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, from], 0).into()).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(house.address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn house_of_large_events() -> House {
    let plan = plan().limits(|limits| {
        limits.stall = Duration::from_secs(2);
        limits.page_wait = Duration::from_secs(10);
    });
    let house = plan.open().await;
    for id in 0..200 {
        house.append_event(large(id)).await;
    }
    house
}

#[tokio::test]
async fn pages_that_nobody_takes_hold_up_no_other_page() {
    let house = house_of_large_events().await;
    let mut readers = Vec::new();
    for _ in 0..40 {
        readers.push(stuck(&house, "/api/v1/events?offset=0&limit=100").await);
    }
    let page = within(house.get("/api/v1/events?offset=7&limit=1")).await;
    assert_eq!(page.ids(), [7]);
    let newest = within(house.get("/api/v1/events?limit=2")).await;
    assert_eq!(newest.ids(), [198, 199]);
}

#[tokio::test]
async fn a_page_that_finds_less_room_is_shorter_and_links_on() {
    let house = house_of_large_events().await;
    let (mut target, mut ids) = ("/api/v1/events?offset=0&limit=1000".to_owned(), Vec::new());
    let _readers = [stuck(&house, &target).await, stuck(&house, &target).await];
    loop {
        let page = within(house.get(&target)).await;
        assert_eq!(page.status, 200);
        ids.extend(page.ids());
        match page.link("next") {
            Some(next) => target = next,
            None => break,
        }
    }
    assert_eq!(ids, (0..200).collect::<Vec<i64>>());
}

#[tokio::test]
async fn replays_that_nobody_takes_hold_up_neither_the_tail_nor_another_replay() {
    let house = house_of_large_events().await;
    let mut live = house.watch("").await;
    let mut readers = Vec::new();
    for at in 0..150 {
        let target =
            format!("/api/v1/events?watch=true&offset={at}&filter=data.Key%20%25%202%20%3D%3D%200");
        readers.push(stuck(&house, &target).await);
    }
    house.append_event(large(200)).await;
    assert_eq!(live.ids(1).await, [200]);
    let mut replay = house.watch("&offset=100").await;
    assert_eq!(replay.ids(101).await, (100..=200).collect::<Vec<i64>>());
}

/// Reads a little again and again: far less than anybody would who is interested.
async fn sip(mut stream: TcpStream) {
    let mut sip = [0; 512];
    while stream.read(&mut sip).await.is_ok_and(|count| count > 0) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn readers_that_sip_hold_up_nobody_for_long() {
    let house = house_of_large_events().await;
    for at in 0..150 {
        let target = format!("/api/v1/events?watch=true&offset={at}");
        tokio::spawn(sip(stuck(&house, &target).await));
    }
    let mut replay = house.watch("&offset=100").await;
    assert_eq!(replay.ids(100).await, (100..200).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_client_that_waits_for_its_own_readers_hears_that_and_goes_on_and_nobody_elses_are_hurried()
 {
    let house = plan().open().await;
    for id in 0..400 {
        house.append_event(large(id)).await;
    }
    let mut other = stuck_from(&house, 2, "/api/v1/events?watch=true&offset=0&count=200").await;
    // Each at a page of its own: together these are more than a client's part.
    let mut places = (0..320).step_by(8).cycle();
    let waits = async {
        loop {
            for at in places.by_ref().take(10) {
                let target = format!("/api/v1/events?watch=true&offset={at}");
                tokio::spawn(sip(stuck(&house, &target).await));
            }
            let mut replay = house.watch("&offset=330&heartbeat=1").await;
            if replay.line().await.as_deref() == Some("") {
                break replay;
            }
        }
    };
    let mut replay = within(waits).await;
    assert_eq!(replay.ids(70).await, (330..400).collect::<Vec<i64>>());
    // It took nothing all the time, and nobody waited for it.
    let whole = async {
        let mut taken = Vec::new();
        while !taken.ends_with(b"\r\n0\r\n\r\n") {
            assert_ne!(other.read_buf(&mut taken).await.unwrap(), 0, "it was dropped");
        }
        taken
    };
    let text = String::from_utf8(within(whole).await).unwrap();
    assert_eq!(text.matches("\"sequence\"").count(), 200);
}

#[tokio::test]
async fn large_events_that_nobody_takes_are_counted_and_others_told() {
    let house = house_of_large_events().await;
    // More than the kernel takes of an answer.
    house.append_event(large_of(200, 480_000)).await;
    let mut readers = Vec::new();
    let is_full = async {
        loop {
            for _ in 0..50 {
                readers.push(stuck(&house, "/api/v1/events/200").await);
            }
            let answer = house.get("/api/v1/events/200").await;
            if answer.status != 200 {
                break answer;
            }
        }
    };
    let refused = within(is_full).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("urn:pluvio:problem:full"), "{}", refused.text());
    // Readers that take nothing go, and there is room again.
    within(async {
        while house.get("/api/v1/events/200").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// Asks from one of the addresses of this machine.
async fn get_from(house: &House, from: u8, target: &str) -> Reply {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, from], 0).into()).unwrap();
    let stream = socket.connect(house.address).await.unwrap();
    Reply::of(send_over(stream, "GET", target, &[]).await).await
}

#[tokio::test]
async fn large_events_that_one_client_does_not_take_keep_out_only_its_own() {
    let house = house_of_large_events().await;
    house.append_event(large_of(200, 480_000)).await;
    let mut readers = Vec::new();
    let is_full = async {
        while house.get("/api/v1/events/200").await.status == 200 {
            for _ in 0..50 {
                readers.push(stuck(&house, "/api/v1/events/200").await);
            }
        }
    };
    within(is_full).await;
    assert_eq!(get_from(&house, 2, "/api/v1/events/200").await.status, 200);
}

/// Twice as much would be more than a client's part of the room.
#[tokio::test]
async fn a_single_event_larger_than_a_clients_part_is_given_when_it_has_all_of_that() {
    let plan = plan().access(crate::access::table()).limits(|limits| {
        limits.page_wait = Duration::from_millis(200);
    });
    let memory = MemoryConfig { record_bytes_max: 16 << 20, ..MemoryConfig::default() };
    let house = plan.over(LogHandle::new(Memory::new(memory))).await;
    let length = 10 << 20;
    house.append_event(large_of(0, length)).await;
    for target in ["/api/v1/events/0", "/api/v1/events/0?mode=binary", "/api/v1/events?limit=1"] {
        let answer = house.get_with(target, &[OPERATOR]).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        assert!(answer.body.len() > length, "{target}");
    }
    // It is hidden from this one, as a gap would be.
    assert_eq!(house.get_with("/api/v1/events/0", &[ACME]).await.status, 404);
    let mut reader = stuck(&house, "/livez").await;
    let request = format!(
        "GET /api/v1/events/0 HTTP/1.1\r\nhost: localhost\r\n{}: {}\r\n\r\n",
        OPERATOR.0, OPERATOR.1
    );
    reader.write_all(request.as_bytes()).await.unwrap();
    let refused = within(async {
        loop {
            let answer = house.get_with("/api/v1/events/0", &[OPERATOR]).await;
            if answer.status != 200 {
                break answer;
            }
        }
    })
    .await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("urn:pluvio:problem:full"), "{}", refused.text());
}

#[tokio::test]
async fn large_documents_that_one_client_does_not_take_keep_out_only_its_own() {
    let plan = plan().access(crate::access::table()).metrics(|| "x".repeat(300_000));
    let house = plan.limits(|limits| limits.page_wait = Duration::from_millis(200)).open().await;
    house.append(0..3).await;
    let mut readers = Vec::new();
    let is_full = async {
        while house.get_with("/metrics", &[OPERATOR]).await.status == 200 {
            for _ in 0..20 {
                let mut reader = stuck(&house, "/livez").await;
                let request = format!(
                    "GET /metrics HTTP/1.1\r\nhost: localhost\r\n{}: {}\r\n\r\n",
                    OPERATOR.0, OPERATOR.1
                );
                reader.write_all(request.as_bytes()).await.unwrap();
                readers.push(reader);
            }
        }
    };
    within(is_full).await;
    assert_eq!(house.get_with("/api/v1/events?limit=1", &[ACME]).await.ids(), [0]);
}

/// Two classes of Unicode take a thousand times their text when they are compiled.
#[tokio::test]
async fn what_the_patterns_of_idle_watches_take_is_counted() {
    let house = plan().open().await;
    house.append(0..1).await;
    let pattern = "id.matches(%22%5C%5CpL%5C%5CpN%22)";
    let target = format!("/api/v1/events?watch=true&offset=latest&filter={pattern}");
    let mut watches = Vec::new();
    let is_full = async {
        while house.get(&format!("{target}&timeout=0")).await.status == 200 {
            for _ in 0..20 {
                watches.push(stuck(&house, &target).await);
            }
        }
    };
    within(is_full).await;
    assert!(watches.len() < 600, "{} watches were let in", watches.len());
    let plain = house.get("/api/v1/events?watch=true&offset=latest&timeout=0").await;
    assert_eq!(plain.status, 200, "whoever filters nothing is let in");
}

/// 60 of them are some 7 KB, and 6 MiB are for a client.
#[tokio::test]
async fn what_is_asked_for_by_type_source_or_subject_is_counted_with_the_filters() {
    for name in ["type", "source", "subject"] {
        let house = plan().open().await;
        house.append(0..1).await;
        let patterns = format!("&{name}={}", "x".repeat(110)).repeat(60);
        let target = format!("/api/v1/events?watch=true&offset=latest{patterns}");
        let mut watches = Vec::new();
        let is_full = async {
            while house.get(&format!("{target}&timeout=0")).await.status == 200 {
                for _ in 0..100 {
                    watches.push(stuck(&house, &target).await);
                }
            }
        };
        within(is_full).await;
        assert!(watches.len() < 1000, "{} watches were let in by {name}", watches.len());
        let plain = house.get("/api/v1/events?watch=true&offset=latest&timeout=0").await;
        assert_eq!(plain.status, 200, "whoever filters nothing is let in");
    }
}
