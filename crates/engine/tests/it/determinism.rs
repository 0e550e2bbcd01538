//! Same inputs, same bytes; deleting the cache changes only speed.

use ko_engine::Method;

use tokio::runtime::Builder;

use crate::fixture::{Fixture, build, build_on};

#[test]
fn threads_runtimes_and_caches_do_not_change_an_image() {
    let fixture = Fixture::new();
    for method in [Method::Gzip, Method::Estargz, Method::Zstd, Method::None] {
        let mut seen = Vec::new();
        for (cache, threads) in [("one", 1), ("eight", 8), ("one", 8), ("eight", 1)] {
            let mut options = fixture.options(cache, threads);
            options.compression = method.into();
            let words = ["./cmd/a", "./cmd/b"];
            let (published, _) = match threads {
                1 => build_on(Builder::new_current_thread(), options, &words, |_| {}),
                _ => build(options, &words),
            };
            seen.push(published.unwrap().into_iter().map(|p| p.references).collect::<Vec<_>>());
            if cache == "one" {
                std::fs::remove_dir_all(fixture.dir.path().join("one")).unwrap();
            }
        }
        assert_eq!(seen[0].len(), 2);
        assert_eq!(seen[0][0].len(), 3, "an index and its two images");
        assert!(seen.iter().all(|references| *references == seen[0]), "{method}: {seen:#?}");
    }
}
