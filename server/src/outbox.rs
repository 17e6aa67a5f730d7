//! Short messages to phones: written in the transaction of their cause, sent afterwards by one task.
//!
//! Two ways out: the console, for a demo (the message stays in the outbox, and the demo's page shows it), and an HTTP
//! gateway. Phone numbers and codes never reach the log.

use std::time::Duration;

use admission::{Millis, time::MINUTE};
use serde::Serialize;

use crate::{
    App,
    config::Sms,
    db::{Tx, new_id},
    error::Result,
    event::Event,
    execute, fetch,
    web::form::yuan,
};

/// After so many failures a message is given up.
const TRIES: i64 = 5;
/// A message that could not be sent by then is of no use any more.
const TOO_OLD_MS: i64 = 30 * MINUTE;

/// Where messages go.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// They stay in the outbox; a line on the console says that one is there.
    Console,
    /// `POST {"phone","text"}` to this address.
    Gateway {
        /// The gateway's address.
        url: String,
        /// Its bearer token.
        token: Option<String>,
        /// The client, with its time-outs.
        client: reqwest::Client,
    },
}

impl Delivery {
    /// What the settings ask for.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn of(sms: &Sms) -> anyhow::Result<Self> {
        let Some(url) = sms.sms_gateway.clone() else { return Ok(Self::Console) };
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self::Gateway { url, token: sms.sms_token.clone(), client })
    }
}

/// Writes a message; it leaves after the commit.
///
/// # Errors
/// When the database fails.
pub async fn write(tx: &mut Tx, phone: &str, body: &str, now: Millis) -> Result<()> {
    execute!(
        tx,
        "insert into message (id, phone, body, created_ms) values ($1, $2, $3, $4)",
        new_id(now),
        phone,
        body,
        now.0,
    )?;
    Ok(())
}

/// Writes a message to a person, if their phone is known.
///
/// # Errors
/// When the database fails.
pub async fn tell(tx: &mut Tx, person_id: &str, body: &str, now: Millis) -> Result<()> {
    let phone: Option<(Option<String>,)> =
        fetch!(tx, fetch_optional, "select phone from person where id = $1", person_id)?;
    match phone.and_then(|(phone,)| phone) {
        Some(phone) => write(tx, &phone, body, now).await,
        None => Ok(()),
    }
}

/// Tells all holders of a cancelled event.
///
/// # Errors
/// When the database fails.
pub async fn tell_holders(tx: &mut Tx, event: &Event, now: Millis) -> Result<()> {
    let holders: Vec<(String, i64)> = fetch!(
        tx,
        fetch_all,
        "select p.phone, cast(coalesce(sum(case when y.kind = 'refunded' then -y.cents else y.cents end), 0) as bigint)
         from offer o join booking b on b.offer_id = o.id join person p on p.id = b.person_id
         left join payment y on y.booking_id = b.id
         where o.event_id = $1 and b.status in ('confirmed', 'held', 'waiting', 'entered', 'requested') and p.phone is not null
         group by p.phone",
        &event.id,
    )?;
    let why = match event.cancel_note.trim_end_matches('。') {
        "" => String::new(),
        note => format!("{note}。"),
    };
    for (phone, owed) in holders {
        let refund = match owed {
            0 => String::new(),
            cents => format!("已缴的 {} 元请到服务台退。", yuan(cents)),
        };
        let body = format!("【王佐镇总工会】您报名的「{}」已取消。{why}{refund}", event.title);
        write(tx, &phone, &body, now).await?;
    }
    Ok(())
}

/// Sends what is in the outbox, as soon as it is there. Runs until the server stops.
pub async fn run(app: App) {
    loop {
        app.outbox_wakes.notified().await;
        loop {
            match send_waiting(&app).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(cause = %error, "messages wait; trying again");
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
            }
        }
    }
}

#[derive(sqlx::FromRow)]
struct Message {
    id: String,
    phone: String,
    body: String,
}

/// Tries the messages that have waited longest once; gives how many there were.
///
/// # Errors
/// When the database or the gateway fails; what was sent is marked, the rest waits.
async fn send_waiting(app: &App) -> anyhow::Result<usize> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let waiting: Vec<Message> = fetch!(
        tx,
        fetch_all,
        "select id, phone, body from message
         where sent_ms is null and tries < $1 and created_ms > $2 order by created_ms, id limit 100",
        TRIES,
        now.plus(-TOO_OLD_MS).0,
    )?;
    drop(tx);
    let (count, mut failed) = (waiting.len(), None);
    for message in waiting {
        let sent = deliver(&app.delivery, &message).await;
        let mut tx = app.db.write().await?;
        match sent {
            Ok(()) => execute!(
                tx,
                "update message set sent_ms = $1 where id = $2",
                app.clock.now().0,
                &message.id
            )?,
            Err(error) => {
                failed = Some(error);
                execute!(tx, "update message set tries = tries + 1 where id = $1", &message.id)?
            }
        };
        tx.commit().await?;
    }
    failed.map_or(Ok(count), Err)
}

#[derive(Serialize)]
struct GatewayMessage<'a> {
    phone: &'a str,
    text: &'a str,
}

async fn deliver(delivery: &Delivery, message: &Message) -> anyhow::Result<()> {
    match delivery {
        Delivery::Console => {
            tracing::info!(id = %message.id, "a message is in the outbox");
            Ok(())
        }
        Delivery::Gateway { url, token, client } => {
            let body = GatewayMessage { phone: &message.phone, text: &message.body };
            let mut request = client.post(url).header("idempotency-key", &message.id).json(&body);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            // The error may quote the address, which may carry a secret: only its status or kind is told.
            let response = request.send().await.map_err(|error| error.without_url())?;
            response.error_for_status().map_err(|error| error.without_url())?;
            Ok(())
        }
    }
}
