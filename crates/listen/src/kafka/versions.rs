//! ApiVersions: what is spoken here.
//!
//! A client asks in the newest version that it knows. If we do not, it is answered in version 0 with
//! ours, which every client reads (KIP-511).

use kafka_protocol::{
    ResponseError,
    messages::{ApiKey, ApiVersionsResponse, api_versions_response::ApiVersion},
};

use super::wire::{Api, api::APIS};

/// All that is spoken.
pub(super) fn answer() -> ApiVersionsResponse {
    ApiVersionsResponse::default().with_api_keys(APIS.iter().map(shown).collect())
}

/// For a client that is too new: only how to ask again.
pub(super) fn too_new() -> ApiVersionsResponse {
    let own = APIS.iter().filter(|api| api.key == ApiKey::ApiVersions).map(shown);
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(own.collect())
}

fn shown(api: &Api) -> ApiVersion {
    ApiVersion::default()
        .with_api_key(api.key as i16)
        .with_min_version(api.min)
        .with_max_version(api.max)
}
