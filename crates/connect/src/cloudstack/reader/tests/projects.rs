//! What the list of projects holds beside them differs by release and by who asks; nothing is lost by it, and
//! little is read twice.

use super::{model::Projects, *};

/// What a list of projects may hold.
pub(super) fn any() -> impl Strategy<Value = Projects> {
    prop_oneof![Just(Projects::Only), Just(Projects::All), Just(Projects::AndOwn)]
}

#[test]
fn a_server_whose_list_of_projects_holds_everything_is_caught_up_with_by_that_list_alone() {
    run(async {
        let facts = (0..10_000).map(|n| Fact { project: n % 3 == 0, ..Fact::at(START + n) });
        let mut site = Site::of(Model::of(facts.collect(), 500).with_projects(Projects::All)).await;
        site.connect().await;
        site.model.advance(10_000 + OVERLAP_S);
        site.connect().await;
        site.live(1, 1).await;
        site.holds_all_once().await.unwrap();
        let rows = site.model.cost().rows;
        assert!((10_000..14_000).contains(&rows), "{rows} rows were listed for 10,000 events");
    });
}

#[test]
fn what_a_domains_administrator_did_is_no_proof_that_the_list_of_projects_holds_everything() {
    run(async {
        // First two slices of nothing but his own, then what others did.
        let facts = (0..6_000).map(|n| Fact { own: n < 4_000, ..Fact::at(START + n) });
        let model = Model::of(facts.collect(), 500).with_projects(Projects::AndOwn);
        let mut site = Site::of(model).await;
        site.connect().await;
        site.model.advance(6_000 + OVERLAP_S);
        site.connect().await;
        site.live(1, 1).await;
        site.holds_all_once().await.unwrap();
    });
}
