//! Runs `ko help` and `ko __complete`.

use std::process::{Command, Stdio};

use super::kubectl;
use crate::cli::{Answer, Completion, Directive};
use crate::environment::Process;
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

pub(crate) fn complete(process: &Process, words: &[String], descriptions: bool) -> Result<()> {
    let completion = match cli::complete(words, process.work_dir()) {
        Answer::Ours(completion) => completion,
        Answer::Kubectl(words) => match ask_kubectl(process, &words, descriptions) {
            Some(answer) => return ui::print(&answer),
            None => Completion::none(Directive::Default),
        },
    };
    ui::print(&completion.answer(descriptions))?;
    ui::print_stderr(&completion.remark());
    Ok(())
}

/// The answer of kubectl, which speaks the same protocol.
fn ask_kubectl(process: &Process, words: &[String], descriptions: bool) -> Option<String> {
    let mut command = Command::new(kubectl::find(process, "completion").ok()?);
    command.arg(if descriptions { "__complete" } else { "__completeNoDesc" });
    let output = command.args(words).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
