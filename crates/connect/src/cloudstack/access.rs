//! How a CloudStack is reached, and as whom: what both sources share.
//!
//! Opening asks one question that every role may ask, so that a refusal there is about the keys or
//! the clock, and a later one about the role. A signature lives ten minutes: where the server's
//! clock is known to differ by more, the question is asked once more by the server's clock, and if
//! that is what was wrong, all that follows is signed by it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use pluvio_clouds::cloudstack::{
    ApiKeys, Capabilities, Client, Credentials, Endpoint, Login, Projects, Scope,
};
use pluvio_net::{HttpClient, TlsOptions};
use pluvio_secret::SecretSource;
use tracing::{debug, warn};

use super::{Error, invalid::ConfigError};
use crate::inbound::mark::scope_of;

/// A smaller difference of clocks cannot make a signature expire: it lives ten minutes.
const SKEW_MIN: SignedDuration = SignedDuration::from_mins(8);
const PAGE_ROWS: std::ops::RangeInclusive<u32> = 10..=10_000;

/// What a configuration says of it, raw.
pub(super) struct AccessOptions<'a> {
    pub(super) url: &'a str,
    pub(super) api_key: Option<SecretSource>,
    pub(super) secret_key: Option<SecretSource>,
    pub(super) username: Option<SecretSource>,
    pub(super) password: Option<SecretSource>,
    pub(super) domain: Option<String>,
    pub(super) tls: TlsOptions,
    pub(super) domain_id: Option<String>,
    pub(super) recursive: bool,
    pub(super) page_size: u32,
}

/// How a CloudStack is reached.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) endpoint: Endpoint,
    way_in: WayIn,
    tls: TlsOptions,
    domain_id: Option<String>,
    recursive: bool,
    /// Rows of a page: lowered for all connections when the server refuses as many.
    page_rows: Arc<AtomicU32>,
}

#[derive(Clone, Debug)]
enum WayIn {
    Keys { api_key: SecretSource, secret_key: SecretSource },
    Login { username: SecretSource, password: SecretSource, domain: Option<String> },
}

/// A client that was answered.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) client: Client,
    pub(super) capabilities: Capabilities,
}

impl AccessOptions<'_> {
    pub(super) fn build(self) -> Result<Access, ConfigError> {
        let endpoint = Endpoint::parse(self.url).map_err(ConfigError::Url)?;
        if !PAGE_ROWS.contains(&self.page_size) {
            return Err(ConfigError::PageSize);
        }
        self.tls.client_config().map_err(ConfigError::Tls)?;
        let way_in = match (self.api_key, self.secret_key, self.username, self.password) {
            (Some(api_key), Some(secret_key), None, None) if self.domain.is_none() => {
                WayIn::Keys { api_key, secret_key }
            }
            (Some(_), Some(_), None, None) => return Err(ConfigError::Domain),
            (None, None, Some(username), Some(password)) => {
                WayIn::Login { username, password, domain: self.domain }
            }
            (Some(_), None, _, _) => return Err(ConfigError::Credentials { key: "secret_key" }),
            (None, None, Some(_), None) => {
                return Err(ConfigError::Credentials { key: "password" });
            }
            (Some(_), Some(_), Some(_), _) => {
                return Err(ConfigError::Credentials { key: "username" });
            }
            (Some(_), Some(_), None, Some(_)) => {
                return Err(ConfigError::Credentials { key: "password" });
            }
            (None, ..) => return Err(ConfigError::Credentials { key: "api_key" }),
        };
        Ok(Access {
            endpoint,
            way_in,
            tls: self.tls,
            domain_id: self.domain_id,
            recursive: self.recursive,
            page_rows: Arc::new(AtomicU32::new(self.page_size)),
        })
    }
}

impl Access {
    /// Connects, with secrets read anew, and asks who answers.
    pub(super) async fn open(&self) -> Result<Opened, Error> {
        let credentials = self.credentials()?;
        let http = HttpClient::new(&self.tls)?;
        let client = Client::connect(http, self.endpoint.clone(), &credentials).await?;
        let refused = match client.list_capabilities().await {
            Ok(capabilities) => return Ok(Opened { client, capabilities }),
            Err(error) => error,
        };
        let skew = refused.skew().filter(|skew| skew.abs() >= SKEW_MIN);
        let Some(skew) = skew.filter(|_| refused.is_denied()) else { return Err(refused.into()) };
        let client = client.with_clock(move || {
            let now = Timestamp::now();
            now.checked_add(skew).unwrap_or(now)
        });
        match client.list_capabilities().await {
            Ok(capabilities) => {
                let minutes = skew.as_mins();
                warn!(minutes, "the cloud's clock is not ours: signing by the cloud's");
                Ok(Opened { client, capabilities })
            }
            Err(error) => {
                debug!(%error, "not the clock's fault alone");
                Err(Error::Clock { skew, source: Box::new(refused) })
            }
        }
    }

    /// Everything in scope, in one of the two lists that together hold it.
    pub(super) fn scope(&self, projects: bool) -> Scope {
        Scope {
            domain_id: self.domain_id.clone(),
            is_recursive: self.recursive,
            projects: if projects { Projects::All } else { Projects::None },
            ..Scope::default()
        }
    }

    /// The mark of what is asked for, and as whom: an account sees what its role and its domain allow. A new key
    /// of the same user counts as another one, for keys do not tell whose they are.
    pub(super) fn scope_mark(&self) -> Result<String, Error> {
        let recursive = if self.recursive { "yes" } else { "no" };
        let mut parts = vec![("recursive", recursive)];
        parts.extend(self.domain_id.iter().map(|id| ("domain_id", id.as_str())));
        let credentials = self.credentials()?;
        match &credentials {
            Credentials::Keys(ApiKeys { api_key, .. }) => {
                parts.push(("api_key", api_key.expose()));
            }
            Credentials::Login(Login { username, domain, .. }) => {
                parts.push(("username", username));
                parts.extend(domain.iter().map(|domain| ("domain", domain.as_str())));
            }
            Credentials::Open => {}
        }
        Ok(scope_of(parts))
    }

    /// Whether everything is asked for that the account may see, with the domains below its own.
    pub(super) fn asks_below(&self) -> bool {
        self.recursive && self.domain_id.is_none()
    }

    /// Whether a session may end on its own.
    pub(super) fn has_session(&self) -> bool {
        matches!(self.way_in, WayIn::Login { .. })
    }

    /// Rows to ask for at once.
    pub(super) fn page_rows(&self) -> u32 {
        self.page_rows.load(Ordering::Relaxed)
    }

    /// The server refuses so many; `rows_max`: what it allows, if it told.
    pub(super) fn lower_page_rows(&self, rows_max: Option<u32>) {
        let half = (self.page_rows() / 2).max(1);
        let rows = rows_max.filter(|rows| (1..self.page_rows()).contains(rows)).unwrap_or(half);
        self.page_rows.store(rows, Ordering::Relaxed);
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        let secret = |key, source: &SecretSource| {
            source.resolve().map_err(|source| Error::Secret { key, source })
        };
        let name = |key, source: &SecretSource| {
            source.resolve_name().map_err(|source| Error::Secret { key, source })
        };
        Ok(match &self.way_in {
            WayIn::Keys { api_key, secret_key } => Credentials::Keys(ApiKeys {
                api_key: secret("api_key", api_key)?,
                secret_key: secret("secret_key", secret_key)?,
            }),
            WayIn::Login { username, password, domain } => Credentials::Login(Login {
                username: name("username", username)?.expose().to_owned(),
                password: secret("password", password)?,
                domain: domain.clone(),
            }),
        })
    }
}

/// Ends the session, if there is one. Best effort.
pub(super) async fn log_out(client: &Client) {
    if let Err(error) = client.log_out().await {
        debug!(%error, "session was not ended");
    }
}
