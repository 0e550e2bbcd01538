//! `--timings`.

use ko_report::{Counters, Image, SharedCache, Span, Timings};

fn span(stage: &str, import_path: Option<&str>, start: f64, seconds: f64) -> Span {
    Span {
        stage: stage.to_owned(),
        import_path: import_path.map(str::to_owned),
        platform: import_path.map(|_| "linux/amd64".to_owned()),
        start,
        seconds,
    }
}

fn image(import_path: &str, built: Option<&str>) -> Image {
    Image {
        import_path: import_path.to_owned(),
        platform: "linux/amd64".to_owned(),
        built: built.map(str::to_owned),
    }
}

fn run() -> Timings {
    Timings {
        version: Timings::VERSION,
        ko: "0.1.0".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        seconds: 6.5,
        succeeded: true,
        counters: Counters {
            processes: 2,
            requests: 9,
            bytes_sent: 52_000_000,
            ..Counters::default()
        },
        shared_caches: vec![SharedCache {
            url: "oci://registry.example.com/team/ko-cache".to_owned(),
            round_trips: 12,
            bytes_sent: 0,
            bytes_received: 18_000_000,
            failure: None,
        }],
        images: vec![image("example.com/a", None), image("example.com/b", Some("main.go changed"))],
        stages: vec![
            span("list", None, 0.0, 0.01),
            span("freshness", Some("example.com/a"), 0.01, 0.02),
            span("compile", Some("example.com/b"), 0.04, 6.0),
            span("layer", Some("example.com/b"), 5.9, 0.4),
        ],
    }
}

#[test]
fn the_data_is_stable() {
    insta::assert_snapshot!(run().json());
    let read: Timings = serde_json::from_str(&run().json()).unwrap();
    assert_eq!(read, run());
}

#[test]
fn what_is_not_known_is_ignored() {
    let text = run().json().replacen('{', "{\"later\": 1,", 1);
    assert_eq!(serde_json::from_str::<Timings>(&text).unwrap(), run());
}

#[test]
fn the_page_needs_nothing_else() {
    let page = run().html();
    for word in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(word), "{word} in\n{page}");
    }
    for word in
        ["2 images in 6.5 s", "52.0 MB", "18.0 MB", "main.go changed", "class=\"bar compile\""]
    {
        assert!(page.contains(word), "no {word} in\n{page}");
    }
}

#[test]
fn a_run_that_failed_is_told_from_others() {
    let failed = Timings { succeeded: false, ..run() };
    assert!(failed.html().contains("This run failed."));
    assert!(!run().html().contains("This run failed."));
}

#[test]
fn text_is_no_markup() {
    let evil = "\"><script>alert('x')</script>&";
    let mut timings = run();
    timings.ko = evil.to_owned();
    timings.started = evil.to_owned();
    timings.images = vec![image(evil, Some(evil))];
    timings.images[0].platform = evil.to_owned();
    timings.stages = vec![span(evil, Some(evil), 0.0, 6.0)];
    let page = timings.html();
    assert!(!page.contains("<script") && !page.contains("alert('x')"), "{page}");
    assert!(
        page.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"),
        "{page}"
    );
}

#[test]
fn a_run_without_images_has_a_page() {
    let empty = Timings { seconds: 0.0, images: Vec::new(), stages: Vec::new(), ..run() };
    let page = empty.html();
    assert!(page.contains("0 images in 0") && !page.contains("NaN"), "{page}");
}
