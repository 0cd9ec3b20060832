//! CEL's functions over one or two values.
//!
//! It refuses to convert what CEL does not: an error here is an event that does not match.

use jiff::Timestamp;

use super::cost::MADE_UNITS;
use super::meter::Meter;
use super::time::{self, SCALAR_BYTES_MAX};
use super::tree::{Function, Operator};
use super::value::{Fault, TIME_UNITS, Value};

/// Calls `function` with one value or two.
pub(super) fn call<'e>(
    function: Function,
    first: Value<'e>,
    second: Option<Value<'e>>,
    meter: &mut Meter<'_>,
) -> Result<Value<'e>, Fault> {
    match function {
        Function::Dyn => Ok(first),
        Function::Size => size(&first, meter),
        Function::Contains | Function::StartsWith | Function::EndsWith => {
            let text = first.as_text(meter)?;
            let part = second.ok_or(Fault::Error)?.as_text(meter)?;
            let (text, part) = (text.as_str(), part.as_str());
            meter.charge_bytes(part.len())?;
            Ok(Value::Bool(match function {
                Function::StartsWith => text.starts_with(part),
                Function::EndsWith => text.ends_with(part),
                _ => {
                    meter.charge_bytes(text.len())?;
                    text.contains(part)
                }
            }))
        }
        Function::LowerAscii | Function::UpperAscii | Function::Trim => {
            let text = first.as_text(meter)?;
            let text = text.as_str();
            meter.charge(MADE_UNITS.saturating_mul(text.len() as u64))?;
            Ok(Value::made(&match function {
                Function::LowerAscii => text.to_ascii_lowercase(),
                Function::UpperAscii => text.to_ascii_uppercase(),
                _ => text.trim().to_owned(),
            }))
        }
        _ => {
            meter.charge(TIME_UNITS)?;
            converted(function, first).ok_or(Fault::Error)
        }
    }
}

fn size<'e>(value: &Value<'e>, meter: &mut Meter<'_>) -> Result<Value<'e>, Fault> {
    let size = match value {
        Value::Text(text) => {
            meter.charge_bytes(text.as_str().len())?;
            text.as_str().chars().count()
        }
        _ => value.list_len().or_else(|| value.entries_len()).ok_or(Fault::Error)?,
    };
    i64::try_from(size).map(Value::Int).map_err(|_| Fault::Error)
}

fn converted(function: Function, value: Value<'_>) -> Option<Value<'_>> {
    match function {
        Function::Int => int(&value).map(Value::Int),
        Function::UInt => uint(&value).map(Value::UInt),
        Function::Double => match value {
            Value::Double(value) => Some(Value::Double(value)),
            Value::Int(value) => Some(Value::Double(value as f64)),
            Value::UInt(value) => Some(Value::Double(value as f64)),
            Value::Text(text) => short(text.as_str())?.parse().ok().map(Value::Double),
            _ => None,
        },
        Function::Bool => match &value {
            Value::Bool(_) => Some(value),
            Value::Text(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Value::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Value::Bool(false)),
                _ => None,
            },
            _ => None,
        },
        Function::Text => match &value {
            Value::Text(_) => Some(value),
            Value::Bool(value) => Some(Value::made(&value.to_string())),
            Value::Int(value) => Some(Value::made(&value.to_string())),
            Value::UInt(value) => Some(Value::made(&value.to_string())),
            Value::Double(value) => Some(Value::made(&value.to_string())),
            Value::Time(value) => Some(Value::made(&value.to_string())),
            Value::Duration(value) => Some(Value::made(&seconds(*value))),
            _ => None,
        },
        Function::Timestamp => match value {
            Value::Time(_) => Some(value),
            Value::Text(text) => time::timestamp(text.as_str()).map(Value::Time),
            Value::Int(seconds) => Timestamp::from_second(seconds).ok().map(Value::Time),
            _ => None,
        },
        Function::Duration => match value {
            Value::Duration(_) => Some(value),
            Value::Text(text) => time::duration(text.as_str()).map(Value::Duration),
            _ => None,
        },
        _ => None,
    }
}

fn short(text: &str) -> Option<&str> {
    (text.len() <= SCALAR_BYTES_MAX).then_some(text)
}

/// A duration as CEL writes it: seconds with a fraction.
fn seconds(duration: jiff::SignedDuration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos().unsigned_abs());
    let sign = if duration.is_negative() { "-" } else { "" };
    let fraction = format!("{nanos:09}");
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{dot}{fraction}s", seconds.unsigned_abs())
}

fn int(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        Value::UInt(value) => i64::try_from(*value).ok(),
        // 2^63 as a double is the first that does not fit.
        Value::Double(value) if *value > i64::MIN as f64 && *value < -(i64::MIN as f64) => {
            Some(*value as i64)
        }
        Value::Text(text) => short(text.as_str())?.parse().ok(),
        // The second that it lies in, before 1970, too.
        Value::Time(time) => i64::try_from(time.as_nanosecond().div_euclid(1_000_000_000)).ok(),
        _ => None,
    }
}

fn uint(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::UInt(value) => Some(*value),
        Value::Int(value) => u64::try_from(*value).ok(),
        Value::Double(value) if *value >= 0.0 && *value < u64::MAX as f64 => Some(*value as u64),
        Value::Text(text) => short(text.as_str())?.parse().ok(),
        _ => None,
    }
}

/// Arithmetic of two numbers of the same type, as CEL has it: an overflow is an error.
pub(super) fn arithmetic<'e>(
    operator: Operator,
    one: &Value<'_>,
    other: &Value<'_>,
) -> Result<Value<'e>, Fault> {
    let value = match (one, other) {
        (Value::Int(one), Value::Int(other)) => match operator {
            Operator::Add => one.checked_add(*other),
            Operator::Subtract => one.checked_sub(*other),
            Operator::Multiply => one.checked_mul(*other),
            Operator::Divide => one.checked_div(*other),
            Operator::Remainder => one.checked_rem(*other),
            _ => None,
        }
        .map(Value::Int),
        (Value::UInt(one), Value::UInt(other)) => match operator {
            Operator::Add => one.checked_add(*other),
            Operator::Subtract => one.checked_sub(*other),
            Operator::Multiply => one.checked_mul(*other),
            Operator::Divide => one.checked_div(*other),
            Operator::Remainder => one.checked_rem(*other),
            _ => None,
        }
        .map(Value::UInt),
        (Value::Double(one), Value::Double(other)) => match operator {
            Operator::Add => Some(one + other),
            Operator::Subtract => Some(one - other),
            Operator::Multiply => Some(one * other),
            Operator::Divide => Some(one / other),
            _ => None,
        }
        .map(Value::Double),
        _ => None,
    };
    value.ok_or(Fault::Error)
}
