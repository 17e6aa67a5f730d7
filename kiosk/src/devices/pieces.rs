//! What came in one go, sorted into pieces: two codes without a line end between them are two, half a code is none.
//!
//! Pure, and fuzzed (`fuzz/`): anything may stand in a code that a visitor shows.

use admission::{card::CardNumber, ticket};

/// Shorter than this, what begins like a code is no code that was cut off.
const TORN_CODE_MIN: usize = 12;
/// More than this in one go nobody shows: it is one code that was made to look like many, each of which would be
/// decided and written down.
const PIECES_MAX: usize = 8;

/// One of the things that came in one go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A reading for the door.
    Text(&'a str),
    /// Something was shown, and not read in whole.
    Torn(Half),
}

/// Of what only a part was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// A part of a ticket code.
    Code,
    /// A swipe.
    Swipe,
}

/// Sorts what came in one go.
#[must_use]
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = without_symbology(text.trim());
    while !rest.is_empty() {
        if pieces.len() == PIECES_MAX {
            return vec![Piece::Torn(Half::Code)];
        }
        let (piece, after) = cut(rest);
        pieces.push(piece);
        rest = without_symbology(after.trim_start());
    }
    // Two at once, each in pieces, ask for one repetition.
    pieces.dedup_by(|second, first| matches!((second, first), (Piece::Torn(_), Piece::Torn(_))));
    pieces
}

/// A reading that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// Nothing can be added.
    Ends,
    /// A ticket code, which the letters of a moving one may follow.
    MayGoOn,
}

/// Whether `text` is a whole reading; none when it is a part of one, or anything else.
#[must_use]
pub(super) fn whole(text: &str) -> Option<Whole> {
    let text = without_symbology(text.trim());
    if starts_swipe(text) {
        return has_track_2(text).then_some(Whole::Ends);
    }
    if ticket::looks_like_code(text) {
        let letters = text.bytes().filter(u8::is_ascii_alphanumeric).count();
        let is_plain = letters < ticket::MOVING_CHARS;
        return Some(if is_plain { Whole::MayGoOn } else { Whole::Ends });
    }
    let is_card = matches!(text.len(), 16 | 19) && CardNumber::read(text).is_some();
    is_card.then_some(Whole::Ends)
}

/// The first piece of `text`, and what comes behind it.
fn cut(text: &str) -> (Piece<'_>, &str) {
    // Neither `;` nor the 1 of `T1` nor `]` stands inside a code, so what begins there is another reading.
    let starts_reading = |at: usize| {
        let rest = &text[at..];
        starts_code(rest) || starts_swipe(rest) || without_symbology(rest).len() < rest.len()
    };
    let may_end = |at: usize| starts_code(text) || starts_swipe(text) && has_track_2(&text[..at]);
    let mut places = text.char_indices().skip(1).map(|(at, _)| at);
    let end = places.find(|at| starts_reading(*at) && may_end(*at)).unwrap_or(text.len());
    let (first, rest) = text.split_at(end);
    (sorted(first.trim_end()), rest)
}

fn sorted(text: &str) -> Piece<'_> {
    let torn_code = || {
        let begun = text.len() >= TORN_CODE_MIN && starts_code(text);
        let body =
            |byte: u8| matches!(byte.to_ascii_uppercase(), b'A'..=b'Z' | b'2'..=b'7' | b' ' | b'-');
        begun && !ticket::looks_like_code(text) && text.bytes().skip(2).all(body)
    };
    let torn_swipe = || starts_swipe(text) && CardNumber::read(text).is_none() || is_track_3(text);
    if torn_code() || is_mixed(text) {
        Piece::Torn(Half::Code)
    } else if torn_swipe() {
        Piece::Torn(Half::Swipe)
    } else {
        Piece::Text(text)
    }
}

/// Whether two that type into one page have typed at once, key by key: longer than a code, and nothing in it that
/// stands in no code and no swipe.
fn is_mixed(text: &str) -> bool {
    let of_either = |byte: u8| byte.is_ascii_alphanumeric() || b";=?".contains(&byte);
    let begun = text.bytes().take(4).any(|byte| b"Tt;".contains(&byte));
    text.len() > ticket::CODE_CHARS
        && begun
        && text.bytes().all(of_either)
        && !ticket::looks_like_code(text)
}

/// Whether the track that card numbers are taken from has come to its end.
fn has_track_2(text: &str) -> bool {
    text.split_once(';').is_some_and(|(_, track_2)| track_2.contains('?'))
}

fn starts_code(text: &str) -> bool {
    text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(ticket::PREFIX))
}

/// Whether `text` begins like a track of a magnetic stripe.
fn starts_swipe(text: &str) -> bool {
    text.starts_with([';', '%'])
}

/// Whether it is track 3 alone, of which nothing is wanted: some readers send it so, and behind the others.
fn is_track_3(text: &str) -> bool {
    let track = text.strip_prefix('+').and_then(|track| track.strip_suffix('?'));
    let of_track = |byte: u8| byte.is_ascii_digit() || byte == b'=';
    track.is_some_and(|track| track == "E" || !track.is_empty() && track.bytes().all(of_track))
}

/// Scanners can be set to say what kind of code they read: `]Q1` before a QR code.
fn without_symbology(text: &str) -> &str {
    let mut chars = text.chars();
    let told = chars.next() == Some(']')
        && chars.next().is_some_and(|kind| kind.is_ascii_alphabetic())
        && chars.next().is_some_and(|modifier| modifier.is_ascii_alphanumeric());
    if told { chars.as_str() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Piece::*, *};

    const SWIPE: &str = ";6214680000000008=30122200000000000000?";
    const BOTH_TRACKS: &str =
        "%B6214680000000008^WANG/XIAOMING^30122200000?;6214680000000008=30122200000000000000?";

    fn code(letter: char) -> String {
        format!("T1{}", letter.to_string().repeat(ticket::CODE_CHARS - 2))
    }

    #[test]
    fn one_reading_is_one_piece() {
        let typed_by_hand = ticket::grouped(&code('A'));
        for text in [
            &code('A'),
            &code('b').to_lowercase(),
            &typed_by_hand,
            SWIPE,
            BOTH_TRACKS,
            "6214680000000008",
            "https://example.org/?T1=a;T1",
            "WIFI:T:WPA;S:net;;",
            "T1",
            "12",
        ] {
            assert_eq!(pieces(text), [Text(text)]);
        }
        assert!(pieces(" \r\n").is_empty());
        assert_eq!(pieces("]Q1hello there"), [Text("hello there")]);
    }

    #[test]
    fn readings_that_ran_together_are_told_apart() {
        let (a, b) = (code('A'), code('B'));
        assert_eq!(pieces(&format!("{a}{b}")), [Text(&a), Text(&b)]);
        assert_eq!(pieces(&format!("{a}]Q1{b}")).len(), 2);
        assert_eq!(pieces(&format!("{a}{SWIPE}{b}")), [Text(&a), Text(SWIPE), Text(&b)]);
        assert_eq!(
            pieces(&format!("{BOTH_TRACKS}{BOTH_TRACKS}")),
            [Text(BOTH_TRACKS), Text(BOTH_TRACKS)]
        );
    }

    #[test]
    fn what_was_read_in_part_is_no_refusal() {
        assert_eq!(pieces(&code('A')[..80]), [Torn(Half::Code)]);
        assert_eq!(
            pieces(&format!("{}{}", &code('A')[..80], code('B'))),
            [Torn(Half::Code), Text(&code('B'))]
        );
        for swipe in [
            ";E?",
            "%E?;E?",
            ";62146800",
            "%B6214680000000008^WANG",
            ";6214680000000009=3012?",
            "+996214680000000008=1561560000?",
            "+E?",
        ] {
            assert_eq!(pieces(swipe), [Torn(Half::Swipe)], "{swipe}");
        }
        // Two scanners that typed into the page at once, key by key.
        let mixed: String =
            code('A').chars().zip(code('B').chars()).flat_map(|(a, b)| [a, b]).collect();
        assert_eq!(pieces(&mixed), [Torn(Half::Code)]);
        let mixed: String = code('A')
            .chars()
            .zip(SWIPE.chars().chain(code('C').chars()))
            .flat_map(|(a, b)| [b, a])
            .collect();
        assert!(
            pieces(&mixed).iter().all(|piece| matches!(piece, Torn(_))),
            "{:?}",
            pieces(&mixed)
        );
    }

    #[test]
    fn a_code_that_looks_like_many_is_one() {
        let many: String = (0..1_000).map(|n| format!("T1{n}")).collect();
        assert_eq!(pieces(&many), [Torn(Half::Code)]);
    }

    #[test]
    fn track_3_behind_the_others_is_no_other_card() {
        // Its bank numbers stand behind 99, by which its check digit never fits.
        let plus = format!("{BOTH_TRACKS}+996214680000000008=1561560000000000?");
        assert_eq!(pieces(&plus), [Text(&plus)]);
        let semicolon = format!("{BOTH_TRACKS};996214680000000008=1561560000000000?");
        assert_eq!(pieces(&semicolon), [Text(BOTH_TRACKS), Torn(Half::Swipe)]);
    }

    #[test]
    fn nothing_can_be_added_to_what_is_whole_but_the_letters_of_a_code_that_moves() {
        for text in [SWIPE, BOTH_TRACKS, "6214680000000008"] {
            assert_eq!(whole(text), Some(Whole::Ends));
            assert_eq!(whole(&text[..text.len() - 1]), None, "{text}");
        }
        let moving = format!("{}23YZ", code('A'));
        assert_eq!(whole(&moving), Some(Whole::Ends));
        assert_eq!(whole(&ticket::grouped(&moving)), Some(Whole::Ends));
        assert_eq!(whole(&moving[..153]), None);
        assert_eq!(whole(&code('A')), Some(Whole::MayGoOn));
        assert_eq!(whole(&code('A')[..149]), None);
        assert_eq!(
            whole("%B6214680000000008^WANG/XIAOMING^30122200000?"),
            None,
            "track 2 is still to come"
        );
    }

    #[test]
    fn a_moving_code_is_one_piece_and_a_part_of_it_is_read_again() {
        let moving = format!("{}23YZ", code('A'));
        assert_eq!(pieces(&moving), [Text(&moving)]);
        let both = format!("{moving}{moving}");
        assert_eq!(pieces(&both), [Text(&moving), Text(&moving)]);
        for part in 151..154 {
            assert_eq!(pieces(&moving[..part]), [Torn(Half::Code)], "{part} characters");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_text_is_told(text in "(T1[A-Z2-7]{0,200}|;[0-9=]{0,40}\\??|[%]B[0-9^]{0,20}\\?|\\PC{0,20}){0,4}") {
            prop_assert_eq!(pieces(&text).is_empty(), without_symbology(text.trim()).is_empty());
        }
    }
}
