//! Which events pass a filter.

use pluvio_event::{AttributeName, Data, Event, Filter, FilterError, Pattern, filter::Meter, json};

use crate::vm_powered_on;

fn passes(cel: &str) -> bool {
    Filter::default().and_expression(cel).unwrap().matches(&vm_powered_on())
}

#[test]
fn an_expression_asks_attributes_extensions_and_data() {
    for holds in [
        r#"type.startsWith("com.vmware.vsphere.Vm")"#,
        r#"subject == "VirtualMachine/vm-57" && id == "44""#,
        r#"eventclass == "event" && event.template == false && severitynumber >= 9"#,
        r#"data.Vm.Name == "web-1" && data.Key == 44"#,
        r#"data.Vm.Name.matches("^web-[0-9]$")"#,
        r#"time > "2026-11-20T09""#,
        r#"account == null"#,
        // An int and a double compare by their values, and a second before 1970 is the one that it lies in.
        "9007199254740993 > 9007199254740992.0 && !(9007199254740993 == 9007199254740992.0)",
        "-3 < -2.5 && -2.5 < -2 && 3 == 3.0 && 18446744073709551615u < 18446744073709551616.0",
        "-1e300 < -9223372036854775807 && 1e300 > 18446744073709551615u && 2.5 > 2u",
        r#"int(timestamp("1969-12-31T23:59:58.5Z")) == -2"#,
    ] {
        assert!(passes(holds), "{holds}");
    }
}

#[test]
fn an_expression_that_errs_on_an_event_does_not_match_it() {
    for errs in
        ["data.NoSuch.Field == 1", "account.startsWith(\"a\")", "dyn(id) + 1 == 45", "data.Key"]
    {
        assert!(!passes(errs), "{errs}");
    }
}

#[test]
fn an_expression_that_cannot_be_is_refused_when_the_filter_is_made() {
    assert!(matches!(refused("type =="), FilterError::Syntax(_)));
    assert!(matches!(refused(&"(".repeat(2000)), FilterError::TooDeep));
    assert!(matches!(refused(&" ".repeat(5000)), FilterError::TooLong(5000)));
    assert!(matches!(refused("true //"), FilterError::Comment));
    let chain = format!("data{} == 1", ".a".repeat(1990));
    assert!(matches!(refused(&chain), FilterError::TooManyOperators));
    let behind_a_raw_text = format!(r#"r"\" == data{}"#, ".a".repeat(1990));
    assert!(matches!(refused(&behind_a_raw_text), FilterError::TooManyOperators));
}

fn refused(cel: &str) -> FilterError {
    let filter = Filter::default().and_expression(cel);
    assert!(filter.is_err(), "{cel} was taken");
    filter.unwrap_err()
}

#[test]
fn an_unknown_name_is_refused_with_its_place_and_the_nearest_one() {
    for (cel, told) in [
        (
            r#"type.startswith("a")"#,
            "unknown method `startswith` at column 6; did you mean `startsWith`?",
        ),
        ("id == '1' && nosuch(type)", "unknown function `nosuch` at column 14"),
        ("data.Key.foo()", "unknown method `foo` at column 10"),
        (
            "timestmp(time) == time",
            "unknown function `timestmp` at column 1; did you mean `timestamp`?",
        ),
        (
            "sevrity > 9",
            "unknown attribute `sevrity` at column 1; did you mean `severitynumber` or",
        ),
        ("acount == 'a'", "did you mean `account`?"),
        ("data.a.exists(x, y == 1)", "unknown attribute `y` at column 18"),
        ("event == 1", "write `event.` and the name of an attribute"),
        ("event.traceParent == '1'", "1 to 20 lower-case letters and digits"),
        ("size(type, 1) == 1", "`size` at column 1 takes 1 argument"),
        ("type.contains()", "`contains` at column 6 takes 1 argument"),
        ("contains(type, 'a')", "is called on a value"),
        ("type.int() == 1", "is called with its value in brackets"),
        ("has(account)", "takes a field"),
        ("data.a.all(1, true)", "takes a simple name"),
        ("time > timestamp('yesterday')", "`timestamp` at column 8 takes a time as in RFC 3339"),
        ("time - time > duration('1 day')", "takes a length of time"),
        ("time.getHours('Mars/Crater') > 1", "time zone"),
        ("b'a' == b'a'", "a bytes literal at column 1 cannot be used"),
        ("type.matches(subject)", "is not a string literal"),
        ("matches(type, '(')", "at column 1 does not parse"),
        (r"type.matches(r'\pL{900}')", "at column 6 needs more than 32768 bytes"),
    ] {
        let error = refused(cel).to_string();
        assert!(error.contains(told), "{cel}: {error}");
    }
}

#[test]
fn a_text_that_no_time_can_be_compared_with_is_refused_and_not_compared_letter_by_letter() {
    for (cel, told) in [
        ("time > '2026-11-20 09:00:00'", "`2026-11-20 09:00:00` at column 8 is no time; a time is"),
        ("'11/20/2026' < time", "`11/20/2026` at column 1 is no time"),
        ("recordedtime >= '1795600000'", "is no time"),
        ("time < '2026-13'", "is no time"),
        ("time < '2026-02-30T10'", "is no time"),
        ("time > '2026-11-20T09:00:00.5'", "is no time"),
        ("timestamp(data.at) != ''", "is no time"),
        ("time == '2026-11-20'", "`2026-11-20` at column 9 is the beginning of a time, and equals"),
        ("time in ['2026-11-20T09:00:00Z', '2026']", "is the beginning of a time"),
        ("time > timestamp(1795600000000)", "seconds since 1970, not milliseconds"),
        ("true ?: false", "column 1: a condition has three parts, `a ? b : c`"),
    ] {
        let error = refused(cel).to_string();
        assert!(error.contains(told), "{cel}: {error}");
    }
    let event = vm_powered_on();
    let day = event.time().unwrap().to_string().split_at(10).0.to_owned();
    for (holds, cel) in [
        (true, format!("time > '{day}'")),
        (true, format!("'{day}T' < time && time < '{day}T23:59:59Z'")),
        (true, format!("time != '{day}T23:59:59.5Z'")),
        // What is made while the filter is evaluated has no place that could be told.
        (false, format!("time > '{day} 00:00:00'.lowerAscii()")),
        (false, format!("time < '{day} 00:00:00'.lowerAscii()")),
    ] {
        let filter = Filter::default().and_expression(&cel).unwrap();
        assert_eq!(filter.matches(&event), holds, "{cel}");
    }
}

#[test]
fn a_filter_that_says_the_same_of_every_event_is_refused_with_what_would_be_right() {
    for (cel, told) in [
        ("\"true\"", "a filter that is a text at column 1 is never true; compare each text"),
        (
            "account",
            "a filter that is a text at column 1 is never true; compare it, for example `account != null`",
        ),
        ("severitynumber", "for example `severitynumber >= 13`"),
        ("1 + 1", "a filter that is a number"),
        ("[true]", "a filter that is a list"),
        ("true ? type : subject", "a filter that is a text"),
        (
            "type == 'a' || 'b'",
            "a condition that is a text at column 16 is never true; compare each text",
        ),
        ("!account", "a condition that is a text at column 2"),
        ("severitynumber > '3'", "a comparison of a number with a text at column 16 is never true"),
        ("pluviooffset == 44", "a number is written without quotes and a text with them"),
        ("account != 7", "a comparison of a text with a number at column 9 is always true"),
        ("account > null", "`null` is only equal or not"),
        ("time > 2026", "a comparison of a time with a number"),
        ("time - time > duration('1h') && type == true", "a comparison of a text with a boolean"),
        ("size(type) == '3'", "a comparison of a number with a text"),
        ("data.a.exists(x, type == 1)", "a comparison of a text with a number"),
        ("severitynumber in [13, '17']", "a comparison of a number with a text at column 16"),
        (
            "'VM' in type",
            "`in` with a text behind it at column 6 is never true; it looks into lists",
        ),
        (
            "type.size == 3",
            "`.size` of a text at column 5 is never true; a function is called with brackets: `.size(…)`",
        ),
        ("has(time.year)", "`.year` of a time at column 4 is never true; only `data` and maps"),
    ] {
        let error = refused(cel);
        assert!(matches!(error, FilterError::SameForAll { .. }), "{cel}: {error}");
        assert!(error.to_string().contains(told), "{cel}: {error}");
    }
}

#[test]
fn what_only_probably_says_the_same_of_every_event_is_taken() {
    for cel in [
        "data",
        "data.Key == 44 || data.Key == '44'",
        "event.severitynumber == '9' || event.template",
        "dyn(severitynumber) == '9'",
        "account == null && account != null",
        "account in ['acme', null]",
        "time > '2026-11-20' && '2026-11-20' < time",
        "time in ['2026-11-20T10:00:00Z', timestamp('2026-11-20T10:00:00Z')]",
        "severitynumber > 8.5 && severitynumber == 9u",
        "data.a.exists(type, type == 1)",
        "data.a.exists(account, account)",
        "type in data.Types && type in {'a': 1}",
        "(data.a ? type : severitynumber) == 1",
        "recordpurged == 1 || recordpurged == 'a'",
        "{'a': 1}.a == 1 && [1, 'a'] == [1]",
    ] {
        let filter = Filter::default().and_expression(cel);
        assert!(filter.is_ok(), "{cel}: {:?}", filter.err());
    }
}

#[test]
fn a_syntax_error_is_one_short_line_with_its_place_whatever_was_written() {
    for (cel, told) in [
        ("$ ".repeat(2000), "`$` at column 1 cannot stand outside of a text"),
        ("[]]".repeat(300), "column 3: mismatched input ']'"),
        (format!("1 {}", "a".repeat(4000)), "column 3: extraneous input 'aaa"),
        (format!("{}\n ==", "type"), "line 2, column 4: mismatched input '<EOF>'"),
        ("9".repeat(4000), "column 1: invalid int literal"),
        (format!("matches(type, r'({}')", "a".repeat(4000)), "unclosed group"),
        (format!("matches(type, r'{}\\pX')", "a".repeat(4000)), "Unicode property not found"),
    ] {
        let error = refused(&cel).to_string();
        assert!(error.contains(told), "{error}");
        assert!(error.len() < 400 && error.lines().count() == 1, "{} bytes", error.len());
    }
}

/// Every function of CEL's standard library over texts, numbers, times, durations and lists.
#[test]
fn the_standard_functions_mean_what_cel_says() {
    for holds in [
        "size('größe') == 5 && 'ab'.size() == 2 && size([1, 2]) == 2 && size({'a': 1}) == 1",
        "'abc'.contains('b') && 'abc'.startsWith('ab') && 'abc'.endsWith('bc')",
        "!'abc'.contains('x') && !'abc'.startsWith('b') && !'abc'.endsWith('b')",
        "'vm-17'.matches('^vm-[0-9]+$') && matches('vm', 'v')",
        "'AbC'.lowerAscii() == 'abc' && 'AbC'.upperAscii() == 'ABC' && ' a '.trim() == 'a'",
        "int('44') == 44 && int(4.9) == 4 && int(3u) == 3 && int(timestamp('1970-01-01T00:00:09Z')) == 9",
        "uint('7') == 7u && uint(7) == 7u && double('1.5') == 1.5 && double(2) == 2.0",
        "string(7) == '7' && string(true) == 'true' && string(duration('90s')) == '90s'",
        "string(timestamp('2026-11-20T10:00:00Z')) == '2026-11-20T10:00:00Z'",
        "bool('true') && !bool('false') && dyn(1) == 1",
        "1 < 2.5 && 2u == 2 && 3 > 2u && -1 < 0u && 7 / 2 == 3 && 7 % 4 == 3 && 2 * 3 - 1 == 5",
        "'a' + 'b' == 'ab' && [1] + [2] == [1, 2] && 'a' < 'b' && -(3) == 0 - 3",
        "time == timestamp('2026-11-20T09:59:58.123Z') || time < timestamp('2100-01-01T00:00:00Z')",
        "timestamp('2026-11-20T10:00:00+02:00') == timestamp('2026-11-20T08:00:00Z')",
        "timestamp('2026-11-20T10:00:00Z') - timestamp('2026-11-20T08:30:00Z') == duration('1h30m')",
        "timestamp('2026-11-20T10:00:00Z') + duration('1h') > timestamp('2026-11-20T10:59:59Z')",
        "duration('1h') - duration('1m') == duration('59m') && duration('-1.5s') < duration('0')",
        "duration('3661s').getHours() == 1 && duration('3661s').getMinutes() == 61",
        "duration('1.25s').getSeconds() == 1 && duration('1.25s').getMilliseconds() == 250",
        "timestamp('2026-11-20T10:20:30.4Z').getFullYear() == 2026",
        "timestamp('2026-11-20T10:20:30.4Z').getMonth() == 10",
        "timestamp('2026-11-20T10:20:30.4Z').getDate() == 20",
        "timestamp('2026-11-20T10:20:30.4Z').getDayOfMonth() == 19",
        "timestamp('2026-11-20T10:20:30.4Z').getDayOfWeek() == 5",
        "timestamp('2026-01-20T10:20:30.4Z').getDayOfYear() == 19",
        "timestamp('2026-11-20T10:20:30.4Z').getHours() == 10",
        "timestamp('2026-11-20T10:20:30.4Z').getHours('+05:30') == 15",
        "timestamp('2026-07-20T10:20:30.4Z').getHours('Europe/Berlin') == 12",
        "timestamp('2026-11-20T10:20:30.4Z').getMinutes() == 20",
        "timestamp('2026-11-20T10:20:30.4Z').getSeconds() == 30",
        "timestamp('2026-11-20T10:20:30.4Z').getMilliseconds() == 400",
        "[1, 2, 3].all(x, x > 0) && [1, 2].exists(x, x == 2) && [1, 2].exists_one(x, x > 1)",
        "[1, 2].map(x, x * 2) == [2, 4] && [1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
        "[1, 2, 3].filter(x, x % 2 == 1) == [1, 3] && {'a': 1, 'b': 2}.all(k, k in ['a', 'b'])",
        "[[1], [2, 3]].exists(x, x.exists(y, y == 3)) && 2 in [1, 2] && 'a' in {'a': 1}",
        "{'a': 1}.a == 1 && {'a': 1}['a'] == 1 && [7, 8][1] == 8 && (true ? 1 : 2) == 1",
        "{'b': [1, {}], 'a': null} == {'a': null, 'b': [1, {}]} && [1] != [2] && [1] != [1, 2]",
        "has(data.Vm.Name) && !has(data.Vm.Other) && has({'a': 1}.a)",
        "has(event.account) == false && event.account == null && !('account' in event)",
        "has(event.eventclass) && event['type'] == type && 'subject' in event",
        "(data.NoSuch == 1 || true) && !(data.NoSuch == 1 && false) && (true || data.NoSuch)",
        "[0, 1].exists(x, 1 / x == 1) && account != 'x' && account == null",
    ] {
        assert!(passes(holds), "{holds}");
    }
    for errs in
        ["9223372036854775807 + 1 > 0", "1 / 0 == 1", "int('x') == 1", "dyn(1) + 1.0 == 2.0"]
    {
        assert!(!passes(errs), "{errs}");
    }
}

#[test]
fn a_time_compares_with_times_and_with_texts_and_reads_as_text() {
    let time = vm_powered_on().time().unwrap().to_string();
    for holds in [
        format!("time == '{time}' && time == timestamp('{time}') && '{time}' == time"),
        format!("timestamp(time) - duration('1s') < timestamp('{time}')"),
        "time > '2026-11-20T09' && '2026-11-20T09' < time".to_owned(),
        "time.startsWith('2026-11-20T') && time.getFullYear() == 2026".to_owned(),
        "time in [timestamp('1970-01-01T00:00:00Z'), time]".to_owned(),
    ] {
        assert!(passes(&holds), "{holds}");
    }
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

fn account(name: &str) -> Event {
    let account = AttributeName::new("account").unwrap();
    let event = Event::builder("1", "urn:cloud", "org.apache.cloudstack.VM.START");
    event.extension(account, name).build().unwrap()
}

fn letter(data: Data) -> Event {
    let kind = pluvio_event::known::DEAD_LETTER_TYPE;
    Event::builder("dead/billing/1", "pluvio:/streams/events", kind).data(data).build().unwrap()
}

#[test]
fn a_mandatory_filter_judges_a_dead_letter_by_the_event_in_it() {
    let not_x = Filter::default().and_expression("account != 'x'").unwrap();
    let carrying = |event: &Event| {
        letter(Data::json(String::from_utf8(json::to_vec(event)).unwrap()).unwrap())
    };
    assert!(not_x.admits(&account("acme")) && !not_x.admits(&account("x")));
    assert!(not_x.admits(&carrying(&account("acme"))));
    assert!(!not_x.admits(&carrying(&account("x"))));
    assert!(!not_x.admits(&carrying(&carrying(&account("x")))));
    assert!(!not_x.admits(&letter(Data::Binary("raw".into()))), "what is no event is hidden");
    assert!(!not_x.admits(&letter(Data::json("{}").unwrap())));
    assert!(Filter::default().admits(&letter(Data::Binary("raw".into()))), "nothing is mandatory");
}

#[test]
fn what_a_mandatory_filter_hides_is_never_shown_to_the_readers_own() {
    let own = Filter::default().and_expression("[1, 2].all(x, type.matches('VM.*'))").unwrap();
    let mandatory = Filter::default().and_expression("account == 'acme'").unwrap();
    let both = mandatory.and(own);
    let (mut hidden, mut meter) = (Meter::counting(), Meter::counting());
    assert_eq!(both.matches_metered(&account("x"), &mut hidden, &mut meter), Ok(false));
    assert_eq!(meter.units(), 0);
    assert!(hidden.units() > 0);
    assert_eq!(both.matches_metered(&account("acme"), &mut hidden, &mut meter), Ok(true));
    assert!(meter.units() > 0);
}

/// `\ud83d` is half a character: JSON's grammar has it, and a cloud that cuts texts writes it.
#[test]
fn data_with_half_a_character_in_it_is_looked_at_like_any_other() {
    let data = Data::json(r#"{"account":"ops","description":"cut \ud83d"}"#).unwrap();
    let event = Event::builder("1", "urn:cloud", "t").data(data).build().unwrap();
    for (cel, expected) in [
        ("data.account == 'ops'", true),
        ("data.account == 'others'", false),
        ("!(data.account == 'others')", true),
        ("data.description.startsWith('cut ')", true),
    ] {
        let filter = Filter::default().and_expression(cel).unwrap();
        assert_eq!(filter.matches(&event), expected, "{cel}");
    }
}
