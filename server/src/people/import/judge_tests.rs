//! The rules of domain.md §7 on who is who, row by row, against a small roster.

use std::collections::HashMap;

use admission::card::CardKey;
use jiff::civil;

use super::listing::Listing;
use super::members::{self, KnownCard, Person, Record, Roster};
use super::organisations::{self, Organisation, Organisations};
use super::rows::{self, MemberRow, Rules};
use super::sheet::Limits;
use super::verdict::{Accepted, Verdict};

const HEADER: &str = "姓名,证件号码,手机号,所属工会,单位名称,京卡卡号";
const WANG: &str = "王小明,11010519491231002X,19900000001,南宫联合工会,南宫物业,6214680000000008";
const LI_ID: &str = "110106187203165852";

fn key() -> CardKey {
    CardKey::new([7; 32])
}

fn listing(rows: &[&str]) -> Listing<MemberRow> {
    let text = format!("{HEADER}\n{}\n", rows.join("\n"));
    let (today, limits) = (civil::date(2018, 1, 1), Limits::default());
    let rules = Rules { card_key: &key(), bins: &[], today, limits };
    rows::members(text.as_bytes(), &rules).expect("a listing")
}

fn organisation(id: &str, name: &str, union_id: Option<&str>) -> Organisation {
    let union_id = union_id.map(str::to_owned);
    let (id, name, status) = (id.to_owned(), name.to_owned(), "joint".to_owned());
    Organisation { id, name, uscc: None, union_id, status }
}

fn organisations() -> Organisations {
    let unions =
        vec![organisation("u1", "南宫联合工会", None), organisation("u2", "怪村联合工会", None)];
    Organisations::new(vec![organisation("e1", "南宫物业", Some("u1"))], unions)
}

/// The roster as it is once these rows were imported; ids are p0, p1, …
fn roster_of(rows: &[&str]) -> Roster {
    let empty = Roster::new(organisations(), Vec::new(), HashMap::new());
    if rows.is_empty() {
        return empty;
    }
    let listing = listing(rows);
    let (mut people, mut cards) = (Vec::new(), HashMap::new());
    for (at, judged) in
        members::judge(&listing.lines, &empty, &Accepted::default()).into_iter().enumerate()
    {
        let change = judged.change.expect("a clean row");
        let id = format!("p{at}");
        if let Some(card) = change.card {
            cards.insert(card.fingerprint, KnownCard { person_id: id.clone(), blocked: false });
        }
        people.push(Person { id, record: change.record.expect("a new person") });
    }
    Roster::new(organisations(), people, cards)
}

/// Verdict and codes of each row.
fn judged(known: &[&str], rows: &[&str], accepted: &[&str]) -> Vec<(Verdict, Vec<&'static str>)> {
    let listing = listing(rows);
    members::judge(&listing.lines, &roster_of(known), &Accepted::of(accepted))
        .into_iter()
        .map(|row| (row.verdict, row.faults.iter().map(|fault| fault.code.as_str()).collect()))
        .collect()
}

fn one(known: &[&str], row: &str) -> (Verdict, Vec<&'static str>) {
    judged(known, &[row], &[]).remove(0)
}

#[test]
fn the_same_row_again_changes_nothing() {
    assert_eq!(one(&[], WANG), (Verdict::New, vec![]));
    assert_eq!(one(&[WANG], WANG), (Verdict::Unchanged, vec![]));
    // Neither does it without an ID number, nor when the file says less than is known.
    let less = "王小明,,19900000001,南宫联合工会,,";
    assert_eq!(one(&[WANG], less), (Verdict::Unchanged, vec!["id_missing"]));
}

#[test]
fn the_same_id_number_is_the_same_person() {
    let moved = WANG.replace("19900000001", "19900000009");
    assert_eq!(one(&[WANG], &moved), (Verdict::Update, vec![]));
    let renamed = WANG.replace("王小明", "王晓明");
    assert_eq!(one(&[WANG], &renamed), (Verdict::Conflict, vec!["name_differs"]));
    let transferred = WANG.replace("南宫联合工会,南宫物业", "怪村联合工会,");
    assert_eq!(one(&[WANG], &transferred), (Verdict::Conflict, vec!["transfer"]));
    let accepted = judged(&[WANG], &[&transferred], &["transfer"]);
    assert_eq!(accepted, [(Verdict::Update, vec![])]);
}

#[test]
fn without_an_id_number_the_same_name_and_phone_ask_a_person() {
    let known = "王小明,,19900000001,南宫联合工会,,";
    assert_eq!(one(&[known], WANG), (Verdict::Conflict, vec!["same_person"]));
    assert_eq!(judged(&[known], &[WANG], &["same_person"]), [(Verdict::Update, vec![])]);
    let namesake = WANG.replace("19900000001", "19900000002").replace("6214680000000008", "");
    let other_id = namesake.replace("11010519491231002X", LI_ID);
    assert_eq!(one(&[WANG], &other_id), (Verdict::New, vec![]), "never merged on a name");
}

#[test]
fn a_card_belongs_to_one_person() {
    let li = format!("李小红,{LI_ID},19900000002,南宫联合工会,,6214680000000008");
    assert_eq!(one(&[WANG], &li), (Verdict::Error, vec!["card_taken"]));
    let both = judged(&[], &[WANG, &li], &[]);
    assert_eq!(both, [(Verdict::Error, vec!["card_twice"]), (Verdict::Error, vec!["card_twice"])]);
}

#[test]
fn a_new_card_replaces_the_old_one_and_an_old_list_does_not_bring_it_back() {
    let reissued = WANG.replace("6214680000000008", "6231110000000005");
    let lines = listing(&[&reissued]).lines;
    let change = members::judge(&lines, &roster_of(&[WANG]), &Accepted::default())
        .remove(0)
        .change
        .expect("a change");
    assert!(change.record.is_none() && change.known_cards[0].blocked);
    assert_eq!(change.card_changes(), 2);
    let mut roster = roster_of(&[WANG]);
    roster.block_all_cards();
    let old = members::judge(&listing(&[WANG]).lines, &roster, &Accepted::default()).remove(0);
    assert_eq!(old.verdict, Verdict::Unchanged);
    assert_eq!(old.faults[0].code.as_str(), "card_blocked");
}

#[test]
fn leaving_the_union_changes_what_the_card_opens() {
    let text = format!("{HEADER},会籍状态\n{WANG},退会\n");
    let (today, limits) = (civil::date(2018, 1, 1), Limits::default());
    let rules = Rules { card_key: &key(), bins: &[], today, limits };
    let left = rows::members(text.as_bytes(), &rules).expect("a listing");
    let change = members::judge(&left.lines, &roster_of(&[WANG]), &Accepted::default())
        .remove(0)
        .change
        .expect("a change");
    assert_eq!(change.known_cards.len(), 1);
    assert!(!change.known_cards[0].blocked);
}

#[test]
fn rows_of_one_file_are_held_against_each_other() {
    let other_phone = WANG.replace("19900000001", "19900000009");
    let rows = judged(&[], &[WANG, &other_phone], &[]);
    assert_eq!(rows[0], (Verdict::Conflict, vec!["person_twice"]));
    assert_eq!(rows[1], (Verdict::Conflict, vec!["person_twice"]));
    let rows = judged(&[], &[WANG, WANG], &[]);
    assert_eq!(rows[0], (Verdict::New, vec![]));
    assert_eq!(rows[1], (Verdict::Unchanged, vec!["row_twice"]));
    let li = format!("李小红,{LI_ID},19900000001,南宫联合工会,,");
    let rows = judged(&[], &[WANG, &li], &[]);
    assert_eq!(rows[0], (Verdict::New, vec!["phone_shared"]));
    assert_eq!(rows[1], (Verdict::New, vec!["phone_shared"]));
    let rows = judged(&[], &[WANG, "王小明,,19900000001,南宫联合工会,,"], &[]);
    assert_eq!(rows[1], (Verdict::Conflict, vec!["person_twice_no_id", "id_missing"]));
}

#[test]
fn the_union_must_be_known_and_the_enterprise_may_be_open() {
    let unknown = WANG.replace("南宫联合工会", "火星工会");
    assert_eq!(one(&[], &unknown), (Verdict::Error, vec!["union_unknown"]));
    let unknown = WANG.replace("南宫物业", "火星物业");
    assert_eq!(one(&[], &unknown), (Verdict::New, vec!["enterprise_unknown"]));
    let elsewhere = WANG.replace("南宫联合工会", "怪村联合工会");
    assert_eq!(one(&[], &elsewhere), (Verdict::New, vec!["union_disagrees"]));
}

#[test]
fn a_guest_with_this_phone_becomes_the_member() {
    let record = Record {
        kind: "guest".to_owned(),
        name: "来宾0001".to_owned(),
        sex: None,
        id_fingerprint: None,
        phone: Some("19900000001".to_owned()),
        organisation_id: None,
        union_id: None,
        joined_on: None,
        status: None,
    };
    let person = Person { id: "g".to_owned(), record };
    let guest = Roster::new(organisations(), vec![person], HashMap::new());
    let judged = members::judge(&listing(&[WANG]).lines, &guest, &Accepted::default()).remove(0);
    assert_eq!(judged.verdict, Verdict::Update);
    let change = judged.change.expect("a change");
    assert_eq!(change.id.as_deref(), Some("g"));
    assert_eq!(change.record.expect("changed").kind, "member");
}

#[test]
fn organisations_are_known_by_their_code() {
    let (today, limits) = (civil::date(2018, 1, 1), Limits::default());
    let rules = Rules { card_key: &key(), bins: &[], today, limits };
    let header = "统一社会信用代码,单位名称,所属工会,建会状态";
    let verdicts = |rows: &[&str], accepted: &[&str]| -> Vec<(Verdict, Vec<&'static str>)> {
        let text = format!("{header}\n{}\n", rows.join("\n"));
        let listing = rows::organisations(text.as_bytes(), &rules).expect("a listing");
        let mut tekt = organisation("e1", "王佐科技有限公司", Some("u1"));
        tekt.uscc = Some("91110106MA00TEKT0J".to_owned());
        let unions = vec![organisation("u1", "南宫联合工会", None)];
        let known = Organisations::new(vec![tekt], unions);
        organisations::judge(&listing.lines, &known, &Accepted::of(accepted))
            .into_iter()
            .map(|row| (row.verdict, row.faults.iter().map(|fault| fault.code.as_str()).collect()))
            .collect()
    };
    let same = "91110106MA00TEKT0J,王佐科技有限公司,南宫联合工会,已建会(联合覆盖)";
    assert_eq!(verdicts(&[same], &[]), [(Verdict::Unchanged, vec![])]);
    let renamed = same.replace("科技", "信息");
    assert_eq!(verdicts(&[&renamed], &[]), [(Verdict::Conflict, vec!["title_differs"])]);
    assert_eq!(verdicts(&[&renamed], &["title_differs"]), [(Verdict::Update, vec![])]);
    let other_code = same.replace("91110106MA00TEKT0J", "91110106MA0000000D");
    assert_eq!(verdicts(&[&other_code], &[]), [(Verdict::Conflict, vec!["title_taken"])]);
    let new_union = same.replace("南宫", "怪村");
    assert_eq!(verdicts(&[&new_union], &[]), [(Verdict::Update, vec![])]);
    let no_union = "91110106MA0000010E,北京新公司,,已建会(独立)";
    assert_eq!(verdicts(&[no_union], &[]), [(Verdict::Error, vec!["union_missing"])]);
    let twice = ["91110106MA0000010E,北京新公司,,未建会", "91110106MA0000010E,北京旧公司,,未建会"];
    let both = (Verdict::Conflict, vec!["uscc_twice"]);
    assert_eq!(verdicts(&twice, &[]), [both.clone(), both]);
}
