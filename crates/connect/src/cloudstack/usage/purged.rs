//! Which captured record a row stands for whose resource was purged. Pure.
//!
//! The server prints a purged resource's rows without its id and without its name, so ids do not tell which records
//! they are of. What is left is the group, that is all that is alike but for the resource, and the amount. Of
//! one group, the rows are matched to its **kin**: the records that were captured and are not listed whole.
//!
//! 1. A row with a record's newest amount is that record's, one row for each record.
//! 2. A row with an older amount of a record is that record's, too: a job that ran again leaves both rows. First of
//!    the records that have a row by then. Of another one the amount came back: the row **revises** it.
//! 3. Records that have no row yet and rows that are left belong together, in their order: the usage server
//!    counted anew, and the row revises the record. Each captured record has a row, so where none is left it is
//!    one that step 2 gave to a record that has another.
//! 4. Of the rows that are left then, one with an amount that was captured of a kin when it still had its resource
//!    is that record **written again**. It may be of another resource that was used as long and was purged
//!    before it was ever listed. That cannot be told, and is the less likely: all rows of a window are written
//!    by one job, so what comes into it later is mostly of a job that ran again. A bill must not have a use
//!    twice, and the source says how many rows it took so.
//! 5. All others are records that were never captured: **new**.
//!
//! Rows of one group and one amount may be given to one another's records: a bill does not tell them apart.

use std::collections::{HashMap, HashSet, VecDeque};

use pluvio_clouds::cloudstack::UsageRecord;
use uuid::Uuid;

use super::{past::Captured, records};

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Captured.
    Known,
    /// Taken for a captured record that was written again.
    WrittenAgain,
    /// The newest figure of this record, which is to be captured.
    Revises(Uuid),
    /// A record that was never captured.
    New,
}

/// A captured record that is not listed whole.
struct Kin<'a> {
    record_id: Uuid,
    /// Its newest amount, if that is listed.
    newest: Option<&'a str>,
    /// Its other amounts that are listed.
    older: Vec<&'a str>,
    was_whole: bool,
    /// Whether it has a row.
    is_found: bool,
}

/// Rows that no record has yet, by their amounts.
struct Left<'a>(HashMap<&'a str, VecDeque<usize>>);

/// What each of a group's rows is, in their order. `kin`: of that group, in the order in which it was captured.
pub(super) fn judge(kin: &[(Uuid, &Captured)], rows: &[UsageRecord]) -> Vec<Verdict> {
    let amounts: Vec<String> = rows.iter().map(UsageRecord::amount).collect();
    judge_amounts(kin, &amounts)
}

fn judge_amounts(kin: &[(Uuid, &Captured)], amounts: &[String]) -> Vec<Verdict> {
    let mut left = Left(HashMap::new());
    for (row, amount) in amounts.iter().enumerate() {
        left.0.entry(amount).or_default().push_back(row);
    }
    let listed = left.0.keys().map(|amount| (records::amount_name(amount), *amount)).collect();
    let mut kin: Vec<Kin<'_>> =
        kin.iter().map(|(record_id, captured)| Kin::of(*record_id, captured, &listed)).collect();
    // What no step says anything of is new.
    let mut verdicts = vec![Verdict::New; amounts.len()];
    for it in &mut kin {
        if let Some(row) = it.newest.and_then(|amount| left.take(amount)) {
            (verdicts[row], it.is_found) = (Verdict::Known, true);
        }
    }
    let mut second_rows = Vec::new();
    let (found, lost): (Vec<_>, Vec<_>) = kin.iter_mut().partition(|it| it.is_found);
    for it in found.into_iter().chain(lost) {
        let mut rows: Vec<usize> = it.older.iter().filter_map(|amount| left.take(amount)).collect();
        rows.sort_unstable();
        if let Some(last) = (!it.is_found).then(|| rows.pop()).flatten() {
            (verdicts[last], it.is_found) = (Verdict::Revises(it.record_id), true);
        }
        rows.iter().for_each(|row| verdicts[*row] = Verdict::Known);
        second_rows.extend(rows);
    }
    second_rows.sort_unstable();
    let mut rows = left.all().into_iter();
    for it in kin.iter().filter(|it| !it.is_found) {
        let row = rows.next().or_else(|| second_rows.pop());
        if let Some(row) = row {
            verdicts[row] = Verdict::Revises(it.record_id);
        }
    }
    let whole: HashSet<&str> =
        kin.iter().filter(|it| it.was_whole).flat_map(Kin::amounts).collect();
    for row in rows.filter(|row| whole.contains(amounts[*row].as_str())) {
        verdicts[row] = Verdict::WrittenAgain;
    }
    verdicts
}

impl<'a> Kin<'a> {
    fn of(record_id: Uuid, captured: &Captured, listed: &HashMap<u128, &'a str>) -> Self {
        let amount = |figure| listed.get(&records::amount_in(record_id, figure)).copied();
        let newest = captured.newest().and_then(amount);
        let mut older: Vec<&str> = Vec::new();
        for amount in captured.newest_first().filter_map(amount) {
            if Some(amount) != newest && !older.contains(&amount) {
                older.push(amount);
            }
        }
        Self { record_id, newest, older, was_whole: captured.was_whole, is_found: false }
    }

    fn amounts(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.newest.into_iter().chain(self.older.iter().copied())
    }
}

impl Left<'_> {
    /// The first row with that amount.
    fn take(&mut self, amount: &str) -> Option<usize> {
        self.0.get_mut(amount)?.pop_front()
    }

    /// All of them, in their order.
    fn all(self) -> Vec<usize> {
        let mut rows: Vec<usize> = self.0.into_values().flatten().collect();
        rows.sort_unstable();
        rows
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::{
        super::past::{Note, Past},
        *,
    };

    /// A group of records, and what was captured of it.
    #[derive(Default)]
    struct Group {
        past: Past,
    }

    const GROUP: Uuid = Uuid::from_u128(1);

    fn record(number: u128) -> Uuid {
        Uuid::from_u128(100 + number)
    }

    impl Group {
        /// Of records that were captured with these amounts, the oldest first, when they had their resources.
        fn of(captured: &[&[&str]]) -> Self {
            let mut group = Self::default();
            for (number, amounts) in (0..).zip(captured) {
                amounts.iter().for_each(|amount| group.capture(record(number), amount, true));
            }
            group
        }

        fn capture(&mut self, record_id: Uuid, amount: &str, is_whole: bool) {
            let revision = self.past.next_revision(record_id);
            let figure = records::figure(record_id, amount);
            self.past.note(Note::new(record_id, GROUP, revision, figure, is_whole));
        }

        fn judge(&self, rows: &[&str]) -> Vec<Verdict> {
            let kin: Vec<_> = self.past.alike(GROUP).collect();
            let amounts: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
            judge_amounts(&kin, &amounts)
        }

        /// Captures what is to be captured of rows.
        fn take(&mut self, rows: &[&str]) -> usize {
            let (mut events, mut names) = (0, 1000..);
            for (row, verdict) in rows.iter().zip(self.judge(rows)) {
                let record_id = match verdict {
                    Verdict::Known | Verdict::WrittenAgain => continue,
                    Verdict::Revises(record_id) => record_id,
                    Verdict::New => {
                        names.by_ref().map(record).find(|it| self.past.of(*it).is_none()).unwrap()
                    }
                };
                events += 1;
                self.capture(record_id, row, false);
            }
            events
        }

        /// The amounts that are billed.
        fn billed(&self, of: &[&'static str]) -> Vec<&'static str> {
            let newest = self.past.alike(GROUP).filter_map(|(id, captured)| {
                let newest = captured.newest()?;
                of.iter().find(|amount| records::figure(id, amount) == newest).copied()
            });
            let mut billed: Vec<_> = newest.collect();
            billed.sort_unstable();
            billed
        }
    }

    use Verdict::{Known, New, Revises, WrittenAgain};

    #[test]
    fn what_was_captured_is_known_whatever_the_order() {
        assert_eq!(Group::of(&[&["24"]]).judge(&["24"]), [Known]);
        assert_eq!(Group::of(&[&["24"], &["5"]]).judge(&["5", "24"]), [Known; 2]);
        assert_eq!(Group::of(&[&["24"], &["24"]]).judge(&["24", "24"]), [Known; 2]);
        assert!(Group::of(&[&["24"]]).judge(&[]).is_empty());
    }

    #[test]
    fn a_record_that_was_written_twice_is_one() {
        assert_eq!(Group::of(&[&["24"]]).judge(&["24", "24"]), [Known, WrittenAgain]);
        let again = [Known, Known, WrittenAgain];
        assert_eq!(Group::of(&[&["24"], &["24"]]).judge(&["24"; 3]), again);
    }

    #[test]
    fn both_figures_of_a_record_that_was_revised_are_known() {
        assert_eq!(Group::of(&[&["24", "23.5"]]).judge(&["24", "23.5"]), [Known; 2]);
        assert_eq!(Group::of(&[&["24", "23.5"]]).judge(&["23.5"]), [Known]);
        let two = Group::of(&[&["24", "23.5"], &["24"]]);
        assert_eq!(two.judge(&["24", "23.5", "24"]), [Known; 3]);
        assert_eq!(two.judge(&["23.5", "24"]), [Known; 2]);
    }

    #[test]
    fn an_amount_that_was_never_captured_is_new_beside_one_that_was() {
        assert_eq!(Group::of(&[&["24"]]).judge(&["5", "24"]), [New, Known]);
        assert_eq!(Group::of(&[]).judge(&["24", "24"]), [New; 2]);
    }

    #[test]
    fn a_row_takes_the_place_of_a_captured_one_that_is_not_listed_any_more() {
        assert_eq!(Group::of(&[&["24"]]).judge(&["23.5"]), [Revises(record(0))]);
        let two = Group::of(&[&["24"], &["20"]]);
        assert_eq!(two.judge(&["24", "24"]), [Known, Revises(record(1))]);
        assert_eq!(two.judge(&["23", "19"]), [Revises(record(0)), Revises(record(1))]);
        assert_eq!(two.judge(&["23", "19", "1"])[2], New);
        let revised = Group::of(&[&["24", "23.5"], &["20"]]);
        assert_eq!(revised.judge(&["24", "23.5", "19"]), [Known, Known, Revises(record(1))]);
        assert_eq!(revised.judge(&["24", "23.5"]), [Revises(record(1)), Known]);
    }

    #[test]
    fn an_amount_that_comes_back_revises_its_record() {
        let mut group = Group::of(&[&["24", "23.5"]]);
        assert_eq!(group.judge(&["24"]), [Revises(record(0))]);
        assert_eq!((group.take(&["24"]), group.take(&["24"])), (1, 0));
        let group = Group::of(&[&["24", "23.5"], &["24"]]);
        assert_eq!(group.judge(&["24", "24"]), [Known, Revises(record(0))]);
    }

    #[test]
    fn what_was_captured_without_its_resource_is_told_by_its_number() {
        let mut group = Group::of(&[]);
        assert_eq!(group.take(&["24", "24"]), 2);
        // Half of a listing may have been stored.
        assert_eq!(group.judge(&["24", "24", "24"]), [Known, Known, New]);
    }

    const AMOUNTS: [&str; 4] = ["24", "23.5", "20", "5"];

    fn amounts(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<&'static str>> {
        prop::collection::vec(prop::sample::select(&AMOUNTS[..]), count)
    }

    proptest! {
        #[test]
        fn a_group_that_is_listed_again_gives_nothing_and_no_use_is_billed_that_is_not_listed(
            captured in prop::collection::vec(amounts(1..4), 0..5), rows in amounts(0..8)
        ) {
            let histories: Vec<&[&str]> = captured.iter().map(Vec::as_slice).collect();
            let mut group = Group::of(&histories);
            group.take(&rows);
            prop_assert_eq!(group.take(&rows), 0);
            // As far as there are rows for all, each record is billed by a row of its own.
            if rows.len() >= captured.len() {
                let (mut left, billed) = (rows.clone(), group.billed(&AMOUNTS));
                for amount in &billed {
                    let row = left.iter().position(|row| row == amount);
                    prop_assert!(row.is_some(), "{:?} of {:?}", billed, rows);
                    left.swap_remove(row.unwrap_or_default());
                }
            }
        }
    }
}
