//! JPEG files made of segments.

/// A marker, the length, the body.
pub(super) fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff, marker], &(body.len() as u16 + 2).to_be_bytes()[..], body].concat()
}

/// A frame's header; components are not subsampled.
pub(super) fn frame(width: u16, height: u16, components: u8, progressive: bool) -> Vec<u8> {
    let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
    let mut body = vec![8, h1, h0, w1, w0, components];
    (1..=components).for_each(|id| body.extend_from_slice(&[id, 0x11, 0]));
    segment(if progressive { 0xc2 } else { 0xc0 }, &body)
}

/// One code, a zero bit. DC: no difference; AC: the end of a block.
pub(super) fn tables() -> Vec<u8> {
    let quantisation = [vec![0], vec![1; 64]].concat();
    let code = |kind: u8, symbol: u8| segment(0xc4, &[vec![kind, 1], vec![0; 15], vec![symbol]].concat());
    [segment(0xdb, &quantisation), code(0x00, 0), code(0x10, 0)].concat()
}

/// A scan of one component and its data.
pub(super) fn scan(component: u8, from: u8, to: u8, high_low: u8, data: &[u8]) -> Vec<u8> {
    [segment(0xda, &[1, component, 0, from, to, high_low]), data.to_vec()].concat()
}

pub(super) fn file(parts: &[Vec<u8>]) -> Vec<u8> {
    [&[0xff, 0xd8], &parts.concat()[..], &[0xff, 0xd9]].concat()
}
