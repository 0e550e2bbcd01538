//! Templates of names and tags, and two programs that would share one.

use crate::fixture::Fixture;
use crate::freshness::{commit, git, processes};

/// `ko build` with one more word, which may have spaces.
fn tagged(fixture: &Fixture, words: &str, tags: &str) -> testkit::sandbox::Output {
    let words = std::iter::once("build").chain(words.split_whitespace());
    fixture.sandbox.run(words.chain([&*format!("--tags={tags}")])).output()
}

#[test]
fn tags_are_made_of_the_commit() {
    let fixture = Fixture::new();
    let host = fixture.registry.host();
    commit(&fixture);
    git(&fixture, &["branch", "-M", "main"]);
    git(&fixture, &["tag", "v1.2.3"]);
    let release = "{{if .Git.IsTagged}}{{ semver .Git.Tag }}{{end}},{{ index .Env \"RUN\" }}";
    let output = tagged(&fixture, "--sbom=none --bare", release).success();
    let digest = fixture.built("out", "v1.2.3").digest;
    assert_eq!(output.stdout, format!("{host}/out@{digest}\n"));
    assert_eq!(fixture.registry.tags("out"), ["latest", "v1", "v1.2", "v1.2.3"]);

    let _ = fixture.module().file("new", "");
    commit(&fixture);
    // The tag is another commit's.
    let output = tagged(&fixture, "--sbom=none --bare", release).failure(1);
    let want = "Error: failed to publish images: naming the image of ko://example.com/app: the tags '{{if .Git.IsTagged}}{{ semver .Git.Tag }}{{end}}', '{{ index .Env \"RUN\" }}' are empty: nothing would be pushed\nhint: git knows of no such commit or tag here; ";
    assert!(output.stderr.contains(want), "{}", output.stderr);
    let edge = "{{if .Git.IsTagged}}x{{else}}edge-{{slug .Git.Branch}}{{end}}";
    let output = tagged(&fixture, "--sbom=none --bare", edge).success();
    let digest = fixture.built("out", "edge-main").digest;
    assert_eq!(output.stdout, format!("{host}/out:edge-main@{digest}\n"));

    git(&fixture, &["tag", "v2.0.0-rc.1"]);
    let _ = tagged(&fixture, "--sbom=none --bare", "{{semver .Git.Tag}}").success();
    let tags = ["edge-main", "latest", "v1", "v1.2", "v1.2.3", "v2.0.0-rc.1"];
    assert_eq!(fixture.registry.tags("out"), tags);
    assert_ne!(fixture.built("out", "latest").digest, fixture.built("out", "v2.0.0-rc.1").digest);
}

#[test]
fn names_and_tags_of_the_configuration_give_way_to_flags() {
    let fixture = Fixture::new();
    let config = "\
naming: '{{.Base}}/{{slice .MD5 0 4}}'
imageTags: ['{{.Base}}-1', fixed]
builds:
- id: Two
  main: ./cmd/two
  naming: 'x/{{.ID | slug}}/{{index .Elements 1}}{{len .Elements}}'
  env: [COLOUR=red]
  imageTags: '{{.Env.COLOUR}}'
";
    let _ = fixture.module().main("cmd/one").main("cmd/two").file(".ko.yaml", config);
    for (words, variables, want) in [
        ("", [("", ""), ("", "")], ["one/8504:fixed,one-1", "x/two/app4:red"]),
        ("-t v1", [("", ""), ("", "")], ["one/8504:v1", "x/two/app4:v1"]),
        ("-B", [("", ""), ("", "")], ["one:fixed,one-1", "two:red"]),
        (
            "",
            [("KO_NAMING", "{{.ImportPath}}"), ("KO_IMAGETAGS", "a,{{ print .Base }}")],
            ["example.com/app/cmd/one:a,one", "x/two/app4:red"],
        ),
    ] {
        let mut run = fixture.build(&format!("./cmd/one ./cmd/two {words}"));
        for (name, value) in variables.into_iter().filter(|(name, _)| !name.is_empty()) {
            run = run.env(name, value);
        }
        let _ = run.output().success();
        for image in want {
            let (name, tags) = image.split_once(':').unwrap();
            let repository = format!("out/{name}");
            for tag in tags.split(',') {
                fixture.built(&repository, tag);
            }
        }
        fixture.registry.reset();
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_is_built() {
    let fixture = Fixture::new();
    let _ = fixture.module().broken_main("cmd/one");
    commit(&fixture);
    let fails_with = |words: &str, tags: &str| {
        let output = tagged(&fixture, &format!("--bare ./cmd/one {words}"), tags).failure(1);
        let (_, words) = output.stderr.split_once("Error: ").unwrap();
        words.to_owned()
    };
    let fails = |tags: &str| fails_with("", tags);
    insta::assert_snapshot!(fails("{{.Git.Tga}}"), @r#"
failed to publish images: naming the image of ko://example.com/app/cmd/one: template: argsTmpl:1:6: executing "argsTmpl" at <.Git.Tga>: map has no entry for key "Tga" (in "{{.Git.Tga}}")
hint: did you mean .Git.Tag?
"#);
    insta::assert_snapshot!(fails("{{.Env.NOPE}}"), @r#"
failed to publish images: naming the image of ko://example.com/app/cmd/one: template: argsTmpl:1:6: executing "argsTmpl" at <.Env.NOPE>: map has no entry for key "NOPE" (in "{{.Env.NOPE}}")
hint: the environment variable NOPE is not set: set it, or write {{ index .Env "NOPE" }} to have nothing in its place
"#);
    insta::assert_snapshot!(fails("{{semver .Git.Tag}}"), @r#"failed to publish images: naming the image of ko://example.com/app/cmd/one: template: argsTmpl:1:2: executing "argsTmpl" at <semver .Git.Tag>: semver: v0.0.0 stands for no tag: fetch the history and its tags (in "{{semver .Git.Tag}}")"#);
    insta::assert_snapshot!(fails("v1,{{.ImportPath}}"), @r#"
failed to publish images: naming the image of ko://example.com/app/cmd/one: "{{.ImportPath}}" is not a tag: tag can only contain the characters `abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.`: example.com/app/cmd/one
hint: {{ slug … }} makes of a text, such as a branch, what a tag may have
"#);
    insta::assert_snapshot!(fails("{{nope}}"), @r#"
error creating publisher: '--tags': template: argsTmpl:1: function "nope" not defined (column 3 of "{{nope}}")
hint: docs/reference/templates.md lists the functions
"#);
    insta::assert_snapshot!(fails("a+b"), @"error creating publisher: tag can only contain the characters `abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.`: a+b");
    let several = "{{semver `v1.0.0`}}";
    insta::assert_snapshot!(fails_with("--tag-only", several), @"failed to publish images: naming the image of ko://example.com/app/cmd/one: must specify exactly one tag to resolve images into tag-only references");
    insta::assert_snapshot!(fails_with("--tag-only", "{{print `latest`}}"), @"failed to publish images: naming the image of ko://example.com/app/cmd/one: latest tag cannot be used in tag-only references");
    assert_eq!(fixture.registry.tags("out"), Vec::<String>::new());
}

#[test]
fn two_programs_may_share_a_name_only_where_no_template_made_it() {
    let fixture = Fixture::new();
    let _ = fixture.module().main("cmd/one").main("cmd/two");
    let output = fixture.build("--sbom=none --bare ./cmd/one ./cmd/two").output().success();
    assert_eq!(output.stdout.lines().count(), 2);
    let notice = format!(
        "ko://example.com/app/cmd/one and ko://example.com/app/cmd/two are both {}/out:latest: the last one stays\nhint: -B names",
        fixture.registry.host()
    );
    assert_eq!(output.stderr.matches(&notice).count(), 1, "{}", output.stderr);

    let output =
        tagged(&fixture, "--sbom=none --bare ./cmd/one ./cmd/two", "v{{len .Base}}").failure(1);
    let error = output.stderr.replace(fixture.registry.host(), "[registry]");
    let (_, error) = error.split_once("Error: ").unwrap();
    insta::assert_snapshot!(error, @"
failed to publish images: ko://example.com/app/cmd/one and ko://example.com/app/cmd/two would both be [registry]/out:v3
hint: -B names images after their programs, and so does {{.Base}} in `naming` or a tag
");
    let output = tagged(&fixture, "--sbom=none --bare ./cmd/one ./cmd/two", "{{.Base}}").success();
    assert!(!output.stderr.contains("are both"), "{}", output.stderr);
    assert_eq!(fixture.registry.tags("out"), ["latest", "one", "two"]);
}

#[test]
fn git_is_asked_only_for_what_a_template_looks_at() {
    let fixture = Fixture::new();
    commit(&fixture);
    let _ = fixture.build("--bare").output().success();
    for (tags, want) in [
        // `git status`, for the stamp.
        ("latest", 1),
        ("{{.Base}}", 1),
        // The tree and the commit, too.
        ("{{.Git.ShortCommit}}", 3),
        ("{{.Git.ShortCommit}},{{.Git.FullCommit}}", 3),
    ] {
        let words = ["build", "--bare", "--tags", tags];
        assert_eq!(processes(&fixture, &words), (0, want), "{tags}");
    }
}
