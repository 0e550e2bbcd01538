//! Computes the fingerprint of a layer's spec: everything that decides its tar,
//! with what the file system says of files in place of their bytes. Two specs of
//! one fingerprint are the same tar.

use std::collections::HashMap;

use stat::{Stat, Sum};

use crate::entry::{Content, Entry};
use crate::spec::LayerSpec;

impl LayerSpec {
    /// None where what the file system says proves nothing: of a file that was
    /// changed shortly before it was looked at, and on file systems that are
    /// not known to be of this machine.
    pub(crate) fn fingerprint(&self) -> Option<Sum> {
        let looked = self.looked?;
        let mut local = HashMap::new();
        let mut fields = Vec::new();
        for Entry { name, content, mode, uid, gid, mtime, pax } in &self.entries {
            field(&mut fields, name);
            fields.extend(mode.to_le_bytes());
            fields.extend([*uid, *gid].map(u32::to_le_bytes).as_flattened());
            fields.extend(mtime.to_le_bytes());
            fields.extend((pax.len() as u64).to_le_bytes());
            for (key, value) in pax {
                field(&mut fields, key.as_bytes());
                field(&mut fields, value);
            }
            match content {
                Content::Directory => fields.push(b'd'),
                Content::Bytes(bytes) => {
                    fields.push(b'b');
                    field(&mut fields, Sum::of(bytes).to_string().as_bytes());
                }
                Content::File { path, stat, .. } => {
                    let stat = stat.filter(|stat| stat.is_settled(looked))?;
                    if !*local.entry(stat.device).or_insert_with(|| stat::is_local(path)) {
                        return None;
                    }
                    let Stat { size, modified, changed, inode, device } = stat;
                    fields.push(b'f');
                    fields.extend([size, inode, device].map(u64::to_le_bytes).as_flattened());
                    fields.extend([modified, changed].map(i64::to_le_bytes).as_flattened());
                }
            }
        }
        Some(Sum::of(&fields))
    }
}

/// Adds a field behind its length. All others are of one length: no two lists of fields are
/// the same bytes.
fn field(fields: &mut Vec<u8>, bytes: &[u8]) {
    fields.extend((bytes.len() as u64).to_le_bytes());
    fields.extend(bytes);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_decides_the_tar_decides_the_fingerprint() {
        let entry = || {
            let entry = Entry::bytes("a", &b"x"[..]).mode(0o644).owner(1, 2).mtime(3);
            entry.pax("k", "v")
        };
        let named = |name: &str, bytes: &[u8]| Entry::bytes(name, bytes);
        let directory = Entry { content: Content::Directory, ..entry() };
        let specs = [
            vec![],
            vec![entry()],
            vec![entry(), entry()],
            vec![Entry { name: b"b".to_vec(), ..entry() }],
            vec![Entry { content: Content::Bytes((*b"y").into()), ..entry() }],
            vec![directory],
            vec![entry().mode(0o755)],
            vec![entry().owner(2, 2)],
            vec![entry().owner(1, 1)],
            vec![entry().mtime(4)],
            vec![entry().pax("k", "w")],
            vec![entry().pax("l", "v")],
            vec![entry().pax("k", "vl").pax("", "")],
            vec![entry().pax("k", "v").pax("l", "")],
            vec![named("a", b""), named("b", b"")],
            vec![named("b", b""), named("a", b"")],
            vec![named("ab", b"")],
            vec![named("a", b"b")],
        ];
        let of = |entries: &Vec<Entry>| {
            LayerSpec { looked: Some(1), ..LayerSpec::new(entries.clone()) }.fingerprint()
        };
        let found: HashSet<String> = specs
            .iter()
            .map(|entries| of(entries).expect("no file is in doubt").to_string())
            .collect();
        assert_eq!(found.len(), specs.len());
        assert_eq!(of(&specs[1]), of(&specs[1]));
        assert_eq!(LayerSpec::new(vec![entry()]).fingerprint(), None, "nobody knows when");
    }
}
