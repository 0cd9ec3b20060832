//! What a vCenter is, asked once: for whoever wants to know whether it can be read, and how much there is.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::{Error, pages::PAGE_EVENTS_MAX, session::Session, source::Vsphere};

impl Vsphere {
    /// Asks, in a session that is open.
    pub(super) async fn look(&self, session: &Session) -> Result<Found, Error> {
        let now = session.current_time().await?;
        let skew = now.duration_since(Timestamp::now());
        let hour_ago = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(now);
        let mut listing = session.list(&self.settings, hour_ago, None).await?;
        let mut events = 0;
        // Enough to tell a busy vCenter from a quiet one; nobody waits for an exact million.
        for _ in 0..20 {
            let (page, behind) = session.read(&self.settings, listing).await?;
            listing = behind;
            events += page.events.len();
            if page.events.is_empty() {
                break;
            }
        }
        session.close(listing).await;
        let about = &session.content.about;
        Ok(Found {
            name: about.name.clone(),
            version: about.version.clone(),
            build: about.build.clone(),
            api_version: about.api_version.clone(),
            events_last_hour: events,
            skew,
        })
    }
}

/// What a probe found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    name: String,
    version: String,
    build: String,
    api_version: String,
    events_last_hour: usize,
    skew: SignedDuration,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, build, api_version, events_last_hour, skew } = self;
        let more = if *events_last_hour >= 20 * PAGE_EVENTS_MAX as usize { "+" } else { "" };
        write!(f, "{name} {version} build {build} (API {api_version}); ")?;
        write!(f, "{events_last_hour}{more} events in the last hour; ")?;
        write!(f, "clock {:+} s", skew.as_secs())
    }
}
