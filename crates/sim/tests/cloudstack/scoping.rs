//! Who may call, and whose objects a call shows.

use hyper::Method;
use pluvio_sim::cloudstack::{Emission, Version};
use pluvio_sim::{CloudStack, CloudStackConfig};

use crate::client::Client;
use crate::{cloud, quiet};

async fn with_events_of(accounts: &[&str]) -> CloudStack {
    let cloud = cloud(0).await;
    for account in accounts {
        cloud.emit(&Emission { account: (*account).to_owned(), ..Emission::default() });
    }
    cloud
}

async fn owners(client: &Client, parameters: &str) -> Vec<String> {
    let mut owners = client.call("listEvents", parameters).await.column("event", "account");
    owners.sort();
    owners
}

#[tokio::test]
async fn a_root_admin_sees_its_own_events_unless_it_asks_for_all() {
    let cloud = with_events_of(&["admin", "web", "lab", "batch"]).await;
    let admin = Client::of(&cloud, "admin");
    assert_eq!(owners(&admin, "").await, ["admin"]);
    assert_eq!(owners(&admin, "listall=true").await, ["admin", "batch", "lab", "web"]);
}

#[tokio::test]
async fn a_domain_is_not_recursive_by_itself() {
    let cloud = with_events_of(&["admin", "web", "lab", "batch"]).await;
    let admin = Client::of(&cloud, "admin");
    let domains = admin.call("listDomains", "name=engineering&listall=true").await;
    let id = domains.column("domain", "id")[0].clone();
    assert_eq!(owners(&admin, &format!("listall=true&domainid={id}")).await, ["web"]);
    let tree = format!("listall=true&domainid={id}&isrecursive=true");
    assert_eq!(owners(&admin, &tree).await, ["lab", "web"]);
    assert_eq!(owners(&admin, &format!("domainid={id}&account=web")).await, ["web"]);
    let unknown = admin.call("listEvents", &format!("domainid={id}&account=nobody")).await;
    assert_eq!(unknown.status, 431);
}

#[tokio::test]
async fn a_domain_admin_sees_its_subtree_and_a_user_itself() {
    let cloud = with_events_of(&["admin", "eng-admin", "web", "lab", "batch"]).await;
    let domain_admin = Client::of(&cloud, "eng-admin");
    assert_eq!(owners(&domain_admin, "listall=true").await, ["eng-admin", "lab", "web"]);
    let user = Client::of(&cloud, "web-ops");
    assert_eq!(owners(&user, "listall=true").await, ["web"]);
    assert_eq!(user.call("listEvents", "account=data").await.status, 431 + 100);
}

#[tokio::test]
async fn projects_are_seen_only_by_those_who_ask_for_them() {
    let cloud = with_events_of(&["web", "PrjAcct-storefront-8"]).await;
    let admin = Client::of(&cloud, "admin");
    assert_eq!(owners(&admin, "listall=true").await, ["web"]);
    let projects = admin.call("listEvents", "projectid=-1").await;
    assert_eq!(projects.column("event", "project"), ["storefront"]);
    let member = Client::of(&cloud, "web-ops");
    assert_eq!(member.call("listEvents", "projectid=-1").await.ids().len(), 1);
}

/// apache/cloudstack#3894 and #5790; what older releases did is what their account manager reads like.
#[tokio::test]
async fn newer_releases_list_everything_with_the_projects_to_root_admins_and_less_to_domain_admins()
{
    // Events of projects name no account.
    const ALL: [&str; 4] = ["", "admin", "eng-admin", "web"];
    for (version, admin_sees, domain_admin_sees) in
        [(Version::V4_9, &ALL[..1], &ALL[..1]), (Version::V4_20, &ALL[..], &["", "eng-admin"])]
    {
        let config = CloudStackConfig { version, ..quiet() };
        let cloud = CloudStack::start(config).await.unwrap();
        for account in ["PrjAcct-storefront-8", "admin", "eng-admin", "web"] {
            cloud.emit(&Emission { account: account.to_owned(), ..Emission::default() });
        }
        for (user, sees) in [("admin", admin_sees), ("eng-admin", domain_admin_sees)] {
            let user_sees = owners(&Client::of(&cloud, user), "listall=true&projectid=-1").await;
            assert_eq!(user_sees, sees, "{user}, {version}");
        }
    }
}

#[tokio::test]
async fn only_root_admins_see_hidden_events() {
    let cloud = cloud(0).await;
    cloud.emit(&Emission { account: "web".to_owned(), hidden: true, ..Emission::default() });
    for user in ["web-ops", "eng-admin"] {
        let user = Client::of(&cloud, user);
        assert!(user.call("listEvents", "listall=true").await.ids().is_empty());
    }
    let admin = Client::of(&cloud, "admin");
    assert_eq!(admin.call("listEvents", "listall=true").await.ids().len(), 1);
}

#[tokio::test]
async fn wrong_credentials_of_any_kind_look_alike() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    let text = "unable to verify user credentials and/or request signature";
    let wrong = admin.clone().with_secret("wrong").call("listZones", "").await;
    assert_eq!((wrong.status, wrong.error().as_str()), (401, text));
    assert_eq!(wrong.headers["x-description"], text);
    let past = "signatureversion=3&expires=2026-11-20T11:59:59+0000";
    assert_eq!(admin.call("listZones", past).await.status, 401);
    assert_eq!(admin.call("listZones", "signatureversion=3").await.status, 401);
    let unsigned = admin.send(Method::GET, "/client/api?command=listZones&response=json", "", "");
    assert_eq!(unsigned.await.unwrap().status, 401);
    let right = "signatureversion=3&expires=2026-11-20T12:00:01+0000";
    assert_eq!(admin.call("listZones", right).await.status, 200);
    // A command that nobody knows never gets as far as its signature.
    let unknown = admin.call("listNonsense", "").await;
    assert!(unknown.body.starts_with("{\"errorresponse\":") && unknown.status == 401);
}

#[tokio::test]
async fn a_role_is_told_which_command_it_lacks() {
    let cloud = cloud(0).await;
    let user = Client::of(&cloud, "web-ops");
    let answer = user.call("listHosts", "").await;
    assert_eq!(answer.status, 401);
    assert!(answer.error().contains("'listHosts'"), "{}", answer.body);
    let apis = user.call("listApis", "").await.column("api", "name");
    assert!(apis.contains(&"listEvents".to_owned()) && !apis.contains(&"listHosts".to_owned()));
}

#[tokio::test]
async fn a_form_is_signed_like_a_query_and_xml_is_the_default() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    let form = admin.query("listZones", "name=zone-a");
    let answer = admin.send(Method::POST, "/client/api", &form, "").await.unwrap();
    assert_eq!(answer.column("zone", "name"), ["zone-a"]);
    cloud.emit(&Emission::default());
    let xml = admin.query("listEvents", "response=xml");
    let xml = admin.send(Method::GET, &format!("/client/api?{xml}"), "", "").await.unwrap();
    assert!(xml.body.contains("<count>1</count><event><id>"), "{}", xml.body);
    let refused = admin.send(Method::GET, "/client/api?command=listZones", "", "").await.unwrap();
    assert!(refused.body.contains("<errorcode>401</errorcode>"), "{}", refused.body);
}

#[tokio::test]
async fn a_session_needs_its_cookie_and_its_key() {
    let cloud = cloud(0).await;
    let anybody = Client::of(&cloud, "admin");
    let form = "command=login&username=web-ops&password=simulated-password-web-ops\
                &domain=/engineering&response=json";
    let login = anybody.send(Method::POST, "/client/api", form, "").await.unwrap();
    let key = login.inner()["sessionkey"].as_str().unwrap().to_owned();
    let call =
        |key: String| format!("/client/api?command=listUsers&response=json&sessionkey={key}");
    let cookies = login.cookies();
    let right = anybody.send(Method::GET, &call(key.clone()), "", &cookies).await.unwrap();
    assert_eq!(right.column("user", "username"), ["web-deploy", "web-ops"]);
    let wrong = anybody.send(Method::GET, &call("guess".to_owned()), "", &cookies).await.unwrap();
    assert_eq!(wrong.status, 401);
    let ended = anybody.send(Method::GET, &call(key), "", &cookies).await.unwrap();
    assert_eq!(ended.status, 401, "a wrong key ends the session");
}

#[tokio::test]
async fn the_integration_port_asks_for_nothing() {
    let listen = "127.0.0.1:0".parse().ok();
    let cloud = CloudStack::start(CloudStackConfig { integration_listen: listen, ..quiet() });
    let cloud = cloud.await.unwrap();
    let url = cloud.integration_url().unwrap();
    let address = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let client = Client::at(address.parse().unwrap());
    let path = "/?command=listHosts&response=json";
    assert_eq!(client.send(Method::GET, path, "", "").await.unwrap().inner()["count"], 9);
    let path = "/?command=listNonsense&response=json";
    assert_eq!(client.send(Method::GET, path, "", "").await.unwrap().status, 432);
}
