//! Tests of reading a fair's lists.

use super::*;

fn csv(text: &str) -> Lists {
    read(text.as_bytes(), &Limits::default()).expect("lists")
}

fn remarks(lists: &Lists) -> Vec<(&str, &str, bool)> {
    lists
        .remarks
        .iter()
        .map(|remark| (remark.cell.as_str(), remark.fault.code.as_str(), remark.stops))
        .collect()
}

#[test]
fn the_federations_workbook_is_read_whole() {
    let bytes = include_bytes!("../../../../tests/data/fair.xlsx");
    let lists = read(bytes, &Limits::default()).expect("lists");
    assert_eq!((lists.employers.len(), lists.posts.len()), (27, 185));
    assert_eq!(lists.desks, ["职工维权", "职业指导", "政策解答", "法律援助"]);
    assert_eq!(lists.posts.iter().map(|post| post.row.headcount).sum::<i64>(), 768);
    let trades: HashSet<&str> = lists.posts.iter().map(|post| post.row.trade()).collect();
    assert_eq!(trades.len(), 115);
    assert_eq!((remarks(&lists), lists.left_out), (vec![], 0));
}

#[test]
fn each_fault_names_its_cell() {
    let lists = csv(
        "招聘会岗位汇总\n序号,单位名称,岗位名称,招聘人数,月薪下限,月薪上限,职业代码,学历,招聘条件\n\
                     1,北京甲有限公司,会计,若干,4000,5000,2-06-03-00,大专,\n\
                     2,北京甲有限公司,会计,2,5000,4000,2-06-03-00,神童,\n\
                     3,北京甲有限公司,会计,2,4000,5000,2-06-03-00,大专以上,限女 35岁以下\n\
                     4,北京甲有限公司,保安,2,面议,,9-99-99-99,不限,\n",
    );
    assert_eq!(
        remarks(&lists),
        [
            ("D3", "number_invalid", true),
            ("F4", "pay_turned", true),
            ("H4", "education_unknown", true),
            ("I5", "limit_sex", false),
            ("I5", "limit_age", false),
            ("G6", "occupation_unknown", false),
        ]
    );
    assert_eq!((lists.posts.len(), lists.left_out), (2, 2));
    assert_eq!(lists.ignored_columns, [": 序号"]);
}

#[test]
fn one_employer_has_one_stand() {
    let lists = csv("企业名称,展位\n北京甲有限公司,A01\n北京乙有限公司,a01\n北京甲 有限公司,A02\n");
    assert_eq!(remarks(&lists), [("B3", "stand_twice", true), ("B4", "employer_twice", true)]);
    assert_eq!(lists.employers.len(), 1);
}

#[test]
fn an_occupation_that_does_not_exist_is_a_trade_by_name() {
    let lists = csv(
        "单位名称,岗位名称,招聘人数,职业代码\n北京甲有限公司,巡园员,2,9-99-99-99\n北京甲有限公司,保安,2,2-06-03-00\n",
    );
    assert_eq!(
        remarks(&lists),
        [("D2", "occupation_unknown", false), ("D3", "occupation_differs", false)]
    );
    assert_eq!(
        (lists.posts[0].row.trade(), lists.posts[1].row.trade()),
        ("巡园员", "会计专业人员")
    );
}

#[test]
fn a_file_that_is_no_list_of_a_fair_is_refused() {
    assert_eq!(
        read("姓名,手机\n王小明,13800138000\n".as_bytes(), &Limits::default()).err(),
        Some(ListsError::Nothing)
    );
    assert!(matches!(read(b"\xd0\xcf\x11\xe0", &Limits::default()), Err(ListsError::Sheet(_))));
}
