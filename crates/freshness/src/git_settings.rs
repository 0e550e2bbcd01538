//! Extracts the part of git's settings that can decide what `go` stamps. A clone
//! has other remotes than its origin, and CI systems write a new token into each:
//! sections that only say how to reach others are left out. Unknown ones count.

/// Sections without influence on tags, history and changes, in lower case.
const HARMLESS: [&str; 10] = [
    "branch",
    "credential",
    "gc",
    "http",
    "maintenance",
    "protocol",
    "remote",
    "safe",
    "url",
    "user",
];

/// The lines of all other sections (git-config, "Syntax").
pub(crate) fn deciding(content: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut harmless = false;
    let mut continued = false;
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        if let Some(name) = section(line) {
            // A second one may follow in the line.
            let is_harmless = line.iter().filter(|&&byte| byte == b'[').count() == 1
                && HARMLESS.iter().any(|harmless| name.eq_ignore_ascii_case(harmless.as_bytes()));
            // In doubt whether it is part of a value, what is there counts.
            harmless = is_harmless && (harmless || !continued);
        }
        let text = line.trim_ascii_end();
        continued = text.ends_with(b"\\");
        if !harmless && !text.is_empty() {
            kept.extend(line);
        }
    }
    kept
}

/// The section that a line begins, if it begins one. More may follow in the
/// line; it belongs to the section.
fn section(line: &[u8]) -> Option<&[u8]> {
    let name = line.trim_ascii_start().strip_prefix(b"[")?;
    let end = name.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
    Some(end.map_or(name, |end| &name[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_to_reach_others_does_not_count() {
        let core = "[core]\n\tbare = false\n";
        for (content, want) in [
            ("", ""),
            (core, core),
            ("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = /x\n", core),
            ("[remote \"origin\"]\n\turl = /x\n\n[core]\n\tbare = false\n", core),
            ("[REMOTE \"o\"] url = /x\n[http \"https://e.com/\"]\n\textraheader = T\n", ""),
            ("[user]\n\tname = [log]\n", ""),
            ("[log] excludeDecoration = x\n", "[log] excludeDecoration = x\n"),
            ("[remotes]\n\tx = y\n", "[remotes]\n\tx = y\n"),
            ("[branch.main]\n\tx = y\n", ""),
            ("[url \"a\\\"]b\"]\n\tx = y\n", ""),
            // The third line is part of a value.
            ("[log]\n\tx = y \\\n[remote]\n\tz = 1\n", "[log]\n\tx = y \\\n[remote]\n\tz = 1\n"),
            ("[remote] [log]\nx = y\n", "[remote] [log]\nx = y\n"),
            ("[remote]\n# x \\\n[log]\nx = y\n", "[log]\nx = y\n"),
        ] {
            let kept = deciding(content.as_bytes());
            assert_eq!(String::from_utf8(kept).unwrap(), want, "{content:?}");
        }
    }
}
