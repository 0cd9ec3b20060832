//! Frames that are handed on, and those that are not.

use proptest::prelude::*;

use super::*;

/// Puts a value into another.
type Wrap = fn(&[u8]) -> Vec<u8>;

fn list(elements: &[&[u8]]) -> Vec<u8> {
    let content = elements.concat();
    let (size, count) = (content.len() as u32 + 4, elements.len() as u32);
    [&[0xd0], &size.to_be_bytes()[..], &count.to_be_bytes(), &content].concat()
}

fn described(code: u8, value: &[u8]) -> Vec<u8> {
    [&[DESCRIBED, 0x53, code], value].concat()
}

/// A `begin` whose one field is `value`.
fn begin(value: &[u8]) -> Vec<u8> {
    described(0x11, &list(&[value]))
}

fn disposition(first: u32, last: u32) -> Vec<u8> {
    let number = |number: u32| [&[0x70], &number.to_be_bytes()[..]].concat();
    list(&[&[0x41], &number(first), &number(last), &[0x41]])
}

#[test]
fn types_may_be_nested_up_to_a_depth_whatever_they_are() {
    let wraps: [Wrap; 5] = [
        |value| described(1, value),
        |value| list(&[value]),
        |value| [&[0xc0, value.len() as u8 + 1, 1], value].concat(),
        |value| [&[0xc1, value.len() as u8 + 2, 2, 0x40], value].concat(),
        |value| {
            let size = (value.len() as u32 + 5).to_be_bytes();
            [&[0xd1], &size[..], &[0, 0, 0, 2, 0x40], value].concat()
        },
    ];
    for wrap in wraps {
        // The performative and its list are two.
        let nested = |depth| begin(&(2..depth).fold(vec![0x40], |value, _| wrap(&value)));
        assert_eq!(check(&nested(DEPTH_MAX)), Ok(None));
        assert_eq!(check(&nested(DEPTH_MAX + 1)), Err(Refusal::Nested));
        assert_eq!(check(&nested(40)), Err(Refusal::Nested));
    }
}

#[test]
fn an_array_has_simple_elements_because_the_client_reads_others_otherwise() {
    assert_eq!(check(&begin(&[0xe0, 7, 2, 0xa3, 2, b'a', b'b', 1, b'c'])), Ok(None));
    assert_eq!(check(&begin(&[0xe0, 4, 2, 0x50, 1, 2])), Ok(None));
    assert_eq!(check(&begin(&[0xe0, 2, 2, 0x41])), Ok(None));
    assert_eq!(check(&begin(&[0xe0, 2, 3, 0x41])), Err(Refusal::Malformed));
    for code in [0x00, 0x45, 0xc0, 0xc1, 0xd0, 0xd1, 0xe0, 0xf0] {
        assert_eq!(check(&begin(&[0xe0, 4, 1, code, 1, 0])), Err(Refusal::Array), "{code:x}");
    }
    // An empty one, with its code and without it.
    assert_eq!(check(&begin(&[0xe0, 1, 0])), Ok(None));
    assert_eq!(check(&begin(&[0xe0, 2, 0, 0xa3])), Ok(None));
    let followed = list(&[&[0xe0, 2, 0, 0xa3], &[0x40]]);
    assert_eq!(check(&described(0x11, &followed)), Err(Refusal::Malformed));
}

#[test]
fn no_more_may_be_settled_at_once_than_can_be_open() {
    let max = SETTLED_MAX as u32;
    let name = b"\0\xa3\x15amqp:disposition:list";
    let wide = Err(Refusal::Settled { count: SETTLED_MAX + 1 });
    for (first, last, checked) in [
        (0, 0, Ok(None)),
        (7, 6 + max, Ok(None)),
        (7, 7 + max, wide.clone()),
        // The client walks nothing.
        (9, 8, Ok(None)),
    ] {
        let fields = disposition(first, last);
        assert_eq!(check(&described(0x15, &fields)), checked);
        assert_eq!(check(&[name, &fields[..]].concat()), checked);
        let long = b"\0\x80\0\0\0\0\0\0\0\x15";
        assert_eq!(check(&[long, &fields[..]].concat()), checked);
        // Other frames have numbers as well.
        assert_eq!(check(&described(0x13, &fields)), Ok(None));
    }
    let (first, last) = ([0x43], [0x70, 0xff, 0xff, 0xff, 0xff]);
    let all = described(0x15, &list(&[&[0x41], &first, &last]));
    assert_eq!(check(&all), Err(Refusal::Settled { count: 1 << 32 }));
    assert_eq!(check(&described(0x15, &list(&[&[0x41], &last]))), Ok(None));
}

#[test]
fn sizes_are_those_of_what_is_within() {
    assert_eq!(check(&[]), Ok(None));
    assert_eq!(check(&begin(&[0x40])), Ok(None));
    for wrong in [
        &[0x40][..],
        &begin(&[])[..],
        // A list that ends before its element does, and one that ends behind it.
        &described(0x11, &[0xc0, 2, 1, 0x50, 1]),
        &described(0x11, &[0xc0, 4, 1, 0x50, 1]),
        &described(0x11, &[0xc0, 0, 0]),
        // A map of one and a half.
        &begin(&[0xc1, 4, 3, 0x40, 0x40, 0x40]),
        // A descriptor that is neither a number nor a symbol.
        &begin(&[DESCRIBED, 0x45, 0x40]),
        // A text that is longer than the frame.
        &begin(&[0xb1, 0xff, 0xff, 0xff, 0xff]),
        &begin(&[0x30]),
    ] {
        assert_eq!(check(wrong), Err(Refusal::Malformed), "{wrong:x?}");
    }
}

#[test]
fn an_error_that_ends_something_is_taken() {
    let condition = &[&[0xa3, 3], &b"x:y"[..]].concat()[..];
    let description = &[&[0xb1, 0, 0, 0, 2], &b"no"[..]].concat()[..];
    let error = |fields: &[&[u8]]| described(0x1d, &list(fields));
    let short = Said { condition: "x:y".to_owned(), description: None };
    let full = Said { description: Some("no".to_owned()), ..short.clone() };
    for (fields, said) in [
        (&[condition][..], &short),
        (&[condition, &[0x40]], &short),
        (&[condition, description], &full),
        (&[condition, description, &[0x40]], &full),
    ] {
        let error = error(fields);
        let said = Ok(Some(said.clone()));
        assert_eq!(check(&described(0x16, &list(&[&[0x43], &[0x41], &error]))), said);
        assert_eq!(check(&described(0x17, &list(&[&error]))), said);
        assert_eq!(check(&described(0x18, &list(&[&error]))), said);
        assert_eq!(check(&described(0x11, &list(&[&error]))), Ok(None));
    }
    for none in [&list(&[]), &list(&[&[0x40]]), &vec![LIST_OF_NONE], &list(&[&error(&[])])] {
        assert_eq!(check(&described(0x18, none)), Ok(None));
        assert_eq!(check(&described(0x16, none)), Ok(None));
    }
}

#[test]
fn only_a_transfer_has_a_payload() {
    let payload = [0x00, 0x53, 0x77, 0xff];
    let with_payload = |code| [described(code, &list(&[&[0x43]])), payload.to_vec()].concat();
    assert_eq!(check(&with_payload(0x14)), Ok(None));
    assert_eq!(check(&with_payload(0x11)), Err(Refusal::Malformed));
}

proptest! {
    #[test]
    fn any_bytes_are_checked(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _either = check(&bytes);
        let _either = check(&begin(&bytes));
        for code in 0x10..0x19 {
            let _either = check(&described(code, &bytes));
            let _either = check(&described(code, &list(&[&bytes])));
        }
    }

    #[test]
    fn any_codes_are_checked(
        codes in proptest::collection::vec(
            proptest::sample::select(&[
                0x00, 0x53, 0x40, 0x45, 0xc0, 0xc1, 0xd0, 0xd1, 0xe0, 0xf0, 1, 2, 4, 9, 0xa3,
            ][..]),
            0..200,
        ),
    ) {
        let _either = check(&codes);
        let _either = check(&begin(&codes));
    }
}
