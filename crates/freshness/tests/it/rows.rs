//! Rows of changes: what each is, and what comes of it. Each changes a copy of a
//! workspace that was built, looks at what the check says, and where that is a
//! rebuild, at what `go build` makes of it.

use ko_freshness::Freshness;

use crate::site::Site;

/// What a change comes to.
pub(crate) enum Want {
    /// It changes nothing that counts; the binary is the same.
    Fresh,
    /// A rebuild for a reason with these words, and another binary.
    Other(&'static str),
    /// A rebuild that would not have been needed: the binary is the same.
    Same(&'static str),
    /// A rebuild that fails.
    Fails(&'static str),
}
pub(crate) type Row = (&'static str, fn(&mut Site), Want);

pub(crate) fn reason(freshness: &Freshness) -> String {
    match freshness {
        Freshness::Fresh(_) => "fresh".to_owned(),
        Freshness::Stale(reason) => reason.to_string(),
    }
}

pub(crate) fn check_rows(site: &Site, rows: &[Row]) {
    let (record, binary) = site.record().unwrap();
    assert_eq!(reason(&site.check(&record)), "fresh");
    let portable = site.portable(&record);
    for (name, change, want) in rows {
        let mut copy = site.copy();
        let before = copy.check(&record);
        assert_eq!(reason(&before), "fresh", "{name}: before the change");
        // What comes back has the stats of the copy, and is no longer
        // compared by content alone.
        let Freshness::Fresh(Some(moved)) = before else { panic!("{name}: {before:?}") };
        change(&mut copy);
        let now = reason(&copy.check(&moved));
        assert_eq!(reason(&copy.check(&record)), now, "{name}: by content");
        if let Some(portable) = &portable {
            assert_eq!(reason(&copy.check(portable)), now, "{name}: of another machine");
        }
        let built = copy.binary();
        use Want::{Fails, Fresh, Other, Same};
        match want {
            Fresh => {
                assert_eq!(now, "fresh", "{name}");
                assert!(built.unwrap() == binary, "{name}: the binary is another one");
            }
            Other(words) => {
                assert!(now.contains(words), "{name}: {now}");
                assert!(built.unwrap() != binary, "{name}: the binary is the same");
            }
            Same(words) => {
                assert!(now.contains(words), "{name}: {now}");
                assert!(built.unwrap() == binary, "{name}: the binary is another one");
            }
            Fails(words) => {
                assert!(now.contains(words), "{name}: {now}");
                assert!(built.is_err(), "{name}: it builds");
            }
        }
    }
}
