//! The methods of the API: a call comes in, return values or a fault go out.
//!
//! Every method but one is a function of the locked cloud. `WaitForUpdatesEx` alone takes time, so
//! it is asynchronous and never holds the lock while it waits.

mod collectors;
mod known;
mod managers;
mod objects;
mod performance;
mod posting;
mod properties;
mod search;
mod service;
mod sessions;
mod updates;
mod views;
mod walk;

use std::collections::HashMap;

use super::Shared;
use super::cloud::Cloud;
use super::moref::MoRef;
use super::session::{Peer, Session};
use super::soap::SoapFault;
use super::xml::Element;

/// One call of a client.
#[derive(Debug)]
pub(crate) struct Call {
    /// The name of the method.
    pub(crate) method: String,
    /// The object it is called on.
    pub(crate) this: MoRef,
    /// The parameters.
    pub(crate) parameters: Element,
    /// The session cookie, if the client sent one.
    pub(crate) cookie: Option<String>,
    /// Who calls.
    pub(crate) peer: Peer,
}

/// What a method returns.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// The return values, as XML.
    pub(crate) returned: String,
    /// A new session cookie.
    pub(crate) cookie: Option<String>,
}

impl From<String> for Reply {
    fn from(returned: String) -> Self {
        Self { returned, cookie: None }
    }
}

impl Call {
    /// Takes a call out of an envelope.
    pub(crate) fn read(
        envelope: Element,
        cookie: Option<String>,
        peer: Peer,
    ) -> Result<Self, SoapFault> {
        let refuse = |reason: &str| SoapFault::InvalidRequest(reason.to_owned());
        let body = envelope.children.into_iter().find(|child| child.name == "Body");
        let parameters = body
            .and_then(|body| body.children.into_iter().next())
            .ok_or_else(|| refuse("The envelope has no body with a method in it."))?;
        let this = parameters.child("_this").map(MoRef::read);
        let this = this.ok_or_else(|| refuse("The method names no object in _this."))?;
        Ok(Self { method: parameters.name.clone(), this, parameters, cookie, peer })
    }

    /// The session of the caller.
    pub(crate) fn session<'c>(&self, cloud: &'c mut Cloud) -> Result<&'c mut Session, SoapFault> {
        self.session_in(&mut cloud.sessions)
    }

    /// The session of the caller, for those who need other parts of the cloud beside it.
    pub(crate) fn session_in<'s>(
        &self,
        sessions: &'s mut HashMap<String, Session>,
    ) -> Result<&'s mut Session, SoapFault> {
        self.cookie
            .as_ref()
            .and_then(|cookie| sessions.get_mut(cookie))
            .ok_or_else(|| SoapFault::NotAuthenticated(self.this.clone()))
    }

    /// Checks that the caller has a session, which counts the call.
    fn authenticate(&self, cloud: &mut Cloud) -> Result<(), SoapFault> {
        let now = cloud.clock.now();
        let session = self.session(cloud)?;
        session.calls += 1;
        session.active_time = now;
        Ok(())
    }

    /// The fault for a method that the object does not have.
    pub(crate) fn unknown(&self) -> SoapFault {
        SoapFault::MethodNotFound { object: self.this.clone(), method: self.method.clone() }
    }

    /// A parameter that has to be there.
    pub(crate) fn required(&self, name: &'static str) -> Result<&Element, SoapFault> {
        self.parameters.child(name).ok_or(SoapFault::InvalidArgument(name))
    }
}

/// Answers a call.
pub(crate) async fn answer(shared: &Shared, call: &Call) -> Result<Reply, SoapFault> {
    match (call.this.kind.as_str(), call.method.as_str()) {
        ("PropertyCollector", "WaitForUpdatesEx" | "WaitForUpdates" | "CheckForUpdates") => {
            updates::wait(shared, call).await.map(Reply::from)
        }
        _ => shared.with(|cloud| at_once(cloud, call)),
    }
}

/// Answers every call that needs no waiting.
fn at_once(cloud: &mut Cloud, call: &Call) -> Result<Reply, SoapFault> {
    let returned = match (call.this.kind.as_str(), call.method.as_str()) {
        ("ServiceInstance", "RetrieveServiceContent") => service::content(cloud),
        ("SessionManager", "Login") => return sessions::login(cloud, call),
        // All others need a session.
        (kind, method) => {
            call.authenticate(cloud)?;
            match (kind, method) {
                (_, "Fetch") => properties::fetch(cloud, call)?,
                ("ServiceInstance", "CurrentTime") => service::current_time(cloud),
                ("SessionManager", "Logout") => sessions::logout(cloud, call)?,
                ("SessionManager", "SessionIsActive") => sessions::is_active(cloud, call),
                ("SessionManager", "TerminateSession") => sessions::terminate(cloud, call)?,
                ("SearchIndex", _) => search::answer(cloud, call)?,
                ("ViewManager", _) | ("ContainerView" | "ListView", _) => {
                    views::answer(cloud, call)?
                }
                ("EventManager", "PostEvent") => posting::post(cloud, call)?,
                ("EventManager", "LogUserEvent") => posting::log_user_event(cloud, call)?,
                ("EventManager", "RetrieveArgumentDescription") => posting::arguments(call)?,
                ("EventManager", _) => collectors::manager(cloud, call)?,
                ("EventHistoryCollector", _) => collectors::collector(cloud, call)?,
                ("PropertyCollector", _) => properties::answer(cloud, call)?,
                ("PropertyFilter", "DestroyPropertyFilter") => {
                    updates::destroy_filter(cloud, call)?
                }
                (kind, _) if managers::exists(kind, &call.this.value) => {
                    managers::answer(cloud, call)?
                }
                _ => return Err(call.unknown()),
            }
        }
    };
    Ok(returned.into())
}
