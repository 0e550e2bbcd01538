use super::*;

fn build(words: &str) -> Result<BuildArgs> {
    let arguments: Vec<OsString> = words.split(' ').map(Into::into).collect();
    match parse(&arguments)? {
        Parsed::Command(Cli { command: Command::Build(watched), .. }) => Ok(watched.arguments),
        other => panic!("{other:?}"),
    }
}

#[test]
fn flags_are_read_as_pflag_reads_them() {
    for (words, tags) in [
        ("ko build", vec![]),
        ("ko publish -t v1", vec!["v1"]),
        ("ko build -tv1", vec!["v1"]),
        ("ko build -t=v1", vec!["v1"]),
        ("ko build --tags=v1,v2 -t v3", vec!["v1", "v2", "v3"]),
        ("ko build --tags=", vec![]),
    ] {
        assert_eq!(elements(&build(words).unwrap().publish.tags), tags, "{words}");
    }
    for (words, push, rest) in [
        ("ko build . --push=false ./x", false, vec![".", "./x"]),
        ("ko build --push false", true, vec!["false"]),
        ("ko build --push=F", false, vec![]),
        ("ko build --push=false --push", true, vec![]),
        ("ko build -- --push=false", true, vec!["--push=false"]),
        ("ko build ./x -- ./y", true, vec!["./x", "./y"]),
    ] {
        let arguments = build(words).unwrap();
        let rest: Vec<String> = rest.into_iter().map(Into::into).collect();
        assert_eq!((arguments.publish.push, arguments.positional), (push, rest), "{words}");
    }
    let arguments = build("ko build -j 3 -j4 -PB=0 --bare=T -v").unwrap();
    assert_eq!(arguments.image.jobs, 4);
    assert!(arguments.publish.preserve_import_paths && arguments.publish.bare);
    assert!(!arguments.publish.base_import_paths);
}

#[test]
fn verbose_is_everybody_s() {
    for (words, want) in [
        ("ko version", false),
        ("ko -v version", true),
        ("ko build -v", true),
        ("ko auth get --verbose", true),
        ("ko login -v=false r.io", false),
        ("ko -v build -v=false", false),
    ] {
        let arguments: Vec<OsString> = words.split(' ').map(Into::into).collect();
        let Parsed::Command(cli) = parse(&arguments).unwrap() else { panic!("{words}") };
        assert_eq!(cli.verbose, want, "{words}");
    }
}

#[test]
fn errors_are_told_in_ko_s_words() {
    for (words, want) in [
        ("ko build --bogus", "unknown flag: --bogus"),
        ("ko build --bogus=1", "unknown flag: --bogus"),
        ("ko build -x", "unknown shorthand flag: 'x' in -x"),
        ("ko build -Px", "unknown shorthand flag: 'x' in -x"),
        ("ko build -Pxyz=1", "unknown shorthand flag: 'x' in -xyz=1"),
        ("ko login -xhunter2", "unknown shorthand flag: 'x' in -x"),
        ("ko login ---password=hunter2", "bad flag syntax: ---password"),
        ("ko login -p", "flag needs an argument: 'p' in -p"),
        ("ko auth token -m", "flag needs an argument: 'm' in -m"),
        ("ko cache verify x", "unknown command \"x\" for \"ko cache verify\""),
        ("ko.exe auth x", "unknown command \"x\" for \"ko auth\""),
        (
            "ko build --help=x",
            "invalid argument \"x\" for \"-h, --help\" flag: strconv.ParseBool: parsing \"x\": invalid syntax",
        ),
        ("ko build --tags", "flag needs an argument: --tags"),
        ("ko build -t", "flag needs an argument: 't' in -t"),
        ("ko build -x=1", "unknown shorthand flag: 'x' in -x=1"),
        ("ko build ---", "bad flag syntax: ---"),
        ("ko build --=x", "bad flag syntax: --=x"),
        (
            "ko build -j 99999999999999999999",
            "invalid argument \"99999999999999999999\" for \"-j, --jobs\" flag: strconv.ParseInt: parsing \"99999999999999999999\": value out of range",
        ),
        ("ko build --version", "unknown flag: --version"),
        ("ko version --bogus", "unknown flag: --bogus"),
        (
            "ko build --push=maybe",
            "invalid argument \"maybe\" for \"--push\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
        ),
        (
            "ko build -j x",
            "invalid argument \"x\" for \"-j, --jobs\" flag: strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        (
            "ko build --tags=a\"b",
            "invalid argument \"a\\\"b\" for \"-t, --tags\" flag: parse error on line 1, column 2: bare \" in non-quoted-field",
        ),
        (
            "ko build --timings --sbom=none",
            "invalid argument \"--sbom=none\" for \"--timings\" flag: that is a flag, and the name of the file is missing",
        ),
    ] {
        assert_eq!(build(words).unwrap_err().message(), want, "{words}");
    }
    assert_eq!(
        build("ko buidl").unwrap_err().message(),
        "unknown command \"buidl\" for \"ko\"\n\nDid you mean this?\n\tbuild\n\nRun 'ko --help' for usage."
    );
}

#[test]
fn files_are_named_as_one_likes() {
    for words in [
        "ko build --metadata-file -",
        "ko build --log-file ./-log",
        "ko build --log-file=",
        // ko takes whatever comes next.
        "ko build --image-refs --bare",
    ] {
        assert!(build(words).is_ok(), "{words}");
    }
}

/// What completion offers for a flag, its command takes.
#[test]
fn values_that_are_known_are_taken() {
    fn walk(command: &clap::Command, path: &mut Vec<String>, seen: &mut usize) {
        path.push(command.get_name().to_owned());
        for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
            for value in values(command.get_name(), flag) {
                let mut words: Vec<OsString> = path.iter().map(Into::into).collect();
                words.push(format!("--{flag}={value}").into());
                let parsed = parse(&words);
                assert!(matches!(parsed, Ok(Parsed::Command(_))), "{words:?}: {parsed:?}");
                *seen += 1;
            }
        }
        command.get_subcommands().for_each(|sub| walk(sub, path, seen));
        path.pop();
    }
    let mut seen = 0;
    walk(&command(), &mut Vec::new(), &mut seen);
    assert!(seen > 100, "{seen}");
    let error = parse(&["ko", "doctor", "--output=ndjson"].map(Into::into)).unwrap_err();
    assert_eq!(error.hint_text(), Some("did you mean json?"));
}

#[test]
fn no_command_is_a_question_for_help() {
    for words in ["ko", "ko -v", "ko.exe -v"] {
        let arguments: Vec<OsString> = words.split(' ').map(Into::into).collect();
        let Parsed::Text(help) = parse(&arguments).unwrap() else { panic!("{words}") };
        assert!(help.contains("Usage: ko "), "{words}: {help}");
    }
}

#[test]
fn the_command_line_is_well_formed() {
    command().debug_assert();
}

/// The flags of a help, section by section.
fn sections(help: &str) -> Vec<(String, Vec<String>)> {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in help.lines() {
        if let Some(heading) = line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
            sections.push((heading.to_owned(), Vec::new()));
        } else if line.starts_with("  -") || line.starts_with("      --") {
            let name = line.split("--").nth(1).and_then(|rest| rest.split([' ', '=', '[']).next());
            let (_, flags) = sections.last_mut().unwrap();
            flags.extend(name.map(str::to_owned));
        }
    }
    sections
}

fn shown(words: &str) -> String {
    let arguments: Vec<OsString> = words.split(' ').map(OsString::from).collect();
    let Parsed::Text(help) = parse(&arguments).unwrap() else { panic!("no help") };
    help
}

#[test]
fn help_groups_flags_and_lists_each_group_by_name() {
    for command in ["apply", "build", "create", "resolve", "run"] {
        let long = shown(&format!("ko {command} --help"));
        assert!(long.contains("\nExamples:\n  # "), "{long}");
        let long = sections(&long);
        for (heading, flags) in &long {
            assert!(flags.is_sorted() || heading == GLOBAL, "{command}: {heading}: {flags:?}");
            // Each flag has a place in `sections.rs`.
            assert_ne!(heading, "More", "{command}: {flags:?}");
        }
        let short = sections(&shown(&format!("ko {command} -h")));
        let flags = |sections: &[(String, Vec<String>)]| -> Vec<String> {
            sections.iter().flat_map(|(_, flags)| flags.clone()).collect()
        };
        let (short, long) = (flags(&short), flags(&long));
        assert!(short.iter().all(|flag| long.contains(flag)), "{command}: {short:?}");
        assert!(short.len() < long.len(), "{command}");
        assert!(short.contains(&"image-label".to_owned()), "{command}: {short:?}");
    }
}

#[test]
fn each_command_is_in_a_group_of_the_root_help() {
    let help = shown("ko --help");
    assert!(!help.contains("More:\n"), "{help}");
}

#[test]
fn strict_exit_codes_are_read_of_any_command_line() {
    for (words, want) in [
        ("ko build", false),
        ("ko build --strict-exit-codes --bogus", true),
        ("ko --strict-exit-codes buidl", true),
        ("ko build --strict-exit-codes=false", false),
        ("ko build --strict-exit-codes --strict-exit-codes=f", false),
        ("ko build --strict-exit-codes=perhaps", false),
        ("ko run ./x -- --strict-exit-codes", false),
    ] {
        let arguments: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        assert_eq!(has_strict_exit_codes(&arguments), want, "{words}");
    }
}
