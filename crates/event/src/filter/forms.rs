//! The forms of CEL's operators and functions: which kinds they take, and what they make of them.
//!
//! CEL calls them overloads. `int * int` is one and `double * double` another, but there is none of
//! an int and a double: whatever the event, such a product is an error, and an event on which the
//! filter errs does not match. Each answer here is `None` where no pair of possible kinds has a form.
//!
//! It refuses to differ from [`evaluate`](super::evaluate): a property test evaluates what is refused
//! here on random events.

use super::{
    tree::{Function, Operator, Part},
    types::{Kind, Kinds, Type},
};

/// What `+`, `-`, `*`, `/` and `%` make of the two.
pub(super) fn arithmetic(operator: Operator, one: Type, other: Type) -> Option<Type> {
    let pairs =
        one.kinds.each().flat_map(|left| other.kinds.each().map(move |right| (left, right)));
    let made = pairs.filter_map(|(left, right)| sum(operator, left, right));
    let kinds = made.fold(Kinds::NONE, |all, kind| all.or(Kinds::of(&[kind])));
    if kinds == Kinds::NONE {
        return None;
    }
    // A sum of lists holds what they hold.
    let is_list = kinds.meets(Kinds::LISTS);
    Some(if is_list { one.or(other).with_kinds(kinds) } else { Type::of(kinds) })
}

fn sum(operator: Operator, left: Kind, right: Kind) -> Option<Kind> {
    use Kind::{Array, Double, Duration, Int, List, Text, Time, UInt};
    let (is_add, is_subtract) = (operator == Operator::Add, operator == Operator::Subtract);
    match (left, right) {
        (Int, Int) => Some(Int),
        (UInt, UInt) => Some(UInt),
        (Double, Double) if operator != Operator::Remainder => Some(Double),
        (Duration, Duration) if is_add || is_subtract => Some(Duration),
        (Time, Duration) if is_add || is_subtract => Some(Time),
        (Duration, Time) if is_add => Some(Time),
        (Time, Time) if is_subtract => Some(Duration),
        (Text, Text | Time) | (Time, Text) if is_add => Some(Text),
        (List | Array, List | Array) if is_add => Some(List),
        _ => None,
    }
}

/// What `-` makes of one value.
pub(super) fn negated(one: Type) -> Option<Type> {
    taken(one.kinds, Kinds::of(&[Kind::Int, Kind::Double, Kind::Duration]))
}

/// Whether two values of these kinds can be equal.
pub(super) fn can_equal(one: Kinds, other: Kinds) -> bool {
    one.meets(Kinds::NULL) && other.meets(Kinds::NULL)
        || one.meets(Kinds::LISTS) && other.meets(Kinds::LISTS)
        || one.meets(Kinds::MAPS) && other.meets(Kinds::MAPS)
        || can_order(one, other)
}

/// Whether of two values of these kinds one can come first. Numbers compare across their types, and a
/// time compares with a text.
pub(super) fn can_order(one: Kinds, other: Kinds) -> bool {
    let are_both = |kinds| one.meets(kinds) && other.meets(kinds);
    are_both(Kinds::BOOL)
        || are_both(Kinds::NUMBERS)
        || are_both(Kinds::TEXT.or(Kinds::TIME))
        || are_both(Kinds::DURATION)
}

/// What `of[at]` gives. A list is asked by a whole number, a map of the payload by a text.
pub(super) fn index(of: Type, at: Type) -> Option<Type> {
    let is_found = of.kinds.meets(Kinds::LISTS) && at.kinds.meets(Kinds::INT.or(Kinds::UINT))
        || of.kinds.meets(Kinds::of(&[Kind::Object])) && at.kinds.meets(Kinds::TEXT)
        || of.kinds.meets(Kinds::of(&[Kind::Map]));
    is_found.then(|| of.parts())
}

/// What `function` makes of its values; if nothing, which of them it does not take.
pub(super) fn call(function: Function, args: &[Type]) -> Result<Type, usize> {
    match args.iter().position(|arg| !arg.kinds.meets(takes(function))) {
        Some(wrong) => Err(wrong),
        None => Ok(Type::of(makes(function))),
    }
}

/// What `function` takes, for each of its values.
fn takes(function: Function) -> Kinds {
    let scalars = Kinds::BOOL.or(Kinds::NUMBERS).or(Kinds::TEXT);
    match function {
        Function::Dyn => Kinds::ALL,
        Function::Size => Kinds::TEXT.or(Kinds::LISTS).or(Kinds::MAPS),
        Function::Contains
        | Function::StartsWith
        | Function::EndsWith
        | Function::LowerAscii
        | Function::UpperAscii
        | Function::Trim => READS,
        Function::Int => Kinds::NUMBERS.or(READS),
        Function::UInt | Function::Double => Kinds::NUMBERS.or(Kinds::TEXT),
        Function::Bool => Kinds::BOOL.or(Kinds::TEXT),
        Function::Text => scalars.or(Kinds::TIME).or(Kinds::DURATION),
        Function::Timestamp => READS.or(Kinds::INT),
        Function::Duration => Kinds::DURATION.or(Kinds::TEXT),
    }
}

/// What reads as a text: a time does, as RFC 3339.
pub(super) const READS: Kinds = Kinds::of(&[Kind::Text, Kind::Time]);

fn makes(function: Function) -> Kinds {
    match function {
        Function::Dyn => Kinds::ALL,
        Function::Size | Function::Int => Kinds::INT,
        Function::UInt => Kinds::UINT,
        Function::Double => Kinds::DOUBLE,
        Function::Contains | Function::StartsWith | Function::EndsWith | Function::Bool => {
            Kinds::BOOL
        }
        Function::LowerAscii | Function::UpperAscii | Function::Trim | Function::Text => {
            Kinds::TEXT
        }
        Function::Timestamp => Kinds::TIME,
        Function::Duration => Kinds::DURATION,
    }
}

/// What `getHours` and the like give of `of`: a duration has no days and no dates.
pub(super) fn part(part: Part, of: Type) -> Option<Type> {
    let is_short = matches!(part, Part::Hours | Part::Minutes | Part::Seconds | Part::Milliseconds);
    let takes = if is_short { Kinds::TIME.or(Kinds::DURATION) } else { Kinds::TIME };
    of.kinds.meets(takes).then(|| Type::of(Kinds::INT))
}

/// Those of `kinds` that `takes` has.
fn taken(kinds: Kinds, takes: Kinds) -> Option<Type> {
    let both = kinds.and(takes);
    (both != Kinds::NONE).then(|| Type::of(both))
}
