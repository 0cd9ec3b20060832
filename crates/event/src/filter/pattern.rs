//! Patterns of the sugar parameters: an exact value, or a beginning followed by `*`.
//!
//! It refuses to become a regular expression: CEL's `matches` is there for that.

/// An exact text, or with a trailing `*` a beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    is_prefix: bool,
}

impl Pattern {
    /// Reads `VmPoweredOnEvent` or `Vm*`. Every text is a pattern.
    pub fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) => Self { text: prefix.into(), is_prefix: true },
            None => Self { text: text.into(), is_prefix: false },
        }
    }

    /// Compares the whole `value`.
    pub fn matches(&self, value: &str) -> bool {
        if self.is_prefix { value.starts_with(&*self.text) } else { value == &*self.text }
    }

    /// Compares an event type, whole or from any of its dots on, with or without a trailing `.v0`:
    /// people write `VmPoweredOnEvent` or `VM.CREATE` and mean
    /// `com.vmware.vsphere.VmPoweredOnEvent.v0` and `org.apache.cloudstack.VM.CREATE`.
    pub fn matches_type(&self, event_type: &str) -> bool {
        let short = without_version(event_type);
        self.matches(event_type)
            || std::iter::once(short)
                .chain(short.match_indices('.').map(|(at, _)| &short[at + 1..]))
                .any(|tail| self.matches(tail))
    }
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

    #[test]
    fn a_type_is_found_by_its_short_name_by_a_beginning_or_whole() {
        let vm_on = "com.vmware.vsphere.VmPoweredOnEvent.v0";
        for good in
            ["VmPoweredOnEvent", "Vm*", "*", vm_on, "com.vmware.*", "vsphere.VmPoweredOnEvent"]
        {
            assert!(Pattern::new(good).matches_type(vm_on), "{good}");
        }
        for bad in ["PoweredOnEvent", "VmPoweredOn", "v0", "Host*", ""] {
            assert!(!Pattern::new(bad).matches_type(vm_on), "{bad}");
        }
        assert!(Pattern::new("VM.*").matches_type("org.apache.cloudstack.VM.CREATE"));
    }
}
