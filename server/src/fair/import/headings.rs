//! What the columns of a fair's lists are called.

use crate::people::import::headings::{Column, Columns, column};

/// A list that a sheet of the workbook holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// What is offered.
    Posts,
    /// Who stands where.
    Employers,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Employer,
    Uscc,
    Stand,
    Unionisation,
    Contact,
    Phone,
    Post,
    Occupation,
    Headcount,
    PayFrom,
    PayTo,
    Education,
    Place,
    Work,
    Conditions,
    Benefits,
    Insurance,
}

const EMPLOYER: &[&str] = &[
    "单位名称",
    "参会单位",
    "企业名称",
    "用人单位",
    "招聘单位",
    "公司名称",
    "单位全称",
    "单位",
    "企业",
    "employer",
    "company",
];
const STAND: &[&str] =
    &["展位号", "展位", "摊位号", "摊位", "席位", "stand", "booth", "boothnumber"];

const EMPLOYERS: &[Column<Field>] = &[
    column(Field::Employer, true, EMPLOYER),
    column(Field::Stand, true, STAND),
    column(
        Field::Uscc,
        false,
        &["统一社会信用代码", "社会信用代码", "信用代码", "组织机构代码", "uscc", "creditcode"],
    ),
    column(
        Field::Unionisation,
        false,
        &["建会状态", "建会情况", "工会状态", "是否建会", "unionisation"],
    ),
    column(
        Field::Contact,
        false,
        &["联系人", "负责人", "经办人", "招聘负责人", "contact", "contactperson"],
    ),
    column(
        Field::Phone,
        false,
        &["联系电话", "手机号", "手机", "手机号码", "电话", "联系方式", "phone", "mobile"],
    ),
];

const POSTS: &[Column<Field>] = &[
    column(Field::Employer, true, EMPLOYER),
    column(
        Field::Post,
        true,
        &[
            "岗位名称",
            "招聘岗位",
            "职位名称",
            "职位",
            "岗位",
            "应聘工种",
            "post",
            "position",
            "job",
            "jobtitle",
        ],
    ),
    column(
        Field::Headcount,
        true,
        &["招聘人数", "需求人数", "人数", "招工人数", "名额", "headcount", "openings"],
    ),
    column(Field::Stand, false, STAND),
    column(
        Field::Occupation,
        false,
        &["职业代码", "工种代码", "职业编码", "职业分类代码", "occupation", "occupationcode"],
    ),
    column(
        Field::PayFrom,
        false,
        &["月薪下限", "薪资下限", "最低月薪", "工资下限", "最低工资", "payfrom", "salaryfrom"],
    ),
    column(
        Field::PayTo,
        false,
        &["月薪上限", "薪资上限", "最高月薪", "工资上限", "最高工资", "payto", "salaryto"],
    ),
    column(Field::Education, false, &["学历要求", "学历", "文化程度", "education"]),
    column(Field::Place, false, &["工作地点", "工作地址", "上班地点", "地点", "place", "location"]),
    column(
        Field::Work,
        false,
        &["工作内容", "岗位职责", "岗位描述", "职责", "work", "duties", "description"],
    ),
    column(
        Field::Conditions,
        false,
        &[
            "招聘条件",
            "任职要求",
            "岗位要求",
            "其他要求",
            "要求",
            "条件",
            "备注",
            "conditions",
            "requirements",
        ],
    ),
    column(Field::Benefits, false, &["福利待遇", "福利", "待遇", "benefits"]),
    column(Field::Insurance, false, &["社会保险", "社保", "五险一金", "保险", "insurance"]),
];

impl Columns for List {
    type Field = Field;

    fn columns(self) -> &'static [Column<Field>] {
        match self {
            Self::Posts => POSTS,
            Self::Employers => EMPLOYERS,
        }
    }
}
