//! Which events pass a filter.

use pluvio_event::{Filter, FilterError, Pattern};

use crate::vm_powered_on;

fn passes(cel: &str) -> bool {
    Filter::default().and_expression(cel).unwrap().matches(&vm_powered_on())
}

#[test]
fn an_expression_asks_attributes_extensions_and_data() {
    for holds in [
        r#"type.startsWith("com.vmware.vsphere.Vm")"#,
        r#"subject == "VirtualMachine/vm-57" && id == "44""#,
        r#"eventclass == "event" && template == false && severitynumber >= 9"#,
        r#"data.Vm.Name == "web-1" && data.Key == 44"#,
        r#"data.Vm.Name.matches("^web-[0-9]$")"#,
        r#"time > "2026-11-20T09""#,
        r#"account == null"#,
    ] {
        assert!(passes(holds), "{holds}");
    }
}

#[test]
fn an_expression_that_errs_on_an_event_does_not_match_it() {
    for errs in ["data.NoSuch.Field == 1", "account.startsWith(\"a\")", "id + 1 == 45", "id"] {
        assert!(!passes(errs), "{errs}");
    }
}

#[test]
fn an_expression_that_cannot_be_is_refused_when_the_filter_is_made() {
    let refused = |cel: &str| Filter::default().and_expression(cel).unwrap_err();
    assert!(matches!(refused("type =="), FilterError::Syntax(_)));
    assert!(matches!(refused(&"(".repeat(2000)), FilterError::TooDeep));
    assert!(matches!(refused(&" ".repeat(5000)), FilterError::TooLong(5000)));
    let nested = "data.a.all(x, data.a.all(y, data.a.all(z, x == y)))";
    assert!(matches!(refused(nested), FilterError::TooManyLoops));
}

#[test]
fn alternatives_are_or_and_different_parameters_are_and() {
    let filter = Filter::default()
        .or_type(Pattern::new("VmPoweredOffEvent"))
        .or_type(Pattern::new("VmPoweredOn*"))
        .or_subject(Pattern::new("VirtualMachine/*"));
    assert!(filter.matches(&vm_powered_on()));
    assert!(!filter.clone().or_source(Pattern::new("https://other/*")).matches(&vm_powered_on()));
    let time = vm_powered_on().time().unwrap();
    assert!(filter.clone().since(time).matches(&vm_powered_on()));
    assert!(!filter.until(time).matches(&vm_powered_on()), "until is exclusive");
}
