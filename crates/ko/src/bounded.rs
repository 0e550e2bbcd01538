//! Reads small files whose size nobody vouches for, such as those that a repository names.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// No configuration and no token is larger, in bytes.
const LIMIT: u64 = 1 << 20;

/// Reads the text of a file.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    match File::open(path)?.take(LIMIT + 1).read_to_string(&mut text)? as u64 > LIMIT {
        true => Err(io::Error::other(format!("it is larger than {} MiB", LIMIT >> 20))),
        false => Ok(text),
    }
}
