//! Titles and their copies come from a list: title, author, and the barcodes of the copies or how many there are.

use admission::Millis;

use crate::{
    db::{Tx, new_id},
    error::Result,
    execute, fetch,
    people::import::{
        check,
        headings::{Column, Columns, Headings, column},
        rows::Fields,
        sheet::{self, Limits, SheetError},
        text,
    },
};

/// Header rows are looked for this far down.
const HEADER_WITHIN: u32 = 40;

/// A title of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBook {
    /// Its title.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// What the labels on its copies say; made up when there are none.
    pub barcodes: Vec<String>,
    /// How many copies there are.
    pub copies: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Title,
    Author,
    Copies,
    Barcode,
}

#[derive(Clone, Copy)]
struct List;

const COLUMNS: &[Column<Field>] = &[
    column(Field::Title, true, &["书名", "题名", "图书名称", "名称", "title", "book"]),
    column(Field::Author, false, &["作者", "著者", "责任者", "author"]),
    column(Field::Copies, false, &["册数", "复本", "复本数", "数量", "本数", "copies"]),
    column(Field::Barcode, false, &["条码", "条码号", "图书条码", "编号", "馆藏号", "barcode"]),
];

impl Columns for List {
    type Field = Field;

    fn columns(self) -> &'static [Column<Field>] {
        COLUMNS
    }
}

/// A row that was left out: its number, and why in Chinese and English.
pub(super) type Remark = (u32, String, String);

/// What a list holds, and what is wrong with the rest of it.
pub(super) fn read(
    bytes: &[u8],
    limits: &Limits,
) -> std::result::Result<(Vec<NewBook>, Vec<Remark>), SheetError> {
    let (mut headings, mut books, mut remarks) = (None, Vec::<NewBook>::new(), Vec::new());
    sheet::read(bytes, limits, |row| {
        let Some(known) = &headings else {
            if row.number <= HEADER_WITHIN {
                headings = Headings::read(List, row.sheet, row.number, row.cells)
                    .filter(|headings| headings.missing(List).is_empty());
            }
            return Ok::<(), SheetError>(());
        };
        if known.is_blank(row.cells) || known.is_repeated_by(row.cells) {
            return Ok(());
        }
        let mut fields = Fields::new(List, known, row.cells);
        let words = |said: &str| Ok(text::folded(said).chars().take(100).collect::<String>());
        let title = fields.required(Field::Title, words);
        let author = fields.optional(Field::Author, words).unwrap_or_default();
        let copies = fields.optional(Field::Copies, check::headcount);
        let codes = fields.optional(Field::Barcode, |said| Ok(said.to_owned())).unwrap_or_default();
        for (_, fault) in fields.faults() {
            remarks.push((row.number, fault.code.zh().to_owned(), fault.code.en().to_owned()));
        }
        let barcodes: Vec<String> = codes
            .split(['、', ',', '，', ';', '；', ' '])
            .map(barcode)
            .filter(|code| !code.is_empty())
            .collect();
        let Some(title) = title else { return Ok(()) };
        let copies = copies.unwrap_or(1).max(i64::try_from(barcodes.len()).unwrap_or(1));
        // One copy a row is a common way to write it.
        match books.iter_mut().find(|book| book.title == title && book.author == author) {
            Some(book) => {
                book.copies += copies;
                book.barcodes.extend(barcodes);
            }
            None => books.push(NewBook { title, author, barcodes, copies }),
        }
        Ok(())
    })?;
    Ok((books, remarks))
}

/// A barcode in one writing: capitals and digits.
pub(super) fn barcode(said: &str) -> String {
    text::unspaced(said)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .map(|c| c.to_ascii_uppercase())
        .take(32)
        .collect()
}

/// Brings titles and copies into the books; gives how many copies are new. Doing it again adds nothing: a title that has
/// as many copies as the list says gets no more. A barcode that is another book's stays where it is.
///
/// # Errors
/// When the database fails.
pub(crate) async fn add(tx: &mut Tx, books: &[NewBook], now: Millis) -> Result<usize> {
    let mut added = 0;
    for book in books {
        execute!(
            tx,
            "insert into book (id, title, author, search, created_ms) values ($1, $2, $3, $4, $5)
             on conflict (title, author) do nothing",
            new_id(now),
            &book.title,
            &book.author,
            format!("{} {}", book.title, book.author).to_lowercase(),
            now.0,
        )?;
        let (id, mut copies): (String, i64) = fetch!(
            tx,
            fetch_one,
            "select b.id, (select count(*) from book_copy c where c.book_id = b.id) from book b
             where b.title = $1 and b.author = $2",
            &book.title,
            &book.author,
        )?;
        for code in &book.barcodes {
            let rows = insert(tx, &id, code, now).await?;
            added += rows;
            copies += i64::try_from(rows).unwrap_or(0);
        }
        while copies < book.copies {
            let (next,): (i64,) = fetch!(tx, fetch_one, "select count(*) + 1 from book_copy")?;
            let mut number = next;
            while insert(tx, &id, &format!("B{number:05}"), now).await? == 0 {
                number += 1;
            }
            added += 1;
            copies += 1;
        }
    }
    Ok(added)
}

async fn insert(tx: &mut Tx, book_id: &str, code: &str, now: Millis) -> Result<usize> {
    let rows = execute!(
        tx,
        "insert into book_copy (barcode, book_id, state, created_ms) values ($1, $2, 'here', $3)
         on conflict (barcode) do nothing",
        code,
        book_id,
        now.0,
    )?;
    Ok(usize::from(rows == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_libraries_write_it() {
        let csv = "职工书屋图书目录\n书名,作者,册数,条码\n平凡的世界,路遥,3,A001、A002\n,无名,1,\n活着,余华,,b-7\n活着,余华,,b-8\n";
        let (books, remarks) = read(csv.as_bytes(), &Limits::default()).expect("a list");
        let book = |title: &str, author: &str, copies, barcodes: &[&str]| NewBook {
            title: title.to_owned(),
            author: author.to_owned(),
            barcodes: barcodes.iter().map(|&code| code.to_owned()).collect(),
            copies,
        };
        assert_eq!(
            books,
            [
                book("平凡的世界", "路遥", 3, &["A001", "A002"]),
                book("活着", "余华", 2, &["B-7", "B-8"])
            ]
        );
        assert_eq!(remarks.len(), 1);
    }
}
