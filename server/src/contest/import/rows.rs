//! The rows of an entry list: which column is which, and what each row says.

use std::collections::HashMap;

use super::{Fault, Stop};
use crate::{
    contest::Kind,
    people::import::{
        sheet::{self, Cell, Limits, SheetError},
        text::unspaced,
    },
};

/// What a column holds, and the headings it goes by.
const COLUMNS: [(Field, &[&str]); 11] = [
    (Field::Discipline, &["项目", "比赛项目", "参赛项目", "组别"]),
    (Field::Name, &["姓名", "选手", "选手姓名", "参赛人"]),
    (Field::Partner, &["搭档", "搭档姓名", "配对"]),
    (Field::Organisation, &["单位名称", "单位", "工作单位", "所在单位", "代表队"]),
    (Field::Phone, &["手机号", "手机", "联系电话", "电话", "手机号码"]),
    (Field::PartnerPhone, &["搭档手机号", "搭档手机", "搭档电话"]),
    (Field::Seed, &["种子", "种子号", "种子序号"]),
    (Field::Team, &["队名", "球队", "队伍名称"]),
    (Field::Captain, &["领队", "队长", "领队姓名"]),
    (Field::CaptainPhone, &["领队手机号", "领队手机", "领队电话", "队长手机号"]),
    (Field::Bib, &["号码布", "号码", "参赛号"]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Discipline,
    Name,
    Partner,
    Organisation,
    Phone,
    PartnerPhone,
    Seed,
    Team,
    Captain,
    CaptainPhone,
    Bib,
}

/// One row as the file has it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) sheet: String,
    pub(super) number: u32,
    pub(super) texts: HashMap<Field, String>,
    /// The headings as they are written, for faults.
    pub(super) headings: HashMap<Field, String>,
    /// A cell that a spreadsheet destroyed.
    pub(super) damaged: Option<Field>,
}

impl Row {
    /// What the cell says; empty without one.
    pub(super) fn text(&self, field: Field) -> &str {
        self.texts.get(&field).map(String::as_str).unwrap_or_default()
    }

    fn has(&self, field: Field) -> bool {
        self.headings.contains_key(&field)
    }

    /// Singles, doubles or a team, by the headings.
    pub(super) fn kind(&self) -> Kind {
        if self.has(Field::Team) {
            Kind::Team
        } else if self.has(Field::Partner) {
            Kind::Doubles
        } else {
            Kind::Singles
        }
    }

    /// The discipline and the masked names.
    pub(super) fn label(&self) -> String {
        let name = match self.kind() {
            Kind::Team => self.text(Field::Team).to_owned(),
            _ => [Field::Name, Field::Partner]
                .map(|field| admission::name::masked(self.text(field)))
                .into_iter()
                .filter(|name| !name.is_empty())
                .collect::<Vec<_>>()
                .join(" / "),
        };
        format!("{} {name}", self.text(Field::Discipline))
    }

    /// What is wrong with the cell of `field`.
    pub(super) fn fault(&self, field: Field, code: &'static str, said: impl Into<String>) -> Stop {
        let column = self.headings.get(&field).cloned().unwrap_or_default();
        Stop::Fault(self.label(), Fault { column, code, said: said.into() })
    }
}

/// What stands in each column, with its heading.
type Columns = Vec<Option<(Field, String)>>;

/// All rows below a header, sheet by sheet.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Row>, SheetError> {
    let mut rows = Vec::new();
    let mut header: Option<(String, Columns)> = None;
    sheet::read(bytes, &Limits::default(), |row| {
        if header.as_ref().is_some_and(|(sheet, _)| sheet != row.sheet) {
            header = None;
        }
        let Some((_, columns)) = &header else {
            let columns: Vec<Option<(Field, String)>> = row.cells.iter().map(heading).collect();
            let has = |field| columns.iter().flatten().any(|(known, _)| *known == field);
            if has(Field::Discipline) && (has(Field::Name) || has(Field::Team)) {
                header = Some((row.sheet.to_owned(), columns));
            }
            return Ok(());
        };
        let mut read = Row {
            sheet: row.sheet.to_owned(),
            number: row.number,
            texts: HashMap::new(),
            headings: columns.iter().flatten().cloned().collect(),
            damaged: None,
        };
        for (column, cell) in columns.iter().zip(row.cells) {
            match (column, cell) {
                (Some((field, _)), Cell::Text(text)) => {
                    read.texts.insert(*field, unspaced(text));
                }
                (Some((field, _)), Cell::Bad(_)) => read.damaged = Some(*field),
                _ => {}
            }
        }
        if !read.texts.is_empty() {
            rows.push(read);
        }
        Ok::<(), SheetError>(())
    })?;
    Ok(rows)
}

fn heading(cell: &Cell) -> Option<(Field, String)> {
    let Cell::Text(text) = cell else { return None };
    let folded = unspaced(text);
    let folded = folded.trim_end_matches(['*', ':', '：']);
    let (field, _) = COLUMNS.iter().find(|(_, names)| names.contains(&folded))?;
    Some((*field, folded.to_owned()))
}
