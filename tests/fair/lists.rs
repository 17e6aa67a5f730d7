//! What is offered: lists brought in, searched, marked; and how anybody gets a ticket.

use turnout_server::{fetch, web::access::Role};

use super::{between, fair, import, page, send};
use crate::support::{TestApp, data, on_both};

async fn counts(app: &TestApp) -> (i64, i64, i64, i64) {
    let mut tx = app.app.db.read().await.expect("read");
    fetch!(
        tx,
        fetch_one,
        "select (select count(*) from employer), (select count(*) from post), (select count(*) from desk),
                (select cast(coalesce(sum(headcount), 0) as bigint) from post)",
    )
    .expect("counts")
}

on_both! {
    async fn the_federations_lists_import_and_again_change_nothing(app) {
        let (event, _) = app.event(|draft| draft["kind"] = "fair".into()).await;
        let dry = import(&app, &data("fair.xlsx"), &event, &["--dry-run"]);
        assert!(dry.contains("试运行") && dry.contains("参会单位 employers: 新增 new 27"), "{dry}");
        assert_eq!(counts(&app).await, (0, 0, 0, 0));
        let first = import(&app, &data("fair.xlsx"), &event, &[]);
        assert!(first.contains("招聘岗位 posts: 新增 new 185") && first.contains("咨询台 desks: 新增 new 4"), "{first}");
        assert_eq!(counts(&app).await, (27, 185, 4, 768));
        let again = import(&app, &data("fair.xlsx"), &event, &[]);
        assert!(again.contains("新增 new 0 · 更新 updated 0 · 不变 unchanged 185"), "{again}");
        assert_eq!(counts(&app).await, (27, 185, 4, 768));
        assert!(import(&app, &data("fair.xlsx"), "nowhere", &[]).contains("没有活动"));
    }

    async fn an_organizer_imports_and_is_told_the_cells(app) {
        let (event, _) = app.event(|draft| draft["kind"] = "fair".into()).await;
        let organizer = app.staff(Role::Organizer).await;
        let upload = |file: &'static str, trial: bool| {
            let part = |name: &str, body: &str| format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"{body}\r\n");
            let body = part("file", &format!("; filename=\"fair.csv\"\r\n\r\n{file}"))
                + &if trial { part("trial", "\r\n\r\n1") } else { String::new() }
                + "--b--\r\n";
            let request = app.http.post(format!("{}/admin/events/{event}/fair/import", app.url)).bearer_auth(&organizer);
            request.header("content-type", "multipart/form-data; boundary=b").body(body)
        };
        const LIST: &str = "单位名称,展位号\n北京甲有限公司,A01\n北京乙有限公司,A01\n";
        let told = upload(LIST, true).send().await.expect("answer").text().await.expect("text");
        assert!(told.contains("只是检查") && told.contains("B3") && told.contains("一家单位一个展位"), "{told}");
        assert_eq!(counts(&app).await.0, 0);
        upload(LIST, false).send().await.expect("answer");
        const POSTS: &str = "单位名称,岗位名称,招聘人数,招聘条件\n北京甲有限公司,会计,2,限女 35岁以下\n北京丙有限公司,保安,1,\n";
        let told = upload(POSTS, false).send().await.expect("answer").text().await.expect("text");
        assert!(told.contains("D2") && told.contains("就业促进法") && told.contains("参会单位里没有这家单位"), "{told}");
        assert_eq!(counts(&app).await, (1, 1, 0, 2));
        let refused = upload("姓名,手机\n王小明,1\n", false).send().await.expect("answer");
        assert_eq!(refused.status(), 422);
    }

    async fn posts_are_found_and_marked_without_signing_in(app) {
        let (event, _) = fair(&app).await;
        let all = page(&app, &format!("/events/{event}/fair"), "").await;
        assert!(all.contains("27 家单位，185 个岗位在招") && all.contains("1 / 7"), "{all}");
        let found = page(&app, &format!("/events/{event}/fair?q=裁缝&pay=9000&education=junior"), "").await;
        let found = between(&found, "rows posts", "</section>");
        assert!(found.contains("裁缝") && !found.contains("儿科护士"), "{found}");
        let nothing = page(&app, &format!("/events/{event}/fair?q=宇航员"), "").await;
        assert!(nothing.contains("没有合适的岗位"), "{nothing}");

        let marks = format!("/events/{event}/fair/marks");
        let sent = send(&app, &marks, ("", ""), &[("post", "3"), ("mark", "yes")]).await;
        let cookie = sent.cookie.clone();
        sent.leads_to("/fair");
        let with_cookie = app.http.get(format!("{}/events/{event}/fair?marked=1", app.url)).header("cookie", &cookie);
        let marked = with_cookie.send().await.expect("answer").text().await.expect("text");
        assert!(marked.contains("找到 1 个岗位") && marked.contains("已收藏"), "{marked}");

        // Signing in takes the marks along with the next one.
        let member = app.member("王小明").await;
        send(&app, &marks, (&member.token, &cookie), &[("post", "5"), ("mark", "yes")]).await.leads_to("/fair");
        let marked = page(&app, &format!("/events/{event}/fair?marked=1"), &member.token).await;
        assert!(marked.contains("找到 2 个岗位"), "{marked}");
        send(&app, &marks, (&member.token, ""), &[("post", "3"), ("mark", "no")]).await.leads_to("/fair");
        let marked = page(&app, &format!("/events/{event}/fair?marked=1"), &member.token).await;
        assert!(marked.contains("找到 1 个岗位"), "{marked}");
        assert_eq!(send(&app, &marks, ("", ""), &[("post", "999"), ("mark", "yes")]).await.answer.status.as_u16(), 404);

        let post = page(&app, &format!("/events/{event}/fair/posts/1"), "").await;
        assert!(post.contains("耐火材料烧成工") && post.contains("3600–6100 元/月") && post.contains("A01"), "{post}");
        let employer = between(&post, "/fair/employers/", "\"").to_owned();
        assert!(page(&app, &format!("/events/{event}/fair/employers/{employer}"), "").await.contains("个岗位，共招"));
        let (elsewhere, _) = app.event(|draft| draft["kind"] = "fair".into()).await;
        assert_eq!(app.get(&format!("/events/{elsewhere}/fair/employers/{employer}"), "").await.status.as_u16(), 404);
    }

    async fn anybody_gets_a_ticket_with_a_phone_and_a_name(app) {
        let (event, _) = fair(&app).await;
        let entry = format!("/events/{event}/fair/entry");
        let guest = app.guest_token("13812345678").await;
        let asked = page(&app, &entry, &guest).await;
        assert!(asked.contains("id=\"name\"") && !asked.contains("来宾5678"), "{asked}");
        let again = send(&app, &entry, (&guest, ""), &[("name", "1"), ("key", "k1")]).await.page(422);
        assert!(again.contains("name-fault"), "{again}");
        let fields = [("name", "赵 大力"), ("education", "senior"), ("wish", "仓库管理"), ("key", "k1")];
        let ticket = send(&app, &entry, (&guest, ""), &fields).await.leads_to("/tickets/");
        let shown = page(&app, &ticket, &guest).await;
        assert!(shown.contains("赵大力"), "{shown}");
        // Coming back leads to the same ticket.
        let back = app.get(&entry, &guest).await;
        assert_eq!(back.status.as_u16(), 303);
        assert_eq!(send(&app, &entry, (&guest, ""), &fields).await.leads_to("/tickets/"), ticket);

        let member = app.member("王小明").await;
        let asked = page(&app, &entry, &member.token).await;
        assert!(asked.contains("王小明") && !asked.contains("id=\"name\""), "{asked}");
        send(&app, &entry, (&member.token, ""), &[("key", "k2")]).await.leads_to("/tickets/");
    }

    async fn who_has_no_phone_at_hand_is_registered_at_the_entrance(app) {
        let (event, _) = fair(&app).await;
        let desk = format!("/admin/events/{event}/fair/registration");
        let volunteer = app.staff(Role::Volunteer).await;
        let leads = page(&app, &format!("/admin/events/{event}/desks"), &volunteer).await;
        assert!(leads.contains(&desk), "{leads}");
        let asked = page(&app, &desk, &volunteer).await;
        assert!(asked.contains("id=\"name\""), "{asked}");
        for (fields, fault) in [([("name", "1"), ("phone", "")], "name-fault"), ([("name", "赵大力"), ("phone", "12345")], "phone-fault")] {
            let again = send(&app, &desk, (&volunteer, ""), &fields).await.page(422);
            assert!(again.contains(fault), "{fault}: {again}");
        }
        let key = between(&asked, "name=\"key\" value=\"", "\"");
        // A name is enough; the ticket stands there to be scanned, and admits.
        let made = send(&app, &desk, (&volunteer, ""), &[("name", "赵大力"), ("key", key)]).await.leads_to("?ticket=");
        let shown = page(&app, &made, &volunteer).await;
        assert!(shown.contains("赵大力") && shown.contains("<svg"), "{shown}");
        let ticket = |address: &str| address.split("ticket=").nth(1).expect("a ticket").to_owned();
        let gate = app.kiosk(&event, "东门").await;
        assert_eq!(gate.check(&ticket(&made)).await, admission::Verdict::Admitted);
        // The same tap is one ticket, another visitor of that name is another.
        let twice = send(&app, &desk, (&volunteer, ""), &[("name", "赵大力"), ("key", key)]).await.leads_to("?ticket=");
        assert_eq!(ticket(&twice), ticket(&made));
        let other = send(&app, &desk, (&volunteer, ""), &[("name", "赵大力"), ("key", "k2")]).await.leads_to("?ticket=");
        assert_ne!(ticket(&made), ticket(&other));
        // Who is known by name and phone has one ticket, whoever asks; a member's is the member's.
        let member = app.member("王小明").await;
        let known = [("name", "王小明"), ("phone", member.phone.as_str()), ("key", "k3")];
        let first = send(&app, &desk, (&volunteer, ""), &known).await.leads_to("?ticket=");
        let again = [("name", "王小明"), ("phone", member.phone.as_str()), ("key", "k4")];
        assert_eq!(send(&app, &desk, (&volunteer, ""), &again).await.leads_to("?ticket="), first);
        let own = page(&app, &format!("/tickets/{}", ticket(&first)), &member.token).await;
        assert!(own.contains("王小明"), "{own}");
    }
}
