//! The two kinds of rows: what a members file and an organisations file say, checked and in one form.

use admission::card::{CardKey, Fingerprint};
use jiff::civil::Date;

use super::check::{self, Card, IdNumber, Sex, Standing, Unionisation};
use super::fault::{Code, Fault};
use super::headings::{Columns, Field, Headings, Kind};
use super::listing::{self, Listing, ListingError, Parsed};
use super::sheet::{Cell, Damage, Limits};

/// What the checks need to know besides the file.
#[derive(Debug)]
pub struct Rules<'a> {
    /// The key under which cards and ID numbers become fingerprints.
    pub card_key: &'a CardKey,
    /// Issuer numbers of union cards; empty means any.
    pub bins: &'a [String],
    /// Today, where the federation is.
    pub today: Date,
    /// What a file may be at most.
    pub limits: Limits,
}

/// A member as a file describes them. `None` means the file says nothing, which changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The name.
    pub name: String,
    /// The sex, from its column or from the ID number.
    pub sex: Option<Sex>,
    /// The ID number's fingerprint.
    pub id: Option<Fingerprint>,
    /// The mobile number.
    pub phone: String,
    /// The union's name as written.
    pub union: String,
    /// The enterprise's name.
    pub enterprise: Option<String>,
    /// The enterprise's credit code.
    pub uscc: Option<String>,
    /// The membership card.
    pub card: Option<Card>,
    /// The day they joined.
    pub joined: Option<Date>,
    /// Their standing.
    pub standing: Option<Standing>,
}

/// An enterprise as a file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationRow {
    /// The name.
    pub name: String,
    /// The credit code.
    pub uscc: String,
    /// The name of the union that it has or that covers it.
    pub union: Option<String>,
    /// Whether and how it has a union.
    pub unionisation: Option<Unionisation>,
}

/// Reads a file of members.
///
/// # Errors
/// When the file as a whole is of no use; what is wrong with single rows is in the listing.
pub fn members(bytes: &[u8], rules: &Rules<'_>) -> Result<Listing<MemberRow>, ListingError> {
    listing::read(Kind::Members, bytes, &rules.limits, |headings, cells| {
        member(&mut Fields::new(Kind::Members, headings, cells), rules)
    })
}

/// Reads a file of organisations.
///
/// # Errors
/// When the file as a whole is of no use; what is wrong with single rows is in the listing.
pub fn organisations(
    bytes: &[u8],
    rules: &Rules<'_>,
) -> Result<Listing<OrganisationRow>, ListingError> {
    listing::read(Kind::Organisations, bytes, &rules.limits, |headings, cells| {
        organisation(&mut Fields::new(Kind::Organisations, headings, cells))
    })
}

fn member(fields: &mut Fields<'_>, rules: &Rules<'_>) -> Parsed<MemberRow> {
    let name = fields.required(Field::Name, check::name);
    let id = fields.optional(Field::IdNumber, IdNumber::read);
    let said = fields.optional(Field::Sex, check::sex);
    let told = id.as_ref().map(IdNumber::sex);
    if let (Some(said), Some(told)) = (said, told)
        && said != told
    {
        fields.fault(Field::Sex, Fault::new(Code::SexDisagrees, ""));
    }
    let id = id.map(|id| id.fingerprint(rules.card_key));
    let phone = fields.required(Field::Phone, check::phone);
    let union = fields.required(Field::Union, check::title);
    let enterprise = fields.optional(Field::Enterprise, check::title);
    let uscc = fields.optional(Field::Uscc, check::uscc);
    let card =
        fields.optional(Field::Card, |number| check::card(number, rules.bins, rules.card_key));
    let joined = fields.optional(Field::Joined, |day| check::date(day, rules.today));
    let standing = fields.optional(Field::Standing, check::standing);
    let label = name.as_deref().map(admission::name::masked).unwrap_or_default();
    let row = match (name, phone, union) {
        (Some(name), Some(phone), Some(union)) => {
            let sex = said.or(told);
            Some(MemberRow {
                name,
                sex,
                id,
                phone,
                union,
                enterprise,
                uscc,
                card,
                joined,
                standing,
            })
        }
        _ => None,
    };
    let mut warnings = Vec::new();
    if id.is_none() {
        let column = fields.headings.written(Kind::Members, Field::IdNumber);
        warnings.push(Fault::new(Code::IdMissing, "").in_column(column));
    }
    fields.parsed(label, row, warnings)
}

fn organisation(fields: &mut Fields<'_>) -> Parsed<OrganisationRow> {
    let name = fields.required(Field::Enterprise, check::title);
    let uscc = fields.required(Field::Uscc, check::uscc);
    let union = fields.optional(Field::Union, check::title);
    let unionisation = fields.optional(Field::Unionisation, check::unionisation);
    if union.is_none()
        && matches!(unionisation, Some(Unionisation::Independent | Unionisation::Covered))
    {
        fields.fault(Field::Union, Fault::new(Code::UnionMissing, ""));
    }
    let label = name.clone().unwrap_or_default();
    let row = match (name, uscc) {
        (Some(name), Some(uscc)) => Some(OrganisationRow { name, uscc, union, unionisation }),
        _ => None,
    };
    fields.parsed(label, row, Vec::new())
}

/// The cells of one row by field, gathering what is wrong with them.
pub(crate) struct Fields<'a, K: Columns = Kind> {
    kind: K,
    headings: &'a Headings<K::Field>,
    cells: &'a [Cell],
    faults: Vec<(K::Field, Fault)>,
}

impl<'a, K: Columns> Fields<'a, K> {
    pub(crate) fn new(kind: K, headings: &'a Headings<K::Field>, cells: &'a [Cell]) -> Self {
        Self { kind, headings, cells, faults: Vec::new() }
    }

    /// The checked value; its absence is a fault.
    pub(crate) fn required<T>(
        &mut self,
        field: K::Field,
        check: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        if *self.headings.cell(field, self.cells) == Cell::Blank {
            self.fault(field, Fault::new(Code::Missing, ""));
        }
        self.optional(field, check)
    }

    /// The checked value, when there is one and it is right.
    pub(crate) fn optional<T>(
        &mut self,
        field: K::Field,
        check: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        let checked = match self.headings.cell(field, self.cells) {
            Cell::Blank => return None,
            Cell::Text(text) => check(text),
            Cell::Bad(Damage::Number) => Err(Fault::new(Code::NumberDestroyed, "")),
            Cell::Bad(Damage::Formula) => Err(Fault::new(Code::FormulaError, "")),
            Cell::Bad(Damage::Long) => Err(Fault::new(Code::TooLong, "")),
        };
        checked.map_err(|fault| self.fault(field, fault)).ok()
    }

    /// Notes a fault of this field.
    pub(crate) fn fault(&mut self, field: K::Field, fault: Fault) {
        self.faults.push((field, fault.in_column(self.headings.written(self.kind, field))));
    }

    /// What is wrong so far, each with the field it is in.
    pub(crate) fn faults(self) -> Vec<(K::Field, Fault)> {
        self.faults
    }

    fn parsed<R>(&mut self, label: String, row: Option<R>, warnings: Vec<Fault>) -> Parsed<R> {
        let faults: Vec<Fault> =
            std::mem::take(&mut self.faults).into_iter().map(|(_, fault)| fault).collect();
        let row = match row {
            Some(row) if faults.is_empty() => Ok(row),
            _ => Err(faults),
        };
        Parsed { label, row, warnings }
    }
}
