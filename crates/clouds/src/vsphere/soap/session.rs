//! Who the server is, and who we are there.

use std::borrow::Cow;

use jiff::Timestamp;
use pluvio_secret::{Secret, note_of};

use super::envelope::Xml;
use super::{Client, Error};
use crate::vsphere::MoRef;
use crate::vsphere::xml::Node;

/// Messages are formatted by the server in a language; this one every vCenter has.
const LOCALE: &str = "en_US";

/// The server's entry points. Their ids come from the server and differ between products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceContent {
    /// The folder that holds all objects.
    pub root_folder: MoRef,
    /// The property collector that is always there.
    pub property_collector: MoRef,
    /// Where to log in.
    pub session_manager: MoRef,
    /// Where events are.
    pub event_manager: MoRef,
    /// What the server is.
    pub about: About,
}

/// What the server is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The product's name.
    pub name: String,
    /// `VirtualCenter`, or `HostAgent` for a single host.
    pub api_type: String,
    /// The API's version, such as `8.0.3.0`.
    pub api_version: String,
    /// The product's version.
    pub version: String,
    /// The product's build.
    pub build: String,
    /// The identity of this installation, which survives a change of its address.
    pub instance_uuid: Option<String>,
}

/// A session after the login.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id; whoever knows it can end it, on old servers also use it.
    pub key: Secret,
    /// The user as the server names him.
    pub user_name: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("user_name", &self.user_name).finish_non_exhaustive()
    }
}

impl Client {
    /// The entry points and what the server is; needs no session.
    pub async fn service_content(&self) -> Result<ServiceContent, Error> {
        const METHOD: &str = "RetrieveServiceContent";
        let answer = self.call(METHOD, &service_instance(), Xml::new()).await?;
        let content = answer.root().find("returnval");
        let content = content.ok_or(Error::Answer { method: METHOD, element: "returnval" })?;
        let object = |element| {
            let found = content.child(element).filter(|object| !object.kind().is_empty());
            found
                .map(|object| MoRef::new(object.kind(), object.text()))
                .ok_or(Error::Answer { method: METHOD, element })
        };
        Ok(ServiceContent {
            root_folder: object("rootFolder")?,
            property_collector: object("propertyCollector")?,
            session_manager: object("sessionManager")?,
            event_manager: object("eventManager")?,
            about: content.child("about").map(about).unwrap_or_default(),
        })
    }

    /// Begins a session. The cookie of an earlier one is dropped first.
    pub async fn login(
        &self,
        session_manager: &MoRef,
        user: &str,
        password: &Secret,
    ) -> Result<Session, Error> {
        const METHOD: &str = "Login";
        self.set_cookie(None);
        note_of(self.url.as_str(), password.expose());
        let xml = Xml::new()
            .text("userName", user)
            .text("password", password.expose())
            .text("locale", LOCALE);
        let answer = self.call(METHOD, session_manager, xml).await?;
        let session = answer.root().find("returnval");
        let text = |name| session.and_then(|session| session.child_text(name));
        let key = text("key").ok_or(Error::Answer { method: METHOD, element: "key" })?;
        Ok(Session {
            key: Secret::passing(self.url.as_str(), key),
            user_name: text("userName").unwrap_or_default().into_owned(),
        })
    }

    /// Ends the session. Collectors die with it on a vCenter, but not on vcsim: destroy them before.
    pub async fn logout(&self, session_manager: &MoRef) -> Result<(), Error> {
        let result = self.call("Logout", session_manager, Xml::new()).await;
        self.set_cookie(None);
        result.map(|_| ())
    }

    /// Ends another session by its id.
    pub async fn terminate_session(
        &self,
        session_manager: &MoRef,
        session: &Secret,
    ) -> Result<(), Error> {
        let xml = Xml::new().text("sessionId", session.expose());
        self.call("TerminateSession", session_manager, xml).await.map(|_| ())
    }

    /// The server's clock: the only one that event times can be compared with. Keeps the session
    /// alive.
    pub async fn current_time(&self) -> Result<Timestamp, Error> {
        const METHOD: &str = "CurrentTime";
        let answer = self.call(METHOD, &service_instance(), Xml::new()).await?;
        let time = answer.root().find("returnval").and_then(|time| time.text().trim().parse().ok());
        time.ok_or(Error::Answer { method: METHOD, element: "returnval" })
    }
}

/// The one object whose id is the same everywhere.
fn service_instance() -> MoRef {
    MoRef::new("ServiceInstance", "ServiceInstance")
}

fn about(about: Node<'_>) -> About {
    let text = |name| about.child_text(name).map(Cow::into_owned);
    About {
        name: text("name").unwrap_or_default(),
        api_type: text("apiType").unwrap_or_default(),
        api_version: text("apiVersion").unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        build: text("build").unwrap_or_default(),
        instance_uuid: text("instanceUuid").filter(|uuid| !uuid.is_empty()),
    }
}
