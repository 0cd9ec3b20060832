//! How long a unit of a filter's work takes.
//!
//! ```text
//! cargo test --release -p pluvio-event --test event unit_of_work -- --ignored --nocapture
//! ```
//!
//! It refuses to be a test of speed: machines differ, and a busy one is slow. It prints, and fails only
//! if the counted work says nothing about the time at all.

use std::time::Instant;

use pluvio_event::{Data, Event, Filter, filter::Meter};

use crate::vm_powered_on;

/// Rounds over all expressions; each gives one figure an expression.
const ROUNDS: usize = 9;
/// Time of one measurement of one expression, in nanoseconds.
const MEASURED_NS: u128 = 5_000_000;
/// A unit that takes longer than this would make every stated limit meaningless.
const NS_PER_UNIT_MAX: f64 = 20.0;

/// Expressions of every kind, and what they are evaluated on.
const EXPRESSIONS: [(&str, &[&str]); 8] = [
    (
        "typical",
        &[
            "type == 'com.vmware.vsphere.VmPoweredOnEvent.v0' && severitynumber >= 9",
            "subject.startsWith('VirtualMachine/') && account != 'x'",
            "subject in ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']",
            "data.Vm.Name.startsWith('web')",
            "data.Key == 44 || data.Vm.Name == 'db'",
            "time > timestamp('2026-11-20T09:00:00Z')",
            "time > '2026-11-20T09'",
            "time.getHours('Europe/Berlin') >= 22",
            "string(time) + type != ''",
            r"type.matches('^com\\.vmware\\.vsphere\\.(Vm|Host)[A-Za-z]+Event')",
            "type.matches('[a-z]*o[a-z]{9}x')",
            r"type.matches('^[\\p{L}0-9 ._-]+$')",
            "type.upperAscii().contains('POWERED')",
            "data.Arguments.exists(a, a.Key == 'vm' && a.Value.startsWith('prod-'))",
            "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, a + b > 0))",
            "[1,2,3,4,5,6,7,8,9].map(a, [1,2,3,4,5,6,7,8,9].map(b, [a, b])).size() > 0",
        ],
    ),
    ("numbers", &["data[0] == 2", "data.all(x, x != 2)", "data.map(x, x + 1).size() > 0"]),
    ("lists", &["data[0] == 2", "data.all(x, x.size() > 0)", "data == data", "data + data == []"]),
    ("texts", &["data[0] == 2", "data.all(x, x != 'aaaaaaab')", "'b' in data"]),
    ("keys", &["data.k == 2", "data.all(k, data[k] == 1)", "'k00001' in data"]),
    ("objects", &["data[0] == 2", "data.all(x, x.a == 1)", "data.filter(x, x.b == 1).size() > 0"]),
    (
        "text",
        &[
            "data.contains('b')",
            "data.contains('aaaaaaaaaaaaaaab')",
            "data.lowerAscii() == 'a'",
            "data.matches('a*b|c')",
            "data.matches('(?i)error.*(timeout|refused)')",
            "data.size() > 1 && data + data != ''",
        ],
    ),
    ("escapes", &["data == 'b'"]),
];

#[test]
#[ignore = "measures: cargo test --release -p pluvio-event --test event unit_of_work -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
fn a_unit_of_work_takes_about_as_long_whatever_the_expression_does() {
    let measured: Vec<Measured> = EXPRESSIONS
        .iter()
        .flat_map(|(name, expressions)| {
            let event = event(name);
            expressions.iter().map(move |cel| Measured::new(name, cel, event.clone()))
        })
        .collect();
    let mut figures = vec![Vec::new(); measured.len()];
    for _ in 0..ROUNDS {
        for (one, figures) in measured.iter().zip(&mut figures) {
            figures.push(one.nanoseconds() / one.units);
        }
    }
    let mut all = Vec::new();
    println!("{:>6} {:>6} {:>6}  {:>11}  event, expression", "least", "median", "most", "units");
    for (one, mut figures) in measured.iter().zip(figures) {
        figures.sort_by(f64::total_cmp);
        let median = figures[ROUNDS / 2];
        all.push(median);
        let (least, most, Measured { units, name, cel, .. }) =
            (figures[0], figures[ROUNDS - 1], one);
        println!("{least:6.2} {median:6.2} {most:6.2}  {units:11}  {name}: {cel}");
    }
    all.sort_by(f64::total_cmp);
    let (median, most) = (all[all.len() / 2], all[all.len() - 1]);
    println!("ns a unit: least {:.2}, median {median:.2}, most {most:.2}", all[0]);
    assert!(cfg!(debug_assertions) || most < NS_PER_UNIT_MAX);
}

struct Measured {
    name: &'static str,
    cel: &'static str,
    filter: Filter,
    event: Event,
    units: f64,
}

impl Measured {
    fn new(name: &'static str, cel: &'static str, event: Event) -> Self {
        let filter = Filter::default().and_expression(cel).unwrap();
        let mut meter = Meter::counting();
        let _ = filter.matches_metered(&event, &mut meter);
        let units = meter.units() as f64;
        Self { name, cel, filter, event, units }
    }

    /// One evaluation, on average.
    fn nanoseconds(&self) -> f64 {
        let (begun, mut count) = (Instant::now(), 0_u32);
        while count == 0 || begun.elapsed().as_nanos() < MEASURED_NS {
            std::hint::black_box(self.filter.matches(&self.event));
            count += 1;
        }
        begun.elapsed().as_nanos() as f64 / f64::from(count)
    }
}

/// One of a cloud's, or one with the largest payload of a kind.
fn event(name: &str) -> Event {
    let json = match name {
        "numbers" => list("1", 250_000),
        "lists" => list("[[],[]]", 62_000),
        "texts" => list("\"aaaaaaaa\"", 45_000),
        "objects" => list("{\"a\":1,\"b\":2}", 36_000),
        "keys" => {
            let keys: Vec<String> = (0..50_000).map(|n| format!("\"k{n:05}\":1")).collect();
            format!("{{{}}}", keys.join(","))
        }
        "text" => format!("\"{}\"", "a".repeat(500_000)),
        "escapes" => format!("\"{}\"", "\\n".repeat(250_000)),
        _ => return typical(),
    };
    Event::builder("1", "urn:x", "t").data(Data::json(json).unwrap()).build().unwrap()
}

fn list(element: &str, count: usize) -> String {
    format!("[{}]", vec![element; count].join(","))
}

/// About as large as vCenter's.
fn typical() -> Event {
    let arguments: Vec<String> = (0..12)
        .map(|n| format!(r#"{{"Key":"key{n}","Value":"prod-{n} and more of it"}}"#))
        .collect();
    let json = format!(
        r#"{{"Key":44,"Vm":{{"Name":"web-1","Vm":{{"Type":"VirtualMachine","Value":"vm-57"}}}},
        "FullFormattedMessage":"web-1 on esx-1.example.org in Berlin is powered on",
        "Arguments":[{}]}}"#,
        arguments.join(",")
    );
    Event::builder("44", "https://vc.example.org/sdk", vm_powered_on().event_type())
        .subject("VirtualMachine/vm-57")
        .time("2026-11-20T09:31:22.739821713Z".parse().unwrap())
        .extension(crate::name("severitynumber"), 9)
        .data(Data::json(json).unwrap())
        .build()
        .unwrap()
}
