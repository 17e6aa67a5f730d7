//! `/admin/events/{event}/goods/batches`: what each unit's delegate collects, typed line by line, taken from the roster,
//! or imported.

use admission::Millis;
use askama::Template;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Multipart, Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    Goods, Point,
    batch::{self, NewBatch},
    queries::{self, Collector},
    stock::Stock,
};
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Refused, Result},
    event::{self, Event},
    people::import::{
        check,
        headings::{Column, Columns, Headings, column},
        rows::Fields,
        sheet::{self, Limits, SheetError},
        text,
    },
    web::{Frame, access::Staff, form::Typed, page},
};

/// A list of units is small.
const BYTES: usize = 4 << 20;
/// Header rows are looked for this far down.
const HEADER_WITHIN: u32 = 40;

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/goods/batches", get(show).post(change))
        .route("/admin/events/{event}/goods/batches/import", post(import))
        .layer(DefaultBodyLimit::max(BYTES + (64 << 10)))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// Lines that were made.
    made: Option<usize>,
    /// Unions without an officer.
    without: Option<usize>,
}

/// A line of a file that was left out.
struct Remark {
    row: u32,
    label: String,
    zh: String,
    en: String,
}

#[derive(Template)]
#[template(path = "goods/batches.html")]
struct BatchesPage {
    frame: Frame,
    form: Typed,
    event: Event,
    tab: &'static str,
    goods: Goods,
    points: Vec<Point>,
    stocks: Vec<Stock>,
    batches: Vec<Collector>,
    unions: Vec<(String, String)>,
    asked: Asked,
    remarks: Vec<Remark>,
    refusal: Option<Refused>,
}

impl BatchesPage {
    async fn read(tx: &mut Tx, mut frame: Frame, id: &str, form: Typed) -> Result<Self> {
        frame.path = format!("/admin/events/{id}/goods/batches");
        let (event, goods) = batch::of_event(tx, id).await?;
        Ok(Self {
            points: queries::points(tx, id).await?,
            stocks: queries::stocks(tx, id, None).await?,
            batches: queries::batches(tx, id).await?,
            unions: event::queries::unions(tx).await?,
            asked: Asked::default(),
            remarks: Vec::new(),
            refusal: None,
            tab: "goods",
            frame,
            form,
            event,
            goods,
        })
    }

    /// How many people all lines are for, and of these how many had theirs.
    fn people(&self) -> (i64, i64) {
        let sum = |had: bool| {
            let lines = self.batches.iter().filter(|batch| !had || batch.had_ms.is_some());
            lines.map(|batch| batch.units).sum()
        };
        (sum(false), sum(true))
    }

    fn missing(&self) -> i64 {
        self.stocks.iter().map(Stock::missing).sum()
    }
}

/// `GET /admin/events/{event}/goods/batches`.
async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let shown = BatchesPage::read(&mut tx, frame, &id, Typed::default()).await?;
    page(&BatchesPage { asked, ..shown })
}

/// `POST /admin/events/{event}/goods/batches`: one more line, all lines that the roster gives, or a line less.
async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    event::queries::hold(&mut tx, &id).await?;
    match carry_out(&app, &mut tx, &id, &form, now).await {
        Ok((made, without)) => {
            let note = format!("{} {made}", form.value("act"));
            audit::record(&mut tx, &staff, "goods.batch", &id, &note, now).await?;
            tx.notify(&id).await?;
            tx.commit().await?;
            app.live.changed(&id);
            let address = format!("/admin/events/{id}/goods/batches?made={made}&without={without}");
            Ok(Redirect::to(&address).into_response())
        }
        Err(Error::Invalid(refused) | Error::Refused(refused)) => {
            tx.rollback().await?;
            let mut tx = app.db.read().await?;
            let shown = BatchesPage::read(&mut tx, frame, &id, form).await?;
            let shown = BatchesPage { refusal: Some(refused.clone()), ..shown };
            Ok((refused.status, page(&shown)?).into_response())
        }
        Err(error) => Err(error),
    }
}

async fn carry_out(
    app: &App,
    tx: &mut Tx,
    id: &str,
    form: &Typed,
    now: Millis,
) -> Result<(usize, usize)> {
    let (event, goods) = batch::of_event(tx, id).await?;
    if form.value("act") == "remove" {
        return match batch::remove(tx, app, id, form.value("ticket"), now).await? {
            true => Ok((0, 0)),
            false => Err(Error::invalid(
                "ticket",
                "这一份已经领走，不能撤下。",
                "These were collected; the line stays.",
            )),
        };
    }
    let point = queries::point(tx, id, form.value("point"))
        .await
        .map_err(|_| Error::invalid("point", "请选领取点。", "Please choose a point."))?;
    if form.value("act") == "derive" {
        return batch::derive(tx, &app.keys, (&event, &point), now).await;
    }
    let phone: String = form.value("phone").chars().filter(char::is_ascii_digit).collect();
    let name = form.value("name").replace('\0', "");
    let organisation = form.value("organisation").replace('\0', "");
    let units = form.number("units").unwrap_or(0);
    let new = resolved(tx, organisation.trim(), (name.trim(), &phone), units).await?;
    batch::add(tx, &app.keys, (&event, &goods, &point), &new, now).await?;
    Ok((1, 0))
}

async fn resolved(
    tx: &mut Tx,
    organisation: &str,
    delegate: (&str, &str),
    units: i64,
) -> Result<NewBatch> {
    batch::resolve(tx, organisation, delegate, units)
        .await?
        .map_err(|(zh, en)| Error::invalid("organisation", zh, en))
}

/// What a column of a list of units holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Organisation,
    Units,
    Name,
    Phone,
}

#[derive(Clone, Copy)]
struct List;

const COLUMNS: &[Column<Field>] = &[
    column(
        Field::Organisation,
        true,
        &[
            "单位名称",
            "单位",
            "工会名称",
            "所属工会",
            "工会",
            "企业名称",
            "基层工会",
            "organisation",
            "union",
        ],
    ),
    column(
        Field::Units,
        true,
        &[
            "人数",
            "职工人数",
            "份数",
            "数量",
            "发放人数",
            "领取人数",
            "people",
            "units",
            "headcount",
        ],
    ),
    column(
        Field::Name,
        false,
        &["领取人", "经办人", "代领人", "联系人", "姓名", "delegate", "name"],
    ),
    column(
        Field::Phone,
        true,
        &["手机号", "手机", "联系电话", "领取人手机", "领取人电话", "电话", "phone", "mobile"],
    ),
];

impl Columns for List {
    type Field = Field;

    fn columns(self) -> &'static [Column<Field>] {
        COLUMNS
    }
}

/// A line of a file as it can be read.
struct Read {
    row: u32,
    organisation: String,
    name: String,
    phone: String,
    units: i64,
}

/// What a file lists, and what is wrong with the rest of it.
fn read(
    bytes: &[u8],
    limits: &Limits,
) -> std::result::Result<(Vec<Read>, Vec<Remark>), SheetError> {
    let (mut headings, mut lines, mut remarks) = (None, Vec::new(), Vec::new());
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
        let organisation = fields.required(Field::Organisation, check::title);
        let units = fields.required(Field::Units, check::headcount);
        let name = fields.optional(Field::Name, check::name).unwrap_or_default();
        let phone = fields.required(Field::Phone, check::phone);
        let label = organisation.clone().unwrap_or_default();
        for (_, fault) in fields.faults() {
            remarks.push(Remark {
                row: row.number,
                label: label.clone(),
                zh: format!("{}：{}", fault.column, fault.code.zh()),
                en: format!("{}: {}", fault.column, fault.code.en()),
            });
        }
        if let (Some(organisation), Some(units), Some(phone)) = (organisation, units, phone) {
            lines.push(Read {
                row: row.number,
                organisation: text::folded(&organisation),
                name,
                phone,
                units,
            });
        }
        Ok(())
    })?;
    Ok((lines, remarks))
}

/// `POST /admin/events/{event}/goods/batches/import`: a list as .xlsx or .csv; what is right is taken, the rest is told.
async fn import(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    mut upload: Multipart,
) -> Result<Response> {
    let (mut bytes, mut point) = (Vec::new(), String::new());
    while let Some(field) = upload.next_field().await.map_err(|_| unreadable())? {
        match field.name() {
            Some("file") => bytes = field.bytes().await.map_err(|_| unreadable())?.to_vec(),
            Some("point") => point = field.text().await.map_err(|_| unreadable())?,
            _ => {}
        }
    }
    let limits = Limits { bytes: BYTES, unpacked: 64 << 20, rows: 5_000, ..Limits::default() };
    let list = tokio::task::spawn_blocking(move || read(&bytes, &limits))
        .await
        .map_err(anyhow::Error::from)?;
    let now = app.clock.now();
    let (lines, mut remarks) = match list {
        Ok(list) => list,
        Err(error) => {
            let mut tx = app.db.read().await?;
            let shown = BatchesPage::read(&mut tx, frame, &id, Typed::default()).await?;
            let refused = Refused::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "file",
                error.to_string(),
                error.to_string(),
            );
            let shown = BatchesPage { refusal: Some(refused), ..shown };
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&shown)?).into_response());
        }
    };
    let mut tx = app.db.write().await?;
    event::queries::hold(&mut tx, &id).await?;
    let point = queries::point(&mut tx, &id, &point).await?;
    let event = event::queries::event(&mut tx, &id).await?;
    let mut made = 0;
    for line in lines {
        let delegate = (line.name.as_str(), line.phone.as_str());
        let resolved = batch::resolve(&mut tx, &line.organisation, delegate, line.units).await?;
        let added = match resolved {
            Ok(new) => {
                let goods = queries::goods(&mut tx, &id).await?.ok_or(Error::NotFound)?;
                batch::add(&mut tx, &app.keys, (&event, &goods, &point), &new, now).await
            }
            Err((zh, en)) => Err(Error::invalid("line", zh, en)),
        };
        match added {
            Ok(()) => made += 1,
            Err(Error::Invalid(refused)) => remarks.push(Remark {
                row: line.row,
                label: line.organisation,
                zh: refused.zh,
                en: refused.en,
            }),
            Err(error) => return Err(error),
        }
    }
    audit::record(&mut tx, &staff, "goods.batch", &id, &format!("import {made}"), now).await?;
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    let mut tx = app.db.read().await?;
    let asked = Asked { made: Some(made), without: None };
    let shown = BatchesPage::read(&mut tx, frame, &id, Typed::default()).await?;
    page(&BatchesPage { asked, remarks, ..shown })
}

fn unreadable() -> Error {
    Error::invalid(
        "file",
        "文件没有传完整，请再选一次。",
        "The file did not arrive whole. Please choose it again.",
    )
}
