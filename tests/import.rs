//! Rosters as unions send them: row verdicts, nothing written twice, and no card or ID number left anywhere.

use std::{collections::HashSet, fs, path::Path, process::Command, time::Instant};

use turnout_server::{fetch, web::access::Role};

use crate::support::{TestApp, data, on_both, people::bin};

/// What the command said.
struct Said {
    status: i32,
    text: String,
}

impl Said {
    /// Rows as (row, verdict, codes in order).
    fn rows(&self) -> Vec<(u32, &str, Vec<&str>)> {
        let mut rows: Vec<(u32, &str, Vec<&str>)> = Vec::new();
        for line in self.text.lines().filter(|line| line.contains('\t')) {
            let cells: Vec<&str> = line.split('\t').collect();
            let row = cells[1].parse().expect("a row number");
            match rows.last_mut() {
                Some((last, _, codes)) if *last == row => codes.extend(cells.get(5)),
                _ => rows.push((row, cells[2], cells.get(5).copied().into_iter().collect())),
            }
        }
        rows
    }

    fn count(&self, verdict: &str) -> usize {
        self.rows().iter().filter(|row| row.1 == verdict).count()
    }
}

/// Runs `turnout-server import` on the test's own database, saying all it can say; but for mio, which prints addresses in
/// memory as decimal numbers: one in ten has a valid check digit.
fn import(app: &TestApp, kind: &str, file: &Path, arguments: &[&str]) -> Said {
    import_logging(app, "trace,mio=off", kind, file, arguments)
}

fn import_logging(app: &TestApp, log: &str, kind: &str, file: &Path, arguments: &[&str]) -> Said {
    let output = Command::new(bin("turnout-server"))
        .args(["import", kind])
        .arg(file)
        .args(arguments)
        .arg("--data")
        .arg(app.folder.path())
        .args(["--database", &app.database])
        .env("RUST_LOG", log)
        .output()
        .expect("the server runs");
    let logs = String::from_utf8(output.stderr).expect("UTF-8");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!logs.contains("panicked"), "{logs}");
    assert_eq!(card_like(logs.as_bytes()), None, "a card number in the logs");
    assert_eq!(card_like(text.as_bytes()), None, "a card number in the output");
    assert_eq!(id_like(logs.as_bytes()).or(id_like(text.as_bytes())), None, "an ID number is said");
    Said { status: output.status.code().expect("an exit code"), text }
}

async fn state(app: &TestApp) -> (i64, i64, i64, i64) {
    let mut tx = app.app.db.read().await.expect("read");
    fetch!(
        tx,
        fetch_one,
        "select (select count(*) from person), (select count(*) from card), (select revision from roster),
         (select count(*) from organisation)"
    )
    .expect("counts")
}

on_both! {
    async fn the_federations_roster_imports_and_again_changes_nothing(app) {
        let organisations = import(&app, "organisations", &data("organisations.xlsx"), &[]);
        assert_eq!((organisations.status, organisations.count("new")), (0, 467));
        let dry = import(&app, "members", &data("members.xlsx"), &["--dry-run"]);
        assert_eq!((dry.status, dry.count("new")), (0, 7_370));
        assert_eq!(state(&app).await, (0, 0, 0, 467 + 50));
        let begun = Instant::now();
        let members = import_logging(&app, "info", "members", &data("members.xlsx"), &[]);
        // Told, not asserted: other tests run beside it.
        println!("7,370 members in {:?}", begun.elapsed());
        assert_eq!((members.status, members.count("new")), (0, 7_370));
        let after = state(&app).await;
        assert_eq!(after, (7_370, 7_370, 7_370, 467 + 50));
        for (kind, file, rows) in [
            ("members", "members.xlsx", 7_370),
            ("members", "members.csv", 7_370),
            ("organisations", "organisations.xlsx", 467),
        ] {
            let again = import(&app, kind, &data(file), &[]);
            assert_eq!((again.status, again.count("unchanged")), (0, rows), "{file}");
        }
        assert_eq!(state(&app).await, after);
        holds_no_number(&app);
    }

    async fn a_nasty_file_gets_the_right_verdict_per_row(app) {
        app.union("南宫联合工会").await;
        app.union("怪村联合工会").await;
        let file = app.folder.path().join("../").join(format!("nasty-{}.csv", turnout_server::db::new_id(app.now())));
        let write = |rows: &str| {
            let text = format!("王佐镇总工会会员名册,,,,,,,\n填表日期：2027-03-05,,,,,,,\n\n{rows}");
            fs::write(&file, gb18030(&text)).expect("written");
        };
        write(FIRST);
        let first = import(&app, "members", &file, &[]);
        assert_eq!(first.rows(), [(5, "new", vec![]), (6, "new", vec![]), (7, "new", vec!["id_missing"])]);
        write(NASTY);
        let expected = [
            (5, "unchanged", vec![]),
            (6, "update", vec![]),
            (7, "conflict", vec!["same_person"]),
            (8, "error", vec!["id_check_digit"]),
            (9, "error", vec!["number_destroyed"]),
            (10, "error", vec!["id_old_form", "phone_invalid", "card_invalid"]),
            (11, "error", vec!["name_invalid", "date_future"]),
            (12, "error", vec!["card_foreign"]),
            (13, "error", vec!["card_taken"]),
            (14, "error", vec!["missing", "title_invalid"]),
            (15, "new", vec!["phone_shared"]),
            (16, "unchanged", vec!["row_twice", "phone_shared"]),
            (17, "new", vec!["phone_shared"]),
        ];
        let dry = import(&app, "members", &file, &["--dry-run"]);
        let before = state(&app).await;
        assert_eq!(without_known_order(dry.rows()), without_known_order(expected.to_vec()));
        assert_eq!(dry.status, 1);
        assert!(dry.text.contains("# 未使用的列 column not used: 血型"), "{}", dry.text);
        let done = import(&app, "members", &file, &[]);
        assert_eq!((done.status, done.rows()), (1, dry.rows()));
        let after = state(&app).await;
        assert_eq!(after.0, before.0 + 2);
        let again = import(&app, "members", &file, &[]);
        assert_eq!((again.count("new"), again.count("update")), (0, 0));
        assert_eq!(state(&app).await, after);
        fs::remove_file(&file).expect("removed");
        holds_no_number(&app);
    }

    async fn an_organizer_uploads_looks_and_confirms(app) {
        app.union("南宫联合工会").await;
        app.union("怪村联合工会").await;
        let organizer = app.staff(Role::Organizer).await;
        let text = format!("{FIRST}李雷,110105194912310021,19900000077,南宫联合工会,,,,\n");
        let preview = upload(&app, &organizer, "members", &text).await.expect("a preview");
        let page = app.get(&preview, &organizer).await;
        assert!(page.text.contains("导入 3 行") && page.text.contains("id_check_digit"), "{}", page.text);
        assert_eq!(state(&app).await.0, 0);
        let other = app.staff(Role::Organizer).await;
        assert_eq!(app.get(&preview, &other).await.status, 404);
        let stolen = post_form(&app, &format!("{preview}/confirmation"), &other).await;
        assert_eq!(stolen, 404);
        for _double_tap in 0..2 {
            assert_eq!(post_form(&app, &format!("{preview}/confirmation"), &organizer).await, 303);
        }
        let page = app.get(&preview, &organizer).await;
        assert!(page.text.contains("已导入") && page.text.contains("新增 3 行"), "{}", page.text);
        assert_eq!(state(&app).await.0, 3);
        let again = upload(&app, &organizer, "members", &text).await.expect("a preview");
        assert!(app.get(&again, &organizer).await.text.contains("没有要写入的内容"));
        assert_eq!(post_form(&app, &format!("{again}/discard"), &organizer).await, 303);
        assert_eq!(app.get(&again, &organizer).await.status, 404);
        let soon = upload(&app, &organizer, "members", &text).await.expect("a preview");
        app.advance(31 * 60_000);
        assert_eq!(app.get(&soon, &organizer).await.status, 404);
        let refusal = upload(&app, &organizer, "members", "姓名,手机\n王小明,19900000001\n").await;
        let refusal = refusal.expect_err("no listing");
        assert!(refusal.contains("证件号码、所属工会"), "{refusal}");
        holds_no_number(&app);
    }
}

const FIRST: &str = "姓　名*,身份证（必填）,手机,工会,京卡号,入会时间,性别,血型\n\
    王小明,110106187203165852,19900000001,南宫联合工会,6214680000000008,2017年3月5日,男,O\n\
    刘诗龙,110106188506012196,+86 199 0000 0002,南宫联合工会,６０２９６９０００００００００２,42799,男,A\n\
    赵敏,,19900000003,怪村联合工会,,20170305,,\n";

const NASTY: &str = "姓　名*,身份证（必填）,手机,工会,京卡号,入会时间,性别,血型\n\
    王 小 明,１１０１０６１８７２０３１６５８５２,0086-19900000001,南宫联合工会,6214 6800 0000 0008,2017.3.5,1,\n\
    刘诗龙,110106188506012196,19900000022,南宫联合工会,6029690000000002,2017/03/05,男,\n\
    赵敏,110106188912132564,19900000003,怪村联合工会,,2017-3-5,女,\n\
    错一位,110106186809129318,19900000004,南宫联合工会,,,,\n\
    科学计,1.10106E+17,19900000005,南宫联合工会,,,,\n\
    旧证号,110105491231002,1990000000,南宫联合工会,6214680000000009,,,\n\
    6210300000000007,110106187501187080,19900000006,南宫联合工会,,2030-01-01,女,\n\
    别家卡,110106188708031520,19900000007,南宫联合工会,4111111111111111,,女,\n\
    偷卡者,110106189207107624,19900000008,南宫联合工会,6214680000000008,,女,\n\
    没电话,110106188608178162,,火星110106188608178162工会,,,,\n\
    新来的,110106186708050044,19900000009,南宫联合工会,6210300000000080,2014-10-07,女,\n\
    新来的,110106186708050044,19900000009,南宫联合工会,6210300000000080,2014-10-07,女,\n\
    同机号,110106189609026632,19900000009,怪村联合工会,,2016-10-09,男,\n";

/// The same with each row's codes sorted: their order says nothing.
fn without_known_order<'a>(
    rows: Vec<(u32, &'a str, Vec<&'a str>)>,
) -> Vec<(u32, &'a str, Vec<&'a str>)> {
    let sorted = |(row, verdict, mut codes): (u32, &'a str, Vec<&'a str>)| {
        codes.sort_unstable();
        (row, verdict, codes)
    };
    rows.into_iter().map(sorted).collect()
}

fn gb18030(text: &str) -> Vec<u8> {
    let (bytes, _, lossy) = encoding_rs::GB18030.encode(text);
    assert!(!lossy);
    bytes.into_owned()
}

/// Uploads a file as a browser does; gives the preview's path, or the page that refuses.
async fn upload(app: &TestApp, token: &str, kind: &str, text: &str) -> Result<String, String> {
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\n{kind}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"名册.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n{text}\r\n--b--\r\n"
    );
    let answer = app
        .http
        .post(format!("{}/admin/import", app.url))
        .bearer_auth(token)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(body)
        .send()
        .await
        .expect("the server answers");
    match answer.headers().get("location") {
        Some(path) => Ok(path.to_str().expect("a path").to_owned()),
        None => Err(answer.text().await.expect("a page")),
    }
}

async fn post_form(app: &TestApp, path: &str, token: &str) -> u16 {
    let request = app.http.post(format!("{}{path}", app.url)).bearer_auth(token);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.send().await.expect("the server answers").status().as_u16()
}

/// Searches every file of the test's folder (the database and its log beside it), or a dump of PostgreSQL.
#[track_caller]
fn holds_no_number(app: &TestApp) {
    let mut searched = 0;
    for entry in fs::read_dir(app.folder.path()).expect("the folder").flatten() {
        // The folder of keys holds no data.
        if entry.path().is_file() {
            let bytes = fs::read(entry.path()).expect("readable");
            assert_eq!(card_like(&bytes), None, "{}", entry.path().display());
            assert_eq!(id_like(&bytes), None, "{}", entry.path().display());
            searched += bytes.len();
        }
    }
    if !app.database.starts_with("sqlite") {
        let output =
            Command::new("pg_dump").args(["--data-only", "--inserts", &app.database]).output();
        let dump = output.expect("pg_dump runs").stdout;
        // Fingerprints are hexadecimal here and hold runs of digits by chance, so known numbers are looked for.
        let known = known_numbers();
        for length in [16, 18] {
            let found = dump.windows(length).find(|window| known.contains(*window));
            assert_eq!(found, None);
        }
        searched += dump.len();
    }
    assert!(searched > 1_000, "nothing was searched");
}

/// Every card and ID number of the federation's list and of this file.
fn known_numbers() -> HashSet<Vec<u8>> {
    let list = fs::read_to_string(data("members.csv")).expect("the list");
    let runs = |text: &str| -> Vec<Vec<u8>> {
        let digits = |c: char| c.is_ascii_digit() || c == 'X';
        text.split(|c| !digits(c)).filter(|run| run.len() > 15).map(|run| run.into()).collect()
    };
    [runs(&list), runs(FIRST), runs(NASTY)].concat().into_iter().collect()
}

/// The first run of 13 to 19 digits with a valid check digit, in ASCII or UTF-16, if there is one.
fn card_like(bytes: &[u8]) -> Option<String> {
    runs(bytes).into_iter().find(|run| (13..=19).contains(&run.len()) && luhn(run))
}

/// The first run that is an ID number, if there is one.
fn id_like(bytes: &[u8]) -> Option<String> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    runs(bytes).into_iter().find(|run| {
        let run = run.as_bytes();
        let digits = run.iter().take(17).map(|digit| u32::from(digit - b'0'));
        let sum: u32 = digits.zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
        run.len() == 18 && b"10X98765432"[sum as usize % 11] == run[17]
    })
}

/// Runs of digits (an X may end them), in ASCII and in UTF-16.
fn runs(bytes: &[u8]) -> Vec<String> {
    let ascii = bytes.to_vec();
    let halves =
        [0, 1].map(|skip| bytes.iter().skip(skip).step_by(2).copied().collect::<Vec<u8>>());
    let others =
        [1, 0].map(|skip| bytes.iter().skip(skip).step_by(2).copied().collect::<Vec<u8>>());
    let mut found = runs_of(&ascii);
    // In UTF-16 every other byte of a digit is zero; elsewhere a run is not one.
    for (half, other) in halves.into_iter().zip(others) {
        let padded =
            |(at, byte): (usize, &u8)| if other.get(at) == Some(&0) { *byte } else { b' ' };
        let only_utf16: Vec<u8> = half.iter().enumerate().map(padded).collect();
        found.extend(runs_of(&only_utf16));
    }
    found
}

fn runs_of(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut run = String::new();
    for &byte in bytes.iter().chain(b" ") {
        match byte {
            b'0'..=b'9' => run.push(char::from(byte)),
            _ => {
                if byte == b'X' && run.len() == 17 {
                    run.push('X');
                }
                if run.len() > 12 {
                    found.push(std::mem::take(&mut run));
                }
                run.clear();
            }
        }
    }
    found
}

fn luhn(run: &str) -> bool {
    let digits = run.bytes().rev().enumerate();
    let sum: u32 = digits
        .map(|(at, digit)| {
            let digit = u32::from(digit.wrapping_sub(b'0'));
            if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    run.bytes().all(|byte| byte.is_ascii_digit()) && sum.is_multiple_of(10)
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let utf_16: Vec<u8> = " 6214680000000008 ".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(card_like(b"x6214680000000008y").is_some() && card_like(&utf_16).is_some());
    assert!(card_like(b"x6214680000000009y").is_none());
    assert!(id_like(b"x11010519491231002Xy").is_some() && id_like(b"110106187203165852").is_some());
}
