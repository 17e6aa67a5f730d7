//! Rosters as unions send them: row verdicts, nothing written twice, and no card or ID number left anywhere.

use std::{collections::HashSet, fs, path::Path, process::Command, sync::LazyLock, time::Instant};

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

/// Runs `turnout-server import` on the test's own database, saying all it can say.
fn import(app: &TestApp, kind: &str, file: &Path, arguments: &[&str]) -> Said {
    import_logging(app, "trace", kind, file, arguments)
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
    assert_eq!(known_number(logs.as_bytes()), None, "a card or ID number in the logs");
    assert_eq!(known_number(text.as_bytes()), None, "a card or ID number in the output");
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
            assert_eq!(known_number(&bytes), None, "{}", entry.path().display());
            searched += bytes.len();
        }
    }
    if !app.database.starts_with("sqlite") {
        let output =
            Command::new("pg_dump").args(["--data-only", "--inserts", &app.database]).output();
        let dump = output.expect("pg_dump runs").stdout;
        assert_eq!(known_number(&dump), None, "the dump");
        searched += dump.len();
    }
    assert!(searched > 1_000, "nothing was searched");
}

/// Every card and ID number of the federation's list and of this file's rows, well formed or not. Only known numbers are looked
/// for: fingerprints, times and addresses hold runs of digits that look like one by chance.
static KNOWN: LazyLock<HashSet<Vec<u8>>> = LazyLock::new(|| {
    let list = fs::read_to_string(data("members.csv")).expect("the list");
    let mut known = HashSet::new();
    for cell in [&list, FIRST, NASTY].iter().flat_map(|text| text.split([',', '\n'])) {
        let narrow = cell.chars().filter(|c| *c != ' ').map(|c| match c {
            '０'..='９' => char::from_digit(c as u32 - '０' as u32, 10).expect("a digit"),
            _ => c,
        });
        let narrow: String = narrow.collect();
        known.extend(
            runs(narrow.as_bytes()).filter(|run| LENGTHS.contains(&run.len())).map(<[u8]>::to_vec),
        );
    }
    assert!(known.len() > 14_000, "an ID and a card number of each member: {}", known.len());
    known
});

/// The lengths of an ID number of the old form, a card number and an ID number.
const LENGTHS: [usize; 3] = [15, 16, 18];

/// The first known card or ID number in some bytes, in ASCII or UTF-16, if there is one.
fn known_number(bytes: &[u8]) -> Option<String> {
    // In UTF-16 every other byte of a digit is zero.
    let utf16 = [0, 1].map(|zero| -> Vec<u8> {
        let pairs = bytes[zero.min(bytes.len())..].chunks_exact(2);
        pairs.map(|pair| if pair[1] == 0 { pair[0] } else { b' ' }).collect()
    });
    [bytes, &utf16[0], &utf16[1]].into_iter().find_map(|bytes| {
        let mut candidates =
            runs(bytes).flat_map(|run| LENGTHS.into_iter().flat_map(|length| run.windows(length)));
        let found = candidates.find(|window| KNOWN.contains(*window))?;
        Some(String::from_utf8_lossy(found).into_owned())
    })
}

/// Runs of digits; an X may be among them.
fn runs(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| !byte.is_ascii_digit() && *byte != b'X')
        .filter(|run| run.len() >= LENGTHS[0])
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let utf16: Vec<u8> = "卡6210300000000007".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(known_number(&utf16).as_deref(), Some("6210300000000007"));
    assert_eq!(known_number(&utf16[1..]).as_deref(), Some("6210300000000007"));
    let beside = known_number(b"19900000000110106187203165852");
    assert_eq!(beside.as_deref(), Some("110106187203165852"), "a number glued to another");
    assert_eq!(known_number("证 110105491231002".as_bytes()).as_deref(), Some("110105491231002"));
    assert_eq!(known_number(b"elapsed_secs=1.2345678901234564 4111111111111112"), None);
    assert_eq!(known_number(b""), None);
}
