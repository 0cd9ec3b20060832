//! Patterns of the sugar parameters: an exact value, or a beginning followed by `*`.
//!
//! Upper and lower case differ. It refuses a star anywhere but at the end, and to become a regular
//! expression: CEL's `matches` is there for that.

use super::FilterError;

/// An exact text, or with a trailing `*` a beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    is_prefix: bool,
}

/// What all types of one cloud begin with, up to the name that the cloud gave: a beginning that
/// names none of it is compared behind it.
const SHARED_PREFIXES: [&str; 4] =
    ["com.vmware.vsphere.", "org.apache.cloudstack.", "co.cloudify.", "pluvio."];

/// Longest pattern that is shown in an error.
const SHOWN_CHARS_MAX: usize = 100;

impl Pattern {
    /// Reads `VmPoweredOnEvent` or `Vm*` as it is; a star that is not the last character is one.
    pub fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) => Self { text: prefix.into(), is_prefix: true },
            None => Self { text: text.into(), is_prefix: false },
        }
    }

    /// Reads what a client sent: `Vm*Event` is refused, because nothing has a star in its name and
    /// somebody expects it to match; so is nothing at all.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.is_empty() {
            return Err(FilterError::Blank);
        }
        let pattern = Self::new(text);
        if pattern.text.contains('*') {
            return Err(FilterError::Star(text.chars().take(SHOWN_CHARS_MAX).collect()));
        }
        Ok(pattern)
    }

    /// What it is or begins with, without the star.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Compares the whole `value`.
    pub fn matches(&self, value: &str) -> bool {
        if self.is_prefix { value.starts_with(&*self.text) } else { value == &*self.text }
    }

    /// Compares an event type with or without a trailing `.v0`: people write `VmPoweredOnEvent` or
    /// `VM.CREATE` and mean `com.vmware.vsphere.VmPoweredOnEvent.v0` and
    /// `org.apache.cloudstack.VM.CREATE`.
    ///
    /// A whole name is compared with the type from any of its dots on. A beginning is compared with
    /// the whole type and with the cloud's own name, behind the prefix that all types of that cloud
    /// share: so `vm*` is no `com.vmware.…`, and `com.vmware.*` is.
    pub fn matches_type(&self, event_type: &str) -> bool {
        let short = without_version(event_type);
        if self.is_prefix {
            let text = &*self.text;
            return event_type.starts_with(text) && !is_within_shared(text)
                || own_name(short).starts_with(text);
        }
        self.matches(event_type)
            || std::iter::once(short)
                .chain(short.match_indices('.').map(|(at, _)| &short[at + 1..]))
                .any(|tail| self.matches(tail))
    }
}

/// Whether `text` is a piece of a shared prefix that stops within a word (`co`, `com.vm`): no name
/// that somebody means. `com.`, `com.vmware` and nothing at all are whole.
fn is_within_shared(text: &str) -> bool {
    SHARED_PREFIXES.iter().any(|prefix| {
        let next = prefix.strip_prefix(text).and_then(|rest| rest.chars().next());
        next.is_some_and(|next| next != '.' && !text.is_empty() && !text.ends_with('.'))
    })
}

/// The name that the cloud gave, which may have dots of its own.
fn own_name(event_type: &str) -> &str {
    SHARED_PREFIXES.iter().find_map(|prefix| event_type.strip_prefix(prefix)).unwrap_or(event_type)
}

/// `a.b.v0` without its `.v0`.
fn without_version(event_type: &str) -> &str {
    match event_type.rsplit_once(".v") {
        Some((name, version))
            if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) =>
        {
            name
        }
        _ => event_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VM_ON: &str = "com.vmware.vsphere.VmPoweredOnEvent.v0";

    #[test]
    fn a_type_is_found_by_its_short_name_by_a_beginning_or_whole() {
        let whole = ["VmPoweredOnEvent", VM_ON, "vsphere.VmPoweredOnEvent"];
        let beginnings =
            ["Vm*", "*", "com.*", "com.vmware*", "com.vmware.*", "com.vmware.vsphere.Vm*"];
        for good in whole.into_iter().chain(beginnings) {
            assert!(Pattern::new(good).matches_type(VM_ON), "{good}");
        }
        for bad in ["PoweredOnEvent", "VmPoweredOn", "v0", "Host*", "", "vmpoweredonevent"] {
            assert!(!Pattern::new(bad).matches_type(VM_ON), "{bad}");
        }
        let create = "org.apache.cloudstack.VM.CREATE";
        assert!(Pattern::new("VM.*").matches_type(create));
        assert!(Pattern::new("VM*").matches_type(create));
    }

    #[test]
    fn a_beginning_is_tried_at_the_clouds_own_name_and_not_at_what_all_types_share() {
        for shared in ["vm*", "vmware*", "vsphere.V*", "c*", "co*", "com.v*", "v*"] {
            assert!(!Pattern::new(shared).matches_type(VM_ON), "{shared}");
        }
        let create = "org.apache.cloudstack.VM.CREATE";
        for other in ["o*", "apache*", "cloudstack.V*", "vm*", "CREATE*", "org.a*"] {
            assert!(!Pattern::new(other).matches_type(create), "{other}");
        }
        assert!(Pattern::new("esx.*").matches_type("com.vmware.vsphere.esx.problem.x.v0"));
        assert!(Pattern::new("de.example.a*").matches_type("de.example.alarm"));
    }

    #[test]
    fn a_star_stands_only_at_the_end() {
        for bad in ["Vm*Event", "*PoweredOn*", "*Event", "**"] {
            assert!(matches!(Pattern::parse(bad), Err(FilterError::Star(_))), "{bad}");
        }
        assert!(matches!(Pattern::parse(""), Err(FilterError::Blank)));
        for good in ["Vm*", "*", "VmPoweredOnEvent"] {
            assert_eq!(Pattern::parse(good).ok(), Some(Pattern::new(good)), "{good}");
        }
    }
}
