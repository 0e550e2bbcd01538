//! A token server as real registries trust one: tokens are JWTs that it signs, with
//! its certificate in them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, SigningKey};
use serde_json::{Value, json};

use crate::cloud::{Cloud, Reply, Request};

/// Who signs, and whom a registry trusts, by that name.
pub const ISSUER: &str = "testkit";

/// The registry that tokens are for.
pub const SERVICE: &str = "registry.test";

/// The server. It lets one user do anything, and nobody else.
#[derive(Debug)]
pub struct TokenServer {
    cloud: Cloud,
    signer: Arc<Signer>,
}

#[derive(Debug)]
struct Signer {
    key: KeyPair,
    certificate: rcgen::Certificate,
}

impl TokenServer {
    /// Starts a server for a user.
    ///
    /// # Panics
    /// If there can be no socket.
    #[must_use]
    pub fn start(user: &str, password: &str) -> TokenServer {
        // RSA, as its signatures are written alike in certificates and in tokens.
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("the algorithm is supported");
        let params = CertificateParams::new([]).expect("no names, no bad names");
        let certificate = params.self_signed(&key).expect("the key fits the algorithm");
        let signer = Arc::new(Signer { key, certificate });
        let wanted = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let server = Arc::clone(&signer);
        let cloud = Cloud::start(move |request| {
            if request.header("authorization") != wanted {
                return Reply::new(401, "");
            }
            Reply::json(&json!({"token": server.token(&access(request)), "expires_in": 300}))
        });
        TokenServer { cloud, signer }
    }

    /// Where tokens are asked for.
    #[must_use]
    pub fn realm(&self) -> String {
        format!("{}/token", self.cloud.url())
    }

    /// The certificate of its key, as PEM.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.signer.certificate.pem()
    }

    /// A token for all of a repository.
    #[must_use]
    pub fn token(&self, repository: &str) -> String {
        let actions = ["pull", "push", "delete"];
        self.signer.token(&[json!({"type": "repository", "name": repository, "actions": actions})])
    }
}

/// What a request wants, which is what it gets.
fn access(request: &Request) -> Vec<Value> {
    let pairs = form_urlencoded::parse(request.query.as_bytes());
    let scopes: Vec<String> =
        pairs.filter(|(name, _)| name == "scope").map(|(_, value)| value.into_owned()).collect();
    let scopes = scopes.iter().flat_map(|value| value.split(' '));
    let parts = scopes.filter_map(|scope| {
        let (kind, rest) = scope.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions: Vec<&str> = actions.split(',').collect();
        Some(json!({"type": kind, "name": name, "actions": actions}))
    });
    parts.collect()
}

impl Signer {
    fn token(&self, access: &[Value]) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        let header = json!({
            "typ": "JWT",
            "alg": "RS256",
            "x5c": [STANDARD.encode(self.certificate.der())],
        });
        let claims = json!({
            "iss": ISSUER, "aud": SERVICE, "sub": "me", "jti": "1",
            "iat": now, "nbf": now - 60, "exp": now + 300,
            "access": access,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(signed.as_bytes()).expect("the key is its own");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
