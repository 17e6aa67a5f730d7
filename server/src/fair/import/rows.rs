//! One row of a fair's lists: checked, in one form, with everything that is wrong or odd about it.

use super::headings::{Field, List};
use crate::{
    fair::{
        education::Education,
        lawful,
        occupation::{self, Occupation},
    },
    people::import::{
        check,
        fault::{Code, Fault},
        headings::Headings,
        rows::Fields,
        sheet::Cell,
        text,
    },
};

/// The largest monthly pay that is believed, yuan.
const PAY_MAX: i64 = 1_000_000;

/// An employer as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EmployerRow {
    pub(super) name: String,
    pub(super) stand: String,
    pub(super) uscc: Option<String>,
    pub(super) union_status: Option<&'static str>,
    pub(super) contact: String,
    pub(super) phone: Option<String>,
}

/// A post as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PostRow {
    pub(super) employer: String,
    pub(super) stand: Option<String>,
    pub(super) name: String,
    /// One that the classification has.
    pub(super) occupation: Option<Occupation>,
    pub(super) headcount: i64,
    pub(super) pay_from_cents: Option<i64>,
    pub(super) pay_to_cents: Option<i64>,
    pub(super) education: Education,
    pub(super) place: String,
    pub(super) work: String,
    pub(super) conditions: String,
    pub(super) benefits: String,
    pub(super) insurance: String,
}

impl PostRow {
    /// What it counts as.
    pub(super) fn trade(&self) -> &str {
        self.occupation.map_or(&self.name, |occupation| occupation.name)
    }

    /// What a search looks into.
    pub(super) fn search(&self) -> String {
        let aliases = self.occupation.map_or("", |occupation| occupation.aliases);
        format!("{} {} {aliases}", self.name, self.trade()).to_lowercase()
    }
}

/// What one row came to.
pub(super) struct Parsed<R> {
    /// Whom or what it is about, as far as it can be read.
    pub(super) label: String,
    /// None when something in it must be put right first.
    pub(super) row: Option<R>,
    /// What is wrong, or odd.
    pub(super) faults: Vec<(Field, Fault)>,
}

pub(super) fn employer(headings: &Headings<Field>, cells: &[Cell]) -> Parsed<EmployerRow> {
    let mut fields = Fields::new(List::Employers, headings, cells);
    let name = fields.required(Field::Employer, check::title);
    let stand = fields.required(Field::Stand, stand);
    let uscc = fields.optional(Field::Uscc, check::uscc);
    let union_status = fields.optional(Field::Unionisation, check::unionisation);
    let contact = fields.optional(Field::Contact, check::name);
    let phone = fields.optional(Field::Phone, check::phone);
    let label = name.clone().unwrap_or_default();
    let faults = fields.faults();
    let row = match (name, stand) {
        (Some(name), Some(stand)) if faults.is_empty() => Some(EmployerRow {
            name,
            stand,
            uscc,
            union_status: union_status.map(check::Unionisation::as_str),
            contact: contact.unwrap_or_default(),
            phone,
        }),
        _ => None,
    };
    Parsed { label, row, faults }
}

pub(super) fn post(headings: &Headings<Field>, cells: &[Cell]) -> Parsed<PostRow> {
    let mut fields = Fields::new(List::Posts, headings, cells);
    let employer = fields.required(Field::Employer, check::title);
    let name = fields.required(Field::Post, check::title);
    let headcount = fields.required(Field::Headcount, check::headcount);
    let stand = fields.optional(Field::Stand, stand);
    let code = fields.optional(Field::Occupation, code);
    let from = fields.optional(Field::PayFrom, pay).flatten();
    let to = fields.optional(Field::PayTo, pay).flatten();
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        fields.fault(Field::PayTo, Fault::new(Code::PayTurned, ""));
    }
    let education = fields.optional(Field::Education, education).unwrap_or(Education::Any);
    let mut prose =
        |field| fields.optional(field, |said| Ok(text::folded(said))).unwrap_or_default();
    let (place, work, conditions) =
        (prose(Field::Place), prose(Field::Work), prose(Field::Conditions));
    let (benefits, insurance) = (prose(Field::Benefits), prose(Field::Insurance));
    let label = name.clone().unwrap_or_default();
    let mut faults = fields.faults();
    let known = code.as_deref().and_then(Occupation::of);
    let row = match (employer, name, headcount) {
        (Some(employer), Some(name), Some(headcount)) if faults.is_empty() => Some(PostRow {
            employer,
            stand,
            name,
            occupation: known,
            headcount,
            pay_from_cents: from.map(|yuan| yuan * 100),
            pay_to_cents: to.map(|yuan| yuan * 100),
            education,
            place,
            work,
            conditions,
            benefits,
            insurance,
        }),
        _ => None,
    };
    if let Some(row) = &row {
        faults.extend(odd(headings, row, code.as_deref()));
    }
    Parsed { label, row, faults }
}

/// What does not stop a post, and a person should look at.
fn odd(headings: &Headings<Field>, row: &PostRow, code: Option<&str>) -> Vec<(Field, Fault)> {
    let at = |field, fault: Fault| (field, fault.in_column(headings.written(List::Posts, field)));
    let mut odd = Vec::new();
    if let (Some(code), None) = (code, row.occupation) {
        odd.push(at(Field::Occupation, Fault::new(Code::OccupationUnknown, code)));
    }
    if let Some(known) = row.occupation
        && !is_called(known, &row.name)
    {
        odd.push(at(Field::Occupation, Fault::new(Code::OccupationDiffers, known.name)));
    }
    for (field, said) in
        [(Field::Post, &row.name), (Field::Conditions, &row.conditions), (Field::Work, &row.work)]
    {
        for finding in lawful::findings(said) {
            odd.push(at(field, Fault::new(finding.code, finding.words)));
        }
    }
    odd
}

/// Whether a post of that name may well be this occupation: the names share half of the shorter one's characters.
fn is_called(occupation: Occupation, name: &str) -> bool {
    let alike = |known: &str| {
        let shared = name.chars().filter(|c| known.contains(*c)).count();
        shared * 2 >= name.chars().count().min(known.chars().count()).max(1)
    };
    alike(occupation.name)
        || occupation.aliases.split([',', '/']).any(|alias| !alias.is_empty() && alike(alias))
}

/// A stand's number: A01, 甲-3.
fn stand(said: &str) -> Result<String, Fault> {
    let stand = text::unspaced(said).to_uppercase();
    if (1..=12).contains(&stand.chars().count()) {
        Ok(stand)
    } else {
        Err(Fault::new(Code::StandInvalid, text::shown(said)))
    }
}

fn code(said: &str) -> Result<String, Fault> {
    // Word processors write other dashes.
    let code = text::unspaced(said).replace(['–', '—', '－', '_', '.'], "-");
    if occupation::is_code(&code) {
        Ok(code)
    } else {
        Err(Fault::new(Code::OccupationForm, text::shown(said)))
    }
}

/// Yuan a month; none when it is to be agreed.
fn pay(said: &str) -> Result<Option<i64>, Fault> {
    let plain = text::unspaced(said).to_lowercase().replace([',', '¥', '￥'], "");
    if matches!(plain.as_str(), "面议" | "面谈" | "待定" | "协商" | "薪资面议") {
        return Ok(None);
    }
    let plain = plain.trim_end_matches("元/月").trim_end_matches('元').trim_end_matches(".00");
    let yuan = match plain.strip_suffix('k') {
        Some(thousands) => thousands.parse::<i64>().ok().map(|thousands| thousands * 1_000),
        None => plain.parse().ok(),
    };
    let believed = yuan.filter(|yuan| (1..=PAY_MAX).contains(yuan));
    believed.map(Some).ok_or_else(|| Fault::new(Code::PayInvalid, text::shown(said)))
}

fn education(said: &str) -> Result<Education, Fault> {
    Education::read(&text::unspaced(said))
        .ok_or_else(|| Fault::new(Code::EducationUnknown, text::shown(said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (said, yuan) in [
            ("4500", Some(4_500)),
            ("4,500元", Some(4_500)),
            ("４５００", Some(4_500)),
            ("6k", Some(6_000)),
            ("面议", None),
        ] {
            assert_eq!(pay(said), Ok(yuan), "{said}");
        }
        for said in ["0", "-5", "四千五", "4500-6000"] {
            assert!(pay(said).is_err(), "{said}");
        }
        assert_eq!(code("6—15-06-02").ok().as_deref(), Some("6-15-06-02"));
        assert_eq!(stand(" a 01").ok().as_deref(), Some("A01"));
    }

    #[test]
    fn a_post_is_called_what_its_occupation_is() {
        let accountant = Occupation::of("2-06-03-00").expect("an occupation");
        for (name, alike) in [("会计", true), ("出纳", true), ("财务会计", true), ("保安", false)]
        {
            assert_eq!(is_called(accountant, name), alike, "{name}");
        }
    }
}
