//! The tar of a layer as a list of entries, and what two of them differ in.
//! Extended headers are entries like others here: their bytes count too.

use std::collections::BTreeMap;
use std::io::{self, Read};
use testkit::sha256;

/// One header with what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The name, as it is in the header.
    pub(crate) name: String,
    /// Name and text of the other fields of the header, and of the content.
    fields: Vec<(&'static str, String)>,
}

/// Lists the entries of an uncompressed tar.
pub(crate) fn entries(tar: &[u8]) -> io::Result<Vec<Entry>> {
    let mut archive = tar::Archive::new(tar);
    let mut found = Vec::new();
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        let header = entry.header().as_bytes();
        let field = |at: usize, len: usize| text(&header[at..at + len]);
        let mut fields = vec![
            ("mode", field(100, 8)),
            ("uid", field(108, 8)),
            ("gid", field(116, 8)),
            ("size", field(124, 12)),
            ("mtime", field(136, 12)),
            ("checksum", field(148, 8)),
            ("typeflag", field(156, 1)),
            ("linkname", field(157, 100)),
            ("magic", field(257, 8)),
            ("uname", field(265, 32)),
            ("gname", field(297, 32)),
            ("devmajor", field(329, 8)),
            ("devminor", field(337, 8)),
            ("prefix", field(345, 155)),
        ];
        let content = if header[156] == b'x' { text(&content) } else { sha256(&content) };
        fields.push(("content", content));
        found.push(Entry { name: field(0, 100), fields });
    }
    Ok(found)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Says in what `ours` differs from ko's, a line each; nothing if only the
/// bytes between and after the entries can.
pub(crate) fn diff(ko: &[Entry], ours: &[Entry]) -> Vec<String> {
    let (theirs, mine) = (by_name(ko), by_name(ours));
    let mut lines = Vec::new();
    for ((name, number), entry) in &theirs {
        match mine.get(&(*name, *number)) {
            None => lines.push(format!("{name}: only in ko's")),
            Some(other) => {
                for ((field, ko), (_, ours)) in entry.fields.iter().zip(&other.fields) {
                    if ko != ours {
                        lines.push(format!("{name}: {field}: ko {ko:?}, ours {ours:?}"));
                    }
                }
            }
        }
    }
    for (name, number) in mine.keys() {
        if !theirs.contains_key(&(*name, *number)) {
            lines.push(format!("{name}: only in ours"));
        }
    }
    let names = |entries: &[Entry]| -> Vec<String> {
        entries.iter().map(|entry| entry.name.clone()).collect()
    };
    if lines.is_empty() && names(ko) != names(ours) {
        lines.push(format!("order: ko {:?}, ours {:?}", names(ko), names(ours)));
    }
    lines
}

/// Entries by name and, for a name that is there more than once, its number.
fn by_name(entries: &[Entry]) -> BTreeMap<(&str, usize), &Entry> {
    let mut found = BTreeMap::new();
    for entry in entries {
        let number = (0..).find(|&number| !found.contains_key(&(entry.name.as_str(), number)));
        found.insert((entry.name.as_str(), number.unwrap_or_default()), entry);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{diff, entries};

    fn made(files: &[(&str, u32, &str)]) -> Vec<super::Entry> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, mode, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_mode(*mode);
            header.set_mtime(0);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        entries(&tar.into_inner().unwrap()).unwrap()
    }

    #[test]
    fn differences_are_named() {
        let ko = made(&[("a", 0o555, "one"), ("b", 0o555, "two")]);
        assert_eq!(diff(&ko, &ko), Vec::<String>::new());
        let mode = diff(&ko, &made(&[("a", 0o755, "one"), ("b", 0o555, "two")]));
        assert_eq!(mode[0], r#"a: mode: ko "0000555", ours "0000755""#);
        let content = diff(&ko, &made(&[("a", 0o555, "ONE"), ("b", 0o555, "two")]));
        assert!(content.iter().any(|line| line.starts_with("a: content: ")), "{content:?}");
        let missing = diff(&ko, &made(&[("a", 0o555, "one"), ("c", 0o555, "two")]));
        assert_eq!(missing, ["b: only in ko's", "c: only in ours"]);
        let order = diff(&ko, &made(&[("b", 0o555, "two"), ("a", 0o555, "one")]));
        assert_eq!(order, [r#"order: ko ["a", "b"], ours ["b", "a"]"#]);
    }
}
