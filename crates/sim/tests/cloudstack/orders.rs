//! Commands that change the cloud, and the jobs that they start.

use pluvio_sim::cloudstack::Fault;
use pluvio_sim::{CloudStack, CloudStackConfig};

use crate::client::{Answer, Client};
use crate::{cloud, quiet};

/// Identifiers of the first zone, offering and template, as parameters.
async fn first_offers(client: &Client) -> String {
    let zone = client.call("listZones", "").await.column("zone", "id")[0].clone();
    let services = client.call("listServiceOfferings", "").await;
    let service = services.column("serviceoffering", "id")[0].clone();
    let templates = client.call("listTemplates", "templatefilter=featured").await;
    let template = templates.column("template", "id")[0].clone();
    format!("zoneid={zone}&serviceofferingid={service}&templateid={template}")
}

async fn deploy(client: &Client, more: &str) -> Answer {
    let offers = first_offers(client).await;
    client.call("deployVirtualMachine", &format!("{offers}&{more}")).await
}

#[tokio::test]
async fn a_machine_is_deployed_stopped_started_and_destroyed() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    let job = web.job(&deploy(&web, "name=shop-1").await).await;
    let machine = &job["jobresult"]["virtualmachine"];
    assert_eq!((&machine["name"], &machine["state"]), (&"shop-1".into(), &"Running".into()));
    let id = format!("id={}", machine["id"].as_str().unwrap());
    for (command, state) in [
        ("stopVirtualMachine", "Stopped"),
        ("startVirtualMachine", "Running"),
        ("rebootVirtualMachine", "Running"),
        ("destroyVirtualMachine", "Destroyed"),
    ] {
        let job = web.job(&web.call(command, &id).await).await;
        assert_eq!(job["jobresult"]["virtualmachine"]["state"], state, "{command}");
    }
    assert!(web.call("listVirtualMachines", "name=shop-1").await.inner().get("count").is_none());
    let events = web.call("listEvents", "resourcetype=VirtualMachine").await;
    assert_eq!(events.inner()["count"], 4 + 4 * 3);
    assert!(events.column("event", "account").iter().all(|account| account == "web"));
}

#[tokio::test]
async fn a_job_takes_its_time_and_is_told_at_once() {
    let duration = std::time::Duration::from_secs(5);
    let config = CloudStackConfig { job_duration: duration, ..quiet() };
    let cloud = CloudStack::start(config).await.unwrap();
    let web = Client::of(&cloud, "web-deploy");
    let started = deploy(&web, "").await.inner();
    let job = format!("jobid={}", started["jobid"].as_str().unwrap());
    let pending = web.call("queryAsyncJobResult", &job).await.inner();
    assert_eq!((&pending["jobstatus"], pending.get("jobresult")), (&0.into(), None));
    assert_eq!(pending["jobinstanceid"], started["id"]);
    cloud.advance(duration);
    assert_eq!(web.call("queryAsyncJobResult", &job).await.inner()["jobstatus"], 1);
    assert_eq!(web.call("listAsyncJobs", "").await.inner()["count"], 1);
}

#[tokio::test]
async fn a_failed_job_is_an_answer_and_an_error_among_events() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    cloud.inject(Fault::FailJobs { count: 1 });
    let job = web.job(&deploy(&web, "name=shop-2").await).await;
    assert_eq!((&job["jobstatus"], &job["jobresult"]["errorcode"]), (&2.into(), &530.into()));
    let errors = web.call("listEvents", "level=ERROR").await;
    assert_eq!(errors.column("event", "type"), ["VM.CREATE"]);
    let machines = web.call("listVirtualMachines", "name=shop-2").await;
    assert_eq!(machines.column("virtualmachine", "state"), ["Error"]);
}

#[tokio::test]
async fn an_order_that_cannot_be_is_refused_at_once() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    let missing = web.call("deployVirtualMachine", "zoneid=").await;
    assert!(missing.error().contains("missing parameter zoneid"), "{}", missing.body);
    for more in ["name=-wrong-", "projectid=nowhere", "networkids=none"] {
        assert_eq!(deploy(&web, more).await.status, 431, "{more}");
    }
    let job = "customjobid=11111111-2222-4333-8444-555555555555";
    assert_eq!(deploy(&web, job).await.status, 200);
    assert_eq!(deploy(&web, job).await.status, 431, "a job's identifier is used once");
    let admin = Client::of(&cloud, "admin");
    let others = admin.call("listVirtualMachines", "listall=true").await;
    let inner = others.inner();
    let other = inner["virtualmachine"].as_array().unwrap().iter().find(|m| m["account"] == "lab");
    let id = format!("id={}", other.unwrap()["id"].as_str().unwrap());
    assert_eq!(web.call("stopVirtualMachine", &id).await.status, 531);
}

#[tokio::test]
async fn a_volume_lives_apart_from_its_machine() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    let machine = deploy(&web, "").await;
    web.job(&machine).await;
    let machine = machine.inner()["id"].as_str().unwrap().to_owned();
    let disk = web.call("listDiskOfferings", "name=Custom").await.column("diskoffering", "id");
    let zone = web.call("listZones", "").await.column("zone", "id")[0].clone();
    let order = format!("name=logs&zoneid={zone}&diskofferingid={}", disk[0]);
    assert_eq!(web.call("createVolume", &order).await.status, 431, "a size is needed");
    let job = web.job(&web.call("createVolume", &format!("{order}&size=3")).await).await;
    let volume = &job["jobresult"]["volume"];
    assert_eq!((&volume["state"], &volume["size"]), (&"Allocated".into(), &(3_u64 << 30).into()));
    let id = format!("id={}", volume["id"].as_str().unwrap());
    let attach = format!("{id}&virtualmachineid={machine}");
    let job = web.job(&web.call("attachVolume", &attach).await).await;
    assert_eq!(job["jobresult"]["volume"]["state"], "Ready");
    assert_eq!(web.call("deleteVolume", &id).await.status, 431, "it is attached");
    let volumes = web.call("listVolumes", &format!("virtualmachineid={machine}")).await;
    assert_eq!(volumes.column("volume", "type"), ["ROOT", "DATADISK"]);
    web.job(&web.call("detachVolume", &id).await).await;
    assert_eq!(web.call("deleteVolume", &id).await.inner()["success"], true);
}

#[tokio::test]
async fn a_network_with_machines_is_not_deleted() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    let zone = web.call("listZones", "").await.column("zone", "id")[0].clone();
    let offering = web.call("listNetworkOfferings", "").await.column("networkoffering", "id");
    let order = format!("name=n&displaytext=n&zoneid={zone}&networkofferingid={}", offering[0]);
    let network = web.call("createNetwork", &order).await.inner()["network"]["id"].clone();
    let network = network.as_str().unwrap();
    web.job(&deploy(&web, &format!("networkids={network}")).await).await;
    let refused = web.call("deleteNetwork", &format!("id={network}")).await;
    assert_eq!(refused.status, 530, "{}", refused.body);
}

#[tokio::test]
async fn usage_is_told_page_by_page_and_counts_only_the_page() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    let days = "startdate=2026-11-18&enddate=2026-11-19";
    let page = admin.call("listUsageRecords", &format!("{days}&page=1&pagesize=7")).await;
    assert_eq!(page.inner()["count"], 7);
    let running = admin.call("listUsageRecords", &format!("{days}&type=1")).await.inner();
    assert_eq!(running["usagerecord"][0]["usage"], "11.00 Hrs", "{running}");
    let user = Client::of(&cloud, "web-ops");
    assert_eq!(user.call("listUsageRecords", days).await.status, 401);
}
