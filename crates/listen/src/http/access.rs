//! From a request's head to a principal.
//!
//! Who has presented too many wrong credentials waits before the next one is looked at, or is answered
//! 429 without a look: see [`Guesses`](pluvio_runtime::Guesses). A connection whose last credential was
//! right is not held up by what others at its address present: it has guessed nothing.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use pluvio_runtime::{Access, Credential, Principal};

use super::{
    peer::Peer,
    problem::{Kind, Problem},
};

/// What a request's head presents.
enum Presented {
    Bearer(String),
    Basic { user: String, password: String },
}

/// Who sends `headers`. Which part of a credential was wrong is not told.
pub(super) async fn authenticate(
    access: &Access,
    peer: Option<&Peer>,
    headers: &HeaderMap,
) -> Result<Arc<Principal>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return access.table().authenticate(Credential::None).map_err(|_| refused());
    };
    let presented = read(value).ok_or_else(refused)?;
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip());
    let name = presented.name();
    if !peer.is_some_and(|peer| peer.login.was_right(value)) {
        access.guesses().admit(address, name).await.map_err(|error| {
            let seconds = HeaderValue::from(error.retry_after.as_secs() + 1);
            let problem = Problem::new(Kind::TooManyGuesses, error.to_string());
            problem.header(header::RETRY_AFTER, seconds)
        })?;
    }
    let known = access.table().authenticate(presented.credential());
    if let Some(peer) = peer {
        peer.login.note(known.is_ok().then_some(value));
    }
    known.map_err(|_| {
        access.guesses().failed(address, name);
        refused()
    })
}

fn refused() -> Problem {
    Problem::new(Kind::Unauthenticated, "credentials are missing or wrong")
}

/// RFC 9110, section 11.4: a scheme and what it says.
fn read(value: &HeaderValue) -> Option<Presented> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Presented::Bearer(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Presented::Basic { user: user.to_owned(), password: password.to_owned() })
}

impl Presented {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Bearer(_) => None,
            Self::Basic { user, .. } => Some(user),
        }
    }

    fn credential(&self) -> Credential<'_> {
        match self {
            Self::Bearer(token) => Credential::Bearer(token),
            Self::Basic { user, password } => Credential::Basic { user, password },
        }
    }
}
