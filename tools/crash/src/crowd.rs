//! Many processes that share a cache while another prunes it without a pause: each builds
//! one random set of programs after another, and must get the images that one process
//! alone gets.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fastrand::Rng;
use testkit::base::Image;
use testkit::module::Module;
use testkit::registry::TestRegistry;
use testkit::sandbox::{Output, Sandbox};
use toolkit::file::entries;
use toolkit::{Error, Result};

const PROGRAMS: usize = 8;

/// How many processes there are at a time, and how many builds each line of them runs.
pub(crate) struct Crowd {
    pub(crate) processes: usize,
    pub(crate) builds: usize,
}

impl Crowd {
    pub(crate) fn run(&self, ours: &Path, seed: u64) -> Result<()> {
        let registry = TestRegistry::start();
        Image::oci("linux/amd64").build().push(&registry, "base", "latest");
        let mut sandbox = Sandbox::new(ours);
        sandbox.set("KO_DOCKER_REPO", format!("{}/out", registry.host()));
        sandbox.set("KO_DEFAULTBASEIMAGE", format!("{}/base", registry.host()));
        let dirs: Vec<String> = (0..PROGRAMS).map(|number| format!("cmd/p{number}")).collect();
        let module = Module::new(sandbox.work(), "example.com/crowd");
        let module = dirs.iter().fold(module, |module, dir| module.main(dir));
        let programs: Vec<String> = dirs.iter().map(|dir| module.import_path(dir)).collect();
        let build = |wanted: &[usize]| -> std::result::Result<Vec<String>, String> {
            let words = ["build", "-B"].map(str::to_owned).into_iter();
            let words = words.chain(wanted.iter().map(|&program| programs[program].clone()));
            let output = succeeded(sandbox.run(words).output())?;
            Ok(output.stdout.lines().map(str::to_owned).collect())
        };
        let alone = build(&(0..PROGRAMS).collect::<Vec<_>>()).map_err(Error::Found)?;
        let ended = AtomicUsize::new(0);
        let (done, prunes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let line = |process: usize| -> std::result::Result<(), String> {
            let mut rng = Rng::with_seed(seed.wrapping_mul(1 << 32).wrapping_add(process as u64));
            for _ in 0..self.builds {
                let mut wanted: Vec<usize> = (0..PROGRAMS).collect();
                rng.shuffle(&mut wanted);
                wanted.truncate(rng.usize(1..=3));
                let expected: Vec<&String> =
                    wanted.iter().map(|&program| &alone[program]).collect();
                let built = build(&wanted)?;
                if built.iter().collect::<Vec<_>>() != expected {
                    return Err(format!("process {process}: {built:?}, and not {expected:?}"));
                }
                let _ = done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        let results: Vec<_> = thread::scope(|scope| {
            let lines: Vec<_> = (0..self.processes)
                .map(|process| {
                    let (line, ended) = (&line, &ended);
                    scope.spawn(move || {
                        let result = line(process);
                        let _ = ended.fetch_add(1, Ordering::Relaxed);
                        result
                    })
                })
                .collect();
            let pruner = scope.spawn(|| {
                while ended.load(Ordering::Relaxed) < self.processes {
                    let words = ["cache", "prune", "--max-size=1MB", "--max-age=1s"];
                    succeeded(sandbox.run(words).output())?;
                    let _ = prunes.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
            let mut results: Vec<_> =
                lines.into_iter().map(thread::ScopedJoinHandle::join).collect();
            results.push(pruner.join());
            results
        });
        for result in results {
            result.expect("no thread panics").map_err(Error::Found)?;
        }
        let verified =
            succeeded(sandbox.run(["cache", "verify"]).output()).map_err(Error::Found)?;
        succeeded(sandbox.run(["cache", "prune"]).output()).map_err(Error::Found)?;
        let left = entries(&sandbox.kocache().join("v1/tmp"));
        if verified.stdout.contains("damaged, removed") || !left.is_empty() {
            return Err(Error::Found(format!("{}{left:?}", verified.stdout)));
        }
        println!(
            "{} builds by {} processes at a time and {} prunes, all images as built alone",
            done.into_inner(),
            self.processes,
            prunes.into_inner()
        );
        Ok(())
    }
}

fn succeeded(output: Output) -> std::result::Result<Output, String> {
    match output.code {
        Some(0) => Ok(output),
        code => Err(format!("it ended with {code:?}: {}", output.stderr)),
    }
}
