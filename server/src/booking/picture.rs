//! The ticket code as a picture.

use std::io::Cursor;

use image::{ImageFormat, Luma};
use qrcode::{Color, EcLevel, QrCode};

use crate::error::Result;

/// Dots per module of the PNG, so that a printed code is crisp.
const DOTS: u32 = 12;
/// Modules of white around a code.
const QUIET: usize = 4;

/// The QR code of `code` as SVG with a white quiet zone, whatever the page's colours are.
///
/// One path with one piece per run of dark modules: a third of what a piece per module takes, so the ticket page stays
/// small enough for a bad network.
pub(crate) fn qr_svg(code: &str) -> Result<String> {
    let qr = qr(code)?;
    let (width, modules) = (qr.width(), qr.to_colors());
    let mut path = String::new();
    for (y, row) in modules.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| one == next) {
            if run[0] == Color::Dark {
                path.push_str(&format!("M{x} {y}h{n}v1h-{n}z", n = run.len()));
            }
            x += run.len();
        }
    }
    let all = width + 2 * QUIET;
    Ok(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="-{QUIET} -{QUIET} {all} {all}" width="{}" height="{}" shape-rendering="crispEdges"><path fill="#fff" d="M-{QUIET}-{QUIET}h{all}v{all}h-{all}z"/><path d="{path}"/></svg>"##,
        all * 8,
        all * 8,
    ))
}

/// The same as PNG.
pub(crate) fn qr_png(code: &str) -> Result<Vec<u8>> {
    let picture =
        qr(code)?.render::<Luma<u8>>().quiet_zone(true).module_dimensions(DOTS, DOTS).build();
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).map_err(anyhow::Error::from)?;
    Ok(png.into_inner())
}

fn qr(code: &str) -> Result<QrCode> {
    Ok(QrCode::with_error_correction_level(code, EcLevel::M).map_err(anyhow::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws the path again, module by module.
    fn drawn(svg: &str, width: usize) -> Vec<Color> {
        let mut modules = vec![Color::Light; width * width];
        let path =
            svg.rsplit("d=\"").next().and_then(|rest| rest.split('"').next()).expect("a path");
        for run in path.split('M').filter(|run| !run.is_empty()) {
            let number = |text: &str| text.parse::<usize>().expect("a number");
            let (x, rest) = run.split_once(' ').expect("x and y");
            let (y, rest) = rest.split_once('h').expect("y and a length");
            let (x, y, n) =
                (number(x), number(y), number(rest.split('v').next().expect("a length")));
            modules[y * width + x..][..n].fill(Color::Dark);
        }
        modules
    }

    #[test]
    fn the_drawing_is_the_code_and_small() {
        let code = format!("T1{}", "AB7".repeat(49));
        let (svg, qr) = (qr_svg(&code).expect("a drawing"), qr(&code).expect("a code"));
        assert_eq!(drawn(&svg, qr.width()), qr.to_colors());
        assert!(svg.len() < 12_000, "{} bytes", svg.len());
    }
}
