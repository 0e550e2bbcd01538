//! Takes out of a text what differs from run to run.

/// Looks at what comes before and after a place, and returns how many bytes
/// to replace there, and by what.
type Pattern = fn(before: &str, rest: &str) -> Option<(usize, &'static str)>;

const PATTERNS: [Pattern; 5] = [time, port, digest, temp, duration];

/// Replaces the sandbox's root, the working directory in it, and everything that
/// [`PATTERNS`] find.
pub(super) fn scrub(text: &str, root: &str) -> String {
    let text = text.replace(&format!("{root}/work"), "[work]").replace(root, "[sandbox]");
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let (before, rest) = text.split_at(at);
        let found = PATTERNS.iter().find_map(|pattern| pattern(before, rest));
        if let Some((len, by)) = found {
            out.push_str(by);
            at += len;
        } else {
            out.push(next);
            at += next.len_utf8();
        }
    }
    out
}

/// `2024/01/02 03:04:05 `, as Go's log package begins a line.
fn time(_: &str, rest: &str) -> Option<(usize, &'static str)> {
    let shape = b"0000/00/00 00:00:00 ";
    let found = rest.as_bytes().get(..shape.len())?;
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        shape => byte == shape,
    };
    found.iter().zip(shape).all(fits).then_some((shape.len(), "[time] "))
}

fn port(before: &str, rest: &str) -> Option<(usize, &'static str)> {
    let hosts = ["127.0.0.1:", "localhost:", "[::1]:"];
    let len = digits(rest);
    (len > 0 && hosts.iter().any(|host| before.ends_with(host))).then_some((len, "[port]"))
}

/// A SHA-256 in hexadecimal, with or without `sha256:` before it.
fn digest(before: &str, rest: &str) -> Option<(usize, &'static str)> {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let len = rest.bytes().take_while(|&byte| hex(byte)).count();
    (len == 64 && !before.bytes().last().is_some_and(hex)).then_some((len, "[digest]"))
}

/// A name made up in the temporary directory.
fn temp(before: &str, rest: &str) -> Option<(usize, &'static str)> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let len = rest.find(|c| !word(c)).unwrap_or(rest.len());
    (len > 0 && before.ends_with("[sandbox]/tmp/")).then_some((len, "[temp]"))
}

/// `1.5s`, `20ms`, `1m30s`: as Go and we write durations.
fn duration(before: &str, rest: &str) -> Option<(usize, &'static str)> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/');
    if before.ends_with(word) {
        return None;
    }
    let mut len = 0;
    loop {
        let part = &rest[len..];
        let mut number = digits(part);
        if number == 0 {
            break;
        }
        if let Some(fraction) = part[number..].strip_prefix('.') {
            number += 1 + digits(fraction);
        }
        let units = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
        let unit = units.iter().find(|unit| part[number..].starts_with(**unit))?;
        len += number + unit.len();
    }
    (len > 0 && !rest[len..].starts_with(char::is_alphanumeric)).then_some((len, "[duration]"))
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::scrub;

    #[test]
    fn table() {
        let hex = "0123456789abcdef".repeat(4);
        for (text, want) in [
            ("2024/01/02 03:04:05 Using", "[time] Using"),
            ("2024/01/02 03:04:5 Using", "2024/01/02 03:04:5 Using"),
            ("at 127.0.0.1:4000/app", "at 127.0.0.1:[port]/app"),
            ("localhost:80 [::1]:1", "localhost:[port] [::1]:[port]"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            (&format!("a@sha256:{hex}"), "a@sha256:[digest]"),
            (&format!("sha256-{hex}.sbom"), "sha256-[digest].sbom"),
            (&format!("{hex}0"), &format!("{hex}0")),
            ("/box/work/app", "[work]/app"),
            ("/box/home/app", "[sandbox]/home/app"),
            ("/box/tmp/ko123/out: x", "[sandbox]/tmp/[temp]/out: x"),
            (
                "took 1.5s, 20ms (1m30s) 3µs.",
                "took [duration], [duration] ([duration]) [duration].",
            ),
            ("app2s v1.2s 12 sum 3sx 5mb", "app2s v1.2s 12 sum 3sx 5mb"),
            ("grüße 日本 1s", "grüße 日本 [duration]"),
        ] {
            assert_eq!(scrub(text, "/box"), want);
        }
    }
}
