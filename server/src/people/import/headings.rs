//! Finds the header row and tells which column is which, however people name and decorate their headings.

use super::sheet::Cell;
use super::text;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// A person's name.
    Name,
    /// Male or female.
    Sex,
    /// The resident ID card's number.
    IdNumber,
    /// The mobile number.
    Phone,
    /// The union that the member, or the enterprise, belongs to.
    Union,
    /// The enterprise.
    Enterprise,
    /// The enterprise's unified social credit code.
    Uscc,
    /// The membership card's number.
    Card,
    /// The day the member joined.
    Joined,
    /// The member's standing.
    Standing,
    /// Whether and how the enterprise has a union.
    Unionisation,
}

/// What a file lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Kind {
    /// Unions and enterprises.
    Organisations,
    /// Members.
    Members,
}

/// A list that a sheet can hold, by the columns it may have.
pub trait Columns: Copy {
    /// What its columns hold.
    type Field: Copy + PartialEq + 'static;

    /// Its columns.
    fn columns(self) -> &'static [Column<Self::Field>];

    /// The canonical names of the columns that it must have.
    #[must_use]
    fn required(self) -> Vec<&'static str> {
        self.columns()
            .iter()
            .filter(|column| column.required)
            .map(|column| column.names[0])
            .collect()
    }

    /// The canonical name of this field's column; empty when the list has none.
    #[must_use]
    fn heading(self, field: Self::Field) -> &'static str {
        let column = self.columns().iter().find(|column| column.field == field);
        column.map_or("", |column| column.names[0])
    }
}

/// A column that a list may have, and what people call it.
#[derive(Debug)]
pub struct Column<F> {
    field: F,
    required: bool,
    /// The heading's names, folded; the first is the canonical one and the earlier wins over the later.
    names: &'static [&'static str],
}

/// A column that holds `field` under one of these `names`.
pub const fn column<F>(field: F, required: bool, names: &'static [&'static str]) -> Column<F> {
    Column { field, required, names }
}

const USCC_NAMES: &[&str] = &[
    "统一社会信用代码",
    "社会信用代码",
    "信用代码",
    "组织机构代码",
    "统一信用代码",
    "uscc",
    "creditcode",
    "unifiedsocialcreditcode",
];
const UNION_NAMES: &[&str] = &[
    "所属工会",
    "工会名称",
    "工会编码",
    "所在工会",
    "基层工会",
    "工会组织",
    "所属工会名称",
    "工会",
    "union",
    "unionname",
];
const ENTERPRISE_NAMES: &[&str] = &[
    "单位名称",
    "工作单位",
    "所在单位",
    "企业名称",
    "单位全称",
    "单位",
    "公司名称",
    "企业",
    "enterprise",
    "employer",
    "company",
    "organisation",
    "organization",
];

const MEMBER_COLUMNS: &[Column<Field>] = &[
    column(
        Field::Name,
        true,
        &["姓名", "会员姓名", "职工姓名", "名字", "员工姓名", "name", "fullname", "membername"],
    ),
    column(Field::Sex, false, &["性别", "sex", "gender"]),
    column(
        Field::IdNumber,
        true,
        &[
            "证件号码",
            "身份证号",
            "身份证号码",
            "身份证",
            "证件号",
            "公民身份号码",
            "居民身份证号码",
            "居民身份证号",
            "idnumber",
            "idcard",
            "idno",
            "idcardnumber",
            "id",
        ],
    ),
    column(
        Field::Phone,
        true,
        &[
            "手机号",
            "手机号码",
            "手机",
            "移动电话",
            "联系电话",
            "联系方式",
            "电话号码",
            "电话",
            "mobile",
            "mobilenumber",
            "mobilephone",
            "phone",
            "phonenumber",
            "tel",
        ],
    ),
    column(Field::Union, true, UNION_NAMES),
    column(Field::Enterprise, false, ENTERPRISE_NAMES),
    column(Field::Uscc, false, USCC_NAMES),
    column(
        Field::Card,
        false,
        &[
            "京卡卡号",
            "互助服务卡号",
            "京卡号",
            "京卡·互助服务卡号",
            "京卡互助服务卡号",
            "京卡互助服务卡卡号",
            "互助服务卡卡号",
            "工会卡号",
            "会员卡号",
            "银行卡号",
            "京卡",
            "卡号",
            "card",
            "cardnumber",
            "cardno",
        ],
    ),
    column(
        Field::Joined,
        false,
        &[
            "入会日期",
            "入会时间",
            "加入工会日期",
            "加入工会时间",
            "joined",
            "joindate",
            "dateofjoining",
        ],
    ),
    column(
        Field::Standing,
        false,
        &["会籍状态", "会员状态", "会籍", "standing", "membershipstatus", "status"],
    ),
];

const ORGANISATION_COLUMNS: &[Column<Field>] = &[
    column(Field::Uscc, true, USCC_NAMES),
    column(Field::Enterprise, true, ENTERPRISE_NAMES),
    column(Field::Union, false, UNION_NAMES),
    column(
        Field::Unionisation,
        false,
        &["建会状态", "建会情况", "工会状态", "建会方式", "是否建会", "unionisation", "status"],
    ),
];

impl Columns for Kind {
    type Field = Field;

    fn columns(self) -> &'static [Column<Field>] {
        match self {
            Self::Organisations => ORGANISATION_COLUMNS,
            Self::Members => MEMBER_COLUMNS,
        }
    }
}

/// Which column holds what, in one sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headings<F = Field> {
    /// The sheet's name and the header's row number.
    pub sheet: String,
    /// The header's row number.
    pub row: u32,
    /// Headings that are not used, as written: nothing is dropped silently.
    pub ignored: Vec<String>,
    found: Vec<Found<F>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Found<F> {
    field: F,
    at: usize,
    written: String,
    key: String,
}

impl<F: Copy + PartialEq + 'static> Headings<F> {
    /// Reads a row as a header. `None` unless at least two cells name a column: a title row above names one
    /// at most.
    #[must_use]
    pub fn read(
        kind: impl Columns<Field = F>,
        sheet: &str,
        row: u32,
        cells: &[Cell],
    ) -> Option<Self> {
        let mut found: Vec<(usize, Found<F>)> = Vec::new();
        let mut ignored = Vec::new();
        for (at, cell) in cells.iter().enumerate() {
            let Cell::Text(heading) = cell else { continue };
            let written = text::shown(heading);
            let Some((field, rank)) = recognised(kind, heading) else {
                ignored.push(written);
                continue;
            };
            let candidate = (rank, Found { field, at, written, key: heading_key(heading) });
            match found.iter_mut().find(|(_, other)| other.field == field) {
                None => found.push(candidate),
                // 手机号 beside 联系电话 (a desk phone): the more exact name is meant, the other is reported.
                Some(other) if rank < other.0 => {
                    let loser = std::mem::replace(other, candidate);
                    ignored.push(loser.1.written);
                }
                Some(_) => ignored.push(candidate.1.written),
            }
        }
        let found: Vec<Found<F>> = found.into_iter().map(|(_, found)| found).collect();
        (found.len() >= 2).then(|| Self { sheet: sheet.to_owned(), row, ignored, found })
    }

    /// The canonical names of required columns that this header lacks.
    #[must_use]
    pub fn missing(&self, kind: impl Columns<Field = F>) -> Vec<&'static str> {
        let lacks = |column: &&Column<F>| column.required && self.at(column.field).is_none();
        kind.columns().iter().filter(lacks).map(|column| column.names[0]).collect()
    }

    /// The headings that were recognised, as written.
    #[must_use]
    pub fn recognised(&self) -> Vec<&str> {
        self.found.iter().map(|found| found.written.as_str()).collect()
    }

    /// The cell of this field in a row.
    #[must_use]
    pub fn cell<'a>(&self, field: F, cells: &'a [Cell]) -> &'a Cell {
        self.at(field).and_then(|found| cells.get(found.at)).unwrap_or(&Cell::Blank)
    }

    /// The heading of this field as the file writes it; its canonical name when the file has no such column.
    #[must_use]
    pub fn written(&self, kind: impl Columns<Field = F>, field: F) -> &str {
        self.at(field).map_or_else(|| kind.heading(field), |found| found.written.as_str())
    }

    /// Whether no known column of the row holds anything: a total below the table, a numbered empty line.
    #[must_use]
    pub fn is_blank(&self, cells: &[Cell]) -> bool {
        self.found.iter().all(|found| matches!(cells.get(found.at), None | Some(Cell::Blank)))
    }

    /// Whether the row says the header again, as printed lists do on each page.
    #[must_use]
    pub fn is_repeated_by(&self, cells: &[Cell]) -> bool {
        self.found.iter().all(|found| match cells.get(found.at) {
            Some(Cell::Text(text)) => heading_key(text) == found.key,
            _ => false,
        })
    }

    /// The letters of this field's column, as spreadsheets name it: `E`. `None` when there is no such column.
    #[must_use]
    pub fn letters(&self, field: F) -> Option<String> {
        let mut at = self.at(field)?.at;
        let mut letters = Vec::new();
        loop {
            letters.insert(0, char::from(b'A' + (at % 26) as u8));
            match at / 26 {
                0 => return Some(letters.into_iter().collect()),
                above => at = above - 1,
            }
        }
    }

    fn at(&self, field: F) -> Option<&Found<F>> {
        self.found.iter().find(|found| found.field == field)
    }
}

/// The field that a heading names, and how exactly (0 is the canonical name).
fn recognised<K: Columns>(kind: K, heading: &str) -> Option<(K::Field, usize)> {
    let key = heading_key(heading);
    kind.columns().iter().find_map(|column| {
        let rank = column.names.iter().position(|name| heading_key(name) == key)?;
        Some((column.field, rank))
    })
}

/// A heading without width, case, spaces, stars, numbering and hints in brackets: `１．证件号码 *（必填）` is `证件号码`.
fn heading_key(heading: &str) -> String {
    let folded = text::unspaced(heading).to_lowercase();
    let mut depth = 0_u32;
    let mut key = String::with_capacity(folded.len());
    for c in folded.chars() {
        match c {
            '(' | '[' | '【' | '〔' | '{' | '<' | '《' => depth += 1,
            ')' | ']' | '】' | '〕' | '}' | '>' | '》' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            '*' | ':' | '.' | '、' | '_' | '-' | '·' | '/' | '\'' | '"' | '※' | '★' | '▲' =>
                {}
            c => key.push(c),
        }
    }
    let key = key.trim_start_matches(|c: char| c.is_ascii_digit());
    let key = ["必填", "选填", "必填项"].iter().fold(key, |key, hint| key.trim_end_matches(hint));
    match key {
        // 【姓名】: the brackets hold the heading, not a hint.
        "" => folded.chars().filter(|c| c.is_alphabetic()).collect(),
        key => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_column_is_named_as_spreadsheets_do() {
        let mut row = vec![Cell::Blank; 703];
        for (at, heading) in [(0, "姓名"), (26, "手机"), (702, "卡号")] {
            row[at] = Cell::of(heading);
        }
        let headings = Headings::read(Kind::Members, "", 1, &row).expect("a header");
        let letters = [Field::Name, Field::Phone, Field::Card, Field::Sex]
            .map(|field| headings.letters(field));
        assert_eq!(letters.map(Option::unwrap_or_default), ["A", "AA", "AAA", ""]);
    }

    fn cells(texts: &[&str]) -> Vec<Cell> {
        texts.iter().map(|text| Cell::of(text)).collect()
    }

    #[test]
    fn headings_are_known_by_many_names_and_decorations() {
        for (heading, field) in [
            ("姓名*", Field::Name),
            ("* 会员姓名", Field::Name),
            ("姓　名", Field::Name),
            ("【姓名】", Field::Name),
            ("1.姓名", Field::Name),
            ("证件号码（必填）", Field::IdNumber),
            ("证件号码(18位)必填", Field::IdNumber),
            ("身份证", Field::IdNumber),
            ("ID Number", Field::IdNumber),
            ("手机", Field::Phone),
            ("联系电话【必填】", Field::Phone),
            ("Mobile", Field::Phone),
            ("工会名称", Field::Union),
            ("工作单位：", Field::Enterprise),
            ("京卡·互助服务卡号", Field::Card),
            ("卡号", Field::Card),
            ("组织机构代码", Field::Uscc),
            ("入会时间", Field::Joined),
            ("会籍状态", Field::Standing),
        ] {
            assert_eq!(
                recognised(Kind::Members, heading).map(|found| found.0),
                Some(field),
                "{heading}"
            );
        }
        assert_eq!(recognised(Kind::Members, "血型"), None);
        assert_eq!(recognised(Kind::Members, ""), None);
    }

    #[test]
    fn a_title_row_is_no_header() {
        assert_eq!(Headings::read(Kind::Members, "", 1, &cells(&["王佐镇总工会会员名册"])), None);
        assert_eq!(Headings::read(Kind::Members, "", 2, &cells(&["单位", "制表人：张三"])), None);
    }

    #[test]
    fn the_more_exact_heading_wins_and_the_other_is_reported() {
        let headings = Headings::read(
            Kind::Members,
            "会员",
            3,
            &cells(&["序号", "姓名", "联系电话", "手机号"]),
        )
        .expect("a header");
        let row = cells(&["1", "王小明", "010-83312345", "13800138000"]);
        assert_eq!(headings.cell(Field::Phone, &row), &Cell::of("13800138000"));
        assert_eq!(headings.ignored, ["序号", "联系电话"]);
        assert_eq!(headings.missing(Kind::Members), ["证件号码", "所属工会"]);
        assert_eq!(headings.written(Kind::Members, Field::Union), "所属工会");
    }

    #[test]
    fn totals_and_repeated_headers_are_no_members() {
        let headings = Headings::read(Kind::Members, "", 1, &cells(&["序号", "姓名", "手机"]))
            .expect("header");
        assert!(headings.is_blank(&cells(&["合计"])));
        assert!(!headings.is_blank(&cells(&["1", "王小明"])));
        assert!(headings.is_repeated_by(&cells(&["序号", "姓 名", "手机*"])));
        assert!(!headings.is_repeated_by(&cells(&["1", "王小明", "手机"])));
    }

    proptest! {
        #[test]
        fn no_heading_panics(text in any::<String>()) {
            prop_assert!(recognised(Kind::Members, &text).is_none_or(|(_, rank)| rank < 20));
            drop(Headings::read(Kind::Organisations, "", 1, &[Cell::of(&text), Cell::of(&text)]));
        }
    }
}
