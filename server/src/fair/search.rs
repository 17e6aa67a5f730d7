//! Which posts suit somebody: by trade, pay, education and words.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;

use super::{Education, Employer, Post};
use crate::people::import::text;

/// Posts of one page.
const PAGE: usize = 30;

/// What a visitor looks for. Nothing at all finds everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Search {
    /// Words; each must be found.
    #[serde(default)]
    pub(super) q: String,
    /// What it counts as.
    #[serde(default)]
    pub(super) trade: String,
    /// At least so many yuan a month.
    #[serde(default)]
    pub(super) pay: String,
    /// How far the visitor went to school.
    #[serde(default)]
    pub(super) education: String,
    /// Only what the visitor marked.
    #[serde(default)]
    pub(super) marked: String,
    /// From 1.
    #[serde(default)]
    pub(super) page: String,
}

/// A post that was found, with its employer.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) post: Post,
    pub(super) employer: Employer,
    pub(super) marked: bool,
}

/// One page of what was found.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) found: Vec<Found>,
    /// Posts on all pages, and how many people they look for.
    pub(super) posts: usize,
    pub(super) headcount: i64,
    /// From 1.
    pub(super) page: usize,
    pub(super) pages: usize,
}

impl Search {
    /// Whether it looks for anything at all.
    pub(super) fn is_blank(&self) -> bool {
        [&self.q, &self.trade, &self.pay, &self.education, &self.marked]
            .iter()
            .all(|said| said.trim().is_empty())
    }

    /// The posts that suit, a page of them.
    pub(super) fn run(
        &self,
        posts: &[Post],
        employers: &[Employer],
        marks: &BTreeSet<i64>,
    ) -> Results {
        let by_id: HashMap<&str, &Employer> =
            employers.iter().map(|employer| (employer.id.as_str(), employer)).collect();
        let words: Vec<String> =
            self.q.split_whitespace().map(|word| text::unspaced(word).to_lowercase()).collect();
        let pay = text::unspaced(&self.pay).parse().unwrap_or(0);
        let education = Education::from_word(&self.education).filter(|had| *had != Education::Any);
        let mut all = Vec::new();
        for post in posts {
            let Some(&employer) = by_id.get(post.employer_id.as_str()) else { continue };
            let says = |word: &String| {
                [&post.search, &employer.name, &post.place, &post.work, &post.benefits]
                    .iter()
                    .any(|said| said.to_lowercase().contains(word))
                    || employer.stand.to_lowercase() == *word
            };
            let suits = words.iter().all(says)
                && (self.trade.is_empty() || post.trade == self.trade)
                && post.pays_at_least(pay)
                && education.is_none_or(|had| post.education <= had);
            let marked = marks.contains(&post.number);
            if suits && (self.marked.is_empty() || marked) {
                all.push((post, employer, marked));
            }
        }
        let pages = all.len().div_ceil(PAGE).max(1);
        let page = self.page.parse().unwrap_or(1).clamp(1, pages);
        Results {
            posts: all.len(),
            headcount: all.iter().map(|(post, ..)| post.headcount).sum(),
            found: all
                .into_iter()
                .skip((page - 1) * PAGE)
                .take(PAGE)
                .map(|(post, employer, marked)| Found {
                    post: post.clone(),
                    employer: employer.clone(),
                    marked,
                })
                .collect(),
            page,
            pages,
        }
    }

    /// The address of another page of the same search.
    pub(super) fn address(&self, page: usize) -> String {
        let mut query = Vec::new();
        for (name, said) in [
            ("q", &self.q),
            ("trade", &self.trade),
            ("pay", &self.pay),
            ("education", &self.education),
            ("marked", &self.marked),
        ] {
            if !said.is_empty() {
                query.push(format!("{name}={}", crate::web::access::percent_encoded(said)));
            }
        }
        if page > 1 {
            query.push(format!("page={page}"));
        }
        format!("?{}", query.join("&"))
    }
}

/// The trades that are offered, under the classification's large groups, for a choice.
pub(super) fn trades(posts: &[Post]) -> Vec<(&'static str, &'static str, Vec<String>)> {
    const GROUPS: [(&str, &str, &str); 6] = [
        ("1", "负责人", "Managers"),
        ("2", "专业技术人员", "Professionals"),
        ("3", "办事人员", "Clerks"),
        ("4", "社会生产服务和生活服务人员", "Services"),
        ("5", "农、林、牧、渔业人员", "Farming and forestry"),
        ("6", "生产制造人员", "Production"),
    ];
    let mut grouped: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for post in posts {
        let group = post.occupation.as_deref().and_then(|code| code.get(..1)).unwrap_or("");
        grouped.entry(group).or_default().insert(&post.trade);
    }
    let names = |set: BTreeSet<&str>| set.into_iter().map(str::to_owned).collect();
    grouped
        .into_iter()
        .map(|(group, set)| match GROUPS.iter().find(|(digit, ..)| *digit == group) {
            Some((_, zh, en)) => (*zh, *en, names(set)),
            None => ("其他工种", "Other trades", names(set)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn employer(id: &str, name: &str, stand: &str) -> Employer {
        Employer {
            id: id.to_owned(),
            event_id: String::new(),
            name: name.to_owned(),
            uscc: None,
            stand: stand.to_owned(),
            union_status: None,
            contact: String::new(),
            contact_phone: None,
            poster: String::new(),
        }
    }

    fn post(number: i64, name: &str, pay: Option<(i64, i64)>, education: Education) -> Post {
        Post {
            id: number.to_string(),
            event_id: String::new(),
            employer_id: if number % 2 == 1 { "odd" } else { "even" }.to_owned(),
            number,
            name: name.to_owned(),
            occupation: None,
            trade: name.to_owned(),
            search: format!("{name} 出纳").to_lowercase(),
            headcount: 2,
            pay_from_cents: pay.map(|(from, _)| from * 100),
            pay_to_cents: pay.map(|(_, to)| to * 100),
            education,
            place: "王佐镇".to_owned(),
            work: String::new(),
            conditions: String::new(),
            benefits: String::new(),
            insurance: String::new(),
        }
    }

    fn numbers(search: &Search) -> Vec<i64> {
        let posts = [
            post(1, "会计", Some((4_000, 6_000)), Education::College),
            post(2, "保安", Some((3_000, 3_500)), Education::Any),
            post(3, "讲解员", None, Education::Bachelor),
        ];
        let employers =
            [employer("odd", "北京甲有限公司", "A01"), employer("even", "北京乙有限公司", "A02")];
        let results = search.run(&posts, &employers, &BTreeSet::from([2]));
        results.found.iter().map(|found| found.post.number).collect()
    }

    #[test]
    fn each_condition_narrows_the_search() {
        let search = Search::default;
        for (search, found) in [
            (search(), vec![1, 2, 3]),
            (Search { q: "出纳".into(), ..search() }, vec![1, 2, 3]),
            (Search { q: "会计 甲".into(), ..search() }, vec![1]),
            (Search { q: "a02".into(), ..search() }, vec![2]),
            (Search { q: "没有".into(), ..search() }, vec![]),
            (Search { trade: "保安".into(), ..search() }, vec![2]),
            // Pay that is to be agreed may be anything.
            (Search { pay: "5000".into(), ..search() }, vec![1, 3]),
            (Search { education: "senior".into(), ..search() }, vec![2]),
            (Search { education: "college".into(), ..search() }, vec![1, 2]),
            (Search { marked: "1".into(), ..search() }, vec![2]),
        ] {
            assert_eq!(numbers(&search), found, "{search:?}");
        }
    }

    #[test]
    fn a_long_list_has_pages() {
        let posts: Vec<Post> = (1..=95).map(|n| post(n, "会计", None, Education::Any)).collect();
        let employers = [employer("odd", "甲", "A01"), employer("even", "乙", "A02")];
        let run = |page: &str| {
            Search { page: page.to_owned(), ..Search::default() }.run(
                &posts,
                &employers,
                &BTreeSet::new(),
            )
        };
        for (asked, page, first, length) in
            [("", 1, 1, 30), ("4", 4, 91, 5), ("99", 4, 91, 5), ("-1", 1, 1, 30)]
        {
            let results = run(asked);
            assert_eq!(
                (results.page, results.pages, results.posts, results.headcount),
                (page, 4, 95, 190),
                "{asked}"
            );
            assert_eq!(
                (results.found[0].post.number, results.found.len()),
                (first, length),
                "{asked}"
            );
        }
    }
}
