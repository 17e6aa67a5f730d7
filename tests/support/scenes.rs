//! Made-up photographs of a ticket on a phone for tests: tilted, dark, blurred, cracked. The same every time.

use qrcode::{Color, EcLevel, QrCode};

/// What the camera sees.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) code: QrCode,
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Pixels of a module in the middle of the picture.
    pub(crate) module: f32,
    /// Degrees about the upright axis, the level axis and the line of sight.
    pub(crate) turned: (f32, f32, f32),
    /// How far from the middle of the picture, as shares of its width and height.
    pub(crate) aside: (f32, f32),
    /// How far the middle bulges, in modules.
    pub(crate) bulge: f32,
    /// Black and white as the camera has them.
    pub(crate) light: (f32, f32),
    /// Pixels to each side that blur into one, twice.
    pub(crate) blur: usize,
    /// The largest error of a pixel.
    pub(crate) noise: f32,
    /// Lines across the glass.
    pub(crate) cracks: usize,
    /// Whether the right half lies in shadow.
    pub(crate) shadow: bool,
    /// Light on dark.
    pub(crate) inverted: bool,
}

impl Scene {
    /// `text` as tickets have it, held straight in good light.
    pub(crate) fn of(text: &str) -> Self {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).expect("short enough");
        Self {
            code,
            width: 1280,
            height: 720,
            module: 8.0,
            turned: (0.0, 0.0, 0.0),
            aside: (0.0, 0.0),
            bulge: 0.0,
            light: (30.0, 220.0),
            blur: 0,
            noise: 4.0,
            cracks: 0,
            shadow: false,
            inverted: false,
        }
    }

    /// The picture, row by row.
    pub(crate) fn pixels(&self) -> Vec<u8> {
        let mut random = Random(7);
        let lies = self.plane();
        let mut picture = plane(self.width, self.height, |x, y| {
            let quarters = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)];
            let at = |(dx, dy): (f32, f32)| self.seen(&lies, x as f32 + dx, y as f32 + dy);
            (quarters.map(at).iter().sum::<f32>() / 4.0) as u8
        });
        for _ in 0..2 {
            picture = box_blur(&picture, self.width, self.blur);
        }
        let noisy = |&pixel| (f32::from(pixel) + self.noise * (random.next() * 2.0 - 1.0)) as u8;
        picture.iter().map(noisy).collect()
    }

    /// What the ray through this point of the picture meets: the screen of a phone, or the hall behind it.
    fn seen(&self, plane: &Plane, x: f32, y: f32) -> f32 {
        let (black, white) = self.light;
        let shade = |white_share: f32| black + (white - black) * white_share;
        let side = self.code.width() as f32;
        let Some((u, v)) = self.hit(plane, x, y) else { return shade(0.4) };
        let cracked = (0..self.cracks).any(|crack| {
            let slope = 0.3 + crack as f32 * 0.45;
            (v - slope * u - side * (0.15 - 0.3 * crack as f32)).abs() < 0.22
        });
        let dim = if self.shadow && u > side / 2.0 { 0.35 } else { 1.0 };
        let inside = |margin: f32| {
            (-margin..side + margin).contains(&u) && (-margin..side + margin).contains(&v)
        };
        let lit = if cracked {
            0.85
        } else if (0.0..side).contains(&u) && (0.0..side).contains(&v) {
            let dark = self.code[(u as usize, v as usize)] == Color::Dark;
            if dark == self.inverted { 1.0 } else { 0.0 }
        } else if inside(4.0) {
            if self.inverted { 0.0 } else { 1.0 }
        } else if inside(9.0) {
            0.1
        } else {
            // A hall of stripes and lamps.
            return shade(0.45 + 0.15 * (x / 37.0).sin() * (y / 23.0).cos());
        };
        shade(lit * dim)
    }

    /// Where the ray meets the code's plane, in modules from its upper left.
    fn hit(&self, plane: &Plane, x: f32, y: f32) -> Option<(f32, f32)> {
        let side = self.code.width() as f32;
        let focus = self.focus();
        let ray = [
            (x - self.width as f32 * (0.5 + self.aside.0)) / focus,
            (y - self.height as f32 * (0.5 + self.aside.1)) / focus,
            1.0,
        ];
        let slant = dot(plane.normal, ray);
        if slant.abs() < 1e-3 {
            return None;
        }
        let distance = plane.normal[2] * plane.far / slant;
        let point = [ray[0] * distance, ray[1] * distance, ray[2] * distance - plane.far];
        let (a, b) = (dot(point, plane.right), dot(point, plane.down));
        let reach = (a / side * 2.0).clamp(-1.5, 1.5);
        Some((a + side / 2.0, b + side / 2.0 + self.bulge * (1.0 - reach * reach)))
    }

    /// The rays spread like a webcam's.
    fn focus(&self) -> f32 {
        self.width as f32 * 0.9
    }

    /// How the code lies before the camera.
    fn plane(&self) -> Plane {
        let (yaw, pitch, roll) = self.turned;
        let (sin_yaw, cos_yaw) = yaw.to_radians().sin_cos();
        let (sin_pitch, cos_pitch) = pitch.to_radians().sin_cos();
        let (sin_roll, cos_roll) = roll.to_radians().sin_cos();
        // Its own axes: rolled in the plane, then pitched, then yawed.
        let turn = |[a, b]: [f32; 2]| {
            let (a, b) = (a * cos_roll - b * sin_roll, a * sin_roll + b * cos_roll);
            let (b, c) = (b * cos_pitch, b * sin_pitch);
            [a * cos_yaw + c * sin_yaw, b, c * cos_yaw - a * sin_yaw]
        };
        let (right, down) = (turn([1.0, 0.0]), turn([0.0, 1.0]));
        Plane { normal: cross(right, down), right, down, far: self.focus() / self.module }
    }
}

/// The plane of a code, `far` modules before the camera.
struct Plane {
    right: [f32; 3],
    down: [f32; 3],
    normal: [f32; 3],
    far: f32,
}

fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn plane(width: usize, height: usize, pixel: impl Fn(usize, usize) -> u8) -> Vec<u8> {
    let pixel = &pixel;
    (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect()
}

/// The mean over `radius` pixels to each side, along rows and then along columns.
fn box_blur(picture: &[u8], width: usize, radius: usize) -> Vec<u8> {
    if radius == 0 {
        return picture.to_vec();
    }
    let height = picture.len() / width;
    let mean = |values: &mut dyn Iterator<Item = u8>| {
        let (sum, count) =
            values.fold((0_usize, 0), |(sum, count), value| (sum + usize::from(value), count + 1));
        (sum / count) as u8
    };
    let range = |at: usize, end: usize| at.saturating_sub(radius)..(at + radius + 1).min(end);
    let rows = plane(width, height, |x, y| {
        mean(&mut picture[y * width..][range(x, width)].iter().copied())
    });
    plane(width, height, |x, y| mean(&mut range(y, height).map(|y| rows[y * width + x])))
}

/// Numbers from 0 to 1, the same every time (xorshift).
struct Random(u32);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as f32 / u32::MAX as f32
    }
}
