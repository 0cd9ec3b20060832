//! What an event must be besides its time and its owner. It never looks at permissions.

use uuid::Uuid;

use crate::cloudstack::api::call::{ApiError, Call};
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::history::Row;
use crate::cloudstack::life::describe;
use crate::cloudstack::recording::Fields;

/// What an event must be besides its time and its owner.
#[derive(Debug)]
pub(super) struct Filter {
    /// `Some(None)` is a type that no event has.
    kind: Option<Option<u16>>,
    level: Option<String>,
    state: Option<String>,
    keyword: Option<String>,
    /// The type of the resource, and which one if one is asked for.
    resource: Option<(String, Option<About>)>,
}

/// A resource that is asked for.
#[derive(Debug)]
struct About {
    id: String,
    /// The number under which rows name it, unless nothing but a recording does.
    number: Option<u32>,
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
        if let Some(recorded) = cloud.history.recorded(number) {
            let kind = self.kind.is_none_or(|kind| kind == Some(row.kind));
            return kind && self.lets_row(&Fields::of(&recorded.row));
        }
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

impl Filter {
    /// Of a row that was recorded, by what it says.
    fn lets_row(&self, row: &Fields) -> bool {
        let same = |asked: &Option<String>, has: &Option<String>| {
            asked
                .as_ref()
                .is_none_or(|asked| has.as_ref().is_some_and(|has| asked.eq_ignore_ascii_case(has)))
        };
        let is_about = |(kind, about): &(String, Option<About>)| {
            let has = row.resourcetype.as_ref().is_some_and(|k| k.eq_ignore_ascii_case(kind));
            has && about.as_ref().is_none_or(|about| {
                row.resourceid.as_ref().is_some_and(|id| id.eq_ignore_ascii_case(&about.id))
            })
        };
        let says = |word: &String| {
            let texts = [&row.kind, &row.level, &row.description];
            texts.into_iter().flatten().any(|text| text.to_lowercase().contains(word.as_str()))
        };
        same(&self.level, &row.level)
            && same(&self.state, &row.state)
            && self.resource.as_ref().is_none_or(is_about)
            && self.keyword.as_ref().is_none_or(says)
    }
}

fn resource(cloud: &Cloud, call: &Call<'_>) -> Result<Option<(String, Option<About>)>, ApiError> {
    let kind = call.text("resourcetype");
    let Some(id) = call.text("resourceid") else {
        return Ok(kind.map(|kind| (kind.to_owned(), None)));
    };
    let Some(kind) = kind else {
        let text = "resourceid parameter must be used with resourcetype parameter";
        return Err(ApiError::parameter(text));
    };
    let number = id.parse::<Uuid>().ok().and_then(|id| cloud.history.find_resource(id));
    // Which resources a recording knows is not counted: whoever asks for another one gets nothing.
    if number.is_none() && cloud.progress().is_none() {
        let text = format!("Invalid resource ID {id} for resource type {kind}");
        return Err(ApiError::parameter(text));
    }
    Ok(Some((kind.to_owned(), Some(About { id: id.to_owned(), number }))))
}

fn is_about(cloud: &Cloud, row: &Row, (kind, about): &(String, Option<About>)) -> bool {
    let resource = cloud.history.resource(row);
    resource.is_some_and(|resource| resource.kind.eq_ignore_ascii_case(kind))
        && about.as_ref().is_none_or(|about| about.number == Some(row.resource))
}

fn says(cloud: &Cloud, number: u32, row: &Row, word: &str) -> bool {
    let mut text = format!("{} {} ", cloud.history.kind_name(row.kind), row.level.name());
    describe(&cloud.history, number, &mut text);
    text.to_lowercase().contains(word)
}
