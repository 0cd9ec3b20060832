//! Counters and samples of the performance manager.

use crate::client::Client;
use crate::cloud;

const MANAGER: (&str, &str) = ("PerformanceManager", "PerfMgr");

/// The key of a counter, found by its names as clients do.
async fn key(client: &Client, group: &str, name: &str) -> String {
    let counters = client.fetch(MANAGER, "perfCounter").await;
    let is_meant = |info: &&str| {
        let key = |part: &str| info.contains(&format!("<key>{part}</key></"));
        key(group) && key(name)
    };
    let info = counters.body.split("<returnval ").skip(1).find(is_meant).unwrap().to_owned();
    info.split_once("<key>").unwrap().1.split_once('<').unwrap().0.to_owned()
}

async fn query(client: &Client, object: (&str, &str), rest: &str) -> Vec<u64> {
    let (kind, id) = object;
    let spec = format!("<querySpec><entity type=\"{kind}\">{id}</entity>{rest}</querySpec>");
    let answer = client.call_on(MANAGER, "QueryPerf", &spec).await;
    assert_eq!(answer.fault(), None, "{answer:?}");
    let values = answer.body.split("<value>").skip(1);
    values.map(|value| value.split_once('<').unwrap().0.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_host_is_sampled_every_twenty_seconds_and_two_clients_see_the_same() {
    let cloud = cloud(0).await;
    let (client, other) = (Client::of(&cloud).await, Client::of(&cloud).await);
    let host = client.first("HostSystem").await;
    let host = ("HostSystem", host.as_str());
    let metric = format!(
        "<metricId><counterId>{}</counterId><instance/></metricId>",
        key(&client, "cpu", "usagemhz").await
    );
    let hour = query(&client, host, &format!("{metric}<intervalId>20</intervalId>")).await;
    assert!((179..=181).contains(&hour.len()), "{} samples of an hour", hour.len());
    assert!(hour.iter().all(|mhz| (20..4_000).contains(mhz)));
    let end = "<endTime>2999-01-01T00:00:00Z</endTime>";
    let three = format!("{end}<maxSample>3</maxSample>{metric}<intervalId>20</intervalId>");
    let seen = query(&other, host, &three).await;
    assert_eq!(seen.len(), 3);
    assert!(hour.windows(2).any(|pair| pair == &seen[..2]), "{seen:?} are the newest of {hour:?}");
    let all = client
        .call_on(MANAGER, "QueryAvailablePerfMetric", "<entity type=\"HostSystem\">x</entity>")
        .await;
    assert_eq!(all.fault(), Some("ManagedObjectNotFound"));
    let none = client.call_on(MANAGER, "QueryPerfCounter", "<counterId>9999</counterId>").await;
    assert_eq!(none.fault(), Some("InvalidArgument"));
}

#[tokio::test]
async fn a_cluster_has_no_samples_of_the_last_seconds_and_many_of_the_past_day() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let cluster = client.first("ClusterComputeResource").await;
    let cluster = ("ClusterComputeResource", cluster.as_str());
    let metric = format!(
        "<metricId><counterId>{}</counterId><instance/></metricId>",
        key(&client, "mem", "usage").await
    );
    let seconds = query(&client, cluster, &format!("{metric}<intervalId>20</intervalId>")).await;
    assert!(seconds.is_empty(), "{seconds:?}");
    let day = query(&client, cluster, &format!("{metric}<intervalId>300</intervalId>")).await;
    assert!((287..=289).contains(&day.len()), "{} samples of a day", day.len());
}
