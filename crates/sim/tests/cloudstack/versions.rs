//! What releases understand and print.

use pluvio_sim::cloudstack::{Emission, State, Version};
use pluvio_sim::{CloudStack, CloudStackConfig};

use crate::client::Client;
use crate::quiet;

async fn release(version: Version) -> CloudStack {
    CloudStack::start(CloudStackConfig { version, backlog_events: 200, ..quiet() }).await.unwrap()
}

async fn events(cloud: &CloudStack, parameters: &str) -> crate::client::Answer {
    let parameters = format!("listall=true&{parameters}");
    Client::of(cloud, "admin").call("listEvents", &parameters).await
}

#[tokio::test]
async fn fields_appear_with_the_release_that_brought_them() {
    for (version, resource, path) in [
        (Version::V4_9, false, false),
        (Version::V4_17, true, false),
        (Version::V4_20, true, true),
        (Version::V4_22, true, true),
    ] {
        let cloud = release(version).await;
        let answer = events(&cloud, "").await;
        assert_eq!(answer.body.contains("\"resourcename\":"), resource, "{version}");
        assert_eq!(answer.body.contains("\"domainpath\":"), path, "{version}");
        assert_eq!(answer.body.contains("\"parentid\":\"0\""), version == Version::V4_9);
        let script = answer.headers["content-type"].to_str().unwrap().contains("javascript");
        assert_eq!(script, version == Version::V4_9);
    }
}

#[tokio::test]
async fn a_date_with_an_offset_is_cut_to_its_day_by_older_releases() {
    for version in Version::ALL {
        let cloud = release(version).await;
        let now = cloud.now().as_second();
        let ask = async |text: &str| {
            let span = format!("startdate={text}&enddate={text}");
            let answer = events(&cloud, &span).await;
            assert_eq!(answer.status, 200, "{version} {span}");
            answer.inner()["count"].as_u64().unwrap_or(0)
        };
        cloud.emit(&Emission::default());
        let zone = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let second = jiff::Timestamp::from_second(now - 3).unwrap().to_zoned(zone);
        let with_offset = second.strftime("%Y-%m-%dT%H:%M:%S%z").to_string();
        let wall_clock = second.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let (of_second, told) = (ask(&wall_clock).await, ask(&with_offset).await);
        assert_eq!(told > of_second, version < Version::V4_20, "{version}: {told}, {of_second}");
        let answer = events(&cloud, "startdate=soon").await;
        assert!(answer.error().starts_with("Unable to parse date"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_parameter_that_a_release_does_not_know_is_ignored() {
    for version in Version::ALL {
        let cloud = release(version).await;
        cloud.emit(&Emission { state: State::Scheduled, ..Emission::default() });
        let all = events(&cloud, "").await.inner()["count"].as_u64();
        let scheduled = events(&cloud, "state=Scheduled").await.inner()["count"].as_u64();
        assert_eq!(scheduled < all, version == Version::V4_22, "{version}");
        let machines = events(&cloud, "resourcetype=VirtualMachine").await;
        assert_eq!(machines.inner()["count"].as_u64() < all, version >= Version::V4_17);
    }
}

#[tokio::test]
async fn an_old_release_orders_its_pages_by_the_second() {
    let cloud = release(Version::V4_9).await;
    cloud.post(20);
    let answer = events(&cloud, "page=1&pagesize=100").await;
    let created = answer.column("event", "created");
    assert!(created.is_sorted_by(|a, b| a >= b));
    let truth: Vec<_> = cloud.events().iter().rev().map(|event| event.id.to_string()).collect();
    let ids = answer.ids();
    let expected: Vec<_> = truth.into_iter().filter(|id| ids.contains(id)).collect();
    assert_ne!(ids, expected, "events of one second come in no order");
}

#[tokio::test]
async fn times_are_printed_in_the_zone_of_the_server() {
    let created = "2026-07-01T10:00:00Z".parse().ok();
    for (zone, printed) in [
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-01T12:00:00+0200"),
        ("UTC0", "2026-07-01T10:00:00+0000"),
        ("IST-5:30", "2026-07-01T15:30:00+0530"),
        ("NST3:30", "2026-07-01T06:30:00-0330"),
    ] {
        let config = CloudStackConfig { time_zone: zone.to_owned(), ..quiet() };
        let cloud = CloudStack::start(config).await.unwrap();
        cloud.emit(&Emission { created, ..Emission::default() });
        assert_eq!(events(&cloud, "").await.column("event", "created"), [printed]);
    }
}

#[tokio::test]
async fn a_release_or_a_zone_that_is_not_simulated_is_refused() {
    assert!("4.10".parse::<Version>().unwrap_err().to_string().contains("valid: 4.9, 4.17"));
    let config = CloudStackConfig { time_zone: "Nowhere/Atlantis".to_owned(), ..quiet() };
    assert!(CloudStack::start(config).await.is_err());
}
