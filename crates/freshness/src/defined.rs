//! Hides the values that `-X` of the linker gives to variables: they may be secrets, which
//! come by templates, and the reasons for a build end up in logs.

/// What stands for a value.
const HIDDEN: char = '…';

/// Flags in which `-X main.version=1.0` reads `-X main.version=…`.
pub(crate) fn without_values(flags: &str) -> String {
    let mut out = String::with_capacity(flags.len());
    let mut rest = flags;
    while let Some(at) = rest.find("-X") {
        let (before, after) = rest.split_at(at + 2);
        out.push_str(before);
        rest = after;
        let start = before[..at].trim_end_matches('-');
        let last = start.chars().next_back();
        if last.is_some_and(|last| !last.is_whitespace() && !is_quote(last) && last != '=') {
            continue;
        }
        let name = rest.trim_start_matches(|c: char| c.is_whitespace() || is_quote(c) || c == '=');
        let gap = &rest[..rest.len() - name.len()];
        let quote = gap.chars().next_back().filter(|c| is_quote(*c));
        let quote = quote.or_else(|| last.filter(|c| is_quote(*c)));
        let ends = |c: char| quote.map_or(c.is_whitespace(), |quote| c == quote);
        let definition = &name[..name.find(ends).unwrap_or(name.len())];
        out.push_str(gap);
        match definition.split_once('=') {
            Some((variable, _)) => {
                out.push_str(variable);
                out.extend(['=', HIDDEN]);
            }
            None => out.push_str(definition),
        }
        rest = &name[definition.len()..];
    }
    out.push_str(rest);
    out
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"')
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn values_are_hidden() {
        for (flags, want) in [
            ("", ""),
            ("-s -w", "-s -w"),
            ("-s -X main.a=b -w", "-s -X main.a=… -w"),
            ("-Xmain.a=b", "-Xmain.a=…"),
            ("-X=main.a=b=c -X  main.d=", "-X=main.a=… -X  main.d=…"),
            ("--X main.a=b", "--X main.a=…"),
            ("-X 'main.a=b c' -w", "-X 'main.a=…' -w"),
            ("-X \"main.a=it's\" -s", "-X \"main.a=…\" -s"),
            ("'-X=main.a=b c' -s", "'-X=main.a=…' -s"),
            ("-X main.a='b c'", "-X main.a=… c'"),
            ("-ldflags=-X=main.a=b -tags x", "-ldflags=-X=main.a=… -tags x"),
            ("-X 'main.a=never ends -s", "-X 'main.a=…"),
            ("-X", "-X"),
            ("-X main.a", "-X main.a"),
            ("-tags=A-X main=b", "-tags=A-X main=b"),
        ] {
            assert_eq!(without_values(flags), want, "{flags}");
        }
    }
}
