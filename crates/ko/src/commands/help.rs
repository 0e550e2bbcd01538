//! Runs `ko help` and `ko __complete`.

use std::path::Path;
use std::process::{Command, Stdio};

use engine::known_platforms;

use super::kubectl;
use crate::cli::{Answer, Completion, Directive, Surroundings};
use crate::config::Config;
use crate::environment::Process;
use crate::error::Result;
use crate::{cli, settings, ui};

pub(crate) fn help(arguments: &[String]) -> Result<()> {
    let (text, known) = cli::help(arguments);
    if known {
        return ui::print(&text);
    }
    // As in ko, that is no failure.
    let said = format!("Unknown help topic [`{}`]\n", arguments.join("` `"));
    let meant = arguments.first().and_then(|word| cli::meant_by_help(word));
    ui::print_stderr(&match meant {
        Some(name) => format!("{said}hint: did you mean `ko help {name}`?\n"),
        None => format!("{said}{text}"),
    });
    Ok(())
}

pub(crate) fn complete(process: &Process, words: &[String], descriptions: bool) -> Result<()> {
    let completion = match cli::complete(words, &Here(process)) {
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

/// Where completion happens.
struct Here<'a>(&'a Process);

impl Surroundings for Here<'_> {
    fn work_dir(&self) -> Option<&Path> {
        self.0.work_dir()
    }

    fn platforms(&self, base: Option<&str>) -> Option<Vec<String>> {
        let config = Config::read(self.0, self.0.work_dir()?).ok()?;
        let bases = settings::bases(&config, base.unwrap_or_default()).ok()?;
        let cache = settings::cache(self.0).ok()??;
        let mut all = Vec::new();
        for base in std::iter::once(&bases.default_base).chain(bases.base_overrides.values()) {
            for platform in known_platforms(&cache, base)? {
                let platform = platform.to_string();
                if !all.contains(&platform) {
                    all.push(platform);
                }
            }
        }
        Some(all)
    }
}

/// The answer of kubectl, which speaks the same protocol.
fn ask_kubectl(process: &Process, words: &[String], descriptions: bool) -> Option<String> {
    let mut command = Command::new(kubectl::find(process, "completion").ok()?);
    command.arg(if descriptions { "__complete" } else { "__completeNoDesc" });
    let output = command.args(words).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
