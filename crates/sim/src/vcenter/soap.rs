//! Envelopes and faults as vCenter writes them.
//!
//! Every answer is one envelope around either `<MethodResponse>` or a fault; a fault travels with
//! HTTP status 500 and carries its class in `xsi:type` of the detail. Only faults that the
//! simulator can really raise are listed.

use super::moref::MoRef;
use super::xml::{close, leaf, optional_leaf, reference};

const HEAD: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" ",
    "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" ",
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n<soapenv:Body>\n"
);
const TAIL: &str = "\n</soapenv:Body>\n</soapenv:Envelope>";

/// Wraps the return values of a method into a complete answer.
pub(crate) fn answer(method: &str, returned: &str) -> String {
    let mut out = String::with_capacity(HEAD.len() + returned.len() + TAIL.len() + 128);
    out.push_str(HEAD);
    out.push('<');
    out.push_str(method);
    out.push_str("Response xmlns=\"urn:vim25\">");
    out.push_str(returned);
    close(&mut out, &format!("{method}Response"));
    out.push_str(TAIL);
    out
}

/// A fault of the vSphere API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SoapFault {
    /// No session, or one that was terminated.
    NotAuthenticated(MoRef),
    /// Wrong credentials, or a login on a session that is already logged in.
    InvalidLogin,
    /// The object of the call does not exist (any more).
    ManagedObjectNotFound(MoRef),
    /// A parameter has a value that the method refuses.
    InvalidArgument(&'static str),
    /// No object of that class has that property.
    InvalidProperty(String),
    /// Nothing has that name.
    InvalidName(String),
    /// The object cannot do that now.
    InvalidState(&'static str),
    /// The body is no request, or names an element that this version does not know.
    InvalidRequest(String),
    /// The object has no such method.
    MethodNotFound { object: MoRef, method: String },
    /// A wait was cancelled, or its property collector destroyed.
    RequestCanceled,
    /// `WaitForUpdatesEx` names a version that the collector never issued.
    InvalidCollectorVersion,
    /// `PostEvent` was given a class that the API does not know.
    InvalidEvent,
    /// The parameter is of the API but not of this simulator.
    NotSupported(&'static str),
}

impl SoapFault {
    /// The class in `xsi:type`.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::NotAuthenticated(_) => "NotAuthenticated",
            Self::InvalidLogin => "InvalidLogin",
            Self::ManagedObjectNotFound(_) => "ManagedObjectNotFound",
            Self::InvalidArgument(_) => "InvalidArgument",
            Self::InvalidProperty(_) => "InvalidProperty",
            Self::InvalidName(_) => "InvalidName",
            Self::InvalidState(_) => "InvalidState",
            Self::InvalidRequest(_) => "InvalidRequest",
            Self::MethodNotFound { .. } => "MethodNotFound",
            Self::RequestCanceled => "RequestCanceled",
            Self::InvalidCollectorVersion => "InvalidCollectorVersion",
            Self::InvalidEvent => "InvalidEvent",
            Self::NotSupported(_) => "NotSupported",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::NotAuthenticated(_) => "The session is not authenticated.".to_owned(),
            Self::InvalidLogin => {
                "Cannot complete login due to an incorrect user name or password.".to_owned()
            }
            Self::ManagedObjectNotFound(object) => format!(
                "The object 'vim.{}:{}' was deleted, or never existed",
                object.kind, object.value
            ),
            Self::InvalidArgument(property) => {
                format!("A specified parameter was not correct: {property}")
            }
            Self::InvalidProperty(_) => "The property is invalid.".to_owned(),
            Self::InvalidName(name) => format!("The name '{name}' is not valid."),
            Self::InvalidState(reason) | Self::NotSupported(reason) => (*reason).to_owned(),
            Self::InvalidRequest(reason) => reason.clone(),
            Self::MethodNotFound { object, method } => {
                format!("Unable to resolve WSDL method name {method} on type {}", object.kind)
            }
            Self::RequestCanceled => "The request was canceled.".to_owned(),
            Self::InvalidCollectorVersion => "The collector version is not valid.".to_owned(),
            Self::InvalidEvent => "The event is not a known event.".to_owned(),
        }
    }

    fn write_fields(&self, out: &mut String) {
        match self {
            Self::NotAuthenticated(object) => {
                reference(out, "object", &object.kind, &object.value);
                leaf(out, "privilegeId", "System.View");
            }
            Self::ManagedObjectNotFound(object) => {
                reference(out, "obj", &object.kind, &object.value);
            }
            Self::InvalidArgument(property) => {
                optional_leaf(out, "invalidProperty", Some(property));
            }
            Self::InvalidProperty(name) | Self::InvalidName(name) => leaf(out, "name", name),
            Self::MethodNotFound { object, method } => {
                reference(out, "receiver", &object.kind, &object.value);
                leaf(out, "method", method);
            }
            Self::InvalidLogin
            | Self::InvalidState(_)
            | Self::InvalidRequest(_)
            | Self::RequestCanceled
            | Self::InvalidCollectorVersion
            | Self::InvalidEvent
            | Self::NotSupported(_) => {}
        }
    }

    /// The complete answer that carries the fault.
    pub(crate) fn envelope(&self) -> String {
        let class = self.class();
        let code = match self {
            Self::InvalidRequest(_) => "ClientFaultCode",
            _ => "ServerFaultCode",
        };
        let mut out = String::from(HEAD);
        out.push_str("<soapenv:Fault>");
        leaf(&mut out, "faultcode", code);
        leaf(&mut out, "faultstring", &self.text());
        out.push_str(&format!("<detail><{class}Fault xmlns=\"urn:vim25\" xsi:type=\"{class}\">"));
        self.write_fields(&mut out);
        out.push_str(&format!("</{class}Fault></detail></soapenv:Fault>"));
        out.push_str(TAIL);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{SoapFault, answer};

    #[test]
    fn a_fault_names_its_class_in_the_detail() {
        let text = SoapFault::InvalidArgument("maxCount").envelope();
        assert!(
            text.contains(
                "<InvalidArgumentFault xmlns=\"urn:vim25\" xsi:type=\"InvalidArgument\">"
            )
        );
        assert!(text.contains("<invalidProperty>maxCount</invalidProperty>"));
    }

    #[test]
    fn an_answer_is_named_after_its_method() {
        let text = answer("CurrentTime", "<returnval>x</returnval>");
        let begin = "<CurrentTimeResponse xmlns=\"urn:vim25\"><returnval>x</returnval>";
        assert!(text.contains(&format!("{begin}</CurrentTimeResponse>")));
    }
}
