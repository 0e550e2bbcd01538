//! Follows the links of a site that mdBook has made. Those to other sites are not
//! followed: whether they are there is not ours to say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use toolkit::Result;

use super::{at, normal, read};

/// The pages that repeat the links of others, as seen from elsewhere.
const REPEATING: [&str; 2] = ["404.html", "print.html"];

/// The links that lead nowhere: to no file, or to no heading of a page.
pub(super) fn broken(root: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).map_err(at(&dir))? {
            let path = entry.map_err(at(&dir))?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "html") {
                let text = read(&path)?;
                pages.insert(path, text);
            }
        }
    }
    let mut broken = Vec::new();
    for (page, text) in &pages {
        if REPEATING.iter().any(|name| page.ends_with(name)) {
            continue;
        }
        for link in attributes(text, "href").chain(attributes(text, "src")) {
            if !is_elsewhere(link) && !leads_somewhere(page, link, &pages) {
                let page = page.strip_prefix(root).unwrap_or(page);
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    Ok(broken)
}

fn is_elsewhere(link: &str) -> bool {
    ["http://", "https://", "mailto:", "data:"].iter().any(|scheme| link.starts_with(scheme))
}

fn leads_somewhere(page: &Path, link: &str, pages: &BTreeMap<PathBuf, String>) -> bool {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = match (path, page.parent()) {
        ("", _) | (_, None) => page.to_owned(),
        (path, Some(dir)) => normal(&dir.join(path)),
    };
    let target = if target.is_dir() { target.join("index.html") } else { target };
    match pages.get(&target) {
        Some(text) => heading.is_empty() || attributes(text, "id").any(|id| id == heading),
        None => target.is_file(),
    }
}

/// The values of an attribute in HTML, as mdBook writes it.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let start = format!(" {name}=\"");
    let starts: Vec<usize> = html.match_indices(&start).map(|(at, _)| at + start.len()).collect();
    starts.into_iter().filter_map(|start| html[start..].split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_files_and_headings() {
        let html = r##"<a class="x" href="b.html#two">b</a><img src="i.png"><h2 id="one">"##;
        assert_eq!(attributes(html, "href").collect::<Vec<_>>(), ["b.html#two"]);
        let pages = [("/s/a.html", html), ("/s/d/b.html", r#"<h2 id="two">"#)];
        let pages = pages.map(|(path, text)| (PathBuf::from(path), text.to_owned()));
        let leads = |link| leads_somewhere(Path::new("/s/a.html"), link, &pages.clone().into());
        assert!(leads("#one") && leads("d/b.html") && leads("d/b.html#two") && leads("a.html"));
        assert!(!leads("#two") && !leads("b.html") && !leads("d/b.html#one") && !leads("i.png"));
        assert!(is_elsewhere("https://ko.build") && !is_elsewhere("docs/start.html"));
    }
}
