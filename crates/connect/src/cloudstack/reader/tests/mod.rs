//! Whatever a list does while it is read, the log holds every event once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;
mod projects;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use pluvio_log::{
    Log as _, LogHandle, Memory, MemoryConfig, Position, ReadLimit, Record, Seek, SourceName,
    StreamName,
};
use pluvio_runtime::{Resumable as _, supervise::PULLS_ON_THE_WAY};
use proptest::prelude::*;

use self::model::{Fact, Model, START, Zone};
use super::{
    super::{people::People, redact::Redaction},
    *,
};

const OVERLAP_S: i64 = 100;
const SWEEP_S: i64 = 300;
const REACH_S: i64 = 2000;

/// A cloud, a log, and a reader between them.
struct Site {
    model: Model,
    log: LogHandle,
    reader: Option<Reader<Model>>,
    kept: Option<Slices>,
    rules: Rules,
    polled_at: i64,
}

fn name() -> SourceName {
    SourceName::new("cloud").unwrap()
}

fn rules() -> Rules {
    let source = "https://cloud.example.org/client/api".to_owned();
    Rules {
        mapping: Mapping { source, redaction: Redaction::default(), people: People::default() },
        overlap_s: OVERLAP_S,
        sweep_s: SWEEP_S,
        reach_s: REACH_S,
        purge_s: 15 * 86_400,
    }
}

impl Site {
    async fn of(model: Model) -> Self {
        Self::with_ids(model, MemoryConfig::default().ids_max).await
    }

    /// With a log that remembers so many ids.
    async fn with_ids(model: Model, ids_max: usize) -> Self {
        let log = LogHandle::new(Memory::new(MemoryConfig { ids_max, ..MemoryConfig::default() }));
        log.open(&StreamName::events()).await.unwrap();
        Self { model, log, reader: None, kept: None, rules: rules(), polled_at: i64::MIN }
    }

    async fn position(&self) -> Option<Position> {
        self.log.positions(&StreamName::events()).await.unwrap().remove(&name())
    }

    /// Connects from where the log says.
    async fn connect(&mut self) {
        let position = self.position().await;
        let place = match &position {
            Some(position) => Place::parse(position).unwrap(),
            None => Place::first(&self.rules.mapping.source, "0a1b2c", self.model.now()),
        };
        let history = History::new(self.log.clone(), StreamName::events(), name());
        let is_resumed = position.is_some();
        if !is_resumed {
            let begin = place.position().unwrap();
            self.log.checkpoint(&StreamName::events(), &name(), begin).await.unwrap();
        }
        let model = self.model.clone();
        let kept = self.kept.take();
        self.reader =
            Some(Reader::new(model, self.rules.clone(), place, is_resumed, history, kept).unwrap());
    }

    /// One pull: whatever is due now.
    async fn pull(&mut self) -> Vec<Record> {
        let reader = self.reader.as_mut().unwrap();
        reader.next_pull();
        loop {
            let step = async {
                if reader.is_walking() {
                    return reader.walk().await.map(Some);
                }
                if self.polled_at < self.model.second() {
                    let records = reader.poll().await?;
                    self.polled_at = self.model.second();
                    return Ok(Some(records));
                }
                reader.late().await
            };
            match step.await {
                Ok(None) => return Vec::new(),
                Ok(Some(records)) if records.is_empty() => {}
                Ok(Some(records)) => return records,
                Err(error) => assert!(error.is_race(), "{error}"),
            }
        }
    }

    async fn append(&self, records: Vec<Record>) {
        assert!(records.windows(2).all(|pair| time_of(&pair[0]) <= time_of(&pair[1])));
        self.log.append(&StreamName::events(), records).await.unwrap();
    }

    /// Reads until nothing is due.
    async fn read(&mut self) {
        loop {
            let records = self.pull().await;
            if records.is_empty() {
                return;
            }
            self.append(records).await;
        }
    }

    /// Lets time pass, reading every so often.
    async fn live(&mut self, seconds: i64, every_s: i64) {
        let end = self.model.second() + seconds;
        while self.model.second() < end {
            self.model.advance(every_s);
            self.read().await;
        }
    }

    /// How often each id is in the log.
    async fn captured(&self) -> BTreeMap<String, usize> {
        let stream = StreamName::events();
        let mut from = self.log.seek(&stream, Seek::Start).await.unwrap();
        let mut ids = BTreeMap::new();
        loop {
            let chunk = self.log.read(&stream, from, ReadLimit::default()).await.unwrap();
            if chunk.is_empty() {
                return ids;
            }
            for record in chunk.records() {
                let event = record.event().unwrap();
                if event.event_type() != "pluvio.gap.v0" {
                    *ids.entry(event.id().to_owned()).or_default() += 1;
                } else {
                    *ids.entry("gap".to_owned()).or_default() += 1;
                }
            }
            from = chunk.next;
        }
    }

    async fn holds_all_once(&self) -> Result<(), TestCaseError> {
        let captured = self.captured().await;
        let expected = self.model.ids();
        let ids: BTreeSet<_> = captured.keys().cloned().collect();
        let missing: Vec<_> = expected.difference(&ids).collect();
        let more: Vec<_> = ids.difference(&expected).collect();
        let twice: Vec<_> = captured.iter().filter(|(_, count)| **count > 1).collect();
        prop_assert!(missing.is_empty(), "missing {missing:?}");
        prop_assert!(more.is_empty(), "never produced {more:?}");
        prop_assert!(twice.is_empty(), "twice {twice:?}");
        Ok(())
    }
}

fn time_of(record: &Record) -> Timestamp {
    Place::parse(&record.position).unwrap().time
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// An event created within ten minutes of the start, visible at most that late.
fn fact(late_s_max: i64) -> impl Strategy<Value = Fact> {
    let late = prop_oneof![4 => Just(0), 2 => 0..=3_i64, 1 => 0..=late_s_max];
    let archived = prop_oneof![5 => Just(None), 1 => (0..300_i64).prop_map(Some)];
    let fact = (0..600_i64, late, any::<bool>(), any::<bool>(), archived);
    fact.prop_map(|(created, late, project, own, archived)| {
        // A step of seven makes bursts within a second.
        let created = START + created / 7 * 7;
        let visible = created + late;
        let archived = archived.map(|after| visible + after);
        Fact { created, visible, project, own: own && !project, archived, is_unread: false }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_event_is_captured_once_however_late_within_the_overlap(
        facts in proptest::collection::vec(fact(OVERLAP_S), 0..120),
        every_s in 1..40_i64,
        page_rows in 2..40_u32,
        projects in projects::any(),
        shift in 0..2_usize,
        races in 0..3_u32,
    ) {
        run(async {
            let model = Model::of(facts, page_rows).with_projects(projects);
            model.shifting(shift, 60);
            let mut site = Site::of(model).await;
            site.connect().await;
            site.model.race_each(races * 101);
            site.live(600 + 3 * OVERLAP_S, every_s).await;
            site.holds_all_once().await
        })?;
    }

    #[test]
    fn an_event_that_appears_within_the_reach_is_found_by_a_sweep(
        facts in proptest::collection::vec(fact(REACH_S - SWEEP_S), 0..60),
        every_s in 5..60_i64,
    ) {
        run(async {
            let mut site = Site::of(Model::of(facts, 20)).await;
            site.connect().await;
            site.live(600 + REACH_S + 2 * SWEEP_S, every_s).await;
            site.holds_all_once().await
        })?;
    }

    #[test]
    fn any_prefix_of_records_is_a_place_to_resume_from(
        facts in proptest::collection::vec(fact(OVERLAP_S), 1..120),
        every_s in 1..30_i64,
        cuts in proptest::collection::vec((1..200_i64, 0..100_usize, any::<bool>()), 1..8),
        down_s in 0..90_i64,
    ) {
        run(async {
            let mut site = Site::of(Model::of(facts, 10)).await;
            site.connect().await;
            for (after_s, percent, is_process_alive) in cuts {
                site.live(after_s, every_s).await;
                site.model.advance(every_s);
                // Of this pull a part gets into the log; others are on their way, and one is being asked for.
                let mut records = site.pull().await;
                records.truncate(records.len() * percent / 100);
                site.append(records).await;
                for _ in 0..PULLS_ON_THE_WAY {
                    site.pull().await;
                }
                let reader = site.reader.take().unwrap();
                site.kept = is_process_alive.then(|| reader.into_certain());
                site.model.advance(down_s);
                site.connect().await;
            }
            site.live(600 + 3 * OVERLAP_S, every_s).await;
            site.holds_all_once().await
        })?;
    }
}

#[test]
fn late_events_of_all_pulls_that_were_not_stored_are_found_by_the_next_sweep() {
    run(async {
        // Until just before the third sweep, so that the next connection is one of moments later.
        let steady = (0..880).map(|n| Fact::at(START + n));
        // Far enough from each other to be of a pull each.
        let late = (0..=PULLS_ON_THE_WAY as i64)
            .map(|n| Fact { visible: START + 891, ..Fact::at(START + 45 + n * 200) });
        let mut site = Site::of(Model::of(steady.chain(late).collect(), 10)).await;
        site.connect().await;
        site.live(890, 5).await;
        let mut unstored = 0;
        while unstored <= PULLS_ON_THE_WAY {
            if site.pull().await.is_empty() {
                assert_eq!(unstored, 0, "one sweep finds them all");
                site.model.advance(5);
            } else {
                unstored += 1;
            }
        }
        site.kept = site.reader.take().map(Reader::into_certain);
        site.connect().await;
        site.live(SWEEP_S, 5).await;
        site.holds_all_once().await.unwrap();
    });
}

#[test]
fn a_burst_larger_than_a_pull_within_one_second_is_captured() {
    run(async {
        let burst = (0..5000).map(|_| Fact::at(START + 50));
        let site_facts = burst.chain((0..300).map(|n| Fact::at(START + n)));
        let mut site = Site::of(Model::of(site_facts.collect(), 500)).await;
        site.connect().await;
        site.live(600, 10).await;
        site.holds_all_once().await.unwrap();
    });
}

#[test]
fn an_event_that_is_a_few_seconds_late_is_captured_by_the_next_poll() {
    for zone in [Zone::Offsets, Zone::SummerEnds] {
        run(async {
            let steady = (0..600).map(|n| Fact::at(START + n / 5));
            let late = Fact { visible: START + 83, ..Fact::at(START + 80) };
            let model = Model::of(steady.chain([late]).collect(), 500).in_zone(zone);
            let mut site = Site::of(model).await;
            site.connect().await;
            site.live(82, 1).await;
            assert_eq!(site.captured().await.len(), 82 * 5 + 5, "not there yet");
            site.live(1, 1).await;
            assert_eq!(site.captured().await.len(), 83 * 5 + 6);
        });
    }
}

#[test]
fn a_backlog_is_read_oldest_first_in_slices_and_each_is_given_on() {
    run(async {
        let facts = (0..9000).map(|n| Fact::at(START + n / 10));
        let mut site = Site::of(Model::of(facts.collect(), 500)).await;
        site.connect().await;
        site.reader = None;
        site.model.advance(2000);
        site.connect().await;
        let mut pulls = 0;
        let mut last = Timestamp::MIN;
        loop {
            let records = site.pull().await;
            let Some(record) = records.first() else { break };
            assert!(records.len() <= 2000, "{}", records.len());
            assert!(record.event.time().unwrap() >= last, "oldest first");
            last = records.last().unwrap().event.time().unwrap();
            pulls += 1;
            site.append(records).await;
        }
        assert!(pulls >= 5, "{pulls}");
        site.holds_all_once().await.unwrap();
        assert_eq!(site.captured().await.get("gap"), None);
    });
}

#[test]
fn a_row_that_is_deleted_while_its_slice_is_paged_through_hides_none_that_is_left() {
    for each in [1, 2, 3, 7] {
        run(async {
            // Longer ago than any sweep looks.
            let facts = (0..6000).map(|n| Fact::at(START + n / 10));
            let mut site = Site::of(Model::of(facts.collect(), 500)).await;
            site.connect().await;
            site.reader = None;
            site.model.advance(10 * 86_400);
            site.model.delete_each(each);
            site.connect().await;
            site.read().await;
            assert!(site.model.deleted() > 0, "each {each}");
            let captured = site.captured().await;
            assert!(captured.values().all(|times| *times == 1), "each {each}");
            let missing: Vec<_> =
                site.model.ids().into_iter().filter(|id| !captured.contains_key(id)).collect();
            assert_eq!(missing, [""; 0], "each {each}, of {} deleted", site.model.deleted());
        });
    }
}

#[test]
fn what_a_log_may_have_forgotten_is_not_captured_again_and_what_is_newer_is_captured() {
    run(async {
        let old = (0..1000).map(|n| Fact { is_unread: n % 7 == 0, ..Fact::at(START + n / 4) });
        // Of seconds in which the cloud is asked, and listed only afterwards.
        let late = (330..390).map(|s| Fact { visible: START + s + 1, ..Fact::at(START + s) });
        let facts = old.chain(late);
        let mut site = Site::with_ids(Model::of(facts.collect(), 500), 100).await;
        site.connect().await;
        site.live(200, 20).await;
        for _ in 0..4 {
            // With nothing in memory of what was captured.
            (site.reader, site.kept) = (None, None);
            site.model.advance(10);
            site.connect().await;
            site.live(20, 5).await;
        }
        site.live(100, 1).await;
        site.holds_all_once().await.unwrap();
    });
}

#[test]
fn a_log_that_cannot_be_asked_in_the_middle_of_a_walk_is_told_and_no_row_is_passed_over() {
    run(async {
        let facts = (0..9000).map(|n| Fact::at(START + n / 10));
        let mut site = Site::of(Model::of(facts.collect(), 500)).await;
        site.connect().await;
        site.reader = None;
        site.model.advance(2000);
        site.connect().await;
        let records = site.pull().await;
        site.append(records).await;
        let reader = site.reader.as_mut().unwrap();
        let nowhere = StreamName::new("nowhere").unwrap();
        reader.ledger.history = History::new(site.log.clone(), nowhere, name());
        let told = loop {
            match reader.walk().await {
                Ok(records) => assert!(records.is_empty(), "given on before the log was asked"),
                Err(error) => break error,
            }
        };
        assert!(matches!(told, Error::History(_)), "{told}");
        site.connect().await;
        site.read().await;
        site.holds_all_once().await.unwrap();
    });
}

#[test]
fn an_event_that_its_server_cannot_show_costs_only_itself_and_comes_when_it_can() {
    run(async {
        let facts = (0..600).map(|n| Fact::at(START + n));
        let poison = START + 300;
        let mut site = Site::of(Model::of(facts.collect(), 50)).await;
        site.model.poison(poison, true);
        site.connect().await;
        site.reader = None;
        site.model.advance(700);
        site.connect().await;
        site.live(400, 5).await;
        let captured = site.captured().await;
        assert_eq!(captured.get("gap"), Some(&1), "told once");
        assert_eq!(captured.len(), 600, "all but that one, and the gap event");
        site.model.poison(poison, false);
        site.live(2 * SWEEP_S, 5).await;
        let captured = site.captured().await;
        assert_eq!(captured.len(), 601);
        assert!(captured.values().all(|count| *count == 1));
    });
}

#[test]
fn an_event_that_cannot_be_shown_just_now_keeps_none_out_that_comes_later() {
    run(async {
        let facts = (0..300).map(|n| Fact::at(START + n));
        let mut site = Site::of(Model::of(facts.collect(), 50)).await;
        site.connect().await;
        site.model.poison(START + 150, true);
        site.live(400, 1).await;
        let captured = site.captured().await;
        assert_eq!(captured.keys().filter(|id| *id != "gap").count(), 299);
        site.model.poison(START + 150, false);
        site.live(2 * SWEEP_S, 5).await;
        let captured = site.captured().await;
        assert_eq!(captured.keys().filter(|id| *id != "gap").count(), 300);
        assert!(captured.values().all(|count| *count == 1), "{captured:?}");
    });
}

#[test]
fn a_server_that_fails_over_much_time_is_asked_for_less() {
    run(async {
        let facts = (0..2000).map(|n| Fact::at(START + n));
        let mut site = Site::of(Model::of(facts.collect(), 500)).await;
        site.model.widest(120);
        site.connect().await;
        site.reader = None;
        site.model.advance(2100);
        site.connect().await;
        site.live(700, 5).await;
        site.holds_all_once().await.unwrap();
    });
}

#[test]
fn a_purge_that_passed_us_leaves_one_gap_event() {
    run(async {
        let facts = (0..100).map(|n| Fact::at(START + n * 10));
        let mut site = Site::of(Model::of(facts.collect(), 500)).await;
        site.connect().await;
        site.live(500, 5).await;
        site.reader = None;
        site.model.advance(400);
        site.model.purge_before(START + 800);
        for _ in 0..2 {
            site.connect().await;
            site.live(200, 5).await;
        }
        let captured = site.captured().await;
        assert_eq!(captured.get("gap"), Some(&1));
        assert!(captured.len() > 60, "what is left was read: {}", captured.len());
    });
}

#[test]
fn a_quiet_cloud_that_was_not_asked_for_longer_than_it_keeps_events_leaves_a_gap_event() {
    run(async {
        let mut site = Site::of(Model::of(Vec::new(), 500)).await;
        site.connect().await;
        site.live(100, 5).await;
        for (days, gaps) in [(14, None), (16, Some(&1))] {
            site.reader = None;
            site.model.advance(days * 86_400);
            site.connect().await;
            site.live(10, 5).await;
            let place = site.reader.as_ref().unwrap().ledger.place.position().unwrap();
            site.log.checkpoint(&StreamName::events(), &name(), place).await.unwrap();
            assert_eq!(site.captured().await.get("gap"), gaps, "after {days} days");
        }
    });
}

#[test]
fn a_place_from_which_nothing_was_read_yet_tells_no_loss_however_old_it_is() {
    run(async {
        let days = |days: i64| START + days * 86_400;
        let facts = (0..3000).map(|n| Fact::at(days(35) + n)).collect();
        let mut site = Site::of(Model::of(facts, 500)).await;
        // A first start with a `begin` beyond what the cloud keeps: it ends as soon as the place is noted,
        // and another one before it comes to the first event.
        site.connect().await;
        site.model.advance(40 * 86_400);
        site.connect().await;
        for _ in 0..3 {
            let reader = site.reader.as_mut().unwrap();
            assert!(reader.walk().await.unwrap().is_empty());
            let place = reader.ledger.place.position().unwrap();
            site.log.checkpoint(&StreamName::events(), &name(), place).await.unwrap();
        }
        site.connect().await;
        site.live(100, 5).await;
        let captured = site.captured().await;
        assert_eq!((captured.get("gap"), captured.len()), (None, 3000));
    });
}

#[test]
fn a_list_that_ends_with_a_full_page_is_whole_though_the_page_behind_it_counts_nothing() {
    run(async {
        for events in [99, 100, 101] {
            let facts = (0..events).map(|n| Fact::at(START + n)).collect();
            let mut site = Site::of(Model::of(facts, 50)).await;
            site.model.advance(200);
            site.connect().await;
            let reader = site.reader.as_mut().unwrap();
            let (span, lists) = (Span { from: START, to: START + 200 }, reader.all_lists());
            let Found::Whole(rows, listed) = reader.list(span, lists, Ask::Counts).await.unwrap()
            else {
                unreachable!("they are few")
            };
            assert_eq!((rows.len() as i64, listed.said as i64), (events, events));
            assert!(listed.is_whole, "{events}");
        }
    });
}

#[test]
fn a_server_that_miscounts_costs_questions_and_no_event() {
    run(async {
        for by in [-3, 2] {
            let facts = (0..600).map(|n| Fact::at(START + n));
            let mut site = Site::of(Model::of(facts.collect(), 500)).await;
            site.model.miscount(by);
            site.connect().await;
            site.live(600 + 3 * OVERLAP_S, 3).await;
            site.holds_all_once().await.unwrap();
        }
    });
}

#[test]
fn the_hours_in_which_summer_time_begins_and_ends_lose_nothing_by_wall_clock() {
    for zone in [Zone::SummerBegins, Zone::SummerEnds] {
        run(async {
            // Those from before the beginning are not ours.
            let facts = (-3600..14_400).step_by(13).map(|n| Fact::at(START + n));
            let late = (0..14_400)
                .step_by(371)
                .map(|n| Fact { visible: START + n + OVERLAP_S, ..Fact::at(START + n) });
            let model = Model::of(facts.chain(late).collect(), 100).in_zone(zone);
            let mut site = Site::of(model).await;
            site.rules.reach_s = 40_000;
            site.connect().await;
            site.live(14_400 + 3 * 4200, 20).await;
            site.holds_all_once().await.unwrap();
        });
    }
}

#[test]
fn a_walk_says_which_pages_come_next_and_asks_for_hardly_one_in_vain() {
    run(async {
        let facts = (0..40_000).map(|n| Fact::at(START + n / 10));
        let mut site = Site::of(Model::of(facts.collect(), 500)).await;
        site.connect().await;
        site.reader = None;
        site.model.advance(5000);
        site.connect().await;
        let before = site.model.cost();
        site.read().await;
        let cost = site.model.cost();
        let (calls, early) = (cost.calls - before.calls, cost.early);
        assert!(early * 10 >= calls * 8, "{early} of {calls} were told ahead");
        assert!(cost.rows - before.rows <= 42_000, "{cost:?}");
        site.holds_all_once().await.unwrap();
    });
}

#[test]
fn a_walk_that_is_halved_where_the_hour_that_occurs_twice_begins_skips_none_of_it() {
    run(async {
        let facts = (0..7187).map(|n| Fact::at(START + n));
        let model = Model::of(facts.collect(), 100).in_zone(Zone::SummerEnds);
        let mut site = Site::of(model).await;
        site.connect().await;
        site.reader = None;
        // The hour begins after 3,593 seconds, and the walk a second before the first event.
        site.model.advance(7186);
        site.connect().await;
        site.read().await;
        site.holds_all_once().await.unwrap();
    });
}

#[test]
fn a_restart_in_the_hour_that_occurs_twice_loses_nothing() {
    run(async {
        let facts = (0..14_400).step_by(13).map(|n| Fact::at(START + n));
        let model = Model::of(facts.collect(), 100).in_zone(Zone::SummerEnds);
        let mut site = Site::of(model).await;
        site.rules.reach_s = 40_000;
        site.connect().await;
        for _ in 0..16 {
            site.live(900, 20).await;
            site.reader = None;
            site.connect().await;
        }
        site.live(3 * 4200, 20).await;
        site.holds_all_once().await.unwrap();
    });
}

/// A cloud in which ten events happen each second, some of them seen late.
fn ten_a_second(seconds: i64) -> Model {
    let late = |n| match n % 500 {
        0 => 60,
        7 | 107 | 207 | 307 | 407 => 2,
        _ => 0,
    };
    let facts = (0..seconds * 10)
        .map(|n| Fact { visible: START + n / 10 + late(n), ..Fact::at(START + n / 10) });
    Model::of(facts.collect(), 500)
}

#[test]
fn ten_events_a_second_cost_the_cloud_at_most_eight_rows_each() {
    run(async {
        // A day in small: reach and sweep half an hour and five minutes, all else as it is.
        let seconds = 3600;
        let mut site = Site::of(ten_a_second(seconds)).await;
        let rules = rules();
        site.rules = Rules { overlap_s: 600, sweep_s: 300, reach_s: 1800, ..rules };
        site.connect().await;
        site.live(seconds, 1).await;
        let (cost, captured) = (site.model.cost(), site.captured().await.len() as u64);
        assert!(cost.rows <= captured * 8, "{cost:?} for {captured} events");
        assert!(cost.calls <= captured, "{cost:?} for {captured} events");
        assert!(site.reader.unwrap().slices.len() < 60);
    });
}

#[test]
#[ignore = "takes a minute: cargo test --release -p pluvio-connect --lib a_whole_day -- --ignored --nocapture"]
fn a_whole_day_of_ten_events_a_second_costs_the_cloud_at_most_eight_rows_each() {
    run(async {
        let seconds = 86_400;
        let mut site = Site::of(ten_a_second(seconds)).await;
        site.rules = Rules { overlap_s: 600, sweep_s: 3600, reach_s: 86_400, ..rules() };
        site.connect().await;
        site.live(seconds, 1).await;
        let stored = |site: &Site| {
            u64::try_from(site.log.extent(&StreamName::events()).unwrap().next.get()).unwrap()
        };
        let (cost, captured) = (site.model.cost(), stored(&site));
        let (rows, calls) = (cost.rows as f64 / captured as f64, cost.calls / 24);
        let said = format!("{captured} events, {rows:.2} rows each, {calls} calls an hour\n");
        std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes()).unwrap();
        // What the last minutes showed late is found by the next checks.
        site.live(1200, 1).await;
        assert_eq!(stored(&site), site.model.ids().len() as u64, "each once");
        assert!(cost.rows <= captured * 8, "{cost:?} for {captured} events");
    });
}
