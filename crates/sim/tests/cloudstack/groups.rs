//! The basic zone and its security groups.

use pluvio_sim::cloudstack::Fault;
use pluvio_sim::{CloudStack, CloudStackConfig};
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::{cloud, quiet};

/// The first row of a list.
async fn row(client: &Client, command: &str, more: &str) -> Value {
    let inner = client.call(command, more).await.inner();
    let rows = inner.as_object().unwrap().values().find_map(Value::as_array);
    rows.unwrap_or_else(|| panic!("{command} {more} lists nothing"))[0].clone()
}

async fn id(client: &Client, command: &str, more: &str) -> String {
    row(client, command, more).await["id"].as_str().unwrap().to_owned()
}

async fn deploy_in(client: &Client, networktype: &str, more: &str) -> Answer {
    let zone = id(client, "listZones", &format!("networktype={networktype}")).await;
    let offering = id(client, "listServiceOfferings", "").await;
    let template = id(client, "listTemplates", "templatefilter=all").await;
    let order = format!("zoneid={zone}&serviceofferingid={offering}&templateid={template}&{more}");
    client.call("deployVirtualMachine", &order).await
}

/// What a job that was asked for ended with.
async fn result(client: &Client, command: &str, more: &str) -> Value {
    let started = client.call(command, more).await;
    assert_eq!(started.status, 200, "{command} {more}: {}", started.body);
    client.job(&started).await
}

/// What is in `ingressrule` of the caller's group of that name.
async fn ingress(client: &Client, group: &str) -> Vec<Value> {
    let group = row(client, "listSecurityGroups", &format!("securitygroupname={group}")).await;
    group["ingressrule"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_basic_zone_comes_last_and_has_one_network_for_everybody() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    let zones = web.call("listZones", "").await;
    assert_eq!(zones.column("zone", "networktype"), ["Advanced", "Advanced", "Basic"]);
    let zone = &zones.inner()["zone"][2];
    assert_eq!(
        (&zone["securitygroupsenabled"], zone.get("guestcidraddress")),
        (&json!(true), None)
    );
    let of_zone = format!("zoneid={}", zone["id"].as_str().unwrap());
    let networks = web.call("listNetworks", &of_zone).await.inner();
    assert_eq!(networks["count"], 1);
    let network = &networks["network"][0];
    assert_eq!(network["networkofferingname"], "DefaultSharedNetworkOfferingWithSGService");
    assert_eq!((&network["type"], &network["acltype"]), (&json!("Shared"), &json!("Domain")));
    assert_eq!((&network["domain"], network.get("account")), (&json!("ROOT"), None));
    let offering = row(&web, "listNetworkOfferings", "guestiptype=Isolated").await["id"].clone();
    let order = format!("name=n&{of_zone}&networkofferingid={}", offering.as_str().unwrap());
    assert_eq!(web.call("createNetwork", &order).await.status, 431);
    let network = format!("id={}", network["id"].as_str().unwrap());
    assert_eq!(web.call("deleteNetwork", &network).await.status, 531);
}

#[tokio::test]
async fn every_account_has_a_default_group_that_stays() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    let groups = admin.call("listSecurityGroups", "listall=true").await;
    assert_eq!(groups.column("securitygroup", "name"), ["default"; 7]);
    assert_eq!(groups.inner()["securitygroup"][0]["description"], "Default Security Group");
    let web = Client::of(&cloud, "web-ops");
    let own = web.call("listSecurityGroups", "").await;
    assert_eq!(own.column("securitygroup", "account"), ["web"]);
    let refused = web.call("deleteSecurityGroup", "name=default").await;
    assert_eq!((refused.status, refused.error().contains("reserved")), (431, true));
    let other = id(&admin, "listSecurityGroups", "").await;
    assert_eq!(web.call("deleteSecurityGroup", &format!("id={other}")).await.status, 531);
}

#[tokio::test]
async fn a_machine_without_groups_is_in_the_default_one() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    let job = web.job(&deploy_in(&web, "Basic", "name=shop-1").await).await;
    let machine = &job["jobresult"]["virtualmachine"];
    let group = &machine["securitygroup"][0];
    assert_eq!((&group["name"], &group["account"]), (&json!("default"), &json!("web")));
    let nic = &machine["nic"][0];
    assert_eq!(
        (&nic["type"], &nic["networkname"]),
        (&json!("Shared"), &json!("guestNetworkForBasicZone"),)
    );
    let listed = row(&web, "listVirtualMachines", "name=shop-1").await;
    assert_eq!(listed["securitygroup"], machine["securitygroup"]);
    let of_machine = format!("virtualmachineid={}", machine["id"].as_str().unwrap());
    let group = row(&web, "listSecurityGroups", &of_machine).await;
    assert_eq!(group["virtualmachineids"], json!([machine["id"]]));
}

#[tokio::test]
async fn a_machine_is_in_the_groups_that_its_order_names() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    let made = web.call("createSecurityGroup", "name=front&description=the shop").await.inner();
    let made = made["securitygroup"]["id"].as_str().unwrap().to_owned();
    for order in [format!("securitygroupids={made}"), "securitygroupnames=front".to_owned()] {
        let job = web.job(&deploy_in(&web, "Basic", &order).await).await;
        let groups = &job["jobresult"]["virtualmachine"]["securitygroup"];
        assert_eq!((&groups[0]["id"], groups.as_array().unwrap().len()), (&json!(made), 1));
    }
    let refused = web.call("deleteSecurityGroup", "name=front").await;
    assert_eq!(refused.status, 536, "machines are in it: {}", refused.body);
}

#[tokio::test]
async fn an_order_that_does_not_fit_its_zone_is_refused() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    let network = id(&web, "listNetworks", "").await;
    let common = id(&web, "listNetworks", "type=Shared").await;
    let group = id(&web, "listSecurityGroups", "").await;
    let foreign = id(&Client::of(&cloud, "admin"), "listSecurityGroups", "").await;
    for (zone, order, status, text) in [
        ("Basic", format!("networkids={network}"), 431, "network Ids in Basic zone"),
        ("Basic", format!("iptonetworklist[0].networkid={network}"), 431, "in Basic zone"),
        ("Advanced", format!("securitygroupids={group}"), 431, "not enabled per zone"),
        ("Advanced", format!("networkids={common}"), 431, "doesn't belong to the zone"),
        ("Basic", "securitygroupnames=nowhere".to_owned(), 431, "group by name nowhere"),
        ("Basic", format!("securitygroupids={foreign}"), 531, "permission"),
        ("Basic", format!("securitygroupids={group}&securitygroupnames=default"), 431, "mutually"),
    ] {
        let refused = deploy_in(&web, zone, &order).await;
        assert_eq!(refused.status, status, "{order}: {}", refused.body);
        assert!(refused.error().contains(text), "{}", refused.body);
    }
}

#[tokio::test]
async fn rules_come_and_go_by_jobs_and_leave_events() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    web.call("createSecurityGroup", "name=front").await;
    let rule = "securitygroupname=front&protocol=TCP&startport=80&endport=443";
    let more = format!("{rule}&cidrlist=192.0.2.0/24,198.51.100.0/24");
    let job = result(&web, "authorizeSecurityGroupIngress", &more).await;
    let added = &job["jobresult"]["securitygroup"]["ingressrule"];
    assert_eq!(added.as_array().unwrap().len(), 2, "{job}");
    assert_eq!(job["jobinstancetype"], "SecurityGroup");
    let more = "securitygroupname=front&usersecuritygrouplist[0].group=default&\
                usersecuritygrouplist[0].account=web";
    result(&web, "authorizeSecurityGroupIngress", more).await;
    let rules = ingress(&web, "front").await;
    assert_eq!(rules.len(), 3);
    assert_eq!((&rules[0]["protocol"], &rules[0]["cidr"]), (&json!("tcp"), &json!("192.0.2.0/24")));
    assert_eq!((&rules[0]["startport"], &rules[0]["endport"]), (&json!(80), &json!(443)));
    assert_eq!(
        (&rules[2]["securitygroupname"], &rules[2]["account"]),
        (&json!("default"), &json!("web"),)
    );
    let first = format!("id={}", rules[0]["ruleid"].as_str().unwrap());
    let job = result(&web, "revokeSecurityGroupIngress", &first).await;
    assert_eq!(job["jobresult"], json!({"success": true}));
    assert_eq!(ingress(&web, "front").await.len(), 2);
    assert_eq!(web.call("revokeSecurityGroupIngress", &first).await.status, 431, "it is gone");
    assert_eq!(web.call("deleteSecurityGroup", "name=front").await.inner()["success"], true);
    let events = cloud.events().into_iter().map(|event| (event.kind.to_string(), event.state));
    let kinds: Vec<_> = events.map(|(kind, state)| format!("{kind} {}", state.name())).collect();
    assert_eq!(
        kinds,
        [
            "SG.CREATE Completed",
            "SG.AUTH.INGRESS Scheduled",
            "SG.AUTH.INGRESS Started",
            "SG.AUTH.INGRESS Completed",
            "SG.AUTH.INGRESS Scheduled",
            "SG.AUTH.INGRESS Started",
            "SG.AUTH.INGRESS Completed",
            "SG.REVOKE.INGRESS Scheduled",
            "SG.REVOKE.INGRESS Started",
            "SG.REVOKE.INGRESS Completed",
            "SG.DELETE Completed",
        ]
    );
    let about = web.call("listEvents", "resourcetype=SecurityGroup").await;
    assert_eq!(about.column("event", "resourcename"), ["front"; 11]);
}

#[tokio::test]
async fn a_wrong_rule_is_a_job_that_failed() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    for (rule, text) in [
        ("protocol=tcp&startport=80&endport=80", "At least one cidr"),
        ("protocol=tcp&startport=80&endport=79&cidrlist=10.0.0.0/8", "Invalid port range"),
        ("protocol=tcp&cidrlist=10.0.0.0/8", "Invalid port range"),
        ("protocol=icmp&cidrlist=10.0.0.0/8", "Invalid ICMP type/code"),
        ("protocol=quic&cidrlist=10.0.0.0/8", "Invalid protocol"),
        ("startport=80&endport=80&cidrlist=10.0.0.0/8", "without specifying protocol"),
        ("cidrlist=10.0.0.0/33", "Invalid cidr"),
        ("usersecuritygrouplist[0].group=default", "cannot be null"),
    ] {
        let rule = format!("securitygroupname=default&{rule}");
        let job = result(&web, "authorizeSecurityGroupIngress", &rule).await;
        let error = &job["jobresult"];
        assert_eq!((&job["jobstatus"], &error["errorcode"]), (&json!(2), &json!(431)), "{rule}");
        assert!(error["errortext"].as_str().unwrap().contains(text), "{error}");
    }
    let errors = web.call("listEvents", "level=ERROR&type=SG.AUTH.INGRESS").await;
    assert_eq!(errors.inner()["count"], 8);
    for wrong in ["", "securitygroupname=nowhere", "securitygroupname=default&startport=http"] {
        let refused = web.call("authorizeSecurityGroupIngress", wrong).await;
        assert_eq!(refused.status, 431, "{wrong}: {}", refused.body);
    }
}

#[tokio::test]
async fn a_rule_that_is_there_is_not_added_again_and_one_of_a_failed_job_is_not_there() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    let rule = "securitygroupname=default&cidrlist=10.0.0.0/8";
    cloud.inject(Fault::FailJobs { count: 1 });
    let job = result(&web, "authorizeSecurityGroupIngress", rule).await;
    assert_eq!((&job["jobstatus"], ingress(&web, "default").await.len()), (&json!(2), 0));
    result(&web, "authorizeSecurityGroupIngress", rule).await;
    let again = result(&web, "authorizeSecurityGroupIngress", rule).await;
    assert_eq!(again["jobresult"]["errorcode"], 530, "{again}");
    let rules = ingress(&web, "default").await;
    assert_eq!(rules.len(), 1);
    let id = format!("id={}", rules[0]["ruleid"].as_str().unwrap());
    let wrong_way = result(&web, "revokeSecurityGroupEgress", &id).await;
    assert!(wrong_way["jobresult"]["errortext"].as_str().unwrap().contains("Mismatch"));
}

#[tokio::test]
async fn a_group_that_a_rule_names_is_not_deleted() {
    let cloud = cloud(0).await;
    let web = Client::of(&cloud, "web-deploy");
    web.call("createSecurityGroup", "name=front").await;
    assert_eq!(web.call("createSecurityGroup", "name=front").await.status, 431, "a name is taken");
    let rule = "securitygroupname=default&usersecuritygrouplist[0].group=front&\
                usersecuritygrouplist[0].account=web";
    result(&web, "authorizeSecurityGroupEgress", rule).await;
    let refused = web.call("deleteSecurityGroup", "name=front").await;
    assert_eq!((refused.status, refused.error().contains("allow this group")), (536, true));
}

#[tokio::test]
async fn the_same_seed_tells_the_same_story_and_leaves_the_basic_zone_to_clients() {
    let story = async || {
        let cloud = CloudStack::start(CloudStackConfig { backlog_events: 300, ..quiet() }).await;
        let cloud = cloud.unwrap();
        let admin = Client::of(&cloud, "admin");
        let machines = admin.call("listVirtualMachines", "listall=true").await.inner();
        let machines = machines["virtualmachine"].as_array().unwrap().clone();
        assert!(machines.iter().all(|machine| machine["zonename"] != "zone-basic"));
        let groups = admin.call("listSecurityGroups", "listall=true").await.body;
        (cloud.events(), machines, groups)
    };
    assert_eq!(story().await, story().await);
}
