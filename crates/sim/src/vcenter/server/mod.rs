//! What the simulated vCenter serves, and where its faults of transport strike: under `/sdk` only.

mod sdk;

use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse as _;
use http::StatusCode;

use super::faults::Transport;
use super::{Shared, control};
use crate::http::{Fate, Shown, Site};

/// The routes and the fates of requests.
pub(super) fn site(shared: &Arc<Shared>, tls: Option<Shown>) -> Site {
    let router = sdk::routes(Arc::clone(shared)).merge(control::routes(Arc::clone(shared)));
    let stop = shared.stop.clone();
    let shared = Arc::clone(shared);
    let decide = move |path: &str| {
        if !path.starts_with("/sdk") {
            return (Fate::Normal, Duration::ZERO);
        }
        let (transport, delay) = shared.with(|cloud| cloud.troubles.next_transport());
        (fate(transport), delay)
    };
    Site { router, decide: Arc::new(decide), dates_itself: true, tls, stop }
}

fn fate(transport: Transport) -> Fate {
    match transport {
        Transport::Normal => Fate::Normal,
        Transport::Unavailable => {
            let answer = (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n");
            Fate::Instead(Box::new(answer.into_response()))
        }
        Transport::Reset => Fate::Reset,
        Transport::Cut => Fate::Cut,
        Transport::CutWhole => Fate::CutWhole,
    }
}
