//! What the settings of an image take: ports, users, signals, paths.

/// What a value of an image's settings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// A word of a command.
    Word,
    /// The value of a variable, a label or an annotation.
    Value,
    /// Something that was found out, and is left out if it comes to nothing.
    Found,
    /// A user, with or without a group.
    User,
    /// A path in the image.
    Path,
    /// A signal, by name or number.
    Signal,
    /// A port or a range of some, with or without a protocol.
    Port,
}

/// The largest id that engines take.
const LARGEST_ID: u32 = i32::MAX as u32;

/// The signals of Linux that have names, without `SIG`; those in real time have more.
const SIGNALS: [&str; 35] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
    "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP",
    "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN",
];

impl Field {
    /// Whether a text is one; why not.
    pub(super) fn check(self, text: &str) -> Result<(), String> {
        if text.contains('\0') {
            return Err("a NUL cannot be in an image's config".to_owned());
        }
        match self {
            Self::Word | Self::Value | Self::Found => Ok(()),
            Self::User => user(text),
            Self::Path => path(text),
            Self::Signal => signal(text),
            Self::Port => ports(text).map(drop),
        }
    }
}

/// The ports as a config has them, `8080/tcp`.
pub(super) fn ports(text: &str) -> Result<Vec<String>, String> {
    let wrong = || {
        format!(
            "{text:?} is not a port: write a number from 1 to 65535 or a range, as in 8080, 53/udp or 8000-8010"
        )
    };
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !["tcp", "udp", "sctp"].contains(&&*protocol) {
        return Err(format!("{text:?}: the protocol of a port is tcp, udp or sctp"));
    }
    let number = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number: &u16| plain && *number > 0).ok_or_else(wrong)
    };
    let (first, last) = match numbers.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(numbers)?, number(numbers)?),
    };
    if first > last {
        return Err(wrong());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

fn user(text: &str) -> Result<(), String> {
    let is_name = |name: &str| {
        let number = name.bytes().all(|byte| byte.is_ascii_digit());
        let id = || name.parse().is_ok_and(|id: u32| id <= LARGEST_ID);
        !name.is_empty() && !name.contains(char::is_whitespace) && (!number || id())
    };
    let (user, group) = text.split_once(':').map_or((text, None), |(u, g)| (u, Some(g)));
    if is_name(user) && group.is_none_or(|group| is_name(group) && !group.contains(':')) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is not a user: write a name or an id of at most {LARGEST_ID}, and a group behind a colon, as in 65532:65532"
    ))
}

fn path(text: &str) -> Result<(), String> {
    let drive = text.as_bytes().get(..3).is_some_and(|start| {
        start[0].is_ascii_alphabetic() && start[1] == b':' && matches!(start[2], b'\\' | b'/')
    });
    if text.starts_with('/') || drive {
        return Ok(());
    }
    Err(format!("{text:?} is not an absolute path in the image, as /data"))
}

fn signal(text: &str) -> Result<(), String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = |text: &str, most| {
        !text.starts_with('+') && text.parse().is_ok_and(|number: u8| (1..=most).contains(&number))
    };
    let is_real_time =
        |start, most| name.strip_prefix(start).is_some_and(|text| number(text, most));
    if SIGNALS.contains(&name)
        || name == "RTMAX"
        || number(text, 64)
        || is_real_time("RTMIN+", 15)
        || is_real_time("RTMAX-", 14)
    {
        return Ok(());
    }
    Err(format!("{text:?} is not a signal: write a name or a number from 1 to 64, as in SIGQUIT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_takes_what_engines_take() {
        let good: [(Field, &[&str]); 4] = [
            (Field::User, &["0", "65532:65532", "nobody", "a:b", "ContainerUser", r"NT\x"]),
            (Field::Path, &["/", "/a b", r"C:\data", "c:/x"]),
            (Field::Signal, &["SIGTERM", "quit", "9", "64", "RTMIN", "SIGRTMIN+15", "RTMAX-14"]),
            (Field::Port, &["80", "53/udp", "1/TCP", "8000-8010/sctp", "65535"]),
        ];
        let bad: [(Field, &[&str]); 5] = [
            (Field::User, &["", ":", "a:", ":b", "a b", "a:b:c", "2147483648", "99999999999"]),
            (Field::Path, &["", "a", "./a", r"\a", "C:"]),
            (Field::Signal, &["", "SIG", "SIGNONE", "0", "65", "RTMIN+16", "RTMAX-0", "-1", "+9"]),
            (
                Field::Port,
                &["", "0", "65536", "-1", "+1", "2-1", "1-", "80/", "80/icmp", "a", "1-2-3"],
            ),
            (Field::Word, &["a\0b"]),
        ];
        for (field, texts) in good {
            texts.iter().for_each(|text| assert_eq!(field.check(text), Ok(()), "{text}"));
        }
        for (field, texts) in bad {
            texts.iter().for_each(|text| assert!(field.check(text).is_err(), "{field:?} {text}"));
        }
        assert_eq!(ports("9-10/UDP").unwrap(), ["9/udp", "10/udp"]);
    }
}
