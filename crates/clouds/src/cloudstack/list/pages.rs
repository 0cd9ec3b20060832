//! A list read to its end.
//!
//! Pages are counted from the list's beginning, and what is inserted meanwhile shifts rows onto
//! the next page; so rows are told apart by id. `count` is not believed: a page that is not full is
//! the last.

use std::collections::HashSet;

use super::super::answer::ServerDate;
use super::super::client::Client;
use super::super::error::Error;
use super::{MalformedRow, Paging, Query, Row as _};

/// The rows of a list.
#[derive(Debug)]
pub struct Gathered<T> {
    /// Each once, in the order they came.
    pub rows: Vec<T>,
    /// Those that cannot be read.
    pub malformed: Vec<MalformedRow>,
    /// How many there are, as the server said last.
    pub count: Option<u64>,
    /// Whether the end was reached: not if there are more rows than asked for, or if a page brought
    /// nothing new.
    pub is_complete: bool,
    /// The server's clock at the first answer.
    pub server: Option<ServerDate>,
}

impl Client {
    /// Reads page after page until one is not full, `rows_max` rows at most, malformed ones
    /// included. One error ends it: nothing is asked twice.
    pub async fn all_pages_up_to_rows<Q: Query>(
        &self,
        query: &Q,
        page_rows: u32,
        rows_max: usize,
    ) -> Result<Gathered<Q::Row>, Error> {
        let mut seen = HashSet::new();
        let mut gathered = Gathered {
            rows: Vec::new(),
            malformed: Vec::new(),
            count: None,
            is_complete: false,
            server: None,
        };
        for page in 1.. {
            let page = self.list(query, Paging { page, page_rows }).await?;
            let is_full = page.rows.len() >= page_rows as usize && !page.rows.is_empty();
            gathered.count = page.count.or(gathered.count);
            gathered.server = gathered.server.or(page.server);
            let before = gathered.len();
            for row in page.rows {
                let id = match &row {
                    Ok(row) => row.id(),
                    Err(malformed) => malformed.raw().get().to_owned(),
                };
                if !seen.insert(id) {
                    continue;
                }
                if gathered.len() >= rows_max {
                    return Ok(gathered);
                }
                match row {
                    Ok(row) => gathered.rows.push(row),
                    Err(malformed) => gathered.malformed.push(malformed),
                }
            }
            if !is_full || gathered.len() == before {
                gathered.is_complete = !is_full;
                break;
            }
        }
        Ok(gathered)
    }
}

impl<T> Gathered<T> {
    fn len(&self) -> usize {
        self.rows.len() + self.malformed.len()
    }
}
