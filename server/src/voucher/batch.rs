//! A batch: an offer of vouchers that one venue takes. What a door decides by stands in the offer (validity, days, venue,
//! uses); the money stands beside it.

use admission::{days, decide::Days};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::venue;
use crate::{
    db::Tx,
    error::{Error, Refused, Result},
    event::{
        Event, OfferDraft,
        rules::{invalid, within},
    },
    execute, fetch,
};

/// The most dates that a batch leaves out.
const CLOSED_MAX: usize = 200;

/// What an organizer sends to make an offer a batch of vouchers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct BatchDraft {
    /// The venue's id.
    pub venue: String,
    /// What one use costs without a voucher, in cents.
    pub face_cents: i64,
    /// What the federation pays the venue for one use, in cents.
    pub price_cents: i64,
    /// On which days of the week: 1 is Monday, 7 Sunday. All, when left out.
    #[serde(default)]
    pub weekdays: Vec<u8>,
    /// Dates that are left out, as `2027-05-01`: public holidays.
    #[serde(default)]
    pub closed: Vec<String>,
    /// How many may come in with the holder.
    #[serde(default)]
    pub companions: i64,
}

/// The money of a batch.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Batch {
    pub(crate) offer_id: String,
    pub(crate) event_id: String,
    pub(crate) venue_id: String,
    pub(crate) face_cents: i64,
    pub(crate) price_cents: i64,
    pub(crate) companions: i64,
}

/// Who bears the full price of a voucher, all its uses together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// The contribution that the holder pays.
    pub(crate) member_cents: i64,
    /// What the federation adds to it.
    pub(crate) union_cents: i64,
    /// What the venue lets off.
    pub(crate) venue_cents: i64,
}

impl Shares {
    /// Of a voucher with so many uses.
    pub(crate) const fn of(face: i64, price: i64, contribution: i64, uses: i64) -> Self {
        Self {
            member_cents: contribution,
            union_cents: price * uses - contribution,
            venue_cents: (face - price) * uses,
        }
    }
}

impl BatchDraft {
    /// The particulars as they are.
    pub(crate) fn of(batch: &Batch, days: Option<&Days>) -> Self {
        let mask = days.map_or(days::ALL_WEEK, |days| days.weekdays);
        Self {
            venue: batch.venue_id.clone(),
            face_cents: batch.face_cents,
            price_cents: batch.price_cents,
            weekdays: (1..=7).filter(|day| mask >> (day - 1) & 1 == 1).collect(),
            closed: days
                .map(|days| days.closed.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            companions: batch.companions,
        }
    }

    /// The days as a door knows them; none: every day.
    fn days(&self, zone: &str) -> Option<Days> {
        let all = self.weekdays.is_empty();
        let weekdays = if all { days::ALL_WEEK } else { self.mask() };
        let mut closed: Vec<Date> = self.closed.iter().filter_map(|day| day.parse().ok()).collect();
        closed.sort_unstable();
        closed.dedup();
        (weekdays != days::ALL_WEEK || !closed.is_empty()).then(|| Days {
            zone: zone.to_owned(),
            weekdays,
            closed,
        })
    }

    fn mask(&self) -> u8 {
        let days = self.weekdays.iter().filter(|day| (1..=7).contains(*day));
        days.fold(0, |mask, day| mask | 1 << (day - 1))
    }
}

/// Everything that is wrong with the voucher terms of a draft.
pub(crate) fn faults(draft: &OfferDraft) -> Vec<Refused> {
    let Some(batch) = &draft.batch else { return Vec::new() };
    let bad_day = batch.closed.iter().find(|day| day.parse::<Date>().is_err());
    let faults = [
        within("face_cents", "门市价", batch.face_cents, 0, 100_000_000),
        within("price_cents", "结算价", batch.price_cents, 0, 100_000_000),
        within("companions", "同行人数", batch.companions, 0, 20),
        (batch.price_cents > batch.face_cents).then(|| {
            invalid(
                "price_over_face",
                "结算价不能高于门市价。",
                "The federation pays no more than the full price.",
            )
        }),
        (draft.contribution_cents > batch.price_cents.saturating_mul(draft.uses)).then(|| {
            invalid(
                "contribution_over_price",
                "会员缴费不能超过全部次数的结算价：工会不从中收钱。",
                "The contribution cannot be more than what all uses are settled at: the federation earns nothing.",
            )
        }),
        (!batch.weekdays.is_empty() && batch.mask() == 0).then(|| {
            invalid("weekdays", "请至少选一天。", "Please choose at least one day of the week.")
        }),
        bad_day.map(|day| {
            invalid(
                "closed",
                format!("「{day}」不是日期。请写成 2027-05-01，一行一个，或 2027-10-01 至 2027-10-07。"),
                format!("“{day}” is no date. Please write 2027-05-01, one a line, or 2027-10-01 to 2027-10-07."),
            )
        }),
        (batch.closed.len() > CLOSED_MAX).then(|| {
            invalid(
                "closed",
                format!("最多 {CLOSED_MAX} 个日期。"),
                format!("At most {CLOSED_MAX} dates."),
            )
        }),
    ];
    faults.into_iter().flatten().collect()
}

/// Writes the voucher terms of a draft that was checked; without any, they stay as they are.
///
/// # Errors
/// [`Error::Invalid`] when there is no such venue, the event gives no vouchers, or money would change that is owed already.
pub(crate) async fn set(
    tx: &mut Tx,
    event: &Event,
    offer_id: &str,
    draft: &OfferDraft,
) -> Result<()> {
    let Some(terms) = &draft.batch else { return Ok(()) };
    if event.kind != "voucher" {
        return Err(Error::invalid(
            "batch",
            "只有福利券活动才有场馆和结算。",
            "Only events of kind voucher have batches.",
        ));
    }
    let venue = venue::venue(tx, &terms.venue).await.map_err(|error| match error {
        Error::NotFound => Error::invalid("venue", "没有这家场馆。", "There is no such venue."),
        error => error,
    })?;
    let before = of_offer(tx, offer_id).await?;
    if let Some(before) = before
        && (before.price_cents != terms.price_cents || before.venue_id != venue.id)
        && is_redeemed(tx, offer_id).await?
    {
        return Err(Error::invalid(
            "price_cents",
            "已经有券核销，场馆和结算价不能再改。可以另加一批。",
            "Vouchers of it were redeemed; venue and price cannot change. You may add another batch.",
        ));
    }
    let days = terms.days(&event.time_zone).map(|days| serde_json::to_string(&days));
    execute!(
        tx,
        "update offer set days = $2, venue_id = $3 where id = $1",
        offer_id,
        days.transpose().map_err(anyhow::Error::from)?,
        &venue.id,
    )?;
    execute!(
        tx,
        "insert into batch (offer_id, event_id, venue_id, face_cents, price_cents, companions)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (offer_id) do update set venue_id = excluded.venue_id, face_cents = excluded.face_cents,
             price_cents = excluded.price_cents, companions = excluded.companions",
        offer_id,
        &event.id,
        &venue.id,
        terms.face_cents,
        terms.price_cents,
        terms.companions,
    )?;
    Ok(())
}

/// The batch that an offer is, if it is one.
pub(crate) async fn of_offer(tx: &mut Tx, offer_id: &str) -> Result<Option<Batch>> {
    Ok(fetch!(tx, fetch_optional, "select * from batch where offer_id = $1", offer_id)?)
}

/// Whether an event hands out vouchers that venues take.
pub(crate) async fn is_campaign(tx: &mut Tx, event_id: &str) -> Result<bool> {
    let (batches,): (i64,) =
        fetch!(tx, fetch_one, "select count(*) from batch where event_id = $1", event_id)?;
    Ok(batches > 0)
}

async fn is_redeemed(tx: &mut Tx, offer_id: &str) -> Result<bool> {
    let (scans,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from scan s join ticket t on t.id = s.ticket_id
         where t.offer_id = $1 and t.event_id = (select event_id from offer where id = $1)
           and s.station_kind = 'counter' and s.verdict = 'admitted'",
        offer_id,
    )?;
    Ok(scans > 0)
}

/// The dates of a text: one a line, or parted by commas; 2027-10-01 至 2027-10-07 is a span. What is no date stays as it
/// is, for the fault that names it.
pub(crate) fn dates(text: &str) -> Vec<String> {
    let mut dates = Vec::new();
    for piece in text.split(['\n', ',', '，', '、', ';', '；']).map(str::trim) {
        let ends = piece.split_once('至').or_else(|| piece.split_once(" to "));
        let span = ends.and_then(|(from, to)| {
            Some((from.trim().parse::<Date>().ok()?, to.trim().parse::<Date>().ok()?))
        });
        match span {
            _ if piece.is_empty() => {}
            Some((from, to)) if from <= to => {
                let days = from.series(jiff::Span::new().days(1));
                dates.extend(
                    days.take_while(|day| *day <= to)
                        .take(CLOSED_MAX + 1)
                        .map(|day| day.to_string()),
                );
            }
            _ => dates.push(piece.to_owned()),
        }
    }
    dates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> BatchDraft {
        BatchDraft {
            venue: "v".to_owned(),
            face_cents: 12_800,
            price_cents: 6_000,
            weekdays: vec![1, 2, 3, 4, 5],
            closed: dates("2027-05-01\n2027-10-01 至 2027-10-03"),
            companions: 2,
        }
    }

    #[test]
    fn dates_are_read_one_by_one_and_as_spans() {
        assert_eq!(draft().closed, ["2027-05-01", "2027-10-01", "2027-10-02", "2027-10-03"]);
        assert_eq!(dates("五一"), ["五一"]);
        let days = draft().days("Asia/Shanghai").expect("some days");
        assert_eq!((days.weekdays, days.closed.len()), (days::WORKING, 4));
        assert_eq!(BatchDraft { weekdays: vec![], closed: vec![], ..draft() }.days("UTC"), None);
    }

    #[test]
    fn the_shares_make_up_the_full_price() {
        let shares = Shares::of(12_800, 6_000, 1_000, 3);
        assert_eq!(
            (shares.member_cents, shares.union_cents, shares.venue_cents),
            (1_000, 17_000, 20_400)
        );
        assert_eq!(shares.member_cents + shares.union_cents + shares.venue_cents, 3 * 12_800);
    }

    #[test]
    fn what_is_wrong_with_the_money_or_a_date_is_said() {
        let offer = |batch| OfferDraft { batch: Some(batch), ..OfferDraft::plain("券", 1, 0, 1) };
        assert_eq!(faults(&offer(draft())), []);
        let wrong =
            BatchDraft {
                price_cents: 20_000, weekdays: vec![9], closed: dates("五一"), ..draft()
            };
        let codes: Vec<_> = faults(&offer(wrong)).iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["price_over_face", "weekdays", "closed"]);
        let dear = OfferDraft { contribution_cents: 6_001, ..offer(draft()) };
        assert_eq!(faults(&dear)[0].code, "contribution_over_price");
    }
}
