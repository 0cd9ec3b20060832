//! The SOAP endpoint over HTTP: envelopes in and out, the cookie, and the list of versions.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::http::PeerAddress;
use crate::vcenter::Shared;
use crate::vcenter::methods::{self, Call};
use crate::vcenter::session::Peer;
use crate::vcenter::soap::{self, SoapFault};
use crate::vcenter::xml::Element;

const COOKIE_NAME: &str = "vmware_soap_session";
const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

/// Older versions that the endpoint still understands.
const PRIOR_VERSIONS: [&str; 8] =
    ["9.0.0.0", "8.0.3.0", "8.0.2.0", "8.0.1.0", "8.0.0.1", "7.0.3.0", "7.0", "6.7"];

/// The routes of the SDK.
pub(super) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/sdk", post(call))
        .route("/sdk/vimService", post(call))
        .route("/sdk/vimServiceVersions.xml", get(versions))
        .with_state(shared)
}

async fn versions(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let current = shared.with(|cloud| cloud.api_version);
    let prior: String = PRIOR_VERSIONS
        .into_iter()
        .filter(|version| version.parse().is_ok_and(|version| current > version))
        .map(|version| format!("<version>{version}</version>"))
        .collect();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<namespaces version=\"1.0\"><namespace>\
         <name>urn:vim25</name><version>{current}</version>\
         <priorVersions>{prior}</priorVersions></namespace></namespaces>\n"
    );
    ([(CONTENT_TYPE, XML)], text)
}

async fn call(
    State(shared): State<Arc<Shared>>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let peer =
        Peer { address: address.ip().to_string(), agent: agent.unwrap_or_default().to_owned() };
    let call = match read(&body, session_cookie(&headers), peer) {
        Ok(call) => call,
        Err(fault) => return refused(&fault),
    };
    tracing::debug!(method = call.method, this = call.this.value, "called");
    match methods::answer(&shared, &call).await {
        Ok(reply) => {
            let text = soap::answer(&call.method, &reply.returned);
            let mut response = ([(CONTENT_TYPE, XML)], Body::from(text)).into_response();
            if let Some(value) = reply.cookie.and_then(|cookie| set_cookie(&cookie)) {
                response.headers_mut().insert(SET_COOKIE, value);
            }
            response
        }
        Err(fault) => refused(&fault),
    }
}

fn read(body: &[u8], cookie: Option<String>, peer: Peer) -> Result<Call, SoapFault> {
    let refuse = |reason: String| SoapFault::InvalidRequest(reason);
    let text = std::str::from_utf8(body).map_err(|error| refuse(error.to_string()))?;
    let envelope = Element::parse(text).map_err(|error| refuse(error.to_string()))?;
    Call::read(envelope, cookie, peer)
}

fn refused(fault: &SoapFault) -> Response {
    let head = [(CONTENT_TYPE, XML)];
    (StatusCode::INTERNAL_SERVER_ERROR, head, fault.envelope()).into_response()
}

/// The cookie's value, with or without the quotes that some clients lose.
fn session_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value.trim_matches('"').to_owned())
}

/// Quoted as a real vCenter does; not `Secure`, or plain HTTP would never send it back.
fn set_cookie(value: &str) -> Option<HeaderValue> {
    format!("{COOKIE_NAME}=\"{value}\"; Path=/; HttpOnly").parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE;
    use axum::http::{HeaderMap, HeaderValue};

    use super::session_cookie;

    #[test]
    fn the_cookie_is_found_among_others_with_or_without_quotes() {
        for text in ["a=b; vmware_soap_session=\"x1\"", "vmware_soap_session=x1; c=d"] {
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(text))]);
            assert_eq!(session_cookie(&headers).as_deref(), Some("x1"));
        }
    }
}
