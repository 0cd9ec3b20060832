//! Power is lost at every change that a repair makes; begun again, it comes to the same end.

use crate::site::{FOLDER, Site, file, whole};

type Hurt = fn(&Site);

const HURTS: [(&str, Hurt); 6] = [
    ("a damaged batch", |site| assert!(site.disk.flip(file(0, "log"), 100, 1))),
    ("a wrong offset", |site| assert!(site.disk.flip(file(0, "log"), 7, 1))),
    ("a missing segment", |site| site.remove(file(6, "log"))),
    ("a missing manifest", |site| site.remove(format!("{FOLDER}/events/stream.json"))),
    ("a damaged table", |site| {
        assert!(site.disk.flip(format!("{FOLDER}/__cursors/{:020}.log", 0), 65, 1));
    }),
    ("damaged positions", |site| {
        assert!(site.disk.flip(format!("{FOLDER}/__positions/{:020}.log", 0), 65, 1));
    }),
];

#[test]
fn a_repair_that_loses_power_anywhere_is_simply_begun_again() {
    for (what, hurt) in HURTS {
        let site = Site::new();
        hurt(&site);
        site.repair();
        let (expected, kept) = (site.read(), everything_kept(&site));
        assert!(expected.len() + 3 > whole().len());
        for step in 1.. {
            let site = Site::new();
            hurt(&site);
            site.disk.power_off_after(step);
            let first = site.try_repair();
            site.disk.restart();
            let is_over = first.is_ok();
            site.repair();
            assert_eq!(site.read(), expected, "{what}, power lost at change {step}");
            let now = everything_kept(&site);
            for one in &kept {
                assert!(now.contains(one), "{what}, change {step}: {one:?} was not kept");
            }
            if is_over {
                break;
            }
        }
    }
}

/// The contents of all that was kept aside.
fn everything_kept(site: &Site) -> Vec<Vec<u8>> {
    let streams = ["events", "__cursors", "__positions"].into_iter();
    let names = streams.flat_map(|stream| {
        let named = move |name| format!("{FOLDER}/{stream}/damaged/{name}");
        site.kept(stream).into_iter().map(named)
    });
    names.map(|path| site.bytes(path)).collect()
}
