//! What can be wrong with a row, each with a stable code and one sentence in Chinese and in English.

/// What is wrong (or odd) with one cell of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The column's heading as the file writes it.
    pub column: String,
    /// What is wrong.
    pub code: Code,
    /// The value, masked; or the other row that it collides with.
    pub shown: String,
}

impl Fault {
    /// A fault of this cell. `shown` must be masked already.
    #[must_use]
    pub fn new(code: Code, shown: impl Into<String>) -> Self {
        Self { column: String::new(), code, shown: shown.into() }
    }

    /// The same fault, in the column of this heading.
    #[must_use]
    pub fn in_column(self, column: &str) -> Self {
        Self { column: column.to_owned(), ..self }
    }
}

macro_rules! codes {
    ($($variant:ident $code:literal $zh:literal $en:literal;)*) => {
        /// What can be wrong. The snake-case code of each is stable: scripts may rely on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $en] $variant,)*
        }

        impl Code {
            /// The stable code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What happened and what to do, in Chinese.
            #[must_use]
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)* }
            }

            /// What happened and what to do, in English.
            #[must_use]
            pub const fn en(self) -> &'static str {
                match self { $(Self::$variant => $en,)* }
            }

            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)*];
        }
    };
}

codes! {
    Missing "missing" "必填项是空的，请补上。" "This is required and empty: fill it in.";
    NumberDestroyed "number_destroyed" "表格软件把长数字改坏了。请把这一列设为“文本”后重新填写原号码。"
        "The spreadsheet has rounded this long number: format the column as text and type the number again.";
    FormulaError "formula_error" "单元格里的公式出错了，请改成文字。" "The cell's formula shows an error: replace it by its value.";
    TooLong "too_long" "内容太长。" "The text is too long.";
    NameInvalid "name_invalid" "姓名应为 2 到 30 个汉字或字母，少数民族姓名用“·”分隔。"
        "A name has 2 to 30 letters; parts of minority names are joined by “·”.";
    TitleInvalid "title_invalid" "名称应为 2 到 100 个字，不能含长串数字。"
        "A name of an organisation has 2 to 100 characters and no long number.";
    SexUnknown "sex_unknown" "性别请填“男”或“女”。" "Write 男 or 女.";
    SexDisagrees "sex_disagrees" "性别与证件号码不一致，请核对。" "This disagrees with the ID number: check both.";
    IdOldForm "id_old_form" "这是 15 位旧身份证号，请改填 18 位的。" "This is an old 15-digit ID number: use the 18-digit one.";
    IdInvalid "id_invalid" "证件号码应为 17 位数字加一位数字或 X。" "An ID number is 17 digits and one digit or X.";
    IdBirth "id_birth" "证件号码里的出生日期不存在，请核对。" "The birth date inside this ID number does not exist: check the number.";
    IdCheckDigit "id_check_digit" "证件号码校验位不对，可能抄错了一位。" "The check digit is wrong: one digit was probably mistyped.";
    PhoneInvalid "phone_invalid" "手机号应为 1 开头的 11 位数字。" "A mobile number has 11 digits and begins with 1.";
    UsccInvalid "uscc_invalid" "统一社会信用代码应为 18 位数字和大写字母（不含 I O S V Z）。"
        "A credit code has 18 digits and capitals (no I, O, S, V, Z).";
    UsccCheckDigit "uscc_check_digit" "统一社会信用代码校验位不对，可能抄错了一位。"
        "The check character is wrong: one character was probably mistyped.";
    CardInvalid "card_invalid" "京卡卡号不对（位数或校验位），请照卡面核对。"
        "This is no card number (length or check digit): compare it with the card.";
    CardForeign "card_foreign" "这不是京卡·互助服务卡的卡号。" "This is a card number, but not of a union card.";
    DateInvalid "date_invalid" "日期认不出，请写成 2017-03-05。" "The date is unreadable: write it as 2017-03-05.";
    DateFuture "date_future" "日期在今天之后，请核对。" "The date is in the future: check it.";
    StandingUnknown "standing_unknown" "会籍状态应为：在籍、保留会籍、转出、退会、除名。"
        "Standing is one of 在籍, 保留会籍, 转出, 退会, 除名.";
    UnionisationUnknown "unionisation_unknown" "建会状态应为：已建会(独立)、已建会(联合覆盖)、筹备建会、未建会、注销。"
        "Status is one of 已建会(独立), 已建会(联合覆盖), 筹备建会, 未建会, 注销.";
    UnionMissing "union_missing" "已建会的单位要写明所属工会。" "A unionised enterprise needs its union.";
    UnionUnknown "union_unknown" "名册里没有这个工会，请先导入单位。" "This union is not known: import the organisations first.";
    UnionDisagrees "union_disagrees" "本行的所属工会与该单位登记的工会不同，以本行为准，请核对。"
        "The enterprise belongs to another union; the row's union is used: check it.";
    EnterpriseUnknown "enterprise_unknown" "名册里没有这个单位，会员已记入工会，单位待确认。"
        "This enterprise is not known: the member is kept under the union, the enterprise is left open.";
    UsccTwice "uscc_twice" "同一信用代码在文件里对应两个不同的单位。" "The file gives this credit code to two enterprises.";
    TitleTwice "title_twice" "同一单位名称在文件里有两个不同的信用代码。" "The file gives this enterprise two credit codes.";
    TitleTaken "title_taken" "名册里同名单位的信用代码不同，请核对。" "An enterprise of this name is known under another credit code: check which is right.";
    TitleDiffers "title_differs" "名册里这个信用代码的单位名称不同，请确认是否改名。"
        "This credit code is known under another name: confirm that the enterprise was renamed.";
    RowTwice "row_twice" "与前面一行完全相同，已忽略。" "The same as an earlier row; ignored.";
    PersonTwice "person_twice" "同一证件号码在文件里出现两次，内容不同。" "The file has this ID number twice, with different content.";
    PersonTwiceNoId "person_twice_no_id" "文件里有同名同手机的两行，且不能靠证件号码区分。"
        "Two rows have the same name and phone, and no ID numbers tell them apart.";
    CardTwice "card_twice" "同一张卡在文件里属于两个人，请核对两行。" "The file gives this card to two people: check both rows.";
    CardTaken "card_taken" "这张卡在名册里属于另一个人，请核对。" "This card belongs to somebody else on the roster: check it.";
    CardBlocked "card_blocked" "这张卡已被新卡替换或已停用，不会因导入而恢复。"
        "This card was replaced or blocked; the import leaves it so.";
    NameDiffers "name_differs" "证件号码在名册里对应另一个姓名，请核对。" "This ID number is on the roster under another name: check it.";
    Transfer "transfer" "此人在名册里属于另一个工会；如是转会，请确认。"
        "This person is on the roster under another union: confirm the transfer.";
    SamePerson "same_person" "名册里有同名同手机的人，可能是同一人，请确认。"
        "The roster has somebody with this name and phone, probably the same person: confirm.";
    PhoneShared "phone_shared" "这个手机号还有别人在用。" "Somebody else has the same phone number.";
    NumberInvalid "number_invalid" "应为大于 0 的整数。" "This must be a whole number above nought.";
    PayInvalid "pay_invalid" "月薪应为元的整数，如 4500；面议请留空。" "Monthly pay is a whole number of yuan such as 4500; leave it empty when it is to be agreed.";
    PayTurned "pay_turned" "月薪上限低于下限，请核对。" "The highest pay is below the lowest: check both.";
    EducationUnknown "education_unknown" "学历要求应为：不限、初中、高中、中专、大专、本科、研究生。"
        "Education is one of 不限, 初中, 高中, 中专, 大专, 本科, 研究生.";
    OccupationForm "occupation_form" "职业代码应像 6-15-06-02。" "An occupation code looks like 6-15-06-02.";
    OccupationUnknown "occupation_unknown" "职业分类里没有这个代码，按岗位名称计工种。"
        "The classification has no such code; the post counts as a trade by its own name.";
    OccupationDiffers "occupation_differs" "这个代码在职业分类里是另一个名称，请核对。"
        "The classification has another name for this code: check it.";
    StandInvalid "stand_invalid" "展位号应为 1 到 12 个字。" "A stand's number has 1 to 12 characters.";
    StandTwice "stand_twice" "同一展位在文件里给了两家单位；一家单位一个展位。" "The file gives this stand to two employers; each has one of its own.";
    StandTaken "stand_taken" "这个展位已给了另一家单位。" "This stand is another employer's already.";
    EmployerTwice "employer_twice" "这家单位在文件里出现两次；一家单位一个展位。" "The file has this employer twice; each has one stand.";
    EmployerUnknown "employer_unknown" "参会单位里没有这家单位，请先列入参会单位。" "This employer is not on the list of employers: add it there first.";
    StandDiffers "stand_differs" "与参会单位表里的展位号不同，以参会单位表为准。" "The list of employers has another stand; that one is used.";
    LimitSex "limit_sex" "招聘条件不得限定性别（就业促进法第二十七条），请改后再公布。"
        "A post may not be limited to one sex (Employment Promotion Law, art. 27): change it before it is published.";
    LimitAge "limit_age" "招聘条件里有年龄限制，容易构成就业歧视，请核实并删去。"
        "A limit of age is likely to discriminate: check it and take it out.";
    LimitOrigin "limit_origin" "招聘条件不得限定户籍、民族（就业促进法第二十八、三十一条），请改后再公布。"
        "A post may not be limited by household register or ethnic group (Employment Promotion Law, arts. 28 and 31).";
    LimitFamily "limit_family" "招聘条件不得限定婚育状况，请改后再公布。" "A post may not be limited by marriage or children: change it before it is published.";
    LimitHealth "limit_health" "招聘条件不得排斥残疾人或传染病病原携带者（就业促进法第二十九、三十条），请改后再公布。"
        "A post may not shut out disabled people or carriers of infections (Employment Promotion Law, arts. 29 and 30).";
    IdMissing "id_missing" "没有证件号码，只能按姓名和手机号认人。" "Without an ID number the person is known by name and phone only.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Code;

    #[test]
    fn every_code_is_its_own_and_says_something_in_both_languages() {
        let codes: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(!code.zh().is_ascii() && code.en().ends_with('.'), "{}", code.as_str());
        }
    }
}
