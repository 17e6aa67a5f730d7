//! What is said to a bank card until it has told its number, and not a word more (EMV 4.3 book 1 §12, book 3 §10).
//!
//! A state machine without I/O: [`Dialogue::begin`] gives the first command, [`Dialogue::heard`] takes each answer
//! and gives the next. Only SELECT, GET PROCESSING OPTIONS, READ RECORD and GET RESPONSE are ever said: no PIN, no
//! cryptogram, no log of payments.

use std::{collections::VecDeque, fmt};

use zeroize::Zeroizing;

use super::tlv;

/// The directory of a contactless card, and of one with contacts.
const PPSE: &[u8] = b"2PAY.SYS.DDF01";
const PSE: &[u8] = b"1PAY.SYS.DDF01";
/// Whose applications the union card has: UnionPay's registered identifier.
const UNION_PAY: [u8; 5] = [0xA0, 0x00, 0x00, 0x03, 0x33];
/// Its debit, credit and quasi-credit applications, for cards without a directory.
const APPLICATIONS: [u8; 3] = [1, 2, 3];
/// More than any card needs, so that a broken one is let go.
const COMMANDS_MAX: u32 = 64;
/// Records of a directory at most.
const DIRECTORY_MAX: u8 = 10;
/// Data that comes in several answers, at most.
const ANSWER_MAX: usize = 4_096;

mod tag {
    use super::tlv::Tag;

    pub(super) const APPLICATION: Tag = 0x4F;
    pub(super) const TRACK_2: Tag = 0x57;
    pub(super) const NUMBER: Tag = 0x5A;
    pub(super) const OPTIONS_PLAIN: Tag = 0x80;
    pub(super) const DIRECTORY: Tag = 0x88;
    pub(super) const FILES: Tag = 0x94;
    pub(super) const OPTIONS_ASKED: Tag = 0x9F38;
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Step {
    /// Send this command to the card.
    Say(Vec<u8>),
    /// Let the card go.
    Done(Told),
}

/// What a card told.
pub(super) enum Told {
    /// Its number, as digits.
    Number(Zeroizing<String>),
    /// It is no bank card of UnionPay's, or one that tells no number.
    Nothing,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number(_) => "Number(…)",
            Self::Nothing => "Nothing",
        })
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Ppse,
    Pse,
    Directory { file: u8, record: u8 },
    Application,
    Options,
    Record,
}

/// One conversation with one card. All it has heard is wiped when dropped.
pub(super) struct Dialogue {
    at: At,
    said: Vec<u8>,
    /// What came so far of an answer in several parts.
    heard: Zeroizing<Vec<u8>>,
    applications: VecDeque<Vec<u8>>,
    /// Whether the card has a directory: then what is not in it is not on the card.
    has_directory: bool,
    /// Short file identifier and number of each record still to read.
    records: VecDeque<(u8, u8)>,
    commands: u32,
}

impl Dialogue {
    /// A conversation, and its first command.
    pub(super) fn begin() -> (Self, Vec<u8>) {
        let said = select(PPSE);
        let dialogue = Self {
            at: At::Ppse,
            said: said.clone(),
            heard: Zeroizing::new(Vec::with_capacity(ANSWER_MAX)),
            applications: VecDeque::new(),
            has_directory: false,
            records: VecDeque::new(),
            commands: 1,
        };
        (dialogue, said)
    }

    /// The card answered this: data and two bytes of status.
    pub(super) fn heard(&mut self, answer: &[u8]) -> Step {
        let Some((data, [high, low])) = answer.split_last_chunk::<2>() else {
            return Step::Done(Told::Nothing);
        };
        let room = ANSWER_MAX - self.heard.len();
        self.heard.extend_from_slice(&data[..data.len().min(room)]);
        match (high, low) {
            // There is more, or the card wants to be asked for exactly so many bytes.
            (0x61, more) => return self.say(vec![0x00, 0xC0, 0x00, 0x00, *more]),
            (0x6C, exactly) => {
                let mut again = self.said.clone();
                if let Some(expected) = again.last_mut() {
                    *expected = *exactly;
                }
                return self.say(again);
            }
            _ => {}
        }
        let data =
            std::mem::replace(&mut self.heard, Zeroizing::new(Vec::with_capacity(ANSWER_MAX)));
        let well = (*high, *low) == (0x90, 0x00);
        match self.at {
            At::Ppse if well => {
                self.list(&data);
                self.next_application()
            }
            At::Ppse => self.go(At::Pse, select(PSE)),
            At::Pse => match tlv::find(&data, tag::DIRECTORY) {
                Some(&[file @ 1..=30]) if well => {
                    self.go(At::Directory { file, record: 1 }, read(file, 1))
                }
                _ => self.next_application(),
            },
            At::Directory { file, record } if well && record < DIRECTORY_MAX => {
                self.list(&data);
                let record = record + 1;
                self.go(At::Directory { file, record }, read(file, record))
            }
            At::Directory { .. } => self.next_application(),
            At::Application if well => match options(&data) {
                Some(command) => self.go(At::Options, command),
                None => self.next_application(),
            },
            At::Application => self.next_application(),
            At::Options => {
                if let (true, Some(number)) = (well, number(&data)) {
                    return Step::Done(Told::Number(number));
                }
                self.records = if well { records(&data) } else { usual_records() };
                self.next_record()
            }
            At::Record => match number(&data) {
                Some(number) if well => Step::Done(Told::Number(number)),
                _ => self.next_record(),
            },
        }
    }

    /// Takes the applications of a directory.
    fn list(&mut self, directory: &[u8]) {
        let listed = tlv::all(directory, tag::APPLICATION);
        self.has_directory |= !listed.is_empty();
        let ours = listed.into_iter().filter(|id| id.starts_with(&UNION_PAY) && id.len() <= 16);
        self.applications.extend(ours.map(<[u8]>::to_vec));
    }

    fn next_application(&mut self) -> Step {
        if matches!(self.at, At::Ppse | At::Pse | At::Directory { .. }) && !self.has_directory {
            let guessed = APPLICATIONS.map(|kind| [&UNION_PAY[..], &[0x01, 0x01, kind]].concat());
            self.applications.extend(guessed);
        }
        match self.applications.pop_front() {
            Some(id) => self.go(At::Application, select(&id)),
            None => Step::Done(Told::Nothing),
        }
    }

    fn next_record(&mut self) -> Step {
        match self.records.pop_front() {
            Some((file, record)) => self.go(At::Record, read(file, record)),
            None => self.next_application(),
        }
    }

    fn go(&mut self, at: At, command: Vec<u8>) -> Step {
        self.at = at;
        self.said.clone_from(&command);
        self.say(command)
    }

    fn say(&mut self, command: Vec<u8>) -> Step {
        self.commands += 1;
        if self.commands > COMMANDS_MAX { Step::Done(Told::Nothing) } else { Step::Say(command) }
    }
}

fn select(name: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap_or(0);
    [&[0x00, 0xA4, 0x04, 0x00, length], name, &[0x00]].concat()
}

fn read(file: u8, record: u8) -> Vec<u8> {
    vec![0x00, 0xB2, record, file << 3 | 0b100, 0x00]
}

/// GET PROCESSING OPTIONS with as many zeros as the card asks for: it wants to know about a payment, and there is
/// none. None when it asks for more than fits.
fn options(application: &[u8]) -> Option<Vec<u8>> {
    let asked = tlv::find(application, tag::OPTIONS_ASKED).unwrap_or_default();
    let zeros = vec![0; tlv::asked_for(asked)?];
    let length = u8::try_from(zeros.len()).ok().filter(|length| *length < 0x80)?;
    Some([&[0x80, 0xA8, 0x00, 0x00, length + 2, 0x83, length], &zeros[..], &[0x00]].concat())
}

/// The records that the answer to GET PROCESSING OPTIONS names.
fn records(options: &[u8]) -> VecDeque<(u8, u8)> {
    let files = tlv::find(options, tag::FILES)
        // The short form: two bytes of profile, then the files.
        .or_else(|| tlv::find(options, tag::OPTIONS_PLAIN).and_then(|plain| plain.get(2..)))
        .unwrap_or_default();
    let entries = files.chunks_exact(4).map(|entry| (entry[0] >> 3, entry[1], entry[2]));
    let sound = entries.filter(|(file, first, _)| (1..=30).contains(file) && *first > 0);
    let records =
        sound.flat_map(|(file, first, last)| (first..=last).map(move |record| (file, record)));
    records.take(COMMANDS_MAX as usize).collect()
}

/// Where cards keep their number that refuse to speak of a payment of zero.
fn usual_records() -> VecDeque<(u8, u8)> {
    (1..=3).flat_map(|file| (1..=4).map(move |record| (file, record))).collect()
}

/// The card's number, from the number itself or the equivalent of track 2; one of them may be there and empty.
fn number(data: &[u8]) -> Option<Zeroizing<String>> {
    let tags = [tag::NUMBER, tag::TRACK_2].into_iter();
    tags.flat_map(|tag| tlv::all(data, tag)).find_map(digits)
}

/// The digits of a number in half-bytes.
fn digits(number: &[u8]) -> Option<Zeroizing<String>> {
    let mut digits = Zeroizing::new(String::with_capacity(2 * number.len()));
    for half in number.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]) {
        match half {
            0..=9 => digits.push(char::from(b'0' + half)),
            // The separator of track 2, or padding.
            _ => break,
        }
    }
    (12..=19).contains(&digits.len()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const NUMBER: &str = "6214680000000008";

    /// One level of TLV with lengths of either form.
    fn t(tag: &[u8], value: &[u8]) -> Vec<u8> {
        let length = value.len();
        let length = if length < 0x80 {
            vec![length as u8]
        } else {
            vec![0x82, (length >> 8) as u8, length as u8]
        };
        [tag, &length, value].concat()
    }

    fn ok(data: &[u8]) -> Vec<u8> {
        [data, &[0x90, 0x00]].concat()
    }

    fn bcd(digits: &str) -> Vec<u8> {
        let half = |c: char| c.to_digit(16).expect("a digit") as u8;
        let halves: Vec<u8> = digits.chars().map(half).collect();
        halves.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0x0F)).collect()
    }

    const DEBIT: [u8; 8] = [0xA0, 0, 0, 3, 0x33, 1, 1, 1];

    /// Runs a conversation with a card that answers by `answer`; what it told, and all that was said.
    fn talk(mut answer: impl FnMut(&[u8]) -> Vec<u8>) -> (Option<String>, Vec<Vec<u8>>) {
        let (mut dialogue, mut command) = Dialogue::begin();
        let mut said = vec![command.clone()];
        loop {
            match dialogue.heard(&answer(&command)) {
                Step::Say(next) => command = next,
                Step::Done(Told::Number(number)) => return (Some(number.to_string()), said),
                Step::Done(Told::Nothing) => return (None, said),
            }
            said.push(command.clone());
        }
    }

    /// A contactless card: directory, options as a template, the number in `place`.
    fn contactless(command: &[u8], place: &[u8], value: &[u8]) -> Vec<u8> {
        match command {
            [0, 0xA4, 4, 0, 14, b'2', ..] => {
                ok(&t(&[0x6F], &t(&[0xA5], &t(&[0xBF, 0x0C], &t(&[0x61], &t(&[0x4F], &DEBIT))))))
            }
            [0, 0xA4, 4, 0, 8, id @ .., 0] if id == DEBIT => {
                ok(&t(&[0x6F], &t(&[0xA5], &t(&[0x9F, 0x38], &[0x9F, 0x66, 4, 0x9F, 0x02, 6]))))
            }
            [0x80, 0xA8, 0, 0, 12, 0x83, 10, rest @ .., 0] if *rest == [0; 10] => {
                ok(&t(&[0x77], &[t(&[0x82], &[0, 0]), t(&[0x94], &[1 << 3, 1, 2, 0])].concat()))
            }
            [0, 0xB2, 2, 0x0C, 0] => {
                ok(&t(&[0x70], &[t(&[0x5F, 0x24], &[0x30, 0x12, 0x31]), t(place, value)].concat()))
            }
            [0, 0xB2, 1, 0x0C, 0] => ok(&t(&[0x70], &t(&[0x5F, 0x20], b"WANG"))),
            _ => vec![0x6A, 0x82],
        }
    }

    #[test]
    fn a_contactless_card_tells_its_number_and_is_asked_no_further() {
        for (place, value) in
            [(&[0x5A][..], bcd(NUMBER)), (&[0x57], bcd(&format!("{NUMBER}D301222000000000000F")))]
        {
            let (number, said) = talk(|command| contactless(command, place, &value));
            assert_eq!(number.as_deref(), Some(NUMBER));
            assert_eq!(said.len(), 5, "directory, application, options, two records");
        }
    }

    #[test]
    fn a_contact_card_is_found_by_its_directory_or_by_guessing() {
        let contact = |command: &[u8], has_directory: bool| match command {
            [0, 0xA4, 4, 0, 14, b'1', ..] if has_directory => {
                ok(&t(&[0x6F], &t(&[0xA5], &t(&[0x88], &[1]))))
            }
            [0, 0xB2, 1, 0x0C, 0] => ok(&t(&[0x70], &t(&[0x61], &t(&[0x4F], &DEBIT)))),
            [0, 0xA4, 4, 0, 8, id @ .., 0] if id == DEBIT => ok(&t(&[0x6F], &[])),
            // No list of what it asks for, and the short form of the answer.
            [0x80, 0xA8, 0, 0, 2, 0x83, 0, 0] => ok(&t(&[0x80], &[0x7C, 0, 2 << 3, 1, 1, 0])),
            [0, 0xB2, 1, 0x14, 0] => ok(&t(&[0x70], &t(&[0x5A], &bcd("62146800000000083")))),
            _ => vec![0x6A, 0x83],
        };
        for has_directory in [true, false] {
            let (number, _) = talk(|command| contact(command, has_directory));
            assert_eq!(number.as_deref(), Some("62146800000000083"), "an odd count is padded");
        }
    }

    #[test]
    fn a_number_that_is_empty_does_not_hide_the_one_on_track_2() {
        let track = bcd(&format!("{NUMBER}D301222000000000000F"));
        let (number, _) = talk(|command| match command {
            [0, 0xB2, 2, 0x0C, 0] => {
                ok(&t(&[0x70], &[t(&[0x5A], &[]), t(&[0x57], &track)].concat()))
            }
            other => contactless(other, &[0x5A], &[]),
        });
        assert_eq!(number.as_deref(), Some(NUMBER));
    }

    #[test]
    fn the_number_in_the_options_ends_it_at_once() {
        let (number, said) = talk(|command| match command {
            [0x80, 0xA8, ..] => ok(&t(&[0x77], &t(&[0x57], &bcd(&format!("{NUMBER}D3012F"))))),
            other => contactless(other, &[0x5A], &[]),
        });
        assert_eq!((number.as_deref(), said.len()), (Some(NUMBER), 3));
    }

    #[test]
    fn answers_in_parts_and_asked_again_are_put_together() {
        let mut rest = Vec::new();
        let (number, said) = talk(|command| match command {
            [0, 0xC0, 0, 0, _] => ok(&std::mem::take(&mut rest)),
            [0, 0xB2, record, file, 0] => {
                let whole = contactless(&[0, 0xB2, *record, *file, 0], &[0x5A], &bcd(NUMBER));
                vec![0x6C, (whole.len() - 2) as u8]
            }
            [0, 0xB2, record, file, _] => {
                let whole = contactless(&[0, 0xB2, *record, *file, 0], &[0x5A], &bcd(NUMBER));
                rest = whole[3..whole.len() - 2].to_vec();
                [&whole[..3], &[0x61, rest.len() as u8]].concat()
            }
            other => contactless(other, &[0x5A], &[]),
        });
        assert_eq!(number.as_deref(), Some(NUMBER));
        assert!(said.iter().any(|command| command[1] == 0xC0));
    }

    #[test]
    fn a_card_that_refuses_a_payment_of_zero_is_read_where_cards_keep_their_number() {
        let (number, _) = talk(|command| match command {
            [0x80, 0xA8, ..] => vec![0x69, 0x85],
            other => contactless(other, &[0x5A], &bcd(NUMBER)),
        });
        assert_eq!(number.as_deref(), Some(NUMBER));
    }

    #[test]
    fn a_card_of_another_scheme_is_not_asked_for_its_number() {
        let visa = [0xA0, 0, 0, 0, 3, 0x10, 0x10];
        let (number, said) = talk(|command| match command {
            [0, 0xA4, 4, 0, 14, b'2', ..] => ok(&t(&[0x6F], &t(&[0x61], &t(&[0x4F], &visa)))),
            _ => panic!("said {command:02X?} to it"),
        });
        assert_eq!((number, said.len()), (None, 1));
        // A travel card knows none of it.
        assert_eq!(talk(|_| vec![0x6A, 0x82]).0, None);
    }

    #[test]
    fn no_number_shows_in_debug_text() {
        let step = Step::Done(Told::Number(Zeroizing::new(NUMBER.to_owned())));
        assert_eq!(format!("{step:?}"), "Done(Number(…))");
    }

    proptest! {
        /// Whatever a card answers: no panic, an end, and never a command that could cost its holder anything.
        #[test]
        fn garbage_ends_and_is_told_nothing_else(answers in vec(vec(any::<u8>(), 0..40), 1..20), statuses in vec(any::<u16>(), 1..20)) {
            let mut round = 0;
            let (_, said) = talk(|_| {
                round += 1;
                let status = match statuses[round % statuses.len()] % 4 { 0 => 0x9000, 1 => 0x6100 | (round as u16 & 0xFF), 2 => 0x6C10, _ => statuses[round % statuses.len()] };
                [&answers[round % answers.len()][..], &status.to_be_bytes()].concat()
            });
            prop_assert!(said.len() <= COMMANDS_MAX as usize);
            for command in said {
                prop_assert!(matches!(command[..2], [0x00, 0xA4 | 0xB2 | 0xC0] | [0x80, 0xA8]), "{command:02X?}");
            }
        }

        /// A card with flipped bits may tell nothing, or a wrong number; it never breaks anything.
        #[test]
        fn a_damaged_card_does_not_panic(at in 0_usize..60, bit in 0_u8..8, which in 0_usize..5) {
            let mut round = 0;
            drop(talk(|command| {
                let mut answer = contactless(command, &[0x5A], &bcd(NUMBER));
                let length = answer.len();
                if round == which { answer[at % length] ^= 1 << bit; }
                round += 1;
                answer
            }));
        }
    }
}
