//! The pages of a list.

use serde::Serialize;

use crate::api::Workflow;

use super::query::Query;

/// The answer to a list: `next_token` is absent on the last page (vendor: list of jobs).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Page {
    workflows: Vec<Workflow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Where a page begins: in the part of the apiserver's list that `chunk` names, behind the object `after`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The apiserver's token; empty: the first part.
    pub(super) chunk: String,
    /// The name of the last object that was looked at; empty: none of this part.
    pub(super) after: String,
}

/// Longest token, in bytes: a name, and what an apiserver needs for its own.
const LONGEST: usize = 2048;

impl Place {
    /// Reads a token. One that was made up leads nowhere: the apiserver refuses its part, or the name is only a bound.
    pub(super) fn parse(token: &str) -> Option<Self> {
        let visible = |byte: u8| byte.is_ascii_graphic();
        let (after, chunk) = token.split_once('~')?;
        (token.len() <= LONGEST && token.bytes().all(visible) && token.len() > 1)
            .then(|| Self { chunk: chunk.to_owned(), after: after.to_owned() })
    }

    fn token(&self) -> String {
        format!("{}~{}", self.after, self.chunk)
    }
}

/// A page while it is filled. The apiserver's parts are looked through in order; what fits the query is taken.
#[derive(Debug)]
pub(super) struct Filling<'q> {
    query: &'q Query,
    found: Vec<Workflow>,
    place: Place,
    /// The name of the last object that was taken from the part at hand.
    last: String,
}

/// How filling goes on.
#[derive(Debug)]
pub(super) enum Step<'q> {
    /// With the next part.
    Further(Filling<'q>),
    /// It is over.
    Done(Page),
}

impl<'q> Filling<'q> {
    pub(super) fn new(query: &'q Query) -> Self {
        Self { query, found: Vec::new(), place: query.from.clone(), last: String::new() }
    }

    /// The apiserver's token of the part to look through; empty: the first.
    pub(super) fn chunk(&self) -> &str {
        &self.place.chunk
    }

    /// Looks through a part, in the order of names. `next` is the apiserver's token of what follows.
    pub(super) fn look_through(
        mut self,
        part: impl IntoIterator<Item = (String, Workflow)>,
        next: Option<String>,
    ) -> Step<'q> {
        for (name, workflow) in part {
            if name <= self.place.after || !self.query.has(&workflow) {
                continue;
            }
            if self.is_full() {
                // In this part there is more; where it began is where the next page begins.
                self.place.after.clone_from(&self.last);
                return Step::Done(self.stop());
            }
            self.last = name;
            self.found.push(workflow);
        }
        match next {
            None => Step::Done(Page { workflows: self.found, next_token: None }),
            Some(chunk) => {
                self.place = Place { chunk, after: String::new() };
                self.last = String::new();
                if self.is_full() { Step::Done(self.stop()) } else { Step::Further(self) }
            }
        }
    }

    /// As it is, with the place to go on from.
    pub(super) fn stop(self) -> Page {
        Page { workflows: self.found, next_token: Some(self.place.token()) }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= self.query.page_size
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A part of the list: objects by name, those of job `b` where the name ends in it.
    fn part(names: &[&str]) -> Vec<(String, Workflow)> {
        let workflow = |name: &&str| {
            let task = json!({ "state": "pending", "time_utc": 1_617_386_100 });
            let workflow = json!({
                "account_id": "1", "job_id": if name.ends_with('b') { "b" } else { "a" }, "type": "jobstartstop",
                "workflow_id": name, "activation": task, "deactivation": task,
            });
            ((*name).to_owned(), serde_json::from_value(workflow).unwrap())
        };
        names.iter().map(workflow).collect()
    }

    fn query(text: &str) -> Query {
        Query::read(text).unwrap()
    }

    fn names(page: &Page) -> Vec<&str> {
        page.workflows.iter().map(|workflow| workflow.workflow_id.as_str()).collect()
    }

    /// All pages of these parts, page by page.
    fn pages(filter: &str, parts: &[&[&str]]) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        let mut token = None::<String>;
        loop {
            let from = token.map(|token| format!("&start_token={token}")).unwrap_or_default();
            let query = query(&format!("{filter}{from}"));
            let mut filling = Filling::new(&query);
            let page = loop {
                let at: usize = filling.chunk().parse().unwrap_or(0);
                let next = (at + 1 < parts.len()).then(|| (at + 1).to_string());
                match filling.look_through(part(parts[at]), next) {
                    Step::Further(further) => filling = further,
                    Step::Done(page) => break page,
                }
            };
            pages.push(names(&page).into_iter().map(str::to_owned).collect());
            token = page.next_token;
            if token.is_none() {
                return pages;
            }
        }
    }

    #[test]
    fn pages_together_are_the_list_whatever_the_parts() {
        let parts: [&[&[&str]]; 4] = [
            &[&["1a", "2b", "3a", "4a", "5b", "6a"]],
            &[&["1a", "2b"], &["3a", "4a"], &["5b", "6a"]],
            &[&["1a"], &[], &["2b", "3a", "4a", "5b", "6a"]],
            &[&["1a", "2b", "3a", "4a", "5b"], &["6a"], &[]],
        ];
        for parts in parts {
            for size in 1..8 {
                let all = pages(&format!("page_size={size}"), parts);
                assert_eq!(all.concat(), ["1a", "2b", "3a", "4a", "5b", "6a"], "{size}, {parts:?}");
                assert!(all.iter().all(|page| page.len() <= size));
                let filtered = pages(&format!("job_id=b&page_size={size}"), parts);
                assert_eq!(filtered.concat(), ["2b", "5b"], "{size}, {parts:?}");
            }
        }
    }

    #[test]
    fn the_last_page_has_no_token() {
        assert_eq!(pages("page_size=2", &[&["1a", "2a"]]).len(), 1);
        assert_eq!(pages("page_size=2", &[&["1a", "2a", "3b"]]).len(), 2);
        assert_eq!(pages("job_id=a&page_size=2", &[&["1a", "2a", "3b"]]).len(), 1);
    }

    #[test]
    fn a_search_that_is_given_up_goes_on_from_there() {
        let query = query("job_id=b");
        let Step::Further(filling) = Filling::new(&query).look_through(part(&["1a"]), Some("1".to_owned())) else {
            panic!("there is more to look through");
        };
        let page = filling.stop();
        assert_eq!((page.workflows.len(), page.next_token.as_deref()), (0, Some("~1")));
    }

    #[test]
    fn a_token_is_read_back_and_other_texts_are_none() {
        let place = Place { chunk: "eyJ2IjoibWV0YSJ9".to_owned(), after: "live-x2x4z".to_owned() };
        assert_eq!(Place::parse(&place.token()), Some(place));
        for text in ["", "~", "abc", "a b~c", "\u{e9}~", &format!("~{}", "a".repeat(LONGEST))] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
