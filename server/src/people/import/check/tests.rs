//! The checks against the standards' own examples and against any text at all.

use jiff::civil;
use proptest::prelude::*;

use super::*;

fn today() -> Date {
    civil::date(2017, 9, 1)
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> &'static str {
    outcome.expect_err("a fault").code.as_str()
}

#[test]
fn the_standards_own_id_number_is_valid_in_every_writing() {
    let key = CardKey::new([7; 32]);
    let plain = IdNumber::read("11010519491231002X").expect("valid");
    assert_eq!(plain.sex(), Sex::Female);
    for number in
        ["11010519491231002x", "１１０１０５１９４９１２３１００２Ｘ", " 110105 19491231 002X "]
    {
        let other = IdNumber::read(number).expect(number);
        assert_eq!(other.fingerprint(&key), plain.fingerprint(&key));
    }
    // The federation's synthetic people were born in the nineteenth century.
    assert_eq!(IdNumber::read("110106187203165852").expect("valid").sex(), Sex::Male);
}

#[test]
fn a_wrong_id_number_tells_what_is_wrong_and_stays_masked() {
    for (number, expected) in [
        ("110105194912310021", "id_check_digit"),
        ("110105491231002", "id_old_form"),
        ("11010519491231002", "id_invalid"),
        ("护照E12345678", "id_invalid"),
        ("1101051949123100２Y", "id_invalid"),
        ("110105194912310000", "number_destroyed"),
        ("110105194913310021", "id_birth"),
        ("", "id_invalid"),
    ] {
        let fault = IdNumber::read(number).expect_err(number);
        assert_eq!(fault.code.as_str(), expected, "{number}");
        assert!(!text::has_long_number(&fault.shown), "{}", fault.shown);
    }
    let fault = IdNumber::read("110105194912310021").expect_err("wrong check digit");
    assert_eq!(fault.shown, "1101**********0021");
}

#[test]
fn an_id_and_a_card_never_share_a_fingerprint() {
    let key = CardKey::new([7; 32]);
    let id = IdNumber::read("110106187203165852").expect("valid");
    assert_ne!(id.fingerprint(&key), key.fingerprint(b"110106187203165852"));
}

#[test]
fn names_have_one_form() {
    for (written, kept) in [
        ("王小明", "王小明"),
        (" 张　三 ", "张三"),
        ("阿卜杜拉•买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉．买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉・买买提", "阿卜杜拉·买买提"),
        ("Ａｎｎａ  Berg", "Anna Berg"),
    ] {
        assert_eq!(name(written).expect(written), kept);
    }
    for wrong in ["", "王", "王3", "·王小", "王小明(退休)", &"王".repeat(31), "6210300000000007"]
    {
        assert_eq!(code(name(wrong)), "name_invalid", "{wrong}");
    }
    let fault = name("王6210300000000007").expect_err("no name");
    assert!(!text::has_long_number(&fault.shown));
}

#[test]
fn phones_lose_their_decoration() {
    for written in [
        "13800138000",
        "+86 138 0013 8000",
        "0086-138-0013-8000",
        "８６１３８００１３８０００",
        "(+86)13800138000",
    ] {
        assert_eq!(phone(written).expect(written), "13800138000");
    }
    for wrong in ["12800138000", "1380013800", "138001380000", "010-83312345", "", "138001380oo"] {
        assert_eq!(code(phone(wrong)), "phone_invalid", "{wrong}");
    }
    assert_eq!(phone("12800138000").expect_err("wrong").shown, "128****8000");
}

#[test]
fn credit_codes_are_checked() {
    assert_eq!(uscc("91110106ma00tekt0j").expect("valid"), "91110106MA00TEKT0J");
    assert_eq!(uscc("９１１１０１０６ MA00TEKT0J").expect("valid"), "91110106MA00TEKT0J");
    assert_eq!(code(uscc("91110106MA00TEKT0K")), "uscc_check_digit");
    for wrong in ["91110106MA00TEKT0", "91110106MA00TEKT0I", "9111010XMA00TEKT0J", "", "91110106-5"]
    {
        assert_eq!(code(uscc(wrong)), "uscc_invalid", "{wrong}");
    }
}

#[test]
fn cards_need_the_check_digit_and_a_union_cards_issuer() {
    let key = CardKey::new(std::array::from_fn(|at| at as u8));
    let bins = ["602969".to_owned(), "621468".to_owned()];
    let kept = card("６２１４ 6800 0000 0008", &bins, &key).expect("valid");
    assert_eq!(kept.last4, "0008");
    assert!(String::from(kept.fingerprint).starts_with("ab090e083c9b27e6"));
    let wrong = card("6214680000000009", &bins, &key).expect_err("Luhn");
    assert_eq!((wrong.code, wrong.shown.as_str()), (Code::CardInvalid, "**** 0009"));
    assert_eq!(code(card("6231110000000005", &bins, &key)), "card_foreign");
    assert!(card("6231110000000005", &[], &key).is_ok());
}

#[test]
fn dates_come_in_many_forms() {
    for written in [
        "2017-3-5",
        "2017-03-05",
        "2017.3.5",
        "2017/03/05",
        "20170305",
        "2017年3月5日",
        "2017 年 03 月 05 日",
        "２０１７－０３－０５",
        "42799",
        "2017-03-05 00:00:00",
        "2017/3/5 0:00",
        "2017-03-05T00:00:00",
    ] {
        assert_eq!(date(written, today()).expect(written), civil::date(2017, 3, 5), "{written}");
    }
    for wrong in [
        "17-3-5",
        "2017-13-1",
        "2017-2-30",
        "2017",
        "2017.3",
        "三月五日",
        "",
        "1-2-3-4",
        "99999999",
    ] {
        assert_eq!(code(date(wrong, today())), "date_invalid", "{wrong}");
    }
    assert_eq!(code(date("2017-09-02", today())), "date_future");
    assert!(date("2017-09-01", today()).is_ok());
}

#[test]
fn words_of_the_forms_are_understood() {
    assert_eq!(standing(" 在籍 ").expect("known"), Standing::Active);
    assert_eq!(standing("保留会籍").expect("known"), Standing::Retained);
    assert_eq!(code(standing("活跃")), "standing_unknown");
    assert_eq!(unionisation("已建会（联合覆盖）").expect("known"), Unionisation::Covered);
    assert_eq!(unionisation("已建会(独立)").expect("known"), Unionisation::Independent);
    assert_eq!(code(unionisation("不详")), "unionisation_unknown");
    assert_eq!(sex("1").expect("known"), Sex::Male);
    assert_eq!(sex("女").expect("known"), Sex::Female);
    assert_eq!(code(sex("3")), "sex_unknown");
}

proptest! {
    #[test]
    fn no_text_panics_and_no_fault_shows_a_number(value in "\\PC*|[0-9０-９xX\\- .年月日/+]{0,24}") {
        let key = CardKey::new([0; 32]);
        let faults = [
            name(&value).err(),
            title(&value).err(),
            phone(&value).err(),
            sex(&value).err(),
            uscc(&value).err(),
            card(&value, &[], &key).err(),
            date(&value, today()).err(),
            standing(&value).err(),
            unionisation(&value).err(),
            IdNumber::read(&value).err(),
        ];
        for fault in faults.into_iter().flatten() {
            prop_assert!(!text::has_long_number(&fault.shown), "{:?}", fault);
        }
    }

    #[test]
    fn one_wrong_digit_in_an_id_number_is_noticed(at in 0_usize..17, by in 1_u8..10) {
        let mut digits = *b"110106187203165852";
        digits[at] = b'0' + (digits[at] - b'0' + by) % 10;
        let number = std::str::from_utf8(&digits).expect("digits");
        prop_assert!(IdNumber::read(number).is_err());
    }
}
