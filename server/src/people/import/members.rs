//! Judges rows of a members file against the roster and against each other (domain.md §7): the same ID number is
//! the same person; without one, the same name and phone probably are, and a person decides; a name alone never
//! merges two people.

use std::collections::{HashMap, HashSet};

use admission::card::Fingerprint;
use admission::name::masked;

use super::check::Card;
use super::fault::{Code, Fault};
use super::headings::{Columns as _, Field, Kind};
use super::listing::Line;
use super::organisations::Organisations;
use super::rows::MemberRow;
use super::siblings::Siblings;
use super::text::{masked_phone, name_key};
use super::verdict::{Accepted, Judged, Verdict};

/// What the database keeps of a person, apart from cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) sex: Option<String>,
    pub(super) id_fingerprint: Option<Fingerprint>,
    pub(super) phone: Option<String>,
    pub(super) organisation_id: Option<String>,
    pub(super) union_id: Option<String>,
    pub(super) joined_on: Option<String>,
    pub(super) status: Option<String>,
}

/// Somebody who is known, on the roster or as a guest.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) record: Record,
}

impl Person {
    fn is_guest(&self) -> bool {
        self.record.kind == "guest"
    }
}

/// How guests are called who have not said their name ([`crate::account`] adds four digits).
const GUEST_NAME: &str = "来宾";

/// Whose a card is, and whether it is still good.
#[derive(Clone, Debug)]
pub(super) struct KnownCard {
    pub(super) person_id: String,
    pub(super) blocked: bool,
}

/// All that is known of people, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) organisations: Organisations,
    people: Vec<Person>,
    by_id: HashMap<Fingerprint, usize>,
    by_phone: HashMap<String, Vec<usize>>,
    cards: HashMap<Fingerprint, KnownCard>,
    good_cards: HashMap<String, Vec<Fingerprint>>,
}

impl Roster {
    pub(super) fn new(
        organisations: Organisations,
        people: Vec<Person>,
        cards: HashMap<Fingerprint, KnownCard>,
    ) -> Self {
        let mut roster = Self { organisations, cards, ..Self::default() };
        for (at, person) in people.iter().enumerate() {
            if let Some(id) = person.record.id_fingerprint {
                roster.by_id.insert(id, at);
            }
            if let Some(phone) = &person.record.phone {
                roster.by_phone.entry(phone.clone()).or_default().push(at);
            }
        }
        for (fingerprint, card) in roster.cards.iter().filter(|(_, card)| !card.blocked) {
            roster.good_cards.entry(card.person_id.clone()).or_default().push(*fingerprint);
        }
        roster.people = people;
        roster
    }

    pub(super) fn knows_card(&self, fingerprint: &Fingerprint) -> bool {
        self.cards.contains_key(fingerprint)
    }

    #[cfg(test)]
    pub(super) fn block_all_cards(&mut self) {
        self.cards.values_mut().for_each(|card| card.blocked = true);
    }

    /// Changes of all cards of this person that are still good.
    fn card_changes(&self, person_id: &str, blocked: bool) -> Vec<CardChange> {
        let cards = self.good_cards.get(person_id).into_iter().flatten();
        cards.map(|fingerprint| CardChange { fingerprint: *fingerprint, blocked }).collect()
    }

    fn with_phone(&self, phone: &str) -> impl Iterator<Item = &Person> {
        self.by_phone.get(phone).into_iter().flatten().map(|at| &self.people[*at])
    }
}

/// What is to be written about one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MemberChange {
    /// The one that is known already.
    pub(super) id: Option<String>,
    /// The person from now on; `None` when only the card changes.
    pub(super) record: Option<Record>,
    /// A card to add.
    pub(super) card: Option<Card>,
    /// Cards on file that kiosks must hear of.
    pub(super) known_cards: Vec<CardChange>,
}

/// A change of a card on file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CardChange {
    pub(super) fingerprint: Fingerprint,
    /// Replaced by a new card. Otherwise its holder's standing changed, and with it what the card opens.
    pub(super) blocked: bool,
}

impl MemberChange {
    /// How many cards change, each of which takes a revision of the roster.
    pub(super) fn card_changes(&self) -> usize {
        self.known_cards.len() + usize::from(self.card.is_some())
    }
}

/// Judges all rows, against the roster and against each other.
pub(super) fn judge(
    lines: &[Line<MemberRow>],
    roster: &Roster,
    accepted: &Accepted,
) -> Vec<Judged<MemberChange>> {
    let siblings = Siblings::new(lines);
    let mut matched = HashSet::new();
    lines
        .iter()
        .map(|line| match &line.row {
            Err(faults) => Judged::error(faults.clone()),
            Ok(row) => {
                let judged = siblings
                    .collision(line, row, roster)
                    .unwrap_or_else(|| judge_row(row, roster, accepted, &mut matched));
                let said = judged.faults.iter().any(|fault| fault.code == Code::PhoneShared);
                let shared = siblings.shared_phone(line, row).filter(|_| !said);
                judged.with(line.warnings.iter().cloned()).with(shared)
            }
        })
        .collect()
}

/// Who a row is about.
enum Match<'a> {
    Nobody,
    Known(&'a Person),
    /// Probably this person, but only a person can tell.
    Probably(&'a Person),
}

fn judge_row(
    row: &MemberRow,
    roster: &Roster,
    accepted: &Accepted,
    matched: &mut HashSet<String>,
) -> Judged<MemberChange> {
    let Some(union) = roster.organisations.union(&row.union) else {
        return Judged::error(vec![fault(Code::UnionUnknown, Field::Union, row.union.clone())]);
    };
    let (enterprise_id, mut warnings) = enterprise(row, &union.id, roster);
    let (person, mut doubts) = match find(row, roster, matched) {
        Match::Nobody => (None, Vec::new()),
        Match::Known(person) => (Some(person), Vec::new()),
        Match::Probably(person) => {
            let shown = masked(&person.record.name);
            (Some(person), vec![fault(Code::SamePerson, Field::Name, shown)])
        }
    };
    warnings.extend(phone_warning(row, person, roster));
    let card = match card_change(row, person, roster, &mut warnings) {
        Ok(card) => card,
        Err(fault) => return Judged::error(vec![fault]),
    };
    let Some(person) = person else {
        let record = merged(row, None, &union.id, enterprise_id);
        let change = MemberChange { id: None, record: Some(record), card, known_cards: Vec::new() };
        return Judged::change(Verdict::New, change, warnings);
    };
    let before = &person.record;
    if !person.is_guest() && name_key(&before.name) != name_key(&row.name) {
        doubts.push(fault(Code::NameDiffers, Field::Name, masked(&before.name)));
    }
    if !person.is_guest() && before.union_id.as_ref().is_some_and(|id| *id != union.id) {
        doubts.push(fault(Code::Transfer, Field::Union, row.union.clone()));
    }
    doubts.retain(|doubt| !accepted.has(doubt.code));
    let record = merged(row, Some(before), &union.id, enterprise_id);
    let same = record == *before;
    // A row without an ID number that says nothing new needs no decision: importing a file again changes nothing.
    if same && card.is_none() && doubts.iter().all(|doubt| doubt.code == Code::SamePerson) {
        matched.insert(person.id.clone());
        return Judged::unchanged(warnings);
    }
    // Two rows that both turn out to be this person cannot both be right.
    if doubts.is_empty() && !matched.insert(person.id.clone()) {
        doubts.push(fault(Code::SamePerson, Field::Name, masked(&before.name)));
    }
    if !doubts.is_empty() {
        return Judged::conflict(doubts).with(warnings);
    }
    let replaced = card.is_some();
    let known_cards = match replaced || is_in_standing(before) != is_in_standing(&record) {
        true => roster.card_changes(&person.id, replaced),
        false => Vec::new(),
    };
    let record = (!same).then_some(record);
    let change = MemberChange { id: Some(person.id.clone()), record, card, known_cards };
    Judged::change(Verdict::Update, change, warnings)
}

/// Whether a card of this person opens doors; the kiosk's feed asks the same (`kiosk::queries::cards_after`).
fn is_in_standing(record: &Record) -> bool {
    matches!(record.status.as_deref(), Some("active" | "retained"))
}

fn find<'a>(row: &MemberRow, roster: &'a Roster, matched: &HashSet<String>) -> Match<'a> {
    if let Some(at) = row.id.and_then(|id| roster.by_id.get(&id)) {
        return Match::Known(&roster.people[*at]);
    }
    let key = name_key(&row.name);
    let is_namesake = |person: &&Person| name_key(&person.record.name) == key;
    let is_probably_them = |person: &&Person| !person.is_guest() && is_namesake(person);
    if let Some(person) = roster.with_phone(&row.phone).find(is_probably_them) {
        return Match::Probably(person);
    }
    // A guest signed in with this phone, under this name or none: the roster now knows who they are, and what they
    // have booked stays theirs.
    let is_them = |person: &&Person| {
        person.is_guest()
            && (is_namesake(person) || person.record.name.starts_with(GUEST_NAME))
            && !matched.contains(&person.id)
    };
    roster.with_phone(&row.phone).find(is_them).map_or(Match::Nobody, Match::Known)
}

/// The person's record once the row is applied: what the row does not say stays.
fn merged(
    row: &MemberRow,
    before: Option<&Record>,
    union_id: &str,
    enterprise_id: Option<String>,
) -> Record {
    let kept = |field: fn(&Record) -> &Option<String>| before.and_then(|b| field(b).clone());
    let said = row.standing.map(|standing| standing.as_str().to_owned());
    Record {
        kind: "member".to_owned(),
        name: row.name.clone(),
        sex: row.sex.map(|sex| sex.as_str().to_owned()).or_else(|| kept(|b| &b.sex)),
        id_fingerprint: row.id.or_else(|| before.and_then(|before| before.id_fingerprint)),
        phone: Some(row.phone.clone()),
        organisation_id: enterprise_id.or_else(|| kept(|b| &b.organisation_id)),
        union_id: Some(union_id.to_owned()),
        joined_on: row.joined.map(|day| day.to_string()).or_else(|| kept(|b| &b.joined_on)),
        status: said.or_else(|| kept(|b| &b.status)).or_else(|| Some("active".to_owned())),
    }
}

/// The enterprise's id, and what is odd about it.
fn enterprise(row: &MemberRow, union_id: &str, roster: &Roster) -> (Option<String>, Vec<Fault>) {
    let known = &roster.organisations;
    let by_uscc = row.uscc.as_deref().and_then(|uscc| known.by_uscc(uscc));
    let by_name = row.enterprise.as_deref().and_then(|name| known.by_name(name));
    let mut warnings = Vec::new();
    if let (Some(found), Some(name)) = (by_uscc, &row.enterprise)
        && name_key(&found.name) != name_key(name)
    {
        warnings.push(fault(Code::TitleDiffers, Field::Enterprise, found.name.clone()));
    }
    match by_uscc.or(by_name) {
        Some(found) => {
            if found.union_id.as_ref().is_some_and(|id| id != union_id) {
                warnings.push(fault(Code::UnionDisagrees, Field::Union, row.union.clone()));
            }
            (Some(found.id.clone()), warnings)
        }
        None => {
            if let Some(shown) = row.enterprise.clone().or_else(|| row.uscc.clone()) {
                warnings.push(fault(Code::EnterpriseUnknown, Field::Enterprise, shown));
            }
            (None, warnings)
        }
    }
}

/// The card to add, when the row has one that is not on file yet; or what is odd about it.
fn card_change(
    row: &MemberRow,
    person: Option<&Person>,
    roster: &Roster,
    warnings: &mut Vec<Fault>,
) -> Result<Option<Card>, Fault> {
    let Some(card) = &row.card else { return Ok(None) };
    let shown = || format!("**** {}", card.last4);
    match roster.cards.get(&card.fingerprint) {
        None => Ok(Some(card.clone())),
        Some(known) if person.is_some_and(|person| person.id == known.person_id) => {
            // An older list names a card that was replaced or reported lost since: it stays blocked.
            if known.blocked {
                warnings.push(fault(Code::CardBlocked, Field::Card, shown()));
            }
            Ok(None)
        }
        Some(_) => Err(fault(Code::CardTaken, Field::Card, shown())),
    }
}

fn phone_warning(row: &MemberRow, person: Option<&Person>, roster: &Roster) -> Option<Fault> {
    let other = |other: &&Person| person.is_none_or(|person| person.id != other.id);
    let other = roster.with_phone(&row.phone).find(other)?;
    // Somebody else's phone until now: say whose, masked.
    let shown = format!("{} {}", masked_phone(&row.phone), masked(&other.record.name));
    Some(fault(Code::PhoneShared, Field::Phone, shown))
}

pub(super) fn fault(code: Code, field: Field, shown: String) -> Fault {
    Fault::new(code, shown).in_column(Kind::Members.heading(field))
}
