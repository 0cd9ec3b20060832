//! Browsing the inventory and the properties of services.

use crate::client::{Client, one};
use crate::cloud;

#[tokio::test]
async fn a_container_view_lists_all_machines_in_pages() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let parameters = "<container type=\"Folder\">group-d1</container>\
                      <type>VirtualMachine</type><recursive>true</recursive>";
    let view = client.call("ViewManager", "CreateContainerView", parameters).await;
    let view = view.text("returnval");
    let spec = format!(
        "<propSet><type>VirtualMachine</type><pathSet>name</pathSet>\
         <pathSet>runtime.powerState</pathSet></propSet>\
         <objectSet><obj type=\"ContainerView\">{view}</obj><skip>true</skip>\
         <selectSet i:type=\"TraversalSpec\"><type>ContainerView</type><path>view</path>\
         <skip>false</skip></selectSet></objectSet>"
    );
    let page = client.retrieve(&spec, "<maxObjects>15</maxObjects>").await;
    assert_eq!(page.body.matches("<objects>").count(), 15);
    assert!(page.body.contains("<val xsi:type=\"VirtualMachinePowerState\">powered"));
    let token = format!("<token>{}</token>", page.text("token"));
    let collector = ("PropertyCollector", "propertyCollector");
    let rest = client.call_on(collector, "ContinueRetrievePropertiesEx", &token).await;
    assert_eq!(rest.body.matches("<objects>").count(), 5);
    let destroyed = client.call_on(("ContainerView", view), "DestroyView", "").await;
    assert_eq!(destroyed.fault(), None);
    assert_eq!(client.retrieve(&spec, "").await.fault(), Some("ManagedObjectNotFound"));
}

#[tokio::test]
async fn the_event_manager_knows_the_latest_event_and_all_classes() {
    let cloud = cloud(4).await;
    let client = Client::of(&cloud).await;
    let latest = client.retrieve(&one("EventManager", "EventManager", "latestEvent"), "").await;
    assert_eq!(latest.text("key"), "5");
    assert!(latest.body.contains("<val xsi:type=\"UserLoginSessionEvent\">"));
    let info = one("EventManager", "EventManager", "description.eventInfo");
    let info = client.retrieve(&info, "").await;
    assert!(info.body.contains("<key>VmPoweredOnEvent</key>"));
}

#[tokio::test]
async fn a_client_finds_its_own_session() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let spec = one("SessionManager", "SessionManager", "currentSession");
    assert_eq!(client.retrieve(&spec, "").await.text("userName"), "user");
}

#[tokio::test]
async fn a_list_view_holds_what_it_was_given() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let parameters =
        "<obj type=\"Folder\">group-d1</obj><obj type=\"Datacenter\">datacenter-2</obj>";
    let view = client.call("ViewManager", "CreateListView", parameters).await;
    let spec = format!(
        "<propSet><type>ManagedEntity</type><pathSet>name</pathSet></propSet>\
         <objectSet><obj type=\"ListView\">{}</obj><skip>true</skip>\
         <selectSet i:type=\"TraversalSpec\"><type>ListView</type><path>view</path></selectSet>\
         </objectSet>",
        view.text("returnval")
    );
    let answer = client.retrieve(&spec, "").await;
    assert_eq!(answer.body.matches("<objects>").count(), 2);
    assert!(answer.body.contains(">DC-1<"));
}

/// The first machine's identifier, and its host's.
async fn machine(client: &Client) -> (String, String) {
    let first = client.first("VirtualMachine").await;
    let host = client.fetch(("VirtualMachine", &first), "runtime.host").await;
    (first, host.text("returnval").to_owned())
}

#[tokio::test]
async fn fetch_gives_a_property_as_pyvmomi_asks_for_it_and_nothing_where_it_is_unset() {
    let cloud = cloud(3).await;
    let client = Client::of(&cloud).await;
    let root = client.fetch(("ServiceInstance", "ServiceInstance"), "content").await;
    assert!(root.body.contains("<returnval xsi:type=\"ServiceContent\"><rootFolder"), "{root:?}");
    let (vm, _) = machine(&client).await;
    let unset = client.fetch(("VirtualMachine", &vm), "snapshot").await;
    assert_eq!((unset.fault(), unset.body.contains("returnval")), (None, false));
    let networks = client.fetch(("Datacenter", "datacenter-2"), "network").await;
    assert!(networks.body.matches("<returnval type=\"Distributed").count() > 1, "{networks:?}");
    let gone = client.fetch(("VirtualMachine", "vm-999999"), "name").await;
    assert_eq!(gone.fault(), Some("ManagedObjectNotFound"));
    let anonymous = Client::anonymous(&cloud);
    let refused = anonymous.fetch(("ServiceInstance", "ServiceInstance"), "content").await;
    assert_eq!(refused.fault(), Some("NotAuthenticated"));
}

#[tokio::test]
async fn a_property_that_no_class_has_is_a_fault_with_its_name() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let wrong = client.retrieve(&one("Folder", "group-d1", "nosuch"), "").await;
    assert_eq!((wrong.fault(), wrong.text("name")), (Some("InvalidProperty"), "nosuch"));
    let wrong = client.fetch(("Folder", "group-d1"), "nosuch").await;
    assert_eq!(wrong.fault(), Some("InvalidProperty"));
}

#[tokio::test]
async fn a_whole_property_says_what_its_leaves_say() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let (vm, host) = machine(&client).await;
    let (vm, host) = (("VirtualMachine", vm.as_str()), ("HostSystem", host.as_str()));
    for (object, whole, leaf) in [
        (vm, "runtime", "powerState"),
        (vm, "config", "uuid"),
        (vm, "guest", "guestState"),
        (host, "hardware", "memorySize"),
        (host, "runtime", "connectionState"),
    ] {
        let all = client.fetch(object, whole).await;
        let one = client.fetch(object, &format!("{whole}.{leaf}")).await;
        assert_eq!(all.text(leaf), one.text("returnval"), "{whole}.{leaf}");
    }
    let power = client.fetch(vm, "runtime.powerState").await;
    let summary = client.fetch(vm, "summary").await;
    assert_eq!(summary.text("powerState"), power.text("returnval"));
}

#[tokio::test]
async fn the_managers_that_every_vcenter_has_are_there_with_little_to_manage() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    for (manager, path) in [
        (("TaskManager", "TaskManager"), "recentTask"),
        (("LicenseManager", "LicenseManager"), "licenses"),
        (("ExtensionManager", "ExtensionManager"), "extensionList"),
        (("CustomFieldsManager", "CustomFieldsManager"), "field"),
    ] {
        let list = client.fetch(manager, path).await;
        assert_eq!((list.fault(), list.body.contains("returnval")), (None, false), "{path}");
    }
    let options = ("OptionManager", "VpxSettings");
    let all = client.call_on(options, "QueryOptions", "<name>config.vpxd.</name>").await;
    assert!(all.body.contains("<value xsi:type=\"xsd:int\">2147480000</value>"), "{all:?}");
    let none = client.call_on(options, "QueryOptions", "<name>nosuch</name>").await;
    assert_eq!(none.fault(), Some("InvalidName"));
    let alarms = ("AlarmManager", "AlarmManager");
    assert_eq!(client.call_on(alarms, "GetAlarm", "").await.fault(), None);
    assert_eq!(client.call_on(alarms, "CreateAlarm", "").await.fault(), Some("MethodNotFound"));
}

#[tokio::test]
async fn a_machine_is_found_by_uuid_and_by_name_and_a_child_by_its_own() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let (vm, _) = machine(&client).await;
    let uuid = client.fetch(("VirtualMachine", &vm), "config.uuid").await;
    let uuid = uuid.text("returnval").to_owned();
    let by_uuid = format!("<uuid>{}</uuid><vmSearch>true</vmSearch>", uuid.to_uppercase());
    assert_eq!(client.call("SearchIndex", "FindByUuid", &by_uuid).await.text("returnval"), vm);
    let no_host = format!("<uuid>{uuid}</uuid><vmSearch>false</vmSearch>");
    let none = client.call("SearchIndex", "FindByUuid", &no_host).await;
    assert_eq!((none.fault(), none.body.contains("returnval")), (None, false));
    let child = "<entity type=\"Folder\">group-d1</entity><name>DC-1</name>";
    let child = client.call("SearchIndex", "FindChild", child).await;
    assert_eq!(child.text("returnval"), "datacenter-2");
}

#[tokio::test]
async fn a_user_logs_an_event_in_his_own_words() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let (vm, _) = machine(&client).await;
    let words = format!("<entity type=\"VirtualMachine\">{vm}</entity><msg>a &lt;word&gt;</msg>");
    assert_eq!(client.call("EventManager", "LogUserEvent", &words).await.fault(), None);
    let latest = client.fetch(("EventManager", "EventManager"), "latestEvent").await;
    assert!(latest.body.contains("<returnval xsi:type=\"GeneralUserEvent\">"), "{latest:?}");
    assert_eq!(latest.text("message"), "a &lt;word&gt;");
    assert!(latest.body.contains(&format!("<vm type=\"VirtualMachine\">{vm}</vm>")));
    let gone = "<entity type=\"VirtualMachine\">vm-999999</entity><msg>x</msg>";
    let gone = client.call("EventManager", "LogUserEvent", gone).await;
    assert_eq!(gone.fault(), Some("ManagedObjectNotFound"));
}
