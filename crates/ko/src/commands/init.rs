//! Runs `ko init`: writes a configuration from what the repository says, and tells what
//! it could not take over.

use std::path::Path;

use fsutil::Access;

use crate::cli::InitArgs;
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{init, settings, ui};

/// A file's name that stands for stdout.
const STDOUT: &str = "-";

/// Files that are read before the one that is written by default.
const BEFORE: [&str; 2] = [".ko.json", ".ko.toml"];

pub(crate) fn init(process: &Process, arguments: &InitArgs) -> Result<()> {
    let work_dir = settings::work_dir(process)?;
    let file = Path::new(&arguments.output_file);
    let is_printed = arguments.dry_run || file == Path::new(STDOUT);
    let path = work_dir.join(file);
    if !is_printed {
        refuse(&work_dir, file, arguments.force)?;
    }
    let draft = init::draft(&work_dir)?;
    for note in &draft.notes {
        ui::print_stderr(&format!("{note}\n"));
    }
    if is_printed {
        return ui::print(&draft.yaml());
    }
    let written = fsutil::write(&path, Access::Public, draft.yaml().as_bytes());
    written.map_err(|error| {
        CommandError::of(&error).context(&format!("writing {}", file.display()))
    })?;
    ui::log(&format!("wrote {}; `ko config` shows what is in force", file.display()));
    Ok(())
}

/// Does something stand in the way?
fn refuse(work_dir: &Path, file: &Path, force: bool) -> Result<()> {
    if file == Path::new(".ko.yaml")
        && let Some(other) = BEFORE.into_iter().find(|name| work_dir.join(name).is_file())
    {
        let hint =
            format!("remove {other}, or write another file (-o) and name it in KO_CONFIG_PATH");
        return Err(
            CommandError::new(format!("{other} is read in place of .ko.yaml")).hint(Some(hint))
        );
    }
    if !force && work_dir.join(file).symlink_metadata().is_ok() {
        let hint = "--force replaces it, and --dry-run prints what would be written";
        return Err(CommandError::new(format!("{} is there already", file.display()))
            .hint(Some(hint.to_owned())));
    }
    Ok(())
}
