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
