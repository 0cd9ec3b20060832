//! What is counted and what is refused, without a socket.

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use pluvio_log::{Memory, MemoryConfig};
use uuid::Uuid;

use super::*;
use crate::groups::limits::{
    GROUPS_MAX, GROUPS_MAX_OWN, GROUPS_MAX_OWN_TOTAL, GROUPS_RESERVED_OWN,
};

const LONG: Duration = Duration::from_secs(8 * 86_400);

fn committed(offset: i64, at: Timestamp) -> Committed {
    let (at, log_id) = (at.as_millisecond(), Uuid::nil());
    Committed { offset, epoch: 0, at, log_id, metadata: StrBytes::default() }
}

#[tokio::test]
async fn an_offset_that_is_committed_while_old_ones_are_deleted_stays()
-> Result<(), Box<dyn std::error::Error>> {
    let log = LogHandle::new(Memory::new(MemoryConfig::default()));
    let mut groups = Coordinator::load(log.clone()).await?;
    let name = |id: &str| GroupName { space: SHARED.into(), id: id.into() };
    let speaker = Speaker { member: "", instance: None, generation: -1 };
    let (events, started) = (StreamName::events(), groups.started);
    for id in ["old", "used"] {
        let offsets = vec![(events.clone(), committed(1, started))];
        groups.commit(&name(id), speaker, offsets).await?;
    }
    // All of this was long ago.
    groups.epoch = groups.epoch.checked_sub(LONG).ok_or("the clock cannot tell")?;
    // Somebody is about to commit when the sweep has found its offset forgotten.
    let order = groups.admit(&name("used"), speaker)?;
    let committing = async {
        let _order = order.lock().await;
        tokio::task::yield_now().await;
        let fresh = committed(2, started + LONG);
        groups.store(&name("used"), vec![(events.clone(), fresh)]).await
    };
    let (stored, ()) = tokio::join!(committing, groups.sweep());
    stored?;
    let left: Vec<_> = groups.lock().slots.keys().map(|name| name.id.to_string()).collect();
    assert_eq!(left, ["used"]);
    assert_eq!(groups.offsets(&name("used")).get(&events).map(|found| found.offset), Some(2));
    assert_eq!(log.entries(Table::Offsets).await?.len(), 1);
    Ok(())
}

/// What is counted now, and what a start would count.
async fn counted(groups: &Coordinator) -> Result<(usize, usize), ReadError> {
    let anew = Coordinator::load(groups.log.clone()).await?;
    let bytes = |groups: &Coordinator| groups.lock().spaces.bytes("acme");
    Ok((bytes(groups), bytes(&anew)))
}

#[tokio::test]
async fn bytes_of_offsets_are_counted_change_by_change_as_at_a_start()
-> Result<(), Box<dyn std::error::Error>> {
    let log = LogHandle::new(Memory::new(MemoryConfig::default()));
    let mut groups = Coordinator::load(log.clone()).await?;
    let name = |id: &str| GroupName { space: "acme".into(), id: id.into() };
    let speaker = Speaker { member: "", instance: None, generation: -1 };
    let (one, other) = (StreamName::events(), StreamName::new("other")?);
    let started = groups.started;
    let with = |offset, length| {
        let metadata = StrBytes::from("x".repeat(length));
        Committed { metadata, ..committed(offset, started) }
    };
    for (id, stream, offset, length) in
        [("a", &one, 1, 10), ("a", &other, 1, 4000), ("b", &one, 1, 0), ("a", &one, 2, 500)]
    {
        let offsets = vec![(stream.clone(), with(offset, length))];
        groups.commit(&name(id), speaker, offsets).await?;
    }
    let (all, anew) = counted(&groups).await?;
    assert!(all == anew && all > 4500, "{all} {anew}");
    groups.commit(&name("a"), speaker, vec![(other.clone(), with(2, 0))]).await?;
    let (shorter, anew) = counted(&groups).await?;
    assert_eq!((shorter, anew), (all - 4000, all - 4000));
    groups.delete(&name("a"), |stream| *stream == one).await?;
    let (rest, anew) = counted(&groups).await?;
    assert!(rest == anew && rest < shorter - 500, "{rest} {anew}");
    // The rest is forgotten when somebody commits much later.
    groups.epoch = groups.epoch.checked_sub(LONG).ok_or("the clock cannot tell")?;
    let mine = GroupName { space: SHARED.into(), id: "mine".into() };
    groups.commit(&mine, speaker, vec![(one.clone(), committed(1, started + LONG))]).await?;
    assert_eq!(counted(&groups).await?, (0, 0));
    Ok(())
}

#[tokio::test]
async fn offsets_whose_connection_ends_meanwhile_stay_counted_and_failed_ones_do_not()
-> Result<(), ReadError> {
    let log = LogHandle::new(Memory::new(MemoryConfig::default()));
    let groups = Coordinator::load(log).await?;
    let name = GroupName { space: "acme".into(), id: "g".into() };
    let offsets = || vec![(StreamName::events(), committed(7, groups.started))];
    let bytes = || groups.lock().spaces.bytes("acme");
    let Ok(storing) = groups.reserve(&name, offsets()) else { unreachable!("it is empty") };
    let reserved = bytes();
    assert!(reserved > 0);
    storing.failed();
    assert!(bytes() == 0 && groups.offsets(&name).is_empty());
    drop(groups.reserve(&name, offsets()));
    assert_eq!((bytes(), groups.offsets(&name).len()), (reserved, 1));
    Ok(())
}

#[tokio::test]
async fn a_space_takes_its_own_share_of_groups_and_leaves_the_others_theirs()
-> Result<(), ReadError> {
    let log = LogHandle::new(Memory::new(MemoryConfig::default()));
    let groups = Coordinator::load(log).await?;
    let mut inner = groups.lock();
    let mut fill = |space: &str| {
        let mut taken = 0;
        while !inner.is_full(space) {
            let name = GroupName { space: space.into(), id: taken.to_string().into() };
            inner.slots.insert(name, Slot::default());
            taken += 1;
        }
        taken
    };
    let tenants = GROUPS_MAX_OWN_TOTAL / (GROUPS_MAX_OWN - GROUPS_RESERVED_OWN);
    for tenant in 0..tenants {
        assert_eq!(fill(&format!("tenant-{tenant}")), GROUPS_MAX_OWN);
    }
    fill("one that takes the rest");
    assert_eq!(fill("one tenant too many"), GROUPS_RESERVED_OWN);
    assert_eq!(fill(SHARED), GROUPS_MAX);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn time_passes_for_groups_when_the_listener_that_let_it_pass_has_ended()
-> Result<(), Box<dyn std::error::Error>> {
    let log = LogHandle::new(Memory::new(MemoryConfig::default()));
    let groups = Arc::new(Coordinator::load(log).await?);
    let run = || {
        let groups = Arc::clone(&groups);
        tokio::spawn(async move { groups.run().await })
    };
    let (first, _second) = (run(), run());
    tokio::task::yield_now().await;
    let name = GroupName { space: SHARED.into(), id: "g".into() };
    let join = Join {
        member: "".into(),
        is_given: false,
        fresh: "".into(),
        instance: None,
        client: String::new(),
        host: String::new(),
        session_timeout: Duration::from_secs(30),
        rebalance_timeout: Duration::from_secs(30),
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Bytes::new())],
        must_return: false,
        can_skip: false,
    };
    // It joins, and is never heard of again.
    assert!(groups.join(&name, join).await.is_ok());
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.is_err_and(|ended| ended.is_cancelled()));
    let is_gone = async {
        while !groups.lock().slots.is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), is_gone).await?;
    Ok(())
}
