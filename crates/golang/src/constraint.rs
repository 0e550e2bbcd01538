//! Says whether a file counts for linux/amd64 without cgo, by its build constraint and
//! its name (`go help buildconstraint`).

/// The operating systems that a file may be named after.
const SYSTEMS: [&str; 17] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
];

/// The architectures.
const ARCHITECTURES: [&str; 21] = [
    "386", "amd64", "arm", "arm64", "armbe", "arm64be", "loong64", "mips", "mipsle", "mips64",
    "mips64le", "ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390", "s390x", "sparc", "sparc64",
    "wasm",
];

/// Does the name of a file, without its suffix, let it count?
pub(crate) fn suits_name(stem: &str) -> bool {
    let Some((_, tags)) = stem.split_once('_') else { return true };
    let tags: Vec<&str> = tags.split('_').collect();
    let known = |tag: &str| SYSTEMS.contains(&tag) || ARCHITECTURES.contains(&tag);
    match tags[..] {
        [.., system, arch] if SYSTEMS.contains(&system) && ARCHITECTURES.contains(&arch) => {
            is_set(system) && is_set(arch)
        }
        [.., last] if known(last) => is_set(last),
        _ => true,
    }
}

/// Whether a tag holds. Every release is as new as a file may want.
fn is_set(tag: &str) -> bool {
    matches!(tag, "linux" | "amd64" | "unix" | "gc") || tag.starts_with("go1.")
}

/// Does an expression hold? One that is none does not.
pub(crate) fn holds(expression: &str) -> bool {
    let mut parser = Parser { rest: expression.trim(), depth: 0 };
    parser.any() == Some(true) && parser.rest.is_empty()
}

/// How deep parentheses and negations may be.
const DEPTH: usize = 64;

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn takes(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn any(&mut self) -> Option<bool> {
        let mut value = self.all()?;
        while self.takes("||") {
            value |= self.all()?;
        }
        Some(value)
    }

    fn all(&mut self) -> Option<bool> {
        let mut value = self.one()?;
        while self.takes("&&") {
            value &= self.one()?;
        }
        Some(value)
    }

    fn one(&mut self) -> Option<bool> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let value = if self.takes("!") {
            !self.one()?
        } else if self.takes("(") {
            let value = self.any()?;
            self.takes(")").then_some(value)?
        } else {
            let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
            let (tag, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            self.rest = rest.trim_start();
            (!tag.is_empty()).then(|| is_set(tag))?
        };
        self.depth -= 1;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_hold_for_linux() {
        for (expression, want) in [
            ("linux", true),
            ("ignore", false),
            ("!ignore", true),
            ("!windows && !plan9", true),
            ("windows || (unix && !cgo)", true),
            ("windows || unix && cgo", false),
            ("go1.18", true),
            ("!!linux", true),
            ("(linux", false),
            ("linux darwin", false),
            ("", false),
            ("&& linux", false),
        ] {
            assert_eq!(holds(expression), want, "{expression}");
        }
        assert!(!holds(&"(".repeat(100_000)));
        assert!(!holds(&"!".repeat(100_000)));
    }

    #[test]
    fn names_may_say_where_a_file_counts() {
        for (stem, want) in [
            ("main", true),
            ("linux", true),
            ("windows", true),
            ("main_windows", false),
            ("main_linux", true),
            ("main_linux_arm64", false),
            ("main_windows_amd64", false),
            ("main_linux_amd64", true),
            ("main_arm64", false),
            ("a_linux_b", true),
            ("a_windows_b", true),
        ] {
            assert_eq!(suits_name(stem), want, "{stem}");
        }
    }
}
