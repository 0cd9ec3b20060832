//! What a vCenter says when it refuses a call.

use std::borrow::Cow;
use std::fmt;

use crate::vsphere::MoRef;
use crate::vsphere::xml::{Node, Tree};

/// A SOAP fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which fault it is: what a caller decides by.
    pub kind: FaultKind,
    /// The server's own words; may be empty, may be localised.
    pub message: String,
}

/// The faults that call for different answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// There is no session, or no longer: log in again.
    NotAuthenticated,
    /// User or password is wrong: wait long, an account may be locked.
    InvalidLogin,
    /// The account may not do that.
    NoPermission {
        /// On which object.
        object: Option<MoRef>,
        /// The privilege that is missing, such as `System.View`.
        privilege: Option<String>,
    },
    /// The object is gone: a collector dies with its session.
    ManagedObjectNotFound {
        /// The object.
        object: Option<MoRef>,
    },
    /// Not now, for instance because there are too many collectors.
    InvalidState,
    /// An argument is wrong.
    InvalidArgument {
        /// Which one.
        property: Option<String>,
    },
    /// The request itself is not understood.
    InvalidRequest,
    /// This server has no such method.
    MethodNotFound,
    /// This server has the method and does nothing.
    NotImplemented,
    /// A waiting call was cancelled.
    RequestCanceled,
    /// The version given to a waiting call is unknown: begin again with none.
    InvalidCollectorVersion,
    /// Any other, by its name.
    Other(String),
}

impl Fault {
    /// The fault in an answer, if there is one.
    pub(super) fn of(answer: &Tree) -> Option<Fault> {
        let fault = answer.root().find("Fault")?;
        let message = fault.child_text("faultstring").unwrap_or_default();
        let detail = fault.child("detail").and_then(|detail| detail.children().next());
        let kind = match detail {
            Some(detail) => FaultKind::of(detail),
            None => FaultKind::Other(fault.child_text("faultcode").unwrap_or_default().into()),
        };
        Some(Fault { kind, message: message.into_owned() })
    }
}

impl FaultKind {
    fn of(detail: Node<'_>) -> FaultKind {
        let text = |name| detail.child_text(name).map(Cow::into_owned);
        let reference =
            |name| detail.child(name).map(|object| MoRef::new(object.kind(), object.text()));
        let name = match detail.class() {
            "" => detail.name().strip_suffix("Fault").unwrap_or(detail.name()),
            class => class,
        };
        match name {
            "NotAuthenticated" => FaultKind::NotAuthenticated,
            "InvalidLogin" => FaultKind::InvalidLogin,
            "NoPermission" => FaultKind::NoPermission {
                object: reference("object"),
                privilege: text("privilegeId"),
            },
            "ManagedObjectNotFound" => {
                FaultKind::ManagedObjectNotFound { object: reference("obj") }
            }
            "InvalidState" => FaultKind::InvalidState,
            "InvalidArgument" => FaultKind::InvalidArgument { property: text("invalidProperty") },
            "InvalidRequest" => FaultKind::InvalidRequest,
            "MethodNotFound" => FaultKind::MethodNotFound,
            "NotImplemented" => FaultKind::NotImplemented,
            "RequestCanceled" => FaultKind::RequestCanceled,
            "InvalidCollectorVersion" => FaultKind::InvalidCollectorVersion,
            other => FaultKind::Other(other.to_owned()),
        }
    }
}

/// In the words of an operator; the server's message follows where there is one.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match self.message.trim() {
            "" => Ok(()),
            message => write!(f, " ({message})"),
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::NotAuthenticated => f.write_str("the session is not authenticated"),
            FaultKind::InvalidLogin => f.write_str("user name or password is wrong"),
            FaultKind::NoPermission { object, privilege } => {
                let privilege = privilege.as_deref().unwrap_or("unknown");
                write!(f, "the account lacks privilege {privilege}")?;
                object.as_ref().map_or(Ok(()), |object| write!(f, " on {object}"))
            }
            FaultKind::ManagedObjectNotFound { object } => {
                f.write_str("object does not exist")?;
                object.as_ref().map_or(Ok(()), |object| write!(f, ": {object}"))
            }
            FaultKind::InvalidState => f.write_str("not possible in the present state"),
            FaultKind::InvalidArgument { property } => {
                f.write_str("invalid argument")?;
                property.as_ref().map_or(Ok(()), |name| write!(f, " `{name}`"))
            }
            FaultKind::InvalidRequest => f.write_str("the server does not understand the request"),
            FaultKind::MethodNotFound => f.write_str("the server has no such method"),
            FaultKind::NotImplemented => f.write_str("the server does not implement the method"),
            FaultKind::RequestCanceled => f.write_str("the request was cancelled"),
            FaultKind::InvalidCollectorVersion => {
                f.write_str("the version to wait from is unknown")
            }
            FaultKind::Other(name) => write!(f, "fault {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::sync::Arc;

    use super::*;

    fn fault(detail: &str) -> Fault {
        let xml = format!(
            "<e:Envelope xmlns:e='x'><e:Body><e:Fault><faultcode>ServerFaultCode</faultcode>\
             <faultstring>words</faultstring><detail>{detail}</detail></e:Fault></e:Body></e:Envelope>"
        );
        Fault::of(&Tree::parse(&Arc::from(xml)).unwrap()).unwrap()
    }

    #[test]
    fn a_fault_is_known_by_its_class_or_by_its_element() {
        let by_class = fault(r#"<Fault xsi:type="vim25:NotAuthenticated"/>"#);
        assert_eq!(by_class.kind, FaultKind::NotAuthenticated);
        assert_eq!(fault("<InvalidLoginFault/>").kind, FaultKind::InvalidLogin);
        assert_eq!(fault("<OddFault/>").kind, FaultKind::Other("Odd".into()));
        assert_eq!(fault("").kind, FaultKind::Other("ServerFaultCode".into()));
    }

    #[test]
    fn a_missing_privilege_is_named_with_its_object() {
        let fault = fault(
            r#"<NoPermissionFault><object type="Folder">group-d1</object><privilegeId>System.View</privilegeId></NoPermissionFault>"#,
        );
        let text = "the account lacks privilege System.View on Folder/group-d1 (words)";
        assert_eq!(fault.to_string(), text);
    }
}
