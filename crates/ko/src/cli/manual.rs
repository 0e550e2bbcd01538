//! Makes manual pages of the same declarations as help (`ko __man DIR`, for those who
//! package ko).

use std::io;

use clap::Command;
use clap_mangen::Man;

/// A page of section 1.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its file: `ko-build.1`.
    pub(crate) file: String,
    /// What `man` reads.
    pub(crate) text: Vec<u8>,
}

/// The pages of all commands that help lists.
pub(crate) fn pages() -> io::Result<Vec<Page>> {
    let mut root = super::command();
    root.build();
    let mut pages = Vec::new();
    let mut left = vec![&root];
    while let Some(command) = left.pop() {
        pages.push(page(command)?);
        left.extend(command.get_subcommands().filter(|sub| !sub.is_hide_set()));
    }
    pages.sort_unstable_by(|one, other| one.file.cmp(&other.file));
    Ok(pages)
}

fn page(command: &Command) -> io::Result<Page> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    // What -h leaves out belongs here.
    let mut command = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let usage = command.render_usage().to_string();
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    let after = after.map(ToString::to_string);
    let has_subcommands = command.has_subcommands();
    let man = Man::new(command);
    let (title, version) = (name.to_uppercase(), super::VERSION);
    // Without a date, the same source gives the same bytes.
    let mut text = format!(".TH {title} 1 \"\" \"ko {version}\" \"ko\"\n").into_bytes();
    man.render_name_section(&mut text)?;
    text.extend_from_slice(plain("SYNOPSIS", usage.trim_start_matches("Usage: ")).as_bytes());
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_subcommands {
        man.render_subcommands_section(&mut text)?;
    }
    if let Some(after) = after {
        let after = after.strip_prefix("Examples:\n").unwrap_or(&after);
        text.extend_from_slice(plain("EXAMPLES", after).as_bytes());
    }
    Ok(Page { file: format!("{name}.1"), text })
}

/// A section whose lines stay as they are.
fn plain(heading: &str, text: &str) -> String {
    let mut page = format!(".SH {heading}\n.nf\n");
    for line in text.trim_end().lines() {
        // A dot or apostrophe in front would be a request.
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        page.push_str(guard);
        page.push_str(&line.replace('\\', "\\e").replace('-', "\\-"));
        page.push('\n');
    }
    page + ".fi\n"
}
