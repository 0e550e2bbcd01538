//! Places whose changes make a build stale, for callers that follow them.

use std::fs;
use std::os::unix::fs::symlink;

use cancel::Cancel;
use ko_freshness::{Places, Weight};

use crate::site::Site;

#[test]
fn places_of_a_record_and_of_its_repository() {
    let site = Site::with_git();
    fs::rename(site.at("app/internal/one/text.go"), site.at("text.txt")).unwrap();
    symlink("../../../text.txt", site.at("app/internal/one/text.go")).unwrap();
    site.write("deep/er/file", "x");
    site.write(".git/refs/tags/app/v1", "x");
    site.commit("link");
    let (record, _) = site.record().unwrap();
    assert_eq!(record.root(&site.settings), Some(site.at("app")));
    let of_record = record.places(&site.settings).unwrap();
    let mut of_repository = Places::default();
    of_repository.add_repository(&site.at(""), &site.settings.environment, &Cancel::new());
    let mut all = Places::default();
    all.extend(of_record.clone());
    all.extend(of_repository.clone());
    const INPUT: Option<Weight> = Some(Weight::Input);
    const STATUS: Option<Weight> = Some(Weight::Status);
    for (name, record, repository) in [
        ("app/internal/one/one.go", INPUT, STATUS),
        ("app/internal/one/new.go", INPUT, STATUS),
        ("app/internal/one/new.txt", None, STATUS),
        // Where the link leads.
        ("text.txt", INPUT, STATUS),
        ("app/cmd/tool/static/new.txt", INPUT, STATUS),
        ("app/cmd/tool/plain/page.html", INPUT, STATUS),
        ("app/cmd/tool/plain/other.html", None, STATUS),
        ("app/go.sum", INPUT, STATUS),
        ("app/internal/go.mod", INPUT, STATUS),
        ("lib/lib.go", INPUT, STATUS),
        ("go.work", INPUT, STATUS),
        (".git", INPUT, INPUT),
        (".git/HEAD", None, INPUT),
        (".git/index", None, STATUS),
        (".git/config", None, INPUT),
        (".git/packed-refs", None, INPUT),
        (".git/refs/heads/main", None, INPUT),
        (".git/refs/tags/v1", None, INPUT),
        (".git/refs/tags/app/v2", None, INPUT),
        (".git/refs/tags/v1.lock", None, None),
        (".git/objects/x", None, None),
        ("deep", None, INPUT),
        ("deep/er/other", None, STATUS),
    ] {
        let path = site.at(name);
        assert_eq!(of_record.weight(&path), record, "{name}");
        assert_eq!(of_repository.weight(&path), repository, "{name}");
        assert_eq!(all.weight(&path), record.max(repository), "{name}");
    }
    assert!(all.has_dir(&site.at("deep/er")) && !all.has_dir(&site.at("deep/er/file")));
    let deep: Vec<_> = all.dirs().filter(|dir| dir.starts_with(site.at("deep"))).collect();
    assert_eq!(deep, [site.at("deep"), site.at("deep/er")]);
    // The settings of `go`, and its toolchain.
    for path in [site.tree.join("goenv"), site.go.file().to_owned()] {
        assert_eq!(of_record.weight(&path), INPUT, "{}", path.display());
    }
}
