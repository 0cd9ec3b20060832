//! The end: what waits is answered, and every connection closes.

use crate::{
    client::{fetch_of, within},
    house::plan,
    topics::metadata,
};

#[tokio::test]
async fn a_drain_answers_long_waits_at_once_and_closes_idle_connections() {
    let house = plan().open().await;
    let (mut idle, mut waiting) = (house.client().await, house.client().await);
    metadata(&mut idle, &[]).await;
    metadata(&mut waiting, &[]).await;
    waiting.send(12, &fetch_of(&[("events", 0)]).with_max_wait_ms(600_000)).await;
    house.drain.cancel();
    if let Some(frame) = waiting.frame().await {
        assert!(frame.len() > 20, "an empty answer is still an answer");
        assert!(waiting.is_closed().await);
    }
    assert!(idle.is_closed().await);
    within(house.task).await.unwrap();
}
