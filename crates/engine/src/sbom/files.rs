//! Documents in a directory (`--sbom-dir`), each written whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// Makes the directory, and sees whether files can be written in it.
pub(crate) fn prepare(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    temporary(dir)?.close()
}

/// Writes a file, in place of one of that name.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().expect("a file in a directory");
    let mut file = temporary(dir)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

fn temporary(dir: &Path) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new();
    file.prefix(".ko-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Others may read it, as far as the umask lets them.
        file.permissions(fs::Permissions::from_mode(0o644));
    }
    file.tempfile_in(dir)
}
