//! What types rule out before there is an event: a filter that would hand over nothing is refused with
//! what to write instead, and nothing is refused that could match.

use pluvio_event::{AttributeValue, Data, Event, Filter, FilterError};
use proptest::prelude::*;

use crate::name;

fn refused(cel: &str) -> String {
    let filter = Filter::default().and_expression(cel);
    assert!(filter.is_err(), "{cel} was taken");
    filter.unwrap_err().to_string()
}

#[test]
fn an_operator_that_has_no_form_for_its_values_is_refused_with_what_to_write() {
    for (cel, told) in [
        (
            "severitynumber * 1.5 >= 13",
            "`*` at column 16 has no form for an int and a double; write `double(severitynumber)`",
        ),
        ("severitynumber + 1u > 0u", "an int and a uint; write `1` instead of `1u`"),
        ("severitynumber / 2.0 > 1.0", "an int and a double; write `2` instead of `2.0`"),
        ("size(type) * 0.5 > 1.0", "write `double(size(type))`"),
        ("1 + 1.0 == 2.0", "write `1.0` instead of `1`"),
        (
            "double(data.a) % 2 == 1",
            "`%` at column 16 has no form for a double and an int; it takes",
        ),
        (r#""x" + severitynumber == "x9""#, "a text and an int; write `string(severitynumber)`"),
        ("id + 1 == 45", "write `\"1\"`, with quotes, or `int(id)` to add numbers"),
        ("type * 2 == 4", "a number is written without quotes, and `int(…)` reads one from a text"),
        ("type - subject == ''", "a text and a text; it takes two numbers of one type, times or"),
        (
            "time + 3600 > time",
            "`+` at column 6 has no form for a time and an int; write `duration(\"3600s\")`",
        ),
        ("time - severitynumber < time", "a length of time is written `duration(\"1h30m\")`"),
        ("time + time > time", "a time and a time"),
        ("-type == 'a'", "`-` at column 1 has no form for a text; it takes an int, a double or"),
        ("data.a + duration('1h') == time", "a value of `data` and a duration"),
    ] {
        let error = refused(cel);
        assert!(error.contains(told), "{cel}: {error}");
    }
}

#[test]
fn a_function_that_does_not_take_its_value_is_refused_with_what_to_write() {
    for (cel, told) in [
        (
            r#"severitynumber.contains("9")"#,
            "`contains` at column 16 has no form for a number; write `string(severitynumber)`",
        ),
        (
            r#"severitynumber.matches("9")"#,
            "`matches` at column 16 has no form for a number; write `string(severitynumber)`",
        ),
        ("type.contains(9)", "write `\"9\"`, with quotes"),
        ("['a'].contains('a')", "`in` looks into a list"),
        ("type.getHours() > 1", "it takes a time: `timestamp(type)` reads one from a text"),
        (
            "data.created.getHours() > 1",
            "`getHours` at column 14 has no form for a value of `data`; it takes a time: \
             `timestamp(data.created)` reads one",
        ),
        ("severitynumber.getHours() > 1", "it takes a time or a duration"),
        ("(time - time).getFullYear() > 1", "a duration has hours, minutes, seconds and"),
        ("size(severitynumber) > 0", "`size` at column 1 has no form for a number; it counts"),
        ("size(time) > 0", "`size` at column 1 has no form for a time"),
        (
            "bool(severitynumber)",
            "has no form for a number; compare it, for example `severitynumber != 0`",
        ),
        ("bool(time)", "it takes a boolean or a text"),
        ("uint(time) > 1u", "it takes a number or a text"),
        ("int(true) == 1", "it takes a number, a text or a time"),
        ("string([1]) == '1'", "`string` at column 1 has no form for a list"),
        ("time - duration(3600) < time", "write `duration(\"3600s\")`"),
        ("timestamp(1.5) < time", "seconds since 1970 as an int"),
    ] {
        let error = refused(cel);
        assert!(error.contains(told), "{cel}: {error}");
    }
}

#[test]
fn a_loop_or_an_index_into_what_holds_nothing_is_refused() {
    let into_a_text = "it looks into lists and maps; `contains`, `startsWith` and `matches` look";
    for (cel, told) in [
        (r#"account.all(c, c == "a")"#, "`all` at column 9 has no form for a text; it looks into"),
        ("account.all(c, true)", into_a_text),
        (r#"account[0] == "w""#, "`[…]` at column 8 has no form for a text; it looks into"),
        ("severitynumber.exists(x, x == 1)", "`exists` at column 16 has no form for a number"),
        ("time.map(x, x).size() > 0", "`map` at column 6 has no form for a time"),
        ("data[true] == 1", "a value of `data` and a boolean; a list takes a whole number from 0"),
        ("[1, 2]['a'] == 1", "a list and a text"),
        ("[1, 2].exists(x, x == 'a')", "a comparison of a number with a text"),
        ("[1, 2].exists(x, x.contains('a'))", "`contains` at column 20 has no form for a number"),
        ("data.a.exists(x, type)", "a condition that is a text at column 18 is never true"),
        ("data.a.filter(x, 'a').size() > 0", "a condition that is a text"),
        ("data.a.map(x, 7, x).size() > 0", "a condition that is a number"),
        ("type in [1].map(x, x * 2)", "a comparison of a text with a number"),
        ("([1] + [2]).exists(x, x == 'a')", "a comparison of a number with a text"),
        ("severitynumber in {'a': 1}", "a comparison of a number with a text"),
        ("size(type) == null", "a comparison of a number with `null`"),
        ("data.a == time - time", "a comparison of a value of `data` with a duration"),
        ("event.type == 7", "a comparison of a text with a number"),
        ("event.note[0] == 'a'", "has no form for a boolean or a number or a text"),
    ] {
        let error = refused(cel);
        assert!(error.contains(told), "{cel}: {error}");
        assert!(error.len() < 250 && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn what_has_a_form_for_one_of_the_possible_types_is_taken() {
    for cel in [
        "severitynumber * 2 >= 13",
        "double(severitynumber) * 1.5 >= 13",
        "severitynumber > 1.5 && severitynumber < 20u",
        "data.load * 1.5 >= 13 && data.count + 1u > 0u && data.a % 2 == 0",
        "'x' + string(severitynumber) == 'x9' && type + time != ''",
        "time + duration('1h') > time && recordedtime - time > duration('5m')",
        "string(severitynumber).contains('9') && time.startsWith('2026')",
        "timestamp(data.created).getHours() > 1 && (time - time).getHours() > 1",
        "data.contains('a') || data.a.size() > 1 || data['a'][0] == 1",
        "recordpurged * 2 == 4 || recordpurged.contains('a') || bool(recordpurged)",
        "event.revision * 2 == 4 || event.revision.contains('a')",
        "[1, 'a'].exists(x, x == account) && [].all(x, x.a * 1.5 > 2)",
        "[[1], ['a']].exists(x, x[0].contains('a'))",
        "[timestamp('2026-11-20T10:00:00Z')].exists(x, x.getHours() == 10)",
        "data.a.map(x, timestamp(x)).exists(t, t.getHours() == 10)",
        "{'a': 1, 'b': 'c'}.exists(k, k.contains('a')) && {'a': 1}[type] * 2 == 2",
        "(data.a ? 1 : 1.5) * 2.0 == 3.0 && (data.a ? 'a' : null) == null",
        "(data + [time]).exists(x, x.getHours() == 10)",
        "dyn(severitynumber) * 1.5 > 2.0 && dyn(account)[0] == 'w' && dyn(type).getHours() > 1",
        "timestamp(data.created) != null && size(type) in [3, null]",
        "type == 'VM.CREATE'",
    ] {
        let filter = Filter::default().and_expression(cel);
        assert!(filter.is_ok(), "{cel}: {:?}", filter.err());
    }
}

/// It travels as a text, and is to a filter what `time` is.
#[test]
fn the_time_of_storage_is_a_time() {
    let event = Event::builder("1", "urn:x", "t")
        .time("2026-11-20T09:31:22Z".parse().unwrap())
        .extension(name("recordedtime"), "2026-11-20T10:00:00.5Z")
        .build()
        .unwrap();
    for holds in [
        "recordedtime.getHours() == 10 && recordedtime.getHours('Europe/Berlin') == 11",
        "recordedtime > time && recordedtime - time < duration('29m')",
        "recordedtime >= timestamp('2026-11-20T10:00:00Z') && recordedtime < '2026-11-20T11'",
        "recordedtime == '2026-11-20T10:00:00.5Z' && recordedtime.startsWith('2026-11-20T10')",
        "event.recordedtime.getHours() == 10 && string(recordedtime) == '2026-11-20T10:00:00.5Z'",
    ] {
        assert!(Filter::default().and_expression(holds).unwrap().matches(&event), "{holds}");
    }
    let odd = event.with_extension(name("recordedtime"), "yesterday");
    let filter = Filter::default().and_expression("event.recordedtime == 'yesterday'").unwrap();
    assert!(filter.matches(&odd), "what is no time stays a text");
    let none = Filter::default().and_expression("recordedtime == null").unwrap();
    assert!(none.matches(&Event::builder("1", "urn:x", "t").build().unwrap()));
}

/// An expression, and one of the same value whose types are hidden by `dyn` at every step: what is
/// refused can be evaluated that way.
#[derive(Clone, Debug)]
struct Pair {
    typed: String,
    hidden: String,
}

impl Pair {
    fn leaf(cel: &str) -> Self {
        Self { typed: format!("({cel})"), hidden: format!("dyn({cel})") }
    }

    /// `shape` with its `$`s replaced by `parts`.
    fn of(shape: &str, parts: &[&Self]) -> Self {
        let filled = |part: fn(&Self) -> &str| -> String {
            let parts = parts.iter().map(|pair| part(pair)).chain([""; 2]);
            shape.split_inclusive('$').zip(parts).map(|(s, part)| s.replace('$', part)).collect()
        };
        let (typed, hidden) = (filled(|pair| &pair.typed), filled(|pair| &pair.hidden));
        Self { typed: format!("({typed})"), hidden: format!("dyn({hidden})") }
    }
}

/// A value of each kind, and of several.
const KINDS: [&str; 16] = [
    "null",
    "true",
    "1",
    "2u",
    "2.0",
    "'a'",
    "time",
    "duration('1h')",
    "[1, 2]",
    "{'a': 1, 'n': 'a'}",
    "{time: 1}",
    "data",
    "data.a",
    "data.list",
    "severitynumber",
    "event.note",
];

/// Attributes and literals, and values that are made of them.
const OTHERS: [&str; 46] = [
    "type",
    "id",
    "subject",
    "account",
    "revision",
    "recordedtime",
    "recordpurged",
    "event.type",
    "event.recordedtime",
    "data.n",
    "x",
    "0",
    "9",
    "1.5",
    "'9'",
    "timestamp('2026-11-20T10:00:00Z')",
    "[]",
    "['a', 'b']",
    "time - time",
    "time + duration('1h')",
    "type + time",
    "-duration('1h')",
    "data.list[0]",
    "data['a']",
    "has(data.a)",
    "'a' in data",
    "type == id",
    "data.a < data.n",
    "[time]",
    "[[time]]",
    "[[time]][0][0]",
    "{'a': time}",
    "{'a': {'a': time}}.a.a",
    "{1: 'a'}",
    "data.list.map(x, timestamp(x))[0]",
    "data.list.filter(x, x == 'a')",
    "['a'].map(x, 1)",
    "{'a': 1}.map(x, x)[0]",
    "[1] + ['a']",
    "(data.list + [time])[1]",
    "event.recordedtime - time",
    "timestamp(data.a)",
    "double(severitynumber)",
    "int(id)",
    "string(severitynumber)",
    "[1, 2].exists(x, x == 1)",
];

fn leaf() -> BoxedStrategy<Pair> {
    let leaves: Vec<&str> = KINDS.into_iter().chain(OTHERS).collect();
    prop::sample::select(leaves).prop_map(Pair::leaf).boxed()
}

/// Whatever stands in these is evaluated: an error in it is one of the whole.
const STRICT: [&str; 35] = [
    "$ + $",
    "$ - $",
    "$ * $",
    "$ / $",
    "$ % $",
    "-$",
    "size($)",
    "int($)",
    "uint($)",
    "double($)",
    "string($)",
    "bool($)",
    "timestamp($)",
    "duration($)",
    "$.contains($)",
    "$.startsWith($)",
    "$.endsWith($)",
    "$.lowerAscii()",
    "$.upperAscii()",
    "$.trim()",
    "$.matches('a|9')",
    "$.getHours()",
    "$.getFullYear()",
    "$[$]",
    "$.a",
    "[$, $]",
    "{'a': $, 'n': $}",
    "$.map(x, x)",
    "$.filter(x, true)",
    "[$].map(x, $)",
    "has($.a)",
    "{$: $}",
    "[$][0]",
    "{'a': $}.a",
    "{$: $}.map(x, x)[0]",
];

/// None is true if what stands in it errs, or if one that stands in it is never true.
const CONDITIONS: [&str; 12] = [
    "$ == $",
    "$ < $",
    "$ >= $",
    "$ in [$]",
    "$ in $.filter(x, true)",
    "$ in data.list",
    "$",
    "$.exists(x, x == $)",
    "$.exists_one(x, $)",
    "[$].all(x, $)",
    "$ in {'a': 1, $: 2}",
    "{$: 1}.exists(x, x == $)",
];

fn value() -> BoxedStrategy<Pair> {
    // Of the two sides of `?:` only one is evaluated, so neither may err.
    let chosen =
        (leaf(), leaf()).prop_map(|(one, other)| Pair::of("has(data.a) ? $ : $", &[&one, &other]));
    let leaf = prop_oneof![6 => leaf(), 1 => chosen].boxed();
    let shaped = |inner: BoxedStrategy<Pair>| {
        let shape = prop::sample::select(&STRICT[..]);
        (shape, inner.clone(), inner)
            .prop_map(|(shape, one, other)| Pair::of(shape, &[&one, &other]))
            .boxed()
    };
    let once = prop_oneof![1 => leaf.clone(), 2 => shaped(leaf)].boxed();
    prop_oneof![3 => once.clone(), 1 => shaped(once)].boxed()
}

fn condition() -> impl Strategy<Value = Pair> {
    let one = (prop::sample::select(&CONDITIONS[..]), value(), value())
        .prop_map(|(shape, one, other)| Pair::of(shape, &[&one, &other]))
        .boxed();
    // True of each event of which the value is no error.
    let probe = value().prop_map(|value| Pair::of("$ == $", &[&value, &value]));
    let one = prop_oneof![one, probe].boxed();
    // A loop binds what no attribute is called.
    let bound = |pair: Pair| Pair::of("[1, 'a', data].exists(x, $)", &[&pair]);
    prop_oneof![
        3 => one.clone(),
        2 => one.clone().prop_map(bound),
        1 => (one.clone(), one).prop_map(|(one, other)| Pair::of("$ && $", &[&one, &other])),
    ]
}

const TEXTS: [&str; 6] = ["a", "b", "9", "true", "1h", "2026-11-20T10:00:00Z"];

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(&["null", "true", "false", "0", "1", "9", "1.5", "2.0"][..])
            .prop_map(str::to_owned),
        Just(u64::MAX.to_string()),
        prop::sample::select(&TEXTS[..]).prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(","))),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, n, item)| { format!(r#"{{"a":{a},"n":{n},"list":[{item},{a}]}}"#) }),
        ]
    })
}

/// Attributes have the types that Pluvio's own sources write, or are absent.
fn event() -> impl Strategy<Value = Event> {
    let text = || prop::sample::select(&TEXTS[..]);
    let number = || prop::sample::select(&[0, 1, 2, 9][..]);
    let scalar = prop_oneof![
        any::<bool>().prop_map(AttributeValue::from),
        number().prop_map(AttributeValue::from),
        text().prop_map(AttributeValue::from),
    ];
    let own = (text(), text(), prop::option::of(number()), prop::option::of(text()));
    let others = prop::collection::vec(prop::option::of(scalar), 2);
    (own, others, any::<bool>(), prop::option::of(json())).prop_map(
        |((id, kind, severity, account), others, is_timed, json)| {
            let mut event = Event::builder(id, "urn:x", kind);
            if is_timed {
                let time = "2026-11-20T10:00:00Z";
                event = event.time(time.parse().unwrap()).extension(name("recordedtime"), time);
            }
            if let Some(account) = account {
                event = event.subject(account).extension(name("account"), account);
            }
            if let Some(severity) = severity {
                event = event.extension(name("severitynumber"), severity);
                event = event.extension(name("revision"), severity);
            }
            for (called, value) in ["recordpurged", "note"].into_iter().zip(others) {
                if let Some(value) = value {
                    event = event.extension(name(called), value);
                }
            }
            if let Some(json) = json {
                event = event.data(Data::json(json).unwrap());
            }
            event.build().unwrap()
        },
    )
}

/// Events with all attributes, whose payloads hold every kind where expressions look.
fn full() -> impl Iterator<Item = Event> {
    let time = "2026-11-20T10:00:00Z";
    let payloads = [
        format!(r#"{{"a":"{time}","n":1,"list":["{time}"]}}"#),
        r#"{"a":{"a":1,"n":"a"},"n":2.0,"list":["a","a"]}"#.to_owned(),
        format!(r#"{{"a":["a"],"n":{},"list":[{{"a":2.0}}]}}"#, u64::MAX),
    ];
    payloads.into_iter().map(move |json| {
        Event::builder("9", "urn:x", "9")
            .subject("a")
            .time(time.parse().unwrap())
            .extension(name("recordedtime"), time)
            .extension(name("account"), "a")
            .extension(name("severitynumber"), 9)
            .extension(name("revision"), 1)
            .extension(name("recordpurged"), true)
            .extension(name("note"), 9)
            .data(Data::json(json).unwrap())
            .build()
            .unwrap()
    })
}

/// Asserts that what is refused for its types is true of none of `events`.
fn check(pair: &Pair, events: impl Iterator<Item = Event>) {
    let refusal = match Filter::default().and_expression(&pair.typed) {
        Err(error @ (FilterError::SameForAll { .. } | FilterError::Arguments { .. })) => error,
        _ => return,
    };
    // Too deep, too costly, or a variable outside of its loop.
    let Ok(hidden) = Filter::default().and_expression(&pair.hidden) else { return };
    for event in events {
        assert!(!hidden.matches(&event), "{}: {refusal}: {event:?}", pair.typed);
    }
}

/// Every function and operator over every kind of value, and pair of kinds.
#[test]
fn what_has_no_form_for_its_values_is_an_error_on_every_event() {
    // True of each event on which the value is no error.
    let probe = |value: &Pair| check(&Pair::of("$ == $", &[value, value]), full());
    let kinds = KINDS.map(Pair::leaf);
    let all: Vec<Pair> = KINDS.into_iter().chain(OTHERS).map(Pair::leaf).collect();
    all.iter().for_each(probe);
    for shape in STRICT {
        if shape.matches('$').count() == 1 {
            all.iter().for_each(|one| probe(&Pair::of(shape, &[one])));
        } else {
            let pairs = kinds.iter().flat_map(|one| kinds.iter().map(move |other| [one, other]));
            pairs.for_each(|pair| probe(&Pair::of(shape, &pair)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_refused_for_its_types_is_true_of_no_event(
        pair in condition(),
        random in prop::collection::vec(event(), 8),
    ) {
        check(&pair, random.into_iter().chain(full()));
    }
}
