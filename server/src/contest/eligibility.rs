//! Who may play: on the roster, of the right sex, not too often, not too many of one organisation.

use super::{Discipline, Sexes, entering::refused};
use crate::{
    db::Tx,
    error::{Error, Result},
    fetch,
};

/// A person of the roster who is to play.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) sex: Option<String>,
    pub(super) organisation_id: Option<String>,
}

/// 王小明 / 李华.
pub(super) fn joined(players: &[Named]) -> String {
    players.iter().map(|player| player.name.as_str()).collect::<Vec<_>>().join(" / ")
}

pub(super) fn team_name(text: &str) -> Result<String> {
    let name = text.trim();
    if (2..=20).contains(&name.chars().count()) {
        return Ok(name.to_owned());
    }
    Err(Error::invalid("team", "队名应为 2 到 20 个字。", "A team's name has 2 to 20 characters."))
}

pub(super) fn check_number(discipline: &Discipline, players: usize) -> Result<()> {
    let players = i64::try_from(players).unwrap_or(i64::MAX);
    let (least, most) = (discipline.players_min, discipline.players_max);
    if (least..=most).contains(&players) {
        return Ok(());
    }
    let (zh, en) = if least == most {
        (
            format!("这个项目每个报名要 {least} 人，现在是 {players} 人。"),
            format!("An entry has {least} players, not {players}."),
        )
    } else {
        (
            format!("每队 {least} 到 {most} 人，现在是 {players} 人（含您自己）。"),
            format!("A team has {least} to {most} players, not {players} (you included)."),
        )
    };
    Err(refused("players", zh, en))
}

pub(super) fn check_sexes(discipline: &Discipline, players: &[Named]) -> Result<()> {
    let count = |sex| players.iter().filter(|player| player.sex.as_deref() == Some(sex)).count();
    let (men, women) = (count("m"), count("f"));
    let (holds, zh, en) = match discipline.sex {
        None => return Ok(()),
        Some(Sexes::Men) => {
            (women == 0, "这个项目只有男选手参加。", "Only men play in this discipline.")
        }
        Some(Sexes::Women) => {
            (men == 0, "这个项目只有女选手参加。", "Only women play in this discipline.")
        }
        Some(Sexes::Mixed) => (
            men <= players.len() / 2 && women <= players.len() / 2,
            "混合双打要一男一女。",
            "Mixed doubles are a man and a woman.",
        ),
    };
    if holds { Ok(()) } else { Err(refused("sex", zh, en)) }
}

pub(super) fn already(name: &str) -> Error {
    refused(
        "already_entered",
        format!("{name} 已经报了这个项目，一人只能报一次。"),
        format!("{name} has entered this discipline already; everybody plays in it once."),
    )
}

/// Whether a person plays in this discipline already, or in as many as they may.
pub(super) async fn check_free(tx: &mut Tx, discipline: &Discipline, player: &Named) -> Result<()> {
    let rows: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select discipline_id from entry_player where person_id = $1 and event_id = $2 and left_ms is null",
        &player.id,
        &discipline.event_id,
    )?;
    if rows.iter().any(|(id,)| *id == discipline.id) {
        return Err(already(&player.name));
    }
    let limit: Option<(Option<i64>,)> = fetch!(
        tx,
        fetch_optional,
        "select per_person from contest where event_id = $1",
        &discipline.event_id
    )?;
    match limit.and_then(|(limit,)| limit) {
        Some(most) if i64::try_from(rows.len()).unwrap_or(i64::MAX) >= most => Err(refused(
            "limit_reached",
            format!("{} 在这场比赛里已报 {} 项，每人最多 {most} 项。", player.name, rows.len()),
            format!("{} has entered {} of at most {most} disciplines.", player.name, rows.len()),
        )),
        _ => Ok(()),
    }
}

pub(super) async fn check_organisation(
    tx: &mut Tx,
    discipline: &Discipline,
    organisation_id: Option<&str>,
) -> Result<()> {
    let (Some(most), Some(organisation_id)) = (discipline.organisation_max, organisation_id) else {
        return Ok(());
    };
    let (entries,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from entry where discipline_id = $1 and organisation_id = $2 and status <> 'withdrawn'",
        &discipline.id,
        organisation_id,
    )?;
    if entries < most {
        return Ok(());
    }
    Err(refused(
        "organisation_full",
        format!("贵单位在这个项目的 {most} 个名额已经报满。"),
        format!("Your organisation has all of its {most} entries in this discipline."),
    ))
}

pub(super) async fn member(tx: &mut Tx, id: &str) -> Result<Named> {
    let row: Option<Named> = fetch!(
        tx,
        fetch_optional,
        "select id, name, sex, organisation_id from person
         where id = $1 and kind = 'member' and status in ('active', 'retained')",
        id
    )?;
    row.ok_or_else(|| {
        refused(
            "not_eligible",
            "这场比赛只给工会会员。如果您已入会，请联系本单位工会核对名册。",
            "This contest is for union members. If you are one, please ask your union to check the roster.",
        )
    })
}

/// A member by name and phone: both must be right, so that nobody learns who has which number.
pub(super) async fn member_by_phone(tx: &mut Tx, name: &str, phone: &str) -> Result<Named> {
    let digits: String = phone.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let row: Option<Named> = fetch!(
        tx,
        fetch_optional,
        "select id, name, sex, organisation_id from person
         where phone = $1 and name = $2 and kind = 'member' and status in ('active', 'retained') order by id limit 1",
        digits,
        name.trim(),
    )?;
    row.ok_or_else(|| {
        refused(
            "player_unknown",
            format!(
                "名册上没有找到「{}」和这个手机号。请核对姓名和手机号，对方要是会员。",
                name.trim()
            ),
            format!(
                "The roster has no “{}” with that phone. Please check both; they must be a member.",
                name.trim()
            ),
        )
    })
}
