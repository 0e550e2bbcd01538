//! Runs `ko help` and `ko __complete`.

use crate::error::Result;
use crate::{cli, ui};

pub(crate) fn help(arguments: &[String]) -> Result<()> {
    let (text, known) = cli::help(arguments);
    if known {
        return ui::print(&text);
    }
    ui::print_stderr(&format!("Unknown help topic [`{}`]\n{text}", arguments.join("` `")));
    Ok(())
}

pub(crate) fn complete(arguments: &[String], descriptions: bool) -> Result<()> {
    let completion: cli::Completion = cli::complete(arguments);
    ui::print(&completion.answer(descriptions))?;
    ui::print_stderr(&completion.remark());
    Ok(())
}
