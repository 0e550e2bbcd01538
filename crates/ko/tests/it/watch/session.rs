//! A random session of edits under `--watch`: after each, the tag is that of a build
//! from scratch. A change that is missed is waited for, for ever.
#![allow(clippy::print_stderr, reason = "a session is long, and looked at")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use super::{Watching, from_scratch};
use crate::fixture::Fixture;

const WORDS: &str = "--bare --sbom=none";

const MAIN: &str = "package main

import (
\t\"embed\"

\t\"example.com/app/pkg/text\"
\t\"example.com/lib\"
)

//go:embed assets
var assets embed.FS

var version = \"none\"

const word = \"WORD\"

func main() {
	page, _ := assets.ReadFile(\"assets/page.html\")
	println(version, word, text.Text, lib.Text, string(page))
}
";

/// One kind of edit.
type Edit = (&'static str, fn(&Site, &str));

const EDITS: [Edit; 27] = [
    ("the program", |site, word| site.write("main.go", &MAIN.replace("WORD", word))),
    ("a package", |site, word| site.write("pkg/text/text.go", &text("text", word))),
    ("a module that replaces", |site, word| site.write("../lib/lib.go", &text("lib", word))),
    ("an embedded file", |site, word| site.write("assets/page.html", word)),
    ("an embedded file that comes or goes", |site, word| {
        site.toggle("assets/inner/more.html", word);
    }),
    ("kodata", |site, word| site.write("kodata/page.txt", word)),
    ("kodata that comes or goes", |site, word| site.toggle("kodata/inner/more.txt", word)),
    ("what a link in kodata leads to", |site, word| site.write("notes/linked.txt", word)),
    ("the program, by a rename", |site, word| {
        site.write("main.go___tmp", &MAIN.replace("WORD", word));
        fs::rename(site.at("main.go___tmp"), site.at("main.go")).unwrap();
    }),
    ("the program, as Vim writes it", |site, word| {
        site.write("4913", "");
        fs::remove_file(site.at("4913")).unwrap();
        fs::rename(site.at("main.go"), site.at("main.go~")).unwrap();
        site.write("main.go", &MAIN.replace("WORD", word));
        fs::remove_file(site.at("main.go~")).unwrap();
    }),
    ("the program, removed and made again", |site, word| {
        fs::remove_file(site.at("main.go")).unwrap();
        site.write("main.go", &MAIN.replace("WORD", word));
    }),
    ("a file that does not compile", |site, _| {
        site.write(BROKEN, "package text\n\nfunc b() { 1 }\n");
    }),
    ("a package that is new", |site, word| {
        site.toggle("extra/extra.go", &text("extra", word));
        let import = "package main\n\nimport _ \"example.com/app/extra\"\n";
        site.toggle("extra.go", import);
    }),
    ("a file in a package that is new", |site, word| {
        if site.at("extra/extra.go").exists() {
            site.write("extra/extra.go", &text("extra", word));
        }
    }),
    ("a directory that goes and comes back", |site, word| {
        let away = site.at("../away");
        fs::rename(site.at("pkg"), &away).unwrap();
        fs::write(away.join("text/text.go"), text("text", word)).unwrap();
        fs::rename(&away, site.at("pkg")).unwrap();
    }),
    ("a directory that is removed and made again", |site, word| {
        fs::remove_dir_all(site.at("pkg")).unwrap();
        site.write("pkg/text/text.go", &text("text", word));
    }),
    ("a commit", |site, word| {
        site.git(&["add", "-A"]);
        site.git(&["commit", "-q", "--allow-empty", "-m", word]);
    }),
    ("the index", |site, _| site.git(&["add", "-A"])),
    ("an untracked file", |site, word| site.toggle("docs/untracked.md", word)),
    ("what git restores", |site, _| site.git(&["checkout", "-q", "--", "."])),
    ("a tag", |site, word| site.git(&["tag", &format!("v1.0.{word}")])),
    ("the configuration", |site, word| {
        site.write(".ko.yaml", &format!("defaultLdflags: [\"-X main.version={word}\"]\n"));
    }),
    ("a file that is only touched", |site, _| {
        fs::File::options()
            .append(true)
            .open(site.at("main.go"))
            .unwrap()
            .set_modified(std::time::SystemTime::now())
            .unwrap();
    }),
    ("a file for another system", |site, word| {
        site.write("pkg/text/text_windows.go", &format!("package text\n\n// {word}\n"));
    }),
    ("a workspace", |site, _| {
        site.toggle("../go.work", "go 1.24\n\nuse (\n\t./work\n\t./lib\n)\n");
    }),
    ("many files", |site, word| {
        for file in 0..300 {
            site.write(&format!("assets/many/{file}.html"), word);
        }
        site.write("main.go", &MAIN.replace("WORD", word));
    }),
    ("go.mod", |site, word| site.write("go.mod", &format!("{GO_MOD}\n// {word}\n"))),
];

const MEND: Edit = ("what does not compile", |site, _| fs::remove_file(site.at(BROKEN)).unwrap());

const BROKEN: &str = "pkg/text/broken.go";

const GO_MOD: &str = "module example.com/app

go 1.24

require example.com/lib v0.0.0

replace example.com/lib => ../lib
";

fn text(package: &str, word: &str) -> String {
    format!("package {package}\n\nconst Text = \"{word}\"\n")
}

struct Site {
    work: PathBuf,
    home: PathBuf,
}

impl Site {
    fn new(fixture: &Fixture) -> Self {
        let site = Self { work: fixture.sandbox.work(), home: fixture.sandbox.home() };
        site.write("go.mod", GO_MOD);
        site.write("main.go", &MAIN.replace("WORD", "first"));
        site.write("pkg/text/text.go", &text("text", "first"));
        site.write("../lib/go.mod", "module example.com/lib\n\ngo 1.24\n");
        site.write("../lib/lib.go", &text("lib", "first"));
        site.write("assets/page.html", "first");
        site.write("kodata/page.txt", "first");
        site.write("notes/linked.txt", "first");
        symlink("../notes/linked.txt", site.at("kodata/linked.txt")).unwrap();
        site.git(&["init", "-q"]);
        site.git(&["add", "-A"]);
        site.git(&["commit", "-q", "-m", "first"]);
        site
    }

    fn at(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn toggle(&self, name: &str, content: &str) {
        if fs::remove_file(self.at(name)).is_err() {
            self.write(name, content);
        }
    }

    fn git(&self, words: &[&str]) {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=n", "-c", "user.email=e@example.com"]).args(words);
        command.env("HOME", &self.home).env("GIT_CONFIG_NOSYSTEM", "1").current_dir(&self.work);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
}

/// A number of the environment.
#[allow(clippy::disallowed_methods, reason = "how long a session is")]
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Edits, each kind once before any comes again.
struct Deck {
    state: u64,
    cards: Vec<usize>,
}

impl Deck {
    /// SplitMix64.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    fn draw(&mut self) -> Edit {
        if self.cards.is_empty() {
            self.cards = (0..EDITS.len()).collect();
        }
        let at = self.below(self.cards.len());
        EDITS[self.cards.swap_remove(at)]
    }
}

#[test]
fn a_session_of_edits_is_published_step_by_step() {
    let steps = number("KO_WATCH_STEPS", 40);
    let mut deck = Deck { state: number("KO_WATCH_SEED", 1), cards: Vec::new() };
    let fixture = Fixture::new();
    let site = Site::new(&fixture);
    let watching = Watching::start(fixture.build(&format!("{WORDS} --watch")));
    let mut published = watching.published();
    watching.until("Watching ");
    let tagged = || fixture.built("out", "latest").digest;
    let (mut images, mut failures) = (0, 0);
    for step in 1..=steps {
        let mends = site.at(BROKEN).exists() && deck.below(2) == 0;
        let (name, edit) = if mends { MEND } else { deck.draw() };
        edit(&site, &step.to_string());
        // Some edits come while the round of the last is under way.
        if deck.below(4) == 0 {
            continue;
        }
        let wanted = from_scratch(&fixture, WORDS);
        eprintln!("step {step}: {name}: {wanted:?}");
        let Some(wanted) = wanted else {
            failures += 1;
            continue;
        };
        while published != wanted {
            published = watching.published();
        }
        images += 1;
        assert_eq!(tagged(), wanted, "step {step}: {name}");
    }
    eprintln!("{images} images, {failures} builds that failed");
    let (output, said) = watching.interrupt();
    assert_eq!(output.code, Some(1), "{said:#?}");
    assert_eq!(tagged(), published);
    assert_eq!(said.last().unwrap(), "Error: interrupted by SIGINT", "{said:#?}");
}
