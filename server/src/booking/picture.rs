//! The ticket code as a picture.

use std::io::Cursor;

use image::{ImageFormat, Luma};
use qrcode::{EcLevel, QrCode, render::svg};

use crate::error::Result;

/// Dots per module of the PNG, so that a printed code is crisp.
const DOTS: u32 = 12;

/// The QR code of `code` as SVG with a white quiet zone, whatever the page's colours are.
pub(crate) fn qr_svg(code: &str) -> Result<String> {
    let image =
        qr(code)?.render::<svg::Color<'_>>().quiet_zone(true).min_dimensions(320, 320).build();
    // The XML declaration has no place inside a page.
    Ok(image.split_once("?>").map_or(image.clone(), |(_, svg)| svg.trim_start().to_owned()))
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
