//! What is done with a store, and what must come of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use testkit::sandbox::Output;
use toolkit::{Error, Result};

use crate::project::{Edit, Project, Runner};
use crate::store::{Kind, Store};

/// What came of one thing that was done.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) images: String,
    pub(crate) said: String,
    pub(crate) is_wrong: bool,
}

/// Whether a build is to find its programs in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hits {
    /// So many.
    Exactly(usize),
    /// What it finds is its luck.
    Any,
}

/// Where the line breaks: at once, after a record, in a blob, and while much is written.
const BREAKS: [u64; 4] = [0, 3_000, 300_000, 2_000_000];

/// How much is spoilt: each record, each blob, a few of them.
const SPOILT: [u64; 3] = [701, 40_009, 1_000_003];

/// Does all of it.
pub(crate) fn rows(project: &Project, kind: Kind) -> Result<Vec<Row>> {
    let mut trial = Trial { project, store: Store::start(kind), rows: Vec::new() };
    trial.in_order()?;
    trial.slow_and_broken();
    trial.with_holes(kind)?;
    trial.spoilt();
    trial.refusing(kind);
    trial.full(kind);
    // Whatever there was, the next job fills it again.
    let _ = trial.build("filled again", Edit::Both, "--cache-to", Hits::Any);
    let _ = trial.build("fresh runner", Edit::Both, "--cache-from", Hits::Exactly(2));
    Ok(trial.rows)
}

struct Trial<'a> {
    project: &'a Project,
    store: Store,
    rows: Vec<Row>,
}

impl Trial<'_> {
    fn in_order(&mut self) -> Result<()> {
        let _ = self.build("filled", Edit::None, "--cache-to", Hits::Exactly(0));
        let _ = self.build("fresh runner", Edit::None, "--cache-from", Hits::Exactly(2));
        // Without Go's cache, what has not changed is not compiled.
        let edited = self.project.runner(Edit::One);
        let run = self.run(&edited, "--cache-to");
        let built = run.env("GOCACHE", edited.path("go-build")).output();
        self.note("one program edited, Go's cache empty", &edited, &built, Hits::Exactly(1));
        if !built.stderr.contains("Go's cache has ") {
            return Err(Error::Found(format!("no objects were fetched:\n{}", built.stderr)));
        }
        // Two at once, that agree on nothing but what both have.
        let runners = [self.project.runner(Edit::One), self.project.runner(Edit::Other)];
        let runs = runners.each_ref().map(|runner| self.run(runner, "--cache-to").start());
        for (runner, run) in runners.iter().zip(runs) {
            self.note("two runners at once", runner, &run.wait(), Hits::Any);
        }
        for edit in [Edit::One, Edit::Other] {
            let _ = self.build("what those two have left", edit, "--cache-from", Hits::Any);
        }
        Ok(())
    }

    fn slow_and_broken(&mut self) {
        let Some(link) = &self.store.link else { return };
        link.slow(Duration::from_millis(50), 0);
        let _ = self.build("slow (50 ms)", Edit::None, "--cache-from", Hits::Exactly(2));
        for after in BREAKS {
            self.mend(|link| link.break_after(after));
            let what = format!("stopped after {after} bytes");
            let _ = self.build(&what, Edit::None, "--cache-from", Hits::Any);
            self.mend(|link| link.break_after(after));
            let what = format!("stopped after {after} bytes, writing");
            let _ = self.build(&what, Edit::Other, "--cache-to", Hits::Any);
        }
        self.mend(|_| {});
    }

    fn mend(&self, then: impl FnOnce(&testkit::link::Link)) {
        if let Some(link) = &self.store.link {
            link.mend();
            then(link);
        }
    }

    /// Half of what is there is lost.
    fn with_holes(&mut self, kind: Kind) -> Result<()> {
        if kind.lists() {
            let ko = |words: &[&str]| {
                let mut run = self.project.sandbox.run(words);
                for (name, value) in &self.store.variables {
                    run = run.env(name, value);
                }
                run.output()
            };
            let shown = ko(&["cache", "show", "--json", &self.store.url]);
            let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap_or_default();
            let Some(bytes) = shown["blobs"]["bytes"].as_u64() else {
                return Err(Error::Found(format!("it is not shown what is there: {shown}")));
            };
            let pruned =
                ko(&["cache", "prune", &format!("--max-size={}", bytes / 2), &self.store.url]);
            if pruned.code != Some(0) {
                return Err(Error::Found(format!("it is not pruned:\n{}", pruned.stderr)));
            }
        } else {
            lose_half(&self.store.dir);
        }
        for edit in [Edit::None, Edit::One] {
            let _ = self.build("half of it is lost", edit, "--cache-from", Hits::Any);
        }
        let _ = self.build("half of it is lost, writing", Edit::None, "--cache-to", Hits::Any);
        Ok(())
    }

    /// Bytes come back as others.
    fn spoilt(&mut self) {
        if self.store.link.is_none() {
            spoil(&self.store.dir);
            let _ = self.build("damaged", Edit::None, "--cache-from", Hits::Any);
            let _ = self.build("damaged, writing", Edit::One, "--cache-to", Hits::Any);
            return;
        }
        for every in SPOILT {
            self.mend(|link| link.spoil(every));
            let what = format!("each {every}th byte is another");
            let _ = self.build(&what, Edit::None, "--cache-from", Hits::Any);
            let _ = self.build(&format!("{what}, writing"), Edit::One, "--cache-to", Hits::Any);
        }
        self.mend(|_| {});
    }

    fn refusing(&mut self, kind: Kind) {
        if !kind.can_refuse() {
            return;
        }
        self.store.run(kind, true);
        self.refused("refuses writes");
        self.store.run(kind, false);
    }

    fn full(&mut self, kind: Kind) {
        if self.store.fill_up() {
            self.refused("full");
        }
        self.store.empty_again();
        // SeaweedFS goes on refusing until it looks at its disk again.
        self.store.run(kind, false);
    }

    /// It cannot take what a build adds, which is told.
    fn refused(&mut self, what: &str) {
        let built = self.build(what, Edit::Both, "--cache-to", Hits::Exactly(0));
        let is_told = built.stderr.contains("going on without the shared cache ");
        if let Some(row) = self.rows.last_mut().filter(|_| !is_told) {
            row.images = "nothing was said".to_owned();
            row.is_wrong = true;
        }
    }

    fn run(&self, runner: &Runner, flag: &str) -> testkit::sandbox::Run<'_> {
        let words = format!("{flag}={}", self.store.url);
        let variables = self.store.variables.iter();
        variables
            .fold(self.project.build(runner, &words), |run, (name, value)| run.env(name, value))
    }

    fn build(&mut self, what: &str, edit: Edit, flag: &str, hits: Hits) -> Output {
        let runner = self.project.runner(edit);
        let built = self.run(&runner, flag).output();
        self.note(what, &runner, &built, hits);
        built
    }

    fn note(&mut self, what: &str, runner: &Runner, built: &Output, hits: Hits) {
        // What was guessed and then listed is told twice.
        let found = built.stderr.lines().filter_map(|line| {
            let (program, _) = line.split_once(" is in the shared cache ")?;
            Some(program.rsplit_once("/cmd/")?.1)
        });
        let found = found.collect::<BTreeSet<_>>().len();
        let missed = match hits {
            Hits::Exactly(wanted) if wanted != found => {
                Some(format!("{found} of {wanted} programs were found"))
            }
            _ => None,
        };
        let wrong = self.project.check(runner.edit, built).or(missed);
        let notices = built.stderr.lines().filter_map(|line| {
            let (_, said) = line.split_once("going on without the shared cache ")?;
            Some(said.split_once(": ").map_or(said, |(_, why)| why).to_owned())
        });
        let damaged = built.stderr.matches(" has a damaged ").count();
        let mut said: Vec<String> = notices.collect();
        said.extend((damaged > 0).then(|| format!("{damaged} damaged")));
        self.rows.push(Row {
            what: what.to_owned(),
            images: match &wrong {
                Some(wrong) => wrong.clone(),
                None => format!("right; {found} found"),
            },
            said: said.join("; ").replace('|', "\\|"),
            is_wrong: wrong.is_some(),
        });
        if wrong.is_some() {
            eprintln!("{what}:\n{}", built.stderr);
        }
    }
}

/// The files below a directory, in order.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    found
}

fn lose_half(dir: &Path) {
    for file in files(dir).into_iter().step_by(2) {
        let _ = fs::remove_file(file);
    }
}

/// One byte of each file.
fn spoil(dir: &Path) {
    for file in files(dir) {
        let Ok(mut bytes) = fs::read(&file) else { continue };
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
            let _ = fs::write(&file, bytes);
        }
    }
}
