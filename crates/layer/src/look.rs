//! What a recipe looks like: everything that decides its tar, but for the bytes
//! of files, in whose place stands what the file system says of them. Two
//! recipes that look the same are the same tar.

use std::collections::HashMap;

use stat::Sum;

use crate::entry::{Content, Entry};
use crate::recipe::Recipe;

impl Recipe {
    /// None where what the file system says proves nothing: of a file that was
    /// changed shortly before it was looked at, and on file systems that are
    /// not known to be of this machine.
    pub(crate) fn look(&self) -> Option<Sum> {
        let looked = self.looked?;
        let mut local = HashMap::new();
        let mut look = Vec::new();
        for Entry { name, content, mode, uid, gid, mtime, pax } in &self.entries {
            field(&mut look, name);
            field(&mut look, format!("{mode} {uid} {gid} {mtime} {}", pax.len()).as_bytes());
            for (key, value) in pax {
                field(&mut look, key.as_bytes());
                field(&mut look, value);
            }
            match content {
                Content::Directory => field(&mut look, b"directory"),
                Content::Bytes(bytes) => {
                    field(&mut look, format!("bytes {}", Sum::of(bytes)).as_bytes());
                }
                Content::File { path, stat, .. } => {
                    let stat = stat.filter(|stat| stat.is_settled(looked))?;
                    if !*local.entry(stat.device).or_insert_with(|| stat::is_local(path)) {
                        return None;
                    }
                    field(&mut look, format!("{stat:?}").as_bytes());
                }
            }
        }
        Some(Sum::of(&look))
    }
}

/// Adds a field behind its length: no two lists of fields are the same bytes.
fn field(look: &mut Vec<u8>, bytes: &[u8]) {
    look.extend((bytes.len() as u64).to_le_bytes());
    look.extend(bytes);
}
