//! What `listApis` tells, and that it is true.

use std::collections::{BTreeMap, BTreeSet};

use pluvio_sim::cloudstack::Version;
use pluvio_sim::{CloudStack, CloudStackConfig};
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::{cloud, quiet};

async fn lively(version: Version) -> CloudStack {
    CloudStack::start(CloudStackConfig { version, backlog_events: 600, ..quiet() }).await.unwrap()
}

async fn api(client: &Client, name: &str) -> Value {
    client.call("listApis", &format!("name={name}")).await.inner()["api"][0].clone()
}

/// A member of a list of `listApis`, by its name.
fn named(told: &Value, list: &str, name: &str) -> Value {
    let rows = told[list].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["name"] == name).unwrap_or_default()
}

#[tokio::test]
async fn parameters_are_told_with_their_types_and_what_they_relate_to() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    for (command, parameter, kind, required) in [
        ("deployVirtualMachine", "zoneid", "uuid", true),
        ("deployVirtualMachine", "networkids", "list", false),
        ("deployVirtualMachine", "details", "map", false),
        ("deployVirtualMachine", "startvm", "boolean", false),
        ("createVolume", "size", "long", false),
        ("listEvents", "page", "integer", false),
        ("listEvents", "type", "string", false),
        ("listUsageRecords", "startdate", "date", true),
    ] {
        let told = named(&api(&admin, command).await, "params", parameter);
        assert_eq!((&told["type"], &told["required"]), (&json!(kind), &json!(required)), "{told}");
        assert_eq!(told["length"], 255);
        assert_ne!(told["description"], parameter, "a description says more than the name");
    }
    let attach = api(&admin, "attachVolume").await;
    let machine = named(&attach, "params", "virtualmachineid");
    assert!(machine["related"].as_str().unwrap().contains("listVirtualMachines"), "{machine}");
    assert_eq!(attach["related"], "listVolumes,createVolume,detachVolume");
    assert_eq!(attach["isasync"], true);
    let delete = api(&admin, "deleteVolume").await;
    assert_eq!((&delete["isasync"], delete.get("related")), (&json!(false), None));
}

#[tokio::test]
async fn nested_objects_are_told_with_their_members() {
    let cloud = cloud(0).await;
    let told = api(&Client::of(&cloud, "admin"), "listVirtualMachines").await;
    let nic = named(&told, "response", "nic");
    assert_eq!(nic["type"], "set");
    assert_eq!(named(&nic, "response", "ipaddress")["type"], "string");
    assert_eq!(named(&told, "response", "created")["type"], "date");
    assert_eq!(named(&told, "response", "memory")["type"], "integer");
}

#[tokio::test]
async fn a_release_tells_no_parameter_and_no_field_that_came_later() {
    for version in Version::ALL {
        let told = api(&Client::of(&lively(version).await, "admin"), "listEvents").await;
        for (list, name, since) in [
            ("params", "resourceid", Version::V4_17),
            ("params", "archived", Version::V4_20),
            ("params", "state", Version::V4_22),
            ("response", "resourcename", Version::V4_17),
            ("response", "domainpath", Version::V4_20),
        ] {
            let is_told = !named(&told, list, name).is_null();
            assert_eq!(is_told, version >= since, "{version}: {list} {name}");
        }
    }
}

#[tokio::test]
async fn one_command_is_told_by_its_name_and_an_unknown_one_is_an_internal_error() {
    let cloud = cloud(0).await;
    let user = Client::of(&cloud, "web-ops");
    assert_eq!(user.call("listApis", "name=listZones").await.column("api", "name"), ["listZones"]);
    for name in ["listNonsense", "listHosts"] {
        let answer = user.call("listApis", &format!("name={name}")).await;
        assert_eq!(answer.status, 530, "{name}: {}", answer.body);
        assert!(answer.error().contains("unable to find an api by that name"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_call_without_a_required_parameter_is_refused_with_its_name() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    let mut tried = 0;
    for told in admin.call("listApis", "").await.inner()["api"].as_array().unwrap() {
        let rows = told["params"].as_array().unwrap().iter();
        let required = rows.filter(|row| row["required"] == true);
        let required: Vec<_> = required.map(|row| row["name"].as_str().unwrap()).collect();
        for missing in &required {
            let others = required.iter().filter(|name| *name != missing);
            let others: Vec<_> = others.map(|name| format!("{name}=x")).collect();
            let command = told["name"].as_str().unwrap();
            let answer = admin.call(command, &others.join("&")).await;
            assert_eq!(answer.status, 431, "{command} without {missing}: {}", answer.body);
            let text = format!("due to missing parameter {missing}");
            assert!(answer.error().ends_with(&text), "{}", answer.body);
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[tokio::test]
async fn a_parameter_that_a_command_does_not_name_is_not_read() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    let all = admin.call("listServiceOfferings", "").await;
    let asked = admin.call("listServiceOfferings", "state=Gone&zoneid=nowhere").await;
    assert_eq!(asked.inner(), all.inner());
}

/// What answers were seen to hold, by what `listApis` tells of their rows.
#[derive(Default)]
struct Seen {
    /// Rows by command.
    told: BTreeMap<String, Value>,
    /// Paths of members by the form of a row.
    members: BTreeMap<String, BTreeSet<String>>,
}

impl Seen {
    async fn begin(client: &Client) -> Self {
        let rows = client.call("listApis", "").await.inner()["api"].clone();
        let rows = rows.as_array().unwrap().clone();
        let told = rows.into_iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row));
        Self { told: told.collect(), ..Self::default() }
    }

    async fn call(&mut self, client: &Client, command: &str, more: &str) -> Answer {
        let answer = client.call(command, more).await;
        assert_eq!(answer.status, 200, "{command} {more}: {}", answer.body);
        let inner = answer.inner();
        if self.told[command]["isasync"] == true {
            self.rows(command, &client.job(&answer).await["jobresult"]);
        } else {
            self.rows(command, &inner);
        }
        answer
    }

    /// The rows of a list, the one object, or the answer itself.
    fn rows(&mut self, command: &str, inner: &Value) {
        let members = inner.as_object().unwrap();
        let rows =
            members.values().find_map(Value::as_array).filter(|_| command.starts_with("list"));
        match (rows, members.values().next()) {
            (Some(rows), _) => rows.iter().for_each(|row| self.row(command, row)),
            (None, Some(object @ Value::Object(_))) if members.len() == 1 => {
                self.row(command, object);
            }
            (None, Some(_)) => self.row(command, inner),
            (None, None) => {}
        }
    }

    fn row(&mut self, command: &str, row: &Value) {
        let told = self.told[command]["response"].clone();
        let members = self.members.entry(told.to_string()).or_default();
        compare(command, &told, row, "", members);
    }

    /// What was told and never seen.
    fn unseen(&self) -> Vec<String> {
        let mut unseen = Vec::new();
        for (command, row) in &self.told {
            let members = self.members.get(&row["response"].to_string());
            let is_seen = |path: &String| members.is_some_and(|seen| seen.contains(path));
            let missing = paths(&row["response"], "").into_iter().filter(|path| !is_seen(path));
            unseen.extend(missing.map(|path| format!("{command}{path}")));
        }
        unseen
    }
}

fn compare(command: &str, told: &Value, row: &Value, at: &str, seen: &mut BTreeSet<String>) {
    for (name, value) in row.as_object().unwrap() {
        let rows = told.as_array().unwrap().iter();
        let field = rows.clone().find(|field| field["name"] == *name);
        let field = field.unwrap_or_else(|| panic!("{command} does not tell {at}/{name}"));
        let path = format!("{at}/{name}");
        seen.insert(path.clone());
        let objects = value.as_array().into_iter().flatten().filter(|value| value.is_object());
        match field.get("response") {
            Some(inner) => objects.for_each(|row| compare(command, inner, row, &path, seen)),
            // A form of forms ends somewhere.
            None if command == "listApis" => {}
            None => assert_eq!(objects.count(), 0, "{command} does not tell what is in {path}"),
        }
        let is_list = matches!(field["type"].as_str(), Some("list" | "set"));
        assert_eq!(value.is_array(), is_list, "{command} {path}");
        let is_number = matches!(field["type"].as_str(), Some("integer" | "long"));
        assert_eq!(value.is_number(), is_number, "{command} {path}");
        assert_eq!(value.is_boolean(), field["type"] == "boolean", "{command} {path}");
    }
}

/// The paths of all members that are told.
fn paths(told: &Value, at: &str) -> Vec<String> {
    let mut all = Vec::new();
    for field in told.as_array().into_iter().flatten() {
        let path = format!("{at}/{}", field["name"].as_str().unwrap());
        all.extend(paths(&field["response"], &path));
        all.push(path);
    }
    all
}

/// Calls that show all that lists can show.
const LISTS: [(&str, &str); 43] = [
    ("listEvents", "listall=true"),
    ("listEvents", "projectid=-1"),
    ("archiveEvents", "type=USER.LOGIN"),
    ("listEvents", "listall=true&archived=true"),
    ("deleteEvents", "type=USER.LOGOUT"),
    ("listEventTypes", ""),
    ("listVirtualMachines", "listall=true"),
    ("listVirtualMachines", "projectid=-1"),
    ("listVolumes", "listall=true"),
    ("listVolumes", "projectid=-1"),
    ("listNetworks", "listall=true"),
    ("listNetworks", "projectid=-1"),
    ("listZones", ""),
    ("listServiceOfferings", ""),
    ("listDiskOfferings", ""),
    ("listNetworkOfferings", ""),
    ("listTemplates", "templatefilter=all"),
    ("listConfigurations", ""),
    ("listHosts", ""),
    ("listDomains", ""),
    ("listAccounts", "listall=true"),
    ("listUsers", "listall=true"),
    ("listProjects", "listall=true"),
    ("listCapabilities", ""),
    ("listApis", ""),
    ("getApiLimit", ""),
    ("listUsageRecords", "startdate=2026-11-18&enddate=2026-11-19"),
    ("listUsageTypes", ""),
    ("listAsyncJobs", ""),
    ("listPublicIpAddresses", ""),
    ("listPortForwardingRules", ""),
    ("listIpForwardingRules", ""),
    ("listSecurityGroups", "listall=true"),
    ("listSecurityGroups", "projectid=-1"),
    ("listZones", "networktype=Basic"),
    ("listSSHKeyPairs", ""),
    ("listSnapshots", ""),
    ("listTags", ""),
    ("listAffinityGroups", ""),
    ("listIsos", ""),
    ("listVPCs", ""),
    ("listZones", "networktype=Advanced"),
    ("listNetworkOfferings", "guestiptype=Shared"),
];

async fn first(seen: &mut Seen, client: &Client, (command, more): (&str, &str)) -> String {
    let inner = seen.call(client, command, more).await.inner();
    let rows = inner.as_object().unwrap().values().find_map(Value::as_array);
    rows.unwrap()[0]["id"].as_str().unwrap().to_owned()
}

/// Orders of every kind, first to last.
async fn order(seen: &mut Seen, client: &Client) {
    let zone = first(seen, client, ("listZones", "")).await;
    let offering = first(seen, client, ("listServiceOfferings", "")).await;
    let template = first(seen, client, ("listTemplates", "templatefilter=all")).await;
    let network = first(seen, client, ("listNetworkOfferings", "")).await;
    let disk = first(seen, client, ("listDiskOfferings", "")).await;
    let order = format!("zoneid={zone}&serviceofferingid={offering}&templateid={template}");
    let machine = seen.call(client, "deployVirtualMachine", &order).await.inner()["id"].clone();
    let machine = format!("id={}", machine.as_str().unwrap());
    let order = format!("name=d&zoneid={zone}&diskofferingid={disk}");
    let volume = seen.call(client, "createVolume", &order).await.inner()["id"].clone();
    let volume = format!("id={}", volume.as_str().unwrap());
    seen.call(client, "attachVolume", &format!("{volume}&virtualmachine{machine}")).await;
    for command in ["stopVirtualMachine", "startVirtualMachine", "rebootVirtualMachine"] {
        seen.call(client, command, &machine).await;
    }
    seen.call(client, "detachVolume", &volume).await;
    seen.call(client, "deleteVolume", &volume).await;
    seen.call(client, "destroyVirtualMachine", &format!("{machine}&expunge=true")).await;
    let order = format!("name=n&zoneid={zone}&networkofferingid={network}");
    let network = seen.call(client, "createNetwork", &order).await.inner()["network"]["id"].clone();
    let network = format!("id={}", network.as_str().unwrap());
    let job = seen.call(client, "deleteNetwork", &network).await.inner()["jobid"].clone();
    seen.call(client, "queryAsyncJobResult", &format!("jobid={}", job.as_str().unwrap())).await;
}

/// Orders in the basic zone, also of a project.
async fn order_in_the_basic_zone(seen: &mut Seen, client: &Client) {
    let project = first(seen, client, ("listProjects", "listall=true")).await;
    let zone = first(seen, client, ("listZones", "networktype=Basic")).await;
    let offering = first(seen, client, ("listServiceOfferings", "")).await;
    let template = first(seen, client, ("listTemplates", "templatefilter=all")).await;
    let order = format!("zoneid={zone}&serviceofferingid={offering}&templateid={template}");
    for more in ["".to_owned(), format!("&projectid={project}")] {
        seen.call(client, "deployVirtualMachine", &format!("{order}{more}")).await;
    }
    let made = seen.call(client, "createSecurityGroup", "name=g").await;
    let made = format!("id={}", made.inner()["securitygroup"]["id"].as_str().unwrap());
    for (way, list) in [("Ingress", "ingressrule"), ("Egress", "egressrule")] {
        let command = format!("authorizeSecurityGroup{way}");
        for rule in [
            "securitygroupname=g&protocol=icmp&icmptype=8&icmpcode=0&cidrlist=10.0.0.0/8",
            "securitygroupname=g&protocol=tcp&startport=22&endport=22&\
             usersecuritygrouplist[0].group=default&usersecuritygrouplist[0].account=admin",
        ] {
            seen.call(client, &command, rule).await;
        }
        let groups = seen.call(client, "listSecurityGroups", "securitygroupname=g").await.inner();
        for rule in groups["securitygroup"][0][list].as_array().unwrap() {
            let id = format!("id={}", rule["ruleid"].as_str().unwrap());
            seen.call(client, &format!("revokeSecurityGroup{way}"), &id).await;
        }
    }
    seen.call(client, "deleteSecurityGroup", &made).await;
}

#[tokio::test]
async fn answers_hold_what_is_told_and_nothing_else() {
    for version in Version::ALL {
        let cloud = lively(version).await;
        let admin = Client::of(&cloud, "admin");
        let mut seen = Seen::begin(&admin).await;
        order(&mut seen, &admin).await;
        order_in_the_basic_zone(&mut seen, &admin).await;
        for (command, more) in LISTS {
            seen.call(&admin, command, more).await;
        }
        let called = cloud.calls();
        let left: Vec<_> = seen.told.keys().filter(|name| !called.contains_key(*name)).collect();
        assert!(left.is_empty(), "{version}: never called: {left:?}");
        assert_eq!(seen.unseen(), Vec::<String>::new(), "{version}: told, and in no answer");
    }
}
