//! Where it happens: a module with two programs, a registry, an engine, caches, and what
//! has come of the rounds before.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use serde_json::json;
use testkit::base::Image;
use testkit::image_store::ImageStore;
use testkit::module::Module;
use testkit::registry::TestRegistry;
use testkit::sandbox::{Output, Run, Sandbox};
use toolkit::file::{at, entries, write};
use toolkit::{Error, Result};

use crate::action::Action;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::whole;

/// How long children of what was killed may take to end, in steps of [`STEP`].
const PATIENCE: u32 = 600;

const STEP: Duration = Duration::from_millis(50);

pub(crate) struct World {
    /// Of which the power goes. It goes before the directory that it is mounted on.
    disk: Option<Disk>,
    registry: TestRegistry,
    store: ImageStore,
    sandbox: Option<Sandbox>,
}

impl World {
    pub(crate) fn new(ours: &Path, power: bool) -> Result<Self> {
        let (registry, store) = (TestRegistry::start(), ImageStore::start());
        Image::oci("linux/amd64").build().push(&registry, "base", "latest");
        let mut sandbox = Sandbox::new(ours);
        let disk = power.then(|| Disk::over(sandbox.root())).transpose()?;
        sandbox.set("KO_DOCKER_REPO", format!("{}/out", registry.host()));
        sandbox.set("KO_DEFAULTBASEIMAGE", format!("{}/base", registry.host()));
        sandbox.set("DOCKER_HOST", format!("unix://{}", store.socket().display()));
        let _ = Module::new(sandbox.work(), "example.com/app")
            .main("cmd/a")
            .main("cmd/b")
            .file("cmd/a/kodata/big", vec![7; 2 << 20])
            .file("app.yaml", "- ko://example.com/app/cmd/a\n- ko://example.com/app/cmd/b\n");
        let telemetry = sandbox.root().join("config/go/telemetry");
        write(&telemetry.join("mode"), "off")?;
        // `auth` is that of the user `me` with the password `pw`.
        let auths = json!({whole::KEPT: {"auth": "bWU6cHc="}});
        sandbox.docker_config(&json!({"auths": auths, "psFormat": "table"}));
        let world = Self { disk, registry, store, sandbox: Some(sandbox) };
        let mode = fs::Permissions::from_mode(0o600);
        let config = world.config();
        fs::set_permissions(&config, mode).map_err(at(&config))?;
        world.succeeds(Action::Push).map_err(Error::Found)?;
        // What is imported is never what was just killed.
        let archive = world.root().join("whole.tar").display().to_string();
        let output = world.sandbox().run(["cache", "export", &archive]).output();
        passed(&output).map_err(Error::Found)?;
        Ok(world)
    }

    fn sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().expect("it is taken at the end only")
    }

    fn root(&self) -> &Path {
        self.sandbox().root()
    }

    fn config(&self) -> PathBuf {
        self.root().join("docker/config.json")
    }

    /// Edits something, or nothing.
    pub(crate) fn change(&self, rng: &mut Rng) -> Result<()> {
        let work = self.sandbox().work();
        let value = rng.u32(..);
        match rng.u8(..5) {
            0 => write(&work.join("cmd/a/kodata/small"), &value.to_string()),
            1 => {
                let mut bytes = vec![7; 2 << 20];
                bytes[..4].copy_from_slice(&value.to_le_bytes());
                let path = work.join("cmd/a/kodata/big");
                fs::write(&path, bytes).map_err(at(&path))
            }
            2 => {
                let text = format!("package main\n\nfunc init() {{ println({value}) }}\n");
                write(&work.join("cmd/b/more.go"), &text)
            }
            _ => Ok(()),
        }
    }

    /// Lets a command meet a fault, and looks at what is left. Returns whether the fault
    /// came in time, or took something with it.
    pub(crate) fn round(
        &self,
        action: Action,
        fault: &Fault,
        rng: &mut Rng,
    ) -> std::result::Result<bool, String> {
        let words = action.words(self.root());
        let output = match (&self.disk, fault) {
            (Some(disk), Fault::Power(after)) => self.cut(disk, action, *after)?,
            _ if action == Action::Watch => {
                let limit = format!("{}", f64::from(rng.u32(50..1500)) / 1000.0);
                let timeout = ["timeout", "--signal=KILL", &limit].map(str::to_owned);
                self.prepared(self.sandbox().run_under(&timeout, &words)).output()
            }
            _ => self.prepared(self.sandbox().run_under(&fault.words(), &words)).output(),
        };
        let said = &output.stderr;
        if said.contains("panicked at") {
            return Err(format!("it panicked: {said}"));
        }
        // Without its libraries no program starts.
        let is_loader = output.code == Some(127) && said.contains("shared librar");
        let is_killed = output.code.is_none() || output.code == Some(137);
        match output.code {
            Some(0 | 1) => {}
            _ if is_killed && (fault.kills() || action == Action::Watch) => {}
            _ if is_loader => {}
            code => return Err(format!("it ended with {code:?}: {said}")),
        }
        match &self.disk {
            // What was just written may be lost, and is then written again.
            Some(_) => self.never_lost()?,
            None => self.whole()?,
        }
        self.succeeds(action)?;
        self.whole()?;
        let is_lost = self.tidy()?;
        Ok(is_killed || output.code == Some(1) || is_lost)
    }

    /// Runs a command, and cuts the power of the disk meanwhile, or a little later.
    fn cut(
        &self,
        disk: &Disk,
        action: Action,
        after: Duration,
    ) -> std::result::Result<Output, String> {
        let failed = |error: Error| error.to_string();
        disk.sync().map_err(failed)?;
        // What watches ends by itself only here.
        let limit = format!("{}", (2 * after).as_secs_f64());
        let limits = ["timeout", "--signal=KILL", &limit].map(str::to_owned);
        let limits = if action == Action::Watch { &limits[..] } else { &[] };
        let run = self.sandbox().run_under(limits, action.words(self.root()));
        let running = self.prepared(run).start();
        std::thread::sleep(after);
        disk.cut().map_err(failed)?;
        let output = running.wait();
        self.wait_for_children()?;
        disk.restore().map_err(failed)?;
        Ok(output)
    }

    fn prepared<'a>(&self, run: Run<'a>) -> Run<'a> {
        run.stdin("a password\n")
    }

    /// Runs a command as if nothing had been.
    fn succeeds(&self, action: Action) -> std::result::Result<(), String> {
        // What watches does not end by itself.
        let again = if action == Action::Watch { Action::Push } else { action };
        let output = self.prepared(self.sandbox().run(again.words(self.root()))).output();
        passed(&output)?;
        if action == Action::Login {
            whole::credentials(&self.config(), true)?;
            // So that there is something to do the next time.
            let out = self.sandbox().run(["auth", "logout", "new.example.com"]).output();
            passed(&out)?;
        }
        Ok(())
    }

    /// What no loss of power takes: what others have, and what somebody had before.
    fn never_lost(&self) -> whole::Whole {
        whole::registry(&self.registry)?;
        whole::credentials(&self.config(), false)
    }

    fn whole(&self) -> whole::Whole {
        self.never_lost()?;
        whole::layout(&self.root().join("layout"))?;
        whole::archive(&self.root().join("images.tar"))?;
        whole::archive(&self.root().join("cache.tar"))?;
        for image in self.store.loaded() {
            // Which is written last.
            if image.last().is_none_or(|member| member != "index.json") {
                return Err(format!("an archive of {image:?} was loaded"));
            }
        }
        Ok(())
    }

    /// Checks that the cache is sound, and that nothing stays for ever. Returns whether the
    /// cache has found something that the disk had lost.
    fn tidy(&self) -> std::result::Result<bool, String> {
        let verified = self.sandbox().run(["cache", "verify"]).output();
        passed(&verified)?;
        // Where the power goes, files of the cache are torn, and found so.
        let is_lost = verified.stdout.lines().any(|line| line.starts_with("damaged"));
        if is_lost && self.disk.is_none() {
            return Err(format!("the cache was damaged: {}", verified.stdout));
        }
        self.wait_for_children()?;
        passed(&self.sandbox().run(["cache", "prune"]).output())?;
        let left = entries(&self.sandbox().kocache().join("v1/tmp"));
        if !left.is_empty() {
            return Err(format!("temporary files stayed in the cache: {left:?}"));
        }
        Ok(is_lost)
    }

    /// Waits until nothing goes on that a command has started.
    fn wait_for_children(&self) -> std::result::Result<(), String> {
        let mut steps = 0;
        while has_processes(self.root()) {
            steps += 1;
            if steps == PATIENCE {
                return Err("a process goes on".to_owned());
            }
            std::thread::sleep(STEP);
        }
        Ok(())
    }

    /// Leaves everything as it is, and says where.
    pub(crate) fn keep(&mut self) -> PathBuf {
        let sandbox = self.sandbox.take().expect("it is kept once");
        let root = sandbox.root().to_owned();
        std::mem::forget(sandbox);
        std::mem::forget(self.disk.take());
        root
    }
}

fn passed(output: &Output) -> std::result::Result<(), String> {
    match output.code {
        Some(0) => Ok(()),
        code => Err(format!("the next command ended with {code:?}: {}", output.stderr)),
    }
}

/// Whether a process has the directory in its environment.
fn has_processes(root: &Path) -> bool {
    let root = root.as_os_str().as_encoded_bytes();
    entries(Path::new("/proc")).iter().any(|process| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.windows(root.len()).any(|window| window == root)
    })
}
