//! How often something is tried, what is said of it, and what others do meanwhile.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use ko_registry::{Access, Chain, Client, ClientOptions, RegistryError, RetryPolicy};
use testkit::registry::{Class, Fault, Rule, TestRegistry};

use crate::{anonymous, options, reference};

fn client(retry: RetryPolicy) -> Client {
    Client::new(ClientOptions { retry, ..options() }, Arc::new(Chain::default())).unwrap()
}

#[tokio::test]
async fn an_error_says_how_often_something_was_tried() {
    let registry = TestRegistry::start();
    let place = reference(&registry, "app:v1");
    for (fault, attempts, made, ending) in [
        (Fault::status(503, "UNAVAILABLE"), 3, 3, "UNAVAILABLE: injected fault"),
        (Fault::status(503, "UNAVAILABLE"), 1, 1, "UNAVAILABLE: injected fault"),
        (Fault::status(400, "UNSUPPORTED"), 3, 1, "UNSUPPORTED: injected fault"),
    ] {
        registry.inject(Rule::new(fault.clone()).class(Class::ManifestGet));
        let retry = RetryPolicy { attempts, ..options().retry };
        let error = client(retry).manifest(&place).await.unwrap_err();
        let text = error.to_string();
        let last = format!("GET {}/v2/app/manifests/v1: {ending}", registry.url());
        match error {
            RegistryError::Exhausted { last: inner, tried } => {
                let seconds = tried.elapsed.as_secs_f64();
                let host = registry.host();
                assert_eq!(text, format!("{last} (3 attempts in {seconds:.1}s at {host})"));
                assert_eq!((inner.to_string(), tried.attempts, made), (last, 3, 3));
            }
            // Once is what anybody expects.
            RegistryError::Status { .. } => assert_eq!((text, made), (last, 1)),
            error => panic!("{error:?}"),
        }
        registry.clear_faults();
    }
}

/// For ever, as far as a test is concerned.
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_pause_that_a_registry_asks_for_is_kept_by_all() {
    let (registry, other) = (TestRegistry::start(), TestRegistry::start());
    let client = client(RetryPolicy { attempts: 1, delay: HOUR, max_delay: HOUR });
    let place = reference(&registry, "app:v1");
    registry.inject(Rule::new(Fault::too_many_requests(7200)).class(Class::ManifestHead).times(1));
    let refused = client.head_manifest(&place, Access::Pull).await.unwrap_err();
    assert_eq!(refused.failure().unwrap().status, 429);
    assert_eq!(registry.counts().of(Class::ManifestHead), 1);
    let held = reference(&registry, "app:v2");
    let held = std::pin::pin!(client.head_manifest(&held, Access::Pull));
    let elsewhere = reference(&other, "app:v2");
    let free = std::pin::pin!(client.head_manifest(&elsewhere, Access::Pull));
    let Either::Right((found, _held)) = select(held, free).await else { panic!("not held") };
    assert_eq!(found.unwrap(), None);
    assert_eq!(registry.counts().of(Class::ManifestHead), 1);
    let waits: Vec<String> = client.under_way().into_iter().map(|wait| wait.what).collect();
    assert_eq!(waits, [format!("a pause that {} asked for", registry.host())]);
}

#[tokio::test]
async fn what_is_waited_for_is_known() {
    let registry = TestRegistry::start();
    let client = client(RetryPolicy { attempts: 2, delay: HOUR, max_delay: HOUR });
    let place = reference(&registry, "app:v1");
    assert_eq!(client.head_manifest(&place, Access::Pull).await.unwrap(), None);
    assert!(client.under_way().is_empty());
    registry.inject(Rule::new(Fault::status(503, "UNAVAILABLE")).class(Class::ManifestGet));
    let (asked, other) = (client.manifest(&place), anonymous());
    let asked = std::pin::pin!(asked);
    let look = async {
        // Any request will do to let the other one go on.
        while client.under_way().iter().all(|wait| !wait.what.starts_with("the pause after")) {
            other.head_manifest(&place, Access::Pull).await.unwrap();
        }
    };
    let Either::Right(((), _asked)) = select(asked, std::pin::pin!(look)).await else {
        panic!("there was no pause");
    };
    let what = client.under_way().remove(0).what;
    let request = format!("GET {}/v2/app/manifests/v1", registry.url());
    assert_eq!(what, format!("the pause after {request}: UNAVAILABLE: injected fault"));
}
