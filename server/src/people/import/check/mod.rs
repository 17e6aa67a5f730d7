//! Brings each value into one form and checks it: names, ID numbers (GB 11643), phones, credit codes (GB 32100),
//! cards (Luhn and issuer), dates. What comes back is clean or a [`Fault`] with a masked value.

use admission::card::{CardKey, CardNumber, Fingerprint};
use jiff::civil::Date;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::fault::{Code, Fault};
use super::text;

/// A person's sex, as the ID number has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sex {
    /// 男
    Male,
    /// 女
    Female,
}

impl Sex {
    /// As the database has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Male => "m",
            Self::Female => "f",
        }
    }
}

/// A member's standing with the union.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// 在籍
    Active,
    /// 保留会籍: retired or laid off, still a member.
    Retained,
    /// 转出
    Transferred,
    /// 退会
    Resigned,
    /// 除名
    Expelled,
}

impl Standing {
    /// As the database has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retained => "retained",
            Self::Transferred => "transferred",
            Self::Resigned => "left",
            Self::Expelled => "expelled",
        }
    }
}

/// Whether and how an enterprise has a union.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unionisation {
    /// 已建会(独立)
    Independent,
    /// 已建会(联合覆盖)
    Covered,
    /// 筹备建会
    Preparing,
    /// 未建会
    None,
    /// 注销
    Dissolved,
}

impl Unionisation {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Independent, Self::Covered, Self::Preparing, Self::None, Self::Dissolved];

    /// As the database has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Independent => "independent",
            Self::Covered => "joint",
            Self::Preparing => "preparing",
            Self::None => "none",
            Self::Dissolved => "closed",
        }
    }
}

/// A valid resident ID number (GB 11643), in memory for as long as it takes to fingerprint it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct IdNumber([u8; 18]);

impl std::fmt::Debug for IdNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdNumber(…)")
    }
}

impl IdNumber {
    /// Reads an 18-digit ID number: full-width digits, spaces and a small x are forgiven, nothing else.
    ///
    /// # Errors
    /// The fault, with the number masked.
    pub fn read(number: &str) -> Result<Self, Fault> {
        let digits = Zeroizing::new(text::unspaced(number).to_uppercase());
        let fault = |code| Fault::new(code, text::masked_id(&digits));
        if digits.len() == 15 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(fault(Code::IdOldForm));
        }
        let mut id = Self([0; 18]);
        if digits.len() != 18 {
            return Err(fault(Code::IdInvalid));
        }
        id.0.copy_from_slice(digits.as_bytes());
        let (last, body) = id.0.split_last().expect("eighteen characters");
        if !body.iter().all(u8::is_ascii_digit) || !(last.is_ascii_digit() || *last == b'X') {
            return Err(fault(Code::IdInvalid));
        }
        if check_digit(body) != *last {
            // A spreadsheet keeps 15 digits and writes noughts for the rest.
            let destroyed = digits.ends_with("000");
            return Err(fault(if destroyed { Code::NumberDestroyed } else { Code::IdCheckDigit }));
        }
        if id.birth().is_none() {
            return Err(fault(Code::IdBirth));
        }
        Ok(id)
    }

    /// The sex that the number's order code tells (odd is male).
    #[must_use]
    pub fn sex(&self) -> Sex {
        if self.0[16] % 2 == 1 { Sex::Male } else { Sex::Female }
    }

    /// The keyed fingerprint. ID numbers have a name space of their own, so that no card's fingerprint can
    /// equal an ID number's.
    #[must_use]
    pub fn fingerprint(&self, key: &CardKey) -> Fingerprint {
        let mut named = Zeroizing::new([0; 21]);
        named[..3].copy_from_slice(b"id:");
        named[3..].copy_from_slice(&self.0);
        key.fingerprint(&named[..])
    }

    fn birth(&self) -> Option<Date> {
        let number = |range: std::ops::Range<usize>| -> i16 {
            self.0[range].iter().fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'))
        };
        civil(number(6..10), number(10..12), number(12..14))
    }
}

/// GB 11643: ISO 7064 MOD 11-2 over the first seventeen digits.
fn check_digit(body: &[u8]) -> u8 {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body.iter().zip(WEIGHTS).map(|(digit, w)| u32::from(digit - b'0') * w).sum();
    b"10X98765432"[sum as usize % 11]
}

/// A person's name: NFKC, no spaces between Chinese characters, `·` for every dot people type.
///
/// # Errors
/// When it is no name.
pub fn name(name: &str) -> Result<String, Fault> {
    let folded = text::folded(name);
    let spaceless = if folded.is_ascii() { folded } else { text::unspaced(&folded) };
    let dotted: String = spaceless
        .chars()
        .map(|c| match c {
            '•' | '・' | '‧' | '∙' | '⋅' | '●' => '·',
            '.' if !spaceless.is_ascii() => '·',
            c => c,
        })
        .collect();
    let allowed = |c: char| c.is_alphabetic() || matches!(c, '·' | ' ' | '-' | '\'' | '.');
    let letters = dotted.chars().filter(|c| c.is_alphabetic()).count();
    let ends = |c: char| c == '·';
    if letters < 2
        || dotted.chars().count() > 30
        || !dotted.chars().all(allowed)
        || dotted.starts_with(ends)
        || dotted.ends_with(ends)
    {
        return Err(Fault::new(Code::NameInvalid, admission::name::masked(&text::shown(name))));
    }
    Ok(dotted)
}

/// An organisation's name: NFKC, single spaces, no long number inside.
///
/// # Errors
/// When it is no name.
pub fn title(title: &str) -> Result<String, Fault> {
    let folded = text::folded(title);
    let tidy = if folded.is_ascii() { folded } else { text::unspaced(&folded) };
    let count = tidy.chars().count();
    if !(2..=100).contains(&count) || text::has_long_number(&tidy) {
        return Err(Fault::new(Code::TitleInvalid, text::shown(title)));
    }
    Ok(tidy)
}

/// A mobile number: spaces, dashes, brackets and +86 / 0086 are taken off.
///
/// # Errors
/// When it is no mobile number.
pub fn phone(phone: &str) -> Result<String, Fault> {
    let compact: String = text::unspaced(phone)
        .chars()
        .filter(|c| !matches!(c, '-' | '‐' | '‑' | '–' | '—' | '−' | '(' | ')'))
        .collect();
    let local = ["+86", "0086", "86"]
        .iter()
        .find_map(|prefix| compact.strip_prefix(prefix).filter(|rest| rest.len() == 11))
        .unwrap_or(&compact);
    match local.as_bytes() {
        [b'1', b'3'..=b'9', rest @ ..]
            if rest.len() == 9 && rest.iter().all(u8::is_ascii_digit) =>
        {
            Ok(local.to_owned())
        }
        _ => Err(Fault::new(Code::PhoneInvalid, text::masked_phone(&compact))),
    }
}

/// 男, 女, or the digits 1 and 2 of the registration form.
///
/// # Errors
/// When it is something else.
pub fn sex(sex: &str) -> Result<Sex, Fault> {
    match text::unspaced(sex).to_lowercase().as_str() {
        "男" | "男性" | "1" | "m" | "male" => Ok(Sex::Male),
        "女" | "女性" | "2" | "f" | "female" => Ok(Sex::Female),
        _ => Err(Fault::new(Code::SexUnknown, text::shown(sex))),
    }
}

/// A unified social credit code (GB 32100).
///
/// # Errors
/// When its form or its check character is wrong.
pub fn uscc(uscc: &str) -> Result<String, Fault> {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let code = text::unspaced(uscc).to_uppercase().replace('-', "");
    let fault = |fault| Err(Fault::new(fault, text::shown(&code)));
    let values: Option<Vec<usize>> =
        code.bytes().map(|byte| ALPHABET.iter().position(|letter| *letter == byte)).collect();
    let Some([body @ .., last]) = values.as_deref() else { return fault(Code::UsccInvalid) };
    if body.len() != 17 || body.iter().skip(2).take(6).any(|value| *value > 9) {
        return fault(Code::UsccInvalid);
    }
    // The weights are the powers of three modulo 31.
    let (sum, _) =
        body.iter().fold((0, 1), |(sum, weight), value| (sum + value * weight, weight * 3 % 31));
    if (31 - sum % 31) % 31 != *last {
        return fault(Code::UsccCheckDigit);
    }
    Ok(code)
}

/// A membership card as the roster keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The keyed fingerprint of the number.
    pub fingerprint: Fingerprint,
    /// The last four digits.
    pub last4: String,
}

/// A membership card's number: Luhn, and an issuer among `bins` (any, when that list is empty).
///
/// # Errors
/// When it is no card number, or another bank's.
pub fn card(number: &str, bins: &[String], key: &CardKey) -> Result<Card, Fault> {
    let fault = |code| Fault::new(code, text::masked_card(number));
    let card = CardNumber::read(number).ok_or_else(|| fault(Code::CardInvalid))?;
    if !bins.is_empty() && !card.has_bin(bins) {
        return Err(fault(Code::CardForeign));
    }
    Ok(Card { fingerprint: card.fingerprint(key), last4: card.last4() })
}

/// A number of people or things, from 1 on: 5, 5人, 12本.
///
/// # Errors
/// When it is none, or so large that a finger slipped.
pub fn headcount(said: &str) -> Result<i64, Fault> {
    /// More people than this in one line is a slip of the finger.
    const HEADCOUNT_MAX: i64 = 10_000;
    let plain = text::unspaced(said);
    let count = plain.trim_end_matches(['人', '名', '个', '份', '本', '册']).parse().ok();
    count
        .filter(|count| (1..=HEADCOUNT_MAX).contains(count))
        .ok_or_else(|| Fault::new(Code::NumberInvalid, text::shown(said)))
}

/// A day, as people and spreadsheets write it, not after `today`.
///
/// # Errors
/// When it is no day, or in the future.
pub fn date(date: &str, today: Date) -> Result<Date, Fault> {
    let fault = |code| Fault::new(code, text::shown(date));
    match read_date(&text::folded(date)) {
        None => Err(fault(Code::DateInvalid)),
        Some(day) if day > today => Err(fault(Code::DateFuture)),
        Some(day) => Ok(day),
    }
}

/// 在籍, 保留会籍, 转出, 退会, 除名 and their everyday variants.
///
/// # Errors
/// When it is none of them.
pub fn standing(standing: &str) -> Result<Standing, Fault> {
    match text::unspaced(standing).to_lowercase().as_str() {
        "在籍" | "正常" | "在会" | "active" => Ok(Standing::Active),
        "保留会籍" | "保留" | "retained" => Ok(Standing::Retained),
        "转出" | "已转出" | "transferred" => Ok(Standing::Transferred),
        "退会" | "已退会" | "resigned" => Ok(Standing::Resigned),
        "除名" | "已除名" | "开除会籍" | "expelled" => Ok(Standing::Expelled),
        _ => Err(Fault::new(Code::StandingUnknown, text::shown(standing))),
    }
}

/// 已建会(独立), 已建会(联合覆盖), 筹备建会, 未建会, 注销.
///
/// # Errors
/// When it is none of them.
pub fn unionisation(unionisation: &str) -> Result<Unionisation, Fault> {
    match text::unspaced(unionisation).to_lowercase().as_str() {
        "已建会(独立)" | "独立建会" | "已建会" | "独立" | "independent" => {
            Ok(Unionisation::Independent)
        }
        "已建会(联合覆盖)" | "联合覆盖" | "联合建会" | "已建会(联合)" | "covered" => {
            Ok(Unionisation::Covered)
        }
        "筹备建会" | "筹备" | "筹备中" | "preparing" => Ok(Unionisation::Preparing),
        "未建会" | "none" => Ok(Unionisation::None),
        "注销" | "已注销" | "dissolved" => Ok(Unionisation::Dissolved),
        _ => Err(Fault::new(Code::UnionisationUnknown, text::shown(unionisation))),
    }
}

fn read_date(date: &str) -> Option<Date> {
    // A spreadsheet's day often drags a midnight along: 2017-03-05 00:00:00, 2017-03-05T00:00.
    let day = match date.split_once([' ', 'T']) {
        Some((day, time)) if time.bytes().all(|byte| b"0:.Z".contains(&byte)) => day.to_owned(),
        _ => date.replace(' ', ""),
    };
    let parts: Vec<&str> = day.split(['-', '.', '/', '年', '月', '日', '号']).collect();
    match parts[..] {
        [day] if day.len() == 8 => parse_civil(day.get(..4)?, day.get(4..6)?, day.get(6..)?),
        // An unformatted serial: days since 1899-12-30. Five digits reach from 1927 on.
        [serial] if serial.len() == 5 => excel_serial(serial),
        [year, month, day] | [year, month, day, ""] if year.len() == 4 => {
            parse_civil(year, month, day)
        }
        _ => None,
    }
}

fn excel_serial(serial: &str) -> Option<Date> {
    let days: i32 = serial.parse().ok().filter(|_| serial.bytes().all(|b| b.is_ascii_digit()))?;
    jiff::civil::date(1899, 12, 30).checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

fn parse_civil(year: &str, month: &str, day: &str) -> Option<Date> {
    let number = |text: &str| -> Option<i16> {
        let digits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    civil(number(year)?, number(month)?, number(day)?)
}

fn civil(year: i16, month: i16, day: i16) -> Option<Date> {
    Date::new(year, month.try_into().ok()?, day.try_into().ok()?)
        .ok()
        .filter(|date| date.year() >= 1800)
}

#[cfg(test)]
mod tests;
