//! Who may do what: basic credentials, or bearer tokens from an endpoint of
//! the registry's own (distribution's token authentication).

use super::reply::Reply;
use super::route::{Route, Scope};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

/// How clients prove who they are.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Everybody may do everything.
    #[default]
    None,
    /// One user, with the password on each request.
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// Tokens, given out at `/token`.
    Bearer(Bearer),
}

/// How tokens are given out.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
    /// Accepted as `refresh_token` in a `POST` to the token endpoint; with
    /// none that endpoint answers only `GET`, as many do.
    pub identity_token: Option<String>,
    /// Whether a client without credentials may pull.
    pub anonymous_pull: bool,
    /// Scopes such as `repository:a:push` that nobody is granted.
    pub denied: Vec<String>,
    /// Requests that one token is good for.
    pub uses: u64,
    /// The names under which the token is given.
    pub fields: Vec<String>,
    /// The realm to announce instead of the registry's own endpoint.
    pub realm: Option<String>,
}

impl Bearer {
    /// Creates an endpoint where one user gets everything and nobody else
    /// anything.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Bearer {
        Bearer {
            user: user.to_owned(),
            password: password.to_owned(),
            identity_token: None,
            anonymous_pull: false,
            denied: Vec::new(),
            uses: u64::MAX,
            fields: vec!["token".to_owned(), "access_token".to_owned()],
            realm: None,
        }
    }
}

#[derive(Debug)]
struct Grant {
    /// Actions by resource.
    actions: BTreeMap<String, BTreeSet<String>>,
    uses: u64,
}

/// Checks requests against the configured kind of authentication.
#[derive(Debug, Default)]
pub(crate) struct Authority {
    auth: Auth,
    tokens: Mutex<(u64, HashMap<String, Grant>)>,
}

impl Authority {
    pub(crate) fn new(auth: Auth) -> Authority {
        Authority { auth, tokens: Mutex::default() }
    }

    pub(crate) fn revoke(&self) {
        let mut tokens = self.tokens.lock().expect("no holder of the tokens panics");
        tokens.1.clear();
    }

    /// Returns the challenge to a request that has no right to `scopes`.
    pub(crate) fn challenge(
        &self,
        headers: &HeaderMap,
        scopes: &[Scope],
        origin: &str,
    ) -> Option<Reply> {
        let credentials = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match &self.auth {
            Auth::None => None,
            Auth::Basic { user, password } => {
                let known = credentials == Some(basic(user, password).as_str());
                (!known).then(|| unauthorized(r#"Basic realm="testkit""#))
            }
            Auth::Bearer(bearer) => {
                let error = match credentials.and_then(|text| strip_scheme(text, "bearer")) {
                    None => "",
                    Some(token) => match self.spend(token, scopes) {
                        Spent::Granted => return None,
                        Spent::Insufficient => r#",error="insufficient_scope""#,
                        Spent::Unknown => r#",error="invalid_token""#,
                    },
                };
                let realm = match &bearer.realm {
                    Some(realm) => realm.clone(),
                    None => format!("{origin}/token"),
                };
                let scope = match scopes {
                    [] => String::new(),
                    scopes => {
                        let scopes: Vec<String> = scopes.iter().map(Scope::to_string).collect();
                        format!(r#",scope="{}""#, scopes.join(" "))
                    }
                };
                Some(unauthorized(&format!(
                    r#"Bearer realm="{realm}",service="testkit"{scope}{error}"#
                )))
            }
        }
    }

    fn spend(&self, token: &str, scopes: &[Scope]) -> Spent {
        let mut tokens = self.tokens.lock().expect("no holder of the tokens panics");
        let Some(grant) = tokens.1.get_mut(token) else {
            return Spent::Unknown;
        };
        if grant.uses == 0 {
            return Spent::Unknown;
        }
        grant.uses -= 1;
        let granted = scopes.iter().all(|scope| {
            let actions = grant.actions.get(&scope.resource);
            actions.is_some_and(|actions| scope.actions.is_subset(actions))
        });
        if granted { Spent::Granted } else { Spent::Insufficient }
    }

    /// Answers `GET /token` with the scopes in the query.
    pub(crate) fn token_by_get(&self, headers: &HeaderMap, route: &Route) -> Reply {
        let Auth::Bearer(bearer) = &self.auth else {
            return Reply::new(StatusCode::NOT_FOUND);
        };
        let credentials = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let known = match credentials {
            Some(text) if text == basic(&bearer.user, &bearer.password) => true,
            None if bearer.anonymous_pull => false,
            _ => return unauthorized(r#"Basic realm="testkit""#),
        };
        let offline = route.query("offline_token") == Some("true");
        self.grant(bearer, known, &scopes(route.pairs()), offline)
    }

    /// Answers `POST /token`, an OAuth 2 form.
    pub(crate) fn token_by_post(&self, form: &[u8]) -> Reply {
        let Auth::Bearer(bearer) = &self.auth else {
            return Reply::new(StatusCode::NOT_FOUND);
        };
        if bearer.identity_token.is_none() {
            return Reply::new(StatusCode::NOT_FOUND);
        }
        let form: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
        let field = |key: &str| {
            let found = form.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.as_str())
        };
        let known = match field("grant_type") {
            Some("refresh_token") => field("refresh_token") == bearer.identity_token.as_deref(),
            Some("password") => {
                field("username") == Some(&bearer.user)
                    && field("password") == Some(&bearer.password)
            }
            _ => false,
        };
        if !known {
            return unauthorized(r#"Basic realm="testkit""#);
        }
        let offline = field("access_type") == Some("offline");
        self.grant(bearer, true, &scopes(&form), offline)
    }

    /// Grants what may be granted of the scopes: a token with less than was
    /// asked for is still a token, as real endpoints have it.
    fn grant(&self, bearer: &Bearer, known: bool, scopes: &[Scope], offline: bool) -> Reply {
        let mut actions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for scope in scopes {
            let granted = scope.actions.iter().filter(|action| {
                (known || *action == "pull")
                    && !bearer.denied.contains(&format!("{}:{action}", scope.resource))
            });
            actions.entry(scope.resource.clone()).or_default().extend(granted.cloned());
        }
        let mut tokens = self.tokens.lock().expect("no holder of the tokens panics");
        tokens.0 += 1;
        let token = format!("testkit-token-{}", tokens.0);
        let grant = Grant { actions, uses: bearer.uses };
        tokens.1.insert(token.clone(), grant);
        let mut answer = serde_json::json!({"expires_in": 300});
        for field in &bearer.fields {
            answer[field] = token.clone().into();
        }
        if offline && let Some(identity) = &bearer.identity_token {
            answer["refresh_token"] = identity.clone().into();
        }
        Reply::json(StatusCode::OK, &answer)
    }
}

enum Spent {
    Granted,
    Insufficient,
    Unknown,
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn strip_scheme<'a>(credentials: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = credentials.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// All scopes of a request: the key may be repeated, and each value may hold
/// several, divided by spaces.
fn scopes(pairs: &[(String, String)]) -> Vec<Scope> {
    let values = pairs.iter().filter(|(name, _)| name == "scope");
    values.flat_map(|(_, value)| value.split(' ')).filter_map(Scope::parse).collect()
}

fn unauthorized(challenge: &str) -> Reply {
    Reply::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required")
        .header("www-authenticate", challenge)
}
