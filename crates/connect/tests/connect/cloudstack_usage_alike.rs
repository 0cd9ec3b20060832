//! Rows whose names change, whose resources are gone, and that look like others: each use is billed once, and none is
//! left out. What a row shows is `ApiResponseHelper.createUsageResponse`, what there is a row of the
//! `usage/parser/*UsageParser.java` of Apache CloudStack.

use serde_json::{Value, json};

use crate::cloudstack_usage_rows::{Ledger, billed};

/// A row of a type with an amount, and what else it shows.
fn row(usage_type: u32, amount: &str, shown: &Value) -> Value {
    let mut row = shown.clone();
    (row["usagetype"], row["rawusage"]) = (json!(usage_type), json!(amount));
    row
}

/// Rows that name no rule, because the rules were deleted: nothing of them tells one from another.
fn deleted(usage_type: u32, hours: &[&str]) -> Vec<Value> {
    let words = json!({ "description": "Loadbalancer policy usage " });
    hours.iter().map(|hours| row(usage_type, hours, &words)).collect()
}

/// Lists rows, then those that they became: nothing is news, and the same is billed.
async fn stays(before: Vec<Value>, after: Vec<Value>, expected: &[(&str, usize)]) {
    let mut ledger = Ledger::open().await;
    assert_eq!(ledger.list_rows(before.clone()).await, before.len());
    assert_eq!(ledger.list_rows(before).await, 0, "a mere re-listing");
    assert_eq!(ledger.list_rows(after.clone()).await, 0, "{after:?}");
    assert_eq!(ledger.list_rows(after).await, 0);
    let mut told = ledger.billed().await;
    told.sort();
    assert_eq!(told, billed(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_or_machine_that_is_renamed_is_not_billed_again() {
    let traffic = |name: &str| {
        let shown = json!({ "usageid": "router", "networkid": "n", "name": name });
        [row(4, "1000", &shown), row(5, "2000", &shown)]
    };
    let offering = |host: &str| {
        let words = format!("Network offering gold usage for VM {host}");
        row(13, "24", &json!({ "offeringid": "o", "virtualmachineid": "vm", "description": words }))
    };
    let backup = |host: &str, name: &str| {
        let words = format!("Backup usage of size 5 GB for VM {host} with gold");
        row(28, "24", &json!({ "usageid": "vm", "name": name, "description": words }))
    };
    let rows = |network: &str, host: &str| {
        let mut rows = traffic(network).to_vec();
        rows.extend([offering(host), backup(host, host)]);
        rows
    };
    let expected = [("1000", 1), ("2000", 1), ("24", 1), ("24", 1)];
    stays(rows("blue", "web"), rows("green", "shop"), &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_are_deleted_are_billed_once_each_whether_before_or_after_they_were_captured() {
    let rule = |id: &str, hours: &str| row(11, hours, &json!({ "usageid": id }));
    let before = vec![rule("a", "24"), rule("b", "24"), rule("c", "3.5")];
    stays(before, deleted(11, &["24", "24", "3.5"]), &[("24", 1), ("24", 1), ("3.5", 1)]).await;

    let mut ledger = Ledger::open().await;
    let mut rows = deleted(11, &["24", "24", "3.5"]);
    rows.extend(deleted(12, &["24"]));
    assert_eq!(ledger.list_rows(rows.clone()).await, 4);
    assert_eq!(ledger.list_rows(rows).await, 0);
    let mut told = ledger.billed().await;
    told.sort();
    assert_eq!(told, billed(&[("24", 1), ("24", 1), ("24", 1), ("3.5", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_volume_of_a_snapshot_is_billed_though_their_rows_look_the_same() {
    let shown = json!({ "usageid": "snapshot", "name": "before", "offeringid": "o", "size": 10 });
    let rows: Vec<_> = ["24", "24", "5"].map(|hours| row(25, hours, &shown)).to_vec();
    let purged = json!({ "offeringid": "o", "size": 10 });
    let purged = ["24", "24", "5"].map(|hours| row(25, hours, &purged)).to_vec();
    stays(rows.clone(), purged, &[("24", 1), ("24", 1), ("5", 1)]).await;

    // One of them is counted anew.
    let mut ledger = Ledger::open().await;
    assert_eq!(ledger.list_rows(rows).await, 3);
    let anew: Vec<_> = ["24", "24", "4"].map(|hours| row(25, hours, &shown)).to_vec();
    assert_eq!(ledger.list_rows(anew.clone()).await, 1);
    assert_eq!(ledger.list_rows(anew).await, 0);
    assert_eq!(ledger.billed().await, billed(&[("24", 1), ("24", 1), ("4", 2)]));
}

/// From 4.22.1 on, apache/cloudstack#11531.
#[tokio::test(flavor = "multi_thread")]
async fn a_volumes_time_at_machines_is_beside_all_of_its_time_also_when_a_machine_is_gone() {
    let at = |machine: &str, hours: &str| {
        row(6, hours, &json!({ "usageid": "volume", "size": 10, "virtualmachineid": machine }))
    };
    let all = |hours: &str| row(6, hours, &json!({ "usageid": "volume", "size": 10 }));
    let before = vec![all("24"), at("a", "5"), at("b", "9")];
    let expected = [("24", 1), ("5", 1), ("9", 1)];
    for left in [
        vec![at("b", "9"), all("24"), at("a", "5")],
        vec![all("24"), all("5"), at("b", "9")],
        vec![all("9"), all("5"), all("24")],
        // A job that ran again, in whichever order.
        vec![all("24"), all("5"), at("b", "9"), all("24"), all("5"), at("b", "9")],
        vec![all("5"), all("24"), all("9"), all("5"), all("24"), all("9")],
        vec![all("24"), all("24"), all("5"), all("5"), all("9"), all("9")],
    ] {
        stays(before.clone(), left, &expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_is_counted_anew_is_revised_beside_its_time_at_a_machine() {
    let at = row(6, "5", &json!({ "usageid": "volume", "virtualmachineid": "a" }));
    let all = |hours: &str| row(6, hours, &json!({ "usageid": "volume" }));
    let mut ledger = Ledger::open().await;
    assert_eq!(ledger.list_rows(vec![all("24"), at.clone()]).await, 2);
    let anew = vec![all("24"), at.clone(), all("23.5"), at];
    assert_eq!(ledger.list_rows(anew.clone()).await, 1);
    assert_eq!(ledger.list_rows(anew).await, 0);
    let mut told = ledger.billed().await;
    told.sort();
    assert_eq!(told, billed(&[("23.5", 2), ("5", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_several_machines_used_of_one_resource_is_billed_for_each_also_when_one_is_gone() {
    for usage_type in [10, 21, 24] {
        let of = |machine: &str| json!({ "usageid": "used", "virtualmachineid": machine });
        let left = json!({ "usageid": "used" });
        let before = vec![row(usage_type, "24", &of("a")), row(usage_type, "3.5", &of("b"))];
        let after = vec![row(usage_type, "24", &left), row(usage_type, "3.5", &of("b"))];
        stays(before, after, &[("24", 1), ("3.5", 1)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_a_group_that_are_listed_while_the_job_still_writes_are_all_billed() {
    let of =
        |machine: usize| json!({ "usageid": "group", "virtualmachineid": machine.to_string() });
    let rows: Vec<_> = (0..10).map(|machine| row(10, "24", &of(machine))).collect();
    let mut ledger = Ledger::open().await;
    assert_eq!(ledger.list_rows(rows[..4].to_vec()).await, 4);
    assert_eq!(ledger.list_rows(rows).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_offering_of_a_machine_that_is_counted_anew_is_revised() {
    let shown = json!({ "offeringid": "o", "virtualmachineid": "vm" });
    let mut ledger = Ledger::open().await;
    assert_eq!(ledger.list_rows(vec![row(13, "24", &shown)]).await, 1);
    let again = vec![row(13, "24", &shown), row(13, "20", &shown)];
    assert_eq!(ledger.list_rows(again).await, 1);
    assert_eq!(ledger.billed().await, billed(&[("20", 2)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_had_two_states_in_a_day_is_billed_for_both() {
    let shown = json!({ "usageid": "network", "offeringid": "o" });
    let rows = vec![row(30, "16", &shown), row(30, "8", &shown)];
    stays(rows.clone(), rows, &[("16", 1), ("8", 1)]).await;
}
