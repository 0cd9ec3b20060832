//! Whom a request says it is for: what keeps a web page in the operator's browser from reading an
//! open server on the same machine.
//!
//! A page may send requests anywhere, and with a name that it makes point to 127.0.0.1 (DNS
//! rebinding) the browser lets it read the answers, too. The browser tells the truth in `Host` and in
//! `Sec-Fetch-Site`, so an open server on loopback answers only to names that no stranger can own,
//! and nobody answers a request from another site without an allowed origin.
//!
//! It refuses to authenticate: whoever is not a browser writes what it likes.

use axum::{
    extract::Request,
    http::{HeaderMap, Version, header, uri::Authority},
};

use super::{
    cors,
    problem::{Kind, Problem},
    query::shown,
    settings::Settings,
};

/// Refuses a request that is not for this server, or comes from a page that may not ask.
pub(super) fn check(settings: &Settings, request: &Request) -> Result<(), Problem> {
    let host = host(request)?;
    // HTTP/1.0 may go without; no browser speaks it.
    let is_named = host.is_some() || request.version() > Version::HTTP_10;
    if settings.is_open_on_loopback && is_named {
        let named = request.uri().authority().cloned().or(host);
        let is_ours = named.as_ref().is_some_and(|named| is_ours(named.host(), &settings.hosts));
        if !is_ours {
            let name = shown(named.as_ref().map_or("", Authority::host));
            let detail = format!(
                "host `{name}` is not served here; valid: an IP address, `localhost`, and what \
                 `hosts` of the listener names"
            );
            return Err(Problem::new(Kind::Misdirected, detail));
        }
    }
    if is_cross_site(request.headers())
        && !cors::is_allowed(&settings.cors_origins, request.headers().get(header::ORIGIN))
    {
        let detail = "a page of another site asks; its origin is not among `cors_origins`";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    Ok(())
}

/// The one `Host` that an HTTP/1.1 request has (RFC 9112 §3.2).
fn host(request: &Request) -> Result<Option<Authority>, Problem> {
    let mut values = request.headers().get_all(header::HOST).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Problem::invalid("header `Host` is given twice")),
        (None, _) if request.version() >= Version::HTTP_11 => {
            Err(Problem::invalid("header `Host` is missing"))
        }
        (None, _) => Ok(None),
        (Some(value), None) if value.is_empty() => Ok(None),
        (Some(value), None) => {
            let authority = Authority::try_from(value.as_bytes()).ok();
            let authority = authority.filter(|authority| !authority.as_str().contains('@'));
            authority.map(Some).ok_or_else(|| Problem::invalid("header `Host` is not a host"))
        }
    }
}

/// Whether no stranger can make a browser say `host` and mean his own page.
fn is_ours(host: &str, configured: &[String]) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_name = |name: &String| name.eq_ignore_ascii_case(host);
    bare.parse::<std::net::IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || configured.iter().any(is_name)
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get_all("sec-fetch-site").iter().any(|site| site.as_bytes() == b"cross-site")
}

/// Whether `name` can stand in `hosts`: a name alone, without scheme, port or path.
pub(super) fn is_name(name: &str) -> bool {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !name.is_empty() && name.chars().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_localhost_and_configured_names_are_ours() {
        let configured = ["pluvio.example.org".to_owned()];
        for ours in [
            "127.0.0.1",
            "[::1]",
            "10.1.2.3",
            "localhost",
            "LocalHost",
            "localhost.",
            "a.localhost",
            "pluvio.example.org",
            "Pluvio.Example.Org.",
        ] {
            assert!(is_ours(ours, &configured), "{ours}");
        }
        for foreign in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "xlocalhost", ""]
        {
            assert!(!is_ours(foreign, &configured), "{foreign}");
        }
    }
}
