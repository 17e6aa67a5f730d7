//! Holds the rows of a members file against each other: the same row twice, one person with two stories, one card
//! on two people, a shared phone.

use std::collections::HashMap;

use admission::card::Fingerprint;

use super::fault::{Code, Fault};
use super::headings::Field;
use super::listing::Line;
use super::members::{MemberChange, Roster, fault};
use super::organisations::place_text;
use super::rows::MemberRow;
use super::text::name_key;
use super::verdict::Judged;

/// The rows of a file by what must be one person's alone.
pub(super) struct Siblings<'a> {
    by_id: HashMap<Fingerprint, Vec<Entry<'a>>>,
    by_card: HashMap<Fingerprint, Vec<Entry<'a>>>,
    by_phone: HashMap<&'a str, Vec<Entry<'a>>>,
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    line: &'a Line<MemberRow>,
    row: &'a MemberRow,
}

impl<'a> Siblings<'a> {
    pub(super) fn new(lines: &'a [Line<MemberRow>]) -> Self {
        let mut siblings =
            Self { by_id: HashMap::new(), by_card: HashMap::new(), by_phone: HashMap::new() };
        for line in lines {
            let Ok(row) = &line.row else { continue };
            let entry = Entry { line, row };
            if let Some(id) = row.id {
                siblings.by_id.entry(id).or_default().push(entry);
            }
            if let Some(card) = &row.card {
                siblings.by_card.entry(card.fingerprint).or_default().push(entry);
            }
            siblings.by_phone.entry(&row.phone).or_default().push(entry);
        }
        siblings
    }

    /// What is to be said of a row that collides with another of the file.
    pub(super) fn collision(
        &self,
        line: &Line<MemberRow>,
        row: &MemberRow,
        roster: &Roster,
    ) -> Option<Judged<MemberChange>> {
        let same_phone = &self.by_phone[row.phone.as_str()];
        let twin = same_phone.iter().find(|entry| entry.row == row)?;
        if !std::ptr::eq(twin.line, line) {
            return Some(Judged::unchanged(vec![at(Code::RowTwice, Field::Name, *twin)]));
        }
        // Whose a known card is, the roster tells; of a new one, neither row can be believed.
        let new_card = row.card.as_ref().filter(|card| !roster.knows_card(&card.fingerprint));
        if let Some(other) = new_card.and_then(|card| {
            self.by_card[&card.fingerprint].iter().find(|other| !same_person(other.row, row))
        }) {
            return Some(Judged::error(vec![at(Code::CardTwice, Field::Card, *other)]));
        }
        if let Some(id) = row.id {
            let other = self.by_id[&id].iter().find(|other| other.row != row)?;
            return Some(Judged::conflict(vec![at(Code::PersonTwice, Field::IdNumber, *other)]));
        }
        let other = same_phone
            .iter()
            .find(|other| other.row != row && name_key(&other.row.name) == name_key(&row.name))?;
        Some(Judged::conflict(vec![at(Code::PersonTwiceNoId, Field::Name, *other)]))
    }

    /// The warning that another person of this file has the same phone.
    pub(super) fn shared_phone(&self, line: &Line<MemberRow>, row: &MemberRow) -> Option<Fault> {
        let other = self.by_phone[row.phone.as_str()]
            .iter()
            .find(|other| !std::ptr::eq(other.line, line) && !same_person(other.row, row))?;
        Some(at(Code::PhoneShared, Field::Phone, *other))
    }
}

/// Whether two rows of a file are about one person, as far as the file itself can tell.
fn same_person(a: &MemberRow, b: &MemberRow) -> bool {
    match (a.id, b.id) {
        (Some(a), Some(b)) => a == b,
        _ => a.phone == b.phone && name_key(&a.name) == name_key(&b.name),
    }
}

fn at(code: Code, field: Field, other: Entry<'_>) -> Fault {
    fault(code, field, place_text(&other.line.place))
}
