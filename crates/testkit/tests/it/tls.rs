//! TLS, with a client that trusts the registry's certificate and one that
//! does not.

use testkit::registry::{Class, Fault, Protocol, Rule, TestRegistry};

fn client(registry: &TestRegistry) -> reqwest::Client {
    let ca = reqwest::Certificate::from_pem(registry.ca_pem().unwrap().as_bytes()).unwrap();
    let builder = reqwest::Client::builder().no_proxy();
    builder.tls_certs_only([ca]).build().unwrap()
}

#[tokio::test]
async fn both_protocols() {
    for (protocol, version) in
        [(Protocol::Http1, reqwest::Version::HTTP_11), (Protocol::Http2, reqwest::Version::HTTP_2)]
    {
        let registry = TestRegistry::builder().tls(protocol).start();
        let content = vec![7; 1_000_000];
        let digest = registry.put_blob("a", &content);
        let client = client(&registry);
        let localhost = registry.url().replace("127.0.0.1", "localhost");
        for origin in [registry.url(), &localhost] {
            let answer = client.get(format!("{origin}/v2/")).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        }
        let blob = format!("{}/v2/a/blobs/{digest}", registry.url());
        let found = client.head(&blob).send().await.unwrap();
        assert_eq!(found.headers()["content-length"], "1000000");
        let answer = client.get(&blob).send().await.unwrap();
        assert_eq!(answer.bytes().await.unwrap(), content);

        let start = format!("{}/v2/b/blobs/uploads/", registry.url());
        let upload = client.post(start).send().await.unwrap();
        let location = upload.headers()["location"].to_str().unwrap();
        let put = client.put(format!("{location}&digest={digest}")).body(content);
        assert_eq!(put.send().await.unwrap().status(), 201);
        assert_eq!(registry.blob("b", &digest).unwrap().len(), 1_000_000);

        registry.inject(Rule::new(Fault::CutResponse(10)).class(Class::BlobGet).times(1));
        let answer = client.get(&blob).send().await.unwrap();
        assert!(answer.bytes().await.is_err());
        registry.inject(Rule::new(Fault::Cut).class(Class::BlobHead).times(1));
        assert!(client.head(&blob).send().await.is_err());
    }
}

#[tokio::test]
async fn a_stranger_is_not_trusted() {
    let registry = TestRegistry::builder().tls(Protocol::Http1).start();
    let other = TestRegistry::builder().tls(Protocol::Http1).start();
    let url = format!("{}/v2/", registry.url());
    assert!(client(&other).get(url).send().await.is_err());
    assert_eq!((registry.connections(), registry.counts().total()), (1, 0));
}
