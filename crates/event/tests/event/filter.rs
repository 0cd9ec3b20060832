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
    let nested = "data.a.all(x, data.a.all(y, x == y))";
    assert!(matches!(refused(nested), FilterError::TooManyLoops));
    let hidden = "data.a.all//\n(x, data.a.all//\n(y, x == y))";
    assert!(matches!(refused(hidden), FilterError::Comment));
    let chain = format!("data{} == 1", ".a".repeat(1990));
    assert!(matches!(refused(&chain), FilterError::TooManyOperators));
    let repeated = r#"type.matches("(a{100}){100}")"#;
    assert!(matches!(refused(repeated), FilterError::CountedRepetition));
}

#[test]
fn a_slash_within_a_text_is_no_comment() {
    assert!(!passes(r#"source == "https://other.example.org/sdk""#));
    assert!(passes(r#"source == 'https://vc.example.org/sdk'"#));
}

/// A worker has a stack of 8 MiB, of which half must do even without optimization: an overflow would
/// end the process.
#[test]
fn the_costliest_expressions_taken_fit_into_a_workers_stack() {
    let shapes = [
        format!("{}true{}", "(".repeat(8), ")".repeat(8)),
        format!("data{} == 1", ".a".repeat(62)),
        vec!["1"; 60].join("+"),
        vec!["true"; 30].join("&&"),
        vec!["true"; 30].join("||"),
        vec!["1"; 30].join("=="),
        format!("{}true", "!".repeat(60)),
        format!("{}1 == 1", "-".repeat(60)),
        format!("{}1", "true?1:".repeat(30)),
        format!("{}1{}", "[".repeat(8), "]".repeat(8)),
    ];
    let run = move || {
        for shape in &shapes {
            if let Ok(filter) = Filter::default().and_expression(shape) {
                filter.matches(&vm_powered_on());
            }
        }
    };
    std::thread::Builder::new().stack_size(4 << 20).spawn(run).unwrap().join().unwrap();
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
