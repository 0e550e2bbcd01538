//! Who is measured: ko, ko with KOCACHE, a script of `go build` and `crane
//! append`, and ours. Each has a copy of the fixture, a cache and a copy of
//! Go's build cache of its own.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use testkit::cgroup::Cgroup;
use testkit::registry::TestRegistry;
use testkit::sandbox::{Run, Sandbox};

use crate::check::Checker;
use crate::checkout;
use crate::fixture::Written;
use crate::gocache;
use crate::measure::Sample;
use crate::runner;
use crate::scenario::{Change, Scenario};
use crate::session::{LOOP, Session};
use crate::target::{self, Target};
use toolkit::{Error, Result, go};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ko,
    KoCached,
    Crane,
    /// A bare `go build`, which pushes nothing.
    Go,
    /// Ours in a loop.
    Loop,
    Ours,
}

impl Kind {
    /// How it is called in the results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::KoCached => "ko + KOCACHE",
            Self::Crane => "go build + crane",
            Self::Go => "go build",
            Self::Loop => "ours in a loop",
            Self::Ours => "ours",
        }
    }

    /// Where its images go, below the registry.
    fn repository(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::KoCached => "ko-cached",
            Self::Crane => "crane",
            Self::Go => "go",
            Self::Loop => "loop",
            Self::Ours => "ours",
        }
    }
}

/// What somebody would write who has neither ko nor ours.
const SCRIPT: &str = r#"
set -e
go build -trimpath -o "$TMPDIR/image/ko-app/app" "$PACKAGE"
tar -C "$TMPDIR/image" -cf "$TMPDIR/layer.tar" ko-app
"$CRANE" append --platform linux/amd64 -b "$KO_DEFAULTBASEIMAGE" -f "$TMPDIR/layer.tar" -t "$KO_DOCKER_REPO"
"#;

/// The program alone.
const GO: &str = r#"go build -trimpath -o "$TMPDIR/app" "$PACKAGE"; echo built"#;

/// One of them, with all that is its own.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) kind: Kind,
    /// That of a scenario with `watch`, once it has begun. It ends before its directory
    /// goes.
    session: RefCell<Option<Session>>,
    sandbox: Sandbox,
    fixture: Written,
    target: Target,
    go_cache: PathBuf,
}

impl Contender {
    /// Prepares one. Go's build cache begins as a copy of `seed`, or is that
    /// itself.
    pub(crate) fn new(
        kind: Kind,
        program: &Path,
        scenario: &Scenario,
        seed: &Path,
        registry: &TestRegistry,
    ) -> Result<Self> {
        let host = registry.host();
        let shell = Path::new("sh");
        let is_script = matches!(kind, Kind::Crane | Kind::Go);
        let runs = if is_script { shell } else { program };
        let mut sandbox = Sandbox::with_go_cache(runs, seed);
        if kind == Kind::Ko {
            sandbox.unset("KOCACHE");
        }
        if is_script {
            sandbox.set("CRANE", program);
            sandbox.set("CGO_ENABLED", "0");
            sandbox.set("PACKAGE", scenario.words.get(1).map_or(".", String::as_str));
        }
        // What a loop runs.
        sandbox.set("PROGRAM", program);
        // What the fixture needs of others is there already.
        sandbox.set("GOMODCACHE", go::env("GOMODCACHE"));
        sandbox.set("KO_DOCKER_REPO", format!("{host}/{}", kind.repository()));
        sandbox.set("KO_DEFAULTBASEIMAGE", format!("{host}/base"));
        if let Some(authority) = registry.ca_pem() {
            let path = sandbox.root().join("authority.pem");
            std::fs::write(&path, authority)
                .map_err(|source| Error::File { path: path.clone(), source })?;
            sandbox.set("SSL_CERT_FILE", &path);
            sandbox.docker_config(&target::credentials(host));
        }
        if scenario.runner {
            runner::set_up(&mut sandbox, scenario);
        }
        let fixture = scenario.fixture.write(&sandbox, host)?;
        let target = Target::start(scenario.to, &mut sandbox)?;
        let session = RefCell::default();
        Ok(Self { kind, sandbox, fixture, target, go_cache: seed.to_owned(), session })
    }

    /// Gives it a build cache of its own with the content of the present one.
    pub(crate) fn part_go_cache(&mut self) -> Result<()> {
        let own = self.sandbox.root().join("go-build");
        gocache::copy(&self.go_cache, &own)?;
        self.sandbox.set("GOCACHE", &own);
        self.go_cache = own;
        Ok(())
    }

    /// Does to the fixture and the caches what the scenario wants before each
    /// run. The same round is the same edit for all.
    pub(crate) fn prepare(&self, scenario: &Scenario, round: usize) -> Result<()> {
        let write = |path: PathBuf, text: String| {
            std::fs::write(&path, text).map_err(|source| Error::File { path, source })
        };
        let dir = &self.fixture.dir;
        if scenario.runner {
            checkout::renew(&self.sandbox, dir)?;
            runner::empty(&self.sandbox, &self.go_cache)?;
        }
        match scenario.change {
            Change::None => Ok(()),
            Change::Source { dir: below, package } | Change::Longer { dir: below, package } => {
                let longer = matches!(scenario.change, Change::Longer { .. });
                let statements = "println(edit); ".repeat(if longer { 10 * round } else { 0 });
                let text = format!(
                    "package {package}\n\nfunc init() {{\n\tif len(edit) == 0 {{\n\t\t\
                     {statements}panic(edit)\n\t}}\n}}\n\nvar edit = \"edit {round}\"\n"
                );
                write(dir.join(below).join("edited_by_bench.go"), text)?;
                if scenario.commits {
                    runner::commit(dir);
                }
                Ok(())
            }
            Change::Kodata => {
                write(dir.join("kodata/000/00000.txt"), format!("edit {round}\n").repeat(1000))
            }
            Change::Checkout => {
                checkout::renew(&self.sandbox, dir)?;
                // What it has before the first round is of another build cache.
                if self.kind == Kind::Ours && round > 0 {
                    checkout::import_cache(&self.sandbox)?;
                }
                Ok(())
            }
            Change::First => gocache::empty(&self.sandbox.kocache()),
            Change::Cold => runner::empty(&self.sandbox, &self.go_cache),
        }
    }

    /// Builds once what comes before the change, for the destination and for what is to
    /// speed up the next machine.
    pub(crate) fn fill(
        &mut self,
        scenario: &Scenario,
        registry: &TestRegistry,
        checker: &mut Checker,
    ) -> Result<()> {
        gocache::empty(&self.sandbox.kocache())?;
        checkout::renew(&self.sandbox, &self.fixture.dir)?;
        let cache = format!("oci://{}/cache", registry.host());
        if self.kind == Kind::Ours {
            self.sandbox.set("KO_CACHE_TO", &cache);
        }
        self.run_under(scenario, &[], registry, checker)?;
        match self.kind {
            Kind::Ours => {
                self.sandbox.unset("KO_CACHE_TO");
                self.sandbox.set("KO_CACHE_FROM", &cache);
                Ok(())
            }
            Kind::KoCached => runner::pack(&self.sandbox),
            _ => Ok(()),
        }
    }

    /// Runs it once, and checks what it left.
    pub(crate) fn run(
        &self,
        scenario: &Scenario,
        registry: &TestRegistry,
        checker: &mut Checker,
    ) -> Result<Sample> {
        if scenario.runner && self.kind == Kind::KoCached {
            let under = runner::unpacking(&self.sandbox);
            return self.run_under(scenario, &under, registry, checker);
        }
        self.run_under(scenario, &[], registry, checker)
    }

    fn run_under(
        &self,
        scenario: &Scenario,
        under: &[String],
        registry: &TestRegistry,
        checker: &mut Checker,
    ) -> Result<Sample> {
        registry.reset();
        let _ = self.target.sent();
        let (cpu, start) = (children_seconds(), Instant::now());
        let group = scenario.memory.map(Cgroup::new);
        let under = group.as_ref().map_or_else(|| under.to_vec(), Cgroup::words);
        let output = self.command(scenario, &under).cwd(&self.fixture.dir).output();
        let seconds = start.elapsed().as_secs_f64();
        let cpu_seconds = children_seconds().zip(cpu).map(|(after, before)| after - before);
        let counts = registry.counts();
        let failed = |reason: String| {
            Error::Missing(format!("{}: {}: {reason}", scenario.name, self.kind.name()))
        };
        if let Some(group) = &group {
            let (peak, kills) = (group.peak() as f64 / 1e6, group.kills());
            eprintln!("{}: {peak:.0} MB of all processes, {kills} killed", scenario.name);
        }
        if output.code != Some(0) {
            return Err(failed(format!("exit code {:?}\n{}", output.code, output.stderr)));
        }
        let sent = self.target.sent();
        let left = (output.stdout.as_str(), &*self.fixture.dir);
        let complete = self.kind != Kind::Crane;
        let images = self.target.images(checker, registry, left, complete);
        let images = images.map_err(failed)?;
        if scenario.images.is_some_and(|want| want != images.len()) {
            return Err(failed(format!("{} references on stdout", images.len())));
        }
        Ok(Sample {
            seconds,
            cpu_seconds,
            memory: output.peak_memory,
            requests: counts.total(),
            bytes_sent: sent.unwrap_or(counts.bytes_in),
            images,
        })
    }

    /// Makes an edit, waits until its image is pushed, and checks that.
    pub(crate) fn turn(
        &self,
        scenario: &Scenario,
        round: usize,
        registry: &TestRegistry,
        checker: &mut Checker,
    ) -> Result<Sample> {
        let failed = |reason: String| {
            Error::Missing(format!("{}: {}: {reason}", scenario.name, self.kind.name()))
        };
        let mut session = self.session.borrow_mut();
        if session.is_none() {
            *session = Some(self.begin(scenario).map_err(failed)?);
        }
        let Some(session) = &*session else { return Err(failed("no session".to_owned())) };
        registry.reset();
        let start = Instant::now();
        self.prepare(scenario, round)?;
        let (end, line) = session.turn().map_err(failed)?;
        let counts = registry.counts();
        let images = match self.kind {
            Kind::Go => Vec::new(),
            kind => {
                let left = (line.as_str(), &*self.fixture.dir);
                let complete = kind != Kind::Crane;
                self.target.images(checker, registry, left, complete).map_err(failed)?
            }
        };
        // What is still done is nobody else's burden.
        std::thread::sleep(Duration::from_millis(500));
        Ok(Sample {
            seconds: end.duration_since(start).as_secs_f64(),
            cpu_seconds: None,
            memory: None,
            requests: counts.total(),
            bytes_sent: counts.bytes_in,
            images,
        })
    }

    /// Starts what waits for edits.
    fn begin(&self, scenario: &Scenario) -> std::result::Result<Session, String> {
        let words = scenario.words.iter().map(|word| format!("'{word}' "));
        let platforms = scenario.platforms;
        let step = match self.kind {
            Kind::Ours => {
                let platforms = format!("--platform={platforms}");
                let more = [platforms, "--watch".to_owned()];
                let run = self.sandbox.run(scenario.words.iter().chain(&more));
                return Session::start(run.cwd(&self.fixture.dir), None);
            }
            Kind::Crane => format!("({SCRIPT})"),
            Kind::Go => GO.to_owned(),
            Kind::Ko | Kind::KoCached | Kind::Loop => {
                let words: String = words.collect();
                format!("\"$PROGRAM\" {words}--platform={platforms}")
            }
        };
        let under = ["sh".to_owned(), "-c".to_owned(), LOOP.replace("STEP", &step)];
        let run = self.sandbox.run_under(&under, [] as [&str; 0]);
        Session::start(run.cwd(&self.fixture.dir), Some(self.sandbox.tmp().join("edits")))
    }

    fn command(&self, scenario: &Scenario, under: &[String]) -> Run<'_> {
        if self.kind == Kind::Crane {
            return self.sandbox.run(["-c", SCRIPT]);
        }
        let platforms = format!("--platform={}", scenario.platforms);
        self.sandbox.run_under(under, scenario.words.iter().chain([&platforms]))
    }
}

/// The processor time of all children that have ended, and of theirs, in
/// seconds: `cutime` and `cstime` of proc(5), in ticks of which there are a
/// hundred per second. Known on Linux only.
fn children_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(13).take(2).map(|field| field.parse::<f64>().ok());
    Some(ticks.sum::<Option<f64>>()? / 100.0)
}
