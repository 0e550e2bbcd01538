//! Records of other machines. What changes in a checkout is in `rows`: there, each
//! change is also checked with the record of another machine.

use ko_freshness::{Freshness, NotPortable};

use crate::rows::{Want, check_rows, reason};
use crate::site::Site;

/// A workspace whose stamp the module cache does not decide about.
fn site() -> Site {
    let mut site = Site::with_git();
    site.settings.environment.set("GOPROXY", "file:///nowhere");
    site
}

#[test]
fn stamps() {
    check_rows(
        &site(),
        &[
            ("commit", |site| site.commit("second"), Want::Other("the commit was")),
            ("tag", |site| _ = site.git(&["tag", "v1.1.0"]), Want::Same("tags")),
            ("file", |site| site.write("new.txt", "new"), Want::Other("changes")),
        ],
    );
}

/// What comes back is as good as what was recorded here.
#[test]
fn a_checked_record_is_one_of_this_machine() {
    let site = site();
    let (record, _) = site.record().unwrap();
    let copy = site.copy();
    let Freshness::Fresh(Some(here)) = copy.check(&site.portable(&record).unwrap()) else {
        panic!("it is not fresh");
    };
    assert_eq!(reason(&copy.check(&here)), "fresh");
    assert_eq!(here.portable(&copy.go), record.portable(&site.go));
    site.write("app/internal/one/text.go", "package one\n\nconst text = \"two\"\n");
    assert!(reason(&site.check(&here)).contains("text.go"));
}

#[test]
fn what_is_outside_of_the_checkout_stays_here() {
    let mut site = site();
    let profile = site.tree.join("cpu.pprof");
    std::fs::write(&profile, "").unwrap();
    site.settings.flags.push(format!("-pgo={}", profile.display()));
    let (record, _) = site.record().unwrap();
    assert_eq!(record.portable(&site.go), Err(NotPortable::Outside { path: profile }));
    site.settings.flags.clear();
    site.settings.environment.set("CGO_ENABLED", "1");
    let (record, _) = site.record().unwrap();
    assert!(matches!(record.portable(&site.go), Err(NotPortable::Uncacheable(_))));
}
