//! Finding a person by what they say of themselves: one character of the name, its sound (`wang`, `wxm`, `wangxm`), the
//! last four of a phone or card, the firm.

use std::{collections::HashMap, sync::Arc};

use admission::{sync::PersonRow, ticket::TicketId};
use pinyin::ToPinyinMulti;

/// Everybody at the desk, in memory. What many share, firms and characters, is there once.
#[derive(Debug, Default)]
pub(super) struct Names {
    people: HashMap<TicketId, Person>,
    firms: Vec<Sounds>,
    /// Where each firm stands, by its name.
    firm_at: HashMap<String, usize>,
    characters: HashMap<char, Readings>,
}

/// How a character may sound, without tones; one that has no sound stands for itself.
type Readings = Arc<[String]>;

#[derive(Debug)]
struct Person {
    row: PersonRow,
    name: Sounds,
    firm: Option<usize>,
}

/// A text in lower case, and how each of its characters may sound.
#[derive(Debug, Default)]
struct Sounds {
    text: String,
    readings: Vec<Readings>,
}

/// What is looked for.
struct Sought {
    /// In lower case.
    text: String,
    /// As one types how it sounds, if it can be that.
    sound: Option<String>,
}

/// How well somebody fits; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    NameBegins,
    Number,
    Name,
    Organisation,
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.people.len()
    }

    /// Adds a person, or what is new about them.
    pub(super) fn add(&mut self, row: PersonRow) {
        let booker = row.booker.as_deref().unwrap_or_default();
        let name = self.sounds(&format!("{} {booker}", row.name));
        let firm = row.organisation.as_deref().map(|firm| self.firm(firm));
        self.people.insert(row.ticket, Person { row, name, firm });
    }

    fn firm(&mut self, firm: &str) -> usize {
        if let Some(at) = self.firm_at.get(firm) {
            return *at;
        }
        let (at, sounds) = (self.firms.len(), self.sounds(firm));
        self.firms.push(sounds);
        self.firm_at.insert(firm.to_owned(), at);
        at
    }

    fn sounds(&mut self, text: &str) -> Sounds {
        let text = plain(text);
        let known = &mut self.characters;
        let read = |character| Arc::clone(known.entry(character).or_insert_with_key(readings_of));
        Sounds { readings: text.chars().map(read).collect(), text }
    }

    /// Who holds `ticket`.
    pub(super) fn holder(&self, ticket: TicketId) -> Option<PersonRow> {
        self.people.get(&ticket).map(|person| person.row.clone())
    }

    /// Who fits `text`, the best first, at most `limit`; and how many fit in all.
    pub(super) fn find(&self, text: &str, limit: usize) -> (Vec<PersonRow>, usize) {
        let sought = Sought::of(text);
        if sought.text.is_empty() {
            return (Vec::new(), 0);
        }
        let firms: Vec<bool> =
            self.firms.iter().map(|firm| firm.place_of(&sought).is_some()).collect();
        let found = self.people.values();
        let mut found: Vec<(Fit, &Person)> =
            found.filter_map(|person| Some((person.fit(&sought, &firms)?, person))).collect();
        let count = found.len();
        let order = |(fit, one): &(Fit, &Person), (other_fit, other): &(Fit, &Person)| {
            let names = || one.row.name.cmp(&other.row.name);
            fit.cmp(other_fit).then_with(names).then_with(|| one.row.ticket.cmp(&other.row.ticket))
        };
        if count > limit {
            found.select_nth_unstable_by(limit, order);
            found.truncate(limit);
        }
        found.sort_unstable_by(order);
        (found.into_iter().map(|(_, person)| person.row.clone()).collect(), count)
    }
}

impl Person {
    /// How well they fit; `firms` says which of the firms do.
    fn fit(&self, sought: &Sought, firms: &[bool]) -> Option<Fit> {
        let text = &sought.text;
        if text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let last4 = &text[text.len() - 4..];
            let numbers = self.row.phone4.iter().chain(&self.row.cards4);
            return numbers.into_iter().any(|number| number == last4).then_some(Fit::Number);
        }
        match self.name.place_of(sought) {
            Some(0) => Some(Fit::NameBegins),
            Some(_) => Some(Fit::Name),
            None => self.firm.filter(|firm| firms[*firm]).map(|_| Fit::Organisation),
        }
    }
}

impl Sought {
    fn of(text: &str) -> Self {
        let text = plain(text);
        let sound = text.replace('ü', "v");
        let is_typed = sound.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self { text, sound: is_typed.then_some(sound) }
    }
}

impl Sounds {
    /// Where `sought` begins, counted in characters: as written, or as it sounds.
    fn place_of(&self, sought: &Sought) -> Option<usize> {
        if let Some(at) = self.text.find(&sought.text) {
            return Some(self.text[..at].chars().count());
        }
        let sound = sought.sound.as_deref()?;
        (0..self.readings.len()).find(|&at| sounds_like(&self.readings[at..], sound))
    }
}

fn readings_of(character: &char) -> Readings {
    let Some(readings) = character.to_pinyin_multi() else { return [character.to_string()].into() };
    let mut readings: Vec<String> =
        readings.into_iter().flat_map(|reading| typed(reading.plain())).collect();
    readings.sort();
    readings.dedup();
    readings.into()
}

/// How a reading is typed. No keyboard has an ü: people write 吕 as `lv` on theirs, `lu` when they do not care, and `lyu` as
/// their passport does.
fn typed(reading: &str) -> Vec<String> {
    match reading.contains('ü') {
        true => ["v", "u", "yu"].map(|letter| reading.replace('ü', letter)).into(),
        false => vec![reading.to_owned()],
    }
}

/// Whether the first characters sound like `sought`: each by its first letter or its whole sound, the last one also by
/// the beginning of it. `zh`, `ch` and `sh` count as first letters too. (Once through the characters, with every place in
/// `sought` that can be reached: trying one way after the other doubles with each letter of a long name.)
fn sounds_like(readings: &[Readings], sought: &str) -> bool {
    // A bit for each place. Longer is no name.
    let mut reached = 1_u128;
    let whole = u32::try_from(sought.len()).ok().and_then(|length| 1_u128.checked_shl(length));
    let Some(whole) = whole else { return false };
    for readings in readings {
        let mut next = 0;
        for from in (0..sought.len()).filter(|from| reached & (1 << from) != 0) {
            let rest = &sought[from..];
            for reading in &**readings {
                if reading.starts_with(rest) {
                    return true;
                }
                let two = matches!(reading.get(..2), Some("zh" | "ch" | "sh"));
                for length in [reading.len(), 1, 1 + usize::from(two)] {
                    if reading.get(..length).is_some_and(|part| rest.starts_with(part)) {
                        next |= 1 << (from + length);
                    }
                }
            }
        }
        if next & whole != 0 {
            return true;
        }
        if next == 0 {
            return false;
        }
        reached = next;
    }
    false
}

/// Lower case, half width, without spaces and signs.
fn plain(text: &str) -> String {
    let half = |character: char| match character {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(character) - 0xFEE0).unwrap_or(' '),
        other => other,
    };
    let kept = text.chars().map(half).filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(people: &[(&str, &str, &str, &str)]) -> Names {
        let mut names = Names::default();
        for (n, (name, phone4, card4, organisation)) in (0_u8..).zip(people) {
            names.add(PersonRow {
                ticket: TicketId([n; 12]),
                name: (*name).to_owned(),
                booker: None,
                phone4: Some((*phone4).to_owned()),
                cards4: vec![(*card4).to_owned()],
                organisation: Some((*organisation).to_owned()),
            });
        }
        names
    }

    fn found(names: &Names, text: &str) -> Vec<String> {
        names.find(text, 20).0.into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn a_person_is_found_by_whatever_they_say_of_themselves() {
        let names = names(&[
            ("王小明", "4321", "8765", "首钢建设集团"),
            ("李王平", "1111", "2222", "王佐镇卫生院"),
            ("单雄信", "3333", "4444", "千灵山公园"),
            ("张三", "5555", "6666", "青龙湖公园"),
            ("Anna Berg", "7777", "9999", "王佐镇卫生院"),
        ]);
        for (text, who) in [
            ("王小明", vec!["王小明"]),
            ("王", vec!["王小明", "李王平", "Anna Berg"]),
            ("小", vec!["王小明"]),
            ("wxm", vec!["王小明"]),
            ("WXM", vec!["王小明"]),
            ("ｗｘｍ", vec!["王小明"]),
            ("wangxm", vec!["王小明"]),
            ("wang xiao ming", vec!["王小明"]),
            ("xiaomi", vec!["王小明"]),
            ("shan", vec!["单雄信"]),
            ("dxx", vec!["单雄信"]),
            ("zhangs", vec!["张三"]),
            ("zs", vec!["张三"]),
            ("4321", vec!["王小明"]),
            ("13800004321", vec!["王小明"]),
            ("8765", vec!["王小明"]),
            ("首钢", vec!["王小明"]),
            ("qlhgy", vec!["张三"]),
            ("anna", vec!["Anna Berg"]),
            ("berg", vec!["Anna Berg"]),
            ("赵", vec![]),
            ("0000", vec![]),
            (" ", vec![]),
        ] {
            assert_eq!(found(&names, text), who, "{text}");
        }
        assert_eq!(names.find("王", 1), (vec![names.find("王小明", 1).0.remove(0)], 3));
    }

    #[test]
    fn surnames_are_found_by_every_way_that_they_are_read_and_typed() {
        for (name, ways) in [
            ("吕红", &["lv", "lu", "lyu", "lü", "lh", "lvh", "lyuhong", "hong"][..]),
            ("单雄", &["shan", "dan", "chan", "sx", "dx"]),
            ("曾丽", &["zeng", "ceng", "zl"]),
            ("仇英", &["qiu", "chou", "qy"]),
            ("解放", &["xie", "jie", "xf"]),
            ("区小平", &["ou", "qu", "oxp"]),
            ("尉迟恭", &["yuchi", "weichi", "ycg"]),
            ("万俟卨", &["moqi", "mq"]),
            ("阿依古丽·买买提", &["ayiguli", "aygl", "maimaiti", "mmt", "古丽买"]),
        ] {
            let names = names(&[(name, "1", "2", "x"), ("赵四", "3", "4", "y")]);
            for way in ways {
                assert_eq!(found(&names, way), [name], "{way}");
            }
        }
    }

    #[test]
    fn signs_that_mean_something_elsewhere_mean_nothing_here() {
        let names =
            names(&[("王小明", "4321", "8765", "首钢"), ("王小明", "1111", "2222", "千灵山")]);
        for nothing in ["%", "_", "*", "'", "\\", "王%明", "43_1", "\0", "'; drop table person"] {
            assert_eq!(found(&names, nothing), [""; 0], "{nothing}");
        }
        assert_eq!(found(&names, "王小明").len(), 2, "two of one name are two");
        assert_eq!(
            names.find("王小明", 1).0[0].ticket,
            TicketId([0; 12]),
            "in one order each time"
        );
    }

    #[test]
    fn a_long_name_is_looked_through_once() {
        let firm = "北京市丰台区和谐家园和平里和风细雨和合文化和顺餐饮和美服务有限责任公司";
        let sounds = Names::default().sounds(firm);
        let place_of = |text: &str| sounds.place_of(&Sought::of(text));
        let initials: String =
            sounds.readings.iter().map(|r| r[0].chars().next().unwrap()).collect();
        assert_eq!(place_of(&initials), Some(0));
        assert_eq!(place_of(&format!("{initials}q")), None);
        assert_eq!(place_of(&format!("{}q", &initials[..30])), None);
    }

    #[test]
    fn a_letter_takes_a_whole_character_and_no_part_of_two() {
        let sounds = Names::default().sounds("王小明");
        let place_of = |text: &str| sounds.place_of(&Sought::of(text));
        assert_eq!(place_of("xm"), Some(1));
        for nothing in ["wm", "wmx", "angx", "wangxiaomings"] {
            assert_eq!(place_of(nothing), None, "{nothing}");
        }
    }
}
