//! Changes during a build, and records made of builds in the past.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ko_freshness::{Freshness, NotRecorded, Reason, Record};

use crate::rows::reason;
use crate::site::{MAIN, Site, checker, touch};

#[test]
fn changes_during_the_build() {
    let rows: [fn(&Site); 5] = [
        |site| site.write("app/internal/one/text.go", "package one\n\nconst text = \"two\"\n"),
        |site| site.write("app/internal/one/new.go", "package one\n"),
        |site| site.write("app/cmd/tool/static/new.txt", "new"),
        |site| touch(&site.at("lib/go.mod"), 1_000_000_000),
        |site| site.tree.write("goenv", "GOFLAGS=-tags=x"),
    ];
    for change in rows {
        let site = Site::new();
        let started = checker().begin_build();
        site.binary().unwrap();
        change(&site);
        let error = site.capture(started, None).unwrap_err();
        assert!(matches!(error, NotRecorded::DuringBuild { .. }), "{error}");
    }
    let site = Site::with_git();
    for change in [
        (|site| site.write("untracked", "")) as fn(&Site),
        |site| site.commit("during"),
        |site| _ = site.git(&["tag", "v1.0.0"]),
    ] {
        let site = site.copy();
        let started = checker().begin_build();
        site.binary().unwrap();
        change(&site);
        let error = site.capture(started, None).unwrap_err();
        assert!(matches!(error, NotRecorded::Repository), "{error}");
    }
}

#[test]
fn what_appears_and_goes_during_the_build() {
    let work = "go 1.24\n\nuse (\n\t./app\n\t./lib\n)\n";
    let list = "# example.com/lib v1.0.0 => ../lib\n## explicit; go 1.24\nexample.com/lib\n\
                # example.com/lib => ../lib\n";
    let lib = "package lib\n\nfunc Text() string { return \"vendored\" }\n";
    let rows: [(&str, Vec<(&str, String)>); 3] = [
        ("w/go.work", vec![("w/go.work", work.to_owned())]),
        // Above the checkout, where only the binary tells.
        ("go.work", vec![("go.work", work.replace("./", "./w/"))]),
        (
            "w/app/vendor",
            vec![
                ("w/app/vendor/modules.txt", list.to_owned()),
                ("w/app/vendor/example.com/lib/lib.go", lib.to_owned()),
            ],
        ),
    ];
    for (place, files) in rows {
        let site = Site::new();
        let started = checker().begin_build();
        for (name, content) in &files {
            site.tree.write(name, content);
        }
        site.binary().unwrap();
        let place = site.tree.join(place);
        fs::remove_dir_all(&place).or_else(|_| fs::remove_file(&place)).unwrap();
        let error = site.capture(started, None).unwrap_err();
        let seen = matches!(error, NotRecorded::DuringBuild { .. } | NotRecorded::Modules);
        assert!(seen, "{}: {error}", place.display());
    }
}

/// Two edits of one size, and a build, within a clock tick.
#[test]
fn a_build_within_a_tick_of_an_edit_is_recorded() {
    const FILE: &str = "app/internal/one/text.go";
    let site = Site::new();
    let text = |word: &str| format!("package one\n\nconst text = \"{word}\"\n");
    site.write(FILE, &text("two"));
    site.write(FILE, &text("six"));
    let started = checker().begin_build();
    let binary = site.binary().unwrap();
    let (record, _) = site.capture(started, None).unwrap();
    assert!(matches!(site.check(&record), Freshness::Fresh(Some(_))), "the content was compared");
    // Whatever the times say.
    site.write(FILE, &text("ten"));
    let changed = format!("{FILE} has changed");
    for record in [&record, &with_stat_of(&record, "\"text.go\"", &site.at(FILE))] {
        let said = reason(&site.check(record));
        assert!(said.ends_with(&changed), "{said}");
    }
    assert!(site.binary().unwrap() != binary);
    // What comes just after the beginning is not what the build saw, perhaps.
    let started = checker().begin_build();
    site.write(FILE, &text("one"));
    site.binary().unwrap();
    let error = site.capture(started, None).unwrap_err();
    assert!(matches!(error, NotRecorded::DuringBuild { .. }), "{error}");
}

/// The record, as if it had been made when the file had the times of now.
fn with_stat_of(record: &Record, name: &str, file: &Path) -> Record {
    let text = serde_json::to_string(record).unwrap();
    let (_, now) = stat::follow(file).unwrap().unwrap();
    let now = serde_json::to_string(&now).unwrap();
    let entry = text.find(&format!("[{name},")).unwrap();
    let start = entry + text[entry..].find("[[").unwrap() + 1;
    let end = start + text[start..].find(']').unwrap() + 1;
    serde_json::from_str(&format!("{}{now}{}", &text[..start], &text[end..])).unwrap()
}

#[test]
fn records_are_read_back() {
    let site = Site::with_git();
    let (record, _) = site.record().unwrap();
    let text = serde_json::to_string(&record).unwrap();
    let read: Record = serde_json::from_str(&text).unwrap();
    assert_eq!(read, record);
    assert_eq!(record.layer(), "sha256:0");
    assert!(!text.contains(site.at("app").to_str().unwrap()), "no path of the checkout: {text}");
    assert_eq!(record.repository(&site.settings), Some(site.at(".").components().collect()));
    let other = text.replacen("\"format\":3", "\"format\":4", 1);
    let other: Record = serde_json::from_str(&other).unwrap();
    assert_eq!(site.check(&other), Freshness::Stale(Reason::NoRecord));
}

#[test]
fn a_build_in_the_past_is_fresh_by_stats() {
    let site = Site::new();
    let (record, _) = site.record().unwrap();
    // As if it had been looked at a minute later: all is settled.
    let text = serde_json::to_string(&record).unwrap();
    let at = text.find("\"looked\":").unwrap() + 9;
    let end = at + text[at..].find(',').unwrap();
    let looked: i64 = text[at..end].parse().unwrap();
    let later = looked + i64::try_from(Duration::from_secs(60).as_nanos()).unwrap();
    let settled: Record =
        serde_json::from_str(&format!("{}{later}{}", &text[..at], &text[end..])).unwrap();
    assert_eq!(site.check(&settled), Freshness::Fresh(None));
    site.write("app/cmd/tool/main.go", &MAIN.replace("unset", "reset"));
    let said = reason(&site.check(&settled));
    assert!(said.contains("cmd/tool/main.go has changed"), "{said}");
}
