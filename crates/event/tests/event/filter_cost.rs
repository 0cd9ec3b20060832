//! What a filter may cost: hostile ones are refused, honest ones are not, and no evaluation takes
//! more work than the bound that was worked out when the filter was read.

use pluvio_event::{Data, Event, Filter, FilterError, filter::Meter};
use proptest::prelude::*;

fn refused(cel: &str) -> bool {
    matches!(
        Filter::default().and_expression(cel),
        Err(FilterError::TooCostly { .. } | FilterError::PatternsTooLarge { .. })
    )
}

#[test]
fn loops_that_multiply_are_refused_with_their_cost() {
    let digits = "[1,2,3,4,5,6,7,8,9,0]";
    let literal = format!(
        "{digits}.all(a, {digits}.all(b, {digits}.all(c, {digits}.all(d, {digits}.all(e, a+b+c+d+e>0)))))"
    );
    for hostile in [
        "data.a.all(x, data.a.all(y, x == y))",
        "data.all(x, data.all(y, data.all(z, x != y)))",
        "data.a.all(x, data.b.contains(x))",
        "data.a.map(x, data.b + 'a').size() > 1",
        "data.a.all(x, x in data.b)",
        "data.a.map(x, data.a).exists(y, y.exists(z, z == 'a'))",
        &literal,
    ] {
        assert!(refused(hostile), "{hostile}");
    }
    let error = Filter::default().and_expression(&literal).err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.contains("units of work on a small event")));
}

/// Nothing is looked at while one pattern runs, so it has a bound of its own below the other two.
#[test]
fn one_match_that_takes_long_is_refused_with_its_pattern_and_its_own_limit() {
    let pattern = "[ab]*a[ab]{12}x";
    let error = Filter::default().and_expression(&format!("data.a.matches('{pattern}')"));
    let error = error.map(|_| ()).unwrap_err();
    assert!(
        matches!(error, FilterError::MatchTooCostly { per_byte, bytes, units, .. }
            if units > 10_000_000 && per_byte * (bytes + 1) == units),
        "{error}"
    );
    assert!(error.to_string().starts_with(&format!("the pattern `{pattern}` of `matches`")));
    assert!(error.to_string().contains("at most 10000000 are taken"), "{error}");
    let of_an_attribute = format!("subject.matches('{pattern}')");
    assert!(Filter::default().and_expression(&of_an_attribute).is_ok(), "as the error says");
}

#[test]
fn all_expressions_of_a_filter_are_counted_together() {
    let one = "data.all(x, x != 'a' && x != 'b')";
    let mut filter = Filter::default();
    let mut taken = 0;
    while let Ok(more) = filter.clone().and_expression(one) {
        (filter, taken) = (more, taken + 1);
        assert!(taken < 60, "sixty loops over the payload were taken");
    }
    assert!(taken > 1, "two were refused");
    let pattern = r"type.matches('(?i)[a-z]{1,40}x[a-z]{1,40}')";
    let patterns = (0..60).try_fold(Filter::default(), |filter, _| filter.and_expression(pattern));
    assert!(patterns.is_err());
}

#[test]
fn a_filter_of_more_tokens_than_are_read_in_time_is_refused() {
    let nested = format!("{}{}1{}==1", "[".repeat(8), "1,".repeat(1980), "]".repeat(8));
    let refused = Filter::default().and_expression(&nested).map(|_| ());
    assert!(matches!(refused, Err(FilterError::TooManyTokens(3979))), "{refused:?}");
    let ids = (1000..1330).map(|n| format!("'vm-{n}'")).collect::<Vec<_>>().join(", ");
    let honest = format!("data.Vm.Value in [{ids}]");
    assert!(honest.len() > 3300 && Filter::default().and_expression(&honest).is_ok());
    let numbers = (100..590).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let honest = format!("data.Key in [{numbers}]");
    assert!(Filter::default().and_expression(&honest).is_ok());
}

#[test]
fn an_honest_filter_is_taken_and_costs_little() {
    let many = (0..80).map(|n| format!("'VmEvent{n:03}'")).collect::<Vec<_>>().join(", ");
    let list = format!("type in [{many}]");
    for honest in [
        list.as_str(),
        "data.Arguments.exists(a, a.Key == 'vm' && a.Value.startsWith('prod-'))",
        "data.Tag.all(t, t in ['a', 'b', 'c']) || data.Info.exists(i, i.Name.matches('^web'))",
        "data.FullFormattedMessage.matches('(?i)error.*(timeout|refused)')",
        r"data.Vm.Name.matches('^(web|db|app)-[0-9]{1,4}(\\.[a-z0-9-]+)*$') && severitynumber >= 13",
        r"type.matches('^com\\.vmware\\.vsphere\\.(Vm|Host)[A-Za-z]+Event\\.v0$')",
        r"subject.matches('^VirtualMachine/vm-\\d+$')",
        r"subject.matches('^[\\p{L}0-9 ._-]+$')",
        "data.Items.exists(i, i.Parts.exists(p, p.Name == 'x'))",
        "time.getHours('Europe/Berlin') >= 22 || time.getHours('Europe/Berlin') < 6",
        "data.Disks.map(d, d.Capacity).filter(c, c > 1000).size() > 2",
    ] {
        let filter = Filter::default().and_expression(honest);
        assert!(filter.is_ok(), "{honest}: {:?}", filter.err());
    }
}

#[test]
fn an_evaluation_stops_when_it_is_told_to() {
    let numbers = format!("[{}]", vec!["1"; 200_000].join(","));
    let event = Event::builder("1", "urn:x", "t").data(Data::json(numbers).unwrap());
    let event = event.build().unwrap();
    let filter = Filter::default().and_expression("data.all(x, x != 2 && x != 3)").unwrap();
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 2
    };
    let mut meter = Meter::stopping(&stop);
    assert!(filter.matches_metered(&event, &mut meter).is_err());
    assert_eq!(asked.get(), 3);
    assert!(meter.units() < 5_000_000, "{}", meter.units());
}

/// Values of every kind, deeper with every level of `expression`. Most have no type that is known, or
/// nearly all of what is made of them would be refused for its types.
fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("data".to_owned()),
        Just("data.a".to_owned()),
        Just("data.b[1]".to_owned()),
        Just("type".to_owned()),
        Just("dyn(type)".to_owned()),
        Just("time".to_owned()),
        Just("dyn(time)".to_owned()),
        Just("recordedtime".to_owned()),
        Just("dyn(recordedtime)".to_owned()),
        Just("account".to_owned()),
        Just("event.subject".to_owned()),
        Just("x".to_owned()),
        Just("dyn(1)".to_owned()),
        Just("dyn('aaaaaaaaaaaaaaaa')".to_owned()),
        Just("dyn([1, 'aaa', data])".to_owned()),
        Just("dyn({'a': 1, 'b': data.a})".to_owned()),
        Just("dyn(duration('1h'))".to_owned()),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    leaf().prop_recursive(5, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let three = (inner.clone(), inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(a, b)| format!("{a}.all(x, {b})")),
            two.clone().prop_map(|(a, b)| format!("{a}.exists(x, {b})")),
            two.clone().prop_map(|(a, b)| format!("{a}.map(x, {b})")),
            two.clone().prop_map(|(a, b)| format!("{a}.filter(x, {b} == {b})")),
            (two, 0..10_usize).prop_map(|((a, b), at)| {
                let operators = ["==", "!=", "+", "<", "in", "&&", "||", "-", "*", ">="];
                format!("({a} {} {b})", operators[at])
            }),
            three.prop_map(|(a, b, c)| format!("({a} == {b} ? {c} : {a})")),
            inner.clone().prop_map(|a| format!("string({a}).contains('a')")),
            inner.clone().prop_map(|a| format!("string({a}) + 'b'")),
            inner.clone().prop_map(|a| format!("size({a})")),
            inner.clone().prop_map(|a| format!("{a}.matches('a*b|c')")),
            inner.clone().prop_map(|a| format!("string({a}).matches('[ab]*a[ab]{{9}}x')")),
            inner.clone().prop_map(|a| format!("{a}.a")),
            inner.clone().prop_map(|a| format!("{a}['b']")),
            inner.clone().prop_map(|a| format!("[1, {a}][1]")),
            inner.clone().prop_map(|a| format!("{{'k': {a}}}.k")),
            inner.clone().prop_map(|a| format!("{a}[0]")),
            inner.clone().prop_map(|a| format!("!has({a}.a)")),
            inner.prop_map(|a| format!("{a}.lowerAscii()")),
        ]
    })
}

/// Payloads that are dear in different ways: many elements, many nested ones, long texts, many keys.
fn payloads() -> Vec<Event> {
    let numbers = vec!["1"; 60_000].join(",");
    let lists = vec!["[[1],[]]"; 12_000].join(",");
    let text = "a".repeat(100_000);
    let texts = vec!["\"aaaaaaaa\""; 10_000].join(",");
    let keys = (0..12_000).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
    let payloads = [
        format!("[{numbers}]"),
        format!("[{lists}]"),
        format!("{{\"a\":[{texts}],\"b\":[1,[{numbers}]]}}"),
        format!("{{\"a\":\"{text}\",\"b\":[1,\"{text}\"]}}"),
        format!("{{{keys}}}"),
    ];
    let event = |json: String| {
        Event::builder("1", "urn:x", "t".repeat(1000))
            .subject("a".repeat(1000))
            .time(jiff::Timestamp::UNIX_EPOCH)
            .extension(crate::name("recordedtime"), "1970-01-01T00:00:00Z")
            .data(Data::json(json).unwrap())
            .build()
            .unwrap()
    };
    payloads.into_iter().map(event).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_evaluation_takes_more_work_than_its_bound(cel in expression()) {
        // `x` outside a loop is unknown, and what is too costly is refused: both are answers.
        // What is certainly no boolean is an answer to `dyn`.
        if let Ok(filter) = Filter::default().and_expression(&format!("dyn({cel})")) {
            for event in payloads() {
                let mut meter = Meter::counting();
                let _ = filter.matches_metered(&event, &mut meter);
                let bound = filter.units_max();
                prop_assert!(meter.units() <= bound, "{cel}: {} > {bound}", meter.units());
            }
        }
    }
}
