//! From a request's head to a principal.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use pluvio_runtime::{AccessTable, Credential, Principal};

use super::problem::{Kind, Problem};

/// Who sends `headers`. Which part of a credential was wrong is not told.
pub(super) fn authenticate(
    table: &AccessTable,
    headers: &HeaderMap,
) -> Result<Arc<Principal>, Problem> {
    let refused = || Problem::new(Kind::Unauthenticated, "credentials are missing or wrong");
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return table.authenticate(Credential::None).map_err(|_| refused());
    };
    let value = value.to_str().map_err(|_| refused())?;
    let (scheme, rest) = value.split_once(' ').ok_or_else(refused)?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return table.authenticate(Credential::Bearer(rest)).map_err(|_| refused());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused());
    }
    let decoded = BASE64_STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(refused)?;
    let (user, password) = decoded.split_once(':').ok_or_else(refused)?;
    table.authenticate(Credential::Basic { user, password }).map_err(|_| refused())
}
