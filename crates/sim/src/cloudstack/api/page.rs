//! Pages of lists: `page` and `pagesize` come together or not at all.

use serde_json::Value;

use super::call::{Answer, ApiError, Call};
use crate::cloudstack::cloud::Cloud;

/// Which rows of a list are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) skip: usize,
    pub(crate) rows_max: usize,
}

impl Page {
    pub(crate) fn of(cloud: &Cloud, call: &Call<'_>) -> Result<Self, ApiError> {
        let missing = |missing: &str, given: &str| {
            let text = format!("\"{missing}\" parameter is required when \"{given}\" is specified");
            ApiError::parameter(text)
        };
        let rows_max = cloud.page_rows_max;
        let (page, size) = match (call.number("page")?, call.number("pagesize")?) {
            (None, None) => return Ok(Self { skip: 0, rows_max }),
            (Some(_), None) => return Err(missing("pagesize", "page")),
            (None, Some(_)) => return Err(missing("page", "pagesize")),
            (Some(page), Some(size)) => (page, size),
        };
        let page = usize::try_from(page).ok().filter(|page| *page > 0).ok_or_else(|| {
            ApiError::parameter(format!("Invalid value {page} for page; pages begin with 1"))
        })?;
        let size = usize::try_from(size).ok().filter(|size| *size <= rows_max);
        let size = size.ok_or_else(|| {
            let text = format!("Page size can't exceed max allowed page size value: {rows_max}");
            ApiError::parameter(text)
        })?;
        Ok(Self { skip: (page - 1).saturating_mul(size), rows_max: size })
    }

    /// The page of a list whose rows are all at hand.
    pub(crate) fn of_list(self, object: &'static str, rows: Vec<Value>) -> Answer {
        let count = rows.len();
        let rows = rows.into_iter().skip(self.skip).take(self.rows_max).collect();
        Answer::List { object, rows, count }
    }
}
