//! Runs `ko __man`: writes the manual pages into a directory.

use std::fs;
use std::path::Path;

use crate::cli;
use crate::error::{CommandError, Result};

pub(crate) fn manual(dir: &Path) -> Result<()> {
    let failed = |error| {
        CommandError::of(&error).context(&format!("writing manual pages to {}", dir.display()))
    };
    fs::create_dir_all(dir).map_err(failed)?;
    for page in cli::pages().map_err(failed)? {
        fs::write(dir.join(page.file), page.text).map_err(failed)?;
    }
    Ok(())
}
