//! `cargo xtask site`: makes the site of the documentation below `target/site` with
//! mdBook, and follows all links within it.
//!
//! Pages are the Markdown files of the repository, under their own names, so that their
//! links are right in both places.

mod links;

use crate::setup;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use toolkit::file::{at, write};
use toolkit::{Error, Result, ko, step};

/// The pages that come first.
const FIRST: [&str; 2] = ["docs/start.md", "docs/coming-from-ko.md"];

/// The parts of the site, and the directories whose files they are.
const PARTS: [(&str, &str); 4] = [
    ("Guides", "docs/guide"),
    ("Concepts", "docs/concepts"),
    ("Reference", REFERENCE),
    ("Design notes", "docs/design"),
];

/// The part that has the page of commands, which the command itself writes.
const REFERENCE: &str = "docs/reference";

/// What GitHub shows of a directory.
const README: &str = "README.md";

/// The pages that come last.
const LAST: [&str; 8] = [
    "docs/reliability.md",
    "docs/parity.md",
    "docs/glossary.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "findings/README.md",
];

/// Makes the site.
pub(crate) fn run() -> Result<()> {
    let mdbook = setup::mdbook()?;
    let site = step::workspace().join("target/site");
    if site.exists() {
        fs::remove_dir_all(&site).map_err(at(&site))?;
    }
    let source = site.join("src");
    let mut summary = "# Summary\n\n[ko](index.md)\n\n".to_owned();
    add(README, &source)?;
    for page in FIRST {
        summary.push_str(&format!("- {}\n", link(page, "")?));
        add(page, &source)?;
    }
    for (part, dir) in PARTS {
        // A page for the part itself: other pages link to the directory.
        summary.push_str(&format!("- [{part}]({dir}/index.md)\n"));
        let mut contents = format!("# {part}\n\n");
        if dir == REFERENCE {
            write(&source.join(dir).join("commands.md"), &commands()?)?;
            summary.push_str(&format!("  - [Commands]({dir}/commands.md)\n"));
            contents.push_str("- [Commands](commands.md)\n");
        }
        for page in pages(dir)? {
            summary.push_str(&format!("  - {}\n", link(&page, "")?));
            contents.push_str(&format!("- {}\n", link(&page, dir)?));
            add(&page, &source)?;
        }
        write(&source.join(dir).join("index.md"), &contents)?;
    }
    for page in LAST {
        summary.push_str(&format!("- {}\n", link(page, "")?));
        add(page, &source)?;
    }
    write(&source.join("SUMMARY.md"), &summary)?;
    for name in ["book.toml", "site.css"] {
        let from = step::workspace().join("docs").join(name);
        fs::copy(&from, site.join(name)).map_err(at(&from))?;
    }
    step::run(Command::new(mdbook).arg("build").arg(&site))?;
    let broken = links::broken(&site.join("book"))?;
    if broken.is_empty() {
        println!("all links within target/site/book lead somewhere");
        return Ok(());
    }
    Err(Error::Found(format!("links that lead nowhere:\n{}", broken.join("\n"))))
}

/// The page of commands: what each says of itself when it is asked for help.
fn commands() -> Result<String> {
    let path = ko::ours(None, "dev")?;
    let says = |words: &[&str]| {
        // A page has room for so much.
        let asked = step::output(Command::new(&path).args(words).env("COLUMNS", "90"));
        asked.map(|output| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    };
    let mut page = format!("# Commands\n\n```text\n{}\n```\n", says(&["--help"])?);
    // Completion knows all, whatever the help looks like; it ends with a directive.
    for name in says(&["__completeNoDesc", ""])?.lines().take_while(|line| !line.starts_with(':')) {
        let help = says(&["help", name])?;
        page.push_str(&format!("\n## ko {name}\n\n```text\n{help}\n```\n"));
    }
    Ok(page)
}

/// The pages of a directory, by name.
fn pages(dir: &str) -> Result<Vec<String>> {
    let path = step::workspace().join(dir);
    let mut pages = Vec::new();
    for entry in fs::read_dir(&path).map_err(at(&path))? {
        let name = entry.map_err(at(&path))?.file_name().to_string_lossy().into_owned();
        pages.extend(name.ends_with(".md").then(|| format!("{dir}/{name}")));
    }
    pages.sort();
    Ok(pages)
}

/// A link to a page by its first heading, as seen from a directory.
fn link(page: &str, from: &str) -> Result<String> {
    let text = read(&step::workspace().join(page))?;
    let heading = text.lines().find_map(|line| line.strip_prefix("# "));
    let heading = heading.ok_or_else(|| Error::Found(format!("{page} has no heading")))?;
    let path = page.strip_prefix(from).unwrap_or(page).trim_start_matches('/');
    Ok(format!("[{heading}]({})", path.replace(README, "index.md")))
}

/// Adds a page, and the files that it links to and that are no pages themselves.
fn add(page: &str, source: &Path) -> Result<()> {
    copy(page, source)?;
    let text = read(&step::workspace().join(page))?;
    let dir = Path::new(page).parent().unwrap_or(Path::new(""));
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let files: BTreeSet<PathBuf> = targets.map(|target| normal(&dir.join(target))).collect();
    for file in files.iter().filter_map(|file| file.to_str()) {
        if !file.ends_with(".md") && step::workspace().join(file).is_file() {
            copy(file, source)?;
        }
    }
    Ok(())
}

/// Copies a file. mdBook makes `index.html` of a page called `README.md`, but leaves
/// links to it as they are.
fn copy(file: &str, to: &Path) -> Result<()> {
    let (from, to) = (step::workspace().join(file), to.join(file.replace(README, "index.md")));
    let text = read(&from)?;
    if !file.ends_with(".md") {
        return write(&to, &text);
    }
    let text = [")", "#"]
        .iter()
        .fold(text, |text, end| text.replace(&format!("{README}{end}"), &format!("index.md{end}")));
    write(&to, &text)
}

/// A path without `..`, whether or not it is there.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(at(path))
}
