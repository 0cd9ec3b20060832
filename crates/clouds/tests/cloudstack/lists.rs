//! The other lists, and lists read to their end.

use pluvio_clouds::cloudstack::{
    AccountQuery, EventQuery, Paging, Row as _, UsageQuery, UserQuery, VirtualMachineQuery,
    VolumeQuery, ZoneQuery,
};

use crate::server::client;

const PAGE: Paging = Paging { page: 1, page_rows: 100 };

fn ok(body: &str) -> (&'static str, String) {
    ("200 OK", body.to_owned())
}

#[tokio::test]
async fn usage_records_keep_their_json_and_know_what_makes_them_the_same() {
    let row = r#"{"account":"acme","accountid":"a1","domainid":"d1","zoneid":"z1","usage":"24 Hrs",
        "description":"web-1 running time","usagetype":1,"rawusage":"24","usageid":"u1",
        "startdate":"2026-11-19'T'00:00:00+00:00","enddate":"2026-11-19T23:59:59+0000"}"#;
    let body =
        format!(r#"{{"listusagerecordsresponse":{{"count":2,"usagerecord":[{row},{{}}]}}}}"#);
    let (client, asked) = client(vec![ok(&body)]).await;
    let query = UsageQuery::between(
        "2026-11-19T00:00:00Z".parse().unwrap(),
        "2026-11-19T23:59:59Z".parse().unwrap(),
    );
    let page = client.list_usage_records(&query, PAGE).await.unwrap();
    let record = page.rows[0].as_ref().unwrap();
    assert_eq!(record.raw().get(), row);
    assert_eq!((record.usage_type, record.raw_usage.as_deref()), (1, Some("24")));
    let likeness = "1/a1/z1/2026-11-19T00:00:00Z/2026-11-19T23:59:59Z////////";
    assert_eq!(record.likeness(), likeness);
    assert_eq!(record.id(), format!("{likeness}/u1"));
    assert!(page.rows[1].is_err());

    let asked = asked.await.unwrap();
    assert_eq!(asked[0].param("startdate").unwrap(), "2026-11-19T00:00:00+0000");
    assert_eq!(asked[0].param("listall"), None);
}

#[tokio::test]
async fn what_a_server_can_is_asked_by_name() {
    let apis = r#"{"listapisresponse":{"count":1,"api":[{"name":"listEvents","isasync":false,
        "params":[{"name":"startdate","type":"date"},{"name":"Archived"}],"response":[]}]}}"#;
    let capabilities = r#"{"listcapabilitiesresponse":{"capability":{"cloudstackversion":"4.22.0.0",
        "apilimitinterval":1,"apilimitmax":25}}}"#;
    let types = r#"{"listeventtypesresponse":{"count":2,
        "eventtype":[{"name":"VM.CREATE"},{"name":"VM.START"}]}}"#;
    let (client, asked) = client(vec![ok(apis), ok(capabilities), ok(types)]).await;
    let apis = client.list_apis(Some("listEvents")).await.unwrap();
    assert!(apis.knows("listevents", "archived") && !apis.knows("listEvents", "state"));
    assert!(apis.command("createWebhook").is_none());
    assert_eq!(apis.iter().count(), 1);
    let capabilities = client.list_capabilities().await.unwrap();
    assert_eq!(capabilities.version.as_deref(), Some("4.22.0.0"));
    assert_eq!(capabilities.api_limit_calls, Some(25));
    assert_eq!(client.list_event_types().await.unwrap(), ["VM.CREATE", "VM.START"]);
    assert_eq!(asked.await.unwrap()[0].param("name").unwrap(), "listEvents");
}

#[tokio::test]
async fn machines_volumes_and_people_are_read_as_far_as_they_are_counted_and_looked_up() {
    let machines = r#"{"listvirtualmachinesresponse":{"count":1,"virtualmachine":[{"id":"m1",
        "name":"web-1","state":"Running","account":"acme","domainid":"d1","domain":"ROOT",
        "zoneid":"z1","serviceofferingid":"o1","serviceofferingname":"t1.micro","cpunumber":2,
        "memory":512}]}}"#;
    let volumes = r#"{"listvolumesresponse":{"count":1,"volume":[{"id":"v1","type":"DATADISK",
        "size":42949672960,"state":"Ready","virtualmachineid":"m1","diskofferingname":"40 GB",
        "projectid":"p1"}]}}"#;
    let accounts =
        r#"{"listaccountsresponse":{"account":[{"id":"a1","name":"acme","domainid":"d1"}]}}"#;
    let users = r#"{"listusersresponse":{"user":[{"id":"u1","username":"ann","accountid":"a1",
        "apikey":"hidden","secretkey":"hidden"},{"username":"bob","secretkey":"hidden"}]}}"#;
    let zones =
        r#"{"listzonesresponse":{"zone":[{"id":1,"name":"Sydney","networktype":"Basic"}]}}"#;
    let bodies = [machines, volumes, accounts, users, zones].map(ok);
    let (client, asked) = client(bodies.into()).await;

    let query = VirtualMachineQuery { details: vec!["servoff".into()], ..Default::default() };
    let machines = client.list_virtual_machines(&query, PAGE).await.unwrap();
    let machine = machines.rows[0].as_ref().unwrap();
    assert_eq!((machine.cpu_number, machine.memory_mib), (Some(2), Some(512)));
    assert_eq!(machine.service_offering_name.as_deref(), Some("t1.micro"));
    assert_eq!(machine.owner.account.as_deref(), Some("acme"));
    let volumes = client.list_volumes(&VolumeQuery::default(), PAGE).await.unwrap();
    let volume = volumes.rows[0].as_ref().unwrap();
    assert_eq!(volume.size_bytes, Some(42_949_672_960));
    assert_eq!(volume.owner.project_id.as_deref(), Some("p1"));
    let accounts = client.list_accounts(&AccountQuery::default(), PAGE).await.unwrap();
    assert_eq!(accounts.rows[0].as_ref().unwrap().name.as_deref(), Some("acme"));
    let users = client.list_users(&UserQuery::default(), PAGE).await.unwrap();
    assert_eq!(users.rows[0].as_ref().unwrap().account_id.as_deref(), Some("a1"));
    assert!(users.rows[1].is_err());
    assert!(!format!("{users:?}").contains("hidden"), "{users:?}");
    let zones = client.list_zones(&ZoneQuery::default(), PAGE).await.unwrap();
    assert_eq!(zones.rows[0].as_ref().unwrap().id, "1");

    let asked = asked.await.unwrap();
    assert_eq!(asked[0].param("details").unwrap(), "servoff");
    assert_eq!(asked[3].param("listall").unwrap(), "true");
    assert_eq!(asked[4].param("listall"), None);
}

fn events(ids: &[u32]) -> (&'static str, String) {
    let rows: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"id":"e{id}","created":"2026-11-20T12:00:00+0000"}}"#))
        .collect();
    ok(&format!(r#"{{"listeventsresponse":{{"count":9,"event":[{}]}}}}"#, rows.join(",")))
}

async fn gathered(
    answers: Vec<(&'static str, String)>,
    rows_max: usize,
) -> (Vec<String>, bool, usize) {
    let (client, asked) = client(answers).await;
    let query = EventQuery::default();
    let gathered = client.all_pages_up_to_rows(&query, 2, rows_max).await.unwrap();
    asked.abort();
    let ids = gathered.rows.iter().map(|event| event.id.clone()).collect();
    (ids, gathered.is_complete, gathered.malformed.len())
}

#[tokio::test]
async fn pages_that_shift_while_they_are_read_give_each_row_once() {
    let answers = vec![events(&[5, 4]), events(&[4, 3]), events(&[2])];
    let expected = ["e5", "e4", "e3", "e2"].map(str::to_owned).to_vec();
    assert_eq!(gathered(answers, 100).await, (expected, true, 0));
}

#[tokio::test]
async fn a_page_past_the_end_is_the_end() {
    let past = ok(r#"{"listeventsresponse":{"count":2}}"#);
    assert!(gathered(vec![events(&[2, 1]), past], 100).await.1);
}

#[tokio::test]
async fn too_many_rows_are_cut_and_told() {
    let answers = vec![events(&[5, 4]), events(&[3, 2])];
    let expected = ["e5", "e4", "e3"].map(str::to_owned).to_vec();
    assert_eq!(gathered(answers, 3).await, (expected, false, 0));
}

#[tokio::test]
async fn a_server_that_repeats_its_page_is_not_asked_for_ever() {
    let answers = vec![events(&[2, 1]), events(&[2, 1])];
    let expected = ["e2", "e1"].map(str::to_owned).to_vec();
    assert_eq!(gathered(answers, 100).await, (expected, false, 0));
}

#[tokio::test]
async fn malformed_rows_are_gathered_beside_the_others() {
    let mixed =
        ok(r#"{"listeventsresponse":{"event":[7,{"id":"e1","created":"2026-11-20T12:00:00Z"}]}}"#);
    let answers = vec![mixed, events(&[])];
    assert_eq!(gathered(answers, 100).await, (vec!["e1".to_owned()], true, 1));
}
