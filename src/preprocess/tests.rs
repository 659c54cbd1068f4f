use proptest::prelude::*;

use super::*;
use crate::decode::{Channels, Picture};

const INK: Preprocess = Preprocess::Ink { fit: 20, mean: Vec::new(), std: Vec::new() };

fn luma(width: u32, height: u32, pixels: Vec<u8>) -> Picture {
    Picture { width, height, channels: Channels::Luma, pixels }
}

fn inverted(picture: &Picture) -> Picture {
    Picture { pixels: picture.pixels.iter().map(|pixel| 255 - pixel).collect(), ..picture.clone() }
}

/// `ink` on `paper`: a bent stroke (a `7`), `size` pixels high, its top left corner at (`left`, `top`).
fn drawn(side: u32, size: f32, left: f32, top: f32, ink: u8, paper: u8) -> Picture {
    let (corner, foot) = ((left + size * 0.7, top), (left + size * 0.25, top + size));
    let pixels = (0..side * side).map(|at| {
        let point = ((at % side) as f32, (at / side) as f32);
        let distance = from_line(point, (left, top), corner).min(from_line(point, corner, foot));
        let covered = (size * 0.06 + 0.5 - distance).clamp(0.0, 1.0);
        (f32::from(paper) + covered * (f32::from(ink) - f32::from(paper))).round() as u8
    });
    luma(side, side, pixels.collect())
}

fn from_line(point: (f32, f32), from: (f32, f32), to: (f32, f32)) -> f32 {
    let (along, across) = (to.0 - from.0, to.1 - from.1);
    let t = ((point.0 - from.0) * along + (point.1 - from.1) * across) / (along * along + across * across);
    let t = t.clamp(0.0, 1.0);
    (point.0 - from.0 - t * along).hypot(point.1 - from.1 - t * across)
}

/// Mean difference of two inputs, in steps of 1/255.
fn mean_difference(a: &Prepared, b: &Prepared) -> f32 {
    let sum: f32 = a.seen.iter().zip(&b.seen).map(|(a, b)| f32::from(a.abs_diff(*b))).sum();
    sum / a.seen.len() as f32
}

fn is_whole(prepared: &Prepared, channels: usize, height: usize, width: usize) -> bool {
    let Tensor { channels: c, height: h, width: w, values } = &prepared.tensor;
    (*c, *h, *w) == (channels, height, width)
        && values.len() == channels * height * width
        && prepared.seen.len() == values.len()
        && values.iter().all(|value| value.is_finite())
}

fn any_picture(channels: Channels) -> impl Strategy<Value = Picture> {
    let side = || prop_oneof![4 => 1u32..40, 1 => 1u32..500, 1 => Just(28u32)];
    // Few grey values make flat areas and sharp edges, many make noise.
    let values = prop_oneof![Just(vec![0u8, 255]), Just(vec![255]), Just((0..=255).collect::<Vec<u8>>())];
    (side(), side(), values, any::<u64>()).prop_map(move |(width, height, values, seed)| {
        let mut state = seed | 1;
        let mut next = || {
            // Marsaglia's xorshift: cheaper than a strategy a pixel.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            values[(state >> 32) as usize % values.len()]
        };
        let pixels = (0..(width * height) as usize * channels.count()).map(|_| next()).collect();
        Picture { width, height, channels, pixels }
    })
}

fn resize(mode: Mode) -> Resize {
    Resize {
        mode,
        shorter_side: None,
        filter: Filter::Bilinear,
        pad: None,
        scale: 1.0 / 255.0,
        mean: Vec::new(),
        std: Vec::new(),
    }
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Stretch), Just(Mode::Fit), Just(Mode::CentreCrop)]
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let smooth = prop_oneof![Just(Filter::Bicubic), Just(Filter::Lanczos)];
    prop_oneof![Just(Filter::Bilinear), Just(Filter::Box), Just(Filter::Nearest), smooth]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_luma_picture_is_a_whole_tensor_of_ink(picture in any_picture(Channels::Luma)) {
        let prepared = prepare(&picture, &INK, 28, 28);
        prop_assert!(is_whole(&prepared, 1, 28, 28));
        prop_assert!(prepared.tensor.values.iter().all(|value| (0.0..=1.0).contains(value)));
        prop_assert_eq!(prepare(&picture, &INK, 28, 28), prepared);
    }

    #[test]
    fn any_picture_is_resized_to_a_whole_tensor(
        picture in prop_oneof![any_picture(Channels::Luma), any_picture(Channels::Rgb)],
        mode in any_mode(), filter in any_filter(), bgr: bool,
        height in 1usize..70, width in 1usize..70,
    ) {
        let channels = picture.channels.count();
        let resize = Resize { filter, mean: vec![0.5; channels], std: vec![0.25; channels], ..resize(mode) };
        let how = Preprocess::Resize(resize);
        let order = if bgr { ChannelOrder::Bgr } else { ChannelOrder::Rgb };
        let prepare = || find(Cow::Borrowed(&picture), &how, height, width).in_order(order).prepared();
        let prepared = prepare();
        prop_assert!(is_whole(&prepared, channels, height, width));
        prop_assert!(prepared.tensor.values.iter().all(|value| (-2.001..=2.001).contains(value)));
        prop_assert_eq!(prepare(), prepared);
    }

    #[test]
    fn one_colour_stays_that_colour(
        width in 1u32..300, height in 1u32..300, value: u8, mode in any_mode(), filter in any_filter(),
    ) {
        let picture = luma(width, height, vec![value; (width * height) as usize]);
        let how = Preprocess::Resize(Resize { filter, pad: Some(value), ..resize(mode) });
        prop_assert!(prepare(&picture, &how, 17, 23).seen.iter().all(|&seen| seen == value));
    }

    #[test]
    fn a_blank_picture_is_all_paper(width in 1u32..300, height in 1u32..300, paper: u8) {
        let prepared = prepare(&luma(width, height, vec![paper; (width * height) as usize]), &INK, 28, 28);
        prop_assert!(prepared.seen.iter().all(|&value| value == 0));
    }

    #[test]
    fn where_the_character_stands_does_not_matter(left in 12.0f32..90.0, top in 12.0f32..90.0) {
        let size = 100.0;
        let there = prepare(&drawn(200, size, left, top, 10, 240), &INK, 28, 28);
        let middle = prepare(&drawn(200, size, 60.0, 50.0, 10, 240), &INK, 28, 28);
        prop_assert!(mean_difference(&there, &middle) < 4.0, "{}", mean_difference(&there, &middle));
    }

    #[test]
    fn how_large_the_picture_is_does_not_matter(times in 1.0f32..4.0) {
        let side = (200.0 * times) as u32;
        let large = prepare(&drawn(side, 100.0 * times, 60.0 * times, 50.0 * times, 10, 240), &INK, 28, 28);
        let small = prepare(&drawn(200, 100.0, 60.0, 50.0, 10, 240), &INK, 28, 28);
        prop_assert!(mean_difference(&large, &small) < 6.0, "{}", mean_difference(&large, &small));
    }

    #[test]
    fn dark_on_light_is_light_on_dark(ink in 0u8..90, paper in 160u8..=255, left in 12.0f32..90.0) {
        let picture = drawn(200, 100.0, left, 50.0, ink, paper);
        let (dark, light) = (prepare(&picture, &INK, 28, 28), prepare(&inverted(&picture), &INK, 28, 28));
        // Not equal: 1 - v and (255 - p) / 255 round differently, which takes a pixel at the ink's edge in or out.
        prop_assert!(mean_difference(&dark, &light) < 1.0, "{}", mean_difference(&dark, &light));
    }
}

#[test]
fn a_fitted_character_has_the_asked_size_and_its_mass_in_the_middle() {
    let prepared = prepare(&drawn(300, 140.0, 40.0, 100.0, 30, 200), &INK, 28, 28);
    let inked = |at: &usize| prepared.seen[*at] > 40;
    let rows: Vec<usize> = (0..784).filter(inked).map(|at| at / 28).collect();
    let (first, last) = (rows.iter().min().unwrap(), rows.iter().max().unwrap());
    assert!((19..=21).contains(&(last - first + 1)), "{first}..={last}");
    let mass: f32 = prepared.tensor.values.iter().sum();
    let weigh = |position: fn(usize) -> usize| {
        let moments = prepared.tensor.values.iter().enumerate().map(|(at, value)| value * (position(at) as f32 + 0.5));
        moments.sum::<f32>() / mass
    };
    let (across, down) = (weigh(|at| at % 28), weigh(|at| at / 28));
    assert!((across - 14.5).abs() < 0.3 && (down - 14.5).abs() < 0.3, "{across} {down}");
}

#[test]
fn uneven_light_and_a_faint_pen_are_still_ink() {
    let mut picture = drawn(200, 100.0, 60.0, 50.0, 0, 60);
    for (at, pixel) in picture.pixels.iter_mut().enumerate() {
        *pixel = 120 + *pixel + (at % 200 / 4) as u8;
    }
    let plain = prepare(&drawn(200, 100.0, 60.0, 50.0, 10, 240), &INK, 28, 28);
    let shaded = prepare(&picture, &INK, 28, 28);
    assert!(mean_difference(&plain, &shaded) < 4.0, "{}", mean_difference(&plain, &shaded));
}

#[test]
fn what_is_fitted_already_comes_through_as_it_is() {
    let once = prepare(&drawn(200, 100.0, 60.0, 50.0, 10, 240), &INK, 28, 28);
    let again = luma(28, 28, once.seen.clone());
    assert_eq!(prepare(&again, &INK, 28, 28), once);
    assert_eq!(prepare(&inverted(&again), &INK, 28, 28), once);
}

#[test]
fn a_picture_of_one_line_takes_no_more_memory_than_its_pixels() {
    // Across first and as a whole, this one would be a line of 6 million pixels, 224 of which are wanted.
    for (width, height) in [(200_000, 1), (1, 200_000)] {
        let picture = luma(width, height, (0..200_000).map(|at| (at / 800) as u8).collect());
        for mode in [Mode::Stretch, Mode::Fit, Mode::CentreCrop] {
            let prepared = prepare(&picture, &Preprocess::Resize(resize(mode)), 224, 224);
            assert!(is_whole(&prepared, 1, 224, 224), "{mode:?}");
        }
    }
}

#[test]
fn a_network_of_the_other_order_sees_the_same_picture() {
    let picture = Picture { width: 1, height: 1, channels: Channels::Rgb, pixels: vec![10, 20, 30] };
    let how = Preprocess::Resize(Resize { scale: 1.0, mean: vec![1.0, 2.0, 3.0], ..resize(Mode::Stretch) });
    let rgb = prepare(&picture, &how, 1, 1);
    let bgr = find(Cow::Borrowed(&picture), &how, 1, 1).in_order(ChannelOrder::Bgr).prepared();
    assert_eq!((rgb.tensor.values, bgr.tensor.values), (vec![9.0, 18.0, 27.0], vec![29.0, 18.0, 7.0]));
    assert_eq!((&rgb.seen, &bgr.seen), (&picture.pixels, &picture.pixels));
}

/// Grey of the pixel at (x, y).
type Ground = fn(usize, usize) -> u8;

/// `picture` with the darker of its own pixel and `of(x, y)`.
fn under(picture: &Picture, of: impl Fn(usize, usize) -> u8) -> Picture {
    let width = picture.width as usize;
    let pixels = picture.pixels.iter().enumerate().map(|(at, &pixel)| pixel.min(of(at % width, at / width)));
    Picture { pixels: pixels.collect(), ..picture.clone() }
}

#[test]
fn what_was_on_the_paper_before_is_no_ink() {
    let plain = drawn(200, 100.0, 60.0, 50.0, 10, 240);
    let clean = prepare(&plain, &INK, 28, 28);
    let grounds: [(&str, Ground); 4] = [
        ("ruled", |_, y| if y % 30 == 12 { 150 } else { 240 }),
        ("squared", |x, y| if y % 30 == 12 || x % 30 == 7 { 170 } else { 240 }),
        ("a cell", |x, y| if x.abs_diff(100) == 92 || y.abs_diff(100) == 92 { 20 } else { 240 }),
        ("specks", |x, y| if (x / 2 * 7919 + y / 2 * 104_729) % 997 == 0 { 60 } else { 240 }),
    ];
    for (name, ground) in grounds {
        let prepared = prepare(&under(&plain, ground), &INK, 28, 28);
        let difference = mean_difference(&clean, &prepared);
        assert!(difference < 8.0 && !prepared.several, "{name}: {difference}, several: {}", prepared.several);
    }
}

#[test]
fn a_frame_at_the_edge_does_not_turn_paper_into_ink() {
    let small = drawn(60, 30.0, 18.0, 15.0, 0, 198);
    let framed = under(&small, |x, y| if x == 1 || x == 57 || y == 1 || y == 57 { 50 } else { 198 });
    let (small, framed) = (prepare(&small, &INK, 28, 28), prepare(&framed, &INK, 28, 28));
    assert!(mean_difference(&small, &framed) < 8.0, "{}", mean_difference(&small, &framed));
}

#[test]
fn a_noisy_sensor_leaves_strokes_whole() {
    let plain = drawn(200, 100.0, 60.0, 50.0, 110, 170);
    let mut noisy = plain.clone();
    let mut state = 1u64;
    for pixel in &mut noisy.pixels {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *pixel = (*pixel + (state >> 59) as u8).saturating_sub(16);
    }
    let (plain, noisy) = (prepare(&plain, &INK, 28, 28), prepare(&noisy, &INK, 28, 28));
    assert!(mean_difference(&plain, &noisy) < 8.0, "{}", mean_difference(&plain, &noisy));
}

#[test]
fn a_thin_pen_on_a_large_canvas_is_as_thick_as_others() {
    let thin = luma(1_000, 1_000, {
        let thick = drawn(1_000, 500.0, 300.0, 250.0, 0, 255);
        let edge = |at: usize| thick.pixels[at] < 128 && thick.pixels[at + 2] >= 128;
        (0..1_000_000).map(|at| if at + 2 < 1_000_000 && edge(at) { 0 } else { 255 }).collect()
    });
    let seen = prepare(&thin, &INK, 28, 28).seen;
    let inked = seen.iter().filter(|&&value| value > 100).count();
    assert!(inked > 30, "{inked} of 784 pixels");
}

#[test]
fn characters_side_by_side_are_several_and_one_in_pieces_is_one() {
    let one = drawn(300, 100.0, 40.0, 100.0, 10, 240);
    let other = drawn(300, 100.0, 160.0, 105.0, 10, 240);
    let both = under(&one, |x, y| other.pixels[y * 300 + x]);
    assert!(prepare(&both, &INK, 28, 28).several);
    assert!(!prepare(&one, &INK, 28, 28).several);
    let cut = drawn(300, 100.0, 225.0, 105.0, 10, 240);
    assert!(prepare(&under(&one, |x, y| cut.pixels[y * 300 + x]), &INK, 28, 28).several, "the edge cuts the other one");
    let shadow = under(&one, |x, y| if x > 240 && y > 60 { 20 } else { 240 });
    assert!(!prepare(&shadow, &INK, 28, 28).several, "a shadow at the edge");
    let mut broken = drawn(200, 100.0, 60.0, 50.0, 10, 240);
    broken.pixels[90 * 200..94 * 200].fill(240);
    assert!(!prepare(&broken, &INK, 28, 28).several, "a gap in a stroke");
}

#[test]
fn the_last_stage_is_what_the_model_sees() {
    let ruled = under(&drawn(200, 100.0, 60.0, 50.0, 10, 240), |_, y| if y % 30 == 12 { 150 } else { 240 });
    let of_ink = stages(&ruled, &INK, 28, 28);
    let names: Vec<&str> = of_ink.iter().map(|stage| stage.name).collect();
    assert_eq!(names[..4], ["picture", "ground", "contrast", "without-lines"]);
    assert_eq!(of_ink.last().unwrap().picture.pixels, prepare(&ruled, &INK, 28, 28).seen);
    let whole = Preprocess::Resize(resize(Mode::Stretch));
    let of_all = stages(&ruled, &whole, 20, 30);
    assert_eq!(of_all.iter().map(|stage| stage.name).collect::<Vec<_>>(), ["picture", "seen"]);
    assert_eq!(of_all[1].picture.pixels, prepare(&ruled, &whole, 20, 30).seen);
}

#[test]
fn ink_is_normalised_as_the_network_was_trained() {
    let picture = drawn(200, 100.0, 60.0, 50.0, 10, 240);
    let plain = prepare(&picture, &INK, 28, 28);
    let how = Preprocess::Ink { fit: 20, mean: vec![0.1307], std: vec![0.3081] };
    let normalised = prepare(&picture, &how, 28, 28);
    assert_eq!(normalised.seen, plain.seen, "people see the ink");
    for (value, ink) in normalised.tensor.values.iter().zip(&plain.tensor.values) {
        assert!((value * 0.3081 + 0.1307 - ink).abs() < 1e-6, "{value} of {ink}");
    }
}
