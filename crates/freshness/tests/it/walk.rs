//! A random walk over a workspace: whatever is done to it, a build that is
//! said to be fresh is the one that `go build` makes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use ko_freshness::{Freshness, NotRecorded, Outline, Reason, Record};

use crate::site::{FILES, MAIN, Site, checker, touch};

/// A generator whose numbers depend on its seed alone.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Numerical Recipes' 64-bit xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % sides
    }
}

struct Walk {
    site: Site,
    dice: Dice,
}

impl Walk {
    /// Writes one of some contents.
    fn write(&mut self, name: &str, contents: &[&str]) {
        let content = contents[self.dice.roll(contents.len())];
        // Some are there no longer, or are directories now.
        if self.site.at(name).parent().is_some_and(Path::is_dir) {
            self.site.write(name, content);
        }
    }

    /// Makes a file, or removes it.
    fn toggle(&mut self, name: &str, content: &str) {
        let path = self.site.at(name);
        if path.exists() {
            fs::remove_file(path).unwrap();
        } else if path.parent().is_some_and(Path::is_dir) {
            self.site.write(name, content);
        }
    }

    fn toggle_dir(&mut self, name: &str, files: &[(&str, &str)]) {
        let path = self.site.at(name);
        if path.exists() {
            fs::remove_dir_all(path).unwrap();
        } else {
            for (file, content) in files {
                self.site.write(&format!("{name}/{file}"), content);
            }
        }
    }

    fn rename(&self, one: &str, other: &str) {
        let (one, other) = (self.site.at(one), self.site.at(other));
        let (from, to) = if one.exists() { (one, other) } else { (other, one) };
        let _ = fs::rename(from, to);
    }

    /// Commands of git fail where there is no repository, or nothing to do.
    fn git(&self, words: &[&str]) {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=n", "-c", "user.email=e@example.com"]).args(words);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.current_dir(self.site.tree.join("w")).output().unwrap();
    }

    /// Does something; what, is its number.
    fn step(&mut self) -> usize {
        let kind = self.dice.roll(38);
        let text = "app/internal/one/text.go";
        match kind {
            0..=3 => {}
            4 => self.write(text, &["package one\n\nconst text = \"one\"\n", "package one\n\nconst text = \"two\"\n"]),
            5 => {
                let path = self.site.at(text);
                if path.exists() {
                    touch(&path, [1_000_000_000, 1_700_000_000, 9_000_000_000][self.dice.roll(3)]);
                }
            }
            6 => self.toggle("app/internal/one/x_linux.go", "package one\n\nfunc init() { println(3) }\n"),
            7 => self.toggle("app/internal/one/x_windows.go", "package one\n"),
            8 => self.toggle("app/internal/go.mod", "module example.com/inner\n"),
            9 => self.toggle("app/cmd/tool/static/b.txt", "b"),
            10 => self.toggle("app/cmd/tool/static/b.md", "b"),
            11 => self.toggle("app/cmd/tool/assets/deep/er/more", "m"),
            12 => self.toggle("app/cmd/tool/assets/go.sum", "x"),
            13 => self.rename("app/cmd/tool/assets/deep", "app/cmd/tool/assets/peed"),
            14 => self.write("app/internal/one/asm.h", &["#define VALUE $65\n", "#define VALUE $66\n"]),
            15 => self.write("lib/lib.go", &["package lib\n\nfunc Text() string { return \"lib\" }\n", "package lib\n\nfunc Text() string { return \"bil\" }\n"]),
            16 => self.toggle("go.work", "go 1.24\n\nuse (\n\t./app\n\t./lib\n)\n"),
            17 => self.toggle("app/go.work", "go 1.24\n\nuse .\n"),
            18 => self.toggle_dir("app/vendor", &[
                ("modules.txt", "# example.com/lib v1.0.0 => ../lib\n## explicit; go 1.24\nexample.com/lib\n# example.com/lib => ../lib\n"),
                ("example.com/lib/lib.go", "package lib\n\nfunc Text() string { return \"vendored\" }\n"),
            ]),
            19 => self.write("app/vendor/example.com/lib/lib.go", &["package lib\n\nfunc Text() string { return \"vendored\" }\n", "package lib\n\nfunc Text() string { return \"drodenev\" }\n"]),
            20 | 21 => {
                self.git(&["add", "-A"]);
                self.git(&["commit", "-q", "-m", "step"]);
            }
            22 => {
                let tag = ["v1.0.0", "v1.1.0", "v2.0.0", "app/v1.0.0", "app/v0.3.0", "x"][self.dice.roll(6)];
                let to = ["HEAD", "HEAD~1"][self.dice.roll(2)];
                self.git(&["tag", "-f", tag, to]);
            }
            23 => {
                let tag = ["v1.0.0", "v1.1.0", "app/v1.0.0"][self.dice.roll(3)];
                self.git(&["tag", "-d", tag]);
            }
            24 => self.toggle("untracked", "x"),
            25 => {
                let to = ["HEAD", "HEAD~1", "main"][self.dice.roll(3)];
                self.git(&["reset", "-q", "--hard", to]);
            }
            26 => self.git(&["stash", "-q", "-u"]),
            27 => self.git(&["stash", "pop", "-q"]),
            28 => {
                let words = [&["gc", "-q"][..], &["pack-refs", "--all"]][self.dice.roll(2)];
                self.git(words);
            }
            29 => {
                let path = self.site.tree.join("goenv");
                let content = ["GOFLAGS=-tags=never\n", "GOAMD64=v3\n", "GOFLAGS=-buildvcs=false\n", ""];
                match self.dice.roll(5) {
                    4 => _ = fs::remove_file(path),
                    other => fs::write(path, content[other]).unwrap(),
                }
            }
            30 => self.toggle("go.mod", "module example.com/root\n\ngo 1.24\n"),
            31 => self.write("app/README.md", &["read me\n", "or not\n"]),
            32 => self.toggle("app/internal/one/off.go", FILES.iter().find(|(name, _)| name.ends_with("off.go")).unwrap().1),
            33 => {
                let to = self.site.copy();
                if self.dice.roll(2) == 0 {
                    self.site = to;
                }
            }
            34 => {
                // Other content with the times of what was there (cp -p).
                let path = self.site.at("lib/lib.go");
                let times = fs::metadata(&path).and_then(|meta| meta.modified());
                self.write("lib/lib.go", &["package lib\n\nfunc Text() string { return \"bil\" }\n", "package lib\n\nfunc Text() string { return \"lib\" }\n"]);
                if let (Ok(times), Ok(file)) = (times, fs::File::options().write(true).open(path)) {
                    file.set_modified(times).unwrap();
                }
            }
            35 => {
                let path = self.site.at(text);
                let target = self.site.at("app/text.txt");
                if path.is_symlink() {
                    fs::remove_file(&path).unwrap();
                    fs::rename(target, path).unwrap();
                } else if path.exists() {
                    fs::rename(&path, &target).unwrap();
                    symlink("../../text.txt", path).unwrap();
                }
            }
            36 => self.write("app/cmd/tool/main.go", &[MAIN, &MAIN.replace("unset", "reset")]),
            _ => {
                let words: &[&str] = match self.dice.roll(3) {
                    0 => &["config", "log.excludeDecoration", "refs/tags/v1*"],
                    1 => &["config", "status.showUntrackedFiles", "no"],
                    _ => &["config", "--unset", "status.showUntrackedFiles"],
                };
                self.git(words);
            }
        }
        kind
    }
}

/// The record as if it had been made a minute later: stats alone count.
fn settled(record: &Record) -> Record {
    let mut value = serde_json::to_value(record).unwrap();
    if let Some(looked) = value.pointer_mut("/inputs/Ok/looked") {
        let minute = i64::try_from(Duration::from_secs(60).as_nanos()).unwrap();
        *looked = (looked.as_i64().unwrap() + minute).into();
    }
    serde_json::from_str(&value.to_string()).unwrap()
}

/// How often each answer was given.
#[derive(Debug, Default)]
struct Tally {
    fresh: usize,
    stale: usize,
    needless: usize,
    failed: usize,
    unrecorded: usize,
    /// Without `go` being asked.
    remembered: usize,
}

fn walk(seed: u64, steps: usize) -> Tally {
    let mut walk = Walk { site: Site::with_git(), dice: Dice(seed) };
    let mut known: Option<(Record, Vec<u8>, Outline)> = None;
    let mut tally = Tally::default();
    let mut kinds = Vec::new();
    for step in 0..steps {
        if step % 100 == 99 {
            // Out of dead ends.
            walk.site = Site::with_git();
            known = None;
        }
        for _ in 0..=walk.dice.roll(2) {
            kinds.push(walk.step());
        }
        let at = format!(
            "seed {seed}, step {step}, kinds {:?}",
            &kinds[kinds.len().saturating_sub(6)..]
        );
        let mut last = None;
        if let Some((record, binary, _)) = &mut known {
            // Also: as if it had been long ago.
            let asked = if walk.dice.roll(2) == 0 { settled(record) } else { record.clone() };
            match walk.site.check(&asked) {
                Freshness::Fresh(now) => {
                    tally.fresh += 1;
                    let built = walk.site.binary().unwrap_or_else(|error| panic!("{at}: {error}"));
                    assert!(built == *binary, "{at}: fresh, and another binary");
                    if let Some(now) = now {
                        *record = *now;
                    }
                    continue;
                }
                Freshness::Stale(reason) => {
                    assert_ne!(reason, Reason::NoRecord, "{at}");
                    last = Some(reason);
                }
            }
        }
        let remembered = known
            .as_ref()
            .and_then(|(record, _, outline)| walk.site.remembered(record, outline.clone()));
        let started = checker().begin_build();
        let Ok(binary) = walk.site.binary() else {
            // What is known stays known, until it builds again.
            tally.failed += 1;
            continue;
        };
        tally.stale += 1;
        if last.is_some() && known.as_ref().is_some_and(|(_, known, _)| *known == binary) {
            tally.needless += 1;
        }
        match walk.site.capture(started, None) {
            Ok((record, outline)) => {
                let never =
                    matches!(walk.site.check(&record), Freshness::Stale(Reason::Uncacheable(_)));
                assert!(!never, "{at}");
                tally.remembered +=
                    usize::from(walk.site.outline_is_right(remembered.as_ref(), started, &record));
                known = outline.map(|outline| (record, binary, outline));
            }
            Err(NotRecorded::Repository | NotRecorded::DuringBuild { .. }) => {
                tally.unrecorded += 1;
                known = None;
            }
            Err(error) => panic!("{at}: {error}"),
        }
    }
    tally
}

/// Another number of steps, and the seed to begin with, for a longer walk.
#[allow(clippy::disallowed_methods, reason = "the tests' own setting")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn fresh_is_what_go_would_build() {
    let steps = usize::try_from(setting("FRESHNESS_STEPS", 60)).unwrap();
    let tally = walk(setting("FRESHNESS_SEED", 20_261_124), steps);
    println!("{tally:?}");
    assert!(tally.fresh > 0 && tally.stale > 0 && tally.remembered > 0, "{tally:?}");
}
