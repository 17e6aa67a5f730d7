//! Whole files in memory: titles, encodings, destroyed numbers, and the federation's own lists.

use admission::card::CardKey;
use encoding_rs::GB18030;
use jiff::civil;
use proptest::prelude::*;
use rust_xlsxwriter::{Format, Workbook};

use super::fault::Code;
use super::listing::{Listing, ListingError};
use super::rows::{self, MemberRow, Rules};
use super::sheet::{Limits, SheetError};

const HEADER: &str = "姓名,证件号码,手机号,所属工会,京卡卡号,入会日期";
const WANG: &str = "王小明,11010519491231002X,19900000001,南宫联合工会,6214680000000008,2010-10-15";

fn key() -> CardKey {
    CardKey::new([7; 32])
}

fn read_with(bytes: &[u8], limits: Limits) -> Result<Listing<MemberRow>, ListingError> {
    let bins = ["602969", "621030", "621468", "623111"].map(str::to_owned);
    let today = civil::date(2018, 1, 1);
    rows::members(bytes, &Rules { card_key: &key(), bins: &bins, today, limits })
}

fn read(bytes: &[u8]) -> Result<Listing<MemberRow>, ListingError> {
    read_with(bytes, Limits::default())
}

fn codes(listing: &Listing<MemberRow>) -> Vec<(u32, String, &'static str)> {
    let faults = |line: &super::listing::Line<MemberRow>| {
        let faults = line.row.as_ref().err().cloned().unwrap_or_default();
        let row = line.place.row;
        faults.into_iter().map(move |fault| (row, fault.column, fault.code.as_str())).collect()
    };
    listing.lines.iter().flat_map(faults as fn(&_) -> Vec<_>).collect()
}

fn row_of(bytes: &[u8]) -> MemberRow {
    let listing = read(bytes).expect("a listing");
    listing.lines.into_iter().next().expect("a line").row.expect("a good row")
}

#[test]
fn every_encoding_and_delimiter_gives_the_same_member() {
    let text = format!("{HEADER}\r\n{WANG}\r\n");
    let expected = row_of(text.as_bytes());
    let utf_16 = |to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let tabbed = format!("\u{feff}{text}").replace(',', "\t");
        tabbed.encode_utf16().flat_map(to_bytes).collect()
    };
    let files: [(&str, Vec<u8>); 6] = [
        ("UTF-8 with a mark", format!("\u{feff}{text}").into_bytes()),
        ("GB18030", GB18030.encode(&text).0.into_owned()),
        ("semicolons", text.replace(',', ";").into_bytes()),
        ("tabs", text.replace(',', "\t").into_bytes()),
        ("UTF-16 little", utf_16(u16::to_le_bytes)),
        ("UTF-16 big", utf_16(u16::to_be_bytes)),
    ];
    for (what, bytes) in files {
        assert_eq!(row_of(&bytes), expected, "{what}");
    }
}

#[test]
fn the_header_is_found_below_titles_and_odd_columns_are_reported() {
    let text = format!(
        "王佐镇总工会会员名册,,,,,\n制表日期：2017-09-01,,,,,\n\n{HEADER},血型\n{WANG},O\n,,,,,,\n{HEADER},血型\n合计,,,,,,1\n"
    );
    let listing = read(text.as_bytes()).expect("a listing");
    assert_eq!(listing.ignored_columns, ["血型"]);
    assert_eq!(listing.lines[0].place.row, 5);
    assert!(listing.lines[0].row.is_ok());
    // The total stands in the column of names, so it is said to be no member rather than swallowed.
    assert_eq!(listing.lines.len(), 2);
    assert!(listing.lines[1].row.is_err());
}

#[test]
fn rows_are_counted_as_a_spreadsheet_counts_them() {
    for end in ["\n", "\r\n"] {
        let text =
            format!("名册\n\n{HEADER}\n{WANG}\n\n\"合\n计\",,,,,\n{WANG}\n").replace('\n', end);
        let listing = read(text.as_bytes()).expect("a listing");
        let rows: Vec<u32> = listing.lines.iter().map(|line| line.place.row).collect();
        assert_eq!(rows, [4, 6, 7], "{end:?}");
    }
}

#[test]
fn each_fault_names_its_row_and_column() {
    let text = "姓名,性别,身份证,手机,工会,京卡号,入会时间,会籍状态\n\
        王小明,男,11010519491231002X,19900000001,南宫联合工会,6214680000000008,2010-10-15,在籍\n\
        王,女,1.10105E+17,138,南宫联合工会,6214680000000009,明天,在册\n\
        李小红,女,,,,,,\n";
    let listing = read(text.as_bytes()).expect("a listing");
    let expected = [
        (2, "性别", "sex_disagrees"),
        (3, "姓名", "name_invalid"),
        (3, "身份证", "number_destroyed"),
        (3, "手机", "phone_invalid"),
        (3, "京卡号", "card_invalid"),
        (3, "入会时间", "date_invalid"),
        (3, "会籍状态", "standing_unknown"),
        (4, "手机", "missing"),
        (4, "工会", "missing"),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(row, column, code)| (*row, (*column).to_owned(), *code)).collect();
    assert_eq!(codes(&listing), expected);
    assert_eq!(listing.lines[2].warnings[0].code, Code::IdMissing);
}

#[test]
fn a_workbook_gives_dates_marks_rounded_numbers_and_finds_its_sheet() {
    let mut book = Workbook::new();
    book.add_worksheet()
        .set_name("填表说明")
        .expect("name")
        .write(0, 0, "请如实填写")
        .expect("cell");
    let sheet = book.add_worksheet();
    sheet.set_name("会员").expect("name");
    sheet.write(0, 0, "会员名册").expect("cell");
    for (at, heading) in
        ["姓　名*", "证件号码（必填）", "手机号", "所属工会", "京卡卡号", "入会日期"]
            .iter()
            .enumerate()
    {
        sheet.write(2, at as u16, *heading).expect("cell");
    }
    let day = Format::new().set_num_format("yyyy\"年\"m\"月\"d\"日\"");
    for row in [3, 4] {
        sheet.write(row, 0, "王小明").expect("cell");
        sheet.write(row, 1, "11010519491231002X").expect("cell");
        sheet.write(row, 2, 19_900_000_001_i64).expect("cell");
        sheet.write(row, 3, "南宫联合工会").expect("cell");
        sheet.write_with_format(row, 5, 42_799, &day).expect("cell");
    }
    sheet.write(3, 4, "6214680000000008").expect("cell");
    sheet.write(4, 4, 6_214_680_000_000_008_f64).expect("cell");
    let bytes = book.save_to_buffer().expect("a workbook");
    let listing = read(&bytes).expect("a listing");
    assert_eq!(listing.ignored_sheets, ["填表说明"]);
    let first = listing.lines[0].row.as_ref().expect("a good row");
    assert_eq!(first.phone, "19900000001");
    assert_eq!(first.joined, Some(civil::date(2017, 3, 5)));
    assert_eq!(codes(&listing), [(5, "京卡卡号".to_owned(), "number_destroyed")]);
}

#[test]
fn a_file_that_is_no_listing_says_why_without_repeating_it() {
    let error = |bytes: &[u8]| read(bytes).map(|_| ()).expect_err("an error");
    assert_eq!(error(b"\xd0\xcf\x11\xe0rest"), SheetError::OldOrLocked.into());
    assert_eq!(error(b"PK\x03\x04rest"), SheetError::Damaged.into());
    assert_eq!(error(b"<html>"), SheetError::Unknown.into());
    assert_eq!(error(&[0xff, 0x80, 0x00]), SheetError::Unknown.into(), "no text");
    assert_eq!(error(&[0xff, 0x80, b'x']), SheetError::Encoding.into());
    assert!(matches!(error(WANG.as_bytes()), ListingError::NoHeader { .. }));
    assert!(!error(WANG.as_bytes()).to_string().contains("6214"));
    assert_eq!(error(HEADER.as_bytes()), ListingError::Empty);
    let lacking = error("会员,姓名,手机\n1,王小明,19900000001\n".as_bytes()).to_string();
    assert!(lacking.contains("证件号码、所属工会") && lacking.contains("姓名、手机"), "{lacking}");
}

#[test]
fn limits_are_kept_and_a_zip_bomb_is_no_way_around() {
    let text = format!("{HEADER}\n{WANG}\n{WANG}\n");
    let limited = |limits| read_with(text.as_bytes(), limits).map(|_| ()).expect_err("too much");
    let base = Limits::default();
    assert_eq!(limited(Limits { rows: 2, ..base }), SheetError::TooManyRows(2).into());
    assert_eq!(limited(Limits { bytes: 10, ..base }), SheetError::TooLarge(0).into());
    let columns = limited(Limits { columns: 3, ..base });
    assert_eq!(columns, SheetError::TooManyColumns(String::new(), 1).into());
    let mut book = Workbook::new();
    book.add_worksheet().write(0, 0, "0".repeat(30_000)).expect("cell");
    let bomb = book.save_to_buffer().expect("a workbook");
    let limits = Limits { unpacked: 20_000, ..base };
    let error = read_with(&bomb, limits).map(|_| ()).expect_err("too large");
    assert_eq!(error, SheetError::TooLarge(0).into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_file_panics(bytes in any::<Vec<u8>>(), cells in proptest::collection::vec("\\PC{0,12}", 0..12)) {
        drop(read(&bytes));
        drop(read(format!("{HEADER}\n{}\n", cells.join(",")).as_bytes()));
        drop(read(&[b"PK\x03\x04".as_slice(), &bytes].concat()));
    }
}

#[test]
fn the_federations_own_lists_are_clean() {
    let data = |name| {
        let path = format!("{}/../tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).expect("the federation's list")
    };
    let from_xlsx = read(&data("members.xlsx")).expect("members");
    let from_csv = read(&data("members.csv")).expect("members");
    assert_eq!(from_xlsx.lines.len(), 7_370);
    for (a, b) in from_xlsx.lines.iter().zip(&from_csv.lines) {
        assert!(a.row.is_ok() && a.warnings.is_empty(), "row {}: {:?}", a.place.row, a.row);
        assert_eq!(a.row, b.row);
    }
    let (key, today, limits) = (key(), civil::date(2018, 1, 1), Limits::default());
    let rules = Rules { card_key: &key, bins: &[], today, limits };
    let organisations = rows::organisations(&data("organisations.xlsx"), &rules).expect("list");
    assert_eq!(organisations.lines.len(), 467);
    assert!(organisations.lines.iter().all(|line| line.row.is_ok()));
}
