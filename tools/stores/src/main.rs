//! `cargo xtask stores`: shared caches on real stores, in good and in bad order. A fresh
//! runner must build nothing that is there; and whatever is wrong with a store, each
//! build must succeed, with the image that it has without a cache.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a development tool reads its environment and prints"
)]

mod project;
mod store;
mod trial;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use testkit::link::Link;
use toolkit::{Error, Result, ko};

use crate::project::Project;
use crate::store::Kind;

/// Uses shared caches on real stores, and has those fail in all ways
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask stores")]
struct Options {
    /// Our ko; built if not given
    #[arg(long)]
    ours: Option<PathBuf>,
    /// Only the stores whose names contain one of these (may be repeated)
    #[arg(long, value_name = "TEXT")]
    store: Vec<String>,
    /// Lists the stores and uses none
    #[arg(long)]
    list: bool,
    /// Uses none, but is a line to this server, until its standard input ends: it prints
    /// where it listens
    #[arg(long, value_name = "HOST:PORT")]
    link: Option<String>,
    /// How much later answers come over that line
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 5, requires = "link")]
    delay: u64,
    /// How many million bits pass over it in a second
    #[arg(long, value_name = "MBIT", default_value_t = 1000, requires = "link")]
    rate: u64,
}

fn main() -> ExitCode {
    toolkit::exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    if let Some(server) = &options.link {
        let link = Link::to(server);
        link.slow(Duration::from_millis(options.delay), options.rate * 125_000);
        println!("{}", link.host());
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let (to, from) = link.passed();
        println!("{to} bytes to the server, {from} from it");
        return Ok(());
    }
    let chosen = |kind: &Kind| {
        let named = |text: &String| kind.name().contains(text.as_str());
        options.store.is_empty() || options.store.iter().any(named)
    };
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(chosen).collect();
    if options.list || kinds.is_empty() {
        Kind::ALL.iter().for_each(|kind| println!("{}", kind.name()));
        return Ok(());
    }
    let project = Project::new(&ko::ours(options.ours.as_deref(), "dev")?);
    let mut wrong = Vec::new();
    println!("| store | what | images | what was said |\n|---|---|---|---|");
    for kind in kinds {
        for row in trial::rows(&project, kind)? {
            println!("| {} | {} | {} | {} |", kind.name(), row.what, row.images, row.said);
            if row.is_wrong {
                wrong.push(format!("{}: {}: {}", kind.name(), row.what, row.images));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Found(wrong.join("\n"))) }
}
