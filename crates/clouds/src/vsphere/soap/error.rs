//! Why a call gave no result.

use http::StatusCode;
use pluvio_net::{HttpError, Untrusted};

use super::fault::{Fault, FaultKind};
use crate::vsphere::xml::XmlError;

/// A call that gave no result. Each names the method; the cause is the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused the call.
    #[error("{method} was refused: {fault}")]
    Fault {
        /// The method.
        method: &'static str,
        /// Why.
        fault: Fault,
    },
    /// An answer that is none of vSphere's: a proxy, or a vCenter that is starting.
    #[error("{method} was answered with HTTP status {status}")]
    Status {
        /// The method.
        method: &'static str,
        /// The status.
        status: StatusCode,
    },
    /// No answer came.
    #[error("{method} got no answer")]
    Transport {
        /// The method.
        method: &'static str,
        /// Which part of the way failed.
        #[source]
        source: HttpError,
    },
    /// The answer is no XML that we read.
    #[error("answer to {method} cannot be read")]
    Xml {
        /// The method.
        method: &'static str,
        /// What is wrong with it.
        #[source]
        source: XmlError,
    },
    /// The answer lacks what it must hold.
    #[error("answer to {method} holds no valid {element}; is this a vCenter?")]
    Answer {
        /// The method.
        method: &'static str,
        /// The element.
        element: &'static str,
    },
}

impl Error {
    /// The fault, where the server refused.
    pub fn fault(&self) -> Option<&FaultKind> {
        match self {
            Error::Fault { fault, .. } => Some(&fault.kind),
            _ => None,
        }
    }

    /// The certificate that was refused, where that is why no answer came.
    pub fn untrusted(&self) -> Option<&Untrusted> {
        match self {
            Error::Transport { source: HttpError::Untrusted { untrusted, .. }, .. } => {
                Some(untrusted)
            }
            _ => None,
        }
    }
}
