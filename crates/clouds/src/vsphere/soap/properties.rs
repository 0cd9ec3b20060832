//! Waiting for news: a property collector of our own with one filter.
//!
//! It is a bell, not a channel. A change of a collector's latest page sends the whole page again,
//! and bursts larger than the page lose events; so the caller reads events from the collector and
//! uses this only to know when. Keep the page small, its content is thrown away here.

use std::time::Duration;

use super::envelope::Xml;
use super::{Client, Error, first};
use crate::vsphere::MoRef;

/// The server may hold the answer this much longer than it was asked to.
const GRACE: Duration = Duration::from_secs(30);

impl Client {
    /// Makes a property collector of our own, so that waiting disturbs nobody.
    pub async fn create_property_collector(
        &self,
        property_collector: &MoRef,
    ) -> Result<MoRef, Error> {
        self.call_for_object("CreatePropertyCollector", property_collector, Xml::new()).await
    }

    /// Lets a property collector watch a property, such as the `latestPage` of an event collector.
    pub async fn create_filter(
        &self,
        property_collector: &MoRef,
        object: &MoRef,
        path: &str,
    ) -> Result<MoRef, Error> {
        let xml =
            Xml::new().nested("spec", |xml| spec(xml, object, path)).text("partialUpdates", false);
        self.call_for_object("CreateFilter", property_collector, xml).await
    }

    /// Waits until something changed since a version (none at first: answers at once), or for the
    /// given time, rounded up to seconds. Gives the version to wait from next, or `None` when nothing
    /// changed.
    pub async fn wait_for_updates(
        &self,
        property_collector: &MoRef,
        version: Option<&str>,
        wait_max: Duration,
    ) -> Result<Option<String>, Error> {
        const METHOD: &str = "WaitForUpdatesEx";
        let seconds = wait_max.as_secs() + u64::from(wait_max.subsec_nanos() > 0);
        let xml = Xml::new()
            .text("version", version.unwrap_or_default())
            .nested("options", |xml| xml.text("maxWaitSeconds", seconds));
        let timeout = Duration::from_secs(seconds) + GRACE;
        let reply = self.call_raw(METHOD, property_collector, xml, timeout).await?;
        let version = first(METHOD, &reply, "version")?;
        Ok(version.map(|version| version.root().text().into_owned()))
    }

    /// Ends a wait that is under way; it gives the fault `RequestCanceled`.
    pub async fn cancel_wait(&self, property_collector: &MoRef) -> Result<(), Error> {
        self.call("CancelWaitForUpdates", property_collector, Xml::new()).await.map(|_| ())
    }

    /// Frees a property collector and its filters.
    pub async fn destroy_property_collector(
        &self,
        property_collector: &MoRef,
    ) -> Result<(), Error> {
        self.call("DestroyPropertyCollector", property_collector, Xml::new()).await.map(|_| ())
    }
}

/// One property of one object.
pub(super) fn spec(xml: Xml, object: &MoRef, path: &str) -> Xml {
    xml.nested("propSet", |xml| xml.text("type", &object.kind).text("pathSet", path))
        .nested("objectSet", |xml| xml.reference("obj", object))
}
