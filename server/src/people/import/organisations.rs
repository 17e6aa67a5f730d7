//! Judges rows of an organisations file against what is known: which are new, changed, the same, or in doubt.

use std::collections::HashMap;

use super::check::Unionisation;
use super::fault::{Code, Fault};
use super::listing::{Line, Place};
use super::rows::OrganisationRow;
use super::text::name_key;
use super::verdict::{Accepted, Judged, Verdict};

/// An enterprise or a union as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Organisation {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) uscc: Option<String>,
    pub(super) union_id: Option<String>,
    pub(super) status: String,
}

/// All that is known of organisations, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Organisations {
    enterprises: Vec<Organisation>,
    by_uscc: HashMap<String, usize>,
    by_name: HashMap<String, usize>,
    unions: HashMap<String, Organisation>,
}

impl Organisations {
    pub(super) fn new(enterprises: Vec<Organisation>, unions: Vec<Organisation>) -> Self {
        let by_uscc = enterprises
            .iter()
            .enumerate()
            .filter_map(|(at, known)| Some((known.uscc.clone()?, at)))
            .collect();
        let by_name =
            enterprises.iter().enumerate().map(|(at, known)| (name_key(&known.name), at)).collect();
        let unions = unions.into_iter().map(|union| (name_key(&union.name), union)).collect();
        Self { enterprises, by_uscc, by_name, unions }
    }

    pub(super) fn by_uscc(&self, uscc: &str) -> Option<&Organisation> {
        self.by_uscc.get(uscc).map(|at| &self.enterprises[*at])
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Organisation> {
        self.by_name.get(&name_key(name)).map(|at| &self.enterprises[*at])
    }

    /// Ids of the unions by the key of their names.
    pub(super) fn union_ids(&self) -> HashMap<String, String> {
        self.unions.iter().map(|(key, union)| (key.clone(), union.id.clone())).collect()
    }

    pub(super) fn union(&self, name: &str) -> Option<&Organisation> {
        self.unions.get(&name_key(name))
    }
}

/// What is to be written about one enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EnterpriseChange {
    /// The one that is known already.
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) uscc: String,
    /// Its union's name; the union itself may be new.
    pub(super) union: Option<String>,
    pub(super) status: &'static str,
}

/// The unions that the rows to be written name and nobody knows yet, in order.
pub(super) fn new_unions(
    judged: &[Judged<EnterpriseChange>],
    known: &Organisations,
) -> Vec<String> {
    let mut seen = HashMap::new();
    let named = judged.iter().filter_map(|judged| judged.change.as_ref()?.union.as_deref());
    named
        .filter(|name| known.union(name).is_none())
        .filter(|name| seen.insert(name_key(name), ()).is_none())
        .map(str::to_owned)
        .collect()
}

/// Judges all rows, against the database and against each other.
pub(super) fn judge(
    lines: &[Line<OrganisationRow>],
    known: &Organisations,
    accepted: &Accepted,
) -> Vec<Judged<EnterpriseChange>> {
    let file = File::new(lines);
    lines
        .iter()
        .map(|line| match &line.row {
            Err(faults) => Judged::error(faults.clone()),
            Ok(row) => file
                .collision(line, row)
                .unwrap_or_else(|| judge_row(row, known, accepted))
                .with(line.warnings.iter().cloned()),
        })
        .collect()
}

fn judge_row(
    row: &OrganisationRow,
    known: &Organisations,
    accepted: &Accepted,
) -> Judged<EnterpriseChange> {
    let change = |id: Option<String>, before: Option<&Organisation>| EnterpriseChange {
        id,
        name: row.name.clone(),
        uscc: row.uscc.clone(),
        union: row.union.clone(),
        status: status(row, before),
    };
    if let Some(before) = known.by_uscc(&row.uscc) {
        let renamed = name_key(&before.name) != name_key(&row.name);
        if renamed && let Some(other) = known.by_name(&row.name) {
            return conflict(Code::TitleTaken, other.uscc.as_deref().unwrap_or(&other.name));
        }
        if renamed && !accepted.has(Code::TitleDiffers) {
            return conflict(Code::TitleDiffers, &before.name);
        }
        let is_its_union = |union: &Organisation| before.union_id.as_ref() == Some(&union.id);
        let same_union =
            row.union.as_deref().is_none_or(|name| known.union(name).is_some_and(is_its_union));
        if !renamed && same_union && before.status == status(row, Some(before)) {
            return Judged::unchanged(Vec::new());
        }
        let change = change(Some(before.id.clone()), Some(before));
        return Judged::change(Verdict::Update, change, Vec::new());
    }
    match known.by_name(&row.name) {
        None => Judged::change(Verdict::New, change(None, None), Vec::new()),
        Some(before) => match &before.uscc {
            Some(uscc) => conflict(Code::TitleTaken, uscc),
            // Known by name only so far: the code completes it.
            None => {
                let change = change(Some(before.id.clone()), Some(before));
                Judged::change(Verdict::Update, change, Vec::new())
            }
        },
    }
}

/// The status in the row; when the file does not say, what is known; else what having a union lets conclude.
fn status(row: &OrganisationRow, before: Option<&Organisation>) -> &'static str {
    let kept = before.and_then(|before| {
        Unionisation::ALL.into_iter().find(|status| status.as_str() == before.status)
    });
    let status = row.unionisation.or(kept).unwrap_or(match &row.union {
        None => Unionisation::None,
        Some(union) if union.contains("联合") => Unionisation::Covered,
        Some(_) => Unionisation::Independent,
    });
    status.as_str()
}

fn conflict(code: Code, shown: &str) -> Judged<EnterpriseChange> {
    Judged::conflict(vec![Fault::new(code, shown)])
}

/// The rows of the file by what must be theirs alone.
struct File<'a> {
    by_uscc: HashMap<&'a str, Vec<&'a Line<OrganisationRow>>>,
    by_name: HashMap<String, Vec<&'a Line<OrganisationRow>>>,
}

impl<'a> File<'a> {
    fn new(lines: &'a [Line<OrganisationRow>]) -> Self {
        let mut file = Self { by_uscc: HashMap::new(), by_name: HashMap::new() };
        for line in lines {
            if let Ok(row) = &line.row {
                file.by_uscc.entry(&row.uscc).or_default().push(line);
                file.by_name.entry(name_key(&row.name)).or_default().push(line);
            }
        }
        file
    }

    /// What is to be said of a row that collides with another of the file.
    fn collision(
        &self,
        line: &Line<OrganisationRow>,
        row: &OrganisationRow,
    ) -> Option<Judged<EnterpriseChange>> {
        let same_uscc = &self.by_uscc[row.uscc.as_str()];
        let differs = |other: &&&Line<_>| other.row.as_ref().is_ok_and(|other| other != row);
        if let Some(other) = same_uscc.iter().find(differs) {
            return Some(conflict(Code::UsccTwice, &place_text(&other.place)));
        }
        if let Some(first) = same_uscc.first().filter(|first| !std::ptr::eq(**first, line)) {
            let fault = Fault::new(Code::RowTwice, place_text(&first.place));
            return Some(Judged::unchanged(vec![fault]));
        }
        let same_name = &self.by_name[&name_key(&row.name)];
        let other = same_name.iter().find(differs)?;
        Some(conflict(Code::TitleTwice, &place_text(&other.place)))
    }
}

/// A row as faults refer to it.
pub(super) fn place_text(place: &Place) -> String {
    match &*place.sheet {
        "" => format!("第 {} 行", place.row),
        sheet => format!("{sheet} 第 {} 行", place.row),
    }
}
