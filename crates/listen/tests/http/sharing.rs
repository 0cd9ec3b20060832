//! A crowd of watches costs the log about what one of them costs, and a crowd of readers waits for its turn.

use std::sync::atomic::Ordering;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    sync::Semaphore,
};

use crate::{client::within, counting::Reads, house::plan};

#[tokio::test]
async fn a_page_is_read_once_for_all_watches_in_replay_and_live() {
    let reads = Reads::with_gate(Semaphore::MAX_PERMITS);
    let house = plan().over(reads.of_a_log()).await;
    house.append(0..1280).await;
    let mut watches = Vec::new();
    for start in 0..100 {
        watches.push(house.watch(&format!("&offset={start}")).await);
    }
    for (start, watch) in (0..).zip(&mut watches) {
        let expected: Vec<i64> = (start..1280).collect();
        assert_eq!(watch.ids(expected.len()).await, expected);
    }
    let replay = reads.all.swap(0, Ordering::Relaxed);
    assert!(replay <= 12, "ten pages were read {replay} times");
    house.append(1280..1300).await;
    for watch in &mut watches {
        assert_eq!(watch.ids(20).await, (1280..1300).collect::<Vec<_>>());
    }
    let live = reads.all.load(Ordering::Relaxed);
    assert!(live <= 2 * 20 + 1, "twenty events were read {live} times");
}

/// What is asked for each of them, from an address of its own.
async fn most_reads_of(target: &str) -> usize {
    let reads = Reads::with_gate(0);
    let house = plan().over(reads.of_a_log()).await;
    house.append(0..30).await;
    let mut readers = Vec::new();
    for from in 1..=40 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, from], 0).into()).unwrap();
        let mut stream = socket.connect(house.address).await.unwrap();
        let request =
            format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        readers.push(stream);
    }
    let is_full = async {
        while reads.under_way.load(Ordering::Relaxed) < 4 {
            tokio::task::yield_now().await;
        }
    };
    within(is_full).await;
    // Whoever could begin to read meanwhile has.
    for _ in 0..100 {
        assert_eq!(house.get("/livez").await.status, 200);
    }
    reads.gate.add_permits(1);
    for mut reader in readers {
        let mut answer = String::new();
        within(reader.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    reads.most.load(Ordering::Relaxed)
}

#[tokio::test]
async fn few_reads_of_the_past_are_under_way_at_a_time_whatever_is_asked_for() {
    for target in ["/api/v1/events/7", "/api/v1/events?offset=7", "/api/v1/events?before=20"] {
        assert_eq!(most_reads_of(target).await, 4, "{target}");
    }
}
