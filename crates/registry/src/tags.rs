//! Lists the tags of a repository, and deletes manifests (OCI distribution-spec,
//! "Content Discovery", "Content Management").

use oci::{Reference, Repository, Tag};
use reqwest::header::LINK;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use crate::call::{Call, Target};
use crate::client::Client;
use crate::error::RegistryError;
use crate::guard;
use crate::request_line::redacted;
use crate::scope::Access;
use crate::transport::Response;

/// How many tags are asked for at a time. Registries may answer with fewer.
const PAGE: &str = "1000";

/// The largest page that is read, in bytes.
const MAX_PAGE: u64 = 8 << 20;

/// How many pages there may be.
const MAX_PAGES: usize = 1000;

#[derive(Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

impl Client {
    /// All tags of a repository, page by page; none if it is not there.
    ///
    /// # Errors
    /// The registry cannot be asked, or does not say.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, RegistryError> {
        let mut tags = Vec::new();
        let first = vec![("n", PAGE.to_owned())];
        let mut target = Target::Path("/tags/list".to_owned(), first);
        for number in 1.. {
            let mut call = Call::new(Method::GET, repository, Access::Pull, String::new());
            call.target = target;
            let Some((page, next)) = self.page(&call, number < MAX_PAGES).await? else {
                return Ok(tags);
            };
            // What is no tag by our grammar was not made by us.
            tags.extend(page.iter().filter_map(|tag| tag.parse::<Tag>().ok()));
            match next.filter(|_| !page.is_empty()) {
                Some(next) => target = Target::Location(next),
                None => break,
            }
        }
        Ok(tags)
    }

    async fn page(
        &self,
        call: &Call<'_>,
        may_go_on: bool,
    ) -> Result<Option<(Vec<String>, Option<Url>)>, RegistryError> {
        let mut attempts = self.attempts();
        loop {
            match self.page_once(call, may_go_on).await {
                Ok(page) => return Ok(page),
                Err(error) => attempts.pause(error, RegistryError::is_transient).await?,
            }
        }
    }

    async fn page_once(
        &self,
        call: &Call<'_>,
        may_go_on: bool,
    ) -> Result<Option<(Vec<String>, Option<Url>)>, RegistryError> {
        let mut response = self.send(call).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                response.discard().await;
                return Ok(None);
            }
            _ => return Err(response.fail().await),
        }
        let next = self.next_page(call.repository, &response).await?;
        if next.is_some() && !may_go_on {
            return Err(response.protocol("the list of tags has no end"));
        }
        let bytes = response.bytes(MAX_PAGE).await?;
        match serde_json::from_slice::<Page>(&bytes) {
            Ok(page) => Ok(Some((page.tags.unwrap_or_default(), next))),
            Err(_) => Err(response.protocol("the answer is not a list of tags")),
        }
    }

    /// Where the next page is (RFC 5988).
    async fn next_page(
        &self,
        repository: &Repository,
        response: &Response,
    ) -> Result<Option<Url>, RegistryError> {
        let Some(next) = response.header(&LINK).and_then(next_of) else { return Ok(None) };
        let Ok(to) = response.url().join(next) else {
            return Err(response.protocol("a link that is no URL"));
        };
        let base = self.base(&self.endpoint(repository.registry()), None).await?;
        let to = guard::as_found(&base, to);
        match guard::same_origin(&to, &base) {
            true => Ok(Some(to)),
            false => Err(RegistryError::Redirect {
                request: response.line.clone(),
                target: redacted(&to),
                reason: "the next page is elsewhere",
            }),
        }
    }

    /// Deletes the manifest of a digest with all of its tags, or a tag. Returns whether
    /// it was there.
    ///
    /// # Errors
    /// The registry does not let us, or does not know how.
    pub async fn delete_manifest(&self, reference: &Reference) -> Result<bool, RegistryError> {
        let path = format!("/manifests/{}", reference.identifier());
        let call = Call::new(Method::DELETE, reference.repository(), Access::Push, path);
        let mut attempts = self.attempts();
        loop {
            let error = match self.send(&call).await {
                Ok(response) if response.status().is_success() => {
                    response.discard().await;
                    return Ok(true);
                }
                Ok(response) => response.fail().await,
                Err(error) => error,
            };
            if error.is_not_found() {
                return Ok(false);
            }
            attempts.pause(error, RegistryError::is_transient).await?;
        }
    }
}

/// The target of a link to the next page.
fn next_of(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
    parameters.split(';').any(is_next).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_the_next_page() {
        for (link, want) in [
            ("</v2/a/tags/list?last=b&n=1>; rel=\"next\"", Some("/v2/a/tags/list?last=b&n=1")),
            ("<x>;rel=next", Some("x")),
            ("<x>; rel=\"prev\"", None),
            ("x; rel=\"next\"", None),
            ("", None),
        ] {
            assert_eq!(next_of(link), want, "{link}");
        }
    }
}
