//! What makes a build stale beside files: settings, variables, the toolchain and
//! what is stamped of a repository.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use cancel::Cancel;
use golang::{BuildKey, Environment, Go};
use ko_freshness::{
    Freshness, Index, NotPortable, Reason, RecordKeys, Summary, VcsState, may_be_portable,
};

use crate::fixture::{Tree, fake_go, path};
use crate::rows::Want::{Fails, Fresh, Other, Same};
use crate::rows::{check_rows, reason};
use crate::site::{Site, checker, touch};

#[test]
fn settings_of_go() {
    check_rows(
        &Site::new(),
        &[
            (
                "go env -w",
                |site| site.tree.write("goenv", "GOFLAGS=-tags=never\n"),
                Other("goenv is new"),
            ),
            (
                "go env -w elsewhere",
                |site| {
                    site.tree.write("goenv2", "GOFLAGS=-tags=never\n");
                    let file = site.tree.join("goenv2");
                    site.settings.environment.set("GOENV", file);
                },
                Other("goenv2 is new"),
            ),
            ("no file of settings", |site| site.settings.environment.set("GOENV", "off"), Fresh),
        ],
    );
}

#[test]
fn other_settings_have_other_keys() {
    let site = Site::new();
    let import_path = path(&site.import_path);
    let summary = Summary::of(&site.go, &site.settings);
    let keys = RecordKeys::new(&site.go, &site.settings, &import_path);
    type Change<'a> = &'a dyn Fn(&mut Site);
    let rows: [(Change<'_>, &str); 9] = [
        (
            &|site| site.settings.flags = vec!["-tags=x".to_owned()],
            "the flags were \"\" and are \"-tags=x\"",
        ),
        (
            &|site| site.settings.ldflags = vec!["-X main.version=1".to_owned()],
            "the ldflags were \"-s -w\"",
        ),
        (&|site| site.settings.disable_optimizations = true, "optimizations"),
        (&|site| site.settings.untrimmed = true, "trimpath was switched"),
        (&|site| site.settings.environment.set("GOFLAGS", "-tags=x"), "the variable GOFLAGS has"),
        (
            &|site| site.settings.environment.set("GOTOOLCHAIN", "auto"),
            "the variable GOTOOLCHAIN has",
        ),
        (
            &|site| site.settings.environment.set("GOEXPERIMENT", "x"),
            "the variable GOEXPERIMENT has",
        ),
        (&|site| site.settings.environment.set("GOAMD64", "v3"), "the variable GOAMD64 has"),
        (&|site| site.settings.environment.set("GOWORK", "off"), "the variable GOWORK has"),
    ];
    for (change, words) in rows {
        let mut other = site.copy();
        other.settings.dir.clone_from(&site.settings.dir);
        other.settings.environment = site.settings.environment.clone();
        assert_eq!(RecordKeys::new(&site.go, &other.settings, &import_path), keys);
        change(&mut other);
        let now = RecordKeys::new(&site.go, &other.settings, &import_path);
        assert!(now.here != keys.here && now.anywhere != keys.anywhere && now.last == keys.last);
        let said = summary.reason_against(&site.go, &other.settings).to_string();
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(summary.reason_against(&site.go, &site.settings), Reason::NoRecord);
    let copy = site.copy();
    let mut settings = copy.settings;
    settings.environment = site.settings.environment;
    let elsewhere = RecordKeys::new(&site.go, &settings, &import_path);
    assert!(elsewhere.here != keys.here && elsewhere.anywhere == keys.anywhere);
}

/// Without `-trimpath`, a program is that of its directory and its modules' alone.
#[test]
fn programs_that_hold_directories_are_of_one_place() {
    let site = Site::new();
    let import_path = path(&site.import_path);
    let mut settings = site.settings.clone();
    settings.untrimmed = true;
    let keys = RecordKeys::new(&site.go, &settings, &import_path);
    let mut elsewhere = settings.clone();
    elsewhere.dir = site.copy().settings.dir;
    let mut of_another = settings.clone();
    of_another.environment.set("HOME", "/home/another");
    for other in [elsewhere, of_another] {
        let other = RecordKeys::new(&site.go, &other, &import_path);
        assert!(other.here != keys.here && other.anywhere != keys.anywhere);
    }
    assert_eq!(may_be_portable(&settings), Err(NotPortable::Directories));
    assert_eq!(may_be_portable(&site.settings), Ok(()));
}

/// A `go` with this compiler in its GOROOT.
fn go_with(tree: &Tree, build_id: &str) -> Go {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let os = if cfg!(target_vendor = "apple") { "darwin" } else { "linux" };
    let compiler = [b"\xff Go build ID: \"", build_id.as_bytes(), b"\"\n \xff"].concat();
    tree.write("goroot/bin/go", "#!/bin/sh\n");
    let tools = tree.join(format!("goroot/pkg/tool/{os}_{arch}"));
    fs::create_dir_all(&tools).unwrap();
    fs::write(tools.join("compile"), compiler).unwrap();
    let program = tree.join("goroot/bin/go");
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    Go::find(Some(program.as_os_str()), &Environment::new(), &tree.path).unwrap()
}

/// The `go` program, and what it says of its version, may be the same.
#[test]
fn another_compiler_has_other_keys() {
    let site = Site::new();
    let import_path = path(&site.import_path);
    let keys = |go: &Go| {
        let keys = RecordKeys::new(go, &site.settings, &import_path);
        (keys.here, keys.anywhere, BuildKey::new(go, &site.settings))
    };
    let one = go_with(&site.tree, "one/one");
    let modified = fs::metadata(one.program()).unwrap().modified().unwrap();
    let (keys_of_one, summary) = (keys(&one), Summary::of(&one, &site.settings));
    let two = go_with(&site.tree, "two/two");
    let program = fs::File::options().write(true).open(two.program()).unwrap();
    program.set_modified(modified).unwrap();
    let two = Go::find(Some(two.program().as_os_str()), &Environment::new(), &site.at("")).unwrap();
    let keys_of_two = keys(&two);
    assert!(keys_of_one.0 != keys_of_two.0);
    assert!(keys_of_one.1 != keys_of_two.1);
    assert!(keys_of_one.2 != keys_of_two.2);
    assert_eq!(summary.reason_against(&two, &site.settings), Reason::Compiler);
    assert_eq!(keys(&go_with(&site.tree, "one/one")).0, keys_of_one.0);
    let said = summary.reason_against(&site.go, &site.settings).to_string();
    assert!(said.contains("the go program was"), "{said}");
}

#[test]
fn never() {
    type Change = fn(&mut Site);
    let rows: [(&str, Change); 10] = [
        ("CGO_ENABLED=1", |site| site.settings.environment.set("CGO_ENABLED", "1")),
        ("-overlay=", |site| {
            site.write("overlay.json", "{}");
            let file = site.at("overlay.json");
            site.settings.flags = vec![format!("-overlay={}", file.display())];
        }),
        ("-modfile=", |site| {
            fs::copy(site.at("app/go.mod"), site.at("other.mod")).unwrap();
            site.settings.flags = vec!["-modfile=../other.mod".to_owned()];
        }),
        ("GOFLAGS", |site| {
            site.settings.environment.set("GOFLAGS", "'-asmflags=-D x'");
            site.settings.flags.clear();
        }),
        ("-linkmode", |site| site.settings.ldflags = vec!["-linkmode=auto".to_owned()]),
        ("GO_EXTLINK_ENABLED=1", |site| site.settings.environment.set("GO_EXTLINK_ENABLED", "1")),
        ("repository of hg", |site| fs::create_dir(site.at(".hg")).unwrap()),
        ("repository of fossil", |site| site.write(".fslckout", "")),
        ("repository of svn", |site| fs::create_dir(site.at("app/.svn")).unwrap()),
        ("starts", |site| {
            let script = format!("exec {} \"$@\"", site.go.program().display());
            site.go = fake_go(&site.tree, &script);
        }),
    ];
    for (words, change) in rows {
        let mut site = Site::new();
        site.binary().unwrap();
        change(&mut site);
        let started = checker().begin_build();
        let listing = site.ask(started).unwrap();
        // go knows all that the others read.
        let hashed = words == "starts" || words.starts_with("repository");
        assert_eq!(listing.is_hashed(), hashed, "{words}");
        let record = site.capture_by(&listing, started, None);
        let (record, _) = record.unwrap_or_else(|error| panic!("{words}: {error}"));
        let Freshness::Stale(Reason::Uncacheable(never)) = site.check(&record) else {
            panic!("{words}");
        };
        let never = never.to_string();
        let known = never.contains(words) || words == "GOFLAGS" && never.contains("-asmflags");
        assert!(known, "{words}: {never}");
    }
}

#[test]
fn stamps() {
    let site = Site::with_git();
    site.write("ignored/file", "x");
    check_rows(
        &site,
        &[
            ("commit", |site| site.commit("second"), Other("the commit was")),
            ("tag", |site| _ = site.git(&["tag", "v1.2.3"]), Same("tags")),
            (
                "tag of the module",
                |site| _ = site.git(&["tag", "-a", "-m", "x", "app/v1.2.3"]),
                Same("tags"),
            ),
            (
                "untracked file",
                |site| site.write("new.txt", "new"),
                Other("the checkout has changes"),
            ),
            (
                "change elsewhere",
                |site| site.write("app/README.md", "other"),
                Other("the checkout has changes"),
            ),
            (
                "removed elsewhere",
                |site| fs::remove_file(site.at("app/README.md")).unwrap(),
                Other("the checkout has changes"),
            ),
            (
                "staged",
                |site| {
                    site.write("new.txt", "new");
                    site.git(&["add", "new.txt"]);
                },
                Other("the checkout has changes"),
            ),
            ("ignored file", |site| site.write("ignored/file", "y"), Fresh),
            ("branch", |site| _ = site.git(&["checkout", "-q", "-b", "other"]), Fresh),
            ("packed references", |site| _ = site.git(&["gc", "-q"]), Fresh),
            (
                "repository within",
                |site| _ = site.git(&["init", "-q", "app"]),
                Other("another repository"),
            ),
            (
                "no repository",
                |site| fs::remove_dir_all(site.at(".git")).unwrap(),
                Other("another repository"),
            ),
            (
                "repository that git refuses",
                |site| site.write(".git/HEAD", "nonsense"),
                Fails("git status failed"),
            ),
            (
                "another repository by variable",
                |site| {
                    let other = site.at(".git");
                    site.settings.environment.set("GIT_DIR", other);
                },
                Same("GIT_DIR"),
            ),
            (
                "no git",
                |site| site.settings.environment.set("PATH", "/nowhere"),
                Other("another repository"),
            ),
        ],
    );
}

#[test]
fn stamps_of_a_module_at_the_root() {
    let mut site = Site::with_git();
    // The repository's root is a module: go makes a version of it.
    site.write("go.mod", "module example.com/root\n\ngo 1.24\n");
    site.write("main.go", "package main\n\nfunc main() { println(1) }\n");
    site.commit("root");
    site.git(&["tag", "v1.0.0"]);
    site.settings.dir = site.at(".").components().collect();
    site.import_path = "example.com/root".to_owned();
    check_rows(
        &site,
        &[
            ("higher tag", |site| _ = site.git(&["tag", "v1.1.0"]), Other("tags")),
            ("removed tag", |site| _ = site.git(&["tag", "-d", "v1.0.0"]), Other("tags")),
            (
                "moved tag",
                |site| {
                    site.git(&["tag", "-f", "v1.0.0", "HEAD~1"]);
                },
                Other("tags"),
            ),
            ("packed tags", |site| _ = site.git(&["pack-refs", "--all"]), Fresh),
            (
                "amended",
                |site| _ = site.git(&["commit", "-q", "--amend", "-m", "other"]),
                Other("the commit was"),
            ),
            (
                "decorations",
                |site| _ = site.git(&["config", "log.excludeDecoration", "refs/tags/*"]),
                Other("tags or settings"),
            ),
            ("dirty", |site| site.write("x", ""), Other("the checkout has changes")),
        ],
    );
    // A second change to a checkout that has one.
    site.write("x", "");
    check_rows(
        &site,
        &[
            ("second change", |site| site.write("y", ""), Fresh),
            ("clean", |site| fs::remove_file(site.at("x")).unwrap(), Other("no changes any more")),
        ],
    );
    // Not stamped, nothing of it counts.
    site.settings.flags = vec!["-buildvcs=false".to_owned()];
    check_rows(
        &site,
        &[
            ("commit", |site| site.commit("again"), Fresh),
            ("clean", |site| fs::remove_file(site.at("x")).unwrap(), Fresh),
            ("no repository", |site| fs::remove_dir_all(site.at(".git")).unwrap(), Fresh),
        ],
    );
}

#[test]
fn another_go() {
    let site = Site::new();
    let (record, _) = site.record().unwrap();
    let mut other = site.copy();
    other.go = fake_go(&other.tree, "exit 1");
    let said = reason(&other.check(&record));
    assert!(said.contains("the go program was") && said.contains("fake/go"), "{said}");
}

/// The index knows the old times of a file: git would write it anew.
#[test]
fn the_index_of_git_is_left_alone_until_it_may_be_written() {
    let site = Site::with_git();
    touch(&site.at("app/README.md"), 1_000_000_000);
    let index = || fs::metadata(site.at(".git/index")).unwrap().ino();
    let before = index();
    let read = |index| {
        let environment = &site.settings.environment;
        let state = VcsState::read(&site.at(""), environment, index, &Cancel::new());
        format!("{:?}", state.unwrap())
    };
    let state = read(Index::Left);
    assert!(state.contains("dirty: false"), "{state}");
    assert_eq!(index(), before);
    assert_eq!(read(Index::Refreshed), state);
    assert_ne!(index(), before);
    // Nor does it matter who is writing it.
    fs::write(site.at(".git/index.lock"), "").unwrap();
    assert_eq!(read(Index::Left), state);
}
