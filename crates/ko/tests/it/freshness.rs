//! A program that is known to come out the same is not built again; one that
//! is not known to, is, and is told why.

use std::fs;
use std::process::Command;
use std::time::SystemTime;

use crate::fixture::Fixture;
use crate::spy::Spy;
use testkit::base::Image;
use testkit::trace::Trace;

const PROGRAM: &str =
    "package main\n\nvar version = \"none\"\n\nfunc main() { println(version) }\n";

type Change = fn(&Fixture);

/// What changes; flags, variables and change for that; what is said of it.
type Row =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], Change, &'static str);

/// The digest that a run prints, and why it built, if it did.
#[derive(Debug)]
struct Built {
    digest: String,
    reason: Option<String>,
}

/// A module of one program, whose version is a variable.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().file("main.go", PROGRAM).file("kodata/page.txt", "page\n");
    fixture
}

/// Builds with words and variables.
fn build_with(fixture: &Fixture, words: &str, variables: &[(&str, &str)]) -> Built {
    let mut run = fixture.build(&format!("--bare --sbom=none --explain {words}"));
    for (name, value) in variables {
        run = run.env(name, value);
    }
    let output = run.output().success();
    assert!(!output.stderr.contains("will be built again"), "{}", output.stderr);
    let digest = output.stdout.trim().rsplit_once('@').unwrap().1.to_owned();
    let line = |text: &str| {
        let found = output.stderr.lines().find_map(|line| line.split_once(text));
        found.map(|(_, rest)| rest.to_owned())
    };
    let reason = line(" for linux/amd64 is built: ");
    assert_eq!(reason.is_none(), line(" for linux/amd64 is fresh").is_some(), "{}", output.stderr);
    Built { digest, reason }
}

fn build(fixture: &Fixture) -> Built {
    build_with(fixture, "", &[])
}

pub(crate) fn git(fixture: &Fixture, words: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=n", "-c", "user.email=e@example.com"]).args(words);
    command.env("HOME", fixture.sandbox.home()).env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.current_dir(fixture.sandbox.work()).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
}

pub(crate) fn commit(fixture: &Fixture) {
    git(fixture, &["init", "-q"]);
    git(fixture, &["add", "-A"]);
    git(fixture, &["commit", "-q", "--allow-empty", "-m", "a commit"]);
}

/// How often `go` and `git` are started by a command.
pub(crate) fn processes(fixture: &Fixture, words: &[&str]) -> (usize, usize) {
    let trace = Trace::new(fixture.sandbox.root().join("trace"));
    let _ = fixture.sandbox.run_traced(&trace, words).output().success();
    let counts = trace.started();
    let of = |name: &str| counts.get(name).copied().unwrap_or_default();
    (of("go"), of("git"))
}

/// In a fresh checkout git reads all files again until its index is written once; users who
/// commit meanwhile, or watch, take no lock for that.
#[test]
fn git_s_index_is_written_unless_it_must_not_be_locked() {
    let fixture = fixture();
    commit(&fixture);
    let file = fs::File::options().write(true).open(fixture.sandbox.work().join("main.go"));
    file.unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let index = || fs::read(fixture.sandbox.work().join(".git/index")).unwrap();
    let before = index();
    let _ = build_with(&fixture, "", &[("GIT_OPTIONAL_LOCKS", "0")]);
    assert!(index() == before);
    let _ = build(&fixture);
    assert!(index() != before);
}

#[test]
fn nothing_changed() {
    let fixture = fixture();
    let words = ["build", "--bare"];
    let _ = fixture.build("--bare").output().success();
    assert_eq!(processes(&fixture, &words), (0, 0), "outside of a repository");
    fixture.registry.reset();
    let _ = fixture.build("--bare").output().success();
    let requests = fixture.registry.requests();
    assert!(requests.len() <= 3, "{requests:#?}");

    // A registry in plain http shows no certificate that would have to be checked.
    let trace = Trace::new(fixture.sandbox.root().join("trace")).with_files();
    let _ = fixture.sandbox.run_traced(&trace, words).output().success();
    let opened = trace.opened();
    assert!(opened.iter().any(|path| path.ends_with("go.mod")), "{opened:#?}");
    assert!(opened.iter().all(|path| !path.starts_with("/etc/ssl")), "{opened:#?}");

    commit(&fixture);
    let _ = fixture.build("--bare").output().success();
    assert_eq!(processes(&fixture, &words), (0, 1));
    let _ = fixture.build("--bare").env("GOFLAGS", "-buildvcs=false").output().success();
    let trace = Trace::new(fixture.sandbox.root().join("trace"));
    let run = fixture.sandbox.run_traced(&trace, words).env("GOFLAGS", "-buildvcs=false");
    let _ = run.output().success();
    assert_eq!(trace.started().get("go"), None);
    assert_eq!(trace.started().get("git"), None);
}

/// The clock of the file system does not tell the edits and the run apart.
#[test]
fn a_run_right_after_an_edit_is_recorded() {
    let fixture = fixture();
    let file = fixture.sandbox.work().join("main.go");
    let edit = |word: &str| fs::write(&file, PROGRAM.replace("none", word)).unwrap();
    let run = || {
        let output = fixture.build("--bare --sbom=none --explain").output().success();
        (output.stdout.trim().to_owned(), output.stderr)
    };
    let (first, _) = run();
    let mut digests = vec![first];
    for words in [["some", "more"], ["less", "lots"]] {
        words.into_iter().for_each(edit);
        let (digest, said) = run();
        assert!(!said.contains("will be built again"), "{said}");
        let (again, said) = run();
        assert!(said.contains(" is fresh"), "{said}");
        assert_eq!(again, digest);
        assert!(!digests.contains(&digest), "{said}");
        digests.push(digest);
    }
}

/// That is said once, whatever is built.
#[test]
fn an_unknown_release_of_go_is_said_once() {
    let fixture = fixture();
    let _ = fixture.module().main("cmd/one");
    let lines = r#"[ "$1" != env ] || { "$go" "$@" | sed 's/go1[.0-9]*"/go1.28.0"/'; exit; }"#;
    let spy = Spy::with_script(&fixture.sandbox, lines);
    let words = "-B . ./cmd/one --sbom=none --explain";
    let run = || fixture.build(words).env("KO_GO_PATH", spy.program());
    let notice = "go1.28.0 is not a release of Go whose builds are known here: programs";
    for _ in 0..2 {
        let said = run().output().success().stderr;
        assert_eq!(said.matches(notice).count(), 1, "{said}");
        assert!(said.contains("KO_FRESH_UNPROVEN_GO=1"), "{said}");
    }
    // A script is never fresh, for another reason.
    for (value, trusted) in [("0", false), ("1", true)] {
        let said = run().env("KO_FRESH_UNPROVEN_GO", value).output().success().stderr;
        assert_eq!(said.contains(notice), !trusted, "{said}");
    }
}

/// Neither is what to build looked up, nor what it was built from.
#[test]
fn an_edit_costs_one_go() {
    let fixture = fixture();
    let words = ["build", "--bare"];
    let first = fixture.build("--bare").output().success();
    let edit = |text: &str| _ = fixture.module().file("main.go", text);
    edit("package main\n\nfunc main() { println(\"edited\") }\n");
    assert_eq!(processes(&fixture, &words), (1, 0));
    let second = fixture.build("--bare").output().success();
    assert_ne!(second.stdout, first.stdout);
    assert_eq!(processes(&fixture, &words), (0, 0), "the record is as good as any");

    edit("package main\n\nimport \"os\"\n\nfunc main() { os.Exit(0) }\n");
    let (go, git) = processes(&fixture, &words);
    assert!(go > 2, "what an import brings must be asked: {go}");
    assert_eq!(git, 0);
}

#[test]
fn several_programs_and_platforms_cost_one_git() {
    let fixture = fixture();
    let _ = fixture.module().main("cmd/one").main("cmd/two");
    commit(&fixture);
    let words = ["build", "-B", ".", "./cmd/one", "./cmd/two", "--platform=linux/amd64"];
    let _ = fixture.sandbox.run(words).output().success();
    assert_eq!(processes(&fixture, &words), (0, 1));
}

#[test]
fn manifests_resolved_again() {
    let fixture = fixture();
    let yaml = "image: ko://example.com/app\n";
    let _ = fixture.module().file("config/app.yaml", yaml);
    let words = ["resolve", "--bare", "-f", "config"];
    let first = fixture.sandbox.run(words).output().success();
    assert_eq!(processes(&fixture, &words), (0, 0));
    assert_eq!(fixture.sandbox.run(words).output().success().stdout, first.stdout);
}

#[test]
fn what_changed_is_named() {
    let rows: [Row; 9] = [
        (
            "a source",
            "",
            &[],
            |f| {
                _ = f.module().file("main.go", PROGRAM.replace("none", "some"));
            },
            "main.go has changed",
        ),
        (
            "a new file",
            "",
            &[],
            |f| {
                _ = f.module().file("new_linux.go", "package main\n\nfunc init() { println() }\n");
            },
            "new_linux.go is new",
        ),
        (
            "go.mod",
            "",
            &[],
            |f| {
                _ = f.module().file("go.mod", "module example.com/app\n\ngo 1.22\n");
            },
            "go.mod has changed",
        ),
        (
            "go.work",
            "",
            &[],
            |f| {
                _ = f.module().file("go.work", "go 1.21\n\nuse .\n");
            },
            "another go.work applies to",
        ),
        ("ldflags", "--ldflags=-Xmain.version=2", &[], |_| (), "the ldflags were"),
        ("a variable", "", &[("GOAMD64", "v2")], |_| (), "the variable GOAMD64 has another value"),
        ("optimizations", "--disable-optimizations", &[], |_| (), "optimizations were switched"),
        (
            "flags",
            "",
            &[],
            |f| {
                let build = "builds:\n- id: app\n  main: .\n  flags: [-tags=special]\n";
                _ = f.module().file(".ko.yaml", build);
            },
            "the flags were",
        ),
        (
            "its layer",
            "",
            &[],
            |f| {
                fs::remove_dir_all(f.sandbox.kocache().join("v1/blobs")).unwrap();
            },
            "its layer is no longer in the cache",
        ),
    ];
    for (what, words, variables, change, sentence) in rows {
        let fixture = fixture();
        let words = words.replace("-Xmain", "-X=main");
        let first = build(&fixture);
        assert_eq!(first.reason.as_deref(), Some("no earlier build is known"), "{what}");
        let second = build(&fixture);
        assert_eq!((second.reason, &second.digest), (None, &first.digest), "{what}");
        change(&fixture);
        let third = build_with(&fixture, &words, variables);
        let reason = third.reason.unwrap_or_default();
        assert!(reason.contains(sentence), "{what}: {reason}");
        // A workspace of the one module is the module, and a layer is made
        // again as it was.
        let same = ["go.work", "its layer"].contains(&what);
        assert_eq!(third.digest == first.digest, same, "{what}");
        let fourth = build_with(&fixture, &words, variables);
        assert_eq!((fourth.reason, fourth.digest), (None, third.digest), "{what}");
    }
}

#[test]
fn what_changed_in_the_repository_is_named() {
    let fixture = fixture();
    commit(&fixture);
    let mut digests = vec![build(&fixture).digest];
    let changes: [(Change, &str); 4] = [
        (|f| _ = f.module().file("docs/untracked.md", ""), "the checkout has changes since"),
        (|f| _ = fs::remove_dir_all(f.sandbox.work().join("docs")), "has no changes any more"),
        (|f| git(f, &["tag", "v1.2.3"]), "tags or settings of the git repository have changed"),
        (commit, "the commit was"),
    ];
    for (change, sentence) in changes {
        change(&fixture);
        let built = build(&fixture);
        let reason = built.reason.unwrap_or_default();
        assert!(reason.contains(sentence), "{sentence}: {reason}");
        let again = build(&fixture);
        assert_eq!((again.reason, &again.digest), (None, &built.digest), "{sentence}");
        digests.push(built.digest);
    }
    assert_ne!(digests[0], digests[1], "a change is stamped");
    assert_eq!(digests[0], digests[2], "and no longer");
    assert_ne!(digests[2], digests[4], "a commit is stamped");
}

#[test]
fn a_rebuild_is_forced() {
    let fixture = fixture();
    let first = build(&fixture);
    let forced = build_with(&fixture, "--rebuild", &[]);
    assert_eq!(forced.reason.as_deref(), Some("--rebuild"));
    assert_eq!(forced.digest, first.digest);
    assert_eq!(build(&fixture).reason, None);
}

#[test]
fn a_fresh_program_in_another_image() {
    let fixture = fixture();
    let mut digests = vec![build(&fixture).digest];
    let _ = fixture.module().file("kodata/page.txt", "another page\n");
    let changed: [(&str, &[(&str, &str)]); 4] = [
        ("", &[]),
        ("--image-label=a=b", &[]),
        ("--image-user=1000", &[]),
        ("", &[("SOURCE_DATE_EPOCH", "1000")]),
    ];
    for (words, variables) in changed {
        let built = build_with(&fixture, words, variables);
        assert_eq!(built.reason, None, "{words} {variables:?}");
        digests.push(built.digest);
    }
    Image::oci("linux/amd64").env("MOVED=1").build().push(&fixture.registry, "base", "latest");
    let built = build(&fixture);
    assert_eq!(built.reason, None);
    digests.push(built.digest);
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 6);
}

#[test]
fn what_changed_in_kodata_is_named() {
    let fixture = fixture();
    let module = fixture.module().file("kodata/a/one.txt", "1").file("kodata/a/two.txt", "2");
    let explained = || {
        let output = fixture.build("--bare --sbom=none --explain").output().success();
        let line = output.stderr.lines().find_map(|line| line.split_once("/kodata"));
        line.map(|(_, rest)| rest.to_owned())
    };
    assert_eq!(explained(), None);
    let module = module.file("kodata/a/two.txt", "2, edited");
    assert_eq!(explained().as_deref(), Some("/a/two.txt has changed"));
    let module = module.file("kodata/new.txt", "new").file("kodata/a/two.txt", "2");
    assert_eq!(explained().as_deref(), Some("/new.txt and 1 other have changed"));
    let _ = module.file("kodata/b/c/d.txt", "d");
    assert_eq!(explained().as_deref(), Some("/b and 2 others have changed"));
    assert_eq!(explained(), None);
    fs::remove_file(fixture.sandbox.work().join("kodata/page.txt")).unwrap();
    assert_eq!(explained().as_deref(), Some("/page.txt has changed"));
}

#[test]
fn a_date_is_another_one_each_time() {
    let fixture = fixture();
    let template =
        "builds:\n- id: app\n  main: .\n  ldflags: [\"-X main.version={{.Timestamp}}\"]\n";
    let _ = fixture.module().file(".ko.yaml", template);
    let first = build(&fixture);
    let second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    while SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() == second {}
    let later = build(&fixture);
    assert!(later.reason.unwrap().contains("another value is defined by the ldflags"));
    assert_ne!(later.digest, first.digest);
}

#[test]
fn another_cache_gives_the_same_image() {
    let fixture = fixture();
    let first = build(&fixture);
    fs::remove_dir_all(fixture.sandbox.kocache()).unwrap();
    let second = build(&fixture);
    assert_eq!(second.reason.as_deref(), Some("no earlier build is known"));
    assert_eq!(second.digest, first.digest);
}

#[test]
fn a_copied_checkout_is_fresh_by_its_content() {
    let fixture = fixture();
    let first = build(&fixture);
    let copy = fixture.sandbox.root().join("copy");
    let status = Command::new("cp").arg("-r").arg(fixture.sandbox.work()).arg(&copy).status();
    assert!(status.unwrap().success());
    let run = |text: &str| {
        let run = fixture.build("--bare --sbom=none --explain").cwd(&copy);
        let output = run.output().success();
        assert!(output.stderr.contains(text), "{}", output.stderr);
        output.stdout.trim().rsplit_once('@').unwrap().1.to_owned()
    };
    assert_eq!(run(" is fresh"), first.digest);
    fs::write(copy.join("main.go"), PROGRAM.replace("none", "copy")).unwrap();
    assert_ne!(run("copy/main.go has changed"), first.digest);
    // Each has its own record.
    assert_eq!(build(&fixture).reason, None);
}

#[test]
fn a_program_that_holds_directories_is_fresh_in_its_own_alone() {
    let fixture = fixture();
    let trimmed = build(&fixture).digest;
    let _ = fixture.module().file(".ko.yaml", "defaultImage: {trimpath: false}\n");
    let first = build(&fixture);
    assert_eq!(first.reason.as_deref(), Some("trimpath was switched on or off"));
    assert_ne!(first.digest, trimmed);
    let second = build(&fixture);
    assert_eq!((second.digest, second.reason), (first.digest.clone(), None));
    let copy = fixture.sandbox.root().join("copy");
    let status = Command::new("cp").arg("-r").arg(fixture.sandbox.work()).arg(&copy).status();
    assert!(status.unwrap().success());
    let output = fixture.build("--bare --sbom=none --explain").cwd(&copy).output().success();
    assert!(output.stderr.contains(" is built: "), "{}", output.stderr);
    assert_ne!(output.stdout.trim().rsplit_once('@').unwrap().1, first.digest);
}

#[test]
fn what_is_never_fresh_says_why() {
    let fixture = fixture();
    let rows = [
        ("CGO_ENABLED", "1", "with CGO_ENABLED=1 what is read is not known"),
        ("GOFLAGS", "-race=false", "-race=false"),
    ];
    for (name, value, sentence) in rows {
        let first = build_with(&fixture, "", &[(name, value)]);
        let second = build_with(&fixture, "", &[(name, value)]);
        assert_eq!(second.digest, first.digest, "{sentence}");
        let reason = second.reason.unwrap();
        assert!(reason.contains(sentence), "{reason}");
    }
}
