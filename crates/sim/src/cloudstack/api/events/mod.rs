//! `listEvents` and what else there is about events.
//!
//! The newest come first in pages, but inside a page the order is anybody's: the server selects a
//! page in order and then fetches its rows without. Older releases only mix up the events of one
//! second.

mod filter;
mod render;

use std::ops::RangeInclusive;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::json;

use crate::cloudstack::api::call::{Answer, ApiError, Call};
use crate::cloudstack::api::dates::{self, DayEdge};
use crate::cloudstack::api::page::Page;
use crate::cloudstack::api::scope;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::directory::Role;
use crate::cloudstack::history::Audience;
use crate::cloudstack::life::{OTHER_TYPES, TRAILS};
use crate::cloudstack::version::Version;
use crate::shared::Living as _;
use filter::Filter;
use render::render;

/// `listEvents`.
pub(crate) fn list(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(cloud, call)?;
    let (mut numbers, count) = select(cloud, call, page)?;
    mix_up(cloud, &mut numbers);
    let claimed = i64::try_from(count).unwrap_or(i64::MAX);
    let claimed = claimed.saturating_add(cloud.troubles.wrong_count_by).max(1);
    let malformed = !numbers.is_empty() && cloud.troubles.next_malformed();
    // A row is about 550 bytes.
    let mut json = String::with_capacity(64 + numbers.len() * 640);
    match numbers.split_first() {
        // Behind the last page, too, since 4.20.1 (`searchForEventsInternal`).
        None if count == 0 || cloud.version >= Version::V4_20 => json.push_str("{}"),
        None => json.push_str(&format!("{{\"count\":{claimed}}}")),
        Some(_) if malformed => {
            for number in &numbers[1..] {
                json.push(',');
                render(cloud, *number, &mut json);
            }
            json.push_str("]}");
        }
        Some((first, rest)) => {
            json.push_str(&format!("{{\"count\":{claimed},\"event\":["));
            render(cloud, *first, &mut json);
            for number in rest {
                json.push(',');
                render(cloud, *number, &mut json);
            }
            json.push_str("]}");
        }
    }
    let shift = cloud.troubles.shift_events;
    cloud.work(shift);
    Ok(Answer::Text { json, rows: numbers.len() })
}

/// The events of a page, newest first, and how many there are in all pages.
fn select(cloud: &mut Cloud, call: &Call<'_>, page: Page) -> Result<(Vec<u32>, usize), ApiError> {
    let id = event_of(cloud, call, "id")?;
    let first = event_of(cloud, call, "startid")?;
    let accounts = scope::accounts(cloud, call, id.is_some())?;
    let archived = call.flag("archived");
    let audience = Audience { accounts, hidden: call.role(cloud) == Role::Admin, archived };
    let span = span(cloud, call)?;
    let filter = Filter::of(cloud, call)?;
    // The two are understood, and whoever gives both gets nothing.
    if call.text("entrytime").is_some() && call.text("duration").is_some() {
        return Ok((Vec::new(), 0));
    }
    let whole = i64::MIN..=i64::MAX;
    let chosen: Vec<u32> = if let Some(first) = first {
        let slice = cloud.history.slice(&audience, whole).to_vec();
        let recorded = cloud.history.recorded(first).map(|recorded| recorded.id.clone());
        let is_child = |number: u32| {
            let row = cloud.history.row(number);
            // An event may have been recorded before the one that it belongs to.
            let parent = cloud.history.recorded(number).and_then(|r| r.parent.as_ref());
            let belongs =
                row.parent == first + 1 || (parent.is_some() && parent == recorded.as_ref());
            belongs && span.contains(&row.created)
        };
        slice
            .into_iter()
            .filter(|n| *n == first || (is_child(*n) && filter.lets(cloud, *n)))
            .collect()
    } else if let Some(id) = id {
        let slice = cloud.history.slice(&audience, whole);
        let found = slice.contains(&id);
        if found && filter.lets(cloud, id) { vec![id] } else { Vec::new() }
    } else if filter.is_open() {
        let slice = cloud.history.slice(&audience, span);
        let end = slice.len().saturating_sub(page.skip);
        let start = end.saturating_sub(page.rows_max);
        return Ok((slice[start..end].iter().rev().copied().collect(), slice.len()));
    } else {
        let slice = cloud.history.slice(&audience, span).to_vec();
        slice.into_iter().filter(|number| filter.lets(cloud, *number)).collect()
    };
    let count = chosen.len();
    let numbers = chosen.into_iter().rev().skip(page.skip).take(page.rows_max).collect();
    Ok((numbers, count))
}

fn event_of(cloud: &Cloud, call: &Call<'_>, name: &str) -> Result<Option<u32>, ApiError> {
    let Some(text) = call.text(name) else { return Ok(None) };
    let number = cloud.history.find(text);
    let number = number.filter(|number| cloud.history.is_listed(*number));
    number.map(Some).ok_or_else(|| call.invalid(name, text))
}

fn span(cloud: &Cloud, call: &Call<'_>) -> Result<RangeInclusive<i64>, ApiError> {
    let start = dates::parameter(cloud, call, "startdate", DayEdge::Start)?;
    let end = dates::parameter(cloud, call, "enddate", DayEdge::End)?;
    Ok(start.unwrap_or(i64::MIN)..=end.unwrap_or(i64::MAX))
}

/// Gives a page the order that a server gives it: none.
fn mix_up(cloud: &Cloud, numbers: &mut [u32]) {
    let salt = numbers.first().copied().map_or(0, u64::from);
    let mut rng = StdRng::seed_from_u64(cloud.seed ^ salt << 20 ^ numbers.len() as u64);
    numbers.shuffle(&mut rng);
    if cloud.version == Version::V4_9 {
        let created = |number: &u32| std::cmp::Reverse(cloud.history.row(*number).created);
        numbers.sort_by_key(created);
    }
}

/// `archiveEvents`.
pub(crate) fn archive(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let numbers = affected(cloud, call)?;
    cloud.history.archive(&numbers);
    Ok(Answer::Object(json!({"success": true})))
}

/// `deleteEvents`.
pub(crate) fn delete(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut numbers = affected(cloud, call)?;
    numbers.sort_unstable();
    cloud.history.forget(|number, _| numbers.binary_search(&number).is_ok());
    Ok(Answer::Object(json!({"success": true})))
}

/// The events that `ids`, or `type`, `startdate` and `enddate`, name among the caller's.
fn affected(cloud: &mut Cloud, call: &Call<'_>) -> Result<Vec<u32>, ApiError> {
    let ids = call.text("ids").unwrap_or_default();
    let kind = call.text("type").map(|name| cloud.history.find_kind(name));
    let dated = call.text("startdate").or(call.text("enddate")).is_some();
    if ids.is_empty() && kind.is_none() && !dated {
        let text = "either ids, type or enddate must be specified";
        return Err(ApiError::parameter(text));
    }
    let mut wanted = Vec::new();
    for text in ids.split(',').filter(|text| !text.is_empty()) {
        let number = cloud.history.find(text.trim());
        wanted.push(number.ok_or_else(|| call.invalid("ids", text))?);
    }
    let caller = call.caller.account;
    let accounts = 0..cloud.directory.accounts.len();
    let accounts = accounts.map(|account| cloud.directory.may_see(caller, account)).collect();
    let audience = Audience { accounts, hidden: call.role(cloud) == Role::Admin, archived: false };
    let span = span(cloud, call)?;
    let numbers = cloud.history.slice(&audience, span).to_vec();
    let chosen = |number: &u32| {
        (wanted.is_empty() || wanted.contains(number))
            && kind.is_none_or(|kind| kind == Some(cloud.history.row(*number).kind))
    };
    Ok(numbers.into_iter().filter(chosen).collect())
}

/// `listEventTypes`.
pub(crate) fn types(cloud: &mut Cloud, _: &Call<'_>) -> Result<Answer, ApiError> {
    let known = TRAILS.into_iter().map(|trail| trail.name).chain(OTHER_TYPES);
    let mut names: Vec<&str> = known.collect();
    if cloud.progress().is_some() {
        let recorded = cloud.history.kinds().iter().map(AsRef::as_ref);
        let recorded: Vec<&str> = recorded.filter(|name| !names.contains(name)).collect();
        names.extend(recorded.into_iter().filter(|name| !name.is_empty()));
    }
    let rows: Vec<_> = names.into_iter().map(|name| json!({"name": name})).collect();
    let count = rows.len();
    Ok(Answer::List { object: "eventtype", rows, count })
}
