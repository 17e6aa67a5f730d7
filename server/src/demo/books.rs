//! In the demo world: a small staff library, with loans, one of them late, and somebody who waits.

use admission::{Millis, time::DAY};

use crate::{
    App, fetch,
    loan::{self, NewBook},
    web::access::Person,
};

const SHELF: [(&str, &str, i64); 12] = [
    ("平凡的世界", "路遥", 3),
    ("活着", "余华", 2),
    ("红岩", "罗广斌、杨益言", 2),
    ("钢铁是怎样炼成的", "奥斯特洛夫斯基", 2),
    ("人世间", "梁晓声", 3),
    ("三体", "刘慈欣", 1),
    ("白鹿原", "陈忠实", 1),
    ("工会法百问", "中国工人出版社", 4),
    ("劳动合同法一本通", "法律出版社", 4),
    ("急救手册", "人民卫生出版社", 2),
    ("中国象棋入门", "人民体育出版社", 1),
    ("家常菜谱", "北京出版社", 2),
];

/// Fills the shelf and lends from it. The first member of `people` has a book that is late.
pub(super) async fn library(
    app: &App,
    people: &[(Person, String)],
    now: Millis,
) -> anyhow::Result<()> {
    let books = SHELF.map(|(title, author, copies)| NewBook {
        title: title.to_owned(),
        author: author.to_owned(),
        barcodes: Vec::new(),
        copies,
    });
    let mut tx = app.db.write().await?;
    loan::add_books(&mut tx, &books, now.plus(-90 * DAY)).await?;
    let (staff_id,): (String,) = fetch!(
        &mut tx,
        fetch_one,
        "select id from staff where role = 'volunteer' order by id limit 1"
    )?;
    let copies: Vec<(String,)> =
        fetch!(&mut tx, fetch_all, "select barcode from book_copy order by barcode")?;
    for (at, ((person, _), (barcode,))) in (0..).zip(people.iter().zip(&copies)).take(9) {
        // The first was lent five weeks ago for four.
        let lent = now.plus(-DAY * if at == 0 { 35 } else { 2 * at });
        let lent = loan::lend(&mut tx, (barcode, &person.id), &staff_id, lent).await?;
        anyhow::ensure!(lent.is_ok(), "a fresh shelf lends to everybody");
    }
    Ok(tx.commit().await?)
}
