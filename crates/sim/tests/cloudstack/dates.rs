//! When things were made, as lists tell it.

use jiff::Timestamp;
use pluvio_sim::cloudstack::Version;
use pluvio_sim::{CloudStack, CloudStackConfig};

use crate::client::Client;
use crate::quiet;

/// Calls whose rows are older than anything that happened, with the name of a row.
const OFFERS: [(&str, &str, &str); 5] = [
    ("listServiceOfferings", "", "serviceoffering"),
    ("listDiskOfferings", "", "diskoffering"),
    ("listNetworkOfferings", "", "networkoffering"),
    ("listTemplates", "templatefilter=all", "template"),
    ("listHosts", "", "host"),
];

async fn created(
    config: CloudStackConfig,
    (command, more, row): (&str, &str, &str),
) -> Vec<String> {
    let cloud = CloudStack::start(config).await.unwrap();
    Client::of(&cloud, "admin").call(command, more).await.column(row, "created")
}

#[tokio::test]
async fn what_is_on_offer_was_made_some_time_before_the_history_begins() {
    for version in Version::ALL {
        for list in OFFERS {
            let dates = created(CloudStackConfig { version, ..quiet() }, list).await;
            assert!(!dates.is_empty(), "{list:?}");
            for text in dates {
                let time = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", &text).unwrap();
                let years = "2024-11-20T00:00:00Z".parse().unwrap()
                    ..="2026-11-19T12:00:00Z".parse().unwrap();
                assert!(years.contains(&time), "{list:?}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn the_seed_decides_the_dates() {
    let of_seed = |seed| created(CloudStackConfig { seed, ..quiet() }, OFFERS[3]);
    assert_eq!(of_seed(1).await, of_seed(1).await);
    assert_ne!(of_seed(1).await, of_seed(2).await);
}
