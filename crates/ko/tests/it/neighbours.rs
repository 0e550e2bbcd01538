//! Who else is on the machine: other processes on the same cache, other users, and
//! limits that somebody has set.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::thread;

use testkit::base::{Image, Index};
use testkit::module::fleet;
use testkit::registry::TestRegistry;

use crate::fixture::Fixture;
use crate::leftovers::assert_none;
use crate::services::run;

/// A user that no machine has, as OpenShift gives one to a container.
const SOMEBODY: u32 = 1_000_660_000;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn sixteen_processes_share_a_cache_that_is_pruned_all_the_time() {
    const PROGRAMS: usize = 8;
    let fixture = Fixture::on(TestRegistry::start(), &Image::oci("linux/amd64").build());
    let programs = fleet(fixture.sandbox.work(), PROGRAMS).import_paths();
    let sandbox = &fixture.sandbox;
    let alone: Vec<String> = {
        let all = ["build", "-B"].into_iter().chain(programs.iter().map(String::as_str));
        let output = sandbox.run(all).output().success();
        output.stdout.lines().map(str::to_owned).collect()
    };
    fs::remove_dir_all(sandbox.kocache().join("v1")).unwrap();
    thread::scope(|scope| {
        let builds: Vec<_> = (0..16)
            .map(|process| {
                let wanted: Vec<usize> =
                    (0..3).map(|more| (process + more * (1 + process / 8)) % PROGRAMS).collect();
                let of = |list: &[String]| -> Vec<String> {
                    wanted.iter().map(|&program| list[program].clone()).collect()
                };
                let (args, expected) = (of(&programs), of(&alone));
                let args: Vec<String> = words(&["build", "-B"]).into_iter().chain(args).collect();
                scope.spawn(move || {
                    let output = sandbox.run(&args).output().success();
                    let mut built: Vec<&str> = output.stdout.lines().collect();
                    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
                    built.sort_unstable();
                    expected.sort_unstable();
                    assert_eq!(built, expected);
                })
            })
            .collect();
        scope.spawn(move || {
            while !builds.iter().all(thread::ScopedJoinHandle::is_finished) {
                let prune = ["cache", "prune", "--max-size=1MB", "--max-age=1s"];
                let _ = sandbox.run(prune).output().success();
            }
        });
    });
    assert_none(sandbox, &[]);
    let _ = sandbox.run(["cache", "verify"]).output().success();
}

/// Everything below, as this user's.
fn give(dir: &Path, user: u32) {
    chown(dir, Some(user), None).unwrap();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => give(&entry.path(), user),
            false => std::os::unix::fs::lchown(entry.path(), Some(user), None).unwrap(),
        }
    }
}

#[test]
fn a_cache_of_somebody_else_is_not_used() {
    let mut fixture = Fixture::new();
    let first = fixture.build("--bare").output().success();
    let cache = fixture.sandbox.kocache();
    let notice = |dir: &Path| {
        format!(
            "going on without a cache: {} belongs to the user {SOMEBODY}, and ko runs as 0\n\
             hint: run ko as one user, or set KOCACHE to a directory for each\n",
            dir.display()
        )
    };
    // The directory alone is enough: its owner can put any other into its place.
    for (dirs, named) in [(&[cache.clone()][..], true), (&[cache.join("v1")], true), (&[], false)] {
        give(&cache, 0);
        dirs.iter().for_each(|dir| chown(dir, Some(SOMEBODY), None).unwrap());
        let mut told = dirs.first().cloned();
        if !named {
            let default = fixture.sandbox.root().join("cache/ko");
            fs::create_dir_all(&default).unwrap();
            chown(&default, Some(SOMEBODY), None).unwrap();
            fixture.sandbox.unset("KOCACHE");
            told = Some(default);
        }
        let told = notice(&told.unwrap());
        let output = fixture.build("--bare").output().success();
        assert_eq!(output.stdout, first.stdout);
        assert!(output.stderr.contains(&told), "{}", output.stderr);
        assert!(output.stderr.contains("Building example.com/app"), "{}", output.stderr);
        // What would be built is not known from there either.
        let plan = fixture.build("--bare --dry-run").output().success();
        assert!(!plan.stdout.contains("fresh"), "{}", plan.stdout);
        assert_none(&fixture.sandbox, &[]);
    }
}

#[test]
fn what_the_superuser_has_is_used() {
    let fixture = Fixture::new();
    let _ = fixture.build("--bare").output().success();
    let again = fixture.build("--bare").output().success();
    assert!(!again.stderr.contains("Building"), "{}", again.stderr);
    assert!(!again.stderr.contains("without a cache"), "{}", again.stderr);
}

#[test]
fn an_open_umask_opens_no_cache() {
    let fixture = Fixture::new();
    let script = words(&["sh", "-c", "umask 000 && exec \"$@\"", "sh"]);
    let _ = fixture.sandbox.run_under(&script, ["build", "--bare"]).output().success();
    let mode = fixture.sandbox.kocache().join("v1").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0, "{mode:o}");
    let again = fixture.build("--bare").output().success();
    assert!(!again.stderr.contains("Building"), "{}", again.stderr);
    // Nor does one that lets nobody do anything keep us out.
    let script = words(&["sh", "-c", "umask 777 && exec \"$@\"", "sh"]);
    let _ = fixture.sandbox.run_under(&script, ["build", "--bare", "-t", "x"]).output().success();
}

#[test]
fn an_arbitrary_user_without_a_home_builds() {
    let mut fixture = Fixture::new();
    let root = fixture.sandbox.root().to_owned();
    fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
    let own = root.join("own");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(SOMEBODY), Some(0)).unwrap();
    for name in ["KOCACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "DOCKER_CONFIG"] {
        fixture.sandbox.unset(name);
    }
    // Go's own cache is the superuser's here, so somebody else has built the program.
    let program = root.join("program");
    let mut go = Command::new("go");
    go.args(["build", "-o", program.to_str().unwrap(), "."]).current_dir(fixture.sandbox.work());
    let _ = run(go.env("CGO_ENABLED", "0"));
    let user = words(&["setpriv", &format!("--reuid={SOMEBODY}"), "--regid=0", "--clear-groups"]);
    // Its home is the root directory, where it may write nothing; and a variable that is
    // set to nothing is as good as unset.
    for temporary in [own.clone(), "".into()] {
        let prebuilt = format!("--prebuilt=linux/amd64={}", program.display());
        let run = fixture.sandbox.run_under(&user, ["build", "--bare", &prebuilt]);
        let output = run.env("HOME", "/").env("TMPDIR", &temporary).output().success();
        assert!(output.stderr.contains("going on without a cache: "), "{}", output.stderr);
    }
    assert_none(&fixture.sandbox, &[&own]);
}

/// A user who runs nothing else: the limit counts all threads of a user.
const NOBODY_ELSE: u32 = 54_321;

#[test]
fn a_limit_of_threads_is_told_of() {
    let fixture = Fixture::new();
    fs::set_permissions(fixture.sandbox.root(), Permissions::from_mode(0o755)).unwrap();
    let user = format!("--reuid={NOBODY_ELSE}");
    let limit = words(&["setpriv", &user, "--clear-groups", "prlimit", "--nproc=2", "--"]);
    let said = fixture.sandbox.run_under(&limit, ["build"]).output().failure(1).stderr;
    assert!(said.starts_with("Error: the system allows no further thread: "), "{said}");
    assert!(said.ends_with("or of this container\n"), "{said}");
}

#[test]
fn few_descriptors_are_enough() {
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    let fixture = Fixture::on(TestRegistry::start(), &base.build());
    let programs = fleet(fixture.sandbox.work(), 6).import_paths();
    let args = words(&["build", "-B", "--platform=all"]).into_iter().chain(programs);
    // Once what cannot be raised, and once what can, where nothing else is left to do.
    for limit in ["--nofile=64", "--nofile=16:4096"] {
        let run = fixture.sandbox.run_under(&words(&["prlimit", limit]), args.clone());
        assert_eq!(run.output().success().stdout.lines().count(), 6);
    }
}
