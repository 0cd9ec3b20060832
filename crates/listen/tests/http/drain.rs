//! The end of the process: everybody gets what there is, and a clean end.

use std::time::Duration;

use pluvio_listen::component::ListenerConfig as _;

use crate::{client::within, house::plan};

#[tokio::test]
async fn two_hundred_watches_get_their_last_events_and_a_clean_end() {
    let house = plan().open().await;
    house.append(0..10).await;
    let mut watches = Vec::new();
    for _ in 0..200 {
        watches.push(house.watch("&offset=0").await);
    }
    house.append(10..300).await;
    house.drain.cancel();
    for watch in &mut watches {
        let ids: Vec<i64> = watch.rest().await.iter().map(crate::client::id).collect();
        assert_eq!(ids, (0..300).collect::<Vec<_>>());
    }
    within(house.task).await.unwrap();
}

#[tokio::test]
async fn an_idle_watch_ends_with_a_bookmark_if_it_asked_for_bookmarks() {
    let house = plan().open().await;
    house.append(0..3).await;
    let (mut plain, mut marked) = (house.watch("").await, house.watch("&bookmarks=true").await);
    house.drain.cancel();
    assert!(plain.rest().await.is_empty());
    let rest = marked.rest().await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["data"]["offset"], 3);
    within(house.task).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_takes_nothing_does_not_hold_up_the_end() {
    let house = plan().limits(|limits| limits.drain = Duration::from_millis(50)).open().await;
    house.append(0..20_000).await;
    let _stuck = house.watch("&offset=0").await;
    house.drain.cancel();
    within(house.task).await.unwrap();
}

#[tokio::test]
async fn a_drained_listener_is_served_again_on_the_same_socket() {
    use pluvio_runtime::Listener;
    use tokio_util::sync::CancellationToken;

    use crate::{client::Reply, house};

    let log =
        pluvio_log::LogHandle::new(pluvio_log::Memory::new(pluvio_log::MemoryConfig::default()));
    pluvio_log::Log::open(&log, &pluvio_log::StreamName::events()).await.unwrap();
    let access = pluvio_runtime::AccessTable::open();
    let context = house::context(&log, access, &Default::default());
    let mut listener = plan().config.build(context).unwrap();
    let address = listener.local_addr();
    for _ in 0..2 {
        let drain = CancellationToken::new();
        let ask = async {
            assert_eq!(Reply::get(address, "/livez", &[]).await.status, 200);
            drain.cancel();
        };
        let (served, ()) = within(async { tokio::join!(listener.serve(drain.clone()), ask) }).await;
        served.unwrap();
    }
}
