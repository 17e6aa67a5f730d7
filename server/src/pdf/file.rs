//! The file around what was drawn: objects, their table, the font.

use super::font::{Font, stream, utf16};

/// The bytes of a document whose pages, all of one size in points, were drawn with `font`.
pub(super) fn written(
    title: &str,
    [width, height]: [f64; 2],
    pages: &[String],
    font: &Font,
) -> Vec<u8> {
    const FONT: usize = 4;
    let letters = font.objects(FONT);
    let first = FONT + letters.len();
    let kids: Vec<String> = (0..pages.len()).map(|n| format!("{} 0 R", first + 2 * n)).collect();
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R /Lang (zh-CN) >>".to_vec(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len())
            .into_bytes(),
        format!("<< /Title <FEFF{}> /Producer (Turnout) >>", utf16(title)).into_bytes(),
    ];
    objects.extend(letters);
    for (n, page) in pages.iter().enumerate() {
        let content = first + 2 * n + 1;
        objects.push(
            format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Resources << /Font << /F {FONT} 0 R >> >> /Contents {content} 0 R >>").into_bytes(),
        );
        objects.push(stream("", page.as_bytes()));
    }
    // Four bytes above ASCII tell programs that copy files that this one is not text.
    let mut file = b"%PDF-1.5\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut table = String::from("0000000000 65535 f \n");
    for (n, object) in (1..).zip(&objects) {
        table += &format!("{:010} 00000 n \n", file.len());
        file.extend_from_slice(format!("{n} 0 obj\n").as_bytes());
        file.extend_from_slice(object);
        file.extend_from_slice(b"\nendobj\n");
    }
    let (start, size) = (file.len(), objects.len() + 1);
    let end = format!(
        "xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R /Info 3 0 R >>\nstartxref\n{start}\n%%EOF\n"
    );
    file.extend_from_slice(end.as_bytes());
    file
}

#[cfg(test)]
pub(super) mod tests {
    /// That each object stands where the table says; gives their number.
    pub(in crate::pdf) fn sound(file: &[u8]) -> usize {
        assert!(file.starts_with(b"%PDF-") && file.ends_with(b"%%EOF\n"));
        let text = String::from_utf8_lossy(file);
        let (_, end) = text.rsplit_once("startxref\n").expect("an end");
        let start: usize = end.lines().next().and_then(|at| at.parse().ok()).expect("an offset");
        let table = String::from_utf8_lossy(&file[start..]);
        assert!(table.starts_with("xref\n"), "{table}");
        let offsets: Vec<usize> = table
            .lines()
            .skip(3)
            .take_while(|line| line.ends_with(" n "))
            .map(|line| line[..10].parse().expect("an offset"))
            .collect();
        for (n, at) in (1..).zip(&offsets) {
            assert!(file[*at..].starts_with(format!("{n} 0 obj\n").as_bytes()), "object {n}");
        }
        offsets.len()
    }
}
