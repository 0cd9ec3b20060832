//! Login and logout, and looking after other people's sessions.
//!
//! As in a real vCenter, each login and each logout is itself an event: a client that reconnects in
//! a tight loop fills the history it wants to read.

use std::borrow::Cow;

use uuid::Uuid;

use super::{Call, Reply};
use crate::vcenter::clock::xml_time;
use crate::vcenter::cloud::Cloud;
use crate::vcenter::events::{Draft, Place};
use crate::vcenter::session::Session;
use crate::vcenter::soap::SoapFault;
use crate::vcenter::workload::login as login_draft;
use crate::vcenter::xml::leaf;

/// `Login`: refused on a session that is already logged in.
pub(super) fn login(cloud: &mut Cloud, call: &Call) -> Result<Reply, SoapFault> {
    let taken = call.cookie.as_ref().is_some_and(|cookie| cloud.sessions.contains_key(cookie));
    let user = call.parameters.text_of("userName").unwrap_or_default();
    // A password may begin or end with blanks.
    let password = call.parameters.child("password").map(|e| e.text.as_str()).unwrap_or_default();
    if taken
        || !accepts(cloud.username.as_deref(), user)
        || !accepts(cloud.password.as_deref(), password)
    {
        if !taken {
            record_refusal(cloud, user, &call.peer.address);
        }
        return Err(SoapFault::InvalidLogin);
    }
    let session = Session::new(user, call.peer.clone(), cloud.clock.now());
    let returned = format!("<returnval>{}</returnval>", session.describe());
    let peer = &call.peer;
    cloud.record_session(login_draft(
        Cow::Owned(user.to_owned()),
        &peer.address,
        &peer.agent,
        &session.key,
    ));
    let cookie = Uuid::new_v4().simple().to_string();
    cloud.sessions.insert(cookie.clone(), session);
    Ok(Reply { returned, cookie: Some(cookie) })
}

fn accepts(only: Option<&str>, given: &str) -> bool {
    only.map_or(!given.is_empty(), |only| only == given)
}

fn record_refusal(cloud: &mut Cloud, user: &str, address: &str) {
    let mut fields = String::new();
    leaf(&mut fields, "ipAddress", address);
    let message = format!("Cannot log in {user}@{address}");
    let user = Cow::Owned(user.to_owned());
    let draft = Draft::new("BadUsernameSessionEvent", user, message, Place::default());
    cloud.record_session(draft.fields(fields));
}

/// `Logout`.
pub(super) fn logout(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    let session = call.cookie.as_ref().and_then(|cookie| cloud.sessions.remove(cookie));
    let session = session.ok_or_else(|| SoapFault::NotAuthenticated(call.this.clone()))?;
    let draft = logout_draft(&session);
    cloud.record_session(draft);
    Ok(String::new())
}

fn logout_draft(session: &Session) -> Draft {
    let Session { user, peer, .. } = session;
    let mut fields = String::new();
    leaf(&mut fields, "ipAddress", &peer.address);
    leaf(&mut fields, "userAgent", &peer.agent);
    leaf(&mut fields, "callCount", &session.calls.to_string());
    leaf(&mut fields, "sessionId", &session.key);
    leaf(&mut fields, "loginTime", &xml_time(session.login_time));
    let message = format!("User {user}@{} logged out after {} calls", peer.address, session.calls);
    let user = Cow::Owned(user.clone());
    Draft::new("UserLogoutSessionEvent", user, message, Place::default()).fields(fields)
}

/// `SessionIsActive`.
pub(super) fn is_active(cloud: &Cloud, call: &Call) -> String {
    let key = call.parameters.text_of("sessionID").unwrap_or_default();
    let user = call.parameters.text_of("userName").unwrap_or_default();
    let active = cloud.sessions.values().any(|s| s.key == key && s.user == user);
    format!("<returnval>{active}</returnval>")
}

/// `TerminateSession`: the sessions of others, never one's own.
pub(super) fn terminate(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    let own = call.session(cloud)?;
    let (own_key, own_user) = (own.key.clone(), own.user.clone());
    for wanted in call.parameters.all("sessionId").map(|element| element.text.trim()) {
        if wanted == own_key {
            return Err(SoapFault::InvalidArgument("sessionId"));
        }
        let cookie = cloud.sessions.iter().find(|(_, s)| s.key == wanted).map(|(c, _)| c.clone());
        let ended = cookie.and_then(|cookie| cloud.sessions.remove(&cookie));
        let ended = ended.ok_or(SoapFault::InvalidArgument("sessionId"))?;
        let mut fields = String::new();
        leaf(&mut fields, "sessionId", &ended.key);
        leaf(&mut fields, "terminatedUsername", &ended.user);
        let message = format!("A session of {} was terminated", ended.user);
        let user = Cow::Owned(own_user.clone());
        let draft = Draft::new("SessionTerminatedEvent", user, message, Place::default());
        cloud.record_session(draft.fields(fields));
    }
    Ok(String::new())
}
