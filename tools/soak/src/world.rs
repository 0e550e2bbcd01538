//! A module with two programs, a registry that stumbles, and a process that watches.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::base::Image;
use testkit::module::Module;
use testkit::registry::{Class, Fault, Rule, TestRegistry};
use testkit::sandbox::{Running, Sandbox};
use toolkit::file::{at, entries, write};
use toolkit::{Error, Result};

use crate::sample::{CACHE, Sample};

/// How long a round may take.
const PATIENCE: Duration = Duration::from_secs(120);

const STEP: Duration = Duration::from_millis(50);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct World {
    registry: TestRegistry,
    sandbox: Sandbox,
    watching: Option<Running>,
    printed: PathBuf,
    rounds: u64,
    builds: u64,
    refused: u64,
}

impl World {
    pub(crate) fn new(ours: &Path) -> Result<Self> {
        let registry = TestRegistry::start();
        Image::oci("linux/amd64").build().push(&registry, "base", "latest");
        let mut sandbox = Sandbox::new(ours);
        sandbox.set("KO_DOCKER_REPO", format!("{}/out", registry.host()));
        sandbox.set("KO_DEFAULTBASEIMAGE", format!("{}/base", registry.host()));
        sandbox.set("KOCACHE_MAX_SIZE", CACHE.to_string());
        let _ = Module::new(sandbox.work(), "example.com/app")
            .main("cmd/a")
            .main("cmd/b")
            .file("cmd/a/kodata/data", "0");
        write(&sandbox.root().join("config/go/telemetry/mode"), "off")?;
        let printed = sandbox.root().join("printed");
        let stdout = File::create(&printed).map_err(at(&printed))?;
        let nowhere = File::create("/dev/null").map_err(at(Path::new("/dev/null")))?;
        let words = ["build", "-B", "--watch", "--retries=2", "./cmd/a", "./cmd/b"];
        let run = sandbox.run(words).stdout(Stdio::from(stdout)).stderr(Stdio::from(nowhere));
        let watching = Some(run.start());
        let (rounds, builds, refused) = (0, 0, 0);
        let mut world = Self { registry, sandbox, watching, printed, rounds, builds, refused };
        world.next_round(0)?;
        Ok(world)
    }

    /// Edits, breaks the registry for a while, and builds.
    pub(crate) fn step(&mut self, rng: &mut Rng) -> Result<()> {
        let work = self.sandbox.work();
        let value = rng.u32(..);
        if rng.u8(..3) == 0 {
            self.registry.inject(stumble(rng));
        }
        match rng.u8(..4) {
            0 => write(&work.join("cmd/a/kodata/data"), &value.to_string().repeat(1000))?,
            1 => {
                let text = format!("package main\n\nfunc init() {{ println({value}) }}\n");
                write(&work.join("cmd/b/more.go"), &text)?;
            }
            _ => {
                let words = ["build", "-B", "--retries=2", "--tags=beside", "./cmd/a", "./cmd/b"];
                let output = self.sandbox.run(words).output();
                self.builds += 1;
                match output.code {
                    Some(0) => {}
                    Some(1) => self.refused += 1,
                    code => {
                        let said = &output.stderr;
                        return Err(Error::Found(format!("a build ended with {code:?}: {said}")));
                    }
                }
            }
        }
        std::thread::sleep(Duration::from_millis(rng.u64(50..800)));
        Ok(())
    }

    /// Mends the registry, lets a day pass for the cache, which is tidied once a day, and
    /// waits for a round that publishes.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let cache = self.sandbox.kocache();
        // It may not be there yet.
        let _ = fs::remove_file(cache.join("v1/tidied"));
        age(&cache);
        self.registry.clear_faults();
        self.registry.reset();
        let before = self.printed();
        let text = format!("package main\n\nconst round = {}\n", self.rounds + self.builds);
        write(&self.sandbox.work().join("cmd/a/round.go"), &text)?;
        self.next_round(before)
    }

    /// Waits until more is printed than that, and nothing more for a moment.
    fn next_round(&mut self, before: u64) -> Result<()> {
        let start = Instant::now();
        while self.printed() <= before {
            if start.elapsed() > PATIENCE {
                return Err(Error::Found("the watch publishes nothing more".to_owned()));
            }
            std::thread::sleep(STEP);
        }
        let mut last = 0;
        while last != self.printed() {
            last = self.printed();
            std::thread::sleep(20 * STEP);
        }
        let text = fs::read_to_string(&self.printed).map_err(at(&self.printed))?;
        self.rounds = text.lines().count() as u64;
        Ok(())
    }

    fn printed(&self) -> u64 {
        self.printed.metadata().map_or(0, |found| found.len())
    }

    pub(crate) fn sample(&self, minute: u64) -> Result<Sample> {
        let id = self.watching.as_ref().map_or(0, Running::id);
        let process = PathBuf::from(format!("/proc/{id}"));
        let status = process.join("status");
        let text = fs::read_to_string(&status).map_err(at(&status))?;
        let field = |name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        let cache = self.sandbox.kocache();
        let mut temporary = Vec::new();
        for dir in [cache.join("v1/tmp"), self.sandbox.tmp()] {
            temporary.extend(entries(&dir));
        }
        Ok(Sample {
            minute,
            rounds: self.rounds,
            builds: self.builds,
            refused: self.refused,
            memory: field("VmRSS:") * 1024,
            files: entries(&process.join("fd")).len(),
            threads: entries(&process.join("task")).len(),
            temporary: temporary.len(),
            cache: size(&cache),
        })
    }

    /// Ends the watch as a user would.
    pub(crate) fn end(&mut self) -> Result<()> {
        let Some(watching) = self.watching.take() else { return Ok(()) };
        let id = i32::try_from(watching.id()).map(Pid::from_raw);
        let id = id.map_err(|_| Error::Found("a process has no number".to_owned()))?;
        // It may have ended by itself, which shows below.
        let _ = kill(id, Signal::SIGINT);
        let output = watching.wait();
        match output.code {
            // An interrupt is an error to ko.
            Some(0 | 1) => Ok(()),
            code => Err(Error::Found(format!("the watch ended with {code:?}"))),
        }
    }
}

/// What goes wrong, and how often.
fn stumble(rng: &mut Rng) -> Rule {
    let fault = match rng.u8(..6) {
        0 => Fault::status(503, "UNAVAILABLE"),
        1 => Fault::too_many_requests(0),
        2 => Fault::Cut,
        3 => Fault::CutResponse(rng.u64(1..200)),
        4 => Fault::CutRequest(rng.u64(1..200)),
        _ => Fault::Hang(Duration::from_millis(rng.u64(1..300))),
    };
    let class = [Class::UploadPost, Class::UploadPut, Class::ManifestGet, Class::Ping];
    Rule::new(fault).class(class[rng.usize(..class.len())]).times(rng.u64(1..6))
}

/// Has all files below been used a day earlier: runs note a use once an hour, and spare
/// what was used within that hour.
fn age(dir: &Path) {
    for path in entries(dir) {
        let Ok(found) = path.symlink_metadata() else { continue };
        if found.is_dir() {
            age(&path);
        } else if let Ok(used) = found.accessed() {
            let times = FileTimes::new().set_accessed(used - DAY);
            // Another run may just have removed it.
            let _ = File::open(&path).and_then(|file| file.set_times(times));
        }
    }
}

/// The bytes of all files below.
fn size(dir: &Path) -> u64 {
    let of = |path: PathBuf| match path.symlink_metadata() {
        Ok(found) if found.is_dir() => size(&path),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries(dir).into_iter().map(of).sum()
}
