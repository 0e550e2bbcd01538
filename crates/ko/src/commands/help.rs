//! `ko help` and `ko __complete`: what there is to type.

use crate::error::Result;
use crate::{cli, ui};

pub(crate) fn help(words: &[String]) -> Result<()> {
    let (text, known) = cli::help(words);
    if known {
        return ui::print(&text);
    }
    ui::print_stderr(&format!("Unknown help topic [`{}`]\n{text}", words.join("` `")));
    Ok(())
}

pub(crate) fn complete(words: &[String], descriptions: bool) -> Result<()> {
    let completion: cli::Completion = cli::complete(words);
    ui::print(&completion.answer(descriptions))?;
    ui::print_stderr(&completion.remark());
    Ok(())
}
