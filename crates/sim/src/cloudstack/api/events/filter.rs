//! What an event must be besides its time and its owner. It never looks at permissions.

use uuid::Uuid;

use crate::cloudstack::api::call::{ApiError, Call};
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::history::Row;
use crate::cloudstack::life::describe;

/// What an event must be besides its time and its owner.
#[derive(Debug)]
pub(super) struct Filter {
    /// `Some(None)` is a type that no event has.
    kind: Option<Option<u16>>,
    level: Option<String>,
    state: Option<String>,
    keyword: Option<String>,
    /// The type of the resource; its number with it if one is asked for.
    resource: Option<(String, Option<u32>)>,
}

impl Filter {
    pub(super) fn of(cloud: &Cloud, call: &Call<'_>) -> Result<Self, ApiError> {
        let owned = |name: &str| call.text(name).map(str::to_owned);
        Ok(Self {
            kind: call.text("type").map(|name| cloud.history.find_kind(name)),
            level: owned("level"),
            state: owned("state"),
            keyword: call.text("keyword").map(str::to_lowercase),
            resource: resource(cloud, call)?,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        let Self { kind, level, state, keyword, resource } = self;
        kind.is_none() && resource.is_none() && [level, state, keyword].iter().all(|o| o.is_none())
    }

    pub(super) fn lets(&self, cloud: &Cloud, number: u32) -> bool {
        let row = cloud.history.row(number);
        let same = |asked: &Option<String>, name: &str| {
            asked.as_ref().is_none_or(|asked| asked.eq_ignore_ascii_case(name))
        };
        self.kind.is_none_or(|kind| kind == Some(row.kind))
            && same(&self.level, row.level.name())
            && same(&self.state, row.mark.state().name())
            && self.resource.as_ref().is_none_or(|asked| is_about(cloud, row, asked))
            && self.keyword.as_ref().is_none_or(|word| says(cloud, number, row, word))
    }
}

fn resource(cloud: &Cloud, call: &Call<'_>) -> Result<Option<(String, Option<u32>)>, ApiError> {
    let kind = call.text("resourcetype");
    let Some(id) = call.text("resourceid") else {
        return Ok(kind.map(|kind| (kind.to_owned(), None)));
    };
    let Some(kind) = kind else {
        let text = "resourceid parameter must be used with resourcetype parameter";
        return Err(ApiError::parameter(text));
    };
    let found = id.parse::<Uuid>().ok().and_then(|id| cloud.history.find_resource(id));
    let found = found.ok_or_else(|| {
        ApiError::parameter(format!("Invalid resource ID {id} for resource type {kind}"))
    })?;
    Ok(Some((kind.to_owned(), Some(found))))
}

fn is_about(cloud: &Cloud, row: &Row, (kind, number): &(String, Option<u32>)) -> bool {
    let resource = cloud.history.resource(row);
    resource.is_some_and(|resource| resource.kind.eq_ignore_ascii_case(kind))
        && number.is_none_or(|number| number == row.resource)
}

fn says(cloud: &Cloud, number: u32, row: &Row, word: &str) -> bool {
    let mut text = format!("{} {} ", cloud.history.kind_name(row.kind), row.level.name());
    describe(&cloud.history, number, &mut text);
    text.to_lowercase().contains(word)
}
