//! Describes a request in terms of the protocol. `pull` and `push` say which
//! requests there are.

use oci::Repository;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use crate::body::Payload;
use crate::scope::Access;
use crate::transport::{Pool, Request};

/// A request in terms of the protocol.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) repository: &'a Repository,
    pub(crate) access: Access,
    /// The source of a mount, which is to be read as well.
    pub(crate) from: Option<&'a Repository>,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
    pub(crate) pool: Pool,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The path behind the repository, such as `/manifests/latest`, and a query.
    Path(String, Vec<(&'static str, String)>),
    /// The location that the registry has given.
    Location(Url),
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        method: Method,
        repository: &'a Repository,
        access: Access,
        path: String,
    ) -> Self {
        Self {
            method,
            repository,
            access,
            from: None,
            target: Target::Path(path, Vec::new()),
            headers: HeaderMap::new(),
            payload: Payload::Empty,
            pool: Pool::Api,
        }
    }

    /// What is asked, without asking where the registry is.
    pub(crate) fn what(&self) -> String {
        match &self.target {
            Target::Location(url) => url.to_string(),
            Target::Path(path, _) => format!("{}{path}", self.repository.full_name()),
        }
    }

    pub(crate) fn request(&self, base: &Url) -> Request {
        let url = match &self.target {
            Target::Location(url) => url.clone(),
            Target::Path(path, query) => {
                let mut url = base.clone();
                url.set_path(&format!("/v2/{}{path}", self.repository.path()));
                for (key, value) in query {
                    url.query_pairs_mut().append_pair(key, value);
                }
                url
            }
        };
        Request {
            method: self.method.clone(),
            url,
            headers: self.headers.clone(),
            payload: self.payload.clone(),
            pool: self.pool,
            repository: (self.payload.len() > 0).then(|| self.repository.full_name()),
            token_of: None,
        }
    }
}
