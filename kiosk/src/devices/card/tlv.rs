//! BER-TLV as bank cards speak it (EMV 4.3 book 3, annex B), read in place: a copy would have to be wiped too, and
//! the crates that parse TLV make copies.

/// A tag's bytes, as a number: `0x9F38`.
pub(super) type Tag = u32;

/// Deeper than any card nests its templates.
const DEPTH_MAX: u8 = 6;

/// The value of the first `tag` in `data`, at any depth.
pub(super) fn find(data: &[u8], tag: Tag) -> Option<&[u8]> {
    all(data, tag).into_iter().next()
}

/// The values of every `tag` in `data`, at any depth, in order.
pub(super) fn all(data: &[u8], tag: Tag) -> Vec<&[u8]> {
    let mut found = Vec::new();
    collect(data, tag, DEPTH_MAX, &mut found);
    found
}

fn collect<'a>(data: &'a [u8], tag: Tag, depth: u8, found: &mut Vec<&'a [u8]>) {
    let mut rest = data;
    while let Some((element, after)) = element(rest) {
        if element.tag == tag {
            found.push(element.value);
        } else if element.constructed && depth > 0 {
            collect(element.value, tag, depth - 1, found);
        }
        rest = after;
    }
}

struct Element<'a> {
    tag: Tag,
    constructed: bool,
    value: &'a [u8],
}

/// The first element, and what comes behind it. None at the end, and where the bytes are no TLV any more.
fn element(data: &[u8]) -> Option<(Element<'_>, &[u8])> {
    // Zeros before and between elements are padding.
    let data = &data[data.iter().position(|byte| *byte != 0)?..];
    let (tag, data) = tag(data)?;
    let (length, data) = length(data)?;
    let (value, after) = data.split_at_checked(length)?;
    Some((Element { tag: tag.0, constructed: tag.1, value }, after))
}

/// The tag, whether it is a template, and what comes behind it.
fn tag(data: &[u8]) -> Option<((Tag, bool), &[u8])> {
    let (first, mut data) = data.split_first()?;
    let mut tag = Tag::from(*first);
    if first & 0x1F == 0x1F {
        loop {
            let (next, after) = data.split_first()?;
            (tag, data) = (tag << 8 | Tag::from(*next), after);
            if next & 0x80 == 0 {
                break;
            }
            // Three bytes are the longest in use.
            if tag > 0xFFFF {
                return None;
            }
        }
    }
    Some(((tag, first & 0x20 != 0), data))
}

fn length(data: &[u8]) -> Option<(usize, &[u8])> {
    match *data {
        [short @ 0..=0x7F, ref rest @ ..] => Some((usize::from(short), rest)),
        [0x81, length, ref rest @ ..] => Some((usize::from(length), rest)),
        [0x82, high, low, ref rest @ ..] => {
            Some((usize::from(u16::from_be_bytes([high, low])), rest))
        }
        _ => None,
    }
}

/// How many bytes a data object list (PDOL) asks for. None when it is no list.
pub(super) fn asked_for(list: &[u8]) -> Option<usize> {
    let (mut rest, mut sum) = (list, 0);
    while !rest.is_empty() {
        let (_, after) = tag(rest)?;
        let (length, after) = length(after)?;
        (rest, sum) = (after, sum + length);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_found_at_any_depth_and_between_padding() {
        let data = [0x6F, 0x0B, 0x84, 1, 7, 0, 0, 0xA5, 4, 0x9F, 0x38, 1, 9];
        assert_eq!(find(&data, 0x9F38), Some(&[9][..]));
        assert_eq!(find(&data, 0x84), Some(&[7][..]));
        assert_eq!(find(&data, 0x57), None);
        let two = [0x61, 3, 0x4F, 1, 1, 0x61, 0x81, 3, 0x4F, 1, 2];
        assert_eq!(all(&two, 0x4F), [&[1][..], &[2][..]]);
    }

    #[test]
    fn what_is_cut_off_or_endless_is_not_read() {
        for data in [
            &[0x57, 5, 1][..],
            &[0x9F],
            &[0x57],
            &[0x57, 0x80],
            &[0x57, 0x83, 0, 0, 1, 9],
            &[0xFF, 0xFF, 0xFF, 0xFF],
        ] {
            assert_eq!(find(data, 0x57), None, "{data:?}");
        }
    }

    #[test]
    fn a_list_asks_for_the_sum_of_its_lengths() {
        // Terminal capabilities, amount, country, currency: what UnionPay cards ask for.
        let list = [0x9F, 0x66, 4, 0x9F, 0x02, 6, 0x9F, 0x1A, 2, 0x5F, 0x2A, 2];
        assert_eq!(asked_for(&list), Some(14));
        assert_eq!(asked_for(&[]), Some(0));
        assert_eq!(asked_for(&[0x9F]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data in any::<Vec<u8>>(), tag in any::<u16>()) {
            drop((all(&data, tag.into()), asked_for(&data)));
        }
    }
}
