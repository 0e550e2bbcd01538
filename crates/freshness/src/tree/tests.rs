//! Files and directories that were recorded, and what a look at them then says.

use std::num::NonZero;

use stat::Sum;

use super::*;

#[test]
fn names_that_go_takes_for_sources() {
    for (name, source) in [
        ("a.go", true),
        ("_a.go", false),
        (".a.go", false),
        ("a_test.go", true),
        ("a.s", true),
        ("a.S", true),
        ("a.GO", false),
        ("a.go~", false),
        ("a.syso", true),
        ("go.mod", true),
        ("x.mod", false),
        ("default.pgo", true),
        ("x.pgo", false),
        ("go", false),
        ("README.md", false),
    ] {
        assert_eq!(is_source(name), source, "{name}");
        assert_eq!(Filter::Sources.takes(name, Kind::File), source, "{name}");
        assert!(!Filter::Sources.takes(name, Kind::Dir), "{name}");
        assert!(Filter::All.takes(name, Kind::Dir) && !Filter::Named.takes(name, Kind::File));
    }
}

/// When a record was made: the files of the tests are settled at the end of time.
const LATE: i64 = i64::MAX;

/// A directory with `a.go`, the file `b.txt` that counts, and `c.txt` that does not.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.at("")).unwrap();
        for name in ["a.go", "b.txt", "c.txt"] {
            fs::write(place.at(name), "package x\n").unwrap();
        }
        place
    }

    /// One of long ago: what is changed gets other times, however soon that is.
    fn old() -> Self {
        let place = Self::new();
        for name in ["a.go", "b.txt", "c.txt", ""] {
            let file = fs::File::open(place.at(name)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        let dir = self.0.path().join("d");
        if name.is_empty() { dir } else { dir.join(name) }
    }

    fn capture(&self, filter: Filter, started: i64) -> Result<Dir, Refused> {
        let names = BTreeSet::from(["b.txt".to_owned()]);
        let (at, mut headers) = (self.at(""), Headers::new());
        Dir::capture(&at, "d".to_owned(), filter, &names, started, &checker(), &mut headers)
    }

    /// What is said if the record was made so late: `fresh`, `moved`, or the change.
    fn check(&self, dir: &Dir, looked: i64) -> String {
        let checker = checker();
        let seen = dir.check(self.0.path(), &Trust { checker: &checker, looked });
        match seen {
            Seen::Same => "fresh".to_owned(),
            Seen::Moved(now) => {
                // What is there now is recorded in place of the other.
                assert!(now.has_content_of(dir));
                let again = now.check(self.0.path(), &Trust { checker: &checker, looked: LATE });
                assert_eq!(again, Seen::Same);
                "moved".to_owned()
            }
            Seen::Stale(reason) => {
                let text = reason.to_string();
                text.strip_prefix(&format!("{}/", self.0.path().display()))
                    .unwrap_or(&text)
                    .to_owned()
            }
        }
    }
}

fn checker() -> Checker {
    Checker::new(NonZero::<usize>::MIN)
}

/// Of each filter, what is said after a change.
type Row = (&'static str, fn(&Place), [&'static str; 3]);

#[test]
fn changes_of_a_directory() {
    let rows: [Row; 12] = [
        ("nothing", |_| (), ["fresh", "fresh", "fresh"]),
        (
            "written again",
            |place| {
                fs::remove_file(place.at("b.txt")).unwrap();
                fs::write(place.at("b.txt"), "package x\n").unwrap();
            },
            ["moved", "moved", "moved"],
        ),
        (
            "content",
            |place| fs::write(place.at("b.txt"), "package y\n").unwrap(),
            ["d/b.txt has changed", "d/b.txt has changed", "d/b.txt has changed"],
        ),
        (
            "size",
            |place| fs::write(place.at("b.txt"), "package\n").unwrap(),
            ["d/b.txt has changed", "d/b.txt has changed", "d/b.txt has changed"],
        ),
        (
            "source",
            |place| fs::write(place.at("a.go"), "package y\n").unwrap(),
            ["fresh", "d/a.go has changed", "d/a.go has changed"],
        ),
        (
            "what does not count",
            |place| fs::write(place.at("c.txt"), "other").unwrap(),
            ["fresh", "fresh", "fresh"],
        ),
        (
            "new source",
            |place| fs::write(place.at("x.go"), "").unwrap(),
            ["fresh", "d/x.go is new", "d/x.go is new"],
        ),
        (
            "new file",
            |place| fs::write(place.at("x.txt"), "").unwrap(),
            ["fresh", "moved", "d/x.txt is new"],
        ),
        (
            "directory called as a source",
            |place| fs::create_dir(place.at("x.go")).unwrap(),
            ["fresh", "moved", "d/x.go is new"],
        ),
        (
            "file gone",
            |place| fs::remove_file(place.at("b.txt")).unwrap(),
            ["d/b.txt is gone", "d/b.txt is gone", "d/b.txt is gone"],
        ),
        (
            "directory in place of a file",
            |place| {
                fs::remove_file(place.at("c.txt")).unwrap();
                fs::create_dir(place.at("c.txt")).unwrap();
            },
            ["fresh", "moved", "d/c.txt has changed"],
        ),
        (
            "all gone",
            |place| fs::remove_dir_all(place.at("")).unwrap(),
            ["d is gone", "d is gone", "d is gone"],
        ),
    ];
    for (name, change, said) in rows {
        for (filter, said) in [Filter::Named, Filter::Sources, Filter::All].into_iter().zip(said) {
            let place = Place::old();
            let dir = place.capture(filter, LATE).unwrap();
            // Whatever is said by the times, the content says as well.
            let by_content = if said == "fresh" { "moved" } else { said };
            assert_eq!(place.check(&dir, LATE), "fresh");
            assert_eq!(place.check(&dir, 0), "moved");
            change(&place);
            assert_eq!(place.check(&dir, 0), by_content, "{name}, {filter:?}: by content");
            if stat::is_local(place.0.path()) {
                assert_eq!(place.check(&dir, LATE), said, "{name}, {filter:?}");
            }
        }
    }
    // What was not there.
    let place = Place::new();
    fs::rename(place.at(""), place.0.path().join("e")).unwrap();
    let dir = place.capture(Filter::Sources, LATE).unwrap();
    assert_eq!(place.check(&dir, LATE), "fresh");
    fs::create_dir(place.at("")).unwrap();
    assert_eq!(place.check(&dir, LATE), "d is new");
}

/// Of the same size, and within the last tick of the clock.
#[test]
fn times_that_prove_nothing_are_not_trusted() {
    let place = Place::new();
    let mut dir = place.capture(Filter::Sources, LATE).unwrap();
    let listing = dir.listing.as_mut().unwrap();
    for Entry(_, _, content) in &mut listing.entries {
        content.as_mut().unwrap().sum = Sum::of(b"package y\n");
    }
    assert!(!dir.is_settled(0) && dir.is_settled(LATE));
    assert_eq!(place.check(&dir, 0), "d/a.go has changed");
    let file =
        Single::capture(&place.at("a.go"), "d/a.go".to_owned(), Told::Content, LATE).unwrap();
    let other = Content { sum: Sum::of(b"package y\n"), ..file.content.unwrap() };
    let other = Single { content: Some(other), ..file.clone() };
    assert!(!other.has_content_of(&file) && file.has_content_of(&file));
    let checker = checker();
    let seen = other.check(place.0.path(), &Trust { checker: &checker, looked: 0 });
    assert_eq!(seen, Seen::Stale(Reason::Changed { path: place.at("a.go") }));
    let Seen::Moved(now) = file.check(place.0.path(), &Trust { checker: &checker, looked: 0 })
    else {
        panic!("it is the same file")
    };
    assert_eq!(now, file);
    // What is recorded then has the times of now.
    fs::rename(place.at("c.txt"), place.at("a.go")).unwrap();
    let Seen::Moved(now) = file.check(place.0.path(), &Trust { checker: &checker, looked: LATE })
    else {
        panic!("it is another file")
    };
    let stat = |file: &Single| file.content.unwrap().stat;
    assert_eq!(Some(stat(&now)), stat::follow(&place.at("a.go")).unwrap().map(|(_, stat)| stat));
    assert_ne!(stat(&now), stat(&file));
}

/// Of a build that began before the files were written, nothing is recorded.
#[test]
fn what_may_be_younger_than_the_build_is_refused() {
    let place = Place::new();
    for filter in [Filter::Named, Filter::Sources, Filter::All] {
        let Err(Refused::Since(path)) = place.capture(filter, 0) else { panic!("{filter:?}") };
        assert!(path.starts_with(place.at("")));
    }
    // So is a directory without files, where its names count.
    let empty = tempfile::tempdir().unwrap();
    let capture = |filter| {
        let (names, mut headers) = (BTreeSet::new(), Headers::new());
        Dir::capture(empty.path(), String::new(), filter, &names, 0, &checker(), &mut headers)
    };
    assert!(capture(Filter::Named).is_ok());
    for filter in [Filter::Sources, Filter::All] {
        let Err(Refused::Since(path)) = capture(filter) else { panic!("{filter:?}") };
        assert_eq!(path, empty.path());
    }
    let since =
        |name: &str| match Single::capture(&place.at(name), name.to_owned(), Told::Content, 0) {
            Ok(_) => false,
            Err(refused) => matches!(refused, Refused::Since(path) if path == place.at(name)),
        };
    assert!(since("a.go") && !since("nothing"));
    // Of what is not there, the directory tells.
    for (name, dir) in [("x", "d"), ("x/y", "d"), ("../x", "d/..")] {
        let at = place.at(name);
        let Err(Refused::Since(path)) = absent(&at, 0) else { panic!("{name}") };
        assert_eq!(path, place.0.path().join(dir));
        assert!(absent(&at, LATE).is_ok(), "{name}");
    }
}

/// A program is another if its build ID is; what has none that `go` made counts by all of it.
#[test]
fn programs_by_their_build_ids() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("compile");
    let program = |id: &str, rest: &str| {
        let mark = [b"\xff Go build ID: \"", id.as_bytes(), b"\"\n \xff", rest.as_bytes()];
        fs::write(&file, mark.concat()).unwrap();
    };
    let id = ["o23vgd8o32N23pwfYG-_"; 4].join("/");
    let other = id.replace("-_", "-x");
    let checker = checker();
    for (was, is, same) in [
        ((&*id, "one"), (&*id, "one"), true),
        ((&id, "one"), (&id, "two"), true),
        ((&id, "one"), (&other, "one"), false),
        (("redacted", "one"), ("redacted", "two"), false),
        (("redacted", "one"), ("redacted", "one"), true),
    ] {
        program(was.0, was.1);
        let single = Single::capture(&file, "compile".to_owned(), Told::BuildId, LATE).unwrap();
        program(is.0, is.1);
        let seen = single.check(dir.path(), &Trust { checker: &checker, looked: 0 });
        assert_eq!(!matches!(seen, Seen::Stale(_)), same, "{was:?} {is:?}");
    }
}
