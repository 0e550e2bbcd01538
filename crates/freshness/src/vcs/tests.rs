//! What makes a stamp another one, by what git said then and now.

use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

#[test]
fn variables_that_git_sees() {
    const BASE: [(&str, &str); 2] = [("HOME", "/h"), ("PATH", "/bin")];
    let base = view(&environment(&BASE));
    for (name, value, same) in [
        ("HOME", "/other", false),
        ("PATH", "/other", false),
        ("XDG_CONFIG_HOME", "/x", false),
        ("GIT_CONFIG_COUNT", "1", false),
        (OPTIONAL_LOCKS, "0", true),
        ("LANG", "C", true),
        ("HOME", "/h", true),
    ] {
        let mut all = environment(&BASE);
        all.set(name, value);
        assert_eq!(view(&all) == base, same, "{name}={value}");
    }
    // In whatever order, and where one ends counts.
    let (one, other) = (environment(&[BASE[1], BASE[0]]), environment(&[("HOME", "/hPATH")]));
    assert!(view(&one) == base && view(&other) != base);
}

#[test]
fn directories_called_like_versions() {
    for (dir, is) in [
        ("/w/v2", "v2"),
        ("/w/v1.2", "v1.2"),
        ("/w/v", ""),
        ("/w/v2a", ""),
        ("/w/2", ""),
        ("/w/va", ""),
        ("/", ""),
    ] {
        assert_eq!(major(Path::new(dir)), is, "{dir}");
    }
}

#[test]
fn whatever_git_says_differently_is_another_stamp() {
    let here = environment(&[("HOME", "/h")]);
    let head = Head {
        commit: "c".to_owned(),
        dirty: false,
        references: Sum::of(b"r"),
        major: Some("v2".to_owned()),
        versions: None,
    };
    let stamp = Stamp { around: [None, None, None], git: true, head: Some(head) };
    let answer =
        Answer { head: "c".to_owned(), dirty: false, references: Sum::of(b"r"), changed: None };
    let repository = PathBuf::from("/w/v2");
    let state = VcsState { repository, environment: view(&here), answer: Ok(answer) };
    let compare = |stamp: &Stamp, at: &str, change: &dyn Fn(&mut VcsState)| {
        let mut state = state.clone();
        change(&mut state);
        stamp.compare(Path::new(at), &state, &here)
    };
    let answered = |change: &dyn Fn(&mut Answer)| {
        compare(&stamp, "/w/v2", &|state| change(state.answer.as_mut().unwrap()))
    };
    assert_eq!(answered(&|_| ()), Ok(()));
    let (was, is) = ("c".to_owned(), "d".to_owned());
    assert_eq!(answered(&|now| now.head = "d".to_owned()), Err(Reason::Commit { was, is }));
    assert_eq!(answered(&|now| now.dirty = true), Err(Reason::Dirty { is: true }));
    assert_eq!(answered(&|now| now.references = Sum::of(b"s")), Err(Reason::Tags));
    assert_eq!(compare(&stamp, "/w/v3", &|_| ()), Err(Reason::Repository));
    let named = |state: &mut VcsState| state.repository = "/w/v3".into();
    assert_eq!(compare(&stamp, "/w/v3", &named), Err(Reason::Named { dir: "/w/v3".into() }));
    let other = |state: &mut VcsState| state.environment = view(&environment(&[("HOME", "/i")]));
    assert_eq!(compare(&stamp, "/w/v2", &other), Err(Reason::GitEnvironment));
    let failed = |state: &mut VcsState| state.answer = Err(Reason::Tags);
    assert_eq!(compare(&stamp, "/w/v2", &failed), Err(Reason::Tags));
    // Of what is not stamped, nothing counts.
    let none = Stamp { head: None, ..stamp.clone() };
    assert_eq!(compare(&none, "/w/v3", &failed), Ok(()));
}

#[test]
fn what_is_around_a_program_counts_before_git_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("git");
    std::fs::write(&program, "#!/bin/sh\n").unwrap();
    crate::fixture::executable(&program);
    let work = dir.path().join("w");
    std::fs::create_dir_all(work.join(".git")).unwrap();
    let path = dir.path().to_str().unwrap();
    let with_git = environment(&[("PATH", path)]);
    let line = crate::releases::known_line("go1.27.3").unwrap();
    let places = |dir| Places { line, dir, package: dir, module: dir };
    let head = Head {
        commit: "c".to_owned(),
        dirty: false,
        references: Sum::of(b""),
        major: None,
        versions: None,
    };
    let around = places(&work).around();
    let stamp = Stamp { around, git: true, head: Some(head) };
    assert_eq!(stamp.check(places(&work), &with_git), Ok(()));
    assert_eq!(stamp.check(places(dir.path()), &with_git), Err(Reason::Repository));
    assert_eq!(stamp.check(places(&work), &environment(&[])), Err(Reason::Repository));
    let led = environment(&[("PATH", path), ("GIT_DIR", "/x")]);
    let name = "GIT_DIR".to_owned();
    let never = Reason::Uncacheable(Uncacheable::GitVariable { name });
    assert_eq!(stamp.check(places(&work), &led), Err(never));
    assert_eq!(stamp.needs(&work), Some(work.clone()));
    assert!(!stamp.has_versions());
    // What is not stamped may be led anywhere.
    let none = Stamp { head: None, ..stamp };
    assert_eq!(none.check(places(&work), &led), Ok(()));
    assert_eq!(none.needs(&work), None);
}
